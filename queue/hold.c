/* hold.c - an account whose mail is held is told so, once. */
/* SPDX-License-Identifier: ISC */
/*
 * The first message that is held since an account was last within its limits
 * says in its file that somebody is to be told. The notice goes to the account
 * and to the postmaster of its domain; for a host that relays to its owner, for
 * anybody else to our own postmaster.
 *
 * Order: the message is durable with that mark; the notice is durable in the
 * queue, and names the message; the mark is taken away, durably; only then the
 * notice leaves. A crash in between finds the notice in the queue, or writes it
 * again.
 * Limits: nobody is told of a notice that fails: the log has it.
 */
#include "queue/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/encode.h"
#include "lib/log.h"
#include "queue/sending.h"
#include "queue/submission.h"

#define RETRY 60000	/* ms */

/* A connection without a peer: the notice on its way into the queue. */
struct own {
	struct conn c;		/* first: what submit.c knows */
	char about[ID_LEN + 1];
};

/* Who is told. */
struct told_of {
	char to[ADDR_TEXT_MAX], postmaster[ADDR_TEXT_MAX];
	bool is_french;
	char zone[ZONE_RULE_MAX];
};

/* It is done with, or nobody is left to be told. */
static void
settle(struct manager *q, struct message *m)
{
	struct active *a = m->active;
	bool is_mine = a == NULL;
	int fd;

	m->owes_notice = false;
	if (is_mine && (a = life_open(q, m, false)) == NULL)
		return;
	life_save(q, a);
	fd = store_file(&q->store, m->id, O_RDWR);
	if (fd == -1 || fdatasync(fd) == -1)
		log_error(m->id, "error", "what=sync error=%s",
		    LOGS(strerror(errno)));
	if (fd != -1)
		close(fd);
	if (is_mine)
		life_free_active(q, a);
}

/* The address in "relay NET OWNER", or the account itself. */
static struct slice
person_of(struct slice account)
{
	struct slice rest = account;

	if (!slice_starts_nocase(account, slice_of(SENDING_RELAY)))
		return account;
	(void)slice_cut(&rest, ' ');
	(void)slice_cut(&rest, ' ');
	return rest;
}

/* False: there is nobody to be told. */
static bool
find_persons(struct manager *q, struct slice account, struct told_of *t)
{
	struct domain_record d = { .uid = 0 };
	char name[ADDR_DOMAIN_MAX + 1] = "";
	struct addr a;

	memset(t, 0, sizeof(*t));
	if (addr_parse(person_of(account), &a) != ADDR_OK ||
	    tables_domain(&q->tables, a.domain, &d) != 1) {
		if (!conf_postmaster(&q->conf, t->to, sizeof(t->to)))
			return false;
		memcpy(t->postmaster, t->to, sizeof(t->postmaster));
		return true;
	}
	memcpy(name, a.domain, sizeof(name));
	if (d.alias_of[0] != '\0') {
		memcpy(name, d.alias_of, sizeof(name));
		(void)!tables_domain(&q->tables, name, &d);
	}
	addr_text(&a, t->to, sizeof(t->to));
	snprintf(t->postmaster, sizeof(t->postmaster), "postmaster@%s", name);
	t->is_french = strcmp(d.language, "fr") == 0;
	memcpy(t->zone, d.zone, sizeof(t->zone));
	return true;
}

/* Q_MAIL and Q_RCPT, as a peer would say them. */
static int
say_envelope(struct manager *q, struct conn *c, const struct told_of *t,
    struct slice content)
{
	const char *to[] = { t->to, t->postmaster };
	struct queue_mail m = { .lane = LANE_TRANSACTIONAL,
	    .flags = QM_NO_TRACE, .size = content.len };
	struct ipc_msg msg = { .type = Q_MAIL };
	unsigned char space[4096];
	struct packer k;

	if (!encode_is_ascii(content))
		m.flags |= QM_8BIT | QM_UTF8;
	pack_init(&k, space, sizeof(space));
	queue_mail_pack(&k, &m);
	unpack_init(&msg.body, pack_slice(&k));
	if (k.bad || submit_mail(q, c, &msg) == -1)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		pack_init(&k, space, sizeof(space));
		pack_bytes(&k, slice_of(to[i]));
		pack_u8(&k, QN_NEVER);
		pack_bytes(&k, SLICE_EMPTY);
		msg = (struct ipc_msg){ .type = Q_RCPT };
		unpack_init(&msg.body, pack_slice(&k));
		if (k.bad || submit_rcpt(q, c, &msg) == -1)
			return -1;
	}
	return 0;
}

