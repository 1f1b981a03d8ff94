/* transaction.c - MAIL and RCPT: who sends, who receives, and may they? */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/route.h"
#include "lib/srs.h"
#include "smtpd/session.h"

/*
 * Trusts: the tables as far as their decoders check them; the queue as far as
 * proto_queue does.
 * Limits: recipients_max recipients, whose text is bounded; past that each RCPT
 * is answered 452, and after TOO_MANY_MAX of those the session ends.
 */

#define TOO_MANY_MAX 10000
#define TABLES_AGE 100		/* ms that a look at the tables holds */
#define RECIPIENT_MAX (ADDR_TEXT_MAX + QUEUE_ORCPT_MAX + 4)

void
transaction_clear(struct session *s)
{
	struct transaction *t = &s->transaction;

	content_free(s);
	str_free(&t->recipients);
	memset(t, 0, sizeof(*t));
	t->recipients = (struct str)STR_INIT(
	    s->conf->recipients_max * RECIPIENT_MAX);
}

int
transaction_queue(struct session *s)
{
	if (s->queue != -1)
		return 0;
	if ((s->queue = queue_connect(QUEUE_SOCKET)) == -1) {
		log_error(NULL, "queue", "session=%s text=%s", s->id,
		    LOGS("malle-queued does not answer on " QUEUE_SOCKET));
		return -1;
	}
	return 0;
}

void
transaction_drop_queue(struct session *s)
{
	if (s->queue != -1)
		close(s->queue);
	s->queue = -1;
}

/* Whether a sender of a domain of ours is who he says. */
static bool
is_trusted(const struct session *s)
{
	return session_has_login(s) || s->may_relay;
}

static void
fill_mail(const struct session *s, struct queue_mail *m)
{
	const struct mail_params *from = &s->transaction.mail;
	struct addr account = { .local = "" };

	memset(m, 0, sizeof(*m));
	m->lane = LANE_PERSONAL;
	m->flags = from->flags | (is_trusted(s) ? QM_TRUSTED : 0);
	m->size = from->size;
	addr_text(&from->sender, m->sender, sizeof(m->sender));
	memcpy(m->envid, from->envid, sizeof(m->envid));
	if (session_has_login(s)) {
		memcpy(account.local, s->account_local, sizeof(account.local));
		memcpy(account.domain, s->account_domain,
		    sizeof(account.domain));
		addr_text(&account, m->account, sizeof(m->account));
	} else if (s->may_relay)
		memcpy(m->account, s->relay, sizeof(m->account));
	memcpy(m->client, s->client, sizeof(m->client));
	memcpy(m->session, s->id, sizeof(m->session));
	trace_clause(s, m->trace);
	trace_protocol(s, m->protocol);
}

/*
 * Recipients are kept as they are sent: address NUL, one byte of notify,
 * orcpt NUL.
 */
static int
send_recipients(const struct session *s)
{
	struct slice rest = str_slice(&s->transaction.recipients);

	while (rest.len > 0) {
		struct slice address = slice_cut(&rest, '\0'), orcpt;
		unsigned notify = (unsigned char)rest.p[0];

		rest = slice_skip(rest, 1);
		orcpt = slice_cut(&rest, '\0');
		if (queue_rcpt(s->queue, address.p, notify, orcpt) == -1)
			return -1;
	}
	return 0;
}

int
transaction_begin(struct session *s)
{
	struct queue_mail m;

	fill_mail(s, &m);
	/* A connection kept from the message before may have died with the
	 * malle-queued of then: only a fresh one that fails is final. */
	for (int fresh = s->queue == -1; ; fresh = 1) {
		if (transaction_queue(s) == -1)
			return -1;
		if (queue_mail(s->queue, &m) == 0 && send_recipients(s) == 0)
			return 0;
		transaction_drop_queue(s);
		if (fresh)
			return -1;
	}
}

void
transaction_access(struct session *s)
{
	struct access_record access;
	char text[IP_TEXT_MAX];
	struct ip net = s->ip;
	unsigned bits;

	/* A table that cannot be read gives no right. */
	s->may_relay = !session_is_submission(s) &&
	    tables_access(s->tables, &s->ip, &access) == 1 &&
	    access.may_relay;
	if (!s->may_relay)
		return;
	ip_mask(&net, access.bits);
	bits = ip_is_v4(&net) ? access.bits - 96 : access.bits;
	snprintf(s->relay, sizeof(s->relay), "relay %s/%u%s%.*s",
	    ip_text(&net, text), bits, access.owner.len > 0 ? " " : "",
	    SLICE_FMT(access.owner));
}

static void
refresh_tables(struct session *s)
{
	int64_t now = clock_ms();

	if (now - s->tables_fresh < TABLES_AGE)
		return;
	s->tables_fresh = now;
	if (tables_refresh(s->tables) == -1)
		log_error(NULL, "tables", "session=%s text=%s", s->id,
		    LOGS("cannot look at the tables again: the old ones hold"));
	/* A permission may have ended since. */
	transaction_access(s);
}

