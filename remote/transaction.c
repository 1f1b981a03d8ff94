/* transaction.c - messages over one SMTP session, pipelined. */
/* SPDX-License-Identifier: ISC */
/*
 * With PIPELINING (RFC 2920) a message costs two round trips, and in a row of
 * messages one each: the content of one and MAIL, RCPT, DATA of the next leave
 * together. Content with bytes above 127 goes by BDAT where that is offered.
 * Every recipient of a transaction that was begun gets exactly one result,
 * whatever the other side does; one that was not begun gets none.
 */

#include "remote/transaction.h"

#include <errno.h>

/* RFC 5321 4.5.3.2, in seconds. */
#define TIME_MAIL 300
#define TIME_RCPT 300
#define TIME_DATA 120
#define TIME_END 600

#define RCPT_MAX_DEFAULT 100	/* RFC 5321 4.5.3.1.8 */

bool
transaction_next(const struct carrier *c, struct work *w,
    struct transaction *out)
{
	uint64_t max = c->session.ext.rcpt_max;

	if (w->next == w->n)
		return false;
	if (max == 0 || max > RCPT_MAX_DEFAULT)
		max = RCPT_MAX_DEFAULT;
	if (w->job.verp)
		max = 1;
	memset(out, 0, sizeof(*out));
	out->work = w;
	out->first = w->next;
	out->n = w->n - w->next < max ? w->n - w->next : (size_t)max;
	w->next += out->n;
	return true;
}

static const struct remote_recipient *
recipient(const struct transaction *t, size_t i)
{
	return &t->work->recipients[t->first + i];
}

static void
give_result(struct carrier *c, struct transaction *t, size_t i,
    const struct remote_reply *reply)
{
	t->has_result[i] = true;
	c->result(c->arg, t->work, recipient(t, i), reply);
}

/* Everybody who has none yet. */
static void
result_for_rest(struct carrier *c, struct transaction *t,
    const struct remote_reply *reply)
{
	for (size_t i = 0; i < t->n; i++)
		if (!t->has_result[i])
			give_result(c, t, i, reply);
}

static bool
is_ascii(const char *s)
{
	while (*s != '\0')
		if ((unsigned char)*s++ > 127)
			return false;
	return true;
}

/* Clients often ask for SMTPUTF8 where nothing needs it. */
static bool
needs_utf8(const struct transaction *t)
{
	if ((t->work->job.flags & QM_UTF8) == 0)
		return false;
	for (size_t i = 0; i < t->n; i++)
		if (!is_ascii(recipient(t, i)->address))
			return true;
	return t->work->has_high_header || !is_ascii(t->work->job.sender);
}

bool
transaction_is_hopeless(struct carrier *c, struct transaction *t)
{
	const struct extensions *e = &c->session.ext;
	const struct session *s = &c->session;
	struct work *w = t->work;
	struct remote_reply r;

	if (!w->is_measured && work_measure(w, e->chunking) == -1)
		session_says(s, QUEUE_TEMPORARY, CAUSE_LOST, "4.3.0", &r,
		    "the message cannot be read from our own queue");
	else if (w->comes_back)
		session_says(s, QUEUE_PERMANENT, CAUSE_UNSUPPORTED, "5.4.6",
		    &r, "%s forwards the message, and it has come back from "
		    "there: it goes round in circles", w->job.forwarder);
	else if (needs_utf8(t) && !e->utf8)
		session_says(s, QUEUE_PERMANENT, CAUSE_UNSUPPORTED, "5.6.7",
		    &r, "%s takes no addresses or headers in Unicode "
		    "(SMTPUTF8)", s->how.host);
	else if ((w->job.flags & QM_REQUIRETLS) != 0 &&
	    (!e->requiretls || !s->tls_verified))
		session_says(s, QUEUE_PERMANENT, CAUSE_UNSUPPORTED, "5.7.30",
		    &r, "%s cannot promise the protection that the sender "
		    "requires (REQUIRETLS)", s->how.host);
	else if (e->size_max != 0 && w->size > e->size_max)
		session_says(s, QUEUE_PERMANENT, CAUSE_UNSUPPORTED, "5.3.4",
		    &r, "%s takes messages of at most %ju bytes, and this one "
		    "has %ju", s->how.host, (uintmax_t)e->size_max,
		    (uintmax_t)w->size);
	else
		return false;
	result_for_rest(c, t, &r);
	return true;
}

/* The local part of an address that ends at at, without its quotes. */
static struct slice
inner_local(const char *address, const char *at)
{
	size_t len = (size_t)(at - address);

	if (len >= 2 && address[0] == '"')
		return slice_make(address + 1, len - 2);
	return slice_make(address, len);
}

