/* addr.h - the one parser of mail addresses, domains and IP addresses. */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

#define ADDR_LOCAL_MAX 64	/* RFC 5321 4.5.3.1.1 */
#define ADDR_DOMAIN_MAX 255	/* RFC 5321 4.5.3.1.2 */
#define ADDR_MAX 254		/* a path of 256 less its two brackets */

/*
 * A parsed address in canonical form: the domain in lower case, an IDN as
 * A-labels ("xn--"); the local part without needless quotes, its case kept.
 * Both are empty for the null reverse path "<>". NUL-terminated.
 */
struct addr {
	char local[ADDR_LOCAL_MAX + 1];
	char domain[ADDR_DOMAIN_MAX + 1];
	bool utf8;		/* has non-ASCII bytes: wants SMTPUTF8 */
	bool literal;		/* domain is an address literal "[...]" */
};

enum addr_status {
	ADDR_OK,
	ADDR_BAD_SYNTAX,
	ADDR_TOO_LONG,
	ADDR_BAD_UTF8
};

/*
 * addr-spec: "local@domain" (RFC 5321 4.1.2 Mailbox, RFC 6531 3.3), without
 * brackets. Quoted local parts and literals are understood. *out is untouched
 * unless ADDR_OK.
 */
enum addr_status addr_parse(struct slice s, struct addr *out);

/*
 * A path as in MAIL and RCPT: "<" [source route] mailbox ">" at the start of
 * *s; *s is moved behind it. "<>" is allowed when null_ok; "<postmaster>"
 * without a domain (RFC 5321 4.1.1.3) gives an empty domain. A source route is
 * read and dropped (RFC 5321 appendix C).
 */
enum addr_status addr_parse_path(struct slice *s, bool null_ok,
    struct addr *out);

/*
 * A domain name: letters, digits, hyphens, dots, no empty label, labels of at
 * most 63; U-labels are turned into A-labels with libidn2. Result in lower case
 * in out[ADDR_DOMAIN_MAX + 1]. 0, or -1 with out untouched.
 */
int addr_domain(struct slice s, char *out) __attribute__((warn_unused_result));
/* The same for names of other people's hosts, in addresses and in the DNS: some
 * have '_' in them, and get their mail all the same. */
int addr_foreign_domain(struct slice s, char *out)
    __attribute__((warn_unused_result));

/*
 * The local part of an account that may be created here (inventory 1-04, 1-05):
 * letters, digits, '-', '_', single inner dots, at most 64 bytes. The result is
 * in lower case, in out[ADDR_LOCAL_MAX + 1]. 0, or -1 with out untouched.
 */
int addr_account(struct slice s, char *out) __attribute__((warn_unused_result));

/*
 * The account part of a local part as it comes in RCPT: lower case, without
 * "+anything" (out[ADDR_LOCAL_MAX + 1]). *detail is what follows the first
 * '+', empty without one, inside local. 0, or -1 when it can be no account's.
 */
int addr_account_of(const char *local, char *out, struct slice *detail)
    __attribute__((warn_unused_result));

/* "local@domain", quoted again where RFC 5321 asks for it; "" for the null
 * path. cap of ADDR_TEXT_MAX is always enough. Returns out. */
#define ADDR_TEXT_MAX (2 * ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 4)
char *addr_text(const struct addr *a, char *out, size_t cap);

/* An IPv4 or IPv6 address with family-independent bytes (IPv4 as ::ffff:). */
struct ip {
	uint8_t b[16];
};
#define IP_TEXT_MAX 46
/* Text to bytes; 0, or -1 with *out untouched. */
int ip_parse(struct slice s, struct ip *out) __attribute__((warn_unused_result));
/* "192.0.2.1" or "2001:db8::1"; out[IP_TEXT_MAX]. Returns out. */
char *ip_text(const struct ip *ip, char *out);
/* True when the first bits of both agree (bits counted in the 128-bit form). */
bool ip_match(const struct ip *ip, const struct ip *net, unsigned bits);
bool ip_is_v4(const struct ip *ip);
/* Clears what is beyond the first bits. */
void ip_mask(struct ip *ip, unsigned bits);
/* True when limits count both as one: the same address of IPv4, or the same
 * network of 64 bits of IPv6, which is what one customer has. */
bool ip_same_host(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *ip);
/* "ADDRESS" or "ADDRESS/BITS"; *bits in the 128-bit form. 0 or -1. */
int ip_parse_net(struct slice s, struct ip *net, unsigned *bits)
    __attribute__((warn_unused_result));

struct sockaddr;
/* From accept(2) or getpeername(2); port may be NULL. 0, or -1: not IP. */
int ip_of_sockaddr(const struct sockaddr *sa, struct ip *out, uint16_t *port)
    __attribute__((warn_unused_result));

#endif
