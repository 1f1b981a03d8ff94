/* dns_check.c - does the DNS say of a domain what its mail needs? */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nothing; each name is checked when it is read (lib/dns.c), each text
 * is escaped when it is shown.
 * Limits: the time that the caller gives, counted before each question.
 */

#include "tools/dns_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/clock.h"
#include "tools/sheet.h"

#define T DNS_CHECK_T
#define MX_PREFERENCE 10

bool
dns_check_may_ask(const struct dns_check *k)
{
	return clock_ms() < k->until;
}

struct dns_finding *
dns_check_add(struct dns_check *k, const char *about, enum dns_verdict verdict,
    const char *fmt, ...)
{
	struct dns_finding *f = &k->v[k->n < DNS_CHECK_FINDINGS ? k->n++ :
	    DNS_CHECK_FINDINGS - 1];
	va_list ap;

	f->about = about;
	f->verdict = verdict;
	f->publish[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return f;
}

static void
add_unknown(struct dns_check *k, const char *about, const char *name)
{
	dns_check_add(k, about, DNS_CHECK_UNKNOWN,
	    T(k, "the DNS does not answer for %s: ask again later",
	    "le DNS ne répond pas pour %s : redemandez plus tard"), name);
}

/* The first of these addresses that is one of ours, or NULL. */
static const struct ip *
find_ours(const struct dns_check *k, const struct dns_addresses *a)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < k->n_ours; j++)
			if (memcmp(&a->v[i], &k->ours[j],
			    sizeof(struct ip)) == 0)
				return &a->v[i];
	return NULL;
}

static enum dns_status
addresses(struct dns_check *k, const char *host, struct dns_addresses *a)
{
	a->n = 0;
	return dns_check_may_ask(k) ? dns_addresses(&k->dns, host, a) :
	    DNS_TEMPORARY;
}

/* Is it delegated at all? */
static void
check_domain(struct dns_check *k)
{
	switch (dns_exists(&k->dns, k->domain)) {
	case DNS_OK:
	case DNS_NO_DATA:
		dns_check_add(k, "domain", DNS_CHECK_FINE,
		    T(k, "%s is in the DNS", "%s est dans le DNS"), k->domain);
		break;
	case DNS_NO_NAME:
		dns_check_add(k, "domain", DNS_CHECK_WRONG,
		    T(k, "%s is not in the DNS: register it, or have its name "
		    "servers entered where it is registered",
		    "%s n'est pas dans le DNS : enregistrez-le, ou faites "
		    "inscrire ses serveurs de noms là où il est enregistré"),
		    k->domain);
		break;
	case DNS_TEMPORARY:
		add_unknown(k, "domain", k->domain);
		break;
	}
}

/* Our own name leads here. */
static void
check_host(struct dns_check *k)
{
	const char *host = k->conf->hostname;
	char text[IP_TEXT_MAX];
	struct dns_addresses a;
	enum dns_status status = addresses(k, host, &a);
	const struct ip *ours;
	struct dns_finding *f;

	if (status == DNS_TEMPORARY) {
		add_unknown(k, "host", host);
		return;
	}
	/* Behind a router nobody here knows better. */
	if (k->n_ours == 0)
		for (; k->n_ours < a.n && k->n_ours < DNS_CHECK_OURS;
		    k->n_ours++)
			k->ours[k->n_ours] = a.v[k->n_ours];
	if ((ours = find_ours(k, &a)) != NULL) {
		dns_check_add(k, "host", DNS_CHECK_FINE,
		    T(k, "%s leads to this machine (%s)",
		    "%s mène à cette machine (%s)"), host,
		    ip_text(ours, text));
		return;
	}
	f = dns_check_add(k, "host", DNS_CHECK_WRONG, status == DNS_OK ?
	    T(k, "%s (hostname) leads to another machine",
	    "%s (hostname) mène à une autre machine") :
	    T(k, "%s (hostname) has no address",
	    "%s (hostname) n'a pas d'adresse"), host);
	if (k->n_ours > 0)
		snprintf(f->publish, sizeof(f->publish), "%s. IN %s %s", host,
		    ip_is_v4(&k->ours[0]) ? "A" : "AAAA",
		    ip_text(&k->ours[0], text));
}

