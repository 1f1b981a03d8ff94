/* test_smtp_proxy.c - headers of the PROXY protocol, version 2. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/proxy.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/tap.h"

#define SIGN "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\300\0\2\7" "\12\0\0\1" "\1\1" "\0\31"
#define V6 " \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1" \
	" \1\r\270\0\0\0\0\0\0\0\0\0\0\0\2" "\1\1" "\0\31"
#define S(text) { text, sizeof(text) - 1 }

/* clang-format off */
static const struct {
	struct slice in;
	enum proxy_status want;
	const char *client;
} rows[] = {
	{ S(SIGN "\x21\x11\0\14" V4), PROXY_CLIENT, "192.0.2.7" },
	{ S(SIGN "\x21\x11\0\22" V4 "\3\0\3abc"), PROXY_CLIENT, "192.0.2.7" },
	{ S(SIGN "\x21\x21\0\44" V6), PROXY_CLIENT, "2001:db8::1" },
	{ S(SIGN "\x20\x00\0\0"), PROXY_LOCAL, "" },
	{ S(SIGN "\x20\x11\0\14" V4), PROXY_LOCAL, "" },
	{ S(SIGN "\x21\x11\0\13" "12345678901"), PROXY_BAD, "" },
	{ S(SIGN "\x21\x21\0\14" V4), PROXY_BAD, "" },
	{ S(SIGN "\x21\x00\0\0"), PROXY_BAD, "" },
	{ S(SIGN "\x21\x12\0\14" V4), PROXY_BAD, "" },
	{ S(SIGN "\x21\x31\0\14" V4), PROXY_BAD, "" },
	{ S(SIGN "\x11\x11\0\14" V4), PROXY_BAD, "" },
	{ S(SIGN "\x22\x11\0\14" V4), PROXY_BAD, "" },
	{ S(SIGN "\x21\x11\0\15" V4), PROXY_BAD, "" },
	{ S(SIGN "\x21\x11\0\14" V4 "x"), PROXY_BAD, "" },
	{ S(SIGN "\x21\x11\377\377" V4), PROXY_BAD, "" },
	{ S("\r\n\r\n\0\r\nQUIT\r\x21\x11\0\14" V4), PROXY_BAD, "" },
	{ S("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"), PROXY_BAD, "" },
	{ S(SIGN), PROXY_BAD, "" },
	{ S(""), PROXY_BAD, "" },
};
/* clang-format on */

/* The header from a socket, with TLS or SMTP right behind it. */
static void
test_read(size_t row)
{
	struct ip ip = { { 42 } };
	char rest[8] = "";
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == -1 ||
	    write(fd[1], rows[row].in.p, rows[row].in.len) == -1 ||
	    write(fd[1], "EHLO", 4) != 4 || shutdown(fd[1], SHUT_WR) == -1) {
		ok(false, "socket pair");
		return;
	}
	ok(proxy_read(fd[0], 1, &ip) == rows[row].want, "read %zu", row);
	ok(read(fd[0], rest, sizeof(rest)) == 4 && memcmp(rest, "EHLO", 4) == 0,
	    "what follows stays in the socket, %zu", row);
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ip ip = { { 42 } };
		enum proxy_status got = proxy_parse(rows[i].in, &ip);

		ok(got == rows[i].want, "row %zu", i);
		if (got == PROXY_CLIENT)
			ok(strcmp(ip_text(&ip, text), rows[i].client) == 0,
			    "row %zu: %s", i, text);
		else
			ok(ip.b[0] == 42, "row %zu: untouched", i);
		if (rows[i].want != PROXY_BAD)
			test_read(i);
	}
	return done();
}
