/* sending.c - how much our own may send: whose mail it is, and what becomes of it. */
/* SPDX-License-Identifier: ISC */
/*
 * Whose: the account that has logged in, the host that may relay, or the local
 * user. Mail from elsewhere, notices, and what root and we ourselves send are
 * nobody's. The limits come from the tables at each message, so a change counts
 * at once; the counters are outbound.c's, kept in queue/outbound over a restart.
 * Order: judged when the message is whole, before its file is marked; a message
 * that is slowed or held is accepted with that in its file.
 */
#include "queue/queue.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proto_registry.h"
#include "queue/rows.h"
#include "queue/sending.h"

#define FILE_NAME "outbound"
#define SAVE_EVERY 60000	/* ms between two writes of what has changed */
#define SAVE_SOON 5000		/* when an account was slowed, held, let go */
#define EASE_EVERY 5000		/* ms between two looks who is let go */

/* What a sender is, as far as limits go. */
struct sender {
	const char *key;		/* in the counters; NULL: nobody's */
	struct outbound_limits hour;
	char domain[ADDR_DOMAIN_MAX + 2];	/* "@domain", or "" */
	uint64_t domain_day;
	char client[ADDR_LOCAL_MAX + 2];	/* "=client", or "" */
	uint64_t client_day;
};

static void
times(const struct manager *q, struct outbound_time *t)
{
	time_t wall = (time_t)q->wall;
	struct tm tm;
	int64_t local = q->wall;

	if (localtime_r(&wall, &tm) != NULL)
		local += tm.tm_gmtoff;
	t->now = q->now;
	t->day = local / 86400;
	t->since_midnight = local % 86400 * 1000;
	if (t->since_midnight < 0) {
		t->since_midnight += 86400 * 1000;
		t->day--;
	}
}

/* The days of a domain and of its customer. */
static void
add_domain(struct manager *q, const char *name, struct sender *s)
{
	struct domain_record d;

	if (tables_domain(&q->tables, name, &d) != 1)
		return;
	if (d.alias_of[0] != '\0') {
		char main_name[ADDR_DOMAIN_MAX + 1];

		memcpy(main_name, d.alias_of, sizeof(main_name));
		if (tables_domain(&q->tables, main_name, &d) != 1)
			return;
		snprintf(s->domain, sizeof(s->domain), "@%s", main_name);
	} else
		snprintf(s->domain, sizeof(s->domain), "@%s", name);
	s->domain_day = d.messages_day;
	if (d.client[0] == '\0')
		return;
	snprintf(s->client, sizeof(s->client), "=%s", d.client);
	s->client_day = d.client_messages_day;
}

static void
by_configuration(const struct manager *q, struct sender *s)
{
	s->hour.max[OUTBOUND_MESSAGES] = q->conf.outbound_messages_hour;
	s->hour.max[OUTBOUND_RECIPIENTS] = q->conf.outbound_recipients_hour;
}

static void
of_account(struct manager *q, const struct addr *a, struct sender *s)
{
	struct address_record r;

	by_configuration(q, s);
	add_domain(q, a->domain, s);
	if (s->domain[0] == '\0' ||
	    tables_address(&q->tables, s->domain + 1, a->local, &r) != 1)
		return;
	if (r.messages_hour > 0)
		s->hour.max[OUTBOUND_MESSAGES] = r.messages_hour;
	if (r.recipients_hour > 0)
		s->hour.max[OUTBOUND_RECIPIENTS] = r.recipients_hour;
}

/* "relay NET[ OWNER]", as malle-smtpd says it; the host is the client. */
static void
of_relay(struct manager *q, const char *client, struct sender *s)
{
	struct access_record r;
	struct addr owner;
	struct ip ip;

	if (ip_parse(slice_of(client), &ip) == -1 ||
	    tables_access(&q->tables, &ip, &r) != 1)
		return;
	s->hour.max[OUTBOUND_MESSAGES] = r.messages_hour;
	if (addr_parse(r.owner, &owner) == ADDR_OK)
		add_domain(q, owner.domain, s);
	else if (r.owner.len > 0 && r.owner.len <= ADDR_LOCAL_MAX) {
		snprintf(s->client, sizeof(s->client), "=%.*s",
		    SLICE_FMT(r.owner));
		s->client_day = r.owner_messages_day;
	}
}

