/* submit.c - receives messages: from Q_MAIL to the answer after the sync. */
/* SPDX-License-Identifier: ISC */
/*
 * Order: content goes to the file as it comes; the header with the mark is
 * written last; then the sync thread makes file and name durable; only then
 * Q_DONE says OK. Whatever fails before that removes the file.
 * Limits: one message open per connection, conf.recipients_max, message_max.
 */
#include "queue/queue.h"

#include <sys/statvfs.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/date.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "queue/answer.h"
#include "queue/hold.h"
#include "queue/registry.h"
#include "queue/submission.h"
#include "queue/told.h"

#define FREE_CHECK 1000		/* ms between looks at the free space */
/* What we add to a message that is as big as it may be: Received; Date,
 * Message-ID and From of a submission. */
#define OWN_HEADER_MAX 4096

void
submission_refuse(struct submission *s, enum queue_result result,
    const char *enhanced, const char *fmt, ...)
{
	va_list ap;

	if (s->result != QUEUE_OK)
		return;
	s->result = result;
	snprintf(s->enhanced, sizeof(s->enhanced), "%s", enhanced);
	va_start(ap, fmt);
	vsnprintf(s->text, sizeof(s->text), fmt, ap);
	va_end(ap);
}

void
submission_refuse_errno(struct submission *s, const char *what, int error)
{
	log_error(s->id[0] != '\0' ? s->id : NULL, "error",
	    "what=%s error=%s", what, LOGS(strerror(error)));
	if (error == ENOSPC || error == EDQUOT)
		submission_refuse(s, QUEUE_TEMPORARY, "4.3.1",
		    "The disk is full here: try again later");
	else
		submission_refuse(s, QUEUE_TEMPORARY, "4.3.0",
		    "The message cannot be stored now: try again later");
}

void
submission_answer(struct manager *q, struct conn *c, enum queue_result result,
    const char *id, const char *enhanced, const char *text)
{
	unsigned char space[QUEUE_TEXT_MAX + 256];
	struct packer k;

	if ((c->roles & PEER_ANSWER) != 0) {
		answer_submitted(q, c, result, id);
		return;
	}
	if ((c->roles & PEER_HOLD) != 0) {
		hold_submitted(q, c, result, id);
		return;
	}
	pack_init(&k, space, sizeof(space));
	pack_u8(&k, (uint8_t)result);
	pack_bytes(&k, slice_of(id));
	pack_bytes(&k, slice_of(enhanced));
	pack_bytes(&k, slice_of(text));
	peer_answer(q, c, Q_DONE, &k);
	if ((c->roles & PEER_REGISTRY) != 0)
		registry_submitted(q, c, result);
}

bool
submit_is_open(const struct conn *c)
{
	return c->submission != NULL && c->submission->is_open;
}

/* Ends the message begun, if there is one; its file goes away. */
static void
abandon(struct manager *q, struct submission *s)
{
	if (s->fd != -1) {
		close(s->fd);
		(void)store_remove(&q->store, s->id);
		s->fd = -1;
	}
	s->is_open = false;
	s->id[0] = '\0';
}

void
submit_forget(struct manager *q, struct conn *c)
{
	struct submission *s = c->submission;

	if (s == NULL)
		return;
	abandon(q, s);
	draft_free(&s->draft);
	str_free(&s->left_out);
	free(s);
	c->submission = NULL;
}

static struct submission *
submission_get(struct conn *c)
{
	struct submission *s = c->submission;

	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return NULL;
		s->fd = -1;
		draft_init(&s->draft);
		s->left_out = STR_INIT(LEFT_OUT_MAX);
		c->submission = s;
	}
	return s;
}

static bool
disk_is_full(struct manager *q, uint64_t size)
{
	struct statvfs v;

	if (q->now - q->free_checked >= FREE_CHECK) {
		q->free_checked = q->now;
		if (fstatvfs(q->store.dirfd, &v) == 0)
			q->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
	}
	return q->disk_free < q->conf.queue_free_min ||
	    q->disk_free - q->conf.queue_free_min < size;
}

/* True for the sessions of malle-smtpd, and what we make ourselves: they know
 * who their client is. */
static bool
is_session(const struct conn *c, const struct queue_mail *m)
{
	return (c->roles & PEER_NET) != 0 && (m->trace[0] != '\0' ||
	    (m->flags & QM_NO_TRACE) != 0);
}

/* A session knows whether its client has logged in or may relay; everybody else
 * who can talk to us is on this machine. */
