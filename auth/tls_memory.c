/* tls_memory.c - memory of a TLS connection: fresh pages, never the parent's. */
/* SPDX-License-Identifier: ISC */

#include "auth/tls_memory.h"

#include <sys/mman.h>

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#define REGION (192u * 1024)	/* a handshake takes about 120 KiB */
#define ALIGN 16u

/*
 * Each piece is preceded by its size, for realloc, and whether it is free. What
 * is freed is used again only when it was the last piece; what does not fit
 * comes from malloc. The pieces fill the region from its start to used, so they
 * can be walked.
 */
struct piece {
	size_t size;		/* asked for; rounded up to ALIGN */
	size_t is_free;
};
_Static_assert(sizeof(struct piece) == ALIGN, "a piece's head is aligned");

static union {
	max_align_t align;
	unsigned char bytes[REGION];
} region;
static size_t used;
static bool in_child, has_overflown;

static bool
is_ours(const void *p)
{
	return (const unsigned char *)p >= region.bytes &&
	    (const unsigned char *)p < region.bytes + REGION;
}

static struct piece
head_of(const void *p)
{
	struct piece head;

	memcpy(&head, (const unsigned char *)p - ALIGN, sizeof(head));
	return head;
}

static void
set_head(void *p, size_t size, bool is_free)
{
	struct piece head = { size, is_free };

	memcpy((unsigned char *)p - ALIGN, &head, sizeof(head));
}

static size_t
whole_size(const struct piece *head)
{
	return (head->size + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
}

static void *
take(size_t n, const char *file, int line)
{
	size_t whole;
	unsigned char *p;

	(void)file;
	(void)line;
	if (!in_child)
		return malloc(n);
	whole = n > REGION ? REGION : (n + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
	if (whole > REGION - used || n > REGION) {
		has_overflown = true;
		return malloc(n);
	}
	p = region.bytes + used;
	used += whole;
	set_head(p + ALIGN, n, false);
	return p + ALIGN;
}

static void
give_back(void *p, const char *file, int line)
{
	struct piece head;

	(void)file;
	(void)line;
	if (!is_ours(p)) {
		free(p);
		return;
	}
	head = head_of(p);
	if ((unsigned char *)p - ALIGN + whole_size(&head) ==
	    region.bytes + used)
		used -= whole_size(&head);
	else
		set_head(p, head.size, true);
}

static void *
resize(void *p, size_t n, const char *file, int line)
{
	size_t old;
	void *new;

	if (p == NULL)
		return take(n, file, line);
	if (!is_ours(p))
		return realloc(p, n);
	old = head_of(p).size;
	if ((new = take(n, file, line)) == NULL)
		return NULL;
	memcpy(new, p, old < n ? old : n);
	give_back(p, file, line);
	return new;
}

int
tls_memory_init(void)
{
	return CRYPTO_set_mem_functions(take, resize, give_back) == 1 ? 0 : -1;
}

void
tls_memory_child(void)
{
	in_child = true;
}

/* Pages that lie wholly between from and to are zero again, and nobody's. */
static void
drop(unsigned char *from, const unsigned char *to)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t before = -(uintptr_t)from % page;

	if ((size_t)(to - from) < before + page)
		return;
	from += before;
	(void)madvise(from, (size_t)(to - from) / page * page, MADV_DONTNEED);
}

/* The free pieces from *at on become one, whose end *at is moved to. */
static void
drop_run(size_t *at)
{
	size_t start = *at;
	struct piece head;

	while (*at < used &&
	    (head = head_of(region.bytes + *at + ALIGN)).is_free != 0)
		*at += whole_size(&head);
	set_head(region.bytes + start + ALIGN, *at - start - ALIGN, true);
	drop(region.bytes + start + ALIGN, region.bytes + *at);
}

void
tls_memory_trim(void)
{
	struct piece head;
	size_t at = 0;

	/* Untouched, malloc's pages are the parent's still. */
	if (has_overflown)
		(void)malloc_trim(0);
	while (at < used) {
		head = head_of(region.bytes + at + ALIGN);
		if (head.is_free != 0)
			drop_run(&at);
		else
			at += whole_size(&head);
	}
	drop(region.bytes + used, region.bytes + REGION);
}

void
tls_memory_forget(void *p, size_t size)
{
	drop(p, (const unsigned char *)p + size);
}
