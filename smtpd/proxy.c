/* proxy.c - the header of the PROXY protocol, version 2. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/proxy.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/buf.h"

/*
 * Trusts: only hosts named in proxy_hosts are asked for this header, and from
 * them it is required: whoever may speak for others must always do so.
 *
 *   12 bytes signature | version 2, command | family, transport | length (16)
 *   source address, destination address, source port, destination port, TLVs
 */

static const uint8_t signature[12] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
};

#define VERSION_LOCAL 0x20
#define VERSION_PROXY 0x21
#define TCP4 0x11
#define TCP4_LEN 12
#define TCP6 0x21
#define TCP6_LEN 36

int
proxy_rest(const uint8_t fixed[PROXY_FIXED])
{
	int len = fixed[14] << 8 | fixed[15];

	if (memcmp(fixed, signature, sizeof(signature)) != 0 ||
	    (fixed[12] != VERSION_LOCAL && fixed[12] != VERSION_PROXY) ||
	    len > PROXY_REST_MAX)
		return -1;
	return len;
}

enum proxy_status
proxy_parse(struct slice header, struct ip *client)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *b = (const uint8_t *)header.p;
	int rest;

	if (header.len < PROXY_FIXED || (rest = proxy_rest(b)) == -1 ||
	    header.len != (size_t)rest + PROXY_FIXED)
		return PROXY_BAD;
	if (b[12] == VERSION_LOCAL)
		return PROXY_LOCAL;
	if (b[13] == TCP4 && rest >= TCP4_LEN) {
		memcpy(client->b, mapped, sizeof(mapped));
		memcpy(client->b + 12, b + PROXY_FIXED, 4);
		return PROXY_CLIENT;
	}
	if (b[13] == TCP6 && rest >= TCP6_LEN) {
		memcpy(client->b, b + PROXY_FIXED, 16);
		return PROXY_CLIENT;
	}
	return PROXY_BAD;
}

/* Exactly len bytes before the deadline. 0, or -1. */
static int
read_exactly(int fd, uint8_t *p, size_t len, int64_t until)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	while (len > 0) {
		ssize_t n = recv(fd, p, len, MSG_DONTWAIT);
		int64_t left = until - clock_ms();

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
		    left <= 0 || poll(&wait, 1, (int)left) == 0)
			return -1;
	}
	return 0;
}

enum proxy_status
proxy_read(int fd, int seconds, struct ip *client)
{
	uint8_t header[PROXY_FIXED + PROXY_REST_MAX];
	int64_t until = clock_ms() + (int64_t)seconds * 1000;
	int rest;

	if (read_exactly(fd, header, PROXY_FIXED, until) == -1 ||
	    (rest = proxy_rest(header)) == -1 ||
	    read_exactly(fd, header + PROXY_FIXED, (size_t)rest, until) == -1)
		return PROXY_BAD;
	return proxy_parse(slice_make(header, PROXY_FIXED + (size_t)rest),
	    client);
}
