/* carrier.c - one child of malle-remote: one route, one connection, its jobs. */
/* SPDX-License-Identifier: ISC */
/*
 * Runs as: user_remote, chrooted to empty/, sandbox SANDBOX_REMOTE, a child of
 * malle-remote for one connection.
 * Trusts: malle-queued for what is to be sent; the other server for nothing.
 * Order: a recipient's result is sent when its reply was read, never before;
 * one without a result was not begun, and malle-queued may send it elsewhere.
 * Limits: WORKS_MAX jobs at a time, CONTENT_KEPT of each in memory.
 */

#include "remote/carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "remote/tls.h"
#include "remote/transaction.h"

#define WORKS_MAX 64
#define RESULTS_ROOM 48000	/* bytes of results that wait for company */

struct entry {
	TAILQ_ENTRY(entry) link;
	struct work *work;
	size_t answered;	/* recipients with a result */
};
TAILQ_HEAD(entries, entry);

struct line {
	struct carrier carrier;
	int pair;
	struct entries works;
	size_t n_works;
	bool is_over;		/* malle-queued has closed its end, or failed */
	/* results of one job that were not sent yet */
	unsigned char space[RESULTS_ROOM + 4096];
	struct packer results;
	uint16_t n_results;
	uint64_t tag;
};

static void
results_begin(struct line *l, uint64_t tag)
{
	pack_init(&l->results, l->space, sizeof(l->space));
	pack_u64(&l->results, tag);
	pack_u8(&l->results, 1);
	pack_u16(&l->results, 0);
	l->tag = tag;
	l->n_results = 0;
}

/* Sends what malle-queued must not miss: waits until it can take it. */
static int
send_sure(int fd, enum remote_type type, const struct packer *k)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	while (ipc_send(fd, (uint16_t)type, k, NULL, 0) == -1) {
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		poll(&p, 1, -1);
	}
	return 0;
}

/* more is false with the last results of a job. */
static void
results_send(struct line *l, bool more)
{
	if (l->n_results == 0)
		return;
	l->space[8] = more;
	l->space[9] = (unsigned char)l->n_results;
	l->space[10] = (unsigned char)(l->n_results >> 8);
	if (send_sure(l->pair, R_RESULT, &l->results) == -1)
		l->is_over = true;
	l->n_results = 0;
}

static struct entry *
entry_of(struct line *l, const struct work *w)
{
	struct entry *e;

	TAILQ_FOREACH(e, &l->works, link)
		if (e->work == w)
			return e;
	return NULL;
}

static void
on_result(void *arg, struct work *w, const struct remote_recipient *r,
    const struct remote_reply *reply)
{
	struct line *l = arg;
	struct entry *e = entry_of(l, w);
	struct remote_result result = {
		.number = r->number,
		.dsn_passed = reply->result == QUEUE_OK &&
		    l->carrier.session.ext.dsn,
		.reply = *reply
	};

	if (l->n_results > 0 && l->tag != w->job.tag)
		results_send(l, true);
	if (l->n_results == 0)
		results_begin(l, w->job.tag);
	remote_result_pack(&l->results, &result);
	l->n_results++;
	e->answered++;
	if (e->answered == w->job.n)
		results_send(l, false);
	else if (l->results.len > RESULTS_ROOM)
		results_send(l, true);
}

/* Carries a mailing when nobody else wants the processor: a letter that comes
 * takes it at once, where a nice value would let us end our slice first. There
 * is no way back: letters get other carriers. */
static void
step_back(void)
{
	const struct sched_param none = { .sched_priority = 0 };

	(void)sched_setscheduler(0, SCHED_IDLE, &none);
}

