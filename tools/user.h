/* user.h - commands below "malle user" that have a file of their own. */
#ifndef TOOLS_USER_H
#define TOOLS_USER_H
/* SPDX-License-Identifier: ISC */

#include "tools/malle.h"

/* malle user app-password: add, list, delete. */
int user_app_password(struct malle *m, int argc, char **argv);
/* malle user check. */
int user_check(struct malle *m, int argc, char **argv);

#endif
