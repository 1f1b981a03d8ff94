/* tls_memory.c - memory of a TLS connection: fresh pages, never the parent's. */
/* SPDX-License-Identifier: ISC */

#include "auth/tls_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define REGION (192u * 1024)	/* a handshake takes about 120 KiB */
#define ALIGN 16u

/* Each piece is preceded by its size, for realloc. What is freed is used again
 * only when it was the last piece; what does not fit comes from malloc. */
static union {
	max_align_t align;
	unsigned char bytes[REGION];
} region;
static size_t used;
static bool in_child;

static bool
is_ours(const void *p)
{
	return (const unsigned char *)p >= region.bytes &&
	    (const unsigned char *)p < region.bytes + REGION;
}

static size_t
size_of(const void *p)
{
	size_t n;

	memcpy(&n, (const unsigned char *)p - ALIGN, sizeof(n));
	return n;
}

static void *
take(size_t n, const char *file, int line)
{
	size_t whole;
	unsigned char *p;

	(void)file;
	(void)line;
	if (!in_child || n > REGION - 2 * ALIGN)
		return malloc(n);
	whole = (n + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
	if (whole > REGION - used)
		return malloc(n);
	p = region.bytes + used;
	used += whole;
	memcpy(p, &n, sizeof(n));
	return p + ALIGN;
}

static void
give_back(void *p, const char *file, int line)
{
	size_t whole;

	(void)file;
	(void)line;
	if (!is_ours(p)) {
		free(p);
		return;
	}
	whole = (size_of(p) + ALIGN - 1) / ALIGN * ALIGN;
	if ((unsigned char *)p + whole == region.bytes + used)
		used -= whole + ALIGN;
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
	old = size_of(p);
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
