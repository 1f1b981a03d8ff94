/* sched.c - who is sent next: destinations, lanes and slots; no I/O. */
/* SPDX-License-Identifier: ISC */
#include "queue/sched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST 256
#define EAGER_MAX 3		/* jobs that wait: some letters */
#define EAGER_TURNS 8		/* that come before one with more */

/* How often a lane lets better ones pass before it has a turn. */
static const uint32_t patience[SCHED_LANES] = { 0, 8, 16, 32 };

/* FNV-1a. Chains stay short because the table grows with the destinations. */
static uint32_t
hash_key(uint8_t kind, const char *key, size_t len)
{
	uint32_t h = 2166136261u ^ kind;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)key[i]) * 16777619u;
	return h;
}

int
sched_init(struct sched *s)
{
	memset(s, 0, sizeof(*s));
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->eager);
	s->table = calloc(TABLE_FIRST, sizeof(*s->table));
	if (s->table == NULL)
		return -1;
	s->table_size = TABLE_FIRST;
	return 0;
}

static void
dest_free(struct sched_dest *d)
{
	for (size_t l = 0; l < SCHED_LANES; l++)
		for (size_t b = 0; b < SCHED_BUCKETS; b++) {
			struct sched_entries *list = &d->lanes[l].buckets[b];
			struct sched_entry *e;

			while ((e = TAILQ_FIRST(list)) != NULL) {
				TAILQ_REMOVE(list, e, link);
				free(e);
			}
		}
	free(d);
}

void
sched_free(struct sched *s)
{
	for (size_t i = 0; i < s->table_size; i++)
		while (s->table[i] != NULL) {
			struct sched_dest *d = s->table[i];

			s->table[i] = d->next;
			dest_free(d);
		}
	free(s->table);
	memset(s, 0, sizeof(*s));
}

/* Doubles the table; without memory the chains only get longer. */
static void
table_grow(struct sched *s)
{
	size_t size = s->table_size * 2;
	struct sched_dest **table = calloc(size, sizeof(*table));

	if (table == NULL)
		return;
	for (size_t i = 0; i < s->table_size; i++)
		while (s->table[i] != NULL) {
			struct sched_dest *d = s->table[i];

			s->table[i] = d->next;
			d->next = table[d->hash & (size - 1)];
			table[d->hash & (size - 1)] = d;
		}
	free(s->table);
	s->table = table;
	s->table_size = size;
}

static struct sched_dest *
dest_new(struct sched *s, uint8_t kind, const char *key, size_t len,
    uint32_t hash)
{
	struct sched_dest *d = calloc(1, sizeof(*d) + len + 1);

	if (d == NULL)
		return NULL;
	for (size_t l = 0; l < SCHED_LANES; l++)
		for (size_t b = 0; b < SCHED_BUCKETS; b++)
			TAILQ_INIT(&d->lanes[l].buckets[b]);
	memcpy(d->key, key, len);
	d->kind = kind;
	d->hash = hash;
	if (s->dests >= s->table_size)
		table_grow(s);
	d->next = s->table[hash & (s->table_size - 1)];
	s->table[hash & (s->table_size - 1)] = d;
	s->dests++;
	return d;
}

struct sched_dest *
sched_dest(struct sched *s, uint8_t kind, const char *key, size_t len,
    bool create)
{
	uint32_t hash = hash_key(kind, key, len);
	struct sched_dest *d = s->table[hash & (s->table_size - 1)];

	for (; d != NULL; d = d->next)
		if (d->hash == hash && d->kind == kind &&
		    strlen(d->key) == len && memcmp(d->key, key, len) == 0)
			return d;
	return create ? dest_new(s, kind, key, len, hash) : NULL;
}

struct sched_dest *
sched_dest_next(const struct sched *s, const struct sched_dest *after)
{
	size_t i = 0;

	if (after != NULL) {
		if (after->next != NULL)
			return after->next;
		i = (after->hash & (s->table_size - 1)) + 1;
	}
	for (; i < s->table_size; i++)
		if (s->table[i] != NULL)
			return s->table[i];
	return NULL;
}

