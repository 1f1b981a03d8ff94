/* notice.c - who must be told what became of a message, and that he was. */
/* SPDX-License-Identifier: ISC */
/*
 * RFC 3461: a failure is told unless NOTIFY says otherwise, a success only when
 * it was asked for, a delay once. Never a notice about a notice: what cannot be
 * told to the sender goes to the postmaster, what cannot be told to him to
 * double/.
 *
 * Order: the recipients are marked as told only when the notice is durable in
 * the queue; after a crash in between told.c does it.
 */
#include "queue/queue.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#define RETRY 60000		/* ms until a notice is asked for again */
#define NOTICE_ROOM (IPC_MAX - 8192)	/* bytes of recipients in one request */
#define LIST_ROOM (NOTICE_ROOM / 2)	/* the rest is for their other addresses */

/* A request in the hands of malle-bounce. */
struct notice {
	struct active *a;
	enum bounce_kind kind;
	bool is_double;
	uint32_t *numbers;	/* the recipients that it tells of */
	uint32_t n;
	char about[ID_LEN + 1];
	char to[ADDR_TEXT_MAX];
};

/* Whether a recipient's state is to be told of, and as what. */
static bool
kind_of(const struct manager *q, const struct active *a,
    const struct recipient *r, enum bounce_kind *kind)
{
	bool has_sender = a->e->sender.len > 0;

	/* An answer is nobody's mail. */
	if (r->kind == RCPT_ANSWER)
		return false;
	switch (r->state.status) {
	case RCPT_FAILED:
		*kind = BOUNCE_FAILURE;
		/* A notice of ours says NEVER, but somebody must know. */
		return (r->wants & QN_FAILURE) != 0 || a->h.notice != 0;
	case RCPT_DELIVERED:
		*kind = BOUNCE_SUCCESS;
		return has_sender && (r->wants & QN_SUCCESS) != 0;
	case RCPT_WAITING:
		*kind = BOUNCE_DELAY;
		return has_sender && (r->wants & QN_DELAY) != 0 &&
		    (r->state.flags & RCPT_DELAY_TOLD) == 0 &&
		    r->state.attempts > 0 && a->h.notice == 0 &&
		    life_age(q, a->m) >= (int64_t)q->conf.delay_notice;
	default:
		return false;
	}
}

bool
notice_is_due(const struct manager *q, const struct active *a)
{
	enum bounce_kind kind;

	for (uint32_t i = 0; i < a->e->n_recipients; i++)
		if (kind_of(q, a, &a->e->recipients[i], &kind))
			return true;
	return false;
}

uint8_t
notice_flags(const struct conn *c)
{
	if (c->notice == NULL)
		return 0;
	return c->notice->is_double ? NOTICE_OF_OURS | NOTICE_DOUBLE :
	    NOTICE_OF_OURS;
}

const char *
notice_about(const struct conn *c)
{
	return c->notice->about;
}

bool
notice_may_begin(const struct conn *c, const char *sender)
{
	return (c->roles & PEER_BOUNCE) == 0 ||
	    (c->notice != NULL && c->pending == 0 && sender[0] == '\0');
}

bool
notice_may_go_to(const struct conn *c, const char *to, uint32_t others)
{
	return (c->roles & PEER_BOUNCE) == 0 ||
	    (others == 0 && strcmp(to, c->notice->to) == 0);
}

enum bounce_kind
notice_kind(const struct conn *c)
{
	return c->notice->kind;
}

uint32_t
notice_numbers(const struct conn *c, const uint32_t **out)
{
	*out = c->notice->numbers;
	return c->notice->n;
}

static void
notice_free(struct manager *q, struct notice *n)
{
	if (n == NULL)
		return;
	if (n->a != NULL && n->a->notice == n)
		n->a->notice = NULL;
	free(n->numbers);
	free(n);
	q->n_notices--;
}

/* The language and the clocks of whom it goes to, when his domain is ours. */
static void
set_locale(struct manager *q, struct bounce_notice *n)
{
	struct domain_record d;
	struct addr a;

	memcpy(n->language, "en", sizeof(n->language));
	if (addr_parse(slice_of(n->to), &a) != ADDR_OK ||
	    tables_domain(&q->tables, a.domain, &d) != 1)
		return;
	memcpy(n->zone, d.zone, sizeof(n->zone));
	if (d.alias_of[0] != '\0' &&
	    tables_domain(&q->tables, d.alias_of, &d) != 1)
		return;
	if (d.language[0] != '\0')
		memcpy(n->language, d.language, sizeof(n->language));
}

