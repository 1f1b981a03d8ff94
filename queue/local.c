/* local.c - gives batches of deliveries to the workers of each domain. */
/* SPDX-License-Identifier: ISC */
/*
 * A worker (malle-local, forked by malle-spawn as the domain's uid) has one
 * end of a pair, we have the other. It gets up to WINDOW batches at a time, so
 * that it never waits for us, and each batch is what has come meanwhile.
 *
 * Trusts: not the worker. It can report only jobs that it has; anything else
 * closes it. When it dies, its jobs are tried again; as nobody knows which of
 * them killed it, all are suspects then and go alone; a suspect that kills a
 * worker KILLS_MAX times is held.
 * Limits: conf.workers_max workers in all, DOMAIN_WORKERS of one domain.
 */
#include "queue/local.h"

#include <sys/epoll.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proto_spawn.h"
#include "queue/answer.h"

#define DOMAIN_WORKERS 4
#define BACKLOG 512		/* jobs that are worth one more worker */
#define SERVED_MAX 32		/* batches before a worker makes place for another
				 * domain that waits for one */
#define RESULT_TIME 600000	/* ms without a result: it hangs */

static void worker_close(struct manager *q, struct worker *w, bool clean);

static struct local *
local_of(struct sched_dest *d)
{
	struct local *l = d->carrier;

	if (l == NULL && (l = calloc(1, sizeof(*l))) != NULL) {
		TAILQ_INIT(&l->workers);
		d->carrier = l;
	}
	return l;
}

size_t
local_running(const struct manager *q)
{
	const struct worker *w;
	size_t n = 0;

	TAILQ_FOREACH(w, &q->workers, link)
		n += w->running;
	return n;
}

/* The recipient of a tag that this worker has, or NULL. */
static struct slot *
slot_of(struct worker *w, uint64_t tag)
{
	struct slot *s = &w->slots[tag % SLOTS];

	return s->r != NULL && s->turn == (uint32_t)(tag / SLOTS) ? s : NULL;
}

void
local_slot_free(struct worker *w, struct slot *s)
{
	w->in_batch[s->batch]--;
	w->running--;
	s->r = NULL;
	s->turn++;
	if (w->running == 0)
		w->is_alone = false;
	sched_done(w->dest);
}

/* One result. -1: it is not about a job of this worker. */
static int
take_result(struct manager *q, struct worker *w, struct unpacker *u)
{
	struct local_result result;
	struct reply reply;
	struct recipient *r;
	struct slot *s;

	if (local_result_unpack(u, &result) == -1 ||
	    (s = slot_of(w, result.tag)) == NULL || s->r->kind == RCPT_ANSWER)
		return -1;
	r = s->r;
	local_slot_free(w, s);
	memset(&reply, 0, sizeof(reply));
	reply.when = q->wall;
	reply.result = result.result;
	memcpy(reply.enhanced, result.enhanced, sizeof(reply.enhanced));
	memcpy(reply.text, result.text, sizeof(reply.text));
	/* Whatever killed a worker, it was not this. */
	((struct active *)r->active)->m->is_suspect = false;
	((struct active *)r->active)->m->kills = 0;
	if (!r->is_moved &&
	    (result.used_bytes > 0 || result.used_messages > 0))
		check_used(q, r->domain, r->local, result.used_bytes,
		    result.used_messages);
	life_result(q, r, &reply);
	return 0;
}

/* What became of an answer. */
static int
take_answered(struct manager *q, struct worker *w, struct unpacker *u)
{
	struct answer_result result;
	struct recipient *r;
	struct slot *s;

	if (answer_result_unpack(u, &result) == -1 ||
	    (s = slot_of(w, result.tag)) == NULL || s->r->kind != RCPT_ANSWER)
		return -1;
	r = s->r;
	local_slot_free(w, s);
	((struct active *)r->active)->m->is_suspect = false;
	((struct active *)r->active)->m->kills = 0;
	answer_result(q, r, &result);
	return 0;
}

static int
take_measured(struct manager *q, struct worker *w, struct unpacker *u)
{
	uint64_t tag = unpack_u64(u);
	bool known = unpack_u8(u) != 0;
	uint64_t bytes = unpack_u64(u), messages = unpack_u64(u);

	if (!unpack_end(u) || w->measures == 0)
		return -1;
	w->measures--;
	check_measured(q, tag, known, bytes, messages);
	return 0;
}

static int
take_message(struct manager *q, struct worker *w, struct ipc_msg *m)
{
	uint16_t n;

	ipc_close_fds(m);
	if (m->type == L_MEASURED)
		return take_measured(q, w, &m->body);
	if (m->type == L_ANSWERED)
		return take_answered(q, w, &m->body);
	if (m->type != L_RESULT)
		return -1;
	n = unpack_u16(&m->body);
	for (uint16_t i = 0; i < n; i++)
		if (take_result(q, w, &m->body) == -1)
			return -1;
	return unpack_end(&m->body) ? 0 : -1;
}

