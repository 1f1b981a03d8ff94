/* dns.c - the DNS as mail needs it: MX, addresses, TLSA, TXT. */
/* SPDX-License-Identifier: ISC */

#include "lib/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/num.h"

#define ANSWER_MAX 65535
#define DNS_PORT 53
#define NEGATIVE_MAX 10800	/* s (RFC 2308 5: three hours do) */

struct resolver {
	struct __res_state state;
	bool is_trusted;	/* its AD bit counts (RFC 7672 2.1.1) */
	unsigned char answer[ANSWER_MAX];
};

/* "ADDRESS", "ADDRESS:PORT" (IPv4). 0, or -1. */
static int
set_server(struct resolver *r, const char *server)
{
	struct slice port = slice_of(server), host = slice_cut(&port, ':');
	struct sockaddr_in *sin = &r->state.nsaddr_list[0];
	char text[IP_TEXT_MAX];
	uint64_t n = DNS_PORT;

	if (port.p != NULL && num_parse(port, 1, 65535, &n) == -1)
		return -1;
	if (slice_to_cstr(host, text, sizeof(text)) == -1)
		return -1;
	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)n);
	if (inet_pton(AF_INET, text, &sin->sin_addr) != 1)
		return -1;
	r->state.nscount = 1;
	return 0;
}

/* The way to a resolver elsewhere may be anybody's: its AD bit counts only when
 * the administrator says so, by naming it in our configuration or by "options
 * trust-ad" in resolv.conf. */
static bool
is_trusted(const struct resolver *r, const char *server)
{
	if (server[0] != '\0' || (r->state.options & RES_TRUSTAD) != 0)
		return true;
	for (int i = 0; i < r->state.nscount; i++) {
		const struct sockaddr_in *sin = &r->state.nsaddr_list[i];

		if (sin->sin_family != AF_INET ||
		    ntohl(sin->sin_addr.s_addr) >> 24 != 127)
			return false;
	}
	return true;
}

int
dns_open(struct dns *d, const char *server, unsigned timeout)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -1;
	if (res_ninit(&r->state) != 0 ||
	    (server[0] != '\0' && set_server(r, server) == -1)) {
		free(r);
		errno = EINVAL;
		return -1;
	}
	r->is_trusted = is_trusted(r, server);
	r->state.retrans = (int)timeout;
	r->state.retry = 2;
	/* Names are complete; the AD bit of a trusted resolver is wanted
	 * (RFC 6840 5.7), which glibc hides without RES_TRUSTAD. */
	r->state.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
	r->state.options |= RES_USE_EDNS0 | RES_TRUSTAD;
	d->impl = r;
	return 0;
}

void
dns_close(struct dns *d)
{
	struct resolver *r = d->impl;

	if (r != NULL)
		res_nclose(&r->state);
	free(r);
	d->impl = NULL;
}

/* One parsed answer. */
struct answer {
	ns_msg msg;
	bool authentic;
	uint32_t negative_ttl;	/* of what is not there; 0: unsaid */
};

/* The time of a record's SOA, or what it says of negative answers if that is
 * less (RFC 2308 5). p is behind the owner's name. 0: it is none. */
static uint32_t
soa_ttl(const unsigned char *p, const unsigned char *end)
{
	uint32_t ttl, minimum;
	size_t len;

	if (end - p < NS_RRFIXEDSZ || ns_get16(p) != ns_t_soa)
		return 0;
	ttl = (uint32_t)ns_get32(p + 4);
	len = ns_get16(p + 8);
	p += NS_RRFIXEDSZ;
	if (len < 5 * NS_INT32SZ + 2 || (size_t)(end - p) < len)
		return 0;
	minimum = (uint32_t)ns_get32(p + len - NS_INT32SZ);
	return minimum < ttl ? minimum : ttl;
}

/*
 * How long the negative answer in r holds: until its SOA's time is over. The
 * library keeps the length of such an answer for itself, so nothing here counts
 * on where it ends.
 */
static uint32_t
negative_ttl(const struct resolver *r)
{
	const unsigned char *p = r->answer + NS_HFIXEDSZ;
	const unsigned char *end = r->answer + sizeof(r->answer);
	unsigned questions = ns_get16(r->answer + 4);
	unsigned answers = ns_get16(r->answer + 6);
	unsigned authorities = ns_get16(r->answer + 8);
	uint32_t ttl = 0;
	int n;

	if ((n = ns_skiprr(p, end, ns_s_qd, (int)questions)) < 0)
		return 0;
	p += n;
	if ((n = ns_skiprr(p, end, ns_s_an, (int)answers)) < 0)
		return 0;
	p += n;
	for (; authorities > 0 && ttl == 0; authorities--) {
		int name = dn_skipname(p, end);

		if (name < 0 || (n = ns_skiprr(p, end, ns_s_ns, 1)) < 0)
			return 0;
		ttl = soa_ttl(p + name, end);
		p += n;
	}
	return ttl < NEGATIVE_MAX ? ttl : NEGATIVE_MAX;
}

