/* params.c - the arguments of SMTP commands. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/params.h"

#include <ctype.h>

#include "lib/num.h"

/* Trusts: nothing. Pure functions: bytes in, result out. */

#define SIZE_DIGITS 20		/* RFC 1870 3 */
#define ENVID_ENCODED_MAX 100	/* RFC 3461 4.4 */
#define ORCPT_ENCODED_MAX 500	/* RFC 3461 4.2 */

/* RFC 3461 4: capital letters only. */
static int
hex_capital(char c)
{
	return c >= 'a' ? -1 : num_hex(c);
}

int
params_xtext(struct slice in, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		int c = (unsigned char)in.p[i];

		if (c <= ' ' || c >= 0x7f || c == '=')
			return -1;
		if (c == '+') {
			int hi, lo;

			if (in.len - i < 3 ||
			    (hi = hex_capital(in.p[i + 1])) == -1 ||
			    (lo = hex_capital(in.p[i + 2])) == -1)
				return -1;
			c = hi << 4 | lo;
			i += 2;
		}
		/* Nothing that could break a line of a report. */
		if (c < ' ' || c >= 0x7f || n + 1 >= cap)
			return -1;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

/* One parameter that a command knows. */
struct param {
	struct slice name;
	bool has_value;
	enum params_status (*set)(void *out, struct slice value);
};

static enum params_status
set_size(void *out, struct slice value)
{
	struct mail_params *m = out;

	if (value.len > SIZE_DIGITS ||
	    num_parse(value, 0, UINT64_MAX, &m->size) == -1)
		return PARAMS_VALUE;
	return PARAMS_OK;
}

static enum params_status
set_body(void *out, struct slice value)
{
	struct mail_params *m = out;

	if (slice_eq_nocase(value, SLICE("8BITMIME")))
		m->flags |= QM_8BIT;
	else if (!slice_eq_nocase(value, SLICE("7BIT")))
		return PARAMS_VALUE;
	return PARAMS_OK;
}

static enum params_status
set_smtputf8(void *out, struct slice value)
{
	struct mail_params *m = out;

	(void)value;
	m->flags |= QM_UTF8;
	return PARAMS_OK;
}

static enum params_status
set_requiretls(void *out, struct slice value)
{
	struct mail_params *m = out;

	(void)value;
	m->flags |= QM_REQUIRETLS;
	return PARAMS_OK;
}

/* Our own: each recipient elsewhere gets a sender address that names him. */
static enum params_status
set_xverp(void *out, struct slice value)
{
	struct mail_params *m = out;

	(void)value;
	m->flags |= QM_VERP;
	return PARAMS_OK;
}

static enum params_status
set_ret(void *out, struct slice value)
{
	struct mail_params *m = out;

	if (slice_eq_nocase(value, SLICE("FULL")))
		m->flags |= QM_RET_FULL;
	else if (slice_eq_nocase(value, SLICE("HDRS")))
		m->flags |= QM_RET_HDRS;
	else
		return PARAMS_VALUE;
	return PARAMS_OK;
}

static enum params_status
set_envid(void *out, struct slice value)
{
	struct mail_params *m = out;

	if (value.len > ENVID_ENCODED_MAX ||
	    params_xtext(value, m->envid, sizeof(m->envid)) == -1)
		return PARAMS_VALUE;
	return PARAMS_OK;
}

/* RFC 4954 5: who submitted it, says a stranger. Read, and not believed. */
static enum params_status
set_auth(void *out, struct slice value)
{
	char text[ADDR_TEXT_MAX];

	(void)out;
	if (!slice_eq(value, SLICE("<>")) &&
	    params_xtext(value, text, sizeof(text)) == -1)
		return PARAMS_VALUE;
	return PARAMS_OK;
}

static enum params_status
set_notify(void *out, struct slice value)
{
	static const struct {
		struct slice word;
		unsigned bit;
	} words[] = {
		{ { "SUCCESS", 7 }, QN_SUCCESS },
		{ { "FAILURE", 7 }, QN_FAILURE },
		{ { "DELAY", 5 }, QN_DELAY },
	};
	struct rcpt_params *r = out;

	if (slice_eq_nocase(value, SLICE("NEVER"))) {
		r->notify = QN_NEVER;
		return PARAMS_OK;
	}
	while (value.p != NULL) {
		struct slice word = slice_cut(&value, ',');
		size_t i;

		for (i = 0; i < 3; i++)
			if (slice_eq_nocase(word, words[i].word))
				break;
		if (i == 3)
			return PARAMS_VALUE;
		r->notify |= words[i].bit;
	}
	return PARAMS_OK;
}

/* RFC 3461 4.2: an address type, ';', and the address in xtext. An address of
 * RFC 6533 ("utf-8;") in its ASCII form passes as it is. */
static enum params_status
set_orcpt(void *out, struct slice value)
{
	struct rcpt_params *r = out;
	struct slice address = value, type;
	size_t n;

	if (value.len > ORCPT_ENCODED_MAX)
		return PARAMS_VALUE;
	type = slice_cut(&address, ';');
	if (address.p == NULL || address.len == 0 || type.len == 0)
		return PARAMS_VALUE;
	for (size_t i = 0; i < type.len; i++)
		if (!isalnum((unsigned char)type.p[i]) && type.p[i] != '-')
			return PARAMS_VALUE;
	n = type.len + 1;
	memcpy(r->orcpt, value.p, n);
	if (params_xtext(address, r->orcpt + n, sizeof(r->orcpt) - n) == -1)
		return PARAMS_VALUE;
	return PARAMS_OK;
}

static const struct param mail_table[] = {
	{ { "SIZE", 4 }, true, set_size },		/* RFC 1870 */
	{ { "BODY", 4 }, true, set_body },		/* RFC 6152 */
	{ { "SMTPUTF8", 8 }, false, set_smtputf8 },	/* RFC 6531 */
	{ { "RET", 3 }, true, set_ret },		/* RFC 3461 */
	{ { "ENVID", 5 }, true, set_envid },
	{ { "AUTH", 4 }, true, set_auth },		/* RFC 4954 */
	{ { "REQUIRETLS", 10 }, false, set_requiretls },	/* RFC 8689 */
	{ { "XVERP", 5 }, false, set_xverp },
};

static const struct param rcpt_table[] = {
	{ { "NOTIFY", 6 }, true, set_notify },		/* RFC 3461 */
	{ { "ORCPT", 5 }, true, set_orcpt },
};

/* esmtp-value of RFC 5321 4.1.2, with the UTF-8 of RFC 6531. */
static bool
is_value(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f ||
		    s.p[i] == '=')
			return false;
	return s.len > 0;
}

