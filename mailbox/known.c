/* known.c - messages that were met, by their places. */
/* SPDX-License-Identifier: ISC */

#include "mailbox/known.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t
add_bytes(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
	return h;
}

/* FNV-1a; never 0. */
static uint64_t
hash_of(const char *folder, struct slice unique)
{
	uint64_t h = add_bytes(14695981039346656037u, slice_of(folder));

	h = add_bytes(add_bytes(h, SLICE("/")), unique);
	return h == 0 ? 1 : h;
}

/* Its place, or the free one where it belongs. */
static uint64_t *
find(const struct known *k, uint64_t h)
{
	size_t i = h & (k->cap - 1);

	while (k->v[i] != 0 && k->v[i] != h)
		i = (i + 1) & (k->cap - 1);
	return &k->v[i];
}

static int
grow(struct known *k)
{
	struct known bigger = *k;

	bigger.cap = k->cap == 0 ? 1024 : 2 * k->cap;
	if (bigger.cap > 2 * KNOWN_MAX) {
		errno = ENOMEM;
		return -1;
	}
	if ((bigger.v = calloc(bigger.cap, sizeof(*bigger.v))) == NULL)
		return -1;
	for (size_t i = 0; i < k->cap; i++)
		if (k->v[i] != 0)
			*find(&bigger, k->v[i]) = k->v[i];
	free(k->v);
	*k = bigger;
	return 0;
}

bool
known_has(const struct known *k, const char *folder, struct slice unique)
{
	return k->cap > 0 && *find(k, hash_of(folder, unique)) != 0;
}

int
known_add(struct known *k, const char *folder, struct slice unique)
{
	uint64_t h = hash_of(folder, unique), *place;

	if (2 * k->n >= k->cap && grow(k) == -1)
		return -1;
	place = find(k, h);
	k->n += *place == 0;
	*place = h;
	return 0;
}

void
known_free(struct known *k)
{
	free(k->v);
	*k = (struct known){ .v = NULL };
}