static void
publish_mx(const struct dns_check *k, struct dns_finding *f)
{
	snprintf(f->publish, sizeof(f->publish), "%s. IN MX %d %s.", k->domain,
	    MX_PREFERENCE, k->conf->hostname);
}

/* No MX: the domain's own address would get the mail (RFC 5321 5.1). */
static void
check_no_mx(struct dns_check *k)
{
	struct dns_addresses a;

	if (addresses(k, k->domain, &a) == DNS_TEMPORARY) {
		add_unknown(k, "mx", k->domain);
		return;
	}
	publish_mx(k, dns_check_add(k, "mx", DNS_CHECK_TODO, a.n == 0 ?
	    T(k, "no MX record: %s gets no mail",
	    "pas d'enregistrement MX : %s ne reçoit pas de courrier") :
	    find_ours(k, &a) != NULL ?
	    T(k, "no MX record: mail comes here only by the address of %s "
	    "itself", "pas d'enregistrement MX : le courrier n'arrive ici que "
	    "par l'adresse de %s même") :
	    T(k, "no MX record: mail goes to the address of %s itself, which "
	    "is another machine", "pas d'enregistrement MX : le courrier va à "
	    "l'adresse de %s même, qui est une autre machine"), k->domain));
}

enum whose { OURS, NOT_OURS, UNKNOWN };

/* One host of the list: is it this machine? */
static enum whose
check_mx_host(struct dns_check *k, const char *host)
{
	struct dns_addresses a;
	enum dns_status status = addresses(k, host, &a);

	if (status == DNS_TEMPORARY) {
		add_unknown(k, "mx", host);
		return UNKNOWN;
	}
	if (status != DNS_OK)
		dns_check_add(k, "mx", DNS_CHECK_WRONG,
		    T(k, "the MX host %s has no address",
		    "le serveur MX %s n'a pas d'adresse"), host);
	else if (strcmp(a.canonical, host) != 0)
		/* RFC 5321 5.1, RFC 2181 10.3 */
		publish_mx(k, dns_check_add(k, "mx", DNS_CHECK_WRONG,
		    T(k, "the MX host %s is an alias (CNAME) of %s: name that "
		    "one in the MX record", "le serveur MX %s est un alias "
		    "(CNAME) de %s : nommez celui-ci dans l'enregistrement MX"),
		    host, a.canonical));
	return find_ours(k, &a) != NULL ? OURS : NOT_OURS;
}

static void
judge_mx(struct dns_check *k, const struct dns_mx *mx)
{
	bool here = false, first_here = false, is_null = false;
	bool is_unknown = false;

	for (size_t i = 0; i < mx->n; i++) {
		enum whose whose = NOT_OURS;

		if (mx->v[i].host[0] == '\0')
			is_null = true;
		else
			whose = check_mx_host(k, mx->v[i].host);
		is_unknown |= whose == UNKNOWN;
		here |= whose == OURS;
		first_here |= whose == OURS &&
		    mx->v[i].preference == mx->v[0].preference;
	}
	if (mx->n == 0)
		publish_mx(k, dns_check_add(k, "mx", DNS_CHECK_WRONG,
		    T(k, "no MX record of %s names a server: it gets no mail",
		    "aucun enregistrement MX de %s ne nomme un serveur : il ne "
		    "reçoit pas de courrier"), k->domain));
	else if (is_null) /* RFC 7505 */
		publish_mx(k, dns_check_add(k, "mx", DNS_CHECK_WRONG,
		    T(k, "\"MX 0 .\" says that %s takes no mail: remove it",
		    "« MX 0 . » dit que %s ne prend pas de courrier : "
		    "supprimez-le"), k->domain));
	else if (first_here)
		dns_check_add(k, "mx", DNS_CHECK_FINE,
		    T(k, "mail for %s comes to this machine",
		    "le courrier de %s arrive à cette machine"), k->domain);
	else if (is_unknown)
		return;	/* said already; it may be this machine */
	else if (here)
		publish_mx(k, dns_check_add(k, "mx", DNS_CHECK_TODO,
		    T(k, "mail for %s goes to %s first, here only when that "
		    "one is down", "le courrier de %s va d'abord à %s, ici "
		    "seulement si celui-là est en panne"), k->domain,
		    mx->v[0].host));
	else
		publish_mx(k, dns_check_add(k, "mx", DNS_CHECK_TODO,
		    T(k, "mail for %s goes to %s, not to this machine",
		    "le courrier de %s va à %s, pas à cette machine"),
		    k->domain, mx->v[0].host));
}