static void
unready(struct sched *s, struct sched_dest *d)
{
	if (d->is_ready)
		TAILQ_REMOVE(d->is_eager ? &s->eager : &s->ready, d, ready);
	d->is_ready = false;
}

void
sched_dest_release(struct sched *s, struct sched_dest *d)
{
	struct sched_dest **p = &s->table[d->hash & (s->table_size - 1)];

	if (d->waiting > 0 || d->running > 0 || d->carrier != NULL)
		return;
	unready(s, d);
	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	s->dests--;
	dest_free(d);
}

/* Sizes by powers of four, so that there are few buckets to look at. */
static uint8_t
bucket_of(uint32_t waiting)
{
	uint8_t b = 0;

	for (uint32_t limit = 1; waiting > limit && b < SCHED_BUCKETS - 1;
	    limit *= 4)
		b++;
	return b;
}

/* An entry that has grown moves to the bucket of its size, in order of age. */
static void
entry_place(struct sched_entry *e, bool is_new)
{
	struct sched_lane *lane = &e->dest->lanes[e->lane];
	uint8_t bucket = bucket_of(e->waiting);
	struct sched_entry *before;

	if (!is_new && bucket == e->bucket)
		return;
	if (!is_new)
		TAILQ_REMOVE(&lane->buckets[e->bucket], e, link);
	e->bucket = bucket;
	before = TAILQ_LAST(&lane->buckets[bucket], sched_entries);
	while (before != NULL && before->sequence > e->sequence)
		before = TAILQ_PREV(before, sched_entries, link);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&lane->buckets[bucket], e, link);
	else
		TAILQ_INSERT_AFTER(&lane->buckets[bucket], before, e, link);
}

static struct sched_entry *
entry_new(struct sched *s, struct sched_dest *d, unsigned lane, void *owner)
{
	struct sched_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	TAILQ_INIT(&e->jobs);
	e->dest = d;
	e->owner = owner;
	e->lane = (uint8_t)lane;
	e->sequence = s->sequence++;
	d->lanes[lane].entries++;
	d->newest = e;
	return e;
}

/* An entry lives as long as something of it waits. */
static void
entry_shrink(struct sched_entry *e)
{
	struct sched_dest *d = e->dest;

	if (e->waiting > 0)
		return;
	TAILQ_REMOVE(&d->lanes[e->lane].buckets[e->bucket], e, link);
	d->lanes[e->lane].entries--;
	if (d->newest == e)
		d->newest = NULL;
	free(e);
}

static void
make_ready(struct sched *s, struct sched_dest *d)
{
	if (d->is_ready || d->is_parked || d->waiting == 0)
		return;
	d->is_ready = true;
	d->is_eager = d->waiting <= EAGER_MAX;
	TAILQ_INSERT_TAIL(d->is_eager ? &s->eager : &s->ready, d, ready);
}

int
sched_add(struct sched *s, struct sched_dest *d, unsigned lane, void *owner,
    struct sched_job *job)
{
	struct sched_entry *e = d->newest;
	bool is_new = e == NULL || e->owner != owner || e->lane != lane;

	if (lane >= SCHED_LANES) {
		errno = EINVAL;
		return -1;
	}
	if (is_new && (e = entry_new(s, d, lane, owner)) == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&e->jobs, job, link);
	job->entry = e;
	e->waiting++;
	d->waiting++;
	s->waiting++;
	entry_place(e, is_new);
	make_ready(s, d);
	return 0;
}

/* The oldest entry of a lane that is not empty. */
static struct sched_entry *
lane_head(const struct sched_lane *lane)
{
	struct sched_entry *head = NULL, *e;

	for (size_t b = 0; b < SCHED_BUCKETS; b++)
		if ((e = TAILQ_FIRST(&lane->buckets[b])) != NULL &&
		    (head == NULL || e->sequence < head->sequence))
			head = e;
	return head;
}

