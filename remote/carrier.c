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
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "lib/log.h"
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

/* more is false with the last results of a job. */
static void
results_send(struct line *l, bool more)
{
	if (l->n_results == 0)
		return;
	l->space[8] = more;
	l->space[9] = (unsigned char)l->n_results;
	l->space[10] = (unsigned char)(l->n_results >> 8);
	if (ipc_send(l->pair, R_RESULT, &l->results, NULL, 0) == -1)
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
	if (!unpack_end(&m->body) || (w->fd = ipc_take_fd(m, 0)) == -1)
		goto bad;
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

/* Takes what malle-queued has sent; waits for it, or for the other server to
 * say something, when wait is true. False: there is nothing more to do. */
static bool
take_jobs(struct line *l, bool wait)
{
	static unsigned char space[IPC_MAX];
	struct pollfd p[2] = {
		{ .fd = l->pair, .events = POLLIN },
		{ .fd = l->carrier.session.stream.fd, .events = POLLIN }
	};
	struct ipc_msg m;
	int r;

	if (wait && poll(p, 2, -1) == -1 && errno != EINTR)
		return false;
	/* Between messages a server speaks only to say good-bye. */
	if (wait && p[1].revents != 0)
		return false;
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
	return !l->is_over;
}

/* Jobs whose recipients all have their result. */
static void
forget_done(struct line *l)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&l->works)) != NULL &&
	    e->answered == e->work->job.n) {
		TAILQ_REMOVE(&l->works, e, link);
		l->n_works--;
		work_free(e->work);
		free(e);
	}
}

/* The next transaction that this server can do; false: none waits. */
static bool
next_transaction(struct line *l, struct transaction *t)
{
	struct entry *e;

	take_jobs(l, false);
	TAILQ_FOREACH(e, &l->works, link)
		while (transaction_next(&l->carrier, e->work, t))
			if (!transaction_is_hopeless(&l->carrier, t))
				return true;
	return false;
}

/* All that is there, one transaction behind the other. 0, or -1: the
 * connection is lost, *why says how. */
static int
work_off(struct line *l, struct remote_reply *why)
{
	static struct transaction now, next;
	bool has_now = next_transaction(l, &now), has_next;
	bool pipelining = l->carrier.session.ext.pipelining;
	int r;

	if (has_now)
		transaction_begin(&l->carrier, &now);
	while (has_now) {
		/* What comes next is asked for only when the content of this
		 * one is on its way: until then it may be elsewhere. */
		has_next = next_transaction(l, &next);
		r = transaction_send(&l->carrier, &now,
		    has_next && pipelining ? &next : NULL, why);
		if (r == 0)
			r = transaction_finish(&l->carrier, &now, why);
		else if (r == 1 && has_next)
			transaction_begin(&l->carrier, &next);
		if (r == -1)
			return -1;
		forget_done(l);
		now = next;
		has_now = has_next;
		if (!has_now && (has_now = next_transaction(l, &now)))
			transaction_begin(&l->carrier, &now);
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
	return ipc_send(l->pair, (uint16_t)type, &k, NULL, 0);
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

/* Why a connection that was idle is no more. */
static void
say_closed(struct line *l, struct remote_reply *why)
{
	struct reply_parser r;

	if (session_reply(&l->carrier.session, "while idle", 1, &r, why) == 0)
		session_told(&l->carrier.session, &r, CAUSE_GREETING, why);
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
	    fcntl(l->pair, F_SETFL, O_NONBLOCK) == -1)
		return;
	while (!l->is_over) {
		if (!take_jobs(l, true)) {
			if (l->is_over)
				break;
			say_closed(l, &why);
			send_reply(l, R_CLOSED, &why);
			return;
		}
		if (work_off(l, &why) == -1) {
			results_send(l, true);
			send_reply(l, R_CLOSED, &why);
			return;
		}
	}
	session_close(&l->carrier.session);
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
}
