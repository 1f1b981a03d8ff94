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
	ROUTE_NOT_ALLOWED,	/* 550 5.7.1: not everybody may write to it */
	ROUTE_TEMPORARY		/* 451 4.3.0: a table cannot be read */
};

#define ROUTE_MAX 10000		/* destinations of one recipient */
#define ROUTE_DEPTH 10		/* aliases of aliases */

enum destination_kind {
	DEST_MAILBOX,
	DEST_REMOTE,
	DEST_ANSWER,	/* an answer goes out in the name of local@domain */
	DEST_DISCARD,	/* taken, and thrown away */
	DEST_LEFT_OUT	/* none: local@domain was on the way, why tells */
};

struct destination {
	enum destination_kind kind;
	char domain[ADDR_DOMAIN_MAX + 1];	/* ours: the main domain */
	char local[ADDR_LOCAL_MAX + 1];		/* ours: the account */
	char detail[ADDR_LOCAL_MAX + 1];	/* mailbox: after '+', or "" */
	char folder[ADDR_LOCAL_MAX + 1];	/* mailbox: below the domain's */
	uid_t uid;				/* mailbox: of the domain */
	uint64_t quota_bytes, quota_messages;	/* mailbox */
	uint8_t quota_warning;			/* mailbox: percent; 0: none */
	char language[3];
	char by[ADDR_TEXT_MAX];	/* remote: what of ours forwards it, or "" */
	bool is_caught;		/* by the catch-all of a domain */
	bool is_stray;		/* only by an address that is a catch-all: no
				 * name on the way to there exists */
	enum route_verdict why;	/* left out */
};

/* Who writes. Anybody can put an address of ours into MAIL: it counts only from
 * those who have logged in, from hosts that may relay, and from this machine. */
struct route_sender {
	const struct addr *from;	/* of the envelope; local "" is the null path */
	bool is_trusted;
};

/*
 * What an address is by itself, for mail that is taken already: nothing is
 * followed, no sender asked for. When ROUTE_OK and it is a mailbox, *mailbox is
 * filled and *is_mailbox is true. A recipient without a domain ("postmaster") is
 * taken at default_domain. postmaster and abuse exist in every domain of ours.
 */
enum route_verdict route_check(struct tables *t, const struct addr *rcpt,
    const char *default_domain, struct destination *mailbox, bool *is_mailbox);

/*
 * What RCPT is told: where it leads has been followed to all ends.
 * When ROUTE_OK and a copy stays in the mailbox that rcpt itself is, *mailbox
 * is filled and *is_mailbox is true.
 */
enum route_verdict route_accept(struct tables *t, const struct addr *rcpt,
    const char *default_domain, const struct route_sender *sender,
    struct destination *mailbox, bool *is_mailbox);

/*
 * Every destination of rcpt, each once: aliases and forwards followed to their
 * ends, in the order store, forward, answer; the catch-all of a domain for names
 * that it has not. found is called for each; when it returns false the walk ends
 * with ROUTE_TEMPORARY. Anything but ROUTE_OK means that nothing may be taken as
 * complete. An address of ours on the way that is gone, or that the sender may
 * not write to, is left out, and found told so; if nothing else is left, that is
 * the verdict. A
 * mailbox that only forwards, and from where the mail would reach nobody, keeps
 * it: that its owner has forwarded it in a circle does not lose it.
 */
enum route_verdict route_expand(struct tables *t, const struct addr *rcpt,
    const char *default_domain, const struct route_sender *sender,
    bool (*found)(void *arg, const struct destination *d), void *arg);

/*
 * ROUTE_OK when an account may send as addr: its own address in any spelling
 * that reaches it (case, +detail, domain alias), or an alias or robot whose mail
 * comes to it; and as the null sender. What others forward to it, and a
 * catch-all, give no such right: ROUTE_NOT_ALLOWED. ROUTE_TEMPORARY when a table
 * cannot be read; any other verdict is that of the account itself, which sends
 * nothing then.
 */
enum route_verdict route_may_send_as(struct tables *t,
    const char *account_local, const char *account_domain,
    const struct addr *sender);

/* SMTP reply code, enhanced code and a sentence for a verdict; rcpt is put
 * into the sentence. Static texts in text[cap]. Returns the code (250, 550 ...). */
int route_reply(enum route_verdict v, const char *rcpt, char *text, size_t cap);

#endif
