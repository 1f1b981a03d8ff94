/* conf.c - malleposte.conf: what the machine's administrator sets. */
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/num.h"

enum type {
	TYPE_TEXT, TYPE_PATH, TYPE_FILE, TYPE_LOG, TYPE_DOMAIN, TYPE_ADDRESS,
	TYPE_RESOLVER, TYPE_SIZE, TYPE_TIME, TYPE_COUNT, TYPE_BOOL, TYPE_LISTEN,
	TYPE_NETS
};

/* One row is one setting: the table is the documentation. */
struct setting {
	const char *name;
	enum type type;
	size_t offset, size;	/* of the field; size for texts */
	uint64_t lo, hi;
	const char *preset;
	const char *help;
};

#define AT(field) offsetof(struct conf, field), \
	sizeof(((struct conf *)NULL)->field)
#define ANY 0, UINT64_MAX

/* clang-format off */
static const struct setting settings[] = {
	/* name            type         field          range  default  help */
	{ "hostname", TYPE_DOMAIN, AT(hostname), ANY, "",
	  "our name in greetings; empty: the machine's" },
	{ "base", TYPE_PATH, AT(base), ANY, "/var/lib/malleposte",
	  "the data folder" },
	{ "libexec", TYPE_PATH, AT(libexec), ANY, "/usr/libexec/malleposte",
	  "where the programs are" },
	{ "log", TYPE_LOG, AT(log), ANY, "syslog",
	  "stderr, syslog, or the absolute path of a file" },
	{ "admin_group", TYPE_TEXT, AT(admin_group), ANY, "malle-admin",
	  "members of this group may administer" },
	{ "default_domain", TYPE_DOMAIN, AT(default_domain), ANY, "",
	  "the domain of names given without one" },
	{ "postmaster", TYPE_ADDRESS, AT(postmaster), ANY, "",
	  "who gets what cannot be returned; empty: postmaster@default_domain" },
	{ "user_net", TYPE_TEXT, AT(user_net), ANY, "malle-net",
	  "user of what faces the network: a name, UID or UID:GID" },
	{ "user_queue", TYPE_TEXT, AT(user_queue), ANY, "malle-queue",
	  "user of the queue" },
	{ "user_auth", TYPE_TEXT, AT(user_auth), ANY, "malle-auth",
	  "user of the password checker" },
	{ "user_tls", TYPE_TEXT, AT(user_tls), ANY, "malle-tls",
	  "user of the TLS relay" },
	{ "user_remote", TYPE_TEXT, AT(user_remote), ANY, "malle-remote",
	  "user of the remote sender" },
	{ "user_bounce", TYPE_TEXT, AT(user_bounce), ANY, "malle-bounce",
	  "user of the bounce writer" },
	{ "user_registry", TYPE_TEXT, AT(user_registry), ANY, "malle-registry",
	  "user of the registry" },
	{ "user_hook", TYPE_TEXT, AT(user_hook), ANY, "malle-hook",
	  "user of the programs that are run after a change" },
	{ "domain_uid_first", TYPE_COUNT, AT(domain_uid_first), 1, 4000000000,
	  "70000", "first uid for the mailboxes of a domain" },
	{ "domain_uid_last", TYPE_COUNT, AT(domain_uid_last), 1, 4000000000,
	  "79999", "last uid for the mailboxes of a domain" },
	{ "smtp", TYPE_LISTEN, AT(smtp), ANY, "25",
	  "where mail from other servers is taken: PORT or ADDRESS:PORT, ..." },
	{ "submission", TYPE_LISTEN, AT(submission), ANY, "587",
	  "where our users send, STARTTLS" },
	{ "submissions", TYPE_LISTEN, AT(submissions), ANY, "465",
	  "where our users send, TLS from the start" },
	{ "pop3", TYPE_LISTEN, AT(pop3), ANY, "110", "POP3, STLS" },
	{ "pop3s", TYPE_LISTEN, AT(pop3s), ANY, "995",
	  "POP3, TLS from the start" },
	{ "proxy_hosts", TYPE_NETS, AT(proxy_hosts), ANY, "",
	  "hosts that speak the PROXY protocol version 2 to us" },
	{ "repair_hosts", TYPE_NETS, AT(repair_hosts), ANY, "",
	  "hosts whose bare CR and LF are repaired instead of refused" },
	{ "auth_clear_on_loopback", TYPE_BOOL, AT(auth_clear_on_loopback), ANY,
	  "no", "take passwords without TLS on the loopback interface" },
	{ "message_max", TYPE_SIZE, AT(message_max), 1024, 4294967295,
	  "50M", "largest message" },
	{ "line_max", TYPE_SIZE, AT(line_max), 998, 4294967295, "1M",
	  "longest line of a message (RFC 5321 asks for 998 at least)" },
	{ "recipients_max", TYPE_COUNT, AT(recipients_max), 100, 1000000,
	  "1000", "recipients of one message (RFC 5321 asks for 100 at least)" },
	{ "sessions_max", TYPE_COUNT, AT(sessions_max), 1, 100000, "500",
	  "sessions at a time, of each protocol" },
	{ "sessions_per_host", TYPE_COUNT, AT(sessions_per_host), 1, 100000,
	  "50", "sessions at a time from one address" },
	{ "messages_per_session", TYPE_COUNT, AT(messages_per_session), 1,
	  1000000, "1000", "messages in one session" },
	{ "errors_max", TYPE_COUNT, AT(errors_max), 1, 10000, "20",
	  "wrong commands before a session is ended" },
	{ "commands_idle_max", TYPE_COUNT, AT(commands_idle_max), 10, 1000000,
	  "100", "commands without a message before a session is ended" },
	{ "smtp_timeout", TYPE_TIME, AT(smtp_timeout), 1, 86400, "5m",
	  "longest silence of an SMTP client (RFC 5321 4.5.3.2.7)" },
	{ "pop3_timeout", TYPE_TIME, AT(pop3_timeout), 1, 86400, "10m",
	  "longest silence of a POP3 client (RFC 1939 section 3)" },
	{ "session_time_max", TYPE_TIME, AT(session_time_max), 1, 604800, "2h",
	  "longest session" },
	{ "min_rate", TYPE_SIZE, AT(min_rate), 0, 1073741824, "100",
	  "bytes a second that a client must send inside a message" },
	{ "outbound_messages_hour", TYPE_COUNT, AT(outbound_messages_hour), 0,
	  1000000, "300", "messages that an account may send in an hour, then "
	  "slowed, then held; 0: any number" },
	{ "outbound_recipients_hour", TYPE_COUNT, AT(outbound_recipients_hour),
	  0, 1000000, "1500", "recipients that an account may send to in an "
	  "hour; 0: any number" },
	{ "queue_lifetime", TYPE_TIME, AT(queue_lifetime), 1, 31536000, "5d",
	  "how long a delivery is tried (RFC 5321 4.5.4.1)" },
	{ "lifetime_transactional", TYPE_TIME, AT(lifetime_transactional), 0,
	  31536000, "0", "the same for notices and answers; 0: as "
	  "queue_lifetime" },
	{ "lifetime_lists", TYPE_TIME, AT(lifetime_lists), 0, 31536000, "0",
	  "the same for mail of lists; 0: as queue_lifetime" },
	{ "lifetime_bulk", TYPE_TIME, AT(lifetime_bulk), 0, 31536000, "0",
	  "the same for bulk mailings; 0: as queue_lifetime" },
	{ "delay_notice", TYPE_TIME, AT(delay_notice), 0, 31536000, "4h",
	  "when the sender is told of a delay; 0: never" },
	{ "retry_first", TYPE_TIME, AT(retry_first), 1, 86400, "5m",
	  "first interval between two attempts; each next one is longer" },
	{ "retry_max", TYPE_TIME, AT(retry_max), 1, 604800, "4h",
	  "longest interval between two attempts" },
	{ "queue_free_min", TYPE_SIZE, AT(queue_free_min), 0,
	  1099511627776, "100M", "disk space that new mail may not use" },
	{ "workers_max", TYPE_COUNT, AT(workers_max), 1, 1000, "20",
	  "local delivery programs at a time" },
	{ "worker_idle", TYPE_TIME, AT(worker_idle), 1, 86400, "60s",
	  "how long an idle delivery program is kept" },
	{ "restart_pause_max", TYPE_TIME, AT(restart_pause_max), 0, 3600, "30s",
	  "longest pause before a program that keeps dying is started again" },
	{ "resolver", TYPE_RESOLVER, AT(resolver), ANY, "",
	  "ADDRESS or ADDRESS:PORT of the DNS resolver; empty: the machine's" },
	{ "authorities", TYPE_FILE, AT(authorities), ANY, "",
	  "file of certificates that vouch for other servers; empty: the "
	  "machine's" },
	{ "remote_port", TYPE_COUNT, AT(remote_port), 1, 65535, "25",
	  "port of other mail servers; anything but 25 is for tests" },
	{ "connect_timeout", TYPE_TIME, AT(connect_timeout), 1, 600, "30s",
	  "how long a connection to another server may take" },
	{ "providers", TYPE_PATH, AT(providers), ANY,
	  "/etc/malleposte/providers",
	  "how big mail services want to be treated; no file: what is built in" },
	{ "routes", TYPE_PATH, AT(routes), ANY, "/etc/malleposte/routes",
	  "smarthosts and TLS of other servers; no file: all goes directly" },
	{ "reply_timeout", TYPE_TIME, AT(reply_timeout), 1, 3600, "10m",
	  "longest wait for a reply of another server; never longer than RFC "
	  "5321 4.5.3.2 says for it" },
	{ "sts_port", TYPE_COUNT, AT(sts_port), 1, 65535, "443",
	  "port of MTA-STS policies; anything but 443 is for tests" },
	{ "hooks", TYPE_PATH, AT(hooks), ANY, "/etc/malleposte/hooks.d",
	  "folder of programs that are run after each change of an account; no "
	  "folder: none" },
	{ "hook_time", TYPE_TIME, AT(hook_time), 1, 3600, "60s",
	  "how long one of them may take" },
	{ "password_cache", TYPE_TIME, AT(password_cache), 0, 86400, "10m",
	  "how long a verified password is remembered, as a keyed hash" },
	{ "password_min", TYPE_COUNT, AT(password_min), 6, 128, "12",
	  "characters that a new password must have" },
	{ "catch_all_days", TYPE_COUNT, AT(catch_all_days), 0, 3650, "0",
	  "days that mail which came by a catch-all alone stays in an inbox, then "
	  "removed with a week's notice; 0: for ever" },
};
/* clang-format on */
#define NSETTINGS (sizeof(settings) / sizeof(settings[0]))

