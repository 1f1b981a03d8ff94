/* route.h - from a recipient's address to where its mail goes. */
#ifndef LIB_ROUTE_H
#define LIB_ROUTE_H
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"

enum route_verdict {
	ROUTE_OK,		/* a domain of ours, an account that takes mail */
	ROUTE_NOT_OURS,		/* not a domain of ours: it would be relayed */
	ROUTE_UNKNOWN,		/* 550 5.1.1 */
	ROUTE_DISABLED,		/* 550 5.2.1: the account takes no mail */
	ROUTE_SUSPENDED,	/* 450 4.2.1 */
	ROUTE_LOOP,		/* 550 5.4.6: aliases that lead back */
	ROUTE_TOO_MANY,		/* 550 5.2.4: more than ROUTE_MAX destinations */
	ROUTE_TEMPORARY		/* 451 4.3.0: a table cannot be read */
};

#define ROUTE_MAX 10000		/* destinations of one recipient */
#define ROUTE_DEPTH 10		/* aliases of aliases */

enum destination_kind {
	DEST_MAILBOX,
	DEST_REMOTE,
	DEST_ANSWER,	/* an answer goes out in the name of local@domain */
	DEST_DISCARD	/* taken, and thrown away */
};

struct destination {
	enum destination_kind kind;
	char domain[ADDR_DOMAIN_MAX + 1];	/* ours: the main domain */
	char local[ADDR_LOCAL_MAX + 1];		/* ours: the account */
	char detail[ADDR_LOCAL_MAX + 1];	/* mailbox: after '+', or "" */
	uid_t uid;				/* mailbox: of the domain */
	uint64_t quota_bytes, quota_messages;	/* mailbox */
	char language[3];
};

/*
 * What RCPT is told (no expansion of aliases' targets beyond their existence).
 * When ROUTE_OK and the address is itself a mailbox, *mailbox is filled and
 * *is_mailbox is true. A recipient without a domain ("postmaster") is taken at
 * default_domain. postmaster and abuse exist in every domain of ours.
 */
enum route_verdict route_check(struct tables *t, const struct addr *rcpt,
    const char *default_domain, struct destination *mailbox, bool *is_mailbox);

/*
 * Every destination of rcpt, each once, aliases followed to their ends. found
 * is called for each; when it returns false the walk ends with ROUTE_TEMPORARY.
 * Anything but ROUTE_OK means that nothing may be taken as complete.
 */
enum route_verdict route_expand(struct tables *t, const struct addr *rcpt,
    const char *default_domain,
    bool (*found)(void *arg, const struct destination *d), void *arg);

/* True when an account may send as addr: its own address in any spelling that
 * reaches it (case, +detail, domain alias), or an alias that leads to it. */
bool route_may_send_as(struct tables *t, const char *account_local,
    const char *account_domain, const struct addr *sender);

/* SMTP reply code, enhanced code and a sentence for a verdict; rcpt is put
 * into the sentence. Static texts in text[cap]. Returns the code (250, 550 ...). */
int route_reply(enum route_verdict v, const char *rcpt, char *text, size_t cap);

#endif