static enum dns_status
query(struct dns *d, const char *name, int type, struct answer *a)
{
	struct resolver *r = d->impl;
	int n;

	memset(r->answer, 0, NS_HFIXEDSZ);
	a->negative_ttl = 0;
	n = res_nquery(&r->state, name, ns_c_in, type, r->answer,
	    sizeof(r->answer));
	if (n < 0) {
		switch (r->state.res_h_errno) {
		case HOST_NOT_FOUND:
			a->negative_ttl = negative_ttl(r);
			return DNS_NO_NAME;
		case NO_DATA:
			a->negative_ttl = negative_ttl(r);
			return DNS_NO_DATA;
		default:
			return DNS_TEMPORARY;
		}
	}
	if (n > (int)sizeof(r->answer) ||
	    ns_initparse(r->answer, n, &a->msg) == -1 ||
	    ns_msg_getflag(a->msg, ns_f_qr) == 0)
		return DNS_TEMPORARY;
	a->negative_ttl = negative_ttl(r);
	a->authentic = r->is_trusted && ns_msg_getflag(a->msg, ns_f_ad) != 0;
	return DNS_OK;
}

/* A name inside record data, canonical; the root is "". 0, or -1. */
static int
expand(const struct answer *a, const unsigned char *p, char *out)
{
	char text[NS_MAXDNAME];

	if (ns_name_uncompress(ns_msg_base(a->msg), ns_msg_end(a->msg), p,
	    text, sizeof(text)) == -1)
		return -1;
	if (text[0] == '\0' || strcmp(text, ".") == 0) {
		out[0] = '\0';
		return 0;
	}
	return addr_foreign_domain(slice_of(text), out);
}

static void
shorten(uint32_t *ttl, const ns_rr *rr)
{
	if (ns_rr_ttl(*rr) < *ttl)
		*ttl = ns_rr_ttl(*rr);
}

/* Inserts by preference, behind equal ones; the worst falls out when full. */
static void
insert_mx(struct dns_mx *mx, uint16_t preference, const char *host)
{
	size_t at = mx->n;

	while (at > 0 && mx->v[at - 1].preference > preference)
		at--;
	if (at == DNS_MX_MAX)
		return;
	if (mx->n < DNS_MX_MAX)
		mx->n++;
	memmove(&mx->v[at + 1], &mx->v[at],
	    (mx->n - 1 - at) * sizeof(mx->v[0]));
	mx->v[at].preference = preference;
	memcpy(mx->v[at].host, host, strlen(host) + 1);
}

enum dns_status
dns_mx(struct dns *d, const char *domain, struct dns_mx *out)
{
	char host[ADDR_DOMAIN_MAX + 1];
	enum dns_status status;
	bool has_mx = false;
	struct answer a;
	ns_rr rr;

	if ((status = query(d, domain, ns_t_mx, &a)) != DNS_OK) {
		out->ttl = a.negative_ttl;
		return status;
	}
	out->n = 0;
	out->ttl = UINT32_MAX;
	out->authentic = a.authentic;
	for (int i = 0; i < ns_msg_count(a.msg, ns_s_an); i++) {
		if (ns_parserr(&a.msg, ns_s_an, i, &rr) == -1)
			return DNS_TEMPORARY;
		shorten(&out->ttl, &rr);
		if (ns_rr_type(rr) != ns_t_mx)
			continue;
		has_mx = true;
		if (ns_rr_rdlen(rr) >= 3 &&
		    expand(&a, ns_rr_rdata(rr) + 2, host) == 0)
			insert_mx(out, ns_get16(ns_rr_rdata(rr)), host);
	}
	if (has_mx)
		return DNS_OK;
	out->ttl = a.negative_ttl;
	return DNS_NO_DATA;
}

