/* life.c - one message from its acceptance to its end. */
/* SPDX-License-Identifier: ISC */
/*
 * A message waits in the index, with its file; when something is due it is
 * read and becomes active: its recipients are jobs of the scheduler. When none
 * of them waits or runs any more it is settled: told of, ended, or parked
 * until the next attempt.
 *
 * Order: what a worker has reported is written to the file in the same turn;
 * a file is removed only when every recipient is final and whoever wanted to
 * know has been told by a message that is durable.
 */
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/log.h"
#include "queue/remote.h"
#include "lib/proto_remote.h"
#include "queue/retry.h"
#include "queue/told.h"

#define TROUBLE_DELAY 60000	/* ms until a file that cannot be read is tried */
#define WHERE_MAX 700
#define NOTICE_DELAY 60		/* s until a notice is asked for again */
#define RUN 128u		/* states written at a time */

char *
recipient_text(const struct recipient *r, char *out, size_t cap)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	memcpy(a.local, r->local.p, r->local.len);
	memcpy(a.domain, r->domain.p, r->domain.len);
	return addr_text(&a, out, cap);
}

int64_t
life_age(const struct manager *q, const struct message *m)
{
	return message_age(m->arrival, q->wall, q->now / 1000 - m->born);
}

int64_t
life_time(const struct manager *q, const struct message *m)
{
	const uint64_t of_lane[] = {
		[LANE_PERSONAL] = 0,
		[LANE_TRANSACTIONAL] = q->conf.lifetime_transactional,
		[LANE_LIST] = q->conf.lifetime_lists,
		[LANE_BULK] = q->conf.lifetime_bulk
	};
	uint64_t t = m->lane < INDEX_LANES ? of_lane[m->lane] : 0;

	return (int64_t)(t > 0 ? t : q->conf.queue_lifetime);
}

void
life_touch(struct manager *q, struct active *a)
{
	if (a->is_touched)
		return;
	a->is_touched = true;
	TAILQ_INSERT_TAIL(&q->touched, a, touched);
}

void
life_dirty(struct active *a, uint32_t n)
{
	/* Without memory for the bits all between the ends is written. */
	if (!a->is_dirty && a->dirty == NULL)
		a->dirty = calloc((a->e->n_recipients + 63) / 64,
		    sizeof(*a->dirty));
	if (a->dirty != NULL)
		a->dirty[n / 64] |= UINT64_C(1) << n % 64;
	if (!a->is_dirty || n < a->dirty_from)
		a->dirty_from = n;
	if (!a->is_dirty || n + 1 > a->dirty_to)
		a->dirty_to = n + 1;
	a->is_dirty = true;
}

static bool
is_dirty(const struct active *a, uint32_t n)
{
	return a->dirty == NULL || (a->dirty[n / 64] >> n % 64 & 1) != 0;
}

static uint32_t
number_of(const struct active *a, const struct recipient *r)
{
	return (uint32_t)(r - a->e->recipients);
}

void
life_free_active(struct manager *q, struct active *a)
{
	if (a == NULL)
		return;
	if (a->is_touched)
		TAILQ_REMOVE(&q->touched, a, touched);
	if (a->is_beginning)
		TAILQ_REMOVE(&q->beginning, a, beginning);
	if (a->m->active == a) {
		a->m->active = NULL;
		q->n_active[a->m->lane]--;
		q->active_recipients -= a->e->n_recipients;
	}
	str_free(&a->replies);
	free(a->dirty);
	envelope_free(a->e);
	free(a);
}

/* The earliest attempt that a recipient waits for, on the wall clock. */
static int64_t
first_due(const struct manager *q, const struct active *a)
{
	int64_t due = INT64_MAX;

	for (uint32_t i = 0; i < a->e->n_recipients; i++) {
		const struct recipient_state *s = &a->e->recipients[i].state;

		if (s->status == RCPT_WAITING && s->due < due)
			due = s->due;
	}
	/* Nobody waits, but somebody is still to be told. */
	return due == INT64_MAX ? q->wall + NOTICE_DELAY : due;
}

static void
encode_state(const struct manager *q, const struct active *a,
    unsigned char out[MESSAGE_STATE_LEN])
{
	const struct message *m = a->m;
	struct message_state s = {
		.held = m->is_held,
		.owes_notice = m->is_held && m->owes_notice,
		/* While somebody has it, or is to be told, it is due. */
		.due = a->outstanding > 0 || notice_is_due(q, a) ? q->wall :
		    first_due(q, a),
		.boottime = q->now / 1000,
		.kills = m->kills,
		.reason = a->reason
	};

	s.lived = q->now / 1000 > m->born ?
	    (uint64_t)(q->now / 1000 - m->born) : 0;
	memcpy(s.boot_id, q->boot_id, BOOT_ID_LEN);
	message_state_encode(&s, out);
}