int
mail_check(void *session, struct slice arg)
{
	struct session *s = session;

	return (int)params_mail(arg, &s->arg.mail);
}

/* True when who has logged in may use this sender; else it has been refused. */
static bool
account_allowed(struct session *s, const struct addr *sender)
{
	char text[ADDR_TEXT_MAX];

	/* The null sender is for the receipts that mail programs send
	 * (RFC 8098 2.1); who has sent them is known all the same. */
	switch (route_may_send_as(s->tables, s->account_local,
	    s->account_domain, sender)) {
	case ROUTE_OK:
		return true;
	case ROUTE_TEMPORARY:
		refuse(s, "mail", "", "451 4.3.0", "the addresses of your "
		    "account cannot be looked up now, try again later");
		return false;
	case ROUTE_NOT_ALLOWED:
		refuse(s, "mail", "", "553 5.7.1",
		    "%s is not an address of the account %s@%s",
		    addr_text(sender, text, sizeof(text)), s->account_local,
		    s->account_domain);
		return false;
	case ROUTE_NOT_OURS:
	case ROUTE_UNKNOWN:
	case ROUTE_DISABLED:
	case ROUTE_SUSPENDED:
	case ROUTE_LOOP:
	case ROUTE_TOO_MANY:
		break;
	}
	/* It was deleted, disabled or suspended after its login. */
	refuse(s, "mail", "", "550 5.7.1",
	    "the account %s@%s may no longer send mail", s->account_local,
	    s->account_domain);
	return false;
}

/* True when a submitter may use this sender; else it has been refused. */
static bool
sender_allowed(struct session *s, const struct addr *sender)
{
	if (!session_is_submission(s))
		return true;
	if (!session_has_login(s)) {
		refuse(s, "mail", "", "530 5.7.0", "%s",
		    session_may_auth(s) ? "log in first: AUTH" :
		    "STARTTLS first, then log in: AUTH");
		return false;
	}
	return account_allowed(s, sender);
}

static bool
mail_allowed(struct session *s, const struct mail_params *m)
{
	if (!sender_allowed(s, &m->sender))
		return false;
	if ((m->flags & QM_VERP) != 0 && !session_has_login(s) &&
	    !s->may_relay) {
		refuse(s, "mail", "", "555 5.5.4",
		    "XVERP is for those who may send through this server");
		return false;
	}
	if ((m->flags & QM_REQUIRETLS) != 0 && !s->has_tls) {
		refuse(s, "mail", "", "530 5.7.10",
		    "REQUIRETLS needs TLS from the start: STARTTLS first");
		return false;
	}
	if (m->size > s->conf->message_max) {
		refuse(s, "mail", "", "552 5.3.4",
		    "the message is too big: at most %llu bytes",
		    (unsigned long long)s->conf->message_max);
		return false;
	}
	return true;
}

void
mail_act(void *session)
{
	struct session *s = session;

	if (s->messages >= s->conf->messages_per_session) {
		refuse(s, "mail", "", "421 4.7.0",
		    "%s enough messages for one session: connect again",
		    s->conf->hostname);
		session_close(s, "messages");
		return;
	}
	refresh_tables(s);
	transaction_clear(s);
	s->transaction.mail = s->arg.mail;
	if (!mail_allowed(s, &s->transaction.mail)) {
		transaction_clear(s);
		return;
	}
	s->state = ST_MAIL;
	reply(s, "250 2.1.0", "sender accepted");
}

int
rcpt_check(void *session, struct slice arg)
{
	struct session *s = session;

	return (int)params_rcpt(arg,
	    (s->transaction.mail.flags & QM_UTF8) != 0, &s->arg.rcpt);
}

static void
refuse_recipient(struct session *s, const char *code, const char *text,
    const char *to)
{
	uint64_t errors = s->errors;

	refuse(s, "rcpt", to, code, "%s", text);
	/* Letters to many people have some dead addresses among them; names
	 * tried out have little else. */
	if (++s->transaction.refused <= s->transaction.count)
		s->errors = errors;
}

/* Asks the queue, twice when the connection was an old one. 0, or -1. */
static int
check_room(struct session *s, const char *mailbox, struct queue_answer *out)
{
	for (int fresh = s->queue == -1; ; fresh = 1) {
		if (transaction_queue(s) == -1)
			return -1;
		if (queue_check(s->queue, mailbox, s->transaction.mail.size,
		    out) == 0)
			return 0;
		transaction_drop_queue(s);
		if (fresh)
			return -1;
	}
}

