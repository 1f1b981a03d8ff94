/* user_usage.h - malle user list --usage. */
#ifndef TOOLS_USER_USAGE_H
#define TOOLS_USER_USAGE_H
/* SPDX-License-Identifier: ISC */

#include "tools/malle.h"

/* The mailboxes of a domain and what they hold. The exit status. */
int user_list_usage(struct malle *m, int argc, char **argv);

#endif