/* The states of recipients from to to - 1, at most RUN of them. */
static int
write_run(const struct active *a, int fd, uint32_t from, uint32_t to)
{
	unsigned char bytes[RUN * RECIPIENT_STATE_LEN];

	for (uint32_t i = from; i < to; i++)
		recipient_state_encode(&a->e->recipients[i].state,
		    bytes + (size_t)(i - from) * RECIPIENT_STATE_LEN);
	return fsx_pwrite_all(fd, bytes,
	    (size_t)(to - from) * RECIPIENT_STATE_LEN,
	    (off_t)recipient_offset(from));
}

/* Only what changed: a turn touches some recipients of a huge mailing, here
 * and there. */
static int
write_states(const struct manager *q, const struct active *a, int fd)
{
	unsigned char state[MESSAGE_STATE_LEN];
	uint32_t i = a->dirty_from;

	encode_state(q, a, state);
	if (fsx_pwrite_all(fd, state, sizeof(state), HEADER_LEN) == -1)
		return -1;
	while (a->is_dirty && i < a->dirty_to) {
		uint32_t from = i;

		if (a->dirty != NULL && a->dirty[i / 64] == 0) {
			i = (i / 64 + 1) * 64;
			continue;
		}
		while (i < a->dirty_to && i - from < RUN && is_dirty(a, i))
			i++;
		if (i > from && write_run(a, fd, from, i) == -1)
			return -1;
		if (i == from)
			i++;
	}
	return 0;
}

static void
forget_dirty(struct active *a)
{
	if (a->is_dirty && a->dirty != NULL)
		memset(&a->dirty[a->dirty_from / 64], 0,
		    (size_t)((a->dirty_to + 63) / 64 - a->dirty_from / 64) *
		    sizeof(*a->dirty));
	a->is_dirty = false;
}

/* Replies first: a state must not point to what is not there. A full disk has no
 * room for them, but for the states: nobody gets twice what he has. */
static void
write_replies(struct active *a, int fd)
{
	if (fsx_pwrite_all(fd, a->replies.p, a->replies.len,
	    (off_t)a->tail) == 0)
		return;
	log_error(a->m->id, "error", "what=reply error=%s",
	    LOGS(strerror(errno)));
	for (uint32_t i = a->dirty_from; a->is_dirty && i < a->dirty_to; i++)
		if (a->e->recipients[i].state.reply >= a->tail)
			a->e->recipients[i].state.reply = 0;
	if (a->reason >= a->tail)
		a->reason = 0;
	str_clear(&a->replies);
}

void
life_save(struct manager *q, struct active *a)
{
	int fd = store_file(&q->store, a->m->id, O_RDWR);

	if (fd != -1)
		write_replies(a, fd);
	if (fd == -1 || write_states(q, a, fd) == -1)
		log_error(a->m->id, "error", "what=state error=%s",
		    LOGS(strerror(errno)));
	if (fd != -1)
		close(fd);
	a->tail += a->replies.len;
	str_clear(&a->replies);
	forget_dirty(a);
}

void
life_end(struct manager *q, struct message *m)
{
	if (m->active != NULL)
		told_leaves(q, m->active);
	if (store_remove(&q->store, m->id) == -1 && errno != ENOENT)
		log_error(m->id, "error", "what=remove error=%s",
		    LOGS(strerror(errno)));
	log_info(m->id, "done", "age=%jd", (intmax_t)life_age(q, m));
	life_free_active(q, m->active);
	index_remove(&q->index, m);
}

/* Out of the way, for a person to look at. */
static void
set_aside(struct manager *q, struct message *m, const char *why)
{
	log_error(m->id, "corrupt", "folder=queue/corrupt why=%s", LOGS(why));
	if (store_move(&q->store, m->id, q->store.corrupt) == -1)
		log_error(m->id, "error", "what=move error=%s",
		    LOGS(strerror(errno)));
	index_remove(&q->index, m);
}

/* Reads a message's file into a. 0, or -1 with errno (EBADMSG: damaged). */
static int
read_active(struct active *a, int fd, bool verify)
{
	enum header_verdict verdict;
	struct store_head head;

	if (store_read_head(fd, &head, &verdict) == -1)
		return -1;
	if (verdict != HEADER_OK) {
		errno = EBADMSG;
		return -1;
	}
	a->h = head.header;
	a->tail = head.size;
	a->reason = head.state.held ? head.state.reason : 0;
	if ((a->e = store_read_envelope(fd, &a->h)) == NULL)
		return -1;
	if (!verify || a->m->is_verified)
		return 0;
	if (store_verify(fd, &a->h) == -1)
		return -1;
	a->m->is_verified = true;
	return 0;
}

