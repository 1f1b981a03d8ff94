/* worst.h - words that make bad passwords, with or without digits. */
#ifndef REGISTRY_WORST_H
#define REGISTRY_WORST_H
/* SPDX-License-Identifier: ISC */

#include <stddef.h>

/* Sorted as bytes, lower case. */
extern const char *const *const worst_words;
extern const size_t worst_count;

#endif
