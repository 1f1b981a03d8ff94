/* routes.c - which way mail leaves: malle-routes(5). */
/* SPDX-License-Identifier: ISC */

#include "lib/routes.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fields.h"
#include "lib/fsx.h"
#include "lib/num.h"

#define ROWS_MAX 100000
#define CONNECTIONS_MAX 500

/* One pass over a table. */
struct reader {
	struct routes *out;
	struct str *errors;
	int passwords;
	size_t line, cap;
	bool has_all;
	int r;
};

void
routes_defaults(struct routes *r)
{
	memset(r, 0, sizeof(*r));
	r->all.tls = TLS_MAY;
	r->fallback_time = ROUTES_FALLBACK_TIME;
}

void
routes_free(struct routes *r)
{
	if (r->rows != NULL)
		explicit_bzero(r->rows, r->n * sizeof(*r->rows));
	free(r->rows);
	explicit_bzero(r, sizeof(*r));
}

__attribute__((format(printf, 2, 3))) static void
wrong(struct reader *k, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_printf(k->errors, "%zu: %s\n", k->line, text);
	k->r = -1;
}

/* "host", "host:587", "[192.0.2.1]:25", "192.0.2.1". */
static int
set_host(struct route_target *t, struct slice text)
{
	const char *colon = memrchr(text.p, ':', text.len);
	char address[ADDR_DOMAIN_MAX + 1];
	uint64_t port;
	struct ip ip;

	t->port = 25;
	if (colon != NULL && memchr(colon, ']', text.len -
	    (size_t)(colon - text.p)) == NULL && (text.p[0] == '[' ||
	    memchr(text.p, ':', text.len) == colon)) {
		struct slice host = slice_make(text.p,
		    (size_t)(colon - text.p));

		if (num_parse(slice_skip(text, host.len + 1), 1, 65535,
		    &port) == -1)
			return -1;
		t->port = (uint16_t)port;
		text = host;
	}
	if (text.len > 2 && text.p[0] == '[' && text.p[text.len - 1] == ']')
		text = slice_make(text.p + 1, text.len - 2);
	if (ip_parse(text, &ip) == 0) {
		snprintf(t->host, sizeof(t->host), "[%s%s]",
		    ip_is_v4(&ip) ? "" : "IPv6:", ip_text(&ip, address));
		return 0;
	}
	return addr_domain(text, t->host);
}

static int
set_tls(struct route_target *t, struct slice value)
{
	static const char *const names[] = {
		[TLS_NONE] = "none", [TLS_MAY] = "may",
		[TLS_ENCRYPT] = "encrypt", [TLS_VERIFY] = "verify"
	};

	t->has_tls = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eq(value, slice_of(names[i]))) {
			t->tls = (enum remote_tls)i;
			return 0;
		}
	return -1;
}

