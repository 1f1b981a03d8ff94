/* surrogate.h - an internationalized message for who has not said UTF8. */
#ifndef POP3D_SURROGATE_H
#define POP3D_SURROGATE_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>

#include "pop3d/surrogate_field.h"

#define SURROGATE_DEPTH 16	/* multiparts inside each other */

/*
 * RFC 6856 section 3: a client that has not said UTF8 gets no raw UTF-8 in the
 * headers of a message that needed SMTPUTF8: its own, those of its parts and of
 * messages in it. It gets a surrogate (RFC 6858): Subject and its kind as
 * encoded words; addresses that are not ASCII shown beside one that leads
 * nowhere; MIME parameters and other fields that are not ASCII left out. Bodies
 * stay as they are.
 * Limits: SURROGATE_DEPTH multiparts inside each other; headers deeper than
 * that stay as they are.
 */

/* True when the header that text begins with says that the message came by
 * SMTPUTF8 (RFC 6531 section 4.3: "with UTF8SMTP..." in a Received field). */
bool surrogate_is_needed(struct slice text);

struct surrogate {
	void (*put)(void *arg, struct slice bytes);
	void *arg;
	bool in_header;
	bool begun;		/* the line at hand has begun */
	bool too_long;		/* the field did not fit: bytes go through */
	bool is_dashed;		/* the line may be a delimiter: it is in field */
	bool is_message;	/* the next line begins another header */
	enum surrogate_part part;	/* what the header at hand announces */
	char boundary[SURROGATE_BOUNDARY + 1];	/* of it */
	struct {
		char boundary[SURROGATE_BOUNDARY + 1];
		bool is_digest;
	} levels[SURROGATE_DEPTH];	/* the multiparts around the line */
	size_t depth;
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