static void
who_sends(struct manager *q, const struct conn *c, const struct queue_mail *m,
    struct sender *s)
{
	struct addr a;

	memset(s, 0, sizeof(*s));
	if (m->account[0] == '\0' || (c->roles & (PEER_BOUNCE | PEER_REGISTRY)) != 0)
		return;
	if (strncmp(m->account, SENDING_RELAY, strlen(SENDING_RELAY)) == 0)
		of_relay(q, m->client, s);
	else if (addr_parse(slice_of(m->account), &a) == ADDR_OK)
		of_account(q, &a, s);
	else if (c->uid != q->own_uid && (c->roles & PEER_ADMIN) == 0)
		by_configuration(q, s);
	else
		return;
	s->key = m->account;
}

static const char *
what_word(enum outbound_what what)
{
	return what == OUTBOUND_MESSAGES ? "messages" : "recipients";
}

/* What one day has left for a domain or a customer. False: nothing. */
static bool
day_has_room(struct manager *q, const char *key, uint64_t max,
    const struct outbound_time *t, struct sending *out)
{
	uint64_t used;

	if (key[0] == '\0' || max == 0)
		return true;
	used = outbound_today(&q->outbound, key, t);
	if (used < max)
		return true;
	snprintf(out->text, sizeof(out->text), "The %s %s has sent all that it "
	    "may in a day: used %ju of %ju messages today, try again tomorrow",
	    key[0] == '@' ? "domain" : "customer", key + 1, (uintmax_t)used,
	    (uintmax_t)max);
	log_notice(NULL, "outbound", "account=%s state=day used=%ju max=%ju",
	    LOGS(key + 1), (uintmax_t)used, (uintmax_t)max);
	return false;
}

static bool
days_have_room(struct manager *q, const struct sender *s,
    const struct outbound_time *t, struct sending *out)
{
	return day_has_room(q, s->domain, s->domain_day, t, out) &&
	    day_has_room(q, s->client, s->client_day, t, out);
}

static void
say_hour(const struct sender *s, enum outbound_what what, uint64_t max,
    struct sending *out)
{
	snprintf(out->text, sizeof(out->text), "%s may send %ju %s an hour, and "
	    "as much as is taken beyond that waits here already: try again "
	    "later", s->key, (uintmax_t)max, what_word(what));
}

/* What has to be known of m before its hour is looked at. False: a day is used
 * up. */
static bool
judge_days(struct manager *q, const struct conn *c, const struct queue_mail *m,
    struct sender *s, struct outbound_time *t, struct sending *out)
{
	memset(out, 0, sizeof(*out));
	who_sends(q, c, m, s);
	if (s->key == NULL)
		return true;
	times(q, t);
	return days_have_room(q, s, t, out);
}

bool
sending_allowed(struct manager *q, const struct conn *c,
    const struct queue_mail *m, struct sending *out)
{
	struct outbound_time t;
	struct sender s;

	if (!judge_days(q, c, m, &s, &t, out))
		return false;
	if (s.key == NULL ||
	    !outbound_is_over(&q->outbound, s.key, &s.hour, q->now))
		return true;
	say_hour(&s, OUTBOUND_MESSAGES, s.hour.max[OUTBOUND_MESSAGES], out);
	return false;
}

/*
 * The registry shows it to the owner of a mailbox and to those who manage it.
 * One way: what does not fit now is dropped, the log has it.
 */
