/* session.c - one SMTP session with one host of a route, up to MAIL. */
/* SPDX-License-Identifier: ISC */

#include "remote/session.h"

#include <arpa/inet.h>
#include <bsd/stdlib.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base64.h"
#include "remote/tls.h"

/* RFC 5321 4.5.3.2, in seconds. */
#define TIME_GREETING 300
#define TIME_EHLO 300
#define TIME_STARTTLS 120
#define TIME_AUTH 120
#define TIME_QUIT 2

#define ATTEMPTS_MAX 8		/* addresses of one route */

void
session_says(const struct session *s, enum queue_result result,
    enum remote_cause cause, const char *enhanced, struct remote_reply *out,
    const char *fmt, ...)
{
	va_list ap;

	*out = s->how;
	out->result = result;
	out->cause = cause;
	out->code = 0;
	snprintf(out->enhanced, sizeof(out->enhanced), "%s", enhanced);
	va_start(ap, fmt);
	vsnprintf(out->text, sizeof(out->text), fmt, ap);
	va_end(ap);
	/* Names in it come from the DNS and are canonical; errors of libraries
	 * are ASCII. All the same, nothing may break a line. */
	for (char *p = out->text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

void
session_told(const struct session *s, const struct reply_parser *r,
    enum remote_cause cause, struct remote_reply *out)
{
	*out = s->how;
	out->result = reply_result(r->code);
	out->cause = out->result == QUEUE_OK ? CAUSE_NONE : cause;
	out->code = r->code;
	memcpy(out->enhanced, r->enhanced, sizeof(out->enhanced));
	memcpy(out->text, r->text, sizeof(out->text));
}

int
session_reply(struct session *s, const char *what, unsigned seconds,
    struct reply_parser *r, struct remote_reply *why)
{
	static const char *const broken[] = {
		[STREAM_LONG] = "it sent an endless line",
		[STREAM_EOF] = "it closed the connection",
		[STREAM_TIMEOUT] = "it did not answer in time",
		[STREAM_ERROR] = "the connection broke"
	};
	struct slice line;
	enum stream_line got;

	stream_allow(&s->stream, seconds);
	reply_begin(r);
	while (!r->done) {
		got = stream_getline(&s->stream, REPLY_LINE_MAX, &line);
		if (got != STREAM_LINE) {
			session_says(s, QUEUE_TEMPORARY, CAUSE_LOST, "4.4.2",
			    why, "%s %s: %s", s->how.host, what, broken[got]);
			return -1;
		}
		if (reply_line(r, line) == -1) {
			session_says(s, QUEUE_TEMPORARY, CAUSE_LOST, "4.5.0",
			    why, "%s %s: what it says is not SMTP",
			    s->how.host, what);
			return -1;
		}
	}
	return 0;
}

/* The same for EHLO, whose lines tell what the server can do. */
static int
read_extensions(struct session *s, struct reply_parser *r,
    struct remote_reply *why)
{
	struct slice line;

	memset(&s->ext, 0, sizeof(s->ext));
	stream_allow(&s->stream, TIME_EHLO);
	reply_begin(r);
	while (!r->done) {
		if (stream_getline(&s->stream, REPLY_LINE_MAX, &line) !=
		    STREAM_LINE || reply_line(r, line) == -1) {
			session_says(s, QUEUE_TEMPORARY, CAUSE_LOST, "4.4.2",
			    why, "%s after EHLO: no whole answer came",
			    s->how.host);
			return -1;
		}
		if (r->lines > 1 && r->code == 250)
			extension_line(&s->ext, line);
	}
	s->ext.ehlo = r->code == 250;
	return 0;
}

/* EHLO, or HELO where that is not known (RFC 5321 3.2). */
static int
say_hello(struct session *s, struct remote_reply *why)
{
	struct reply_parser r;

	stream_printf(&s->stream, "EHLO %s\r\n", s->route.helo);
	if (read_extensions(s, &r, why) == -1)
		return -1;
	if (s->ext.ehlo)
		return 0;
	if (r.code >= 500) {
		stream_printf(&s->stream, "HELO %s\r\n", s->route.helo);
		if (session_reply(s, "after HELO", TIME_EHLO, &r, why) == -1)
			return -1;
		if (r.code == 250)
			return 0;
	}
	session_told(s, &r, CAUSE_GREETING, why);
	return -1;
}

/* Non-blocking connect with its own deadline. The descriptor or -1. */
static int
connect_to(const struct ip *ip, uint16_t port, unsigned seconds)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_port = htons(port)
	};
	struct sockaddr_in four = {
		.sin_family = AF_INET, .sin_port = htons(port)
	};
	bool v4 = ip_is_v4(ip);
	int fd, one = 1, error = 0;
	socklen_t len = sizeof(error);
	struct pollfd p;

	memcpy(&six.sin6_addr, ip->b, 16);
	memcpy(&four.sin_addr, ip->b + 12, 4);
	fd = socket(v4 ? AF_INET : AF_INET6,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, v4 ? (struct sockaddr *)&four :
	    (struct sockaddr *)&six, v4 ? sizeof(four) : sizeof(six)) == 0)
		return fd;
	p = (struct pollfd){ .fd = fd, .events = POLLOUT };
	if (errno != EINPROGRESS)
		error = errno;
	else if (poll(&p, 1, (int)seconds * 1000) != 1)
		error = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* "\0user\0password" (RFC 4616). */
