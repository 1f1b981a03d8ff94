/* outbound.c - who has sent how much: counters of an hour and of a day. No I/O. */
/* SPDX-License-Identifier: ISC */
#include "queue/outbound.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/pack.h"
#include "queue/envelope.h"

#define BUCKETS 16384u
#define MAGIC "malleo1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define WAS_HELD 0x10u		/* beside the state */
#define HALF_DAY (12 * OUTBOUND_HOUR)
#define RATE_MAX UINT64_C(1000000000)	/* sums of it stay far from 64 bits */
#define LEVEL_MAX (OUTBOUND_HOLD_FACTOR * RATE_MAX * OUTBOUND_HOUR)

int
outbound_init(struct outbound *o, uint32_t max)
{
	memset(o, 0, sizeof(*o));
	TAILQ_INIT(&o->silent);
	TAILQ_INIT(&o->restless);
	o->max = max;
	o->table = calloc(BUCKETS, sizeof(*o->table));
	return o->table != NULL ? 0 : -1;
}

static void
forget(struct outbound *o, struct outbound_entry *e)
{
	struct outbound_entry **p = &o->table[e->hash % BUCKETS];

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	TAILQ_REMOVE(&o->silent, e, link);
	if (e->state != OUTBOUND_PASS)
		TAILQ_REMOVE(&o->restless, e, restless);
	o->count--;
	free(e);
}

void
outbound_free(struct outbound *o)
{
	struct outbound_entry *e;

	while ((e = TAILQ_FIRST(&o->silent)) != NULL)
		forget(o, e);
	free(o->table);
	o->table = NULL;
}

/* FNV-1a: keys are our accounts, nobody chooses them to collide. */
static uint32_t
hash_of(const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h;
}

static struct outbound_entry *
find(const struct outbound *o, const char *key)
{
	uint32_t hash = hash_of(key);
	struct outbound_entry *e = o->table[hash % BUCKETS];

	while (e != NULL && (e->hash != hash || strcmp(e->key, key) != 0))
		e = e->next;
	return e;
}

/* The entry, made if need be, as the one heard last. NULL: no memory. */
static struct outbound_entry *
get(struct outbound *o, const char *key, int64_t now)
{
	struct outbound_entry *e = find(o, key);
	size_t len = strlen(key);

	if (e != NULL) {
		TAILQ_REMOVE(&o->silent, e, link);
		TAILQ_INSERT_TAIL(&o->silent, e, link);
		return e;
	}
	if (len > OUTBOUND_KEY_MAX ||
	    (e = calloc(1, sizeof(*e) + len + 1)) == NULL)
		return NULL;
	if (o->count >= o->max)
		forget(o, TAILQ_FIRST(&o->silent));
	memcpy(e->key, key, len + 1);
	e->hash = hash_of(key);
	e->seen = now;
	e->day = INT64_MIN;
	e->next = o->table[e->hash % BUCKETS];
	o->table[e->hash % BUCKETS] = e;
	TAILQ_INSERT_TAIL(&o->silent, e, link);
	o->count++;
	return e;
}

/* What becomes of the entry; once it passes, the next hold is a new one. */
static void
set_state(struct outbound *o, struct outbound_entry *e,
    enum outbound_verdict state)
{
	o->has_moved |= e->state != state;
	if (e->state != OUTBOUND_PASS)
		TAILQ_REMOVE(&o->restless, e, restless);
	e->state = state;
	if (state != OUTBOUND_PASS)
		TAILQ_INSERT_TAIL(&o->restless, e, restless);
	else
		e->was_held = false;
}

static uint64_t
rate_of(const struct outbound_limits *l, int what)
{
	return l->max[what] < RATE_MAX ? l->max[what] : RATE_MAX;
}

/* What is left in a vessel that drains max an hour. */
static uint64_t
level_at(const struct outbound_entry *e, enum outbound_what what, uint64_t max,
    int64_t now)
{
	uint64_t drained, passed = now > e->seen ?
	    (uint64_t)(now - e->seen) : 0;

	if (__builtin_mul_overflow(passed, max, &drained) ||
	    drained >= e->level[what])
		return 0;
	return e->level[what] - drained;
}

/* A level in messages or recipients. */
static uint64_t
rounded_up(uint64_t level)
{
	return level / OUTBOUND_HOUR + (level % OUTBOUND_HOUR != 0);
}

/* Not even for one more. */
static bool
has_no_room(uint64_t level, uint64_t max)
{
	return level > (OUTBOUND_HOLD_FACTOR * max - 1) * OUTBOUND_HOUR;
}

bool
outbound_is_over(const struct outbound *o, const char *key,
    const struct outbound_limits *l, int64_t now)
{
	const struct outbound_entry *e = find(o, key);

	for (int w = 0; e != NULL && w < OUTBOUND_WHATS; w++)
		if (l->max[w] > 0 && has_no_room(level_at(e, w,
		    rate_of(l, w), now), rate_of(l, w)))
			return true;
	return false;
}

