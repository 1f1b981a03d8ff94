/* local.c - malle-local: delivers into the mailboxes of one domain. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the uid of the domain, chrooted to the domain's folder by
 * malle-spawn, which starts it; sandbox SANDBOX_LOCAL. Static, so that a start
 * costs little.
 * Trusts: the kernel. What malle-queued sends is bounded and checked: a name
 * that is no account's never becomes a path. What lies in the mailboxes is
 * followed through no link.
 * Order: see group.c. A success is reported when content and name are durable.
 * Limits: two batches at a time, 96 Maildirs open.
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "deliver/answer.h"
#include "deliver/group.h"
#include "deliver/warning.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

static const char usage_text[] =
    "usage: malle-local DOMAIN HOSTNAME\n"
    "       malle-local -h\n"
    "Delivers messages into the mailboxes of DOMAIN. malle-spawn starts it,\n"
    "with the descriptors \"queue\" and \"mail\" in MALLE_FDS;\n"
    "see malle-local(8).\n";

#define ANSWERS_MAX 2		/* jobs that wait for the group's end */

/* An answer that waits: mail is stored first, answered then. */
struct answer {
	struct answer_job job;	/* points into space */
	unsigned char space[IPC_MAX];
	int from;
};

struct worker {
	int queue;		/* the pair with malle-queued */
	int mail;		/* the domain's folder */
	const char *domain, *hostname;
	int east;		/* the domain's clocks: ahead of UTC, s */
	struct group *group;
	struct answer answers[ANSWERS_MAX];
	size_t n_answers;
	struct str content;
	unsigned char in[IPC_MAX], out[IPC_MAX];
};

static volatile sig_atomic_t terminate;

static void
on_term(int signo)
{
	(void)signo;
	terminate = 1;
}

/* Sends one message, waiting while the other side is slow. 0 or -1. */
static int
send_message(struct worker *w, uint16_t type, const struct packer *k)
{
	struct pollfd p = { .fd = w->queue, .events = POLLOUT };

	while (ipc_send(w->queue, type, k, NULL, 0) == -1) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN ||
		    (poll(&p, 1, -1) == -1 && errno != EINTR))
			return -1;
	}
	return 0;
}

/* Reports the group's results, as many in a message as fit. 0 or -1. */
static int
report(struct worker *w)
{
	struct group *g = w->group;
	struct packer k;

	for (size_t i = 0; i < g->n; i += LOCAL_BATCH) {
		size_t n = g->n - i < LOCAL_BATCH ? g->n - i : LOCAL_BATCH;

		pack_init(&k, w->out, sizeof(w->out));
		pack_u16(&k, (uint16_t)n);
		for (size_t j = i; j < i + n; j++)
			local_result_pack(&k, &g->v[j].result);
		if (send_message(w, L_RESULT, &k) == -1)
			return -1;
	}
	g->n = 0;
	return 0;
}

/* L_BATCH: the jobs join the group. 0, or -1 with errno EBADMSG. */
static int
take_batch(struct worker *w, struct ipc_msg *m)
{
	struct group *g = w->group;
	struct local_job j;
	size_t n = unpack_u16(&m->body);
	int east = (int32_t)unpack_u32(&m->body);

	if (n == 0 || n > LOCAL_BATCH || n != m->nfds ||
	    n > GROUP_MAX - g->n) {
		errno = EBADMSG;
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (local_job_unpack(&m->body, &j) == -1) {
			errno = EBADMSG;
			return -1;
		}
		group_add(g, &j, ipc_take_fd(m, i));
	}
	if (!unpack_end(&m->body)) {
		errno = EBADMSG;
		return -1;
	}
	w->east = east;
	return 0;
}

/* L_ANSWER: kept until the group is delivered. 0, or -1 with errno EBADMSG. */
static int
take_answer(struct worker *w, struct ipc_msg *m)
{
	struct answer *a = &w->answers[w->n_answers];
	struct unpacker u;

	if (w->n_answers == ANSWERS_MAX || m->nfds != 1)
		goto bad;
	memcpy(a->space, m->body.p, m->body.len);
	unpack_init(&u, slice_make(a->space, m->body.len));
	if (answer_job_unpack(&u, &a->job) == -1)
		goto bad;
	a->from = ipc_take_fd(m, 0);
	w->n_answers++;
	return 0;
bad:
	errno = EBADMSG;
	return -1;
}

/* Does and reports the answers that waited. 0 or -1. */
static int
give_answers(struct worker *w)
{
	struct answer_result result;
	struct packer k;

	for (size_t i = 0; i < w->n_answers; i++) {
		struct answer *a = &w->answers[i];

		answer_job_do(w->mail, w->hostname, &a->job, a->from,
		    &w->content, &result);
		close(a->from);
		pack_init(&k, w->out, sizeof(w->out));
		answer_result_pack(&k, &result);
		if (send_message(w, L_ANSWERED, &k) == -1)
			return -1;
	}
	w->n_answers = 0;
	return 0;
}

