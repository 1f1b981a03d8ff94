/* transaction.c - messages over one SMTP session, pipelined. */
/* SPDX-License-Identifier: ISC */
/*
 * With PIPELINING (RFC 2920) a message costs two round trips, and in a row of
 * messages one each: the content of one and MAIL, RCPT, DATA of the next leave
 * together. Nobody is sent twice: a recipient whose transaction may have been
 * accepted gets a temporary result, one that was not begun gets none.
 */

#include "remote/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/wire.h"

/* RFC 5321 4.5.3.2, in seconds. */
#define TIME_MAIL 300
#define TIME_RCPT 300
#define TIME_DATA 120
#define TIME_BLOCK 180
#define TIME_END 600

#define PIECE 16384
#define RCPT_MAX_DEFAULT 100	/* RFC 5321 4.5.3.1.8 */

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	if (w->fd != -1)
		close(w->fd);
	str_free(&w->content);
	free(w->recipients);
	free(w);
}

bool
transaction_next(const struct carrier *c, struct work *w,
    struct transaction *out)
{
	uint64_t max = c->session.ext.rcpt_max;

	if (w->next == w->job.n)
		return false;
	if (max == 0 || max > RCPT_MAX_DEFAULT)
		max = RCPT_MAX_DEFAULT;
	if (w->job.verp)
		max = 1;
	memset(out, 0, sizeof(*out));
	out->work = w;
	out->first = w->next;
	out->n = w->job.n - w->next < max ? w->job.n - w->next : (size_t)max;
	w->next += out->n;
	return true;
}

static const struct remote_recipient *
recipient(const struct transaction *t, size_t i)
{
	return &t->work->recipients[t->first + i];
}

static void
result_for_all(struct carrier *c, struct transaction *t,
    const struct remote_reply *reply, bool only_accepted)
{
	for (size_t i = 0; i < t->n; i++)
		if (!only_accepted || t->is_accepted[i])
			c->result(c->arg, t->work, recipient(t, i), reply);
}

bool
transaction_is_hopeless(struct carrier *c, struct transaction *t)
{
	const struct extensions *e = &c->session.ext;
	const struct remote_job *j = &t->work->job;
	struct remote_reply r;

	if ((j->flags & QM_UTF8) != 0 && !e->utf8)
		session_says(&c->session, QUEUE_PERMANENT, CAUSE_UNSUPPORTED,
		    "5.6.7", &r, "%s takes no addresses in Unicode (SMTPUTF8)",
		    c->session.how.host);
	else if ((j->flags & QM_REQUIRETLS) != 0 &&
	    (!e->requiretls || !c->session.tls_verified))
		session_says(&c->session, QUEUE_PERMANENT, CAUSE_UNSUPPORTED,
		    "5.7.30", &r, "%s cannot promise the protection that the "
		    "sender requires (REQUIRETLS)", c->session.how.host);
	else if (e->size_max != 0 && j->length > e->size_max)
		session_says(&c->session, QUEUE_PERMANENT, CAUSE_UNSUPPORTED,
		    "5.3.4", &r, "%s takes messages of at most %ju bytes, and "
		    "this one has %ju", c->session.how.host,
		    (uintmax_t)e->size_max, (uintmax_t)j->length);
	else
		return false;
	result_for_all(c, t, &r, false);
	return true;
}

/* The envelope sender; with VERP the recipient is inside: a bounce then says
 * by its address whom it is about. */
static void
put_sender(struct str *s, const struct transaction *t)
{
	const char *sender = t->work->job.sender;
	const char *to = recipient(t, 0)->address;
	const char *at = strrchr(sender, '@'), *to_at = strrchr(to, '@');

	if (!t->work->job.verp || at == NULL || to_at == NULL) {
		str_puts(s, sender);
		return;
	}
	str_printf(s, "%.*s+%.*s=%s%s", (int)(at - sender), sender,
	    (int)(to_at - to), to, to_at + 1, at);
}

/* RFC 3461 section 4: the queue keeps ENVID and ORCPT decoded. */
static void
put_xtext(struct str *s, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';
	    p++) {
		if (*p < '!' || *p > '~' || *p == '+' || *p == '=')
			str_printf(s, "+%02X", *p);
		else
			str_putc(s, (char)*p);
	}
}

/* "type;address": only the address is encoded. */
static void
put_orcpt(struct str *s, const char *orcpt)
{
	const char *semicolon = strchr(orcpt, ';');

	if (semicolon == NULL)
		return;
	str_printf(s, " ORCPT=%.*s;", (int)(semicolon - orcpt), orcpt);
	put_xtext(s, semicolon + 1);
}