static void
on_event(struct manager *q, struct watch *watch, uint32_t events)
{
	static unsigned char space[IPC_MAX];
	struct worker *w = (struct worker *)(void *)watch;
	struct sched_dest *d = w->dest;
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(watch->fd, space, &m)) == 1) {
		w->last = q->now;
		d->failures = 0;
		if (take_message(q, w, &m) == -1) {
			log_error(NULL, "worker", "domain=%s closed=%s",
			    LOGS(d->key), LOGS("it reports what it has not"));
			worker_close(q, w, false);
			return;
		}
	}
	if (r == -1 && errno == EAGAIN) {
		sched_wake(&q->sched, d);
		return;
	}
	/* Closed with our batch unread: it has not begun, nobody is to blame. */
	worker_close(q, w, r == 0);
}

/* Another domain that had no worker may have one now. */
static void
wake_starving(struct manager *q)
{
	struct sched_dest *d = NULL;

	if (q->n_starving == 0)
		return;
	q->n_starving = 0;
	while ((d = sched_dest_next(&q->sched, d)) != NULL)
		if (d->kind == RCPT_MAILBOX && d->is_parked && d->waiting > 0)
			sched_wake(&q->sched, d);
}

/* A job that was with a worker which died. */
static void
blame(struct manager *q, struct worker *w, struct recipient *r, bool clean)
{
	struct active *a = r->active;
	struct message *m = a->m;

	if (clean && w->is_alone && m->kills < KILLS_MAX)
		m->kills++;
	if (clean)
		m->is_suspect = true;
	life_back(q, r, BACK_DELAY);
	if (m->kills >= KILLS_MAX)
		life_hold(q, m, true, "malle-queued: it kills its workers");
	else if (clean)
		life_dirty(a, (uint32_t)(r - a->e->recipients));
}

static void
worker_close(struct manager *q, struct worker *w, bool clean)
{
	struct sched_dest *d = w->dest;
	struct local *l = d->carrier;
	bool was_alone = w->is_alone;

	if (w->running > 0 || !clean) {
		unsigned shift = d->failures < 6 ? d->failures++ : 6;
		int64_t wait = (int64_t)1000 << shift;

		log_error(NULL, "worker", "domain=%s died=yes jobs=%u",
		    LOGS(d->key), w->running);
		d->not_before = q->now + (wait < BACKOFF_MAX ? wait :
		    BACKOFF_MAX);
	}
	for (size_t i = 0; i < SLOTS; i++) {
		struct recipient *r = w->slots[i].r;

		if (r == NULL)
			continue;
		local_slot_free(w, &w->slots[i]);
		w->is_alone = was_alone;
		blame(q, w, r, clean);
	}
	manager_unwatch(q, &w->watch);
	close(w->watch.fd);
	w->watch.fd = -1;
	TAILQ_REMOVE(&q->workers, w, link);
	TAILQ_REMOVE(&l->workers, w, of_domain);
	l->n--;
	q->n_workers--;
	TAILQ_INSERT_TAIL(&q->dead_workers, w, link);
	sched_wake(&q->sched, d);
	wake_starving(q);
}

static uint32_t
uid_of(const struct sched_dest *d)
{
	struct sched_job *job = sched_peek(d);

	return job != NULL ? recipient_of(job)->uid : 0;
}

/* Asks malle-spawn for a worker; whether one comes shows on the pair. */
static struct worker *
worker_start(struct manager *q, struct sched_dest *d, uint32_t uid)
{
	struct local *l = local_of(d);
	struct worker *w = l == NULL ? NULL : calloc(1, sizeof(*w));
	unsigned char space[512];
	struct packer k;
	int pair[2];

	if (w == NULL || ipc_pair(pair) == -1)
		goto failed;
	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(d->key));
	pack_u32(&k, uid);
	w->watch = (struct watch){ pair[0], on_event, false };
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1 ||
	    ipc_send(q->spawn, SPAWN_LOCAL, &k, &pair[1], 1) == -1 ||
	    manager_watch(q, &w->watch, EPOLLIN) == -1) {
		close(pair[0]);
		close(pair[1]);
		goto failed;
	}
	close(pair[1]);
	w->dest = d;
	w->last = q->now;
	TAILQ_INSERT_TAIL(&q->workers, w, link);
	TAILQ_INSERT_TAIL(&l->workers, w, of_domain);
	l->n++;
	q->n_workers++;
	return w;
failed:
	log_error(NULL, "worker", "domain=%s what=start error=%s",
	    LOGS(d->key), LOGS(strerror(errno)));
	d->not_before = q->now + 1000;
	free(w);
	return NULL;
}

/* The batch that a new one may be, or WINDOW when it has enough. */
static size_t
free_batch(const struct worker *w)
{
	if (w->is_leaving || w->is_alone)
		return WINDOW;
	for (size_t i = 0; i < WINDOW; i++)
		if (w->in_batch[i] == 0)
			return i;
	return WINDOW;
}

/* Makes place for a domain that has no worker: an idle one goes at once, a
 * busy one when it has served for a while. */