static void
note_sender(struct submission *s, const struct conn *c)
{
	struct queue_mail *m = &s->mail;

	s->is_trusted = !is_session(c, m) || (m->flags & QM_TRUSTED) != 0;
	m->flags &= ~QM_TRUSTED;
	/* What is no address is on no list of senders. */
	memset(&s->from, 0, sizeof(s->from));
	if (m->sender[0] != '\0' &&
	    addr_parse(slice_of(m->sender), &s->from) != ADDR_OK)
		snprintf(s->from.local, sizeof(s->from.local), "?");
}

/* What a local user says of himself does not count. */
static void
distrust(const struct conn *c, struct queue_mail *m)
{
	if ((c->roles & (PEER_BOUNCE | PEER_ANSWER | PEER_HOLD |
	    PEER_REGISTRY)) != 0) {
		m->lane = LANE_TRANSACTIONAL;
		return;
	}
	if (is_session(c, m))
		return;
	m->flags &= ~QM_NO_TRACE;
	if (m->lane == LANE_TRANSACTIONAL)
		m->lane = LANE_PERSONAL;
	snprintf(m->account, sizeof(m->account), "uid %u", (unsigned)c->uid);
	snprintf(m->client, sizeof(m->client), "local");
	snprintf(m->trace, sizeof(m->trace), "(by uid %u)",
	    (unsigned)c->uid);
	snprintf(m->protocol, sizeof(m->protocol), "local");
}

static void
put_records(struct submission *s, const struct conn *c)
{
	struct str *r = &s->draft.records;
	const struct queue_mail *m = &s->mail;

	record_text(r, RECORD_SENDER, slice_of(m->sender));
	if (m->envid[0] != '\0')
		record_text(r, RECORD_ENVID, slice_of(m->envid));
	if (m->account[0] != '\0')
		record_text(r, RECORD_ACCOUNT, slice_of(m->account));
	if (m->client[0] != '\0')
		record_text(r, RECORD_CLIENT, slice_of(m->client));
	if (m->session[0] != '\0')
		record_text(r, RECORD_SESSION, slice_of(m->session));
	if (c->notice != NULL) {
		record_text(r, RECORD_ABOUT, slice_of(notice_about(c)));
		told_records(c, r);
	}
	if ((c->roles & PEER_ANSWER) != 0)
		record_text(r, RECORD_ABOUT, slice_of(answer_about(c)));
	if ((c->roles & PEER_HOLD) != 0)
		record_text(r, RECORD_ABOUT, slice_of(hold_about(c)));
}

int
submit_mail(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	struct submission *s = submission_get(c);

	if (s == NULL)
		return -1;
	abandon(q, s);
	if (queue_mail_unpack(&m->body, &s->mail) == -1 ||
	    !notice_may_begin(c, s->mail.sender))
		return -1;
	draft_clear(&s->draft);
	s->is_open = true;
	s->result = QUEUE_OK;
	s->first[0] = '\0';
	str_clear(&s->left_out);
	s->reason = 0;
	memset(&s->hops, 0, sizeof(s->hops));
	memset(&s->h, 0, sizeof(s->h));
	note_sender(s, c);
	distrust(c, &s->mail);
	put_records(s, c);
	if (q->is_stopping)
		submission_refuse(s, QUEUE_TEMPORARY, "4.3.2",
		    "The service is being stopped: try again in a moment");
	if (s->mail.size > q->conf.message_max)
		submission_refuse(s, QUEUE_PERMANENT, "5.3.4",
		    "The message is too big: at most %ju bytes are taken here",
		    (uintmax_t)q->conf.message_max);
	if (s->result == QUEUE_OK && disk_is_full(q, s->mail.size)) {
		log_error(NULL, "full", "free=%ju min=%ju",
		    (uintmax_t)q->disk_free, (uintmax_t)q->conf.queue_free_min);
		submission_refuse(s, QUEUE_TEMPORARY, "4.3.1",
		    "The disk is full here: try again later");
	}
	/* Once a turn is often enough: what came together sees the same. */
	if (q->tables_seen != q->turns && tables_refresh(&q->tables) == -1)
		log_error(NULL, "error", "what=tables error=%s",
		    LOGS(strerror(errno)));
	q->tables_seen = q->turns;
	if (s->result == QUEUE_OK &&
	    !sending_allowed(q, c, &s->mail, &s->sending))
		submission_refuse(s, QUEUE_TEMPORARY, "4.7.1", "%s",
		    s->sending.text);
	return 0;
}

/* The clocks of who has logged in: his mail is stamped where he is at home. */
static int
clock_of(struct manager *q, const struct submission *s)
{
	struct addr a = { .domain = "" };

	if (s->mail.account[0] != '\0')
		(void)!addr_parse(slice_of(s->mail.account), &a);
	return manager_east(q, a.domain);
}