static enum params_status
set_one(const struct param *table, size_t n, struct slice word,
    unsigned *seen, void *out)
{
	struct slice value = word, name = slice_cut(&value, '=');
	size_t i;

	for (i = 0; i < n; i++)
		if (slice_eq_nocase(name, table[i].name))
			break;
	if (i == n)
		return PARAMS_UNKNOWN;
	if ((*seen & 1u << i) != 0)
		return PARAMS_TWICE;
	*seen |= 1u << i;
	if (table[i].has_value != (value.p != NULL) ||
	    (value.p != NULL && !is_value(value)))
		return PARAMS_VALUE;
	return table[i].set(out, value);
}

static enum params_status
set_all(const struct param *table, size_t n, struct slice rest, void *out)
{
	enum params_status status;
	unsigned seen = 0;

	if (rest.len > 0 && rest.p[0] != ' ')
		return PARAMS_SYNTAX;
	while (rest.p != NULL) {
		struct slice word = slice_cut(&rest, ' ');

		if (word.len == 0)
			continue;
		status = set_one(table, n, word, &seen, out);
		if (status != PARAMS_OK)
			return status;
	}
	return PARAMS_OK;
}

/* "FROM:" or "TO:" and the path; *arg is moved behind it. */
static enum params_status
take_path(struct slice *arg, struct slice keyword, bool null_ok,
    struct addr *out)
{
	if (!slice_starts_nocase(*arg, keyword))
		return PARAMS_SYNTAX;
	*arg = slice_skip(*arg, keyword.len);
	/* A space here is wrong, common, and harmless. */
	while (arg->len > 0 && arg->p[0] == ' ')
		*arg = slice_skip(*arg, 1);
	switch (addr_parse_path(arg, null_ok, out)) {
	case ADDR_OK:
		return PARAMS_OK;
	case ADDR_TOO_LONG:
		return null_ok ? PARAMS_SENDER_LONG : PARAMS_RECIPIENT_LONG;
	case ADDR_BAD_UTF8:
		return null_ok ? PARAMS_SENDER_UTF8 : PARAMS_RECIPIENT_UTF8;
	case ADDR_BAD_SYNTAX:
		break;
	}
	return null_ok ? PARAMS_SENDER : PARAMS_RECIPIENT;
}

