/* test_conf.c - the configuration file: defaults, values, mistakes. */
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static char path[300];
static char *said;
static size_t said_len;

/* Loads text as the file; what is said of it is in said. */
static int
load(struct conf *c, int dir, const char *text, size_t len)
{
	FILE *err;
	int r;

	free(said);
	said = NULL;
	if ((err = open_memstream(&said, &said_len)) == NULL)
		errx(1, "memory");
	scratch_write(dir, "x.conf", text, len);
	r = conf_load(c, path, err);
	fclose(err);
	return r;
}

/* clang-format off */
static const struct {
	const char *line, *said;	/* a part of what is said */
} mistakes[] = {
	{ "nonsense", "x.conf:1:" },
	{ "colour = red", "no setting" },
	{ "= 5", "x.conf:1:" },
	{ "message_max = lots", "message_max" },
	{ "message_max = -1", "message_max" },
	{ "message_max = 10", "message_max" },
	{ "message_max =", "message_max" },
	{ "message_max = 99999999999999999999G", "message_max" },
	{ "retry_first = 5x", "retry_first" },
	{ "recipients_max = 1e3", "recipients_max" },
	{ "recipients_max = 99", "recipients_max" },
	{ "auth_clear_on_loopback = maybe", "yes or no" },
	{ "auth_clear_on_loopback = YES", "yes or no" },
	{ "smtp = 0", "port" }, { "smtp = 65536", "port" },
	{ "smtp = localhost:25", "127.0.0.1:25" },
	{ "smtp = 127.0.0.1:", "port" },
	{ "smtp = 1 2 3 4 5 6 7 8 9", "too many" },
	{ "smtp =", "none" },
	{ "proxy_hosts = 192.0.2.0/33", "192.0.2.0/24" },
	{ "repair_hosts = here", "192.0.2.0/24" },
	{ "base = relative/path", "absolute" },
	{ "base =", "absolute" },
	{ "log = sylog", "absolute" }, { "log =", "absolute" },
	{ "authorities = ca.pem", "absolute" },
	{ "resolver = ::1", "127.0.0.1:53" },
	{ "resolver = localhost", "127.0.0.1:53" },
	{ "resolver = 127.0.0.1:", "127.0.0.1:53" },
	{ "resolver = 127.0.0.1:65536", "127.0.0.1:53" },
	{ "postmaster = bob", "bob@" },
	{ "postmaster = <bob@exemple.test>", "bob@" },
	{ "hostname = not_a domain", "domain" },
	{ "default_domain = a..b", "domain" },
	{ "smtp = 25\nsmtp = 26", "x.conf:2:" },
	{ "retry_first = 2h\nretry_max = 1h", "retry_max" },
	{ "domain_uid_first = 9\ndomain_uid_last = 8", "domain_uid_last" },
};
/* clang-format on */

static void
test_values(int dir)
{
	static const char text[] =
	    "# a comment\n\n"
	    "  hostname =  MX.Exemple.Test \n"
	    "base = /srv/mail=x\n"
	    "message_max = 20M\r\n"
	    "smtp = 25, 127.0.0.1:2025 [::1]:2026\n"
	    "pop3 = none\n"
	    "proxy_hosts = 192.0.2.0/24, 2001:db8::/32\n"
	    "auth_clear_on_loopback = yes\n"
	    "resolver = 127.0.0.1:5353\n"
	    "postmaster = chef@exemple.test\n"
	    "retry_first = 1m\nlog = stderr";
	struct conf c;
	struct ip ip;

	ok(load(&c, dir, text, strlen(text)) == 0 && said_len == 0,
	    "a good file: %s", said);
	ok(strcmp(c.hostname, "mx.exemple.test") == 0 &&
	    strcmp(c.base, "/srv/mail=x") == 0 && c.message_max == 20 << 20 &&
	    c.auth_clear_on_loopback && c.retry_first == 60 &&
	    strcmp(c.resolver, "127.0.0.1:5353") == 0 &&
	    strcmp(c.postmaster, "chef@exemple.test") == 0 &&
	    strcmp(c.log, "stderr") == 0, "its values");
	ok(c.smtp.n == 3 && c.smtp.v[0].host[0] == '\0' &&
	    c.smtp.v[1].port == 2025 && strcmp(c.smtp.v[2].host, "::1") == 0 &&
	    c.pop3.n == 0 && c.pop3s.n == 1 && c.pop3s.v[0].port == 995,
	    "addresses and ports");
	ok(ip_parse(SLICE("192.0.2.200"), &ip) == 0 &&
	    conf_nets_match(&c.proxy_hosts, &ip) &&
	    !conf_nets_match(&c.repair_hosts, &ip) &&
	    ip_parse(SLICE("2001:db9::"), &ip) == 0 &&
	    !conf_nets_match(&c.proxy_hosts, &ip), "networks");
	ok(c.queue_lifetime == 5 * 86400 && c.delay_notice == 4 * 3600,
	    "defaults stay");
}

