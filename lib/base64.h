/* base64.h - base64 (RFC 4648 section 4), strict. */
#ifndef LIB_BASE64_H
#define LIB_BASE64_H
/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include "lib/slice.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(s.len) bytes and a NUL to out. Returns the length. */
size_t base64_encode(struct slice s, char *out);
/*
 * Decodes s, with its padding, no spaces, canonical, to out[cap]. Returns the
 * number of bytes, or -1: not base64, or more than cap; out is undefined then.
 */
ssize_t base64_decode(struct slice s, void *out, size_t cap)
    __attribute__((warn_unused_result));

#endif
