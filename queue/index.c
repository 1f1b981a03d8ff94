/* index.c - all messages that wait, in little memory, by id and by due time. */
/* SPDX-License-Identifier: ISC */
#include "queue/index.h"

#include <errno.h>
#include <stdlib.h>

#define TABLE_FIRST 1024

/* Ids of one second share their beginning: the end is what differs. */
static uint32_t
hash_id(const char *id)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < ID_LEN; i++)
		h = (h ^ (unsigned char)id[i]) * 16777619u;
	return h;
}

int
index_init(struct index *x)
{
	memset(x, 0, sizeof(*x));
	x->table = calloc(TABLE_FIRST, sizeof(*x->table));
	if (x->table == NULL)
		return -1;
	x->table_size = TABLE_FIRST;
	return 0;
}

void
index_clear(struct index *x)
{
	for (size_t i = 0; i < x->n_chunks; i++)
		free(x->chunks[i]);
	free(x->chunks);
	free(x->table);
	for (size_t i = 0; i < INDEX_LANES; i++)
		free(x->heaps[i].v);
	memset(x, 0, sizeof(*x));
}

struct message *
index_slot(const struct index *x, uint32_t slot)
{
	struct message *m;

	if (slot >= x->slots)
		return NULL;
	m = &x->chunks[slot / INDEX_CHUNK][slot % INDEX_CHUNK];
	return m->is_used ? m : NULL;
}

static struct message *
at(const struct index *x, uint32_t slot)
{
	return &x->chunks[slot / INDEX_CHUNK][slot % INDEX_CHUNK];
}

static int
chunk_add(struct index *x)
{
	struct message **chunks, *chunk;

	chunks = reallocarray(x->chunks, x->n_chunks + 1, sizeof(*chunks));
	if (chunks == NULL)
		return -1;
	x->chunks = chunks;
	chunk = calloc(INDEX_CHUNK, sizeof(*chunk));
	if (chunk == NULL)
		return -1;
	x->chunks[x->n_chunks++] = chunk;
	return 0;
}

static int
heap_room(struct index_heap *h)
{
	size_t cap = h->cap > 0 ? h->cap * 2 : 1024;
	struct message **v;

	if (h->messages < h->cap)
		return 0;
	v = reallocarray(h->v, cap, sizeof(*v));
	if (v == NULL)
		return -1;
	h->v = v;
	h->cap = cap;
	return 0;
}

static void
table_insert(struct index *x, struct message *m)
{
	uint32_t *bucket = &x->table[hash_id(m->id) & (x->table_size - 1)];

	m->next = *bucket;
	*bucket = m->slot + 1;
}

/* Without memory the chains only get longer. */
static void
table_grow(struct index *x)
{
	uint32_t *table;

	if (x->count < x->table_size)
		return;
	table = calloc(x->table_size * 2, sizeof(*table));
	if (table == NULL)
		return;
	free(x->table);
	x->table = table;
	x->table_size *= 2;
	for (uint32_t i = 0; i < x->slots; i++)
		if (at(x, i)->is_used)
			table_insert(x, at(x, i));
}

/* A slot that nobody uses. NULL: no memory. */
static struct message *
slot_take(struct index *x)
{
	struct message *m;

	if (x->free != 0) {
		m = at(x, x->free - 1);
		x->free = m->next;
		return m;
	}
	if (x->slots == x->n_chunks * INDEX_CHUNK && chunk_add(x) == -1)
		return NULL;
	m = at(x, x->slots);
	m->slot = x->slots++;
	return m;
}

struct message *
index_add(struct index *x, const char *id, uint8_t lane)
{
	struct message *m;
	uint32_t slot;

	if (index_find(x, slice_of(id)) != NULL) {
		errno = EEXIST;
		return NULL;
	}
	if (heap_room(&x->heaps[lane]) == -1 || (m = slot_take(x)) == NULL)
		return NULL;
	slot = m->slot;
	memset(m, 0, sizeof(*m));
	m->slot = slot;
	m->lane = lane;
	memcpy(m->id, id, ID_LEN + 1);
	table_grow(x);
	m->is_used = true;
	table_insert(x, m);
	x->count++;
	x->heaps[lane].messages++;
	return m;
}

void
index_remove(struct index *x, struct message *m)
{
	uint32_t *p = &x->table[hash_id(m->id) & (x->table_size - 1)];

	index_unschedule(x, m);
	while (*p != m->slot + 1)
		p = &at(x, *p - 1)->next;
	*p = m->next;
	m->is_used = false;
	m->next = x->free;
	x->free = m->slot + 1;
	x->count--;
	x->heaps[m->lane].messages--;
}

struct message *
index_find(const struct index *x, struct slice id)
{
	uint32_t slot;

	if (id.len != ID_LEN)
		return NULL;
	slot = x->table[hash_id(id.p) & (x->table_size - 1)];
	for (; slot != 0; slot = at(x, slot - 1)->next)
		if (memcmp(at(x, slot - 1)->id, id.p, ID_LEN) == 0)
			return at(x, slot - 1);
	return NULL;
}

static void
heap_set(struct index_heap *h, size_t i, struct message *m)
{
	h->v[i] = m;
	m->heap = (uint32_t)i + 1;
}

static void
sift_up(struct index_heap *h, size_t i, struct message *m)
{
	while (i > 0 && h->v[(i - 1) / 2]->due > m->due) {
		heap_set(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_set(h, i, m);
}

static void
sift_down(struct index_heap *h, size_t i, struct message *m)
{
	size_t child;

	while ((child = 2 * i + 1) < h->len) {
		if (child + 1 < h->len &&
		    h->v[child + 1]->due < h->v[child]->due)
			child++;
		if (h->v[child]->due >= m->due)
			break;
		heap_set(h, i, h->v[child]);
		i = child;
	}
	heap_set(h, i, m);
}

void
index_unschedule(struct index *x, struct message *m)
{
	struct index_heap *h = &x->heaps[m->lane];
	size_t i = m->heap;
	struct message *last;

	if (i == 0)
		return;
	m->heap = 0;
	last = h->v[--h->len];
	if (last == m)
		return;
	if (last->due < m->due)
		sift_up(h, i - 1, last);
	else
		sift_down(h, i - 1, last);
}

void
index_schedule(struct index *x, struct message *m, int64_t due)
{
	struct index_heap *h = &x->heaps[m->lane];

	index_unschedule(x, m);
	m->due = due;
	sift_up(h, h->len++, m);
}

struct message *
index_first(const struct index *x, uint8_t lane)
{
	const struct index_heap *h = &x->heaps[lane];

	return h->len > 0 ? h->v[0] : NULL;
}