/* A job with its recipients and its file. NULL: not as it must be. */
static struct work *
take_job(struct ipc_msg *m)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->fd = -1;
	if (remote_job_unpack(&m->body, &w->job) == -1)
		goto bad;
	w->recipients = calloc(w->job.n, sizeof(*w->recipients));
	if (w->recipients == NULL)
		goto bad;
	for (uint16_t i = 0; i < w->job.n; i++)
		if (remote_recipient_unpack(&m->body, &w->recipients[i]) == -1)
			goto bad;
	w->n = w->job.n;
	if (!unpack_end(&m->body) || (w->fd = ipc_take_fd(m, 0)) == -1)
		goto bad;
	if (w->job.is_patient)
		step_back();
	return w;
bad:
	work_free(w);
	return NULL;
}

static void
add_job(struct line *l, struct ipc_msg *m)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct work *w = m->type == R_JOB ? take_job(m) : NULL;

	if (e == NULL || w == NULL) {
		log_error(NULL, "request", "error=%s", "malformed");
		work_free(w);
		free(e);
		l->is_over = true;
		return;
	}
	e->work = w;
	TAILQ_INSERT_TAIL(&l->works, e, link);
	l->n_works++;
}

/* Waits for a job or for the end. False: the other server has something to
 * say, and between messages that can only be good-bye. */
static bool
wait_jobs(struct line *l)
{
	struct pollfd p[2] = {
		{ .fd = l->pair, .events = POLLIN },
		{ .fd = l->carrier.session.stream.fd, .events = POLLIN }
	};

	do {
		if (stream_is_stirred(&l->carrier.session.stream))
			return false;
	} while (poll(p, 2, -1) == -1 || p[0].revents == 0);
	return !stream_is_stirred(&l->carrier.session.stream);
}

/* Takes what malle-queued has sent. */
static void
take_jobs(struct line *l)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m;
	int r;

	while (!l->is_over && l->n_works < WORKS_MAX) {
		r = ipc_recv(l->pair, space, &m);
		if (r == -1 && (errno == EAGAIN || errno == EINTR))
			break;
		if (r != 1) {
			l->is_over = true;
			break;
		}
		add_job(l, &m);
		ipc_close_fds(&m);
	}
}

/* Jobs whose recipients all have their result. */
static void
forget_done(struct line *l)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&l->works); e != NULL &&
	    e->answered == e->work->job.n; e = next) {
		next = TAILQ_NEXT(e, link);
		TAILQ_REMOVE(&l->works, e, link);
		l->n_works--;
		work_free(e->work);
		free(e);
	}
}

/* The next transaction that this server can do; false: none waits, or nobody
 * would hear of its end. */
static bool
next_transaction(struct line *l, struct transaction *t)
{
	struct entry *e;

	take_jobs(l);
	if (l->is_over)
		return false;
	TAILQ_FOREACH(e, &l->works, link)
		while (transaction_next(&l->carrier, e->work, t))
			if (!transaction_is_hopeless(&l->carrier, t))
				return true;
	return false;
}

/*
 * One transaction from its envelope to its end; *next, if there is one, is begun
 * behind its content. 0, or -1: the connection is of no more use.
 */
static int
work_on(struct line *l, struct transaction *now, struct transaction *next,
    bool *has_next, struct remote_reply *why)
{
	int r = transaction_envelope(&l->carrier, now, why);

	*has_next = false;
	if (r != 0)
		return r == 1 ? 0 : -1;
	*has_next = next_transaction(l, next);
	/* Nobody would hear what becomes of it: whoever has asked for it will
	 * have it sent again. */
	if (l->is_over)
		return 0;
	if (transaction_content(&l->carrier, now, *has_next ? next : NULL,
	    why) == -1)
		return -1;
	return transaction_finish(&l->carrier, now, why);
}

/* All that is there, one transaction behind the other. 0, or -1: the
 * connection is of no more use, *why says how. */