static void
take_address(struct dns_addresses *out, const struct answer *a, const ns_rr *rr)
{
	static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };
	struct ip *ip = &out->v[out->n];

	if (ns_rr_type(*rr) == ns_t_cname) {
		char name[ADDR_DOMAIN_MAX + 1];

		if (expand(a, ns_rr_rdata(*rr), name) == 0)
			memcpy(out->canonical, name, sizeof(name));
		return;
	}
	if (out->n == DNS_ADDRESS_MAX)
		return;
	if (ns_rr_type(*rr) == ns_t_aaaa && ns_rr_rdlen(*rr) == 16)
		memcpy(ip->b, ns_rr_rdata(*rr), 16);
	else if (ns_rr_type(*rr) == ns_t_a && ns_rr_rdlen(*rr) == 4) {
		memcpy(ip->b, v4_prefix, sizeof(v4_prefix));
		memcpy(ip->b + sizeof(v4_prefix), ns_rr_rdata(*rr), 4);
	} else
		return;
	out->n++;
}

/* The addresses of one family. */
static enum dns_status
find_family(struct dns *d, const char *host, int type,
    struct dns_addresses *out)
{
	enum dns_status status;
	struct answer a;
	ns_rr rr;

	*out = (struct dns_addresses){ .ttl = UINT32_MAX, .authentic = true };
	if ((status = query(d, host, type, &a)) != DNS_OK) {
		out->ttl = a.negative_ttl;
		return status;
	}
	out->authentic = a.authentic;
	for (int i = 0; i < ns_msg_count(a.msg, ns_s_an); i++) {
		if (ns_parserr(&a.msg, ns_s_an, i, &rr) == -1)
			return DNS_TEMPORARY;
		shorten(&out->ttl, &rr);
		take_address(out, &a, &rr);
	}
	return DNS_OK;
}

/* One of each in turn: where a family leads nowhere, the other one has its turn
 * after one attempt, and many of one leave room for the other. */
static void
merge(const struct dns_addresses *six, const struct dns_addresses *four,
    struct dns_addresses *out)
{
	for (size_t i = 0; i < DNS_ADDRESS_MAX; i++) {
		if (i < six->n && out->n < DNS_ADDRESS_MAX)
			out->v[out->n++] = six->v[i];
		if (i < four->n && out->n < DNS_ADDRESS_MAX)
			out->v[out->n++] = four->v[i];
	}
}

/* What one family's look-up says of both. */
static void
take_family(enum dns_status status, const struct dns_addresses *family,
    struct dns_addresses *out)
{
	if (status != DNS_OK)
		return;
	if (family->ttl < out->ttl)
		out->ttl = family->ttl;
	out->authentic = out->authentic && family->authentic;
	if (family->canonical[0] != '\0')
		memcpy(out->canonical, family->canonical,
		    sizeof(out->canonical));
}

enum dns_status
dns_addresses(struct dns *d, const char *host, struct dns_addresses *out)
{
	struct dns_addresses six, four;
	enum dns_status at_six, at_four;

	*out = (struct dns_addresses){ .ttl = UINT32_MAX, .authentic = true };
	snprintf(out->canonical, sizeof(out->canonical), "%s", host);
	at_six = find_family(d, host, ns_t_aaaa, &six);
	at_four = find_family(d, host, ns_t_a, &four);
	take_family(at_six, &six, out);
	take_family(at_four, &four, out);
	merge(&six, &four, out);
	if (out->n > 0)
		return DNS_OK;
	if (at_six == DNS_TEMPORARY || at_four == DNS_TEMPORARY)
		return DNS_TEMPORARY;
	out->ttl = six.ttl < four.ttl ? six.ttl : four.ttl;
	return at_six == DNS_NO_NAME && at_four == DNS_NO_NAME ? DNS_NO_NAME :
	    DNS_NO_DATA;
}

/* One that cannot be used stays in the list: it asks for TLS all the same
 * (RFC 7672 2.2). */
static void
take_tlsa(struct dns_tlsa *out, const unsigned char *p, size_t len)
{
	size_t i = out->n++;

	memset(&out->v[i], 0, sizeof(out->v[i]));
	if (len < 4 || len - 3 > DNS_TLSA_DATA_MAX)
		return;
	out->v[i].usage = p[0];
	out->v[i].selector = p[1];
	out->v[i].matching = p[2];
	memcpy(out->v[i].data, p + 3, len - 3);
	out->v[i].len = len - 3;
}

enum dns_status
dns_tlsa(struct dns *d, const char *host, uint16_t port, struct dns_tlsa *out)
{
	char name[ADDR_DOMAIN_MAX + 16];
	enum dns_status status;
	struct answer a;
	ns_rr rr;

	snprintf(name, sizeof(name), "_%u._tcp.%s", port, host);
	if ((status = query(d, name, ns_t_tlsa, &a)) != DNS_OK)
		return status;
	out->n = 0;
	out->ttl = UINT32_MAX;
	out->authentic = a.authentic;
	for (int i = 0; i < ns_msg_count(a.msg, ns_s_an) &&
	    out->n < DNS_TLSA_MAX; i++) {
		if (ns_parserr(&a.msg, ns_s_an, i, &rr) == -1)
			return DNS_TEMPORARY;
		shorten(&out->ttl, &rr);
		if (ns_rr_type(rr) == ns_t_tlsa)
			take_tlsa(out, ns_rr_rdata(rr), ns_rr_rdlen(rr));
	}
	return out->n > 0 ? DNS_OK : DNS_NO_DATA;
}

