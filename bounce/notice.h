/* notice.h - composes a delivery status notification (RFC 3464), pure. */
#ifndef BOUNCE_NOTICE_H
#define BOUNCE_NOTICE_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <time.h>

#include "lib/str.h"
#include "queue/proto_bounce.h"

#define NOTICE_HEADER_MAX (64 * 1024)	/* of the original that is returned */
#define NOTICE_FULL_MAX (512 * 1024)	/* larger ones come back as header */
#define NOTICE_MAX (4 * 1024 * 1024)	/* a notice is never larger */

/* Everything that a notice is made of. Bytes of the original are hostile. */
struct notice_input {
	const struct bounce_notice *notice;
	const struct bounce_recipient *recipients;	/* notice->recipients */
	/* The original: all of it, or its first bytes, at least its header or
	 * NOTICE_HEADER_MAX of it. */
	struct slice original;
	bool original_whole;
	const char *hostname;
	time_t now;
	char random[33];	/* 32 letters or digits nobody can guess */
};

/* What the queue must be told of it. */
struct notice_facts {
	bool has_8bit;		/* wants 8BITMIME */
	bool has_utf8;		/* wants SMTPUTF8 */
};

/*
 * Writes the whole message into out (STR_INIT(NOTICE_MAX)): header,
 * multipart/report with a text in the notice's language, the machine's report,
 * and the original or its header. LF line ends, no NUL, no CR, no line over
 * 998 bytes. 0, or -1: out is bad, or the notice goes to no address.
 */
int notice_compose(const struct notice_input *in, struct str *out,
    struct notice_facts *facts) __attribute__((warn_unused_result));

/* The header at the start of original, without its empty line; whole fields of
 * at most NOTICE_HEADER_MAX bytes in all. */
struct slice notice_header(struct slice original);

#endif