static int
work_off(struct line *l, struct remote_reply *why)
{
	static struct transaction now, next;
	bool has_now = next_transaction(l, &now), has_next;
	int r;

	if (has_now)
		transaction_begin(&l->carrier, &now);
	while (has_now) {
		r = work_on(l, &now, &next, &has_next, why);
		/* Known at once: if we die, only what is under way is lost. */
		results_send(l, true);
		if (r == -1)
			return -1;
		forget_done(l);
		take_jobs(l);
		if (l->is_over)
			return 0;
		if (!has_next && (has_next = next_transaction(l, &next)))
			transaction_begin(&l->carrier, &next);
		now = next;
		has_now = has_next;
	}
	return 0;
}

static int
send_reply(struct line *l, enum remote_type type, const struct remote_reply *r)
{
	unsigned char space[4096];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	remote_reply_pack(&k, r);
	return send_sure(l->pair, type, &k);
}

/* The first message. 0, or -1. */
static int
take_route(struct line *l)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m;
	int r = -1;

	if (ipc_recv(l->pair, space, &m) != 1)
		return -1;
	if (m.type == R_ROUTE &&
	    remote_route_unpack(&m.body, &l->carrier.session.route) == 0 &&
	    unpack_end(&m.body))
		r = 0;
	ipc_close_fds(&m);
	explicit_bzero(space, sizeof(space));
	return r;
}

/* What the server lets us go on with next time. The answer to EHLO has been
 * read: the tickets of TLS 1.3 came in front of it. */
static int
send_ticket(struct line *l)
{
	unsigned char ticket[REMOTE_TICKET_MAX], space[sizeof(ticket) + 16];
	size_t len = ticket_pack(&l->carrier.session, ticket, sizeof(ticket));
	struct packer k;
	int r;

	if (len == 0)
		return 0;
	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_make(ticket, len));
	r = send_sure(l->pair, R_TICKET, &k);
	explicit_bzero(ticket, sizeof(ticket));
	explicit_bzero(space, sizeof(space));
	return r;
}

/* Why a connection that was idle is no more. */
static void
say_closed(struct line *l, struct remote_reply *why)
{
	struct session *s = &l->carrier.session;
	struct reply_parser r;

	if (session_reply(s, "while idle", 1, &r, why) == -1)
		return;
	session_told(s, &r, CAUSE_GREETING, why);
	if (why->result == QUEUE_OK)
		session_says(s, QUEUE_TEMPORARY, CAUSE_LOST, "4.5.0", why,
		    "%s while idle: the reply %u does not belong there",
		    s->how.host, r.code);
}

static void
serve(struct line *l)
{
	struct remote_reply why;

	if (session_open(&l->carrier.session, &why) == -1) {
		send_reply(l, R_FAILED, &why);
		return;
	}
	l->carrier.session.how.result = QUEUE_OK;
	if (send_reply(l, R_READY, &l->carrier.session.how) == -1 ||
	    send_ticket(l) == -1 ||
	    fcntl(l->pair, F_SETFL, O_NONBLOCK) == -1)
		return;
	for (;;) {
		/* One may have come since the last look. */
		if (l->n_works == 0 && !wait_jobs(l)) {
			say_closed(l, &why);
			break;
		}
		if (work_off(l, &why) == -1)
			break;
		forget_done(l);
		take_jobs(l);
		if (l->is_over) {
			if (l->n_works == 0)
				session_close(&l->carrier.session);
			return;
		}
	}
	send_reply(l, R_CLOSED, &why);
}

/*
 * Takes the jobs that nobody will begin out of the pair: one that is closed with
 * something unread resets the connection, and the other end might miss what
 * was sent before.
 */
static void
leave(int pair)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m;

	shutdown(pair, SHUT_RD);
	while (ipc_recv(pair, space, &m) == 1)
		ipc_close_fds(&m);
	close(pair);
}

void
carrier_run(struct remote *remote, int pair)
{
	static struct line line;

	line.pair = pair;
	TAILQ_INIT(&line.works);
	line.carrier.session.remote = remote;
	line.carrier.result = on_result;
	line.carrier.arg = &line;
	if (take_route(&line) == 0)
		serve(&line);
	stream_close(&line.carrier.session.stream);
	leave(pair);
}
