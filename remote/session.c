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
#define HEAD_START 5		/* s to connect by one family before the other */

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

/* A reply that is not the one that had to come: a 2yz is no success then. */
static void
refused(const struct session *s, const struct reply_parser *r,
    enum remote_cause cause, struct remote_reply *out)
{
	session_told(s, r, cause, out);
	out->cause = cause;
	if (out->result != QUEUE_OK)
		return;
	out->result = QUEUE_TEMPORARY;
	snprintf(out->enhanced, sizeof(out->enhanced), "4.5.0");
}

void
session_allow(struct session *s, unsigned seconds)
{
	stream_allow(&s->stream, seconds < s->remote->reply_timeout ? seconds :
	    s->remote->reply_timeout);
}

/* A reply; the lines of one to EHLO tell ext what the server can do. */
static int
read_lines(struct session *s, const char *what, unsigned seconds,
    struct reply_parser *r, struct extensions *ext, struct remote_reply *why)
{
	static const char *const broken[] = {
		[STREAM_LONG] = "it sent an endless line",
		[STREAM_EOF] = "it closed the connection",
		[STREAM_TIMEOUT] = "it did not answer in time",
		[STREAM_ERROR] = "the connection broke"
	};
	struct slice line;
	enum stream_line got;

	session_allow(s, seconds);
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
		if (ext != NULL && r->lines > 1 && r->code == 250)
			extension_line(ext, line);
	}
	return 0;
}

int
session_reply(struct session *s, const char *what, unsigned seconds,
    struct reply_parser *r, struct remote_reply *why)
{
	return read_lines(s, what, seconds, r, NULL, why);
}

/* EHLO, or HELO where that is not known (RFC 5321 3.2). */
static int
say_hello(struct session *s, struct remote_reply *why)
{
	struct reply_parser r;

	memset(&s->ext, 0, sizeof(s->ext));
	stream_printf(&s->stream, "EHLO %s\r\n", s->route.helo);
	if (read_lines(s, "after EHLO", TIME_EHLO, &r, &s->ext, why) == -1)
		return -1;
	if (r.code == 250)
		return 0;
	if (r.code >= 500) {
		stream_printf(&s->stream, "HELO %s\r\n", s->route.helo);
		if (session_reply(s, "after HELO", TIME_EHLO, &r, why) == -1)
			return -1;
		if (r.code == 250)
			return 0;
	}
	refused(s, &r, CAUSE_GREETING, why);
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
	int r;

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
	else if ((r = poll(&p, 1, (int)seconds * 1000)) != 1)
		error = r == 0 ? ETIMEDOUT : errno;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* One secret in base64, after word. 0 with the reply, or -1. */
static int
say_secret(struct session *s, const char *word, struct slice secret,
    struct reply_parser *r, struct remote_reply *why)
{
	char text[BASE64_LEN(2 * 256 + 2) + 1];

	base64_encode(secret, text);
	stream_printf(&s->stream, "%s%s\r\n", word, text);
	explicit_bzero(text, sizeof(text));
	return session_reply(s, "after AUTH", TIME_AUTH, r, why);
}

/* "\0user\0password" (RFC 4616). */
static int
auth_plain(struct session *s, struct reply_parser *r, struct remote_reply *why)
{
	char plain[2 * 256 + 2];
	size_t user = strlen(s->route.user);
	size_t password = strlen(s->route.password);
	int got;

	plain[0] = '\0';
	memcpy(plain + 1, s->route.user, user + 1);
	memcpy(plain + user + 2, s->route.password, password);
	got = say_secret(s, "AUTH PLAIN ", slice_make(plain,
	    user + password + 2), r, why);
	explicit_bzero(plain, sizeof(plain));
	return got;
}

/* Two questions, whose words do not matter. */
static int
auth_login(struct session *s, struct reply_parser *r, struct remote_reply *why)
{
	stream_printf(&s->stream, "AUTH LOGIN\r\n");
	if (session_reply(s, "after AUTH", TIME_AUTH, r, why) == -1)
		return -1;
	if (r->code == 334 && say_secret(s, "", slice_of(s->route.user), r,
	    why) == -1)
		return -1;
	return r->code != 334 ? 0 :
	    say_secret(s, "", slice_of(s->route.password), r, why);
}

/* A failure here is our administrator's to mend, never a reason to return the
 * mail: temporary. */
static int
authenticate(struct session *s, struct remote_reply *why)
{
	struct reply_parser r;
	struct ip ip;
	int got;

	if (s->route.user[0] == '\0')
		return 0;
	if (s->stream.ssl == NULL && (ip_parse(slice_of(s->how.ip), &ip) ==
	    -1 || !ip_is_loopback(&ip))) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_TLS, "4.7.0", why,
		    "no password is sent to %s without TLS", s->how.host);
		return -1;
	}
	if (!s->ext.auth_plain && !s->ext.auth_login) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_GREETING, "4.7.0", why,
		    "%s offers neither AUTH PLAIN nor LOGIN", s->how.host);
		return -1;
	}
	got = s->ext.auth_plain ? auth_plain(s, &r, why) :
	    auth_login(s, &r, why);
	if (got == 0 && r.code == 235)
		return 0;
	if (got == 0) {
		refused(s, &r, CAUSE_GREETING, why);
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
	if (session_reply(s, "after STARTTLS", TIME_STARTTLS, &r, why) == -1) {
		why->cause = CAUSE_TLS;
		return -1;
	}
	if (r.code != 220) {
		refused(s, &r, CAUSE_TLS, why);
		why->result = QUEUE_TEMPORARY;
		s->how.tls_failed = true;
		return w->need == NEED_MAY && r.code != 421 ? 0 : -1;
	}
	/* What came before the handshake was said by anybody. */
	stream_drop_input(&s->stream);
	if (tls_start(s, host, w, why) == -1)
		return -1;
	if (say_hello(s, why) == 0)
		return 0;
	if (why->cause == CAUSE_LOST)
		why->cause = CAUSE_TLS;
	return -1;
}

