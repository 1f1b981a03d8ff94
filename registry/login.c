/* login.c - a login made of the name of a person. */
/* SPDX-License-Identifier: ISC */

#include "registry/login.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <uninorm.h>
#include <unistr.h>

#define LOGIN_MAX 30		/* longer ones are cut: people type them */

/* Letters that are no letter with a mark. */
static const struct {
	const char *letter, *plain;
} others[] = {
	{ "\xc5\x93", "oe" }, { "\xc5\x92", "oe" },	/* oe ligature */
	{ "\xc3\xa6", "ae" }, { "\xc3\x86", "ae" },
	{ "\xc3\x9f", "ss" },
	{ "\xc3\xb8", "o" }, { "\xc3\x98", "o" },	/* o with stroke */
	{ "\xc5\x82", "l" }, { "\xc5\x81", "l" },
	{ "\xc4\x91", "d" }, { "\xc4\x90", "d" },
	{ "\xc3\xb0", "d" }, { "\xc3\xbe", "th" },
	{ "\xc4\xb1", "i" },				/* without its dot */
};

/* The plain form of the letter at s, or NULL; *len is moved over it. */
static const char *
other_letter(const char *s, size_t left, size_t *len)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		*len = strlen(others[i].letter);
		if (*len <= left && memcmp(s, others[i].letter, *len) == 0)
			return others[i].plain;
	}
	return NULL;
}

/* Letters and digits of a name in lower case. 0, or -1: none. */
static int
fold(struct slice name, char *out, size_t cap)
{
	size_t len, step, n = 0;
	const char *plain;
	char *s;

	if (u8_check((const uint8_t *)name.p, name.len) != NULL)
		return -1;
	/* A letter with a mark becomes the letter and then the mark. */
	s = (char *)u8_normalize(UNINORM_NFD, (const uint8_t *)name.p,
	    name.len, NULL, &len);
	if (s == NULL)
		return -1;
	for (size_t i = 0; i < len; i += step) {
		step = 1;
		if (isalnum((unsigned char)s[i]) && n + 1 < cap)
			out[n++] = (char)tolower((unsigned char)s[i]);
		else if ((plain = other_letter(s + i, len - i, &step)) == NULL)
			step = 1;
		else
			for (; *plain != '\0' && n + 1 < cap; plain++)
				out[n++] = *plain;
	}
	free(s);
	out[n] = '\0';
	return n > 0 ? 0 : -1;
}

int
login_make(struct slice first, struct slice last, unsigned n, char *out)
{
	char initial[LOGIN_MAX], rest[LOGIN_MAX];

	if (fold(first, initial, sizeof(initial)) == -1 ||
	    fold(last, rest, sizeof(rest)) == -1)
		return -1;
	if (n > 1)
		snprintf(out, ADDR_LOCAL_MAX + 1, "%c%s%u", *initial, rest, n);
	else
		snprintf(out, ADDR_LOCAL_MAX + 1, "%c%s", *initial, rest);
	return 0;
}
