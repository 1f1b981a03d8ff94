/* proto_bounce.h - what malle-queued asks of malle-bounce. */
#ifndef QUEUE_PROTO_BOUNCE_H
#define QUEUE_PROTO_BOUNCE_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_queue.h"
#include "lib/zone.h"

/*
 * On the pair "queue" of malle-bounce ("bounce" of malle-queued), made by
 * malle-start. One request is one notice to one address: BOUNCE_NOTICE with two
 * descriptors:
 *
 *   0  a connection, made for this notice, on which malle-bounce submits it
 *      with the functions of lib/proto_queue.h: queue_mail() with the null
 *      sender, LANE_TRANSACTIONAL and QM_NO_TRACE, one queue_rcpt() to
 *      notice.to with QN_NEVER, queue_data(), queue_commit(). Another sender,
 *      address or message ends the connection. malle-queued knows which
 *      message the connection belongs to: when the commit is durable, the
 *      recipients in the request are notified. A connection that is closed
 *      without a commit is asked for again later.
 *   1  the queue file of the message, read-only; the content is at
 *      [content_offset, content_offset + content_length), LF line ends.
 *
 * The request itself is never answered on the pair.
 */
enum bounce_type {
	BOUNCE_NOTICE = 1	/* bounce_notice, then its bounce_recipients */
};

/* Descriptors of a BOUNCE_NOTICE, in their order. */
enum { BOUNCE_FD_JOB, BOUNCE_FD_MESSAGE, BOUNCE_FDS };

enum bounce_kind { BOUNCE_FAILURE, BOUNCE_DELAY, BOUNCE_SUCCESS };

/* RFC 3464 2.3.3 */
enum bounce_action {
	ACTION_FAILED,
	ACTION_DELAYED,
	ACTION_DELIVERED,
	ACTION_RELAYED,		/* handed to a server that knows no DSN */
	ACTION_EXPANDED		/* to an alias with several targets */
};

#define BOUNCE_RECIPIENTS_MAX 1000	/* in one notice */

struct bounce_notice {
	enum bounce_kind kind;
	char id[QUEUE_ID_MAX + 1];	/* of the message that it tells of */
	char to[ADDR_TEXT_MAX];		/* whom the notice goes to */
	/* The message is a notice itself: this goes to the postmaster, who
	 * must be told that nobody else can be. */
	bool is_double;
	char envid[QUEUE_ENVID_MAX + 1]; /* xtext as it came; or "" */
	uint32_t flags;			/* QM_RET_FULL QM_RET_HDRS QM_8BIT QM_UTF8 */
	char language[3];		/* of the domain of to: "fr", "en" */
	char zone[ZONE_RULE_MAX];	/* the rule of its clocks; "": our own */
	int64_t arrival;		/* wall clock, seconds */
	uint64_t content_offset, content_length;
	uint32_t recipients;		/* that follow: 1 to BOUNCE_RECIPIENTS_MAX */
};

struct bounce_recipient {
	char address[ADDR_TEXT_MAX];	/* where it went in the end (Final-Recipient) */
	char original[ADDR_TEXT_MAX];	/* as it was given in RCPT */
	char orcpt[QUEUE_ORCPT_MAX + 1]; /* "rfc822;xtext" as it came; or "" */
	enum bounce_action action;
	char status[12];		/* "5.1.1" */
	char text[QUEUE_TEXT_MAX + 1];	/* why, one line */
	char remote[ADDR_DOMAIN_MAX + 1]; /* server that said so; "" is ourselves */
	int64_t last_attempt;		/* seconds; 0: none */
	int64_t retry_until;		/* ACTION_DELAYED: when we give up */
};

void bounce_notice_pack(struct packer *k, const struct bounce_notice *n);
void bounce_recipient_pack(struct packer *k, const struct bounce_recipient *r);
/* 0, or -1 with *out untouched: cut short, a limit passed, a value unknown. */
int bounce_notice_unpack(struct unpacker *u, struct bounce_notice *out)
    __attribute__((warn_unused_result));
/* To be called n.recipients times; then unpack_end() must hold. */
int bounce_recipient_unpack(struct unpacker *u, struct bounce_recipient *out)
    __attribute__((warn_unused_result));

#endif
