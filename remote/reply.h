/* reply.h - replies of other servers, taken apart: hostile input, no I/O. */
#ifndef REMOTE_REPLY_H
#define REMOTE_REPLY_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/proto_queue.h"

#define REPLY_LINE_MAX 2048	/* RFC 5321 4.5.3.1.5 says 512 */
#define REPLY_LINES_MAX 200

/* One reply, of any number of lines (RFC 5321 4.2.1). */
struct reply_parser {
	uint16_t code;			/* of the first line */
	unsigned lines;
	bool done;
	char enhanced[12];		/* RFC 2034; made from the code without one */
	char text[QUEUE_TEXT_MAX + 1];	/* "550 5.1.1 ..." in one line, cut short */
	size_t len;
};

void reply_begin(struct reply_parser *r);
/*
 * One line without its line end. 0, or -1: no reply of an SMTP server (no code,
 * another code than before, too many lines). r->done after the last line.
 * Bytes that are no printable ASCII or UTF-8 become '?': nothing of a reply can
 * break a log line or a record.
 */
int reply_line(struct reply_parser *r, struct slice line)
    __attribute__((warn_unused_result));

/* What the class of the code means. 3yz is no answer to what was asked:
 * temporary. */
enum queue_result reply_result(uint16_t code);

/* What EHLO has announced (RFC 5321 4.1.1.1). */
struct extensions {
	bool pipelining, eightbit, size, utf8, chunking, dsn, starttls;
	bool requiretls, enhanced;
	bool auth_plain, auth_login;
	uint64_t size_max;	/* 0: none told */
	uint64_t rcpt_max;	/* LIMITS (RFC 9422); 0: none told */
};
/* One line of the answer to EHLO after the first: "250-SIZE 1000". */
void extension_line(struct extensions *e, struct slice line);

#endif