/* Joins the character strings of one TXT record (RFC 7208 3.3). 0, or -1. */
static int
join_txt(const ns_rr *rr, char out[DNS_TEXT_MAX])
{
	const unsigned char *p = ns_rr_rdata(*rr);
	size_t left = ns_rr_rdlen(*rr), n = 0;

	while (left > 0) {
		size_t len = p[0];

		if (len + 1 > left || n + len >= DNS_TEXT_MAX)
			return -1;
		memcpy(out + n, p + 1, len);
		n += len;
		p += len + 1;
		left -= len + 1;
	}
	out[n] = '\0';
	return strlen(out) == n ? 0 : -1;
}

enum dns_status
dns_texts(struct dns *d, const char *name,
    void (*text)(void *arg, const char *text), void *arg)
{
	enum dns_status status;
	char joined[DNS_TEXT_MAX];
	struct answer a;
	ns_rr rr;

	if ((status = query(d, name, ns_t_txt, &a)) != DNS_OK)
		return status;
	for (int i = 0; i < ns_msg_count(a.msg, ns_s_an); i++) {
		if (ns_parserr(&a.msg, ns_s_an, i, &rr) == -1)
			return DNS_TEMPORARY;
		if (ns_rr_type(rr) == ns_t_txt &&
		    join_txt(&rr, joined) == 0)
			text(arg, joined);
	}
	return DNS_OK;
}

enum dns_status
dns_exists(struct dns *d, const char *domain)
{
	struct answer a;

	return query(d, domain, ns_t_soa, &a);
}

/* PTR or NS records. */
static enum dns_status
names(struct dns *d, const char *owner, int type, struct dns_names *out)
{
	enum dns_status status;
	struct answer a;
	ns_rr rr;

	if ((status = query(d, owner, type, &a)) != DNS_OK)
		return status;
	out->n = 0;
	for (int i = 0; i < ns_msg_count(a.msg, ns_s_an) &&
	    out->n < DNS_NAMES_MAX; i++) {
		if (ns_parserr(&a.msg, ns_s_an, i, &rr) == -1)
			return DNS_TEMPORARY;
		if ((int)ns_rr_type(rr) == type &&
		    expand(&a, ns_rr_rdata(rr), out->v[out->n]) == 0 &&
		    out->v[out->n][0] != '\0')
			out->n++;
	}
	return out->n > 0 ? DNS_OK : DNS_NO_DATA;
}

void
dns_reverse(const struct ip *ip, char out[DNS_REVERSE_MAX])
{
	char *p = out;

	if (ip_is_v4(ip)) {
		snprintf(out, DNS_REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa",
		    ip->b[15], ip->b[14], ip->b[13], ip->b[12]);
		return;
	}
	for (size_t i = sizeof(ip->b); i-- > 0; p += 4)
		snprintf(p, 5, "%x.%x.", ip->b[i] & 15u, ip->b[i] >> 4);
	snprintf(p, sizeof("ip6.arpa"), "ip6.arpa");
}

enum dns_status
dns_ptr(struct dns *d, const struct ip *ip, struct dns_names *out)
{
	char owner[DNS_REVERSE_MAX];

	dns_reverse(ip, owner);
	return names(d, owner, ns_t_ptr, out);
}

enum dns_status
dns_srv(struct dns *d, const char *service, const char *domain,
    struct dns_srv *out)
{
	char name[ADDR_DOMAIN_MAX + 64];
	enum dns_status status;
	struct answer a;
	ns_rr rr;

	snprintf(name, sizeof(name), "%s.%s", service, domain);
	if ((status = query(d, name, ns_t_srv, &a)) != DNS_OK)
		return status;
	for (int i = 0; i < ns_msg_count(a.msg, ns_s_an); i++) {
		if (ns_parserr(&a.msg, ns_s_an, i, &rr) == -1)
			return DNS_TEMPORARY;
		if (ns_rr_type(rr) != ns_t_srv || ns_rr_rdlen(rr) < 7 ||
		    expand(&a, ns_rr_rdata(rr) + 6, out->host) == -1)
			continue;
		out->port = ns_get16(ns_rr_rdata(rr) + 4);
		return DNS_OK;
	}
	return DNS_NO_DATA;
}