struct active *
life_open(struct manager *q, struct message *m, bool verify)
{
	struct active *a = calloc(1, sizeof(*a));
	int fd = -1, r = -1;

	if (a != NULL) {
		a->m = m;
		a->replies = STR_INIT(ENVELOPE_MAX);
		fd = store_file(&q->store, m->id, O_RDONLY);
		if (fd != -1)
			r = read_active(a, fd, verify);
	}
	if (r == -1) {
		int error = errno;

		if (a != NULL)
			envelope_free(a->e);
		free(a);
		a = NULL;
		if (error == EBADMSG)
			set_aside(q, m, "a checksum is wrong");
		else {
			log_error(m->id, "error", "what=read error=%s",
			    LOGS(strerror(error)));
			if (!m->is_held)
				index_schedule(&q->index, m,
				    q->now + TROUBLE_DELAY);
		}
	}
	if (fd != -1)
		close(fd);
	return a;
}

static void
keep_reply(struct active *a, struct recipient *r, const struct reply *reply)
{
	struct reply copy = *reply;
	size_t at = a->replies.len;

	copy.recipient = number_of(a, r);
	reply_encode(&a->replies, &copy);
	if (str_ok(&a->replies))
		r->state.reply = a->tail + at;
}

/* Which server has said it, for the log; "" when none has. */
static const char *
where_text(const struct reply *reply, char out[WHERE_MAX])
{
	const struct remote_reply *said = reply->said;

	out[0] = '\0';
	if (said != NULL && said->host[0] != '\0')
		snprintf(out, WHERE_MAX, " host=%s ip=%s", LOGS(said->host),
		    LOGS(said->ip));
	return out;
}

static void
deferred(struct manager *q, struct active *a, struct recipient *r,
    const struct reply *reply)
{
	struct recipient_state *s = &r->state;
	int64_t age = life_age(q, a->m);
	int64_t left = life_time(q, a->m) - age;
	int64_t next = (int64_t)retry_delay(q->conf.retry_first,
	    q->conf.retry_max, s->attempts, arc4random());
	char to[ADDR_TEXT_MAX], where[WHERE_MAX];

	if (reply->retry_max > 0 && next > reply->retry_max)
		next = reply->retry_max;
	if (next < reply->retry_min)
		next = reply->retry_min;

	keep_reply(a, r, reply);
	recipient_text(r, to, sizeof(to));
	if (left <= 0) {
		s->status = RCPT_FAILED;
		envelope_failed(a->e, number_of(a, r));
		q->failed++;
		log_info(a->m->id, "failed", "to=%s dsn=4.4.7%s text=%s",
		    LOGS(to), where_text(reply, where), LOGS(reply->text));
		return;
	}
	/* The last attempt is when the time is over. */
	s->due = q->wall + (next < left ? next : left);
	q->deferred++;
	log_info(a->m->id, "deferred", "to=%s next=%jd dsn=%s%s text=%s",
	    LOGS(to), (intmax_t)(s->due - q->wall), reply->enhanced,
	    where_text(reply, where), LOGS(reply->text));
}

/* Another server has taken it. */
static void
sent(struct manager *q, struct active *a, struct recipient *r,
    const struct reply *reply)
{
	char to[ADDR_TEXT_MAX];
	const struct remote_reply *said = reply->said;

	log_info(a->m->id, "sent", "to=%s host=%s ip=%s tls=%s reply=%s "
	    "delay=%jd", LOGS(recipient_text(r, to, sizeof(to))),
	    LOGS(said->host), LOGS(said->ip), LOGS(said->tls),
	    LOGS(said->text), (intmax_t)life_age(q, a->m));
}

static void
delivered(struct manager *q, struct active *a, struct recipient *r,
    const struct reply *reply)
{
	char to[ADDR_TEXT_MAX];
	const struct slice *o = &a->e->originals[r->original].address;

	/* RFC 3461 5.2.1, 5.2.7.2: the next server will tell of it, not we. */
	r->state.status = reply->is_dsn_passed &&
	    !job_is_ours_to_tell(a->e, number_of(a, r)) ?
	    RCPT_DELIVERED_TOLD : RCPT_DELIVERED;
	q->delivered++;
	if (reply->said != NULL) {
		/* RFC 3461 6.3 (h), (i): the notice says who has taken it. */
		if (r->state.status == RCPT_DELIVERED &&
		    (r->wants & QN_SUCCESS) != 0)
			keep_reply(a, r, reply);
		sent(q, a, r, reply);
		return;
	}
	log_info(a->m->id, "delivered", "to=%s mailbox=%s delay=%jd",
	    LOGQ(*o), LOGS(recipient_text(r, to, sizeof(to))),
	    (intmax_t)life_age(q, a->m));
}

