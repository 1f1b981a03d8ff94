/* tls_memory.h - memory of a TLS connection: fresh pages, never the parent's. */
#ifndef AUTH_TLS_MEMORY_H
#define AUTH_TLS_MEMORY_H
/* SPDX-License-Identifier: ISC */

/*
 * A forked child that lets malloc reuse what the parent has freed writes into
 * the parent's pages all over the heap, and the kernel copies each of them. So
 * a child gives OpenSSL its memory from one region that nobody has touched.
 */

/* Before anything else of OpenSSL. 0, or -1: it was called too late. */
int tls_memory_init(void) __attribute__((warn_unused_result));
/* In the child, right after fork. */
void tls_memory_child(void);

#endif
