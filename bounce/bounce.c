/* bounce.c - malle-bounce: turns a failure into a notification. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: user_bounce, chrooted to empty/, sandbox SANDBOX_BOUNCE: no file, no
 * socket of its own. Each notice is made by a child of its own, which ends with
 * it, because what a stranger wrote is looked into there.
 * Trusts: malle-queued to say what happened; nobody's message. The child can
 * read one queue file and submit one notice on one connection.
 * Order: the notice exists when the commit is answered. Whatever goes wrong
 * before that, the connection is closed and malle-queued asks again later.
 * Limits: 8 children, two minutes each; see notice.c for the sizes.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "bounce/notice.h"
#include "lib/conf.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

#define CHILDREN_MAX 8
#define CHILD_SECONDS 120
#define MEMORY_MAX (256u << 20)

static const char usage_text[] =
    "usage: malle-bounce [-c FILE]\n"
    "       malle-bounce -h\n"
    "Writes delivery status notifications for malle-queued. malle-start\n"
    "starts it, with the descriptor \"queue\" in MALLE_FDS; see\n"
    "malle-bounce(8).\n"
    "  -c FILE  configuration, default " CONF_PATH "\n";

struct job {
	struct bounce_notice notice;
	struct bounce_recipient *recipients;
	int queue, message;	/* descriptors */
};

static volatile sig_atomic_t terminate;	/* the signal that asks for it */

static void
on_term(int signo)
{
	terminate = signo;
}

/* Why a notice was not made, in the log: its message is asked for again. */
static int
give_up(const struct job *j, const char *step, const char *why)
{
	log_error(j->notice.id, "notice-failed", "to=%s step=%s error=%s",
	    LOGS(j->notice.to), step, LOGS(why));
	return EX_TEMPFAIL;
}

/* Reads as much of the original as a notice can use. 0, or -1 with errno. */
static int
read_original(const struct job *j, char **out, size_t *len, bool *whole)
{
	const struct bounce_notice *n = &j->notice;
	size_t want = (n->flags & QM_RET_FULL) != 0 &&
	    n->content_length <= NOTICE_FULL_MAX ? NOTICE_FULL_MAX :
	    NOTICE_HEADER_MAX;
	char *p;

	if (n->content_length < want)
		want = (size_t)n->content_length;
	if ((p = malloc(want + 1)) == NULL)
		return -1;
	if (n->content_offset > INT64_MAX - NOTICE_FULL_MAX ||
	    fsx_pread_all(j->message, p, want,
	    (off_t)n->content_offset) == -1) {
		free(p);
		return -1;
	}
	*out = p;
	*len = want;
	*whole = want == n->content_length;
	return 0;
}

static void
make_random(char out[33])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	unsigned char bytes[32];

	arc4random_buf(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		out[i] = digits[bytes[i] & 31];
	out[32] = '\0';
}

/* Hands the notice to malle-queued. An exit status. */
static int
submit(const struct job *j, struct slice text, const struct notice_facts *facts)
{
	struct queue_mail m = {
		.lane = LANE_TRANSACTIONAL,
		.flags = QM_NO_TRACE | (facts->has_8bit ? QM_8BIT : 0) |
		    (facts->has_utf8 ? QM_UTF8 : 0) |
		    /* RFC 8689 5: it holds parts of that message. */
		    (j->notice.flags & QM_REQUIRETLS),
		.protocol = "LOCAL",
		.size = text.len,
	};
	struct queue_answer answer;

	snprintf(m.session, sizeof(m.session), "%s", j->notice.id);
	if (queue_mail(j->queue, &m) == -1 ||
	    queue_rcpt(j->queue, j->notice.to, QN_NEVER, SLICE_EMPTY) == -1 ||
	    queue_data(j->queue, text) == -1 ||
	    queue_commit(j->queue, SLICE_EMPTY, &answer) == -1)
		return give_up(j, "submit", strerror(errno));
	if (answer.result != QUEUE_OK)
		return give_up(j, "commit", answer.text);
	log_info(j->notice.id, "notice", "kind=%d to=%s as=%s size=%zu",
	    (int)j->notice.kind, LOGS(j->notice.to), answer.id, text.len);
	return EX_OK;
}

/* All of one notice, in the child. An exit status. */
static int
make_notice(const struct job *j, const char *hostname)
{
	struct notice_input in = {
		.notice = &j->notice,
		.recipients = j->recipients,
		.hostname = hostname,
		.now = time(NULL),
	};
	struct str text = STR_INIT(NOTICE_MAX);
	struct notice_facts facts;
	char *original;
	size_t len;

	if (read_original(j, &original, &len, &in.original_whole) == -1)
		return give_up(j, "read", strerror(errno));
	in.original = slice_make(original, len);
	make_random(in.random);
	if (notice_compose(&in, &text, &facts) == -1)
		return give_up(j, "compose", "no address, or too long");
	return submit(j, str_slice(&text), &facts);
}