/* The envelope sender; with VERP the recipient is inside: a bounce then says
 * by its address whom it is about. */
static void
put_sender(struct str *s, const struct transaction *t)
{
	const char *sender = t->work->job.sender;
	const char *to = recipient(t, 0)->address;
	const char *at = strrchr(sender, '@'), *to_at = strrchr(to, '@');
	const char *quote;

	if (!t->work->job.verp || at == NULL || to_at == NULL) {
		str_puts(s, sender);
		return;
	}
	quote = *sender == '"' || *to == '"' || to_at[1] == '[' ? "\"" : "";
	str_puts(s, quote);
	str_put(s, inner_local(sender, at));
	str_putc(s, '+');
	str_put(s, inner_local(to, to_at));
	str_printf(s, "=%s%s%s", to_at + 1, quote, at);
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
		str_printf(s, " SIZE=%ju", (uintmax_t)t->work->size);
	/* Where it is not offered the bytes go as they are: to recode them
	 * would break their signatures, and everybody takes them. */
	if (e->eightbit && t->work->has_high)
		str_puts(s, " BODY=8BITMIME");
	if (needs_utf8(t))
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
	struct str s = STR_INIT(512 * 1024);

	if (!c->session.ext.pipelining)
		return;
	/* A long one goes out in pieces, and the last reply may be long ago. */
	session_allow(&c->session, TIME_MAIL);
	if (c->wants_reset)
		str_puts(&s, "RSET\r\n");
	put_mail(&s, c, t);
	for (size_t i = 0; i < t->n; i++)
		put_rcpt(&s, c, recipient(t, i));
	if (!t->work->is_raw)
		str_puts(&s, "DATA\r\n");
	if (str_ok(&s))
		stream_put(&c->session.stream, str_slice(&s));
	else
		c->session.stream.error = ENOMEM;
	str_free(&s);
}

/* Without PIPELINING each command waits for its turn: MAIL is 0, RCPT 1 to
 * n, DATA n + 1. */
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

/*
 * The reply to a command inside a transaction. 0, or -1 with *why when the
 * connection is of no more use: it is gone, the server says that it goes (421,
 * RFC 5321 3.8), or it answers what nobody has asked (3yz where none can be).
 */
static int
read_reply(struct carrier *c, const char *what, unsigned seconds,
    struct reply_parser *r, struct remote_reply *why)
{
	if (session_reply(&c->session, what, seconds, r, why) == -1)
		return -1;
	if (r->code == 421) {
		session_told(&c->session, r, CAUSE_REPLY, why);
		return -1;
	}
	if (r->code / 100 == 3 && r->code != 354) {
		session_says(&c->session, QUEUE_TEMPORARY, CAUSE_LOST, "4.5.0",
		    why, "%s %s: the reply %u does not belong there",
		    c->session.how.host, what, r->code);
		return -1;
	}
	return 0;
}

/* The same where 354 cannot be either. */
static int
read_verdict(struct carrier *c, const char *what, unsigned seconds,
    struct reply_parser *r, struct remote_reply *why)
{
	if (read_reply(c, what, seconds, r, why) == -1)
		return -1;
	if (r->code != 354)
		return 0;
	session_says(&c->session, QUEUE_TEMPORARY, CAUSE_LOST, "4.5.0", why,
	    "%s %s: the reply 354 does not belong there",
	    c->session.how.host, what);
	return -1;
}

static int
reset(struct carrier *c, struct remote_reply *why)
{
	struct reply_parser r;

	if (!c->wants_reset)
		return 0;
	if (!c->session.ext.pipelining)
		stream_put(&c->session.stream, SLICE("RSET\r\n"));
	if (read_verdict(c, "after RSET", TIME_MAIL, &r, why) == -1)
		return -1;
	c->wants_reset = false;
	return 0;
}

/* 0 with *is_begun (false: MAIL was refused, all have their results), or -1. */
static int
read_mail(struct carrier *c, struct transaction *t, bool *is_begun,
    struct remote_reply *why)
{
	struct remote_reply told;
	struct reply_parser r;

	say(c, t, 0);
	if (read_verdict(c, "after MAIL", TIME_MAIL, &r, why) == -1) {
		if (!c->has_served)
			result_for_rest(c, t, why);
		return -1;
	}
	*is_begun = r.code / 100 == 2;
	if (!*is_begun) {
		session_told(&c->session, &r, CAUSE_REPLY, &told);
		result_for_rest(c, t, &told);
	}
	return 0;
}

/*
 * RFC 5321 4.5.3.1.10: more recipients than the server takes at a time are no
 * failure; those that it has not taken go by the next transaction, and from now
 * on no more go than it did take. 452 has other meanings, and some say 552.
 */
