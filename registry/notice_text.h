/* notice_text.h - what the owner of a mailbox is told by mail, pure. */
#ifndef REGISTRY_NOTICE_TEXT_H
#define REGISTRY_NOTICE_TEXT_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <time.h>

#include "lib/addr.h"
#include "lib/str.h"
#include "lib/zone.h"

#define NOTICE_TEXT_MAX 16384	/* bytes of a notice */

enum notice_kind {
	NOTICE_PASSWORD,	/* somebody else has set the password */
	NOTICE_APP,		/* or has added an application password */
	NOTICE_ABSENCE,		/* an absence without end goes on */
	NOTICE_RECOVERY		/* to the postmaster: admin's password, by the code */
};

struct notice_text {
	enum notice_kind kind;
	const char *key;	/* the notice's own */
	const char *hostname;
	const char *to, *postmaster;
	bool is_french;
	struct zone zone;	/* of the domain */
	time_t now;
	time_t since;		/* NOTICE_ABSENCE: its begin */
	struct slice app;	/* NOTICE_APP: its name */
	/* Of the first two: the manager's name, or "" and the uid. */
	const char *manager;
	uint32_t uid;
	struct slice from;	/* not NOTICE_ABSENCE: where they sat; or none */
};

/* The whole message, ASCII but for addresses that are not, LF line ends. */
void notice_compose(struct str *out, const struct notice_text *n);

#endif