/* L_MEASURE is answered at once. 0 or -1. */
static int
measure(struct worker *w, struct ipc_msg *m)
{
	char name[ADDR_LOCAL_MAX + 1];
	struct maildir_usage usage = { 0, 0, false };
	uint64_t tag = unpack_u64(&m->body);
	struct slice mailbox = unpack_text(&m->body, ADDR_LOCAL_MAX);
	uint64_t bytes = unpack_u64(&m->body);
	uint64_t messages = unpack_u64(&m->body);
	uint64_t size = unpack_u64(&m->body);
	struct packer k;
	bool good;

	if (!unpack_end(&m->body)) {
		errno = EBADMSG;
		return -1;
	}
	good = addr_account(mailbox, name) == 0 &&
	    mailbox_measure(&w->group->mailboxes, name, bytes, messages,
	    size, &usage) == 0;
	pack_init(&k, w->out, sizeof(w->out));
	pack_u64(&k, tag);
	pack_u8(&k, good);
	pack_u64(&k, usage.bytes);
	pack_u64(&k, usage.messages);
	return send_message(w, L_MEASURED, &k);
}

/* Takes one message. 1, 0 when malle-queued has closed, -1 with errno. */
static int
take_message(struct worker *w)
{
	struct ipc_msg m;
	int r = ipc_recv(w->queue, w->in, &m);

	if (r != 1)
		return r;
	switch (m.type) {
	case L_BATCH:
		r = take_batch(w, &m);
		break;
	case L_ANSWER:
		r = take_answer(w, &m);
		break;
	case L_MEASURE:
		r = measure(w, &m);
		break;
	default:
		errno = EBADMSG;
		r = -1;
		break;
	}
	ipc_close_fds(&m);
	return r == -1 ? -1 : 1;
}

/* True when a message, or the end, is there; waits for it as wait says. */
static bool
is_readable(int fd, bool wait, const sigset_t *mask)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec now = { 0, 0 };

	return ppoll(&p, 1, wait ? NULL : &now, mask) == 1;
}

/*
 * Delivers until malle-queued closes (0), SIGTERM (0) or an error (-1). SIGTERM
 * is let in only while waiting for work: what was begun is finished.
 */
static int
serve(struct worker *w, const sigset_t *mask)
{
	int r = 1;

	while (r == 1 && !terminate) {
		if (!is_readable(w->queue, true, mask))
			continue;
		/* All that waits, as far as there is room: one sync for it. */
		do
			r = take_message(w);
		while (r == 1 && GROUP_MAX - w->group->n >= LOCAL_BATCH &&
		    w->n_answers < ANSWERS_MAX && is_readable(w->queue, false, mask));
		if (r == -1 && (errno == EAGAIN || errno == EINTR))
			r = 1;
		if (r == -1)
			break;
		group_deliver(w->group);
		if (report(w) == -1 || give_answers(w) == -1)
			return errno == EPIPE || errno == ECONNRESET ? 0 : -1;
		warning_tell(&w->group->mailboxes, w->domain, w->hostname,
		    w->east);
	}
	return r == -1 ? -1 : 0;
}

static int
confine(int mail)
{
	static const struct proc_limits limits = {
		.memory = 256u << 20,
		.files = 512,
		.processes = PROC_NO_FORK,
	};
	struct sandbox_path path = { mail, true };
	struct sandbox_got got;

	if (proc_drop_to(getuid(), getgid(), NULL, &limits) == -1 ||
	    sandbox_enter(SANDBOX_LOCAL, &path, 1, &got) == -1)
		return -1;
	return 0;
}

static void
catch_signals(sigset_t *waiting)
{
	struct sigaction term = { .sa_handler = on_term };
	sigset_t block;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigaction(SIGTERM, &term, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, waiting);
	sigdelset(waiting, SIGTERM);
}

int
main(int argc, char **argv)
{
	static struct worker worker;
	struct worker *w = &worker;
	sigset_t waiting;
	int mail, r;

	log_open("malle-local");
	if (argc == 2 && strcmp(argv[1], "-h") == 0) {
		fputs(usage_text, stdout);
		return EX_OK;
	}
	if (argc != 3) {
		fputs(usage_text, stderr);
		return EX_USAGE;
	}
	w->queue = proc_fd("queue");
	mail = proc_fd("mail");
	if (w->queue == -1 || mail == -1) {
		fputs("malle-local: no descriptors in MALLE_FDS: it is started "
		    "by malle-spawn, not by hand\n", stderr);
		return EX_USAGE;
	}
	umask(077);
	proc_title("malle-local");
	catch_signals(&waiting);
	if (proc_close_others(NULL, 0) == -1 || confine(mail) == -1) {
		log_error(NULL, "start", "domain=%s error=%s", LOGS(argv[1]),
		    LOGS(strerror(errno)));
		return EX_OSERR;
	}
	w->mail = mail;
	w->domain = argv[1];
	w->hostname = argv[2];
	w->content = STR_INIT(ANSWER_CONTENT_MAX);
	if ((w->group = group_new(mail, argv[1], argv[2])) == NULL)
		return EX_OSERR;
	if ((r = serve(w, &waiting)) == -1)
		log_error(NULL, "queue", "domain=%s error=%s", LOGS(argv[1]),
		    LOGS(strerror(errno)));
	group_free(w->group);
	str_free(&w->content);
	return r == 0 ? EX_OK : EX_PROTOCOL;
}