/* Received (RFC 5321 4.4), as one field with folded lines. */
static void
put_received(struct manager *q, struct submission *s, struct str *out)
{
	char date[DATE_MAX];

	if ((s->mail.flags & QM_NO_TRACE) != 0)
		return;
	str_printf(out, "Received: %s\n\tby %s (Malleposte) with %s id %s",
	    s->mail.trace, q->conf.hostname,
	    s->mail.protocol[0] != '\0' ? s->mail.protocol : "SMTP", s->id);
	if (s->draft.n_originals == 1)
		str_printf(out, "\n\tfor <%s>", s->first);
	str_printf(out, ";\n\t%s\n", date_rfc5322_at(q->wall,
	    clock_of(q, s), date));
}

/* The envelope is complete: what can be refused is refused, the header filled
 * in as far as it is known. */
static void
freeze(struct manager *q, struct submission *s, const struct conn *c)
{
	struct draft *d = &s->draft;
	struct header *h = &s->h;

	if (s->result == QUEUE_OK && d->n_originals == 0)
		submission_refuse(s, QUEUE_PERMANENT, "5.5.1",
		    "There is no recipient");
	/* A notice that reaches nobody must be told of like any other. */
	if (s->result == QUEUE_OK && d->n_refused == d->n &&
	    (c->roles & PEER_BOUNCE) == 0)
		s->result = QUEUE_PERMANENT;
	if (s->result == QUEUE_OK && draft_end(d) == -1)
		submission_refuse_errno(s, "recipient", errno);
	if (s->result != QUEUE_OK)
		return;
	h->flags = s->mail.flags;
	h->lane = s->mail.lane;
	h->notice = notice_flags(c);
	h->recipients = d->n;
	h->originals = d->n_originals;
	h->envelope_offset = recipient_offset(d->n);
	h->envelope_length = (uint32_t)d->records.len;
	h->envelope_crc = crc_add(0, d->records.p, d->records.len);
	h->content_offset = h->envelope_offset + h->envelope_length;
	h->arrival = q->wall;
	h->arrival_boot = q->now / 1000;
	memcpy(h->boot_id, q->boot_id, BOOT_ID_LEN);
	id_make(s->id);
	if ((s->fd = store_create(&q->store, s->id)) == -1)
		submission_refuse_errno(s, "create", errno);
}

/* Counts and checks the next piece of content. False: refused. */
static bool
take_content(struct manager *q, struct submission *s, struct slice piece)
{
	if (s->h.content_length + piece.len >
	    q->conf.message_max + OWN_HEADER_MAX) {
		submission_refuse(s, QUEUE_PERMANENT, "5.3.4",
		    "The message is too big: at most %ju bytes are taken here",
		    (uintmax_t)q->conf.message_max);
		return false;
	}
	s->h.content_crc = crc_add(s->h.content_crc, piece.p, piece.len);
	s->h.content_length += piece.len;
	if (!s->hops.is_over)
		hops_feed(&s->hops, piece);
	if (s->hops.count > HOPS_MAX) {
		submission_refuse(s, QUEUE_PERMANENT, "5.4.6",
		    "The message has passed through too many servers: "
		    "it goes round in circles");
		return false;
	}
	return true;
}

