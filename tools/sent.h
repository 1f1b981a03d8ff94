/* sent.h - what an account, a domain or a customer has sent, as it is shown. */
#ifndef TOOLS_SENT_H
#define TOOLS_SENT_H
/* SPDX-License-Identifier: ISC */

#include "tools/account.h"

/* A question, with the fields and the password of who asks. */
struct sent {
	const struct malle *m;
	const char *operation;		/* "domain.sent" and the like */
	struct registry_fields f;
};

/* Asks, and adds the answer to the row that is shown; for people with the limit
 * behind it. When it cannot be asked, that is said there. */
void sent_add(const struct sent *s, struct registry_fields *row);

/* A whole command: shows the object that is named by the only argument, and
 * what it has sent. */
int sent_show_one(const struct malle *m, const char *show, const char *sent,
    int argc, char **argv, const char *usage);

#endif