enum params_status
params_mail(struct slice arg, struct mail_params *out)
{
	enum params_status status;

	memset(out, 0, sizeof(*out));
	status = take_path(&arg, SLICE("FROM:"), true, &out->sender);
	if (status != PARAMS_OK)
		return status;
	/* "<postmaster>" without a domain is for RCPT only. */
	if (out->sender.local[0] != '\0' && out->sender.domain[0] == '\0')
		return PARAMS_SENDER;
	status = set_all(mail_table, sizeof(mail_table) / sizeof(mail_table[0]),
	    arg, out);
	if (status == PARAMS_OK && out->sender.utf8 &&
	    (out->flags & QM_UTF8) == 0)
		return PARAMS_NEEDS_SMTPUTF8;
	return status;
}

enum params_status
params_rcpt(struct slice arg, bool smtputf8, struct rcpt_params *out)
{
	enum params_status status;

	memset(out, 0, sizeof(*out));
	status = take_path(&arg, SLICE("TO:"), false, &out->recipient);
	if (status != PARAMS_OK)
		return status;
	if (out->recipient.utf8 && !smtputf8)
		return PARAMS_NEEDS_SMTPUTF8;
	return set_all(rcpt_table, sizeof(rcpt_table) / sizeof(rcpt_table[0]),
	    arg, out);
}

enum params_status
params_bdat(struct slice arg, struct bdat_params *out)
{
	struct slice size = slice_cut(&arg, ' ');

	if (num_parse(size, 0, INT64_MAX, &out->size) == -1)
		return PARAMS_SYNTAX;
	out->is_last = false;
	if (arg.p == NULL)
		return PARAMS_OK;
	if (!slice_eq_nocase(slice_trim(arg), SLICE("LAST")))
		return PARAMS_SYNTAX;
	out->is_last = true;
	return PARAMS_OK;
}

enum params_status
params_auth(struct slice arg, struct auth_params *out)
{
	struct slice mechanism = slice_cut(&arg, ' ');

	if (slice_to_cstr(mechanism, out->mechanism,
	    sizeof(out->mechanism)) == -1)
		memcpy(out->mechanism, "?", 2);	/* no name of one */
	for (char *p = out->mechanism; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	out->has_initial = arg.p != NULL;
	out->initial = arg.p != NULL ? slice_trim(arg) : SLICE_EMPTY;
	/* RFC 4954 4: "=" is an initial response of no bytes. */
	if (slice_eq(out->initial, SLICE("=")))
		out->initial = SLICE_EMPTY;
	else if (out->has_initial && out->initial.len == 0)
		return PARAMS_SYNTAX;
	return PARAMS_OK;
}

enum params_status
params_helo(struct slice arg, char *out)
{
	if (arg.len > ADDR_DOMAIN_MAX)
		return PARAMS_SYNTAX;
	for (size_t i = 0; i < arg.len; i++) {
		unsigned char c = (unsigned char)arg.p[i];

		out[i] = isascii(c) && (isalnum(c) ||
		    (c != '\0' && strchr("-._:[]", c) != NULL)) ? (char)c : '?';
	}
	out[arg.len] = '\0';
	return PARAMS_OK;
}
