/* dns.h - the DNS as mail needs it: MX, addresses, TLSA, TXT, PTR, SRV. */
#ifndef LIB_DNS_H
#define LIB_DNS_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/addr.h"

/*
 * glibc's stub resolver (res_nquery), asked through one or two resolvers that
 * we trust as much as our own machine; every answer is still hostile input.
 * The only file that includes the resolver's headers. Blocking, with bounds.
 */
enum dns_status {
	DNS_OK,
	DNS_NO_DATA,		/* the name exists, not this type */
	DNS_NO_NAME,		/* NXDOMAIN */
	DNS_TEMPORARY		/* time-out, SERVFAIL, nonsense */
};

struct dns {
	void *impl;
};

/*
 * server: "ADDRESS" or "ADDRESS:PORT" of a resolver, or "" for those of
 * /etc/resolv.conf (which is read now, before any chroot). timeout in seconds
 * for one try, two tries. 0, or -1 with errno.
 */
int dns_open(struct dns *d, const char *server, unsigned timeout)
    __attribute__((warn_unused_result));
void dns_close(struct dns *d);

#define DNS_MX_MAX 20
struct dns_mx {
	struct {
		uint16_t preference;
		char host[ADDR_DOMAIN_MAX + 1];	/* canonical; "" is a null MX */
	} v[DNS_MX_MAX];
	size_t n;
	uint32_t ttl;		/* seconds, of the shortest-lived record */
	bool authentic;		/* the resolver says that DNSSEC validated */
};

/*
 * The MX records of domain, best first, order within a preference as the
 * resolver gave it. More than DNS_MX_MAX: the best ones. DNS_OK with n = 0: there
 * are some, but none names a host; then the domain's own address must not serve
 * (RFC 5321 5.1). Of a negative answer out has the ttl, as its SOA says (RFC 2308
 * 5), three hours at most; 0: there was none.
 */
enum dns_status dns_mx(struct dns *d, const char *domain, struct dns_mx *out);

#define DNS_ADDRESS_MAX 16
struct dns_addresses {
	struct ip v[DNS_ADDRESS_MAX];
	size_t n;
	uint32_t ttl;
	bool authentic;		/* of both look-ups and of the CNAMEs on the way */
	char canonical[ADDR_DOMAIN_MAX + 1];	/* where the CNAMEs end */
};

/*
 * AAAA and A of host in turn, CNAMEs followed by the resolver: half of the room
 * is for each family if it wants it. DNS_TEMPORARY only when nothing was found
 * and one of the two look-ups failed; ttl of a negative answer as above.
 */
enum dns_status dns_addresses(struct dns *d, const char *host,
    struct dns_addresses *out);

#define DNS_TLSA_MAX 16
#define DNS_TLSA_DATA_MAX 4096	/* a whole certificate (matching type 0) */
struct dns_tlsa {
	struct {
		uint8_t usage, selector, matching;
		uint8_t data[DNS_TLSA_DATA_MAX];
		size_t len;	/* 0: none, or more than that; of no use */
	} v[DNS_TLSA_MAX];
	size_t n;
	uint32_t ttl;
	bool authentic;
};

/* TLSA of _port._tcp.host (RFC 6698, RFC 7672). */
enum dns_status dns_tlsa(struct dns *d, const char *host, uint16_t port,
    struct dns_tlsa *out);

/* Each TXT record of name, its strings joined; one that is longer, or has a NUL
 * in it, is left out. DNS_OK: there were some, maybe none of that kind. */
#define DNS_TEXT_MAX 4096
enum dns_status dns_texts(struct dns *d, const char *name,
    void (*text)(void *arg, const char *text), void *arg);

/* DNS_OK or DNS_NO_DATA: the domain is there, with a zone of its own or not. */
enum dns_status dns_exists(struct dns *d, const char *domain);

#define DNS_NAMES_MAX 8
struct dns_names {
	char v[DNS_NAMES_MAX][ADDR_DOMAIN_MAX + 1];	/* canonical */
	size_t n;
};

/* The name that an address has in the reverse tree. */
#define DNS_REVERSE_MAX 80
void dns_reverse(const struct ip *ip, char out[DNS_REVERSE_MAX]);
/* The names of an address: what its PTR records say, unproven. */
enum dns_status dns_ptr(struct dns *d, const struct ip *ip,
    struct dns_names *out);

struct dns_srv {
	uint16_t port;
	char host[ADDR_DOMAIN_MAX + 1];	/* "": the service is not offered */
};

/* The first SRV record of service.domain (RFC 2782, RFC 6186). */
enum dns_status dns_srv(struct dns *d, const char *service, const char *domain,
    struct dns_srv *out);

#endif
