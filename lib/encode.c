/* encode.c - foreign text made fit for a mail: cleaned, folded, encoded. */
/* SPDX-License-Identifier: ISC */

#include "lib/encode.h"

#include <stdint.h>
#include <string.h>
#include <unistr.h>

#include "lib/base64.h"
#include "lib/num.h"

#define FOLD_AT 76
#define LINE_HARD 900		/* RFC 5322 2.1.1 allows 998 */
#define QP_LINE 76
#define WORD_MAX 75		/* RFC 2047 2: one encoded word */
#define PARAGRAPH 72

static const char hex[] = "0123456789ABCDEF";

bool
encode_is_ascii(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return false;
	return true;
}

bool
encode_is_utf8(struct slice text)
{
	return u8_check((const uint8_t *)text.p, text.len) == NULL;
}

size_t
encode_longest_line(struct slice text)
{
	size_t longest = 0;

	while (text.p != NULL) {
		struct slice line = slice_cut(&text, '\n');

		if (line.len > longest)
			longest = line.len;
	}
	return longest;
}

/* Characters that change how a line is read but cannot be seen. */
static bool
is_invisible(ucs4_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x061c ||
	    (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* Control characters and separators of lines and paragraphs. */
static bool
is_control(ucs4_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
	    c == 0x2029;
}

/* The next character of text as it may be shown; 0: nothing. */
static ucs4_t
clean_next(struct slice *text, bool ascii)
{
	ucs4_t c;
	int n = u8_mbtouc(&c, (const uint8_t *)text->p, text->len);

	/* What is no UTF-8 comes back as U+FFFD. */
	if (c == 0xfffd)
		c = '?';
	*text = slice_skip(*text, (size_t)n);
	if (is_invisible(c))
		return 0;
	if (is_control(c))
		return ' ';
	return ascii && c >= 0x80 ? '?' : c;
}

size_t
encode_clean(struct slice text, bool ascii, char *out, size_t cap)
{
	size_t len = 0;

	while (text.len > 0) {
		ucs4_t c = clean_next(&text, ascii);
		uint8_t bytes[6];
		int n;

		if (c == 0 || (c == ' ' && (len == 0 || out[len - 1] == ' ')))
			continue;
		n = u8_uctomb(bytes, c, sizeof(bytes));
		if (n < 1)
			continue;
		if (len + (size_t)n + sizeof("...") > cap) {
			memcpy(out + len, "...", 3);
			len += 3;
			break;
		}
		memcpy(out + len, bytes, (size_t)n);
		len += (size_t)n;
	}
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
	return len;
}

void
encode_field(struct str *out, const char *name, struct slice value)
{
	size_t column = strlen(name) + 1;

	str_printf(out, "%s:", name);
	while (value.p != NULL && value.len > 0) {
		struct slice word = slice_cut(&value, ' ');

		if (word.len == 0)
			continue;
		if (word.len > LINE_HARD)
			word.len = LINE_HARD;
		if (column + 1 + word.len > FOLD_AT && column > 1 &&
		    column != strlen(name) + 1) {
			str_puts(out, "\n");
			column = 0;
		}
		str_putc(out, ' ');
		str_put(out, word);
		column += 1 + word.len;
	}
	str_putc(out, '\n');
}

/* As many whole characters of text as an encoded word of room bytes holds. */
static size_t
word_bytes(struct slice text, size_t room)
{
	size_t max = room / 4 * 3, n = 0;

	while (n < text.len) {
		int c = u8_mblen((const uint8_t *)text.p + n, text.len - n);
		size_t step = c < 1 ? 1 : (size_t)c;

		if (n + step > max)
			break;
		n += step;
	}
	return n;
}

void
encode_field_text(struct str *out, const char *name, struct slice value,
    const char *tail)
{
	static const char open[] = "=?utf-8?B?", close[] = "?=";
	char word[BASE64_LEN(WORD_MAX) + 1];
	size_t column = strlen(name) + 1;

	if (encode_is_ascii(value)) {
		str_printf(out, "%s: %.*s%s\n", name, SLICE_FMT(value), tail);
		return;
	}
	str_printf(out, "%s:", name);
	while (value.len > 0) {
		size_t n = word_bytes(value, WORD_MAX - strlen(open) -
		    strlen(close) - (column > 1 ? column : 1));

		base64_encode(slice_make(value.p, n), word);
		str_printf(out, "%s %s%s%s", column > 1 ? "" : "\n", open, word,
		    close);
		value = slice_skip(value, n);
		column = 1;
	}
	str_printf(out, "%s\n", tail);
}

/* True when the byte at i may stand for itself in quoted-printable. */
static bool
is_literal(struct slice line, size_t i)
{
	unsigned char c = (unsigned char)line.p[i];

	if (c == ' ' || c == '\t')
		return i + 1 < line.len;	/* not at the end of a line */
	return c > ' ' && c < 0x7f && c != '=';
}

void
encode_quoted_printable(struct str *out, struct slice text)
{
	while (text.p != NULL && text.len > 0) {
		struct slice line = slice_cut(&text, '\n');
		size_t column = 0;

		for (size_t i = 0; i < line.len; i++) {
			unsigned char c = (unsigned char)line.p[i];
			size_t need = is_literal(line, i) ? 1 : 3;

			if (column + need > QP_LINE - 1) {
				str_puts(out, "=\n");
				column = 0;
			}
			column += need;
			if (need == 1) {
				str_putc(out, (char)c);
				continue;
			}
			str_putc(out, '=');
			str_putc(out, hex[c >> 4]);
			str_putc(out, hex[c & 15]);
		}
		str_putc(out, '\n');
	}
}

/* Two hexadecimal digits behind a mark at p[0]; -1 when there are none. */
static int
hex_pair(struct slice s)
{
	int high, low;

	if (s.len < 3 || (high = num_hex(s.p[1])) == -1 ||
	    (low = num_hex(s.p[2])) == -1)
		return -1;
	return high << 4 | low;
}

size_t
encode_decode_xtext(struct slice text, char *out, size_t cap)
{
	size_t len = 0;

	while (text.len > 0 && len < cap) {
		int c = text.p[0] == '+' ? hex_pair(text) : -1;

		out[len++] = c == -1 ? text.p[0] : (char)c;
		text = slice_skip(text, c == -1 ? 1 : 3);
	}
	return len;
}

struct encoded_word {
	struct slice charset, text;
	char encoding;		/* 'B' or 'Q' */
	size_t len;		/* all of it */
};

/* An encoded word at the start of s. */
static bool
word_at(struct slice s, struct encoded_word *out)
{
	struct slice rest, encoding;
	const char *end;

	if (s.len < 8 || memcmp(s.p, "=?", 2) != 0)
		return false;
	rest = slice_skip(s, 2);
	out->charset = slice_cut(&rest, '?');
	if (rest.p == NULL)
		return false;
	encoding = slice_cut(&rest, '?');
	if (rest.p == NULL || encoding.len != 1 ||
	    (end = memmem(rest.p, rest.len, "?=", 2)) == NULL)
		return false;
	out->encoding = (char)(encoding.p[0] & ~0x20);
	out->text = slice_make(rest.p, (size_t)(end - rest.p));
	out->len = (size_t)(end + 2 - s.p);
	if (memchr(out->text.p, ' ', out->text.len) != NULL)
		return false;
	/* RFC 2231 section 5: "charset*language" */
	rest = out->charset;
	out->charset = slice_cut(&rest, '*');
	return out->encoding == 'B' || out->encoding == 'Q';
}

/* The bytes of an encoded word in out of cap; -1: not decodable. */
static ssize_t
word_decode(const struct encoded_word *w, char *out, size_t cap)
{
	struct slice text = w->text;
	size_t len = 0;

	if (w->encoding == 'B')
		return base64_decode(text, out, cap);
	while (text.len > 0) {
		int c = text.p[0] == '=' ? hex_pair(text) : -1;

		if (len == cap)
			return -1;
		if (c != -1)
			out[len++] = (char)c;
		else
			out[len++] = text.p[0] == '_' ? ' ' : text.p[0];
		text = slice_skip(text, c == -1 ? 1 : 3);
	}
	return (ssize_t)len;
}

/* Puts the text of an encoded word. False when its charset is not known. */
static bool
word_put(struct str *out, const struct encoded_word *w)
{
	char bytes[1024];
	ssize_t n;

	if (!slice_eq_nocase(w->charset, SLICE("utf-8")) &&
	    !slice_eq_nocase(w->charset, SLICE("us-ascii")) &&
	    !slice_eq_nocase(w->charset, SLICE("iso-8859-1")))
		return false;
	if ((n = word_decode(w, bytes, sizeof(bytes))) == -1)
		return false;
	if ((w->charset.p[0] | 0x20) != 'i') {
		str_put(out, slice_make(bytes, (size_t)n));
		return true;
	}
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= 0x80)
			str_putc(out, (char)(0xc0 | c >> 6));
		str_putc(out, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
	return true;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void
encode_decode_words(struct str *out, struct slice value)
{
	bool after_word = false;

	while (value.len > 0) {
		struct encoded_word w;
		size_t spaces = 0;

		while (spaces < value.len && is_space(value.p[spaces]))
			spaces++;
		if (word_at(slice_skip(value, spaces), &w)) {
			/* RFC 2047 6.2: spaces between words are nothing. */
			if (!after_word)
				str_put(out, slice_make(value.p, spaces));
			value = slice_skip(value, spaces);
			if (!(after_word = word_put(out, &w)))
				str_put(out, slice_make(value.p, w.len));
			value = slice_skip(value, w.len);
			continue;
		}
		after_word = false;
		if (spaces == 0)
			spaces = 1;
		str_put(out, slice_make(value.p, spaces));
		value = slice_skip(value, spaces);
	}
}

/* How many characters a word of UTF-8 shows. */
static size_t
characters(struct slice word)
{
	size_t n = 0;

	for (size_t i = 0; i < word.len; i++)
		n += ((unsigned char)word.p[i] & 0xc0) != 0x80;
	return n;
}

void
encode_paragraph(struct str *out, unsigned indent, const char *text)
{
	struct slice rest = slice_of(text);
	size_t column = 0;

	while (rest.p != NULL) {
		struct slice word = slice_cut(&rest, ' ');
		size_t width = characters(word);

		if (word.len == 0)
			continue;
		if (column > 0 && column + 1 + width > PARAGRAPH) {
			str_putc(out, '\n');
			column = 0;
		}
		if (column == 0)
			str_printf(out, "%*s", (int)indent, "");
		else
			str_putc(out, ' ');
		str_put(out, word);
		column = (column == 0 ? indent : column + 1) + width;
	}
	str_putc(out, '\n');
}
