/* memory.c - a bounded table that forgets what was not asked for longest. */
/* SPDX-License-Identifier: ISC */

#include "auth/memory.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/pack.h"

#define NONE UINT32_MAX
#define DIGEST_INPUT 4096

/* Entries are numbered; the lists run over numbers. */
struct entry {
	struct memory_key key;
	uint32_t chain;			/* the next of the same bucket */
	uint32_t newer, older;
};

struct memory {
	uint32_t capacity, used, mask;
	uint32_t newest, oldest;
	size_t value_size;
	uint32_t *buckets;
	struct entry *entries;
	unsigned char *values;
};

struct memory *
memory_new(size_t capacity, size_t value_size)
{
	struct memory *m = calloc(1, sizeof(*m));
	size_t buckets = 16;

	if (m == NULL)
		return NULL;
	while (buckets < capacity)
		buckets *= 2;
	m->capacity = (uint32_t)capacity;
	m->mask = (uint32_t)buckets - 1;
	m->newest = m->oldest = NONE;
	m->value_size = value_size;
	m->buckets = malloc(buckets * sizeof(*m->buckets));
	m->entries = calloc(capacity, sizeof(*m->entries));
	m->values = calloc(capacity, value_size);
	if (m->buckets == NULL || m->entries == NULL || m->values == NULL) {
		memory_free(m);
		return NULL;
	}
	memset(m->buckets, 0xff, buckets * sizeof(*m->buckets));
	return m;
}

void
memory_free(struct memory *m)
{
	if (m == NULL)
		return;
	free(m->buckets);
	free(m->entries);
	free(m->values);
	free(m);
}

static uint32_t *
bucket_of(struct memory *m, const struct memory_key *key)
{
	uint32_t h;

	memcpy(&h, key->b, sizeof(h));
	return &m->buckets[h & m->mask];
}

static void
unlink_entry(struct memory *m, uint32_t i)
{
	struct entry *e = &m->entries[i];

	if (e->newer != NONE)
		m->entries[e->newer].older = e->older;
	else
		m->newest = e->older;
	if (e->older != NONE)
		m->entries[e->older].newer = e->newer;
	else
		m->oldest = e->newer;
}

static void
link_newest(struct memory *m, uint32_t i)
{
	struct entry *e = &m->entries[i];

	e->newer = NONE;
	e->older = m->newest;
	if (m->newest != NONE)
		m->entries[m->newest].newer = i;
	else
		m->oldest = i;
	m->newest = i;
}

void *
memory_find(struct memory *m, const struct memory_key *key)
{
	uint32_t i = *bucket_of(m, key);

	while (i != NONE && memcmp(&m->entries[i].key, key, sizeof(*key)) != 0)
		i = m->entries[i].chain;
	if (i == NONE)
		return NULL;
	unlink_entry(m, i);
	link_newest(m, i);
	return m->values + (size_t)i * m->value_size;
}

/* Takes the oldest entry out of its bucket and of the list. */
static uint32_t
forget_oldest(struct memory *m)
{
	uint32_t i = m->oldest;
	uint32_t *link = bucket_of(m, &m->entries[i].key);

	while (*link != i)
		link = &m->entries[*link].chain;
	*link = m->entries[i].chain;
	unlink_entry(m, i);
	return i;
}

void *
memory_get(struct memory *m, const struct memory_key *key)
{
	void *value = memory_find(m, key);
	uint32_t i, *bucket;

	if (value != NULL)
		return value;
	i = m->used < m->capacity ? m->used++ : forget_oldest(m);
	bucket = bucket_of(m, key);
	m->entries[i].key = *key;
	m->entries[i].chain = *bucket;
	*bucket = i;
	link_newest(m, i);
	assert(m->values != NULL);
	value = m->values + (size_t)i * m->value_size;
	memset(value, 0, m->value_size);
	return value;
}

void
memory_digest(const uint8_t secret[32], char kind, const struct slice *parts,
    size_t n, struct memory_key *out)
{
	unsigned char input[DIGEST_INPUT];
	struct packer k;

	pack_init(&k, input, sizeof(input));
	pack_u8(&k, (uint8_t)kind);
	for (size_t i = 0; i < n; i++)
		pack_bytes(&k, parts[i]);
	/* A fixed input of this size cannot fail; if it does, nothing may
	 * ever match. */
	if (k.bad || HMAC(EVP_sha256(), secret, 32, input, k.len, out->b,
	    NULL) == NULL)
		abort();
	explicit_bzero(input, k.len);
}