static void *
field(struct conf *c, const struct setting *s)
{
	return (char *)c + s->offset;
}

/* "25", "127.0.0.1:25", "[::1]:25"; 0, or what is wrong. */
static const char *
parse_listen(struct slice text, struct conf_listen *out)
{
	struct slice host, port = text;
	const char *colon = memrchr(text.p, ':', text.len);
	uint64_t n;
	struct ip ip;

	if (colon != NULL) {
		host = slice_make(text.p, (size_t)(colon - text.p));
		port = slice_skip(text, host.len + 1);
		if (host.len >= 2 && host.p[0] == '[' &&
		    host.p[host.len - 1] == ']')
			host = slice_make(host.p + 1, host.len - 2);
		if (ip_parse(host, &ip) == -1)
			return "the address is not an IP address: write "
			    "127.0.0.1:25 or [::1]:25";
		ip_text(&ip, out->host);
	} else
		out->host[0] = '\0';
	if (num_parse(port, 1, 65535, &n) == -1)
		return "the port must be a number from 1 to 65535";
	out->port = (uint16_t)n;
	return NULL;
}

/* Parts are separated by spaces and commas. */
static struct slice
next_part(struct slice *rest)
{
	struct slice part;

	while (rest->len > 0 && (rest->p[0] == ',' || rest->p[0] == ' ' ||
	    rest->p[0] == '\t'))
		*rest = slice_skip(*rest, 1);
	part = *rest;
	for (part.len = 0; part.len < rest->len; part.len++)
		if (rest->p[part.len] == ',' || rest->p[part.len] == ' ' ||
		    rest->p[part.len] == '\t')
			break;
	*rest = slice_skip(*rest, part.len);
	return part;
}