static bool
make_place(struct manager *q)
{
	struct worker *w, *busiest = NULL;

	TAILQ_FOREACH(w, &q->workers, link) {
		if (w->running == 0 && w->measures == 0) {
			worker_close(q, w, true);
			return true;
		}
		if (!w->is_leaving && w->served >= SERVED_MAX &&
		    (busiest == NULL || w->served > busiest->served))
			busiest = w;
	}
	if (busiest != NULL)
		busiest->is_leaving = true;
	return false;
}

/*
 * A worker that can take a batch, started when there is none or when so much
 * waits that one is not enough. While a batch is in flight the next one goes
 * only when it is worth its sync, or nothing more would come by itself.
 */
static struct worker *
choose(struct manager *q, struct sched_dest *d)
{
	struct local *l = local_of(d);
	struct worker *w;

	if (l == NULL)
		return NULL;
	TAILQ_FOREACH(w, &l->workers, of_domain)
		if (free_batch(w) < WINDOW && (w->running == 0 ||
		    d->waiting >= LOCAL_BATCH / 2))
			return w;
	if (q->now < d->not_before || q->is_stopping || (l->n > 0 &&
	    (l->n >= DOMAIN_WORKERS || d->waiting < BACKLOG * l->n)))
		return NULL;
	if (q->n_workers >= q->conf.workers_max &&
	    (l->n > 0 || !make_place(q))) {
		q->n_starving++;
		return NULL;
	}
	return worker_start(q, d, uid_of(d));
}

/* Whatever makes room later (a result, a worker's end, the housekeeping) wakes
 * a destination that is parked here. */
void
local_dispatch(struct manager *q, struct sched_dest *d)
{
	struct worker *w;

	while (d->waiting > 0 && (w = choose(q, d)) != NULL) {
		uint8_t number = (uint8_t)free_batch(w);
		bool is_answer =
		    recipient_of(sched_peek(d))->kind == RCPT_ANSWER;

		if (is_answer ? !local_send_answer(q, w, number) :
		    !local_send_batch(q, w, number))
			break;
	}
	if (d->waiting > 0)
		sched_park(&q->sched, d);
}

void
local_free_dead(struct manager *q)
{
	struct worker *w;

	while ((w = TAILQ_FIRST(&q->dead_workers)) != NULL) {
		TAILQ_REMOVE(&q->dead_workers, w, link);
		free(w);
	}
}

/* Forgets a domain with nothing to do. */
static void
forget_idle(struct manager *q)
{
	struct sched_dest *d, *next;

	for (d = sched_dest_next(&q->sched, NULL); d != NULL; d = next) {
		struct local *l = d->carrier;

		next = sched_dest_next(&q->sched, d);
		if (d->kind != RCPT_MAILBOX) {
			remote_forget(q, d);
			continue;
		}
		if (d->waiting > 0) {
			if (d->is_parked)
				sched_wake(&q->sched, d);
			continue;
		}
		if (d->running > 0 || (l != NULL && l->n > 0) ||
		    q->now < d->not_before)
			continue;
		free(l);
		d->carrier = NULL;
		sched_dest_release(&q->sched, d);
	}
}

void
local_expire(struct manager *q)
{
	int64_t idle = (int64_t)q->conf.worker_idle * 1000;
	struct worker *w, *next;

	for (w = TAILQ_FIRST(&q->workers); w != NULL; w = next) {
		bool is_idle = w->running == 0 && w->measures == 0;

		next = TAILQ_NEXT(w, link);
		if (is_idle && (w->is_leaving || q->now - w->last >= idle))
			worker_close(q, w, true);
		else if (!is_idle && q->now - w->last >= RESULT_TIME)
			worker_close(q, w, true);
	}
	forget_idle(q);
}

void
local_stop(struct manager *q)
{
	struct worker *w;

	TAILQ_FOREACH(w, &q->workers, link)
		w->is_leaving = true;
}

int
local_measure(struct manager *q, const struct destination *m, uint64_t size,
    uint64_t tag)
{
	struct sched_dest *d = sched_dest(&q->sched, RCPT_MAILBOX, m->domain,
	    strlen(m->domain), true);
	struct local *l = d != NULL ? local_of(d) : NULL;
	unsigned char space[512];
	struct worker *w = NULL;
	struct packer k;

	if (l == NULL)
		return -1;
	TAILQ_FOREACH(w, &l->workers, of_domain)
		if (!w->is_leaving)
			break;
	if (w == NULL) {
		if (q->now < d->not_before ||
		    (q->n_workers >= q->conf.workers_max && !make_place(q)))
			return -1;
		w = worker_start(q, d, (uint32_t)m->uid);
	}
	if (w == NULL)
		return -1;
	pack_init(&k, space, sizeof(space));
	pack_u64(&k, tag);
	pack_bytes(&k, slice_of(m->folder));
	pack_u64(&k, m->quota_bytes);
	pack_u64(&k, m->quota_messages);
	pack_u64(&k, size);
	if (ipc_send(w->watch.fd, L_MEASURE, &k, NULL, 0) == -1)
		return -1;
	/* Who owes an answer is not given more time by another question. */
	if (w->running == 0 && w->measures == 0)
		w->last = q->now;
	w->measures++;
	return 0;
}
