/* app_password.h - the application passwords of an account, as they are kept. */
#ifndef LIB_APP_PASSWORD_H
#define LIB_APP_PASSWORD_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

/*
 * A list is text, one application password a line, each name once:
 *
 *	SALT DIGEST SERVICES CREATED UNTIL NAME
 *
 * SALT and DIGEST are base64 (auth/app_secret.h says of what), SERVICES is
 * "pop3", "smtp" or "pop3,smtp", CREATED and UNTIL are seconds since 1970
 * (UNTIL 0: for ever), NAME is the rest of the line, without control bytes. The
 * registry keeps it with the mailbox and copies it into the secret_record of
 * lib/account.h.
 */
#define APP_PASSWORDS_MAX 20		/* of an account */
#define APP_NAME_MAX 64			/* bytes */
#define APP_SALT 16
#define APP_DIGEST 32
#define APP_LINE_MAX 256		/* of a line, with its end */

struct app_password {
	uint8_t salt[APP_SALT], digest[APP_DIGEST];
	bool pop3, smtp;
	int64_t created, until;
	struct slice name;		/* points into the line */
};

/* 1: the first line is taken off the list; 0: it is empty; -1: damaged. */
int app_password_next(struct slice *list, struct app_password *out)
    __attribute__((warn_unused_result));
/* True for a list that is whole: at most APP_PASSWORDS_MAX, each name once. */
bool app_passwords_are_valid(struct slice list);
/* The line of p without its end, in out[APP_LINE_MAX]. 0, or -1: it has no
 * service, or a name that cannot be. */
int app_password_line(const struct app_password *p, char *out)
    __attribute__((warn_unused_result));
/* "pop3,smtp" or one of them. */
const char *app_password_services(const struct app_password *p);

#endif
