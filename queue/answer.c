/* answer.c - what accounts answer by themselves: robots and absences. */
/* SPDX-License-Identifier: ISC */
/*
 * An answer is a recipient of its own. A worker of the account's domain reads
 * the message, decides and composes; we make of it a message from nobody to
 * the sender, whom the worker cannot choose.
 *
 * Order: the worker has noted whom it answers; the answer is durable in the
 * queue; then the recipient is done. A crash in between asks the worker again,
 * which knows the message by its id.
 * Trusts: not the worker, but for what the answer says.
 * Limits: no answer is tried for longer than ANSWER_LATE, and nobody is ever
 * told that one failed: it is nobody's mail.
 */
#include "queue/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>

#include "lib/log.h"
#include "queue/retry.h"

#define ANSWER_LATE 86400	/* s: an answer that comes later helps nobody */

/* A connection without a peer: the answer on its way into the queue. */
struct own {
	struct conn c;		/* first: what submit.c knows */
	struct recipient *r;
};

/* What the tables say about an account that answers. */
struct answering {
	struct domain_record domain;
	char name[ADDR_DOMAIN_MAX + 1], account[ADDR_LOCAL_MAX + 1];
	/* Whom it has answered is kept by the name of its mailbox's folder,
	 * which outlives the account's. */
	char memory[ADDR_LOCAL_MAX + 1];
	bool is_robot;
	int64_t since;
};

/* Final, and nobody is told but the log. */
static void
end(struct manager *q, struct recipient *r)
{
	struct active *a = r->active;

	r->is_running = false;
	r->state.status = RCPT_DELIVERED_TOLD;
	r->state.last = q->wall;
	life_dirty(a, (uint32_t)(r - a->e->recipients));
	life_touch(q, a);
}

static void
not_answered(struct manager *q, struct recipient *r, const char *why)
{
	struct active *a = r->active;
	char account[ADDR_TEXT_MAX];

	end(q, r);
	log_info(a->m->id, "not-answered", "to=%s answer=%s why=%s",
	    LOGQ(a->e->sender), LOGS(recipient_text(r, account,
	    sizeof(account))), why);
}

/* Something did not work: again later, but not for ever. */
static void
later(struct manager *q, struct recipient *r, const char *why)
{
	struct active *a = r->active;
	struct recipient_state *s = &r->state;
	char account[ADDR_TEXT_MAX];

	if (life_age(q, a->m) >= ANSWER_LATE) {
		not_answered(q, r, why);
		return;
	}
	r->is_running = false;
	if (s->attempts < UINT16_MAX)
		s->attempts++;
	s->last = q->wall;
	s->due = q->wall + (int64_t)retry_delay(q->conf.retry_first,
	    q->conf.retry_max, s->attempts, arc4random());
	life_dirty(a, (uint32_t)(r - a->e->recipients));
	life_touch(q, a);
	log_info(a->m->id, "deferred", "to=%s next=%jd dsn=4.3.0 text=%s",
	    LOGS(recipient_text(r, account, sizeof(account))),
	    (intmax_t)(s->due - q->wall),
	    LOGS("The answer cannot be given now"));
}

/* NULL when the account answers now; else why it does not. */
static const char *
look_up(struct manager *q, const struct recipient *r, struct answering *out)
{
	struct address_record address = { .answers = false };
	int found;

	if (slice_to_cstr(r->domain, out->name, sizeof(out->name)) == -1 ||
	    slice_to_cstr(r->local, out->account, sizeof(out->account)) == -1)
		return "not-set";
	found = tables_domain(&q->tables, out->name, &out->domain);
	if (found == 1 && out->domain.state == ACCOUNT_ACTIVE)
		found = tables_address(&q->tables, out->name, out->account,
		    &address);
	else if (found == 1)
		return "account-off";
	if (found == -1)
		return "tables";
	if (found != 1 || (address.kind != ADDRESS_ROBOT && !address.answers))
		return "not-set";
	if (address.state != ACCOUNT_ACTIVE)
		return "account-off";
	if (address.answers && (q->wall < address.answer_from ||
	    (address.answer_until != 0 && q->wall >= address.answer_until)))
		return "not-now";
	if (address.folder.len == 0 || slice_to_cstr(address.folder,
	    out->memory, sizeof(out->memory)) == -1)
		memcpy(out->memory, out->account, sizeof(out->memory));
	out->is_robot = address.kind == ADDRESS_ROBOT;
	out->since = address.answer_from;
	return NULL;
}

