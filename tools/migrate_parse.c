/* migrate_parse.c - the files of other mail systems, read line by line. */
/* SPDX-License-Identifier: ISC */

#include "tools/migrate_parse.h"

#include <stdio.h>
#include <string.h>

#include "lib/num.h"

int
old_path(struct slice text, char *out)
{
	struct slice rest = text;

	if (text.len == 0 || text.len >= OLD_PATH_MAX || text.p[0] != '/' ||
	    memchr(text.p, '\n', text.len) != NULL ||
	    memchr(text.p, '\0', text.len) != NULL)
		return -1;
	while (rest.p != NULL)
		if (slice_eq(slice_cut(&rest, '/'), SLICE("..")))
			return -1;
	return slice_to_cstr(text, out, OLD_PATH_MAX);
}

int
old_quota(struct slice text, uint64_t *bytes, uint64_t *messages)
{
	uint64_t b = 0, m = 0, v;

	text = slice_trim(text);
	if (text.len == 0 || slice_eq_nocase(text, SLICE("NOQUOTA"))) {
		*bytes = *messages = 0;
		return 0;
	}
	while (text.p != NULL) {
		struct slice item = slice_trim(slice_cut(&text, ','));
		char last = item.len > 0 ? item.p[item.len - 1] : '\0';

		if (last == 'S' || last == 'C')
			item.len--;
		if (num_parse_size(item, 0, INT64_MAX, &v) == -1)
			return -1;
		if (last == 'C')
			m = v;
		else
			b = v;
	}
	*bytes = b;
	*messages = m;
	return 0;
}