static void
failed(struct manager *q, struct active *a, struct recipient *r,
    const struct reply *reply)
{
	char to[ADDR_TEXT_MAX], where[WHERE_MAX];

	keep_reply(a, r, reply);
	r->state.status = RCPT_FAILED;
	envelope_failed(a->e, number_of(a, r));
	q->failed++;
	log_info(a->m->id, "failed", "to=%s dsn=%s%s text=%s",
	    LOGS(recipient_text(r, to, sizeof(to))), reply->enhanced,
	    where_text(reply, where), LOGS(reply->text));
}

void
life_result(struct manager *q, struct recipient *r, const struct reply *reply)
{
	struct active *a = r->active;

	r->is_running = false;
	a->outstanding--;
	life_dirty(a, number_of(a, r));
	life_touch(q, a);
	if (!reply->is_no_attempt && r->state.attempts < UINT16_MAX)
		r->state.attempts++;
	r->state.last = q->wall;
	switch (reply->result) {
	case QUEUE_OK:
		delivered(q, a, r, reply);
		break;
	case QUEUE_TEMPORARY:
		deferred(q, a, r, reply);
		break;
	case QUEUE_PERMANENT:
		failed(q, a, r, reply);
		break;
	}
}

void
life_back(struct manager *q, struct recipient *r, int64_t delay)
{
	struct active *a = r->active;

	r->is_running = false;
	a->outstanding--;
	if (a->retry_at == 0 || q->now + delay < a->retry_at)
		a->retry_at = q->now + delay;
	life_touch(q, a);
}

void
reply_say(struct reply *r, const char *text)
{
	const char *space = strchr(text, ' ');

	snprintf(r->enhanced, sizeof(r->enhanced), "%.*s",
	    space != NULL ? (int)(space - text) : 0, text);
	snprintf(r->text, sizeof(r->text), "%s",
	    space != NULL ? space + 1 : text);
}

/* An answer that we give ourselves, without anybody having been asked. */
void
life_answer(struct manager *q, struct active *a, struct recipient *r,
    enum queue_result result, const char *text)
{
	struct reply reply = { .when = q->wall, .result = result };

	reply_say(&reply, text);
	a->outstanding++;
	life_result(q, r, &reply);
}

int
life_schedule(struct manager *q, struct active *a, struct recipient *r,
    uint8_t kind, struct slice key)
{
	struct sched_dest *d = sched_dest(&q->sched, kind, key.p, key.len,
	    true);

	if (d == NULL ||
	    sched_add(&q->sched, d, a->m->lane, a, &r->job) == -1) {
		life_answer(q, a, r, QUEUE_TEMPORARY,
		    "4.3.0 There is no memory for it at the moment");
		return -1;
	}
	a->outstanding++;
	return 0;
}

void
life_again(struct manager *q, struct recipient *r)
{
	struct active *a = r->active;

	r->is_running = false;
	a->outstanding--;
	if (!a->is_doomed && !a->m->is_held && !q->is_stopping)
		remote_begin(q, a, r);
	life_touch(q, a);
}

void
life_postpone(struct manager *q, struct recipient *r, int64_t seconds)
{
	r->state.due = q->wall + seconds;
	life_touch(q, r->active);
}

/* Out of memory again, until something is due. */
static void
park(struct manager *q, struct active *a)
{
	struct message *m = a->m;
	int64_t due = q->now + (first_due(q, a) - q->wall) * 1000;

	if (a->retry_at != 0 && a->retry_at < due)
		due = a->retry_at;
	/* Due before it could be written: no loop without a breath. */
	if (due < q->now + 1000)
		due = q->now + 1000;
	if (m->is_retry)
		due = q->now;
	if (a->is_dirty || a->replies.len > 0)
		life_save(q, a);
	life_free_active(q, a);
	if (!m->is_held)
		index_schedule(&q->index, m, due);
}

static void
settle(struct manager *q, struct active *a)
{
	if (a->is_doomed) {
		if (a->outstanding == 0 && a->notice == NULL)
			life_end(q, a->m);
		return;
	}
	if (a->outstanding > 0 || a->notice != NULL || a->is_beginning) {
		if (a->is_dirty)
			life_save(q, a);
		return;
	}
	/* Of what is held nobody is told before it is released. */
	if (notice_is_due(q, a)) {
		life_save(q, a);
		if (!a->m->is_held && !q->is_stopping &&
		    !a->is_backing_off && notice_begin(q, a))
			return;
	} else if (!envelope_has_waiting(a->e)) {
		life_end(q, a->m);
		return;
	}
	park(q, a);
}

void
life_settle(struct manager *q)
{
	struct active *a;

	while ((a = TAILQ_FIRST(&q->touched)) != NULL) {
		TAILQ_REMOVE(&q->touched, a, touched);
		a->is_touched = false;
		settle(q, a);
	}
}