/* A request into *j; the caller frees j->recipients. 0, or -1. */
static int
job_unpack(struct ipc_msg *m, struct job *j)
{
	j->recipients = NULL;
	if (m->type != BOUNCE_NOTICE || m->nfds != BOUNCE_FDS ||
	    bounce_notice_unpack(&m->body, &j->notice) == -1)
		return -1;
	j->recipients = calloc(j->notice.recipients, sizeof(*j->recipients));
	if (j->recipients == NULL)
		return -1;
	for (size_t i = 0; i < j->notice.recipients; i++)
		if (bounce_recipient_unpack(&m->body, &j->recipients[i]) == -1)
			return -1;
	if (!unpack_end(&m->body))
		return -1;
	j->queue = m->fds[BOUNCE_FD_JOB];
	j->message = m->fds[BOUNCE_FD_MESSAGE];
	return 0;
}

/* The child: unpacks here, so that nothing of a request touches the parent. */
static void __attribute__((noreturn))
run_child(int pair, struct ipc_msg *m, const char *hostname)
{
	struct job j;

	close(pair);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	alarm(CHILD_SECONDS);
	proc_title("malle-bounce");
	if (job_unpack(m, &j) == -1) {
		log_error(NULL, "request", "error=%s", "malformed");
		_exit(EX_PROTOCOL);
	}
	_exit(make_notice(&j, hostname));
}

/* Takes one request. False when the pair is closed. */
static bool
take_request(int pair, const char *hostname, unsigned *children)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m;
	int r = ipc_recv(pair, space, &m);
	pid_t pid;

	if (r == 0)
		return false;
	if (r == -1)
		return errno == EAGAIN || errno == EINTR || errno == EBADMSG;
	if ((pid = fork()) == 0)
		run_child(pair, &m, hostname);
	if (pid == -1)
		log_error(NULL, "fork", "error=%s", LOGS(strerror(errno)));
	else
		(*children)++;
	ipc_close_fds(&m);
	return true;
}

static void
serve(int pair, const char *hostname, const sigset_t *waiting)
{
	struct pollfd p = { .fd = pair, .events = POLLIN };
	unsigned children = 0;

	while (!terminate) {
		/* With all children busy only the end of one is waited for. */
		int n = ppoll(&p, children < CHILDREN_MAX ? 1 : 0, NULL,
		    waiting);

		proc_reap_children(&children);
		if (n == 1 && !take_request(pair, hostname, &children))
			break;
	}
	/* Those at work are let finish: their notice may be half sent. After
	 * SIGHUP they go on alone, and the next one reads the configuration. */
	for (int i = 0; terminate != SIGHUP && children > 0 && i < 5; i++) {
		struct timespec second = { 1, 0 };

		ppoll(NULL, 0, &second, waiting);
		proc_reap_children(&children);
	}
}

/* Gives up every right that notices do not need. 0, or -1 with errno. */
static int
confine(const struct conf *c)
{
	/* Without a user of its own the caller's other programs count too. */
	const struct proc_limits limits = {
		.memory = MEMORY_MAX,
		.files = 64,
		.file_size = PROC_NO_FILES,
		.processes = geteuid() == 0 ? 4 * CHILDREN_MAX : 0,
	};
	struct sandbox_got got;
	char root[1100];

	tzset();		/* the zone's file is outside the new root */
	if (conf_path(c, "empty", root, sizeof(root)) == -1 ||
	    proc_close_others(NULL, 0) == -1 ||
	    proc_drop(c->user_bounce, root, &limits) == -1 ||
	    sandbox_enter(SANDBOX_BOUNCE, NULL, 0, &got) == -1)
		return -1;
	sandbox_log(SANDBOX_BOUNCE, &got);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct conf conf;
	const char *path = NULL;
	sigset_t waiting;
	int option, pair;

	log_open("malle-bounce");
	while ((option = getopt(argc, argv, "c:h")) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			return EX_OK;
		}
		if (option != 'c') {
			fputs(usage_text, stderr);
			return EX_USAGE;
		}
		path = optarg;
	}
	if (conf_load(&conf, path, stderr) == -1)
		return EX_CONFIG;
	(void)proc_ready_fd();
	if ((pair = proc_fd("queue")) == -1) {
		fputs("malle-bounce: no descriptor \"queue\" in MALLE_FDS: it "
		    "is started by malle-start, not by hand\n", stderr);
		return EX_USAGE;
	}
	proc_catch(on_term, &waiting);
	if (confine(&conf) == -1) {
		log_error(NULL, "start", "error=%s", LOGS(strerror(errno)));
		return EX_OSERR;
	}
	proc_ready();
	serve(pair, conf.hostname, &waiting);
	log_info(NULL, "stop", "reason=%s", terminate == 0 ?
	    "closed" : terminate == SIGHUP ? "reload" : "term");
	return EX_OK;
}