static void
test_mistakes(int dir)
{
	struct conf c, before;

	memset(&c, 'x', sizeof(c));
	memcpy(&before, &c, sizeof(c));
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		bool good = load(&c, dir, mistakes[i].line,
		    strlen(mistakes[i].line)) == -1 &&
		    strstr(said, mistakes[i].said) != NULL &&
		    memcmp(&c, &before, sizeof(c)) == 0;

		said[strcspn(said, "\n")] = '\0';
		ok(good, "mistake row %zu: %s", i, said);
	}
	ok(load(&c, dir, "a = 1\nb = 2\nsmtp = 0\n", 21) == -1 &&
	    strstr(said, ":1:") != NULL && strstr(said, ":2:") != NULL &&
	    strstr(said, ":3:") != NULL, "every mistake is told at once");
	FILE *null = fopen("/dev/null", "w");
	ok(null != NULL && conf_load(&c, "/nonexistent/x.conf", null) == -1,
	    "a file that is not there");
	fclose(null);
}

static void
test_hostile(int dir)
{
	static char text[100000];
	struct conf c;

	memset(text, 'a', sizeof(text));
	ok(load(&c, dir, text, sizeof(text)) == -1 &&
	    strstr(said, "too long") != NULL, "a line of 100000 bytes");
	ok(load(&c, dir, "smtp = 2\0005\n", 11) == -1 ||
	    c.smtp.v[0].port == 2, "NUL inside");
	memset(text, '\n', sizeof(text));
	ok(load(&c, dir, text, sizeof(text)) == 0, "100000 empty lines");
}

static void
test_print(int dir)
{
	char *text = NULL, *again = NULL, out[100];
	size_t len, len2;
	struct conf c;
	FILE *f;

	ok(load(&c, dir, "hostname = a.test\nsmtp = [::1]:25, 26\n"
	    "proxy_hosts = 192.0.2.0/24\n", 64) == 0, "loaded");
	f = open_memstream(&text, &len);
	conf_print(&c, f);
	fclose(f);
	ok(load(&c, dir, text, len) == 0, "what is printed can be read: %s",
	    said_len > 0 ? said : "yes");
	f = open_memstream(&again, &len2);
	conf_print(&c, f);
	fclose(f);
	ok(strcmp(text, again) == 0, "and is the same again");
	free(text);
	free(again);
	ok(conf_path(&c, "queue", out, sizeof(out)) == 0 &&
	    strcmp(out, "/var/lib/malleposte/queue") == 0, "a path below base");
	memcpy(out, "old", 4);
	ok(conf_path(&c, "queue", out, 10) == -1 && errno == ENAMETOOLONG,
	    "a path that is too long");
}

int
main(void)
{
	int dir = scratch_open();

	snprintf(path, sizeof(path), "%s/x.conf", scratch_path);
	test_values(dir);
	test_mistakes(dir);
	test_hostile(dir);
	test_print(dir);
	free(said);
	return done();
}
