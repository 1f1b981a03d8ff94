/* encode.h - foreign text made fit for a mail: cleaned, folded, encoded. */
#ifndef LIB_ENCODE_H
#define LIB_ENCODE_H
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"

/*
 * One line of a stranger's text for a person or a header field: valid UTF-8
 * (what is not becomes '?'), control characters and line ends become spaces,
 * runs of spaces become one, marks that change the writing direction are left
 * out. At most cap - 1 bytes, whole characters; "..." at the end of what was
 * cut. ascii: every other character becomes '?'. Returns the length of out.
 */
size_t encode_clean(struct slice text, bool ascii, char *out, size_t cap);

/* "Name: value" folded at spaces (RFC 5322 2.2.3), lines of at most 78 where
 * there are spaces; value must be clean. No line is longer than 900 bytes. */
void encode_field(struct str *out, const char *name, struct slice value);

/* The same with a value that is encoded (RFC 2047) unless it is ASCII; tail, as
 * it is, behind it: an address. */
void encode_field_text(struct str *out, const char *name, struct slice value,
    const char *tail);

/* Text with LF line ends as quoted-printable (RFC 2045 6.7), ends in LF. */
void encode_quoted_printable(struct str *out, struct slice text);

/* Encoded words (RFC 2047) in UTF-8, US-ASCII and ISO-8859-1 as UTF-8 text, the
 * rest as it is; the result still has to be cleaned. */
void encode_decode_words(struct str *out, struct slice value);

/* xtext (RFC 3461 4) to bytes in out of cap; not NUL-terminated. Returns their
 * number; what is no xtext is left as it is, what does not fit is cut. */
size_t encode_decode_xtext(struct slice text, char *out, size_t cap);

/* True when all bytes are ASCII. */
bool encode_is_ascii(struct slice text);
/* True for valid UTF-8. */
bool encode_is_utf8(struct slice text);
/* The bytes of the longest line, without its LF. */
size_t encode_longest_line(struct slice text);

/* One paragraph: words of text in lines of at most 72 characters behind indent
 * spaces, LF at the end. A no-break space does not break. */
void encode_paragraph(struct str *out, unsigned indent, const char *text);

#endif
