/* sandbox_impl.h - between the halves of the Linux sandbox. */
#ifndef LIB_SANDBOX_IMPL_H
#define LIB_SANDBOX_IMPL_H
/* SPDX-License-Identifier: ISC */

#include "lib/sandbox.h"

/*
 * Loads the filter of a role, made now if sandbox_prepare() has not. Returns 1,
 * 0 when the kernel has no seccomp filters, -1 with errno.
 */
int filter_load(enum sandbox_role role) __attribute__((warn_unused_result));

/* Sets has[] at the numbers of the calls of which a role may make some. */
void filter_mark(enum sandbox_role role, bool *has, size_t n);

/*
 * sandbox_narrow.c: what a process in the role outer must add to be in role,
 * which can do nothing that outer cannot. refuse is what the kernel is to do
 * for any other call. The number of instructions, 0 when it cannot be made.
 */
#define NARROW_MAX 256
struct sock_filter;
size_t filter_narrow(enum sandbox_role role, enum sandbox_role outer,
    unsigned refuse, struct sock_filter *code);

#endif
