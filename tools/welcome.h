/* welcome.h - malle user sheet, and the first message of a new mailbox. */
#ifndef TOOLS_WELCOME_H
#define TOOLS_WELCOME_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "tools/account.h"

/* malle user sheet. */
int user_sheet(struct malle *m, int argc, char **argv);

/* Whether a new mailbox gets a message; what the command line says counts more
 * than its domain. */
enum welcome_wish { WELCOME_AS_DOMAIN, WELCOME_YES, WELCOME_NO };

/* What was last learned of a domain. Zero it before first use. */
struct welcome {
	enum welcome_wish wish;
	char domain[ADDR_DOMAIN_MAX + 1];
	bool wanted, french;	/* of it */
};

/* The words --welcome and --no-welcome taken out of the fields. */
enum welcome_wish welcome_take_wish(struct registry_fields *f);

/*
 * Puts the first message into the queue, if it is wanted. To be called once,
 * after the registry has made the mailbox. What fails is said on stderr; the
 * mailbox is there all the same.
 */
void welcome_send(const struct malle *m, struct welcome *w,
    const char *address);

#endif