/* A password is read from a file that nobody else may read. */
static void
set_password_file(struct reader *k, struct route_target *t, struct slice name)
{
	char file[256], *bytes;
	struct slice password;
	struct stat st;
	size_t len;

	if (slice_to_cstr(name, file, sizeof(file)) == -1 ||
	    strchr(file, '/') != NULL) {
		wrong(k, "password-file names a file beside this one, without "
		    "a slash");
		return;
	}
	if (k->passwords == -1)
		return;
	if (fstatat(k->passwords, file, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fsx_read_file(k->passwords, file, 4096, &bytes, &len) == -1) {
		wrong(k, "%s cannot be read: %s", file, strerror(errno));
		return;
	}
	password = slice_trim(slice_make(bytes, len));
	if ((st.st_mode & 07) != 0)
		wrong(k, "%s may be read by everybody: chmod 640 it", file);
	else if (slice_to_cstr(password, t->password, sizeof(t->password)) ==
	    -1 || t->password[0] == '\0')
		wrong(k, "%s holds no password of 1 to 255 bytes", file);
	explicit_bzero(bytes, len);
	free(bytes);
}

static void
set_option(struct reader *k, struct route_target *t, struct slice word)
{
	struct slice value = word, name = slice_cut(&value, '=');
	uint64_t n;

	if (value.p == NULL)
		wrong(k, "%.*s is not of the form name=value",
		    SLICE_FMT(word));
	else if (slice_eq(name, SLICE("tls"))) {
		if (slice_eq(value, SLICE("implicit"))) {
			t->implicit_tls = true;
			t->has_tls = true;
			t->tls = TLS_VERIFY;
		} else if (set_tls(t, value) == -1)
			wrong(k, "tls is none, may, encrypt, verify or "
			    "implicit");
	} else if (!t->is_smarthost)
		wrong(k, "%.*s is for a smarthost only", SLICE_FMT(name));
	else if (slice_eq(name, SLICE("user"))) {
		if (slice_to_cstr(value, t->user, sizeof(t->user)) == -1)
			wrong(k, "user is too long");
	} else if (slice_eq(name, SLICE("password"))) {
		if (slice_to_cstr(value, t->password,
		    sizeof(t->password)) == -1)
			wrong(k, "password is too long");
	} else if (slice_eq(name, SLICE("password-file")))
		set_password_file(k, t, value);
	else if (slice_eq(name, SLICE("connections"))) {
		if (num_parse(value, 1, CONNECTIONS_MAX, &n) == -1)
			wrong(k, "connections is a number from 1 to %u",
			    CONNECTIONS_MAX);
		else
			t->connections = (uint32_t)n;
	} else
		wrong(k, "there is no option %.*s", SLICE_FMT(name));
}

/* "direct" or "smarthost HOST[:PORT]", then options. */
static void
read_target(struct reader *k, struct slice line, struct route_target *t)
{
	struct slice word;

	memset(t, 0, sizeof(*t));
	t->tls = TLS_MAY;
	if (fields_word(&line, &word) != 1) {
		wrong(k, "say direct, or smarthost HOST:PORT");
		return;
	}
	if (slice_eq(word, SLICE("smarthost"))) {
		t->is_smarthost = true;
		if (fields_word(&line, &word) != 1 ||
		    set_host(t, word) == -1) {
			wrong(k, "smarthost wants HOST, HOST:PORT or "
			    "[ADDRESS]:PORT");
			return;
		}
	} else if (!slice_eq(word, SLICE("direct"))) {
		wrong(k, "%.*s is neither direct nor smarthost",
		    SLICE_FMT(word));
		return;
	}
	while (fields_word(&line, &word) == 1)
		set_option(k, t, word);
	if ((t->user[0] == '\0') != (t->password[0] == '\0') &&
	    k->passwords != -1)
		wrong(k, "user and password (or password-file) go together");
}

static void
add_row(struct reader *k, enum route_scope scope, struct slice line)
{
	struct routes *r = k->out;
	struct route_row row;
	struct slice word;

	memset(&row, 0, sizeof(row));
	row.scope = scope;
	if (fields_word(&line, &word) != 1) {
		wrong(k, "which domain?");
		return;
	}
	if (word.len > 1 && word.p[0] == '.') {
		row.is_suffix = true;
		word = slice_skip(word, 1);
	}
	if (addr_domain(word, row.domain) == -1) {
		wrong(k, "%.*s is not a domain", SLICE_FMT(word));
		return;
	}
	read_target(k, line, &row.target);
	if (r->n == k->cap) {
		size_t cap = k->cap == 0 ? 16 : 2 * k->cap;
		void *p = cap <= ROWS_MAX ? reallocarray(r->rows, cap,
		    sizeof(row)) : NULL;

		if (p == NULL) {
			wrong(k, "there are too many rows");
			return;
		}
		r->rows = p;
		k->cap = cap;
	}
	r->rows[r->n++] = row;
}

static void
read_line(struct reader *k, struct slice line)
{
	struct slice word = SLICE_EMPTY;
	uint64_t n;

	(void)fields_word(&line, &word);
	if (slice_eq(word, SLICE("to")))
		add_row(k, ROUTE_TO, line);
	else if (slice_eq(word, SLICE("from")))
		add_row(k, ROUTE_FROM, line);
	else if (slice_eq(word, SLICE("all"))) {
		if (k->has_all)
			wrong(k, "all was said above already");
		k->has_all = true;
		read_target(k, line, &k->out->all);
	} else if (slice_eq(word, SLICE("fallback"))) {
		if (k->out->has_fallback)
			wrong(k, "fallback was said above already");
		k->out->has_fallback = true;
		read_target(k, line, &k->out->fallback);
		if (k->r == 0 && !k->out->fallback.is_smarthost)
			wrong(k, "a fallback is a smarthost");
	} else if (slice_eq(word, SLICE("fallback-time"))) {
		if (fields_word(&line, &word) != 1 ||
		    num_parse_duration(word, 60, 2592000, &n) == -1)
			wrong(k, "fallback-time is a time from 1m to 30d");
		else
			k->out->fallback_time = (uint32_t)n;
	} else
		wrong(k, "a row begins with to, from, all, fallback or "
		    "fallback-time, not with %.*s", SLICE_FMT(word));
}

static int
compare_key(const struct route_row *row, enum route_scope scope,
    bool is_suffix, struct slice domain)
{
	size_t len = strlen(row->domain);
	size_t n = len < domain.len ? len : domain.len;
	int c;

	if (row->scope != scope)
		return row->scope < scope ? -1 : 1;
	if (row->is_suffix != is_suffix)
		return row->is_suffix < is_suffix ? -1 : 1;
	if ((c = memcmp(row->domain, domain.p, n)) != 0)
		return c;
	return len == domain.len ? 0 : len < domain.len ? -1 : 1;
}

static int
compare_rows(const void *a, const void *b)
{
	const struct route_row *y = b;

	return compare_key(a, y->scope, y->is_suffix, slice_of(y->domain));
}

int
routes_parse(struct slice text, int passwords, struct routes *out,
    struct str *errors)
{
	struct routes new;
	struct reader k = { .out = &new, .errors = errors,
	    .passwords = passwords };
	struct slice line;

	routes_defaults(&new);
	while (fields_line(&text, &line, &k.line))
		read_line(&k, line);
	if (new.n > 1)
		qsort(new.rows, new.n, sizeof(*new.rows), compare_rows);
	for (size_t i = 1; i < new.n; i++)
		if (compare_rows(&new.rows[i - 1], &new.rows[i]) == 0)
			wrong(&k, "%s %s%s is there twice",
			    new.rows[i].scope == ROUTE_TO ? "to" : "from",
			    new.rows[i].is_suffix ? "." : "",
			    new.rows[i].domain);
	if (k.r == -1) {
		routes_free(&new);
		return -1;
	}
	*out = new;
	return 0;
}

static bool
is_open_to_all(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, 0) == 0 && (st.st_mode & 04) != 0;
}