static const char *
set_listens(struct conf_listens *l, struct slice value)
{
	struct slice part;
	const char *wrong;

	l->n = 0;
	if (slice_eq(value, SLICE("none")))
		return NULL;
	while ((part = next_part(&value)).len > 0) {
		if (l->n == CONF_LISTEN_MAX)
			return "there are too many addresses";
		if ((wrong = parse_listen(part, &l->v[l->n])) != NULL)
			return wrong;
		l->n++;
	}
	return l->n > 0 ? NULL : "write an address, a port or none";
}

static const char *
set_nets(struct conf_nets *n, struct slice value)
{
	struct slice part;

	n->n = 0;
	while ((part = next_part(&value)).len > 0) {
		if (n->n == sizeof(n->v) / sizeof(n->v[0]))
			return "there are too many networks";
		if (ip_parse_net(part, &n->v[n->n].net, &n->v[n->n].bits) == -1)
			return "write networks as 192.0.2.0/24 or 2001:db8::/32";
		n->n++;
	}
	return NULL;
}

/* "192.0.2.1" or "192.0.2.1:53", as dns_open() takes it. */
static const char *
check_resolver(struct slice value)
{
	struct slice port = value, host = slice_cut(&port, ':');
	struct ip ip;
	uint64_t n;

	return ip_parse(host, &ip) == 0 &&
	    (port.p == NULL || num_parse(port, 1, 65535, &n) == 0) ? NULL :
	    "write an IPv4 address, as 127.0.0.1 or 127.0.0.1:53";
}