/* A smarthost of the same name has a port or a password of its own. */
static bool
is_our_name(const struct session *s, struct slice name, uint16_t port)
{
	return s->route.user[0] == '\0' && port == s->remote->port &&
	    slice_eq_nocase(name, slice_of(s->route.helo));
}

static bool
is_our_greeting(const struct session *s, uint16_t port,
    const struct reply_parser *r)
{
	struct slice rest = slice_of(r->text);

	slice_cut(&rest, ' ');
	return is_our_name(s, slice_cut(&rest, ' '), port);
}

static void
say_circle(const struct session *s, const char *host, struct remote_reply *why)
{
	session_says(s, QUEUE_PERMANENT, CAUSE_DNS, "5.4.6", why,
	    "the DNS sends this mail back to this server (%s), which does not "
	    "know the domain", host);
}

static int
greet(struct session *s, const char *host, uint16_t port,
    const struct tls_wish *w, struct remote_reply *why)
{
	struct reply_parser r;

	if (s->route.implicit_tls && tls_start(s, host, w, why) == -1)
		return -1;
	if (session_reply(s, "at its greeting", TIME_GREETING, &r, why) == -1)
		return -1;
	if (r.code != 220) {
		refused(s, &r, CAUSE_GREETING, why);
		return -1;
	}
	if (is_our_greeting(s, port, &r)) {
		s->is_circle = true;
		say_circle(s, host, why);
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
	if ((fd = connect_to(ip, port, s->connect_time)) == -1) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_CONNECT, "4.4.1", why,
		    "%s [%s] port %u cannot be reached: %s", host, s->how.ip,
		    port, strerror(errno));
		return -1;
	}
	stream_init(&s->stream, fd);
	if (greet(s, host, port, w, why) == 0)
		return 0;
	stream_close(&s->stream);
	return -1;
}

/* Opportunistic TLS that breaks is left out at the second try (RFC 7435). */
static int
try_tls_then_clear(struct session *s, const char *host, const struct ip *ip,
    uint16_t port, const struct tls_wish *w, struct remote_reply *why)
{
	static const struct tls_wish clear = { .need = NEED_NONE };

	if (try_address(s, host, ip, port, w, why) == 0)
		return 0;
	if (w->need != NEED_MAY || why->cause != CAUSE_TLS ||
	    s->route.implicit_tls)
		return -1;
	if (try_address(s, host, ip, port, &clear, why) == -1)
		return -1;
	s->how.tls_failed = true;
	return 0;
}

/* A reply tells more than a lack of connection. What may go well at another
 * time counts more than any final word: another server of the domain may be
 * back then. */
static unsigned
weight(const struct remote_reply *r)
{
	unsigned w = r->result == QUEUE_TEMPORARY ? 4 : 0;

	switch (r->cause) {
	case CAUSE_GREETING:
	case CAUSE_REPLY:
		return w + 3;
	case CAUSE_TLS:
		return w + 2;
	default:
		return w + 1;
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

/* Where one family leads nowhere (IPv6 that ends at somebody's router), each
 * connection would wait its whole time for nothing (RFC 8305). */
static unsigned
connect_time(const struct session *s, const struct dns_addresses *a, size_t i)
{
	bool is_pair = i == 0 && a->n > 1 &&
	    ip_is_v4(&a->v[0]) != ip_is_v4(&a->v[1]);

	return is_pair && s->route.timeout_connect > HEAD_START ? HEAD_START :
	    s->route.timeout_connect;
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
	if (tls_wish(s, h->name, h->port, &a, &w, why) == -1)
		return -1;
	for (size_t i = 0; i < a.n && *attempts < ATTEMPTS_MAX; i++) {
		struct remote_reply one;

		(*attempts)++;
		s->connect_time = connect_time(s, &a, i);
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

/* RFC 5321 5.1: with this server in the list, it and what is no better than it
 * is left out, or mail would go in circles. */
static uint16_t
hosts_before_us(const struct session *s)
{
	const struct remote_host *h = s->route.hosts;
	uint16_t i = 0;

	while (i < s->route.n &&
	    !is_our_name(s, slice_of(h[i].name), h[i].port))
		i++;
	while (i > 0 && i < s->route.n &&
	    h[i - 1].preference == h[i].preference)
		i--;
	return i;
}

int
session_open(struct session *s, struct remote_reply *why)
{
	unsigned attempts = 0;
	uint16_t n = hosts_before_us(s);

	memset(&s->how, 0, sizeof(s->how));
	if (s->route.timeout_connect < 1 || s->route.timeout_connect > 600)
		s->route.timeout_connect = 30;
	s->stream.fd = -1;
	s->stream.ssl = NULL;
	if (n < s->route.n)
		say_circle(s, s->route.helo, why);
	else
		session_says(s, QUEUE_TEMPORARY, CAUSE_DNS, "4.4.4", why,
		    "there is no server to try");
	shuffle(s->route.hosts, n);
	s->is_circle = false;
	for (uint16_t i = 0; i < n && attempts < ATTEMPTS_MAX &&
	    !s->is_circle; i++) {
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
