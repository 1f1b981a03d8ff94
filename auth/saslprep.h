/* saslprep.h - one form for the many ways to type the same password. */
#ifndef AUTH_SASLPREP_H
#define AUTH_SASLPREP_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

/*
 * SASLprep (RFC 4013) of s into out[cap]. Plain ASCII is copied as it is. Code
 * points that Unicode 3.2 did not know are allowed, as for queries (RFC 3454
 * section 7): people do use newer ones. Returns 0 with the length in *len, or
 * -1 with errno and *len untouched: EILSEQ (not UTF-8, a control, a character
 * of no lasting meaning, mixed directions, nothing left), ENOBUFS, ENOMEM.
 */
int saslprep(struct slice s, char *out, size_t cap, size_t *len)
    __attribute__((warn_unused_result));

/* True when s is well-formed UTF-8 without NUL. */
bool utf8_is_valid(struct slice s);

#endif