/* NULL for a text that its program will be able to use. */
static const char *
check_text(enum type type, struct slice value)
{
	struct addr a;

	if (type == TYPE_LOG && (slice_eq(value, SLICE("stderr")) ||
	    slice_eq(value, SLICE("syslog"))))
		return NULL;
	if (type == TYPE_LOG && (value.len == 0 || value.p[0] != '/'))
		return "write stderr, syslog or an absolute path";
	if (type == TYPE_PATH && value.len == 0)
		return "write an absolute path";
	if (value.len == 0)
		return NULL;
	if ((type == TYPE_PATH || type == TYPE_FILE) && value.p[0] != '/')
		return "write an absolute path";
	if (type == TYPE_ADDRESS && addr_parse(value, &a) != ADDR_OK)
		return "write an address, as bob@your-domain";
	return type == TYPE_RESOLVER ? check_resolver(value) : NULL;
}

static const char *
set_text(struct conf *c, const struct setting *s, struct slice value)
{
	const char *wrong = check_text(s->type, value);

	if (wrong != NULL)
		return wrong;
	if (s->type == TYPE_DOMAIN && value.len > 0)
		return addr_domain(value, field(c, s)) == 0 ? NULL :
		    "this is not a domain name";
	return slice_to_cstr(value, field(c, s), s->size) == 0 ? NULL :
	    "the text is too long";
}

static const char *
set_bool(bool *b, struct slice value)
{
	if (slice_eq(value, SLICE("yes")))
		*b = true;
	else if (slice_eq(value, SLICE("no")))
		*b = false;
	else
		return "write yes or no";
	return NULL;
}