/* True when the mailbox has room; else the recipient has been refused. */
static bool
has_room(struct session *s, const struct destination *d, const char *to)
{
	struct queue_answer answer;
	char mailbox[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 80];

	if (d->quota_bytes == 0 && d->quota_messages == 0)
		return true;
	(void)snprintf(mailbox, sizeof(mailbox), "%s@%s", d->local, d->domain);
	if (check_room(s, mailbox, &answer) == -1) {
		refuse_recipient(s, "451 4.3.0",
		    "the queue does not answer, try again later", to);
		return false;
	}
	if (answer.result == QUEUE_OK)
		return true;
	/* Room can be made in a mailbox, but no more than its quota (RFC 3463
	 * 3.3). */
	if (d->quota_bytes > 0 && s->transaction.mail.size > d->quota_bytes) {
		(void)snprintf(text, sizeof(text), "the message is bigger than "
		    "the mailbox %s may ever be", to);
		refuse_recipient(s, "552 5.2.3", text, to);
	} else {
		(void)snprintf(text, sizeof(text), "the mailbox %s is full: "
		    "its owner must make room, try again later", to);
		refuse_recipient(s, "452 4.2.2", text, to);
	}
	return false;
}

/* True when this recipient may get mail from this client; else refused. */
static bool
recipient_allowed(struct session *s, struct addr *rcpt, const char *to)
{
	const struct route_sender sender = {
		.from = &s->transaction.mail.sender, .is_trusted = is_trusted(s)
	};
	struct destination mailbox;
	char text[QUEUE_TEXT_MAX];
	bool is_mailbox = false;
	enum route_verdict v;
	char code[12];

	v = route_accept(s->tables, rcpt, s->conf->default_domain, &sender,
	    &mailbox, &is_mailbox);
	if (v == ROUTE_OK)
		return !is_mailbox || has_room(s, &mailbox, to);
	/* A sender that we have rewritten; malle-queued knows whether it is. */
	if (v == ROUTE_UNKNOWN && srs_is(rcpt->local))
		return true;
	if (v == ROUTE_NOT_OURS && is_trusted(s))
		return true;
	/* The text begins with the enhanced code. */
	(void)snprintf(code, sizeof(code), "%d",
	    route_reply(v, to, text, sizeof(text)));
	refuse_recipient(s, code, text, to);
	return false;
}

static void
too_many_recipients(struct session *s, const char *to)
{
	static const char text[] =
	    "too many recipients: at most %llu for one message";
	unsigned long long max = s->conf->recipients_max;

	/* RFC 5321 4.5.3.1.10: the rest goes into another transaction. One
	 * line in the log is enough. */
	if (s->transaction.too_many++ == 0)
		refuse(s, "rcpt", to, "452 4.5.3", text, max);
	else
		reply(s, "452 4.5.3", text, max);
	if (s->transaction.too_many > TOO_MANY_MAX) {
		reply(s, "421 4.7.0", "%s far too many recipients",
		    s->conf->hostname);
		session_close(s, "recipients");
	}
}

static void
keep_recipient(struct session *s, const char *to)
{
	struct str *list = &s->transaction.recipients;
	const struct rcpt_params *r = &s->arg.rcpt;

	str_put(list, slice_make(to, strlen(to) + 1));
	str_putc(list, (char)r->notify);
	str_put(list, slice_make(r->orcpt, strlen(r->orcpt) + 1));
}

/*
 * RFC 5321 4.5.1: <postmaster> alone is taken by every server. It is the one of
 * the configuration, else that of the domain that our name belongs to.
 */
static void
complete_postmaster(struct session *s, struct addr *rcpt)
{
	const struct conf *c = s->conf;
	struct slice name = slice_of(c->hostname);
	struct domain_record d;
	struct addr a;

	if (c->default_domain[0] != '\0') {
		memcpy(rcpt->domain, c->default_domain, sizeof(rcpt->domain));
		return;
	}
	if (addr_parse(slice_of(c->postmaster), &a) == ADDR_OK) {
		*rcpt = a;
		return;
	}
	for (; name.p != NULL; slice_cut(&name, '.')) {
		/* The rest of a string is one, too. */
		if (tables_domain(s->tables, name.p, &d) != 1)
			continue;
		memcpy(rcpt->domain, name.p, name.len + 1);
		return;
	}
}

void
rcpt_act(void *session)
{
	struct session *s = session;
	struct transaction *t = &s->transaction;
	struct addr *rcpt = &s->arg.rcpt.recipient;
	char to[ADDR_TEXT_MAX];

	if (rcpt->domain[0] == '\0')
		complete_postmaster(s, rcpt);
	addr_text(rcpt, to, sizeof(to));
	if (t->count >= s->conf->recipients_max) {
		too_many_recipients(s, to);
		return;
	}
	if (!recipient_allowed(s, rcpt, to))
		return;
	keep_recipient(s, to);
	if (!str_ok(&t->recipients)) {
		refuse(s, "rcpt", to, "452 4.3.1", "no memory now, try later");
		transaction_clear(s);
		s->state = ST_READY;
		return;
	}
	t->count++;
	s->state = ST_RCPT;
	reply(s, "250 2.1.5", "recipient accepted");
}