static bool
is_too_many(const struct transaction *t, const struct reply_parser *r)
{
	return (r->code == 452 || r->code == 552) && t->accepted > 0 &&
	    (strcmp(r->enhanced + 1, ".5.3") == 0 ||
	    strcasestr(r->text, "too many recipients") != NULL);
}

/* Says a recipient once more, behind all others. False: no memory. */
static bool
say_again(struct carrier *c, struct transaction *t, size_t i)
{
	struct work *w = t->work;
	struct remote_recipient *v = reallocarray(w->recipients, w->n + 1,
	    sizeof(*v));
	uint64_t *max = &c->session.ext.rcpt_max;

	if (v == NULL)
		return false;
	w->recipients = v;
	v[w->n++] = v[t->first + i];
	t->has_result[i] = true;
	if (*max == 0 || *max > t->accepted)
		*max = t->accepted;
	return true;
}

static int
read_rcpt(struct carrier *c, struct transaction *t, size_t i,
    struct remote_reply *why)
{
	struct remote_reply told;
	struct reply_parser r;

	say(c, t, i + 1);
	if (read_verdict(c, "after RCPT", TIME_RCPT, &r, why) == -1)
		return -1;
	if (t->has_result[i])	/* MAIL was refused */
		return 0;
	if (r.code / 100 == 2) {
		t->accepted++;
		return 0;
	}
	if (is_too_many(t, &r) && say_again(c, t, i))
		return 0;
	session_told(&c->session, &r, CAUSE_REPLY, &told);
	/* RFC 5321 4.5.3.1.10: said of too many recipients, it is a 452. */
	if (r.code == 552 && t->accepted > 0)
		told.result = QUEUE_TEMPORARY;
	give_result(c, t, i, &told);
	return 0;
}

/* Nobody is left to send it to, but the server waits for the content. */
static int
send_nothing(struct carrier *c, struct remote_reply *why)
{
	struct reply_parser r;

	stream_put(&c->session.stream, SLICE(".\r\n"));
	return read_verdict(c, "after an empty message", TIME_END, &r, why);
}

/* DATA up to 354. 0: the content may come; 1: no; -1: lost. */
static int
read_data(struct carrier *c, struct transaction *t, struct remote_reply *why)
{
	struct remote_reply told;
	struct reply_parser r;

	say(c, t, t->n + 1);
	if (read_reply(c, "after DATA", TIME_DATA, &r, why) == -1)
		return -1;
	if (r.code == 354)
		return t->accepted > 0 ? 0 :
		    send_nothing(c, why) == -1 ? -1 : 1;
	session_told(&c->session, &r, CAUSE_REPLY, &told);
	if (told.result == QUEUE_OK) {
		session_says(&c->session, QUEUE_TEMPORARY, CAUSE_LOST, "4.5.0",
		    why, "%s after DATA: the reply %u does not belong there",
		    c->session.how.host, r.code);
		return -1;
	}
	result_for_rest(c, t, &told);
	c->wants_reset = true;
	return 1;
}

/* RCPTs and DATA. 0: the content may come; 1: no; -1: lost. */
static int
read_recipients(struct carrier *c, struct transaction *t,
    struct remote_reply *why)
{
	for (size_t i = 0; i < t->n; i++)
		if (read_rcpt(c, t, i, why) == -1)
			return -1;
	if (t->accepted == 0 &&
	    (!c->session.ext.pipelining || t->work->is_raw)) {
		c->wants_reset = true;
		return 1;
	}
	return t->work->is_raw ? 0 : read_data(c, t, why);
}

int
transaction_envelope(struct carrier *c, struct transaction *t,
    struct remote_reply *why)
{
	bool is_begun;
	int r;

	if (reset(c, why) == -1 || read_mail(c, t, &is_begun, why) == -1)
		return -1;
	c->has_served = true;
	if (!is_begun && !c->session.ext.pipelining)
		return 1;
	if ((r = read_recipients(c, t, why)) == -1)
		result_for_rest(c, t, why);
	return r;
}

int
transaction_content(struct carrier *c, struct transaction *t,
    struct transaction *after, struct remote_reply *why)
{
	if (work_send(t->work, &c->session.stream) == -1) {
		session_says(&c->session, QUEUE_TEMPORARY, CAUSE_LOST, "4.3.0",
		    why, "the message cannot be read from our own queue");
		result_for_rest(c, t, why);
		return -1;
	}
	/* What a refused BDAT leaves behind differs from server to server. */
	c->wants_reset = t->work->is_raw;
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

	if (read_verdict(c, "after the message", TIME_END, &r, why) == -1) {
		result_for_rest(c, t, why);
		return -1;
	}
	session_told(&c->session, &r, CAUSE_REPLY, &told);
	result_for_rest(c, t, &told);
	return 0;
}