static int
authenticate(struct session *s, struct remote_reply *why)
{
	char plain[2 * 256 + 2], text[BASE64_LEN(sizeof(plain)) + 1];
	size_t user = strlen(s->route.user);
	size_t password = strlen(s->route.password);
	struct reply_parser r;
	int got;

	if (user == 0)
		return 0;
	if (!s->ext.auth_plain) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_GREETING, "4.7.0", why,
		    "%s does not offer AUTH PLAIN", s->how.host);
		return -1;
	}
	plain[0] = '\0';
	memcpy(plain + 1, s->route.user, user + 1);
	memcpy(plain + user + 2, s->route.password, password);
	base64_encode(slice_make(plain, user + password + 2), text);
	stream_printf(&s->stream, "AUTH PLAIN %s\r\n", text);
	explicit_bzero(plain, sizeof(plain));
	explicit_bzero(text, sizeof(text));
	got = session_reply(s, "after AUTH", TIME_AUTH, &r, why);
	if (got == 0 && r.code == 235)
		return 0;
	if (got == 0) {
		session_told(s, &r, CAUSE_GREETING, why);
		/* A wrong password is our administrator's to mend, not a
		 * reason to return the mail. */
		why->result = QUEUE_TEMPORARY;
	}
	return -1;
}

/* STARTTLS as far as the wish goes. 0, or -1 with *why. */
static int
secure(struct session *s, const char *host, const struct tls_wish *w,
    struct remote_reply *why)
{
	struct reply_parser r;

	if (w->need == NEED_NONE || s->remote->tls == NULL ||
	    (w->need == NEED_MAY && !s->ext.starttls))
		return 0;
	if (!s->ext.starttls) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_TLS, "4.7.4", why,
		    "%s offers no TLS, which is required here (%s)", host,
		    w->by);
		return -1;
	}
	stream_printf(&s->stream, "STARTTLS\r\n");
	if (session_reply(s, "after STARTTLS", TIME_STARTTLS, &r, why) == -1)
		return -1;
	if (r.code != 220) {
		session_told(s, &r, CAUSE_TLS, why);
		why->result = QUEUE_TEMPORARY;
		return w->need == NEED_MAY ? 0 : -1;
	}
	stream_drop_input(&s->stream);
	if (tls_start(s, host, w, why) == -1)
		return -1;
	return say_hello(s, why);
}

static int
greet(struct session *s, const char *host, const struct tls_wish *w,
    struct remote_reply *why)
{
	struct reply_parser r;

	if (s->route.implicit_tls && tls_start(s, host, w, why) == -1)
		return -1;
	if (session_reply(s, "at its greeting", TIME_GREETING, &r, why) == -1)
		return -1;
	if (r.code != 220) {
		session_told(s, &r, CAUSE_GREETING, why);
		if (why->result == QUEUE_OK)
			why->result = QUEUE_TEMPORARY;
		return -1;
	}
	if (say_hello(s, why) == -1 ||
	    (s->stream.ssl == NULL && secure(s, host, w, why) == -1))
		return -1;
	return authenticate(s, why);
}

/* One address of one host. 0, or -1 with *why and nothing open. */
static int
try_address(struct session *s, const char *host, const struct ip *ip,
    uint16_t port, const struct tls_wish *w, struct remote_reply *why)
{
	int fd;

	memset(&s->how, 0, sizeof(s->how));
	s->tls_verified = false;
	snprintf(s->how.host, sizeof(s->how.host), "%s", host);
	ip_text(ip, s->how.ip);
	if ((fd = connect_to(ip, port, s->route.timeout_connect)) == -1) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_CONNECT, "4.4.1", why,
		    "%s [%s] port %u cannot be reached: %s", host, s->how.ip,
		    port, strerror(errno));
		return -1;
	}
	stream_init(&s->stream, fd);
	if (greet(s, host, w, why) == 0)
		return 0;
	stream_close(&s->stream);
	return -1;
}