/* NULL, or what is wrong and what to do. */
static const char *
set(struct conf *c, const struct setting *s, struct slice value)
{
	uint64_t *number = field(c, s);

	switch (s->type) {
	case TYPE_TEXT:
	case TYPE_PATH:
	case TYPE_FILE:
	case TYPE_LOG:
	case TYPE_DOMAIN:
	case TYPE_ADDRESS:
	case TYPE_RESOLVER:
		return set_text(c, s, value);
	case TYPE_SIZE:
		return num_parse_size(value, s->lo, s->hi, number) == 0 ? NULL :
		    "write a size in its range, as 500k, 50M or 1G";
	case TYPE_TIME:
		return num_parse_duration(value, s->lo, s->hi, number) == 0 ?
		    NULL : "write a time in its range, as 30s, 5m, 4h or 5d";
	case TYPE_COUNT:
		return num_parse(value, s->lo, s->hi, number) == 0 ? NULL :
		    "write a whole number in its range";
	case TYPE_BOOL:
		return set_bool(field(c, s), value);
	case TYPE_LISTEN:
		return set_listens(field(c, s), value);
	case TYPE_NETS:
		return set_nets(field(c, s), value);
	}
	return "this setting has no type";
}

static const struct setting *
find_setting(struct slice name)
{
	for (size_t i = 0; i < NSETTINGS; i++)
		if (slice_eq(name, slice_of(settings[i].name)))
			return &settings[i];
	return NULL;
}

/* One line. 0, or -1 with the mistake told. */
static int
read_line(struct conf *c, struct slice line, bool *given, const char *path,
    size_t number, FILE *err)
{
	struct slice value = slice_trim(line), name;
	const struct setting *s;
	const char *wrong;

	if (value.len == 0 || value.p[0] == '#')
		return 0;
	name = slice_trim(slice_cut(&value, '='));
	if (value.p == NULL) {
		fprintf(err, "%s:%zu: not of the form: name = value\n", path,
		    number);
		return -1;
	}
	value = slice_trim(value);
	if ((s = find_setting(name)) == NULL) {
		fprintf(err, "%s:%zu: there is no setting \"%.*s\": see "
		    "malleposte.conf(5)\n", path, number, SLICE_FMT(name));
		return -1;
	}
	if (given[s - settings]) {
		fprintf(err, "%s:%zu: %s was already set above: remove one of "
		    "the two\n", path, number, s->name);
		return -1;
	}
	given[s - settings] = true;
	if ((wrong = set(c, s, value)) == NULL)
		return 0;
	fprintf(err, "%s:%zu: %s = %.*s: %s\n", path, number, s->name,
	    SLICE_FMT(value), wrong);
	return -1;
}

static int
read_lines(struct conf *c, FILE *f, const char *path, FILE *err)
{
	bool given[NSETTINGS] = { false };
	char line[CONF_LINE_MAX];
	size_t number = 0;
	int r = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL && !feof(f)) {
			fprintf(err, "%s:%zu: the line is too long\n", path,
			    number);
			r = -1;
			break;
		}
		if (read_line(c, slice_of(line), given, path, number, err) ==
		    -1)
			r = -1;
	}
	if (ferror(f)) {
		fprintf(err, "%s: reading failed: %s\n", path, strerror(errno));
		r = -1;
	}
	return r;
}

/* What no line alone can show. */
static int
check_whole(struct conf *c, const char *path, FILE *err)
{
	char name[ADDR_DOMAIN_MAX + 1];

	if (c->hostname[0] == '\0' &&
	    (gethostname(name, sizeof(name)) == -1 ||
	    addr_domain(slice_make(name, strnlen(name, sizeof(name))),
	    c->hostname) == -1)) {
		fprintf(err, "%s: the machine has no usable name: set "
		    "hostname = mail.your-domain\n", path);
		return -1;
	}
	if (c->domain_uid_last < c->domain_uid_first) {
		fprintf(err, "%s: domain_uid_last is below "
		    "domain_uid_first\n", path);
		return -1;
	}
	if (c->retry_max < c->retry_first) {
		fprintf(err, "%s: retry_max is below retry_first\n", path);
		return -1;
	}
	return 0;
}