/* The notice becomes a message; hold_submitted() tells of it. */
static void
submit(struct manager *q, struct message *m, const struct told_of *t,
    struct slice content)
{
	struct own *own = calloc(1, sizeof(*own));
	struct ipc_msg msg = { .type = Q_COMMIT };

	if (own == NULL) {
		q->hold_retry = q->now + RETRY;
		return;
	}
	own->c.roles = PEER_HOLD;
	own->c.watch.fd = -1;
	own->c.uid = q->own_uid;
	memcpy(own->about, m->id, sizeof(own->about));
	m->is_telling = true;
	unpack_init(&msg.body, content);
	if (say_envelope(q, &own->c, t, content) == -1 ||
	    submit_commit(q, &own->c, &msg) == -1)
		hold_submitted(q, &own->c, QUEUE_PERMANENT, "");
}

/* Composes and submits. False: there is nothing to tell, or nobody. */
static bool
tell(struct manager *q, struct message *m, const struct active *a)
{
	struct str content = STR_INIT(HOLD_TEXT_MAX);
	struct hold_notice n = { .id = m->id, .hostname = q->conf.hostname,
	    .since = (time_t)m->arrival, .now = (time_t)q->wall };
	char reason[QUEUE_TEXT_MAX + 1];
	struct told_of t;

	life_reason(q, a, reason, sizeof(reason));
	if (!hold_reason_parse(slice_of(reason), &n.why) ||
	    !find_persons(q, n.why.account, &t))
		return false;
	n.to = t.to;
	n.postmaster = t.postmaster;
	n.is_french = t.is_french;
	n.zone = t.zone;
	n.until = n.since + (time_t)hold_seconds(&n.why);
	hold_compose(&content, &n);
	if (str_ok(&content))
		submit(q, m, &t, str_slice(&content));
	else
		q->hold_retry = q->now + RETRY;
	str_free(&content);
	return true;
}

void
hold_tell(struct manager *q, struct message *m)
{
	struct active *a;

	if (!m->owes_notice || m->is_telling || m->is_coming)
		return;
	/* Released meanwhile, and perhaps on its way: too late. */
	if (!m->is_held || m->active != NULL) {
		m->owes_notice = false;
		return;
	}
	if ((a = life_open(q, m, false)) == NULL) {
		q->hold_retry = q->now + RETRY;
		return;
	}
	if (!tell(q, m, a)) {
		log_notice(m->id, "hold-told", "notice=none account=%s",
		    LOGQ(a->e->account));
		m->owes_notice = false;
	}
	life_free_active(q, a);
}

const char *
hold_about(const struct conn *c)
{
	return ((const struct own *)(const void *)c)->about;
}

void
hold_submitted(struct manager *q, struct conn *c, enum queue_result result,
    const char *id)
{
	const struct own *own = (const struct own *)(void *)c;
	struct message *m = index_find(&q->index, slice_of(own->about));

	if (m != NULL)
		m->is_telling = false;
	if (result == QUEUE_TEMPORARY)
		q->hold_retry = q->now + RETRY;
	else
		log_notice(own->about, "hold-told", "notice=%s",
		    result == QUEUE_OK ? id : "none");
	if (m != NULL && result != QUEUE_TEMPORARY)
		settle(q, m);
	c->is_closed = true;
	submit_forget(q, c);
	TAILQ_INSERT_TAIL(&q->dead, c, link);
}

static bool
is_owed(const struct manager *q)
{
	for (uint32_t i = 0; i < q->index.slots; i++) {
		const struct message *m = index_slot(&q->index, i);

		if (m != NULL && m->owes_notice)
			return true;
	}
	return false;
}

/* What m tells of, when it is one of those notices, needs no other. */
static void
recall(struct manager *q, struct message *m)
{
	struct active *notice = life_open(q, m, false);
	struct message *about;

	if (notice == NULL)
		return;
	about = index_find(&q->index, notice->e->about);
	if (about != NULL && about->owes_notice)
		settle(q, about);
	life_free_active(q, notice);
}

void
hold_recall(struct manager *q)
{
	q->hold_retry = INT64_MAX;
	if (!is_owed(q))
		return;
	for (uint32_t i = 0; i < q->index.slots; i++) {
		struct message *m = index_slot(&q->index, i);

		if (m != NULL && m->lane == LANE_TRANSACTIONAL)
			recall(q, m);
	}
	q->hold_retry = q->now;
}

void
hold_expire(struct manager *q)
{
	if (q->now < q->hold_retry)
		return;
	q->hold_retry = INT64_MAX;
	for (uint32_t i = 0; i < q->index.slots; i++) {
		struct message *m = index_slot(&q->index, i);

		if (m != NULL && m->owes_notice)
			hold_tell(q, m);
	}
}
