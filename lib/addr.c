/* addr.c - the one parser of mail addresses and domains. */
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"

#include <idn2.h>
#include <stdio.h>

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* RFC 5322 3.2.3 atext; bytes of UTF-8 are judged apart (RFC 6531 3.3). */
static bool
is_atext(unsigned char c)
{
	return is_alnum(c) || c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
is_utf8(struct slice s)
{
	size_t n;

	for (; s.len > 0; s = slice_skip(s, n))
		if ((n = slice_utf8(s)) == 0)
			return false;
	return true;
}

static bool
has_high(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

/* Labels of letters, digits and inner hyphens, at most 63 (RFC 1035 2.3.1);
 * with '_' where underscore is true. */
static bool
is_hostname(const char *s, bool underscore)
{
	size_t label = 0;

	for (size_t i = 0; ; i++) {
		if (s[i] == '.' || s[i] == '\0') {
			if (label == 0 || label > 63 || s[i - 1] == '-')
				return false;
			if (s[i] == '\0')
				return i <= ADDR_DOMAIN_MAX;
			label = 0;
		} else if (is_alnum((unsigned char)s[i]) ||
		    (s[i] == '-' && label > 0) || (s[i] == '_' && underscore))
			label++;
		else
			return false;
	}
}

static int
canonical_name(struct slice s, bool underscore, char *out)
{
	char text[ADDR_DOMAIN_MAX + 1];
	char *ascii = NULL;
	int r = -1;

	if (slice_to_cstr(s, text, sizeof(text)) == -1)
		return -1;
	if (has_high(s)) {
		/* RFC 5891 with the mapping of UTS 46, as browsers do. */
		if (!is_utf8(s) || idn2_to_ascii_8z(text, &ascii,
		    IDN2_NONTRANSITIONAL) != IDN2_OK)
			return -1;
		if (strlen(ascii) <= ADDR_DOMAIN_MAX &&
		    is_hostname(ascii, underscore)) {
			memcpy(text, ascii, strlen(ascii) + 1);
			r = 0;
		}
		idn2_free(ascii);
	} else if (is_hostname(text, underscore))
		r = 0;
	if (r == 0) {
		for (size_t i = 0; i < strlen(text); i++)
			text[i] = lower(text[i]);
		memcpy(out, text, strlen(text) + 1);
	}
	return r;
}

int
addr_domain(struct slice s, char *out)
{
	return canonical_name(s, false, out);
}

int
addr_foreign_domain(struct slice s, char *out)
{
	return canonical_name(s, true, out);
}

/* The length of a dot-atom at the start of s; 0 when there is none. */
static size_t
scan_dot_atom(struct slice s)
{
	size_t i = 0;

	for (;;) {
		size_t start = i;

		while (i < s.len && is_atext((unsigned char)s.p[i]))
			i++;
		if (i == start)
			return 0;
		if (i == s.len || s.p[i] != '.')
			return i;
		i++;
	}
}

/* RFC 5321 4.1.2 Quoted-string at the start of s: unquoted into out. Its
 * length with the quotes; 0 when it is none or too long. */
static size_t
scan_quoted(struct slice s, char *out, size_t cap, size_t *outlen)
{
	size_t n = 0;

	for (size_t i = 1; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"') {
			out[n] = '\0';
			*outlen = n;
			return i + 1;
		}
		if (c == '\\') {
			if (++i == s.len)
				return 0;
			c = (unsigned char)s.p[i];
		}
		if (c < ' ' || c == 0x7f || n + 1 >= cap)
			return 0;
		out[n++] = (char)c;
	}
	return 0;
}

static enum addr_status
scan_local(struct slice *s, struct addr *a)
{
	size_t n, used;

	if (s->len > 0 && s->p[0] == '"') {
		/* Longer ones are told apart only by their syntax. */
		char text[1024];

		if ((used = scan_quoted(*s, text, sizeof(text), &n)) == 0)
			return ADDR_BAD_SYNTAX;
		if (n > ADDR_LOCAL_MAX)
			return ADDR_TOO_LONG;
		memcpy(a->local, text, n + 1);
		if (n == 0)
			return ADDR_BAD_SYNTAX;
	} else {
		if ((used = scan_dot_atom(*s)) == 0)
			return ADDR_BAD_SYNTAX;
		if (used > ADDR_LOCAL_MAX)
			return ADDR_TOO_LONG;
		memcpy(a->local, s->p, used);
		a->local[used] = '\0';
	}
	*s = slice_skip(*s, used);
	return ADDR_OK;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3). */
static enum addr_status
scan_literal(struct slice *s, struct addr *a)
{
	const char *end = memchr(s->p, ']', s->len);
	struct slice inner;
	char text[IP_TEXT_MAX];
	struct ip ip;
	bool six;

	if (end == NULL)
		return ADDR_BAD_SYNTAX;
	inner = slice_make(s->p + 1, (size_t)(end - s->p) - 1);
	six = slice_starts_nocase(inner, SLICE("IPv6:"));
	if (six)
		inner = slice_skip(inner, 5);
	if (ip_parse(inner, &ip) == -1 ||
	    six != (memchr(inner.p, ':', inner.len) != NULL))
		return ADDR_BAD_SYNTAX;
	/* An address of IPv4 in those of IPv6 is written as what it is. */
	snprintf(a->domain, sizeof(a->domain), "[%s%s]",
	    ip_is_v4(&ip) ? "" : "IPv6:", ip_text(&ip, text));
	a->literal = true;
	*s = slice_skip(*s, (size_t)(end - s->p) + 1);
	return ADDR_OK;
}

static bool
is_domain_byte(unsigned char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c >= 0x80;
}

static enum addr_status
scan_domain(struct slice *s, struct addr *a)
{
	size_t n = 0;

	if (s->len > 0 && s->p[0] == '[')
		return scan_literal(s, a);
	while (n < s->len && is_domain_byte((unsigned char)s->p[n]))
		n++;
	if (n > ADDR_DOMAIN_MAX)
		return ADDR_TOO_LONG;
	if (addr_foreign_domain(slice_make(s->p, n), a->domain) == -1)
		return ADDR_BAD_SYNTAX;
	*s = slice_skip(*s, n);
	return ADDR_OK;
}

/* A Mailbox at the start of *s, which is moved behind it. */
static enum addr_status
scan_mailbox(struct slice *s, struct addr *out)
{
	struct slice start = *s, whole;
	enum addr_status status;

	if ((status = scan_local(s, out)) != ADDR_OK)
		return status;
	if (s->len == 0 || s->p[0] != '@')
		return ADDR_BAD_SYNTAX;
	*s = slice_skip(*s, 1);
	if ((status = scan_domain(s, out)) != ADDR_OK)
		return status;
	whole = slice_make(start.p, start.len - s->len);
	if (has_high(whole)) {
		if (!is_utf8(whole))
			return ADDR_BAD_UTF8;
		out->utf8 = true;
	}
	if (strlen(out->local) + 1 + strlen(out->domain) > ADDR_MAX)
		return ADDR_TOO_LONG;
	return ADDR_OK;
}

enum addr_status
addr_parse(struct slice s, struct addr *out)
{
	struct addr a = { .utf8 = false };
	enum addr_status status = scan_mailbox(&s, &a);

	if (status != ADDR_OK)
		return status;
	if (s.len != 0)
		return ADDR_BAD_SYNTAX;
	*out = a;
	return ADDR_OK;
}

/* "@one.example,@two.example:" is read and dropped. */
static enum addr_status
skip_source_route(struct slice *s)
{
	struct addr hop;

	while (s->len > 0 && s->p[0] == '@') {
		*s = slice_skip(*s, 1);
		if (scan_domain(s, &hop) != ADDR_OK || s->len == 0)
			return ADDR_BAD_SYNTAX;
		if (s->p[0] == ':') {
			*s = slice_skip(*s, 1);
			return ADDR_OK;
		}
		if (s->p[0] != ',')
			return ADDR_BAD_SYNTAX;
		*s = slice_skip(*s, 1);
	}
	return ADDR_BAD_SYNTAX;
}

enum addr_status
addr_parse_path(struct slice *s, bool null_ok, struct addr *out)
{
	struct addr a = { .utf8 = false };
	struct slice rest = *s;
	enum addr_status status;

	if (rest.len < 2 || rest.p[0] != '<')
		return ADDR_BAD_SYNTAX;
	rest = slice_skip(rest, 1);
	if (rest.p[0] == '>') {
		if (!null_ok)
			return ADDR_BAD_SYNTAX;
	} else if (slice_starts_nocase(rest, SLICE("postmaster>"))) {
		memcpy(a.local, "postmaster", sizeof("postmaster"));
		rest = slice_skip(rest, sizeof("postmaster") - 1);
	} else {
		if (rest.p[0] == '@' &&
		    (status = skip_source_route(&rest)) != ADDR_OK)
			return status;
		if ((status = scan_mailbox(&rest, &a)) != ADDR_OK)
			return status;
	}
	if (rest.len == 0 || rest.p[0] != '>')
		return ADDR_BAD_SYNTAX;
	*s = slice_skip(rest, 1);
	*out = a;
	return ADDR_OK;
}

int
addr_account(struct slice s, char *out)
{
	if (s.len == 0 || s.len > ADDR_LOCAL_MAX || s.p[0] == '.' ||
	    s.p[s.len - 1] == '.')
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!is_alnum(c) && c != '-' && c != '_' && c != '.')
			return -1;
		if (c == '.' && s.p[i + 1] == '.')
			return -1;
	}
	for (size_t i = 0; i < s.len; i++)
		out[i] = lower(s.p[i]);
	out[s.len] = '\0';
	return 0;
}

int
addr_account_of(const char *local, char *out, struct slice *detail)
{
	struct slice rest = slice_of(local), account = slice_cut(&rest, '+');

	if (addr_account(account, out) == -1)
		return -1;
	*detail = rest.p == NULL ? SLICE_EMPTY : rest;
	return 0;
}

char *
addr_text(const struct addr *a, char *out, size_t cap)
{
	struct slice local = slice_of(a->local);
	size_t n = 0;

	if (a->local[0] == '\0' && a->domain[0] == '\0') {
		out[0] = '\0';
		return out;
	}
	if (scan_dot_atom(local) == local.len)
		n = (size_t)snprintf(out, cap, "%s", a->local);
	else {
		char quoted[2 * ADDR_LOCAL_MAX + 3];

		quoted[n++] = '"';
		for (size_t i = 0; i < local.len; i++) {
			if (local.p[i] == '"' || local.p[i] == '\\')
				quoted[n++] = '\\';
			quoted[n++] = local.p[i];
		}
		quoted[n++] = '"';
		quoted[n] = '\0';
		n = (size_t)snprintf(out, cap, "%s", quoted);
	}
	if (n < cap && a->domain[0] != '\0')
		snprintf(out + n, cap - n, "@%s", a->domain);
	return out;
}