static void
tell_registry(const struct manager *q, const struct sender *s,
    const struct outbound_answer *a, const char *state)
{
	static unsigned char space[2048];
	struct registry_fields f = { .n = 0 };
	char used[24], max[24], when[24];
	struct packer k;

	if (q->registry_fd == -1 || s->domain[0] == '\0' ||
	    strchr(s->key, ' ') != NULL)
		return;
	snprintf(used, sizeof(used), "%ju", (uintmax_t)a->used);
	snprintf(max, sizeof(max), "%ju", (uintmax_t)a->max);
	snprintf(when, sizeof(when), "%jd", (intmax_t)q->wall);
	registry_add(&f, "address", slice_of(s->key));
	registry_add(&f, "state", slice_of(state));
	registry_add(&f, "what", slice_of(what_word(a->what)));
	registry_add(&f, "used", slice_of(used));
	registry_add(&f, "max", slice_of(max));
	registry_add(&f, "time", slice_of(when));
	pack_init(&k, space, sizeof(space));
	pack_u16(&k, REGISTRY_PROTOCOL);
	pack_bytes(&k, SLICE("sending"));
	registry_fields_pack(&k, &f);
	if (ipc_send(q->registry_fd, REG_REQUEST, &k, NULL, 0) == -1)
		log_debug(NULL, "registry-not-told", "error=%s",
		    LOGS(strerror(errno)));
}

/* Once when the state of an account changes, not for each message. */
static void
tell_change(const struct manager *q, const struct sender *s,
    const struct outbound_answer *a)
{
	static const char *const states[] = {
		"normal", "slowed", "held", "refused"
	};

	if (a->verdict == a->before)
		return;
	tell_registry(q, s, a, states[a->verdict]);
	if (a->verdict == OUTBOUND_PASS)
		log_notice(NULL, "outbound", "account=%s state=normal",
		    LOGS(s->key));
	else
		log_notice(NULL, "outbound", "account=%s state=%s what=%s "
		    "used=%ju max=%ju", LOGS(s->key), states[a->verdict],
		    what_word(a->what), (uintmax_t)a->used,
		    (uintmax_t)a->max);
}

bool
sending_take(struct manager *q, const struct conn *c,
    const struct queue_mail *m, uint32_t recipients, struct sending *out)
{
	struct outbound_answer a;
	struct outbound_time t;
	struct sender s;

	if (!judge_days(q, c, m, &s, &t, out))
		return false;
	if (s.key == NULL)
		return true;
	a = outbound_take(&q->outbound, s.key, &s.hour, recipients, q->now);
	tell_change(q, &s, &a);
	if (a.verdict == OUTBOUND_REFUSE) {
		say_hour(&s, a.what, a.max, out);
		return false;
	}
	outbound_add_today(&q->outbound, s.key, &t);
	if (s.domain[0] != '\0')
		outbound_add_today(&q->outbound, s.domain, &t);
	if (s.client[0] != '\0')
		outbound_add_today(&q->outbound, s.client, &t);
	out->delay = (a.delay + 999) / 1000;
	out->is_held = a.verdict == OUTBOUND_HOLD;
	out->is_first_held = a.is_first_held;
	if (a.verdict == OUTBOUND_PASS)
		return true;
	out->why = (struct sending_why){ what_word(a.what), a.used, a.max };
	snprintf(out->reason, sizeof(out->reason), "outbound %s %ju %ju %s",
	    out->why.what, (uintmax_t)a.used, (uintmax_t)a.max, s.key);
	return true;
}

static void
read_tables(struct manager *q)
{
	if (tables_refresh(&q->tables) == -1)
		log_error(NULL, "error", "what=tables error=%s",
		    LOGS(strerror(errno)));
}

/* The hour of an account, where it has a limit. */
static void
tell_hour(struct manager *q, const char *key, const struct addr *a,
    struct row *row)
{
	static const char *const names[OUTBOUND_WHATS][2] = {
		{ "used-messages-hour", "max-messages-hour" },
		{ "used-recipients-hour", "max-recipients-hour" },
	};
	uint64_t used[OUTBOUND_WHATS];
	struct sender s;

	memset(&s, 0, sizeof(s));
	of_account(q, a, &s);
	outbound_hour(&q->outbound, key, &s.hour, q->now, used);
	for (int w = 0; w < OUTBOUND_WHATS; w++) {
		if (s.hour.max[w] == 0)
			continue;
		row_number(row, names[w][0], (int64_t)used[w]);
		row_number(row, names[w][1], (int64_t)s.hour.max[w]);
	}
}