static void
put_notify(struct str *s, uint8_t notify)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = {
		{ QN_NEVER, "NEVER" }, { QN_SUCCESS, "SUCCESS" },
		{ QN_FAILURE, "FAILURE" }, { QN_DELAY, "DELAY" }
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((notify & words[i].bit) != 0) {
			str_printf(s, "%s%s", before, words[i].word);
			before = ",";
		}
	}
}

static void
put_mail(struct str *s, const struct carrier *c, const struct transaction *t)
{
	const struct extensions *e = &c->session.ext;
	const struct remote_job *j = &t->work->job;

	str_puts(s, "MAIL FROM:<");
	put_sender(s, t);
	str_puts(s, ">");
	if (e->size)
		str_printf(s, " SIZE=%ju", (uintmax_t)j->length);
	if (e->eightbit && (j->flags & (QM_8BIT | QM_UTF8)) != 0)
		str_puts(s, " BODY=8BITMIME");
	if ((j->flags & QM_UTF8) != 0)
		str_puts(s, " SMTPUTF8");
	if ((j->flags & QM_REQUIRETLS) != 0)
		str_puts(s, " REQUIRETLS");
	if (e->dsn && (j->flags & QM_RET_FULL) != 0)
		str_puts(s, " RET=FULL");
	if (e->dsn && (j->flags & QM_RET_HDRS) != 0)
		str_puts(s, " RET=HDRS");
	if (e->dsn && j->envid[0] != '\0') {
		str_puts(s, " ENVID=");
		put_xtext(s, j->envid);
	}
	str_puts(s, "\r\n");
}

static void
put_rcpt(struct str *s, const struct carrier *c,
    const struct remote_recipient *r)
{
	str_printf(s, "RCPT TO:<%s>", r->address);
	if (c->session.ext.dsn) {
		put_notify(s, r->notify);
		put_orcpt(s, r->orcpt);
	}
	str_puts(s, "\r\n");
}

void
transaction_begin(struct carrier *c, struct transaction *t)
{
	struct str s = STR_INIT(256 * 1024);

	if (!c->session.ext.pipelining)
		return;
	if (c->wants_reset)
		str_puts(&s, "RSET\r\n");
	put_mail(&s, c, t);
	for (size_t i = 0; i < t->n; i++)
		put_rcpt(&s, c, recipient(t, i));
	str_puts(&s, "DATA\r\n");
	if (str_ok(&s))
		stream_put(&c->session.stream, str_slice(&s));
	else
		c->session.stream.error = ENOMEM;
	str_free(&s);
}

/* Without PIPELINING each command waits for its turn. */
static void
say(struct carrier *c, const struct transaction *t, size_t what)
{
	struct str s = STR_INIT(8192);

	if (c->session.ext.pipelining)
		return;
	if (what == 0)
		put_mail(&s, c, t);
	else if (what <= t->n)
		put_rcpt(&s, c, recipient(t, what - 1));
	else
		str_puts(&s, "DATA\r\n");
	if (!str_ok(&s))
		c->session.stream.error = ENOMEM;
	stream_put(&c->session.stream, str_slice(&s));
	str_free(&s);
}

static int
reset(struct carrier *c, struct remote_reply *why)
{
	struct reply_parser r;

	if (!c->wants_reset)
		return 0;
	if (!c->session.ext.pipelining)
		stream_put(&c->session.stream, SLICE("RSET\r\n"));
	if (session_reply(&c->session, "after RSET", TIME_MAIL, &r, why) == -1)
		return -1;
	c->wants_reset = false;
	return 0;
}

/* MAIL and every RCPT are answered. 0, or -1 with *why. */
static int
read_envelope(struct carrier *c, struct transaction *t,
    struct remote_reply *why)
{
	struct remote_reply told;
	struct reply_parser r;

	say(c, t, 0);
	if (session_reply(&c->session, "after MAIL", TIME_MAIL, &r, why) == -1)
		return -1;
	t->mail_answered = true;
	t->mail_code = r.code;
	if (r.code / 100 != 2) {
		session_told(&c->session, &r, CAUSE_REPLY, &told);
		result_for_all(c, t, &told, false);
		if (!c->session.ext.pipelining)
			return 0;
	}
	for (size_t i = 0; i < t->n; i++) {
		say(c, t, i + 1);
		if (session_reply(&c->session, "after RCPT", TIME_RCPT, &r,
		    why) == -1)
			return -1;
		if (t->mail_code / 100 != 2)
			continue;
		t->is_accepted[i] = r.code / 100 == 2;
		t->accepted += t->is_accepted[i];
		if (!t->is_accepted[i]) {
			session_told(&c->session, &r, CAUSE_REPLY, &told);
			c->result(c->arg, t->work, recipient(t, i), &told);
		}
	}
	return 0;
}

