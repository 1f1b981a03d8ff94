/* reply.c - replies of other servers, taken apart: hostile input, no I/O. */
/* SPDX-License-Identifier: ISC */

#include "remote/reply.h"

#include <stdio.h>

#include "lib/num.h"

void
reply_begin(struct reply_parser *r)
{
	r->code = 0;
	r->lines = 0;
	r->done = false;
	r->enhanced[0] = '\0';
	r->text[0] = '\0';
	r->len = 0;
}

/* "X.YYY.ZZZ" of the same class as the code at the start of text: its length,
 * else 0 (RFC 3463 section 2). */
static size_t
enhanced_length(struct slice text, uint16_t code)
{
	size_t n = 0;
	unsigned parts = 0;

	if (text.len == 0 || text.p[0] != (char)('0' + code / 100))
		return 0;
	while (parts < 3) {
		size_t digits = 0;

		while (n < text.len && text.p[n] >= '0' && text.p[n] <= '9') {
			n++;
			digits++;
		}
		if (digits == 0 || digits > 3)
			return 0;
		if (++parts < 3) {
			if (n == text.len || text.p[n] != '.')
				return 0;
			n++;
		}
	}
	if (n < text.len && text.p[n] != ' ' && text.p[n] != '\t')
		return 0;
	return n;
}

/* The least and the most that the second byte of a sequence may be: no overlong
 * form, no surrogate, none of the controls U+0080 to U+009F. */
static bool
second_fits(unsigned char first, unsigned char second)
{
	unsigned char least = first == 0xc2 || first == 0xe0 ? 0xa0 :
	    first == 0xf0 ? 0x90 : 0x80;
	unsigned char most = first == 0xed ? 0x9f :
	    first == 0xf4 ? 0x8f : 0xbf;

	return second >= least && second <= most;
}

/* The length of a well-formed sequence of UTF-8 at p, else 0. */
static size_t
utf8_length(const unsigned char *p, size_t left)
{
	size_t n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 :
	    (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;

	if (n == 0 || n > left || !second_fits(p[0], p[1]))
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* U+2028 to U+202E and U+2066 to U+2069 break lines and turn their
	 * direction. */
	if (p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) ||
	    (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)))
		return 0;
	return n;
}

static void
add_text(struct reply_parser *r, struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.len; ) {
		size_t n = p[i] >= ' ' && p[i] < 0x7f ? 1 :
		    utf8_length(p + i, s.len - i);

		if (r->len + (n > 0 ? n : 1) >= sizeof(r->text))
			break;
		if (n == 0)
			r->text[r->len++] = '?';
		else
			memcpy(r->text + r->len, p + i, n);
		r->len += n;
		i += n > 0 ? n : 1;
	}
	r->text[r->len] = '\0';
}

/* The code of the first line, and how our own text begins. */
static void
first_line(struct reply_parser *r, struct slice text, uint16_t code)
{
	size_t n = enhanced_length(text, code);

	r->code = code;
	if (n > 0 && n < sizeof(r->enhanced)) {
		memcpy(r->enhanced, text.p, n);
		r->enhanced[n] = '\0';
	} else
		snprintf(r->enhanced, sizeof(r->enhanced), "%u.0.0",
		    (unsigned)code / 100 % 10);
	r->len = (size_t)snprintf(r->text, sizeof(r->text), "%u", code);
}

int
reply_line(struct reply_parser *r, struct slice line)
{
	struct slice text = SLICE_EMPTY;
	uint64_t code;
	size_t n;

	if (line.len < 3 || ++r->lines > REPLY_LINES_MAX ||
	    num_parse(slice_make(line.p, 3), 200, 599, &code) == -1 ||
	    (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-'))
		return -1;
	if (line.len > 4)
		text = slice_trim(slice_skip(line, 4));
	if (r->lines == 1)
		first_line(r, text, (uint16_t)code);
	else if (code != r->code)
		return -1;
	/* The enhanced code is said once, however many lines repeat it. */
	if (r->lines > 1 && (n = enhanced_length(text, r->code)) > 0)
		text = slice_trim(slice_skip(text, n));
	if (text.len > 0) {
		add_text(r, SLICE(" "));
		add_text(r, text);
	}
	r->done = line.len == 3 || line.p[3] == ' ';
	return 0;
}

enum queue_result
reply_result(uint16_t code)
{
	return code < 300 ? QUEUE_OK :
	    code < 500 ? QUEUE_TEMPORARY : QUEUE_PERMANENT;
}

static void
auth_mechanisms(struct extensions *e, struct slice rest)
{
	while (rest.p != NULL) {
		struct slice m = slice_cut(&rest, ' ');

		if (slice_eq_nocase(m, SLICE("PLAIN")))
			e->auth_plain = true;
		else if (slice_eq_nocase(m, SLICE("LOGIN")))
			e->auth_login = true;
	}
}

/* "RCPTMAX=100 MAILMAX=10" */
static void
limits(struct extensions *e, struct slice rest)
{
	while (rest.p != NULL) {
		struct slice value = slice_cut(&rest, ' ');
		struct slice name = slice_cut(&value, '=');
		uint64_t n;

		if (slice_eq_nocase(name, SLICE("RCPTMAX")) &&
		    value.p != NULL && num_parse(value, 1, 1000000, &n) == 0)
			e->rcpt_max = n;
	}
}

void
extension_line(struct extensions *e, struct slice line)
{
	const struct {
		struct slice keyword;
		bool *flag;
	} flags[] = {
		{ SLICE("PIPELINING"), &e->pipelining },
		{ SLICE("8BITMIME"), &e->eightbit },
		{ SLICE("SIZE"), &e->size },
		{ SLICE("SMTPUTF8"), &e->utf8 },
		{ SLICE("CHUNKING"), &e->chunking },
		{ SLICE("DSN"), &e->dsn },
		{ SLICE("STARTTLS"), &e->starttls },
		{ SLICE("REQUIRETLS"), &e->requiretls },
		{ SLICE("ENHANCEDSTATUSCODES"), &e->enhanced }
	};
	struct slice rest, keyword;
	uint64_t n;

	if (line.len < 5)
		return;
	rest = slice_trim(slice_skip(line, 4));
	keyword = slice_cut(&rest, ' ');
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (slice_eq_nocase(keyword, flags[i].keyword))
			*flags[i].flag = true;
	if (rest.p == NULL)
		return;
	if (slice_eq_nocase(keyword, SLICE("SIZE")) &&
	    num_parse(slice_trim(rest), 0, UINT64_MAX, &n) == 0)
		e->size_max = n;
	else if (slice_eq_nocase(keyword, SLICE("AUTH")))
		auth_mechanisms(e, rest);
	else if (slice_eq_nocase(keyword, SLICE("LIMITS")))
		limits(e, rest);
}