void
sending_tell(struct manager *q, const char *key, int fd)
{
	struct outbound_time t;
	struct addr a;
	struct row row;

	read_tables(q);
	times(q, &t);
	row_begin(&row);
	row_number(&row, "used-messages-day",
	    (int64_t)outbound_today(&q->outbound, key, &t));
	if (addr_parse(slice_of(key), &a) == ADDR_OK)
		tell_hour(q, key, &a, &row);
	if (row_send_to(fd, &row) == -1)
		log_debug(NULL, "registry-not-told", "error=%s",
		    LOGS(strerror(errno)));
}

/* What may be sent by this name of an entry now. */
static void
limits_of(void *arg, const char *key, struct outbound_limits *l)
{
	struct slice net = slice_of(key);
	struct manager *q = arg;
	struct sender s;
	struct addr a;
	char host[64];

	memset(&s, 0, sizeof(s));
	if (slice_starts_nocase(net, slice_of(SENDING_RELAY))) {
		(void)slice_cut(&net, ' ');
		if (slice_to_cstr(slice_cut(&net, '/'), host,
		    sizeof(host)) == 0)
			of_relay(q, host, &s);
	} else if (addr_parse(net, &a) == ADDR_OK)
		of_account(q, &a, &s);
	else
		by_configuration(q, &s);
	*l = s.hour;
}

static void
tell_eased(void *arg, const char *key)
{
	const struct outbound_answer a = { .verdict = OUTBOUND_PASS,
	    .before = OUTBOUND_HOLD };
	struct manager *q = arg;
	struct sender s = { .key = key };
	struct addr account;

	if (addr_parse(slice_of(key), &account) == ADDR_OK)
		of_account(q, &account, &s);
	tell_change(q, &s, &a);
}

void
sending_ease(struct manager *q)
{
	const struct outbound_watcher w = { limits_of, tell_eased, q };

	if (TAILQ_EMPTY(&q->outbound.restless) ||
	    q->now - q->outbound_eased < EASE_EVERY)
		return;
	q->outbound_eased = q->now;
	read_tables(q);
	outbound_ease(&q->outbound, &w, q->now);
}

void
sending_load(struct manager *q)
{
	struct outbound_time t;
	char *bytes;
	size_t len;

	q->outbound_saved = q->now;
	if (fsx_read_file(q->store.dirfd, FILE_NAME, OUTBOUND_FILE_MAX,
	    &bytes, &len) == -1) {
		if (errno != ENOENT)
			log_error(NULL, "error", "what=queue/" FILE_NAME
			    " error=%s", LOGS(strerror(errno)));
		return;
	}
	times(q, &t);
	if (outbound_decode(&q->outbound, slice_make(bytes, len), &t,
	    q->wall) == -1)
		log_error(NULL, "error", "what=queue/" FILE_NAME " error=%s "
		    "remedy=%s", LOGS(strerror(errno)),
		    LOGS("its counts are begun anew"));
	q->outbound.is_changed = q->outbound.has_moved = false;
	free(bytes);
}

void
sending_save(struct manager *q, bool is_last)
{
	struct str bytes = STR_INIT(OUTBOUND_FILE_MAX);

	if (!q->outbound.is_changed ||
	    (!is_last && q->now - q->outbound_saved <
	    (q->outbound.has_moved ? SAVE_SOON : SAVE_EVERY)))
		return;
	q->outbound_saved = q->now;
	q->outbound.is_changed = q->outbound.has_moved = false;
	outbound_encode(&q->outbound, q->now, q->wall, &bytes);
	errno = ENOMEM;
	if (!str_ok(&bytes) || fsx_replace(q->store.dirfd, FILE_NAME, 0600,
	    str_slice(&bytes)) == -1)
		log_error(NULL, "error", "what=queue/" FILE_NAME " error=%s",
		    LOGS(strerror(errno)));
	str_free(&bytes);
}