/* All of the vectors at offset, over short writes. */
static int
write_all(int fd, struct iovec *iov, int n, uint64_t offset)
{
	while (n > 0) {
		ssize_t done = pwritev(fd, iov, n, (off_t)offset);

		if (done == -1 && errno == EINTR)
			continue;
		if (done == -1)
			return -1;
		offset += (uint64_t)done;
		while (n > 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static struct iovec
vector(struct slice s)
{
	return (struct iovec){ (void *)(uintptr_t)s.p, s.len };
}

int
submit_data(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	struct submission *s = c->submission;
	struct slice piece = unpack_rest(&m->body);
	struct str received = STR_INIT(8192);
	struct iovec iov[2];
	uint64_t at;

	if (!submit_is_open(c))
		return -1;
	if (s->fd == -1 && s->result == QUEUE_OK) {
		freeze(q, s, c);
		if (s->result == QUEUE_OK)
			put_received(q, s, &received);
	}
	if (s->result != QUEUE_OK)
		goto out;
	at = s->h.content_offset + s->h.content_length;
	iov[0] = vector(str_slice(&received));
	iov[1] = vector(piece);
	s->h.content_crc = crc_add(s->h.content_crc, received.p,
	    received.len);
	s->h.content_length += received.len;
	if (take_content(q, s, piece) &&
	    write_all(s->fd, iov, 2, at) == -1)
		submission_refuse_errno(s, "write", errno);
out:
	str_free(&received);
	return 0;
}

/* Header and states in front of the envelope, as one piece. */
static int
put_head(struct manager *q, struct submission *s, struct str *out)
{
	struct message_state state = { .held = s->sending.is_held,
	    .owes_notice = s->sending.is_first_held,
	    .due = q->wall + s->sending.delay, .boottime = q->now / 1000 };
	size_t len = (size_t)s->h.envelope_offset;
	uint64_t tail = s->h.content_offset + s->h.content_length;
	char *p = str_room(out, len);

	if (p == NULL)
		return -1;
	memcpy(state.boot_id, q->boot_id, BOOT_ID_LEN);
	if (s->reason > 0)
		state.reason = tail + s->reason - 1;
	s->h.complete = true;
	header_encode(&s->h, (unsigned char *)p);
	message_state_encode(&state, (unsigned char *)p + HEADER_LEN);
	draft_states(&s->draft, tail, state.due, (unsigned char *)p + HEAD_LEN);
	out->len += len;
	return 0;
}

/*
 * Writes what is not in the file yet. A message that came in one piece: states,
 * envelope, Received, content, replies in one write; of another the content is
 * there already. The header with the mark comes last, by itself: who is killed
 * inside a write has written some of its pages.
 */
static int
write_file(struct manager *q, struct submission *s, struct slice last,
    bool is_whole)
{
	static struct str head, received;	/* kept: no malloc a message */
	struct slice records = str_slice(&s->draft.records);
	struct slice replies = str_slice(&s->draft.replies);
	uint64_t at = s->h.content_offset + s->h.content_length;
	struct iovec iov[5];

	head.max = ENVELOPE_MAX;
	received.max = 8192;
	str_clear(&head);
	str_clear(&received);
	if (is_whole) {
		put_received(q, s, &received);
		s->h.content_crc = crc_add(0, received.p, received.len);
		s->h.content_length = received.len;
	}
	if (!take_content(q, s, last))
		return 0;
	if (put_head(q, s, &head) == -1 || !str_ok(&received))
		return -1;
	iov[0] = vector(slice_skip(str_slice(&head), HEADER_LEN));
	iov[1] = vector(records);
	iov[2] = vector(str_slice(&received));
	iov[3] = vector(last);
	iov[4] = vector(replies);
	if (!is_whole && write_all(s->fd, iov + 3, 2, at) == -1)
		return -1;
	if (write_all(s->fd, iov, is_whole ? 5 : 2, HEADER_LEN) == -1)
		return -1;
	return fsx_pwrite_all(s->fd, head.p, HEADER_LEN, 0);
}

/* What its sender has sent by now: it may have to wait, or not come in. */
static void
count(struct manager *q, const struct conn *c, struct submission *s)
{
	struct reply why = { .recipient = REPLY_OF_MESSAGE, .when = q->wall,
	    .result = QUEUE_TEMPORARY };

	if (!sending_take(q, c, &s->mail, s->draft.n_originals,
	    &s->sending)) {
		submission_refuse(s, QUEUE_TEMPORARY, "4.7.1", "%s",
		    s->sending.text);
		return;
	}
	if (!s->sending.is_held)
		return;
	s->reason = s->draft.replies.len + 1;
	snprintf(why.text, sizeof(why.text), "%s", s->sending.reason);
	reply_encode(&s->draft.replies, &why);
}

int
submit_commit(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	struct submission *s = c->submission;
	struct slice last = unpack_rest(&m->body);
	bool is_whole;

	if (!submit_is_open(c))
		return -1;
	is_whole = s->fd == -1;
	if (is_whole && s->result == QUEUE_OK)
		freeze(q, s, c);
	if (s->result == QUEUE_OK)
		count(q, c, s);
	if (s->result == QUEUE_OK &&
	    write_file(q, s, last, is_whole) == -1)
		submission_refuse_errno(s, "write", errno);
	if (s->result == QUEUE_OK && submission_commit(q, c, s) == -1)
		submission_refuse_errno(s, "commit", ENOMEM);
	if (s->result != QUEUE_OK) {
		log_info(NULL, "refused", "session=%s from=%s dsn=%s text=%s",
		    LOGS(s->mail.session), LOGS(s->mail.sender), s->enhanced,
		    LOGS(s->text));
		submission_answer(q, c, s->result, "", s->enhanced, s->text);
	}
	/* An answer that could not be given has closed the connection. */
	if (c->submission != NULL)
		abandon(q, c->submission);
	return 0;
}

int
submit_reset(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	if (!unpack_end(&m->body))
		return -1;
	if (c->submission != NULL)
		abandon(q, c->submission);
	return 0;
}
