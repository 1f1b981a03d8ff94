/* letter.h - what the service itself writes to one of its users. */
#ifndef LIB_LETTER_H
#define LIB_LETTER_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>

#include "lib/str.h"

struct letter {
	const char *hostname;	/* of the mail server */
	const char *from;	/* an address; NULL: MAILER-DAEMON there */
	const char *to;
	const char *cc;		/* NULL: nobody */
	const char *subject;
	const char *message_id;	/* without its angle brackets */
	const char *date;	/* RFC 5322 3.3 */
	bool is_french;		/* else English */
};

/* One paragraph of text in lines of at most 72 characters, behind an empty line
 * if it is not the first. At most LETTER_PARAGRAPH bytes. */
#define LETTER_PARAGRAPH 1024
void letter_paragraph(struct str *text, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "Hello," */
void letter_greet(struct str *text, bool is_french);
/* The whole message: fields that say that a program has written it (RFC 3834 5),
 * and text, as quoted-printable. LF line ends, ASCII but for addresses. */
void letter_write(struct str *out, const struct letter *l, struct slice text);
/* The same as it lies in the mailbox that it is to (RFC 5321 4.4). */
void letter_deliver(struct str *out, const struct letter *l,
    struct slice text);

#endif