/* Whom to tell. False: nobody is left. */
static bool
set_address(struct manager *q, const struct active *a, struct bounce_notice *n)
{
	if (a->e->sender.len > 0)
		return slice_to_cstr(a->e->sender, n->to, sizeof(n->to)) == 0;
	if ((a->h.notice & NOTICE_DOUBLE) != 0)
		return false;
	n->is_double = true;
	return conf_postmaster(&q->conf, n->to, sizeof(n->to));
}

static void
fill_notice(struct manager *q, const struct active *a, struct bounce_notice *n)
{
	memcpy(n->id, a->m->id, sizeof(a->m->id));
	(void)!slice_to_cstr(a->e->envid, n->envid, sizeof(n->envid));
	n->flags = a->h.flags;
	n->arrival = a->h.arrival;
	n->content_offset = a->h.content_offset;
	n->content_length = a->h.content_length;
	set_locale(q, n);
}

static enum bounce_action
action_of(enum bounce_kind kind)
{
	switch (kind) {
	case BOUNCE_FAILURE:
		return ACTION_FAILED;
	case BOUNCE_DELAY:
		return ACTION_DELAYED;
	case BOUNCE_SUCCESS:
		return ACTION_DELIVERED;
	}
	return ACTION_FAILED;
}

/* A status (RFC 3463) that says what a person could do something about: the
 * mailbox, the message, the policy; not "other" and not the network. */
static bool
is_telling(const char *status)
{
	const char *subject = strchr(status, '.');
	const char *detail = subject != NULL ? strchr(subject + 1, '.') : NULL;

	return detail != NULL && strchr("1267", subject[1]) != NULL &&
	    strcmp(detail, ".0") != 0;
}

/* The last reply as far as it can be read again. */
static void
fill_reply(const struct recipient *r, int fd, struct bounce_recipient *b)
{
	struct reply reply;

	snprintf(b->status, sizeof(b->status), "%s",
	    r->state.status == RCPT_DELIVERED ? "2.0.0" :
	    r->state.status == RCPT_FAILED ? "5.0.0" : "4.0.0");
	if (r->state.reply == 0 ||
	    store_read_reply(fd, r->state.reply, &reply) == -1)
		return;
	if (reply.enhanced[0] != '\0')
		snprintf(b->status, sizeof(b->status), "%s", reply.enhanced);
	/*
	 * A temporary error that has become a failure: the time is over. What
	 * was wrong all the time tells more than that, where it is known.
	 */
	if (r->state.status == RCPT_FAILED && reply.result == QUEUE_TEMPORARY &&
	    !is_telling(b->status))
		snprintf(b->status, sizeof(b->status), "4.4.7");
	memcpy(b->text, reply.text, sizeof(b->text));
	memcpy(b->remote, reply.remote, sizeof(b->remote));
}

/* RFC 3461 5.2.7.3 (c), RFC 3464 2.3.3: it went on from there to several, who
 * may still fail; who and where they are is not the sender's business. */
static void
expanded(struct bounce_recipient *b)
{
	b->action = ACTION_EXPANDED;
	memcpy(b->address, b->original, sizeof(b->address));
	snprintf(b->status, sizeof(b->status), "2.0.0");
	b->text[0] = b->remote[0] = '\0';
}

static void
fill_recipient(struct manager *q, const struct active *a,
    const struct recipient *r, uint32_t original, int fd,
    enum bounce_kind kind, struct bounce_recipient *b)
{
	const struct original *o = &a->e->originals[original];

	memset(b, 0, sizeof(*b));
	recipient_text(r, b->address, sizeof(b->address));
	(void)!slice_to_cstr(o->address, b->original, sizeof(b->original));
	(void)!slice_to_cstr(o->orcpt, b->orcpt, sizeof(b->orcpt));
	b->action = action_of(kind);
	/* RFC 3461 5.2.2 (b): the next server tells of nothing; this is the
	 * last that we know. */
	if (kind == BOUNCE_SUCCESS && r->kind == RCPT_REMOTE)
		b->action = ACTION_RELAYED;
	b->last_attempt = r->state.last;
	if (kind == BOUNCE_DELAY)
		b->retry_until = q->wall + life_time(q, a->m) -
		    life_age(q, a->m);
	fill_reply(r, fd, b);
	if (kind == BOUNCE_SUCCESS && o->is_expanded)
		expanded(b);
}