static void
check_mx(struct dns_check *k)
{
	struct dns_mx mx = { .n = 0 };

	switch (dns_check_may_ask(k) ? dns_mx(&k->dns, k->domain, &mx) :
	    DNS_TEMPORARY) {
	case DNS_OK:
		judge_mx(k, &mx);
		break;
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		check_no_mx(k);
		break;
	case DNS_TEMPORARY:
		add_unknown(k, "mx", k->domain);
		break;
	}
}

/* The name of an address that leads back to it, or NULL; *unknown is then one
 * of which the DNS does not say where it leads, if there is any. */
static const char *
find_way_back(struct dns_check *k, const struct ip *ip,
    const struct dns_names *names, const char **unknown)
{
	struct dns_addresses a;

	for (size_t i = 0; i < names->n; i++) {
		if (addresses(k, names->v[i], &a) == DNS_TEMPORARY)
			*unknown = names->v[i];
		for (size_t j = 0; j < a.n; j++)
			if (memcmp(&a.v[j], ip, sizeof(*ip)) == 0)
				return names->v[i];
	}
	return NULL;
}

/* The name behind an address must lead back to it, or other servers take the
 * machine for a stranger's. */
static void
check_ptr(struct dns_check *k, const struct ip *ip)
{
	char text[IP_TEXT_MAX], reverse[DNS_REVERSE_MAX];
	struct dns_names names = { .n = 0 };
	const char *name, *unknown = NULL;
	enum dns_status status;
	struct dns_finding *f;

	ip_text(ip, text);
	status = dns_check_may_ask(k) ? dns_ptr(&k->dns, ip, &names) :
	    DNS_TEMPORARY;
	if (status == DNS_TEMPORARY) {
		add_unknown(k, "ptr", text);
		return;
	}
	if ((name = find_way_back(k, ip, &names, &unknown)) != NULL) {
		dns_check_add(k, "ptr", DNS_CHECK_FINE,
		    T(k, "%s is called %s, which leads back to it",
		    "%s s'appelle %s, qui y ramène"), text, name);
		return;
	}
	if (unknown != NULL) {
		add_unknown(k, "ptr", unknown);
		return;
	}
	if (names.n > 0)
		f = dns_check_add(k, "ptr", DNS_CHECK_WRONG,
		    T(k, "%s is called %s, which does not lead back to it: "
		    "whoever gives you the address changes its name",
		    "%s s'appelle %s, qui n'y ramène pas : qui vous fournit "
		    "l'adresse en change le nom"), text, names.v[0]);
	else
		f = dns_check_add(k, "ptr", DNS_CHECK_WRONG,
		    T(k, "%s has no name (PTR), many servers refuse its mail: "
		    "whoever gives you the address enters it", "%s n'a pas de "
		    "nom (PTR), bien des serveurs refusent son courrier : qui "
		    "vous fournit l'adresse l'inscrit"), text);
	dns_reverse(ip, reverse);
	snprintf(f->publish, sizeof(f->publish), "%s. IN PTR %s.", reverse,
	    k->conf->hostname);
}

struct policy {
	const char *prefix;
	bool found;
};

static void
look_for_policy(void *arg, const char *text)
{
	struct policy *p = arg;

	if (strncmp(text, p->prefix, strlen(p->prefix)) == 0)
		p->found = true;
}

