/* hdr.h - header fields of a message and address lists (RFC 5322), pure. */
#ifndef LIB_HDR_H
#define LIB_HDR_H
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"

/* One header field as it stands in the message; slices point into it. */
struct hdr_field {
	struct slice name;	/* without the colon and spaces before it */
	struct slice value;	/* all behind the colon; folded lines inside */
	struct slice whole;	/* from the name to the line end, included */
};

enum hdr_next {
	HDR_FIELD,		/* *field is filled, *rest is behind it */
	HDR_END,		/* the empty line (*rest is the body), or no more */
	HDR_NO_FIELD		/* a line that is no field: *rest begins with it,
				 * the body without an empty line before it */
};

/*
 * Cuts the next header field off *rest. Lines end in LF or CRLF; a line that
 * begins with a space or a tab goes on with the field before it (RFC 5322
 * 2.2.3). A field name is one or more printable ASCII bytes but the colon.
 */
enum hdr_next hdr_next(struct slice *rest, struct hdr_field *field);

/* True when the field has this name, in any case. */
bool hdr_is(const struct hdr_field *field, const char *name);

/* True when the header at the start of text, whose lines end in LF, has
 * "Delivered-To: address": the message was there before (RFC 5321 6.3). */
bool hdr_was_delivered_to(struct slice text, struct slice address);

/*
 * An address list (RFC 5322 3.4, with the obsolete forms of 4.4): mailboxes,
 * groups, comments, quoted strings, literals, routes, folded lines, empty
 * elements. found is called for each address: the addr-spec without comments
 * and spaces, quotes kept ("\"a b\"@x.fr"), a name without "@" as it is; it is
 * valid during the call. When found returns false the walk ends with -1.
 * Returns 0, or -1 with *bad at what is no address list.
 */
int hdr_addresses(struct slice value,
    bool (*found)(void *arg, struct slice address), void *arg,
    struct slice *bad) __attribute__((warn_unused_result));

/* "<left@right>" of printable ASCII without quotes (RFC 5322 3.6.4, not its
 * obsolete forms), short enough for a line: fit for References of ours. */
#define HDR_MESSAGE_ID_MAX 250
bool hdr_is_message_id(struct slice s);

/* text, printable ASCII, as a quoted string (RFC 5322 3.2.4). */
void hdr_put_quoted(struct str *out, const char *text);

#endif
