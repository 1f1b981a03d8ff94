/* surrogate.h - an internationalized message for who has not said UTF8. */
#ifndef POP3D_SURROGATE_H
#define POP3D_SURROGATE_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>

#include "lib/slice.h"

#define SURROGATE_FIELD 8192	/* bytes of a field that is taken apart */

/*
 * RFC 6856 section 3: a client that has not said UTF8 gets no raw UTF-8 in the
 * header of a message that needed SMTPUTF8. It gets a surrogate (RFC 6858):
 * Subject and its kind as encoded words; addresses that are not ASCII shown
 * beside one that leads nowhere; other fields that are not ASCII left out. The
 * body stays as it is.
 */

/* True when the header that text begins with says that the message came by
 * SMTPUTF8 (RFC 6531 section 4.3: "with UTF8SMTP..." in a Received field). */
bool surrogate_is_needed(struct slice text);

struct surrogate {
	void (*put)(void *arg, struct slice bytes);
	void *arg;
	bool body;		/* the header is through */
	bool begun;		/* the line at hand has begun */
	bool too_long;		/* the field did not fit: bytes go through */
	size_t len;
	char field[SURROGATE_FIELD];
};

/* put gets the surrogate: never more than all bytes of a piece, or a field's
 * worth, at most 32768. */
void surrogate_init(struct surrogate *s,
    void (*put)(void *arg, struct slice bytes), void *arg);
/* The next piece of the stored message. */
void surrogate_feed(struct surrogate *s, struct slice piece);
/* After the last one. */
void surrogate_end(struct surrogate *s);

#endif