/* Renders a piece of the file into out (WIRE_ROOM(PIECE)). Its length, or -1. */
static ssize_t
render_piece(struct work *w, struct wire *wire, uint64_t offset, char *out)
{
	uint64_t left = w->job.length - offset;
	size_t n = left < PIECE ? (size_t)left : PIECE;
	char in[PIECE];

	if (fsx_pread_all(w->fd, in, n, (off_t)(w->job.offset + offset)) == -1)
		return -1;
	return (ssize_t)wire_feed(wire, slice_make(in, n), out);
}

/* All of a content that is short enough, once for all its recipients. */
static int
render(struct work *w)
{
	char out[WIRE_ROOM(PIECE)];
	struct wire wire = WIRE_INIT;

	w->content = STR_INIT(2 * CONTENT_KEPT + WIRE_END_ROOM);
	for (uint64_t at = 0; at < w->job.length; at += PIECE) {
		ssize_t n = render_piece(w, &wire, at, out);

		if (n == -1)
			return -1;
		str_put(&w->content, slice_make(out, (size_t)n));
	}
	str_put(&w->content, slice_make(out, wire_end(&wire, out)));
	w->is_rendered = str_ok(&w->content);
	return w->is_rendered ? 0 : -1;
}

static int
stream_content(struct carrier *c, struct work *w)
{
	char out[WIRE_ROOM(PIECE)];
	struct wire wire = WIRE_INIT;

	for (uint64_t at = 0; at < w->job.length; at += PIECE) {
		ssize_t n = render_piece(w, &wire, at, out);

		if (n == -1)
			return -1;
		/* One block may take so long, not all of the message. */
		stream_allow(&c->session.stream, TIME_BLOCK);
		stream_put(&c->session.stream, slice_make(out, (size_t)n));
		if (c->session.stream.error != 0)
			return 0;	/* the reply to come tells of it */
	}
	stream_put(&c->session.stream,
	    slice_make(out, wire_end(&wire, out)));
	return 0;
}

/* The content with its final dot. -1: our own file cannot be read; what went
 * out is no whole message, so the connection must be broken. */
static int
send_content(struct carrier *c, struct work *w)
{
	stream_allow(&c->session.stream, TIME_BLOCK);
	if (w->job.length > CONTENT_KEPT)
		return stream_content(c, w);
	if (!w->is_rendered && render(w) == -1)
		return -1;
	stream_put(&c->session.stream, str_slice(&w->content));
	return 0;
}

/* The connection is gone and some of t may or may not have been taken. */
static int
lost(struct carrier *c, struct transaction *t, const struct remote_reply *why,
    bool only_accepted)
{
	if (t->mail_answered && t->mail_code / 100 == 2)
		result_for_all(c, t, why, only_accepted);
	return -1;
}

/* Those that had their answer to RCPT keep it; nobody has the message. */
static int
lost_in_envelope(struct carrier *c, struct transaction *t,
    const struct remote_reply *why)
{
	return lost(c, t, why, false);
}

/* Everybody was refused, but the server wants the content: an empty one. */
static int
send_nothing(struct carrier *c, struct remote_reply *why)
{
	struct reply_parser r;

	stream_put(&c->session.stream, SLICE(".\r\n"));
	return session_reply(&c->session, "after an empty message", TIME_END,
	    &r, why);
}

int
transaction_send(struct carrier *c, struct transaction *t,
    struct transaction *after, struct remote_reply *why)
{
	struct reply_parser r;
	struct remote_reply told;

	if (reset(c, why) == -1)
		return -1;
	if (read_envelope(c, t, why) == -1)
		return lost_in_envelope(c, t, why);
	if (!c->session.ext.pipelining && t->accepted == 0) {
		c->wants_reset = true;
		return 1;
	}
	say(c, t, t->n + 1);
	if (session_reply(&c->session, "after DATA", TIME_DATA, &r, why) == -1)
		return lost(c, t, why, true);
	if (r.code != 354) {
		session_told(&c->session, &r, CAUSE_REPLY, &told);
		if (told.result == QUEUE_OK)
			told.result = QUEUE_TEMPORARY;
		result_for_all(c, t, &told, true);
		c->wants_reset = true;
		return 1;
	}
	if (t->accepted == 0)
		return send_nothing(c, why) == -1 ? -1 : 1;
	if (send_content(c, t->work) == -1) {
		session_says(&c->session, QUEUE_TEMPORARY, CAUSE_LOST, "4.3.0",
		    why, "the message cannot be read from our own queue");
		return lost(c, t, why, true);
	}
	if (after != NULL)
		transaction_begin(c, after);
	return 0;
}

int
transaction_finish(struct carrier *c, struct transaction *t,
    struct remote_reply *why)
{
	struct remote_reply told;
	struct reply_parser r;

	if (session_reply(&c->session, "after the message", TIME_END, &r,
	    why) == -1)
		return lost(c, t, why, true);
	session_told(&c->session, &r, CAUSE_REPLY, &told);
	result_for_all(c, t, &told, true);
	return 0;
}