/* The verdict on a vessel at this level, the message included. */
static enum outbound_verdict
judge(uint64_t level, uint64_t max, int64_t *delay)
{
	uint64_t hour = max * OUTBOUND_HOUR;

	*delay = 0;
	if (level <= hour)
		return OUTBOUND_PASS;
	if (level > OUTBOUND_SLOW_FACTOR * hour)
		return OUTBOUND_HOLD;
	*delay = (int64_t)((level - hour + max - 1) / max);
	return OUTBOUND_SLOW;
}

/* One more kind of thing is asked for; the worst answer counts. */
static void
ask(const struct outbound_entry *e, enum outbound_what what, uint64_t more,
    uint64_t max, int64_t now, struct outbound_answer *a)
{
	uint64_t before = level_at(e, what, max, now), level;
	enum outbound_verdict v;
	int64_t delay;

	if (__builtin_mul_overflow(more, OUTBOUND_HOUR, &level) ||
	    __builtin_add_overflow(level, before, &level))
		level = UINT64_MAX;
	v = judge(level, max, &delay);
	if (has_no_room(before, max))
		v = OUTBOUND_REFUSE;
	if (v < a->verdict || (v == a->verdict && delay <= a->delay))
		return;
	a->verdict = v;
	a->delay = delay;
	a->what = what;
	a->max = max;
	a->used = rounded_up(level);
}

void
outbound_hour(const struct outbound *o, const char *key,
    const struct outbound_limits *l, int64_t now,
    uint64_t used[OUTBOUND_WHATS])
{
	const struct outbound_entry *e = find(o, key);

	for (int w = 0; w < OUTBOUND_WHATS; w++)
		used[w] = e == NULL ? 0 :
		    rounded_up(level_at(e, w, rate_of(l, w), now));
}

static void
fill(struct outbound_entry *e, enum outbound_what what, uint64_t more,
    uint64_t max, int64_t now)
{
	uint64_t full = OUTBOUND_HOLD_FACTOR * max * OUTBOUND_HOUR, level;

	if (__builtin_mul_overflow(more, OUTBOUND_HOUR, &level) ||
	    __builtin_add_overflow(level, level_at(e, what, max, now),
	    &level) || level > full)
		level = full;
	e->level[what] = level;
}

struct outbound_answer
outbound_take(struct outbound *o, const char *key,
    const struct outbound_limits *l, uint64_t recipients, int64_t now)
{
	const uint64_t more[OUTBOUND_WHATS] = { 1, recipients };
	struct outbound_answer a = { .verdict = OUTBOUND_PASS };
	struct outbound_entry *e;

	if (l->max[OUTBOUND_MESSAGES] == 0 && l->max[OUTBOUND_RECIPIENTS] == 0)
		return a;
	if ((e = get(o, key, now)) == NULL)
		return a;
	a.before = e->state;
	for (int w = 0; w < OUTBOUND_WHATS; w++)
		if (l->max[w] > 0)
			ask(e, w, more[w], rate_of(l, w), now, &a);
	o->is_changed = true;
	set_state(o, e, a.verdict);
	a.is_first_held = a.verdict == OUTBOUND_HOLD && !e->was_held;
	e->was_held |= a.is_first_held;
	if (a.verdict == OUTBOUND_REFUSE)
		return a;
	for (int w = 0; w < OUTBOUND_WHATS; w++)
		if (l->max[w] > 0)
			fill(e, w, more[w], rate_of(l, w), now);
		else
			e->level[w] = 0;
	/* The clock of this entry goes on only now, for both vessels. */
	if (now > e->seen)
		e->seen = now;
	return a;
}

/* Whether one more message, to one recipient, would pass. */
static bool
is_eased(const struct outbound_entry *e, const struct outbound_limits *l,
    int64_t now)
{
	for (int w = 0; w < OUTBOUND_WHATS; w++)
		if (l->max[w] > 0 && level_at(e, w, rate_of(l, w), now) >
		    (rate_of(l, w) - 1) * OUTBOUND_HOUR)
			return false;
	return true;
}

void
outbound_ease(struct outbound *o, const struct outbound_watcher *w,
    int64_t now)
{
	struct outbound_entry *e = TAILQ_FIRST(&o->restless), *next;

	for (; e != NULL; e = next) {
		struct outbound_limits l = { { 0, 0 } };

		next = TAILQ_NEXT(e, restless);
		w->limits(w->arg, e->key, &l);
		if (!is_eased(e, &l, now))
			continue;
		set_state(o, e, OUTBOUND_PASS);
		o->is_changed = true;
		w->eased(w->arg, e->key);
	}
}

/* Whether the entry counts for this day, or for one that is over. */
static bool
is_of_today(const struct outbound_entry *e, const struct outbound_time *t)
{
	return e->day == t->day || (e->day != INT64_MIN &&
	    t->now - e->day_began < HALF_DAY);
}

