/* sandbox_none.c - no sandbox: sanitized builds need calls of their own. */
/* SPDX-License-Identifier: ISC */
#include "lib/sandbox.h"

#include <stddef.h>

int
sandbox_prepare(enum sandbox_role role)
{
	(void)role;
	return 0;
}

int
sandbox_prepare_within(enum sandbox_role role, enum sandbox_role outer)
{
	(void)role;
	(void)outer;
	return 0;
}

int
sandbox_enter(enum sandbox_role role, const struct sandbox_path *paths,
    size_t n, struct sandbox_got *got)
{
	(void)role;
	(void)paths;
	(void)n;
	*got = (struct sandbox_got){ false, false, 0 };
	sandbox_remember(got);
	return 0;
}