/* Opportunistic TLS that breaks is left out at the second try (RFC 7435). */
static int
try_tls_then_clear(struct session *s, const char *host, const struct ip *ip,
    uint16_t port, struct tls_wish *w, struct remote_reply *why)
{
	if (try_address(s, host, ip, port, w, why) == 0)
		return 0;
	if (w->need != NEED_MAY || why->cause != CAUSE_TLS ||
	    s->route.implicit_tls)
		return -1;
	w->need = NEED_NONE;
	if (try_address(s, host, ip, port, w, why) == -1)
		return -1;
	s->how.tls_failed = true;
	return 0;
}

/* A reply tells more than a lack of connection, and a final one the most. */
static unsigned
weight(const struct remote_reply *r)
{
	switch (r->cause) {
	case CAUSE_GREETING:
	case CAUSE_REPLY:
		return r->result == QUEUE_PERMANENT ? 3 : 4;
	case CAUSE_TLS:
		return 2;
	default:
		return 1;
	}
}

static void
keep_best(struct remote_reply *best, const struct remote_reply *why, bool first)
{
	if (first || weight(why) > weight(best))
		*best = *why;
}

/* The addresses of a host; a literal is its own. */
static enum dns_status
find_addresses(struct session *s, const char *host, struct dns_addresses *out)
{
	struct slice inner = slice_of(host);

	if (host[0] != '[')
		return dns_addresses(&s->remote->dns, host, out);
	inner = slice_make(host + 1, inner.len - 2);
	if (slice_starts_nocase(inner, SLICE("IPv6:")))
		inner = slice_skip(inner, 5);
	*out = (struct dns_addresses){ .n = 1 };
	return ip_parse(inner, &out->v[0]) == 0 ? DNS_OK : DNS_NO_NAME;
}

/* All addresses of one host, until one is ready. */
static int
try_host(struct session *s, const struct remote_host *h, unsigned *attempts,
    struct remote_reply *why)
{
	struct dns_addresses a;
	struct tls_wish w;
	enum dns_status status;

	memset(&s->how, 0, sizeof(s->how));
	snprintf(s->how.host, sizeof(s->how.host), "%s", h->name);
	if ((status = find_addresses(s, h->name, &a)) != DNS_OK) {
		bool gone = status == DNS_NO_NAME || status == DNS_NO_DATA;

		session_says(s, gone ? QUEUE_PERMANENT : QUEUE_TEMPORARY,
		    CAUSE_DNS, gone ? "5.4.4" : "4.4.3", why,
		    "the server %s %s", h->name, gone ? "has no address" :
		    "cannot be looked up now");
		return -1;
	}
	if (tls_wish(s, h->name, h->port, a.authentic, &w, why) == -1)
		return -1;
	for (size_t i = 0; i < a.n && *attempts < ATTEMPTS_MAX; i++) {
		struct remote_reply one;

		(*attempts)++;
		if (try_tls_then_clear(s, h->name, &a.v[i], h->port, &w,
		    &one) == 0)
			return 0;
		keep_best(why, &one, i == 0);
	}
	return -1;
}

/* Hosts of equal preference share the load (RFC 5321 5.1). */
static void
shuffle(struct remote_host *h, uint16_t n)
{
	for (uint16_t i = 0; i + 1 < n; i++) {
		uint16_t same = 1, k;
		struct remote_host t;

		while (i + same < n &&
		    h[i + same].preference == h[i].preference)
			same++;
		k = (uint16_t)(i + arc4random_uniform(same));
		t = h[i];
		h[i] = h[k];
		h[k] = t;
	}
}

int
session_open(struct session *s, struct remote_reply *why)
{
	unsigned attempts = 0;
	uint16_t i;

	memset(&s->how, 0, sizeof(s->how));
	s->stream.fd = -1;
	s->stream.ssl = NULL;
	session_says(s, QUEUE_TEMPORARY, CAUSE_DNS, "4.4.4", why,
	    "there is no server to try");
	shuffle(s->route.hosts, s->route.n);
	for (i = 0; i < s->route.n && attempts < ATTEMPTS_MAX; i++) {
		struct remote_reply one;

		if (try_host(s, &s->route.hosts[i], &attempts, &one) == 0)
			return 0;
		keep_best(why, &one, i == 0);
	}
	return -1;
}

void
session_close(struct session *s)
{
	if (s->stream.fd == -1)
		return;
	stream_allow(&s->stream, TIME_QUIT);
	stream_put(&s->stream, SLICE("QUIT\r\n"));
	stream_flush(&s->stream);
	stream_close(&s->stream);
}