static void
inform_text(struct dns_check *k, const char *about, const char *label,
    const char *prefix, const char *example)
{
	char name[ADDR_DOMAIN_MAX + 32];
	struct policy p = { prefix, false };
	struct dns_finding *f;

	snprintf(name, sizeof(name), "%s.%s", label, k->domain);
	if (!dns_check_may_ask(k) || dns_texts(&k->dns, name, look_for_policy,
	    &p) == DNS_TEMPORARY) {
		add_unknown(k, about, name);
		return;
	}
	f = dns_check_add(k, about, DNS_CHECK_INFO, p.found ?
	    T(k, "%s is there", "%s est là") :
	    T(k, "%s is not there (it need not be)",
	    "%s n'est pas là (ce n'est pas nécessaire)"), name);
	if (!p.found && example != NULL)
		snprintf(f->publish, sizeof(f->publish), "%s. IN TXT \"%s\"",
		    name, example);
}

/* Mail programs that look find their servers (RFC 6186, RFC 8314). */
static void
inform_service(struct dns_check *k, const char *service, uint16_t port)
{
	const char *host = k->conf->hostname;
	struct dns_srv srv;
	enum dns_status status;
	struct dns_finding *f;

	if (port == 0)
		return;
	status = dns_check_may_ask(k) ? dns_srv(&k->dns, service, k->domain,
	    &srv) : DNS_TEMPORARY;
	if (status == DNS_TEMPORARY) {
		add_unknown(k, "srv", service);
		return;
	}
	if (status != DNS_OK)
		f = dns_check_add(k, "srv", DNS_CHECK_INFO,
		    T(k, "%s.%s is not there (it need not be)",
		    "%s.%s n'est pas là (ce n'est pas nécessaire)"), service,
		    k->domain);
	else if (srv.port == port && strcmp(srv.host, host) == 0) {
		dns_check_add(k, "srv", DNS_CHECK_INFO, T(k, "%s.%s is there",
		    "%s.%s est là"), service, k->domain);
		return;
	} else
		f = dns_check_add(k, "srv", DNS_CHECK_INFO,
		    T(k, "%s.%s leads mail programs to %s, port %u",
		    "%s.%s mène les logiciels de courrier à %s, port %u"),
		    service, k->domain, srv.host[0] != '\0' ? srv.host : ".",
		    srv.port);
	snprintf(f->publish, sizeof(f->publish), "%s.%s. IN SRV 0 1 %u %s.",
	    service, k->domain, port, host);
}

static void
inform(struct dns_check *k)
{
	struct sheet s;

	inform_text(k, "dmarc", "_dmarc", "v=DMARC1", "v=DMARC1; p=none");
	inform_text(k, "mta-sts", "_mta-sts", "v=STSv1", NULL);
	inform_text(k, "tls-rpt", "_smtp._tls", "v=TLSRPTv1", NULL);
	sheet_init(&s, k->conf, "", true, true, false);
	inform_service(k, "_pop3s._tcp", s.pop3.tls);
	inform_service(k, "_submissions._tcp", s.smtp.tls);
	inform_service(k, "_submission._tcp", s.smtp.starttls);
}

static void
look_at_sending(struct dns_check *k)
{
	for (size_t i = 0; i < k->n_ours; i++)
		check_ptr(k, &k->ours[i]);
	dns_check_spf(k);
	inform(k);
}

int
dns_check(struct dns_check *k, unsigned timeout, unsigned budget)
{
	if (dns_open(&k->dns, k->conf->resolver, timeout) == -1)
		return -1;
	k->until = clock_ms() + (int64_t)budget * 1000;
	if (k->n_ours == 0)
		k->n_ours = dns_check_ways_out(k->ours, DNS_CHECK_OURS);
	check_domain(k);
	check_host(k);
	check_mx(k);
	if (!k->only_arrival)
		look_at_sending(k);
	dns_close(&k->dns);
	return 0;
}
