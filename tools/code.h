/* code.h - the security code of admin: malle manager code, malle manager recover. */
#ifndef TOOLS_CODE_H
#define TOOLS_CODE_H
/* SPDX-License-Identifier: ISC */

#include "tools/malle.h"

int manager_code(struct malle *m, int argc, char **argv);
int manager_recover(struct malle *m, int argc, char **argv);

#endif
