/* tls_memory.h - memory of a TLS connection: fresh pages, never the parent's. */
#ifndef AUTH_TLS_MEMORY_H
#define AUTH_TLS_MEMORY_H
/* SPDX-License-Identifier: ISC */

#include <stddef.h>

/*
 * A forked child that lets malloc reuse what the parent has freed writes into
 * the parent's pages all over the heap, and the kernel copies each of them. So
 * a child gives OpenSSL its memory from one region that nobody has touched.
 */

/* Before anything else of OpenSSL. 0, or -1: it was called too late. */
int tls_memory_init(void) __attribute__((warn_unused_result));
/* In the child, right after fork. */
void tls_memory_child(void);
/* Gives back the pages that hold nothing any more: a connection at rest. */
void tls_memory_trim(void);
/* The same for bytes whose content nobody needs; it is lost in part. */
void tls_memory_forget(void *p, size_t size);

#endif
