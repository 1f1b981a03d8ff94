/* headers.c - what a message says of itself, made fit for a list. */
/* SPDX-License-Identifier: ISC */

#include "mailbox/headers.h"

#include <unistd.h>

#include "lib/encode.h"
#include "lib/hdr.h"

/* Decoded and clean behind what text has already; where it begins. */
static size_t
put_clean(struct str *text, struct slice value)
{
	struct str decoded = STR_INIT(HEADERS_READ * 4);
	size_t at = text->len;
	char clean[BOX_HEADER_MAX];

	encode_decode_words(&decoded, slice_trim(value));
	str_put(text, slice_make(clean, encode_clean(str_slice(&decoded),
	    false, clean, sizeof(clean))));
	str_free(&decoded);
	return at;
}

void
headers_parse(struct slice rest, struct str *text, struct box_headers *out)
{
	static const char *const names[] = { "Date", "From", "Subject" };
	size_t start[3] = { 0 }, len[3] = { 0 };
	struct hdr_field field;

	str_clear(text);
	*out = (struct box_headers){ SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY };
	while (hdr_next(&rest, &field) == HDR_FIELD)
		for (size_t i = 0; i < 3; i++)
			if (len[i] == 0 && hdr_is(&field, names[i])) {
				start[i] = put_clean(text, field.value);
				len[i] = text->len - start[i];
			}
	if (!str_ok(text))
		return;
	out->date = slice_make(str_c(text) + start[0], len[0]);
	out->from = slice_make(str_c(text) + start[1], len[1]);
	out->subject = slice_make(str_c(text) + start[2], len[2]);
}

void
headers_read(int fd, struct str *text, struct box_headers *out)
{
	char space[HEADERS_READ];
	ssize_t n = pread(fd, space, sizeof(space), 0);

	headers_parse(slice_make(space, n > 0 ? (size_t)n : 0), text, out);
}