bool
old_hash_is_weak(const char *hash)
{
	return strlen(hash) == 13 && strspn(hash, "./0123456789"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == 13;
}

bool
old_hash_is_known(const char *hash)
{
	static const char *const known[] = { "$y$", "$7$", "$6$", "$5$", "$2y$",
		"$2b$", "$2a$", "$1$" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strncmp(hash, known[i], strlen(known[i])) == 0)
			return strpbrk(hash, " \t:") == NULL;
	return old_hash_is_weak(hash);
}

/* Fields of a line with ':' between; how many there were, at most n. */
static size_t
split(struct slice line, struct slice *fields, size_t n)
{
	size_t i = 0;

	while (line.p != NULL && i < n)
		fields[i++] = slice_cut(&line, ':');
	return i;
}

/* One line of printable text; what is none of it is left out. */
static void
take_text(struct slice text, char *out)
{
	size_t n = 0;

	text = slice_trim(text);
	for (size_t i = 0; i < text.len && n < OLD_TEXT_MAX; i++)
		if ((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f)
			out[n++] = text.p[i];
	out[n] = '\0';
}

static int
take_id(struct slice text, uid_t *out)
{
	uint64_t v;

	if (num_parse(text, 0, UINT32_MAX - 1, &v) == -1)
		return -1;
	*out = (uid_t)v;
	return 0;
}

int
old_vpasswd(struct slice line, struct old_account *out)
{
	struct old_account a = { .uid = 0 };
	struct slice f[8];
	uint64_t flags = 0;

	if (split(line, f, 8) < 7 || addr_account(f[0], a.name) == -1 ||
	    slice_to_cstr(f[1], a.hash, sizeof(a.hash)) == -1 ||
	    take_id(f[2], &a.uid) == -1 ||
	    num_parse(f[3], 0, UINT32_MAX, &flags) == -1 ||
	    old_path(f[5], a.home) == -1 ||
	    old_quota(f[6], &a.quota_bytes, &a.quota_messages) == -1)
		return -1;
	take_text(f[4], a.full_name);
	a.flags = (uint32_t)flags;
	a.no_pop = (flags & OLD_NO_POP) != 0;
	a.bounces = (flags & OLD_BOUNCE) != 0;
	a.no_relay = (flags & (OLD_NO_RELAY | OLD_NO_SMTP)) != 0;
	*out = a;
	return 0;
}

int
old_passwd(struct slice line, struct old_account *out)
{
	struct old_account a = { .uid = 0 };
	struct slice f[7], name;

	if (split(line, f, 7) != 7 || addr_account(f[0], a.name) == -1 ||
	    slice_to_cstr(f[1], a.hash, sizeof(a.hash)) == -1 ||
	    take_id(f[2], &a.uid) == -1 || take_id(f[3], &a.gid) == -1 ||
	    old_path(f[5], a.home) == -1)
		return -1;
	name = slice_cut(&f[4], ',');	/* gecos: name, office, phone */
	take_text(name, a.full_name);
	*out = a;
	return 0;
}

int
old_shadow(struct slice line, const char *name, char *hash)
{
	struct slice f[2];

	if (split(line, f, 2) != 2 || !slice_eq_nocase(f[0], slice_of(name)))
		return -1;
	return slice_to_cstr(f[1], hash, OLD_HASH_MAX);
}

/* Words of a command line, quotes left out; how many, at most n. */
static size_t
words(struct slice line, struct slice *w, size_t n)
{
	size_t i = 0;

	while (i < n) {
		char end = ' ';

		while (line.len > 0 && (*line.p == ' ' || *line.p == '\t'))
			line = slice_skip(line, 1);
		if (line.len == 0)
			break;
		if (*line.p == '\'' || *line.p == '"') {
			end = *line.p;
			line = slice_skip(line, 1);
		}
		w[i++] = slice_cut(&line, end);
		if (line.p == NULL)
			break;
	}
	return i;
}

static bool
has(struct slice s, const char *word)
{
	return memmem(s.p, s.len, word, strlen(word)) != NULL;
}

/* The list's own address stores or sends what comes; its others answer. */
static void
list_program(struct slice line, const struct slice *w, size_t n,
    struct old_delivery *out)
{
	*out = (struct old_delivery){ OLD_LIST_PART, SLICE_EMPTY };
	if (!has(line, "ezmlm-send") && !has(line, "ezmlm-store") &&
	    !has(line, "ezmlm-gate"))
		return;
	out->action = OLD_LIST;
	for (size_t i = 1; i < n; i++)
		if (w[i].len > 0 && *w[i].p == '/') {
			out->value = w[i];
			return;
		}
}

static void
qmail_program(struct slice line, struct old_delivery *out)
{
	struct slice w[8], program;
	size_t n = words(line, w, 8);
	const char *slash;

	*out = (struct old_delivery){ OLD_PROGRAM, line };
	if (n == 0)
		return;
	program = w[0];
	if ((slash = memrchr(program.p, '/', program.len)) != NULL)
		program = slice_skip(program,
		    (size_t)(slash - program.p) + 1);
	if (has(line, "ezmlm-"))
		list_program(line, w, n, out);
	else if (slice_eq(program, SLICE("autorespond")) && n >= 4)
		*out = (struct old_delivery){ OLD_ANSWER, w[3] };
	else if (slice_eq(program, SLICE("vdelivermail")) && n >= 2)
		*out = (struct old_delivery){ OLD_DEFAULT, w[n - 1] };
	else if (slice_eq(program, SLICE("true")))
		*out = (struct old_delivery){ OLD_DISCARD, SLICE_EMPTY };
}

void
old_qmail(struct slice line, struct old_delivery *out)
{
	*out = (struct old_delivery){ OLD_NOTHING, SLICE_EMPTY };
	line = slice_trim(line);
	if (line.len == 0 || *line.p == '#')
		return;
	if (*line.p == '|') {
		qmail_program(slice_skip(line, 1), out);
	} else if (slice_eq(line, SLICE("./Maildir/"))) {
		out->action = OLD_KEEP;
	} else if (*line.p == '/' || *line.p == '.') {
		out->value = line;
		out->action = line.p[line.len - 1] == '/' ? OLD_MAILBOX :
		    OLD_FILE;
	} else {
		out->value = *line.p == '&' ? slice_trim(slice_skip(line, 1)) :
		    line;
		out->action = OLD_FORWARD;
	}
}

int
old_qmail_name(struct slice file, char *out)
{
	char name[ADDR_LOCAL_MAX + 1];

	if (!slice_starts_nocase(file, SLICE(".qmail-")) ||
	    slice_to_cstr(slice_skip(file, 7), name, sizeof(name)) == -1)
		return -1;
	for (char *p = name; *p != '\0'; p++)
		if (*p == ':')
			*p = '.';	/* dot-qmail(5) writes dots so */
	return addr_account(slice_of(name), out);
}

/* Up to the comma or line end, over what is between quotes. */
static struct slice
cut_target(struct slice *rest)
{
	bool quoted = false;
	size_t i = 0;
	struct slice item;

	for (; i < rest->len; i++) {
		char c = rest->p[i];

		if (c == '\\' && quoted && i + 1 < rest->len)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == '\n' || (c == ',' && !quoted))
			break;
	}
	item = slice_make(rest->p, i);
	*rest = i < rest->len ? slice_skip(*rest, i + 1) : SLICE_EMPTY;
	return slice_trim(item);
}

bool
old_target(struct slice *rest, const char *self, struct old_delivery *out)
{
	struct slice item;

	do {
		if (rest->len == 0)
			return false;
		item = cut_target(rest);
	} while (item.len == 0 || *item.p == '#');
	if (item.len >= 2 && *item.p == '"' && item.p[item.len - 1] == '"')
		item = slice_make(item.p + 1, item.len - 2);
	*out = (struct old_delivery){ OLD_FORWARD, item };
	if (item.len == 0)
		out->action = OLD_NOTHING;
	else if (*item.p == '|')
		out->action = OLD_PROGRAM;
	else if (*item.p == '/' || slice_starts_nocase(item,
	    SLICE(":include:")))
		out->action = OLD_FILE;
	else if (*item.p == '\\')
		out->value = slice_skip(item, 1);
	if (out->action == OLD_FILE && slice_eq(item, SLICE("/dev/null")))
		out->action = OLD_DISCARD;
	if (out->action == OLD_FORWARD &&
	    slice_eq_nocase(out->value, slice_of(self)))
		out->action = OLD_KEEP;
	return true;
}

bool
old_alias(struct slice *rest, struct slice *name, struct slice *targets)
{
	const char *colon, *p = rest->p, *end = rest->p + rest->len;

	while (p < end && (*p == '\n' || *p == '#')) {
		/* Comments and empty lines. */
		const char *next = memchr(p, '\n', (size_t)(end - p));

		p = next == NULL ? end : next + 1;
	}
	*rest = slice_make(p, (size_t)(end - p));
	if (rest->len == 0)
		return false;
	/* To the line end that no line with a space follows. */
	do {
		const char *next = memchr(p, '\n', (size_t)(end - p));

		p = next == NULL ? end : next + 1;
	} while (p < end && (*p == ' ' || *p == '\t'));
	*targets = slice_make(rest->p, (size_t)(p - rest->p));
	*rest = slice_make(p, (size_t)(end - p));
	*name = SLICE_EMPTY;
	colon = memchr(targets->p, ':', targets->len);
	if (colon == NULL ||
	    memchr(targets->p, '\n', (size_t)(colon - targets->p)) != NULL)
		return true;
	*name = slice_trim(slice_make(targets->p,
	    (size_t)(colon - targets->p)));
	*targets = slice_skip(*targets, (size_t)(colon - targets->p) + 1);
	return true;
}

int
old_assign(struct slice line, struct old_assign *out)
{
	struct slice f[5], alias;
	struct old_assign a;

	if (split(line, f, 5) != 5 || f[0].len < 3 || *f[0].p != '+')
		return -1;
	alias = slice_skip(f[0], 1);
	if (alias.p[alias.len - 1] == '-')
		alias.len--;
	if (addr_domain(alias, a.alias) == -1 ||
	    addr_domain(f[1], a.domain) == -1 || old_path(f[4], a.folder) == -1)
		return -1;
	*out = a;
	return 0;
}

static bool
parts_limit(char c)
{
	return c == ' ' || c == '\t' || c == ':' || c == '\r';
}

bool
old_limit(struct slice *rest, struct slice *name, struct slice *value)
{
	struct slice line;
	size_t n;

	while (rest->len > 0) {
		line = slice_cut(rest, '\n');
		line = slice_trim(slice_cut(&line, '#'));
		for (n = 0; n < line.len && !parts_limit(line.p[n]);)
			n++;
		if (n == 0)
			continue;
		*name = slice_make(line.p, n);
		while (n < line.len && parts_limit(line.p[n]))
			n++;
		*value = slice_trim(slice_skip(line, n));
		return true;
	}
	return false;
}

bool
old_subscriber(struct slice *rest, struct slice *address)
{
	struct slice record;

	while (rest->len > 0) {
		record = slice_cut(rest, '\0');
		if (record.len < 2 || *record.p != 'T')
			continue;
		*address = slice_skip(record, 1);
		return true;
	}
	return false;
}
