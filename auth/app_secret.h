/* app_secret.h - application passwords: made, and recognised. */
#ifndef AUTH_APP_SECRET_H
#define AUTH_APP_SECRET_H
/* SPDX-License-Identifier: ISC */

#include "lib/app_password.h"

/*
 * The program makes them, nobody chooses one: 20 letters and digits of 32 that
 * are not taken for one another, 100 random bits, shown in groups of four. With
 * that much chance in it one round of HMAC-SHA-256, keyed with the salt, is as
 * good as a slow hash. What is typed may have any case, spaces and hyphens; o
 * is taken for 0, i and l for 1.
 */
#define APP_SECRET_LETTERS 20
#define APP_SECRET_TEXT (APP_SECRET_LETTERS + 5)	/* "xxxx-...", NUL */

/* A new one in out[APP_SECRET_TEXT], its salt and digest in *p. 0 or -1. */
int app_secret_make(struct app_password *p, char *out)
    __attribute__((warn_unused_result));
/*
 * True when what was typed is one of the list, with *out. What it costs tells
 * neither how many there are nor whether one matched.
 */
bool app_secret_find(struct slice list, struct slice typed,
    struct app_password *out);

#endif