void
answer_begin(struct manager *q, struct active *a, struct recipient *r)
{
	struct answering answering;
	const char *why = a->e->sender.len == 0 ? "null-sender" :
	    look_up(q, r, &answering);

	if (why != NULL && strcmp(why, "tables") == 0) {
		later(q, r, why);
		return;
	}
	if (why != NULL) {
		not_answered(q, r, why);
		return;
	}
	r->uid = (uint32_t)answering.domain.uid;
	(void)life_schedule(q, a, r, RCPT_MAILBOX, r->domain);
}

/* True when recipient number i got mail by the address n. */
static bool
came_by(const struct envelope *e, uint32_t i, uint32_t n)
{
	if (e->recipients[i].original == n)
		return true;
	for (uint32_t k = 0; k < e->n_alsos; k++)
		if (e->alsos[k].recipient == i && e->alsos[k].original == n)
			return true;
	return false;
}

/* True when address n of the envelope leads to nobody but r's account. */
static bool
leads_only_to(const struct envelope *e, const struct recipient *r, uint32_t n)
{
	for (uint32_t i = 0; i < e->n_recipients; i++) {
		const struct recipient *other = &e->recipients[i];

		if (other->original == n &&
		    (!slice_eq(other->domain, r->domain) ||
		    !slice_eq(other->local, r->local)))
			return false;
	}
	for (uint32_t k = 0; k < e->n_alsos; k++) {
		const struct recipient *other =
		    &e->recipients[e->alsos[k].recipient];

		if (e->alsos[k].original == n &&
		    (!slice_eq(other->domain, r->domain) ||
		    !slice_eq(other->local, r->local)))
			return false;
	}
	return true;
}

/* True for the account's own name, in its domain or in an alias of that. */
static bool
is_account_itself(struct manager *q, const struct answering *as,
    const struct addr *a)
{
	char account[ADDR_LOCAL_MAX + 1];
	struct domain_record d;
	struct slice detail;

	if (addr_account_of(a->local, account, &detail) == -1 ||
	    strcmp(account, as->account) != 0)
		return false;
	return strcmp(a->domain, as->name) == 0 ||
	    (tables_domain(&q->tables, a->domain, &d) == 1 &&
	    strcmp(d.alias_of, as->name) == 0);
}

/* An account that writes to itself by an alias is not to answer itself. */
static void
add_own_sender(struct manager *q, const struct envelope *e,
    const struct answering *as, struct str *list)
{
	struct addr a;

	if (addr_parse(e->sender, &a) != ADDR_OK ||
	    route_may_send_as(&q->tables, as->account, as->name, &a) !=
	    ROUTE_OK)
		return;
	str_putc(list, '\n');
	str_put(list, e->sender);
}

/*
 * The addresses that are the account's: its own, and those in the envelope that
 * are its own or lead to it alone. The first of the latter is the one that the
 * sender knows: the answer comes from it.
 */
static void
fill_addresses(struct manager *q, const struct recipient *r,
    const struct answering *as, struct answer_job *j, struct str *list)
{
	const struct envelope *e = ((struct active *)r->active)->e;
	uint32_t number = (uint32_t)(r - e->recipients);
	struct addr a;

	snprintf(j->from, sizeof(j->from), "%s@%s", as->account, as->name);
	str_puts(list, j->from);
	for (uint32_t n = 0; n < e->n_originals &&
	    list->len < ANSWER_ADDRESSES_MAX - ADDR_TEXT_MAX; n++) {
		struct slice address = e->originals[n].address;

		if (!came_by(e, number, n) ||
		    addr_parse(address, &a) != ADDR_OK ||
		    (!is_account_itself(q, as, &a) &&
		    !leads_only_to(e, r, n)))
			continue;
		if (memchr(list->p, '\n', list->len) == NULL)
			addr_text(&a, j->from, sizeof(j->from));
		str_putc(list, '\n');
		str_put(list, address);
	}
	add_own_sender(q, e, as, list);
	j->addresses = str_slice(list);
}

static void
fill_job(const struct recipient *r, const struct answering *as,
    struct answer_job *j)
{
	const struct active *a = r->active;

	j->offset = a->h.content_offset;
	j->length = a->h.content_length;
	memcpy(j->id, a->m->id, sizeof(a->m->id));
	j->recipient = (uint32_t)(r - a->e->recipients);
	/* The parser of the envelope has checked the length. */
	(void)!slice_to_cstr(a->e->sender, j->sender, sizeof(j->sender));
	memcpy(j->account, as->memory, sizeof(j->account));
	memcpy(j->language, as->domain.language, sizeof(j->language));
	memcpy(j->zone, as->domain.zone, sizeof(j->zone));
	j->since = as->since;
	j->flags = as->is_robot ? 0 : ANSWER_ONLY_ADDRESSED;
	if (a->e->account.len > 0)
		j->flags |= ANSWER_SENDER_KNOWN;
}