int
routes_load(int dirfd, const char *name, struct routes *out,
    struct str *errors)
{
	size_t len;
	char *bytes;
	int r;

	if (dirfd == -1 ||
	    fsx_read_file(dirfd, name, ROUTES_FILE_MAX, &bytes, &len) == -1) {
		if (dirfd == -1 || errno == ENOENT) {
			routes_defaults(out);
			return 0;
		}
		str_printf(errors, "cannot be read: %s\n", strerror(errno));
		return -1;
	}
	r = routes_parse(slice_make(bytes, len), dirfd, out, errors);
	if (r == 0 && is_open_to_all(dirfd, name) &&
	    memmem(bytes, len, "password=", 9) != NULL) {
		str_printf(errors, "a password is in it, and everybody may "
		    "read it: chmod 640 %s\n", name);
		routes_free(out);
		r = -1;
	}
	explicit_bzero(bytes, len);
	free(bytes);
	return r;
}

static const struct route_target *
find_row(const struct routes *r, enum route_scope scope, bool is_suffix,
    struct slice domain)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = compare_key(&r->rows[mid], scope, is_suffix, domain);

		if (c == 0)
			return &r->rows[mid].target;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* The domain itself, then each domain that it is below. */
static const struct route_target *
find_domain(const struct routes *r, enum route_scope scope,
    struct slice domain)
{
	const struct route_target *t = find_row(r, scope, false, domain);

	while (t == NULL && domain.len > 0) {
		const char *dot = memchr(domain.p, '.', domain.len);

		if (dot == NULL)
			break;
		domain = slice_skip(domain, (size_t)(dot - domain.p) + 1);
		t = find_row(r, scope, true, domain);
	}
	return t;
}

const struct route_target *
routes_find(const struct routes *r, struct slice sender_domain,
    struct slice recipient_domain)
{
	const struct route_target *t = NULL;

	if (r->n > 0 &&
	    (t = find_domain(r, ROUTE_TO, recipient_domain)) == NULL)
		t = find_domain(r, ROUTE_FROM, sender_domain);
	return t != NULL ? t : &r->all;
}