static unsigned
wish_of(enum bounce_kind kind)
{
	switch (kind) {
	case BOUNCE_FAILURE:
		return QN_FAILURE;
	case BOUNCE_DELAY:
		return QN_DELAY;
	case BOUNCE_SUCCESS:
		return QN_SUCCESS;
	}
	return QN_FAILURE;
}

/* A line of the report: a recipient, by one of the addresses that led there. */
static void
pack_one(struct manager *q, struct notice *n, const struct recipient *r,
    uint32_t original, int fd, struct packer *k, uint32_t *count)
{
	const struct envelope *e = n->a->e;
	struct bounce_recipient b;
	uint8_t wants = envelope_wants(e, original,
	    (uint32_t)(r - e->recipients));

	if ((wants & wish_of(n->kind)) == 0 && n->a->h.notice == 0)
		return;
	fill_recipient(q, n->a, r, original, fd, n->kind, &b);
	bounce_recipient_pack(k, &b);
	(*count)++;
}

static bool
is_chosen(const struct notice *n, uint32_t number)
{
	for (uint32_t lo = 0, hi = n->n; lo < hi; ) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (n->numbers[mid] == number)
			return true;
		if (n->numbers[mid] < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/*
 * The recipients of one kind, as many as fit, and the other addresses that led
 * to them: each has its own NOTIFY and ORCPT (RFC 3461 5.2).
 */
static void
pack_recipients(struct manager *q, struct notice *n, int fd, struct packer *k,
    uint32_t *count)
{
	const struct envelope *e = n->a->e;
	enum bounce_kind kind;

	for (uint32_t i = 0; i < e->n_recipients && k->len < LIST_ROOM &&
	    *count < BOUNCE_RECIPIENTS_MAX / 2; i++) {
		const struct recipient *r = &e->recipients[i];

		if (!kind_of(q, n->a, r, &kind) || kind != n->kind)
			continue;
		pack_one(q, n, r, r->original, fd, k, count);
		n->numbers[n->n++] = i;
	}
	for (uint32_t i = 0; i < e->n_alsos && k->len < NOTICE_ROOM &&
	    *count < BOUNCE_RECIPIENTS_MAX; i++)
		if (is_chosen(n, e->alsos[i].recipient))
			pack_one(q, n, &e->recipients[e->alsos[i].recipient],
			    e->alsos[i].original, fd, k, count);
}

static int
pack_notice(struct manager *q, struct notice *n, struct bounce_notice *b,
    int fd, struct packer *k)
{
	static unsigned char space[IPC_MAX];
	struct packer list;

	pack_init(&list, space, sizeof(space));
	b->recipients = 0;
	pack_recipients(q, n, fd, &list, &b->recipients);
	if (list.bad || b->recipients == 0) {
		errno = EMSGSIZE;
		return -1;
	}
	bounce_notice_pack(k, b);
	pack_raw(k, pack_slice(&list));
	return 0;
}

/* Sends the request; the connection for the answer becomes a peer of ours. */
static int
send_notice(struct manager *q, struct notice *n, struct packer *k, int fd)
{
	struct conn *c;
	int pair[2], fds[BOUNCE_FDS];

	if (q->bounce == -1 || ipc_pair(pair) == -1)
		return -1;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1 ||
	    (c = peer_new(q, pair[0], PEER_BOUNCE, q->own_uid)) == NULL) {
		close(pair[1]);
		return -1;
	}
	fds[BOUNCE_FD_JOB] = pair[1];
	fds[BOUNCE_FD_MESSAGE] = fd;
	if (ipc_send(q->bounce, BOUNCE_NOTICE, k, fds, BOUNCE_FDS) == -1) {
		int error = errno;

		close(pair[1]);
		peer_close(q, c);
		errno = error;
		return -1;
	}
	close(pair[1]);
	c->notice = n;
	return 0;
}

void
notice_mark(struct active *a, uint32_t number, enum bounce_kind kind)
{
	struct recipient_state *s = &a->e->recipients[number].state;
	struct recipient_state old = *s;

	switch (kind) {
	case BOUNCE_FAILURE:
		if (s->status == RCPT_FAILED)
			s->status = RCPT_FAILED_TOLD;
		break;
	case BOUNCE_SUCCESS:
		if (s->status == RCPT_DELIVERED)
			s->status = RCPT_DELIVERED_TOLD;
		break;
	case BOUNCE_DELAY:
		s->flags |= RCPT_DELAY_TOLD;
		break;
	}
	if (s->status != old.status || s->flags != old.flags)
		life_dirty(a, number);
}

/* Nobody can be told: a person finds the message in double/. */
static bool
give_up(struct manager *q, struct active *a)
{
	log_error(a->m->id, "bounced", "notice=none kind=double "
	    "folder=queue/double");
	if (store_move(&q->store, a->m->id, q->store.dbl) == -1 &&
	    errno != ENOENT) {
		log_error(a->m->id, "error", "what=move error=%s",
		    LOGS(strerror(errno)));
		return false;
	}
	for (uint32_t i = 0; i < a->e->n_recipients; i++)
		if (a->e->recipients[i].state.status == RCPT_FAILED)
			a->e->recipients[i].state.status = RCPT_FAILED_TOLD;
	return true;
}

static void
later(const struct manager *q, struct active *a)
{
	a->retry_at = q->now + RETRY;
}

/* The kind of the first recipient that is to be told of. */
static enum bounce_kind
first_kind(struct manager *q, const struct active *a)
{
	enum bounce_kind kind = BOUNCE_FAILURE;

	for (uint32_t i = 0; i < a->e->n_recipients; i++)
		if (kind_of(q, a, &a->e->recipients[i], &kind))
			break;
	return kind;
}

static struct notice *
notice_new(struct manager *q, struct active *a, const struct bounce_notice *b)
{
	struct notice *n = calloc(1, sizeof(*n));

	if (n == NULL || (n->numbers = calloc(a->e->n_recipients,
	    sizeof(*n->numbers))) == NULL) {
		free(n);
		return NULL;
	}
	n->a = a;
	n->kind = first_kind(q, a);
	n->is_double = b->is_double;
	memcpy(n->to, b->to, sizeof(n->to));
	memcpy(n->about, a->m->id, sizeof(n->about));
	q->n_notices++;
	return n;
}

bool
notice_begin(struct manager *q, struct active *a)
{
	static unsigned char space[IPC_MAX];
	struct bounce_notice b;
	struct notice *n = NULL;
	struct packer k;
	int fd = -1;
	bool sent = false;

	memset(&b, 0, sizeof(b));
	if (q->n_notices >= NOTICES_MAX) {
		a->retry_at = q->now + 1000;
		return false;
	}
	if (!set_address(q, a, &b)) {
		/* With others still to be tried, it is too early to move. */
		if (envelope_has_waiting(a->e) || !give_up(q, a)) {
			later(q, a);
			return false;
		}
		life_touch(q, a);
		return true;
	}
	pack_init(&k, space, sizeof(space) - 2);
	fd = store_file(&q->store, a->m->id, O_RDONLY);
	if (fd == -1 || (n = notice_new(q, a, &b)) == NULL)
		goto out;
	fill_notice(q, a, &b);
	b.kind = n->kind;
	if (pack_notice(q, n, &b, fd, &k) == -1 ||
	    send_notice(q, n, &k, fd) == -1)
		goto out;
	a->notice = n;
	sent = true;
out:
	if (!sent) {
		log_error(a->m->id, "error", "what=notice error=%s",
		    LOGS(strerror(errno)));
		notice_free(q, n);
		later(q, a);
	}
	if (fd != -1)
		close(fd);
	return sent;
}

void
notice_done(struct manager *q, struct conn *c, const char *id)
{
	static const char *const names[] = { "failure", "delay", "success" };
	struct notice *n = c->notice;
	struct active *a = n->a;

	log_info(a->m->id, "bounced", "notice=%s kind=%s recipients=%u", id,
	    n->is_double ? "double" : names[n->kind], n->n);
	for (uint32_t i = 0; i < n->n; i++)
		notice_mark(a, n->numbers[i], n->kind);
	c->notice = NULL;
	notice_free(q, n);
	life_touch(q, a);
}

void
notice_lost(struct manager *q, struct conn *c)
{
	struct notice *n = c->notice;
	struct active *a = n->a;

	c->notice = NULL;
	log_error(a->m->id, "error", "what=notice error=%s",
	    LOGS("malle-bounce has not written it"));
	notice_free(q, n);
	later(q, a);
	a->is_backing_off = true;
	life_touch(q, a);
}
