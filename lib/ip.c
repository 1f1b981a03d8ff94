/* ip.c - IP addresses and networks. */
/* SPDX-License-Identifier: ISC */

#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/addr.h"
#include "lib/num.h"

static const uint8_t v4_prefix[12] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};

bool
ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

static void
set_v4(struct ip *ip, const void *four)
{
	memcpy(ip->b, v4_prefix, sizeof(v4_prefix));
	memcpy(ip->b + sizeof(v4_prefix), four, 4);
}

int
ip_parse(struct slice s, struct ip *out)
{
	char text[IP_TEXT_MAX];
	struct in_addr four;
	struct in6_addr six;

	if (slice_to_cstr(s, text, sizeof(text)) == -1)
		return -1;
	if (inet_pton(AF_INET, text, &four) == 1) {
		set_v4(out, &four);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &six) == 1) {
		memcpy(out->b, &six, sizeof(out->b));
		return 0;
	}
	return -1;
}

char *
ip_text(const struct ip *ip, char *out)
{
	const char *r;

	if (ip_is_v4(ip))
		r = inet_ntop(AF_INET, ip->b + 12, out, IP_TEXT_MAX);
	else
		r = inet_ntop(AF_INET6, ip->b, out, IP_TEXT_MAX);
	if (r == NULL)
		out[0] = '\0';
	return out;
}

bool
ip_match(const struct ip *ip, const struct ip *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (bits > 128 || memcmp(ip->b, net->b, whole) != 0)
		return false;
	return rest == 0 ||
	    ((ip->b[whole] ^ net->b[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

void
ip_mask(struct ip *ip, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits >= 8 * (i + 1) ? 8 :
		    bits > 8 * i ? bits - 8 * i : 0;

		ip->b[i] &= (uint8_t)(0xff00 >> keep);
	}
}

bool
ip_is_loopback(const struct ip *ip)
{
	static const struct ip six = { { [15] = 1 } };

	return (ip_is_v4(ip) && ip->b[12] == 127) ||
	    memcmp(ip->b, six.b, sizeof(six.b)) == 0;
}

bool
ip_same_host(const struct ip *a, const struct ip *b)
{
	return ip_match(a, b, ip_is_v4(a) ? 128 : 64);
}

int
ip_parse_net(struct slice s, struct ip *net, unsigned *bits)
{
	struct slice rest = s, address = slice_cut(&rest, '/');
	uint64_t n, max;
	struct ip ip;

	if (ip_parse(address, &ip) == -1)
		return -1;
	max = ip_is_v4(&ip) ? 32 : 128;
	n = max;
	if (rest.p != NULL && num_parse(rest, 0, max, &n) == -1)
		return -1;
	*net = ip;
	*bits = (unsigned)(n + 128 - max);
	return 0;
}

int
ip_of_sockaddr(const struct sockaddr *sa, struct ip *out, uint16_t *port)
{
	const struct sockaddr_in *four = (const void *)sa;
	const struct sockaddr_in6 *six = (const void *)sa;

	if (sa->sa_family == AF_INET) {
		set_v4(out, &four->sin_addr);
		if (port != NULL)
			*port = ntohs(four->sin_port);
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(out->b, &six->sin6_addr, sizeof(out->b));
		if (port != NULL)
			*port = ntohs(six->sin6_port);
		return 0;
	}
	return -1;
}
