/* submission.h - a local message made ready: header completed, recipients. */
#ifndef TOOLS_SUBMISSION_H
#define TOOLS_SUBMISSION_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/str.h"

#define SUBMISSION_HEADER_MAX (1024 * 1024)
#define SUBMISSION_RECIPIENTS_MAX 100000

/* What the header gets when the message does not say it itself. */
struct submission_defaults {
	const char *sender;	/* address for From */
	const char *full_name;	/* UTF-8; or "" */
	const char *domain;	/* of addresses without one */
	const char *date;	/* RFC 5322 date-time */
	const char *message_id;	/* with its angle brackets */
};

/* Recipients, each once, in canonical form. Zero it before first use. */
struct recipients {
	char **v;
	size_t n, cap;
	bool utf8;		/* one of them has non-ASCII bytes */
};

enum recipients_status {
	RECIPIENTS_OK,
	RECIPIENTS_BAD,		/* no address; nothing was added */
	RECIPIENTS_TOO_MANY	/* or no memory */
};

/* Adds one address; a bare name is taken at domain. */
enum recipients_status recipients_add(struct recipients *r,
    struct slice address, const char *domain);
/* Sorts them and drops those that came twice. */
void recipients_unique(struct recipients *r);
void recipients_free(struct recipients *r);

/*
 * Completes a header section (RFC 6409 8): Date, Message-ID and From where
 * they are missing; a "From " line of a mailbox file before it, Bcc and
 * Resent-Bcc fields are dropped. With extract the addresses of To, Cc and Bcc
 * are added to *r: when one of Resent-To, Resent-Cc, Resent-Bcc is there, those
 * of the Resent- fields instead (RFC 5322 3.6.6). header ends where the body
 * begins or is followed by it: *body gets what is left. *out, with its empty
 * line, is appended to. Lines end in LF, on both sides.
 * Returns 0, or -1 with the reason in why[cap].
 */
int submission_header(struct slice header, const struct submission_defaults *d,
    bool extract, struct recipients *r, struct str *out, struct slice *body,
    char *why, size_t cap) __attribute__((warn_unused_result));

/*
 * The text as it comes from standard input. LF becomes the only line end: every
 * CR before an LF goes, any other CR becomes an LF. Unless ignore_dots, a line
 * of a single dot ends the message (ended), as sendmail(8) without -i does.
 */
struct submission_input {
	bool ignore_dots;
	bool in_line;		/* not at the start of a line */
	bool cr, dot;		/* seen, not yet decided upon */
	bool ended;
};

/* Appends what bytes give to *out, at most two bytes more than they are. */
void submission_feed(struct submission_input *in, struct slice bytes,
    struct str *out);
/* At the end of the input: what is still undecided. */
void submission_finish(struct submission_input *in, struct str *out);

#endif
