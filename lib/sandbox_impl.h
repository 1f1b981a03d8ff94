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

#endif
