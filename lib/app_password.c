/* app_password.c - the application passwords of an account, as they are kept. */
/* SPDX-License-Identifier: ISC */

#include "lib/app_password.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/num.h"

static bool
is_name(struct slice s)
{
	if (s.len == 0 || s.len > APP_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static int
take_services(struct slice word, struct app_password *p)
{
	p->pop3 = slice_eq(word, SLICE("pop3")) ||
	    slice_eq(word, SLICE("pop3,smtp"));
	p->smtp = slice_eq(word, SLICE("smtp")) ||
	    slice_eq(word, SLICE("pop3,smtp"));
	return p->pop3 || p->smtp ? 0 : -1;
}

static int
take_time(struct slice word, int64_t *out)
{
	uint64_t n;

	if (num_parse(word, 0, INT64_MAX, &n) == -1)
		return -1;
	*out = (int64_t)n;
	return 0;
}

int
app_password_next(struct slice *list, struct app_password *out)
{
	struct app_password p = { .pop3 = false };
	struct slice rest = *list, line;

	if (rest.p == NULL || rest.len == 0)
		return 0;
	line = slice_cut(&rest, '\n');
	if (base64_decode(slice_cut(&line, ' '), p.salt, APP_SALT) !=
	    APP_SALT || line.p == NULL ||
	    base64_decode(slice_cut(&line, ' '), p.digest, APP_DIGEST) !=
	    APP_DIGEST || line.p == NULL ||
	    take_services(slice_cut(&line, ' '), &p) == -1 || line.p == NULL ||
	    take_time(slice_cut(&line, ' '), &p.created) == -1 ||
	    line.p == NULL ||
	    take_time(slice_cut(&line, ' '), &p.until) == -1 ||
	    line.p == NULL || !is_name(line))
		return -1;
	p.name = line;
	*out = p;
	*list = rest;
	return 1;
}

bool
app_passwords_are_valid(struct slice list)
{
	struct slice names[APP_PASSWORDS_MAX];
	struct app_password p;
	size_t n = 0;
	int r;

	while ((r = app_password_next(&list, &p)) == 1) {
		if (n == APP_PASSWORDS_MAX)
			return false;
		for (size_t i = 0; i < n; i++)
			if (slice_eq(names[i], p.name))
				return false;
		names[n++] = p.name;
	}
	return r == 0;
}

const char *
app_password_services(const struct app_password *p)
{
	if (p->pop3 && p->smtp)
		return "pop3,smtp";
	return p->pop3 ? "pop3" : "smtp";
}

int
app_password_line(const struct app_password *p, char *out)
{
	char salt[BASE64_LEN(APP_SALT) + 1], digest[BASE64_LEN(APP_DIGEST) + 1];

	if ((!p->pop3 && !p->smtp) || !is_name(p->name) || p->created < 0 ||
	    p->until < 0)
		return -1;
	base64_encode(slice_make(p->salt, APP_SALT), salt);
	base64_encode(slice_make(p->digest, APP_DIGEST), digest);
	snprintf(out, APP_LINE_MAX, "%s %s %s %" PRId64 " %" PRId64 " %.*s",
	    salt, digest, app_password_services(p), p->created, p->until,
	    SLICE_FMT(p->name));
	return 0;
}
