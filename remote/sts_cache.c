/* sts_cache.c - the MTA-STS policies that malle-sts has fetched. */
/* SPDX-License-Identifier: ISC */

#include "remote/sts.h"

#include <stdlib.h>
#include <sys/queue.h>

#define BUCKETS 1024
#define CACHE_MAX 8192

struct entry {
	struct sts_known known;
	LIST_ENTRY(entry) bucket;
	TAILQ_ENTRY(entry) used;
};

/* One cache in a process: the newest at the head. */
static LIST_HEAD(bucket, entry) buckets[BUCKETS];
static TAILQ_HEAD(uses, entry) by_use = TAILQ_HEAD_INITIALIZER(by_use);
static size_t n_entries;

/* FNV-1a; who floods one bucket makes only its own look-ups slow, up to
 * CACHE_MAX steps. */
static size_t
bucket_of(const char *domain)
{
	uint32_t h = 2166136261u;

	while (*domain != '\0')
		h = (h ^ (unsigned char)*domain++) * 16777619u;
	return h % BUCKETS;
}

struct sts_known *
sts_cache_find(const char *domain)
{
	struct entry *e;

	LIST_FOREACH(e, &buckets[bucket_of(domain)], bucket) {
		if (strcmp(e->known.domain, domain) != 0)
			continue;
		TAILQ_REMOVE(&by_use, e, used);
		TAILQ_INSERT_HEAD(&by_use, e, used);
		return &e->known;
	}
	return NULL;
}

struct sts_known *
sts_cache_make(const char *domain)
{
	struct sts_known *known = sts_cache_find(domain);
	struct entry *e;

	if (known != NULL)
		return known;
	if (n_entries < CACHE_MAX) {
		if ((e = calloc(1, sizeof(*e))) == NULL)
			return NULL;
		n_entries++;
	} else {
		e = TAILQ_LAST(&by_use, uses);
		TAILQ_REMOVE(&by_use, e, used);
		LIST_REMOVE(e, bucket);
		memset(&e->known, 0, sizeof(e->known));
	}
	memcpy(e->known.domain, domain, strlen(domain) + 1);
	LIST_INSERT_HEAD(&buckets[bucket_of(domain)], e, bucket);
	TAILQ_INSERT_HEAD(&by_use, e, used);
	return &e->known;
}
