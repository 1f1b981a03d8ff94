/* surrogate_field.h - what stands for a header field that is not ASCII. */
#ifndef POP3D_SURROGATE_FIELD_H
#define POP3D_SURROGATE_FIELD_H
/* SPDX-License-Identifier: ISC */

#include "lib/hdr.h"

#define SURROGATE_FIELD 8192	/* bytes of a field that is taken apart */
#define SURROGATE_BOUNDARY 70	/* RFC 2046 section 5.1.1 */

/* Puts what stands for a field that is not ASCII (RFC 6858 section 2); nothing
 * when it is left out. */
void surrogate_field(struct str *out, const struct hdr_field *f);

/* What follows the header that has a Content-Type. */
enum surrogate_part {
	PART_LEAF,		/* nothing that has a header */
	PART_MULTIPART,
	PART_DIGEST,		/* the same, and its parts are messages */
	PART_MESSAGE		/* begins with the header of another one */
};

/* What a Content-Type announces; of a multipart also its boundary, to the
 * SURROGATE_BOUNDARY + 1 bytes there. One without a boundary is a leaf. */
enum surrogate_part surrogate_part(const struct hdr_field *f, char *boundary);

#endif