int
answer_pack(struct manager *q, struct recipient *r, uint64_t tag,
    struct packer *k)
{
	struct str addresses = STR_INIT(ANSWER_ADDRESSES_MAX);
	struct answer_job j = { .tag = tag };
	struct answer_record record;
	struct answering as;
	const char *why = look_up(q, r, &as);
	int found;

	if (why == NULL) {
		fill_addresses(q, r, &as, &j, &addresses);
		fill_job(r, &as, &j);
		found = tables_answer(&q->tables, as.name, as.account,
		    &record);
		why = found == 1 ? NULL : found == 0 ? "not-set" : "tables";
	}
	if (why == NULL) {
		j.days = record.days;
		j.subject = record.subject;
		j.text = record.text;
		j.full_name = record.full_name;
		answer_job_pack(k, &j);
		if (k->bad || !str_ok(&addresses))
			why = "too-long";
	}
	str_free(&addresses);
	if (why == NULL)
		return 0;
	((struct active *)r->active)->outstanding--;
	if (strcmp(why, "tables") == 0)
		later(q, r, why);
	else
		not_answered(q, r, why);
	return -1;
}

const char *
answer_about(const struct conn *c)
{
	const struct own *own = (const struct own *)(const void *)c;

	return ((struct active *)own->r->active)->m->id;
}

static bool
is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* Q_MAIL, as a peer would say it. */
static int
say_mail(struct manager *q, struct conn *c, struct slice content)
{
	unsigned char space[4096];
	struct queue_mail m = { .lane = LANE_TRANSACTIONAL,
	    .flags = QM_NO_TRACE, .size = content.len };
	struct ipc_msg msg = { .type = Q_MAIL };
	struct packer k;

	if (!is_ascii(content))
		m.flags |= QM_8BIT | QM_UTF8;
	pack_init(&k, space, sizeof(space));
	queue_mail_pack(&k, &m);
	unpack_init(&msg.body, pack_slice(&k));
	return k.bad ? -1 : submit_mail(q, c, &msg);
}

/* Q_RCPT: to the sender, and nobody wants to hear of it (RFC 5230 5.5). */
static int
say_rcpt(struct manager *q, struct conn *c, struct slice to)
{
	unsigned char space[1024];
	struct ipc_msg msg = { .type = Q_RCPT };
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, to);
	pack_u8(&k, QN_NEVER);
	pack_bytes(&k, SLICE_EMPTY);
	unpack_init(&msg.body, pack_slice(&k));
	return k.bad ? -1 : submit_rcpt(q, c, &msg);
}

/* The answer becomes a message; answer_submitted() tells of it. */
static void
submit(struct manager *q, struct recipient *r, struct slice content)
{
	const struct active *a = r->active;
	struct own *own = calloc(1, sizeof(*own));
	struct ipc_msg msg = { .type = Q_COMMIT };

	if (own == NULL) {
		((struct active *)r->active)->outstanding--;
		later(q, r, "memory");
		return;
	}
	own->c.roles = PEER_ANSWER;
	own->c.watch.fd = -1;
	own->c.uid = q->own_uid;
	own->r = r;
	unpack_init(&msg.body, content);
	if (say_mail(q, &own->c, content) == -1 ||
	    say_rcpt(q, &own->c, a->e->sender) == -1 ||
	    submit_commit(q, &own->c, &msg) == -1)
		answer_submitted(q, &own->c, QUEUE_PERMANENT, "");
}

void
answer_submitted(struct manager *q, struct conn *c, enum queue_result result,
    const char *id)
{
	struct own *own = (struct own *)(void *)c;
	struct recipient *r = own->r;
	struct active *a = r->active;
	char account[ADDR_TEXT_MAX];

	c->is_closed = true;
	submit_forget(q, c);
	TAILQ_INSERT_TAIL(&q->dead, c, link);
	a->outstanding--;
	switch (result) {
	case QUEUE_OK:
		end(q, r);
		log_info(a->m->id, "answered", "to=%s answer=%s notice=%s",
		    LOGQ(a->e->sender), LOGS(recipient_text(r, account,
		    sizeof(account))), id);
		break;
	case QUEUE_TEMPORARY:
		later(q, r, "queue");
		break;
	case QUEUE_PERMANENT:
		not_answered(q, r, "refused");
		break;
	}
}

void
answer_result(struct manager *q, struct recipient *r,
    const struct answer_result *result)
{
	struct active *a = r->active;

	switch (result->verdict) {
	case ANSWER_GIVEN:
		submit(q, r, result->content);
		break;
	case ANSWER_NONE:
		a->outstanding--;
		not_answered(q, r, result->why);
		break;
	case ANSWER_LATER:
		a->outstanding--;
		later(q, r, result->why);
		break;
	}
}