uint64_t
outbound_today(const struct outbound *o, const char *key,
    const struct outbound_time *t)
{
	const struct outbound_entry *e = find(o, key);

	return e != NULL && is_of_today(e, t) ? e->today : 0;
}

void
outbound_add_today(struct outbound *o, const char *key,
    const struct outbound_time *t)
{
	struct outbound_entry *e = get(o, key, t->now);

	if (e == NULL)
		return;
	if (!is_of_today(e, t)) {
		e->day = t->day;
		e->day_began = t->now - t->since_midnight;
		e->today = 0;
	}
	e->today++;
	o->is_changed = true;
}

/*
 * The file: magic; CRC-32 of the rest; wall clock (64 bits); number (32); of
 * each, the longest silent first: text key, u8 state and whether it was held,
 * two levels, ms of silence, day, count of the day (64 bits each).
 */
void
outbound_encode(const struct outbound *o, int64_t now, int64_t wall,
    struct str *out)
{
	const struct outbound_entry *e;
	unsigned char space[OUTBOUND_KEY_MAX + 64];
	struct packer k;

	str_put(out, SLICE(MAGIC));
	str_put(out, slice_make("\0\0\0\0", 4));
	pack_init(&k, space, sizeof(space));
	pack_u64(&k, (uint64_t)wall);
	pack_u32(&k, o->count);
	str_put(out, pack_slice(&k));
	TAILQ_FOREACH(e, &o->silent, link) {
		pack_init(&k, space, sizeof(space));
		pack_bytes(&k, slice_of(e->key));
		pack_u8(&k, (uint8_t)(e->state |
		    (e->was_held ? WAS_HELD : 0)));
		for (int w = 0; w < OUTBOUND_WHATS; w++)
			pack_u64(&k, e->level[w]);
		pack_u64(&k, now > e->seen ? (uint64_t)(now - e->seen) : 0);
		pack_u64(&k, (uint64_t)e->day);
		pack_u64(&k, e->today);
		str_put(out, pack_slice(&k));
	}
	if (!str_ok(out))
		return;
	pack_init(&k, out->p + MAGIC_LEN, 4);
	pack_u32(&k, crc_add(0, out->p + MAGIC_LEN + 4,
	    out->len - MAGIC_LEN - 4));
}

static int
decode_entry(struct outbound *o, struct unpacker *u,
    const struct outbound_time *t, int64_t away)
{
	char key[OUTBOUND_KEY_MAX + 1];
	struct outbound_entry *e;
	struct slice name = unpack_text(u, OUTBOUND_KEY_MAX);
	uint8_t state = unpack_u8(u);
	uint64_t level[OUTBOUND_WHATS], silent, today;
	int64_t day;

	for (int w = 0; w < OUTBOUND_WHATS; w++)
		level[w] = unpack_u64(u);
	silent = unpack_u64(u);
	day = (int64_t)unpack_u64(u);
	today = unpack_u64(u);
	if (u->bad || slice_to_cstr(name, key, sizeof(key)) == -1 ||
	    (state & ~WAS_HELD) > OUTBOUND_REFUSE) {
		errno = EBADMSG;
		return -1;
	}
	if ((e = get(o, key, t->now)) == NULL)
		return -1;
	set_state(o, e, state & ~WAS_HELD);
	e->was_held = (state & WAS_HELD) != 0;
	for (int w = 0; w < OUTBOUND_WHATS; w++)
		e->level[w] = level[w] < LEVEL_MAX ? level[w] : LEVEL_MAX;
	/* Nothing takes longer than a day to drain or to be over. */
	if (silent > 24 * OUTBOUND_HOUR)
		silent = 24 * OUTBOUND_HOUR;
	e->seen = t->now - (int64_t)silent - away;
	if (day == t->day) {
		e->day = day;
		e->day_began = t->now - t->since_midnight;
		e->today = today;
	}
	return 0;
}

int
outbound_decode(struct outbound *o, struct slice bytes,
    const struct outbound_time *t, int64_t wall)
{
	struct unpacker u;
	int64_t written, away = 0;
	uint32_t n, crc;

	errno = EBADMSG;
	if (bytes.len < MAGIC_LEN + 4 ||
	    memcmp(bytes.p, MAGIC, MAGIC_LEN) != 0)
		return -1;
	unpack_init(&u, slice_skip(bytes, MAGIC_LEN));
	crc = unpack_u32(&u);
	if (crc != crc_add(0, u.p, u.len))
		return -1;
	written = (int64_t)unpack_u64(&u);
	n = unpack_u32(&u);
	if (!__builtin_sub_overflow(wall, written, &away) && away > 0)
		away = away < 86400 ? away * 1000 : 24 * OUTBOUND_HOUR;
	else
		away = 0;
	while (n-- > 0)
		if (decode_entry(o, &u, t, away) == -1)
			return -1;
	errno = EBADMSG;
	return unpack_end(&u) ? 0 : -1;
}