int
conf_read(struct conf *c, FILE *f, const char *path, FILE *err)
{
	struct conf new;

	memset(&new, 0, sizeof(new));
	for (size_t i = 0; i < NSETTINGS; i++) {
		const char *wrong;

		if ((wrong = set(&new, &settings[i],
		    slice_of(settings[i].preset))) != NULL) {
			fprintf(err, "%s: the default is wrong: %s\n",
			    settings[i].name, wrong);
			return -1;
		}
	}
	if (read_lines(&new, f, path, err) == -1 ||
	    check_whole(&new, path, err) == -1)
		return -1;
	*c = new;
	return 0;
}

int
conf_load(struct conf *c, const char *path, FILE *err)
{
	FILE *f;
	int r;

	if (path == NULL)
		path = CONF_PATH;
	if ((f = fopen(path, "re")) == NULL) {
		fprintf(err, "%s: cannot be read: %s\n", path, strerror(errno));
		return -1;
	}
	r = conf_read(c, f, path, err);
	fclose(f);
	return r;
}

bool
conf_postmaster(const struct conf *c, char *out, size_t cap)
{
	out[0] = '\0';
	if (c->postmaster[0] != '\0')
		snprintf(out, cap, "%s", c->postmaster);
	else if (c->default_domain[0] != '\0')
		snprintf(out, cap, "postmaster@%s", c->default_domain);
	return out[0] != '\0';
}

int
conf_path(const struct conf *c, const char *name, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s/%s", c->base, name);

	if (n < 0 || (size_t)n >= cap) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

void
conf_describe(FILE *out)
{
	for (size_t i = 0; i < NSETTINGS; i++)
		fprintf(out, "%s\t%s\t%s\n", settings[i].name,
		    settings[i].preset, settings[i].help);
}

static void
print_nets(const struct conf_nets *n, FILE *out)
{
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < n->n; i++)
		fprintf(out, "%s%s/%u", i > 0 ? ", " : "",
		    ip_text(&n->v[i].net, text), ip_is_v4(&n->v[i].net) ?
		    n->v[i].bits - 96 : n->v[i].bits);
}

static void
print_listens(const struct conf_listens *l, FILE *out)
{
	if (l->n == 0)
		fputs("none", out);
	for (size_t i = 0; i < l->n; i++) {
		const char *host = l->v[i].host;
		bool six = strchr(host, ':') != NULL;

		fprintf(out, "%s%s%s%s%s%u", i > 0 ? ", " : "",
		    six ? "[" : "", host, six ? "]" : "",
		    host[0] != '\0' ? ":" : "", l->v[i].port);
	}
}

void
conf_print(const struct conf *c, FILE *out)
{
	for (size_t i = 0; i < NSETTINGS; i++) {
		const struct setting *s = &settings[i];
		const void *p = (const char *)c + s->offset;

		fprintf(out, "%s = ", s->name);
		switch (s->type) {
		case TYPE_TEXT:
		case TYPE_PATH:
		case TYPE_FILE:
		case TYPE_LOG:
		case TYPE_DOMAIN:
		case TYPE_ADDRESS:
		case TYPE_RESOLVER:
			fputs(p, out);
			break;
		case TYPE_SIZE:
		case TYPE_TIME:
		case TYPE_COUNT:
			fprintf(out, "%ju", (uintmax_t)*(const uint64_t *)p);
			break;
		case TYPE_BOOL:
			fputs(*(const bool *)p ? "yes" : "no", out);
			break;
		case TYPE_LISTEN:
			print_listens(p, out);
			break;
		case TYPE_NETS:
			print_nets(p, out);
			break;
		}
		fputc('\n', out);
	}
}

bool
conf_nets_match(const struct conf_nets *n, const struct ip *ip)
{
	for (size_t i = 0; i < n->n; i++)
		if (ip_match(ip, &n->v[i].net, n->v[i].bits))
			return true;
	return false;
}