/* The smallest entry that the head's slots pay for, else NULL. */
static struct sched_entry *
lane_overtaker(const struct sched_lane *lane, const struct sched_entry *head)
{
	int64_t budget = (int64_t)head->slots + SCHED_SLOT_LOAN;

	for (size_t b = 0; b < head->bucket; b++) {
		struct sched_entry *e = TAILQ_FIRST(&lane->buckets[b]);

		if (e != NULL)
			return e->waiting <= budget ? e : NULL;
	}
	return NULL;
}

/* Which lane's turn it is; SCHED_LANES when all are empty. */
static size_t
choose_lane(const struct sched_dest *d)
{
	size_t first = SCHED_LANES;

	for (size_t l = 0; l < SCHED_LANES; l++) {
		if (d->lanes[l].entries == 0)
			continue;
		if (first == SCHED_LANES)
			first = l;
		else if (d->lanes[l].passed >= patience[l])
			return l;
	}
	return first;
}

static void
count_passed(struct sched_dest *d, size_t served)
{
	for (size_t l = served + 1; l < SCHED_LANES; l++)
		if (d->lanes[l].entries > 0)
			d->lanes[l].passed++;
	d->lanes[served].passed = 0;
}

struct sched_job *
sched_peek(const struct sched_dest *d)
{
	size_t l = choose_lane(d);
	struct sched_entry *head, *e;

	if (l == SCHED_LANES || (head = lane_head(&d->lanes[l])) == NULL)
		return NULL;
	e = lane_overtaker(&d->lanes[l], head);
	return TAILQ_FIRST(&(e != NULL ? e : head)->jobs);
}

/* Takes a waiting job out of its entry, which may end by that. */
static void
job_remove(struct sched *s, struct sched_job *job)
{
	struct sched_entry *e = job->entry;

	TAILQ_REMOVE(&e->jobs, job, link);
	job->entry = NULL;
	e->waiting--;
	e->dest->waiting--;
	s->waiting--;
	entry_shrink(e);
}

struct sched_job *
sched_take(struct sched *s, struct sched_dest *d)
{
	struct sched_job *job = sched_peek(d);
	struct sched_entry *e, *head;

	if (job == NULL)
		return NULL;
	e = job->entry;
	head = lane_head(&d->lanes[e->lane]);
	if (e != head && head != NULL)
		head->slots--;
	else if (++e->served % SCHED_SLOT_COST == 0 &&
	    e->slots < SCHED_SLOT_MAX)
		e->slots++;
	count_passed(d, e->lane);
	job_remove(s, job);
	d->running++;
	return job;
}

void
sched_done(struct sched_dest *d)
{
	if (d->running > 0)
		d->running--;
}

void
sched_cancel(struct sched *s, struct sched_job *job)
{
	if (job->entry != NULL)
		job_remove(s, job);
}

struct sched_dest *
sched_next_ready(struct sched *s)
{
	struct sched_dest *d;

	while (sched_has_ready(s)) {
		bool others = !TAILQ_EMPTY(&s->ready) &&
		    s->eager_turns >= EAGER_TURNS;

		d = TAILQ_FIRST(&s->eager);
		if (d == NULL || others)
			d = TAILQ_FIRST(&s->ready);
		s->eager_turns = d->is_eager ? s->eager_turns + 1 : 0;
		unready(s, d);
		if (d->waiting > 0)
			return d;
	}
	return NULL;
}

bool
sched_has_ready(const struct sched *s)
{
	return !TAILQ_EMPTY(&s->eager) || !TAILQ_EMPTY(&s->ready);
}

void
sched_park(struct sched *s, struct sched_dest *d)
{
	d->is_parked = true;
	unready(s, d);
}

void
sched_wake(struct sched *s, struct sched_dest *d)
{
	d->is_parked = false;
	make_ready(s, d);
}
