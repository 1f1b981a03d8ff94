/* dns_check_spf.c - may this machine send for the domain, and from where? */
/* SPDX-License-Identifier: ISC */

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/str.h"
#include "tools/dns_check.h"
#include "tools/spf.h"

#define T DNS_CHECK_T
#define STRING_MAX 255		/* of one string of a TXT record */

/* What each result means; %s: the address, the domain. */
static const struct {
	enum dns_verdict verdict;
	const char *english, *french;
} sentences[] = {
	/* clang-format off */
	[SPF_NONE] = { DNS_CHECK_TODO,
	  "no SPF record: nothing says that %s may send for %s",
	  "pas d'enregistrement SPF : rien ne dit que %s peut envoyer pour %s" },
	[SPF_PASS] = { DNS_CHECK_FINE,
	  "SPF lets %s send for %s",
	  "SPF permet à %s d'envoyer pour %s" },
	[SPF_ANYBODY] = { DNS_CHECK_WRONG,
	  "SPF lets %s send for %s, and all the world: end it with -all",
	  "SPF permet à %s d'envoyer pour %s, et à n'importe qui : terminez-le "
	  "par -all" },
	[SPF_FAIL] = { DNS_CHECK_WRONG,
	  "SPF does not let %s send for %s",
	  "SPF ne permet pas à %s d'envoyer pour %s" },
	[SPF_SOFTFAIL] = { DNS_CHECK_WRONG,
	  "SPF hardly lets %s send for %s (~)",
	  "SPF ne permet guère à %s d'envoyer pour %s (~)" },
	[SPF_NEUTRAL] = { DNS_CHECK_WRONG,
	  "SPF says neither yes nor no to %s sending for %s",
	  "SPF ne dit ni oui ni non quand %s envoie pour %s" },
	[SPF_SEVERAL] = { DNS_CHECK_WRONG,
	  "several SPF records: none counts; keep one that lets %s send for %s",
	  "plusieurs enregistrements SPF : aucun ne compte ; gardez-en un qui "
	  "permet à %s d'envoyer pour %s" },
	[SPF_SYNTAX] = { DNS_CHECK_WRONG,
	  "a mistake in the SPF record, or in one that it includes: nothing says "
	  "that %s may send for %s",
	  "une erreur dans l'enregistrement SPF, ou dans un de ceux qu'il inclut : "
	  "rien ne dit que %s peut envoyer pour %s" },
	[SPF_LOOKUPS] = { DNS_CHECK_WRONG,
	  "SPF needs too many look-ups (RFC 7208 4.6.4) to let %s send for %s: "
	  "name addresses instead of includes",
	  "SPF demande trop de recherches (RFC 7208 4.6.4) pour permettre à %s "
	  "d'envoyer pour %s : nommez des adresses plutôt que des include" },
	[SPF_UNSURE] = { DNS_CHECK_INFO,
	  "SPF decides by the letter (a macro, ptr) whether %s may send for %s",
	  "SPF décide selon la lettre (macro, ptr) si %s peut envoyer pour %s" },
	[SPF_TEMPORARY] = { DNS_CHECK_UNKNOWN,
	  "the DNS does not say whether %s may send for %s: ask again later",
	  "le DNS ne dit pas si %s peut envoyer pour %s : redemandez plus tard" },
	/* clang-format on */
};

static struct dns_finding *
say(struct dns_check *k, enum spf_result result, const char *address)
{
	return dns_check_add(k, "spf", sentences[result].verdict,
	    T(k, sentences[result].english, sentences[result].french), address,
	    k->domain);
}

/* True when a record can be shown as a line of a zone file, with some more. */
static bool
is_plain(const char *record)
{
	for (const char *p = record; *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			return false;
	return strlen(record) + IP_TEXT_MAX + 8 < STRING_MAX;
}

/* An address that the world knows us by: not one of a router's other side. */
static bool
is_public(const struct ip *ip)
{
	static const char *const nets[] = { "10.0.0.0/8", "172.16.0.0/12",
		"192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
		"100.64.0.0/10", "0.0.0.0/8", "::/3", "fc00::/7", "fe80::/10" };
	struct ip net;
	unsigned bits;

	for (size_t i = 0; i < sizeof(nets) / sizeof(*nets); i++) {
		/* ::ffff:0:0/96 is within ::/3. */
		if (strchr(nets[i], ':') != NULL && ip_is_v4(ip))
			continue;
		if (ip_parse_net(slice_of(nets[i]), &net, &bits) == 0 &&
		    ip_match(ip, &net, bits))
			return false;
	}
	return true;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static bool
is_literal(const char *host, struct ip *ip)
{
	const char *address = strncmp(host, "[IPv6:", 6) == 0 ? host + 6 :
	    host + 1;

	return host[0] == '[' &&
	    ip_parse(slice_make(address, strcspn(address, "]")), ip) == 0;
}

static void
put_address(struct str *record, const struct ip *ip)
{
	char text[IP_TEXT_MAX];

	str_printf(record, " %s:%s", ip_is_v4(ip) ? "ip4" : "ip6",
	    ip_text(ip, text));
}

/* All that sends for the domain as far as we know. What was forgotten is to be
 * found out while the end is mild (inventory 8-11). */
static void
propose(const struct dns_check *k, struct dns_finding *f)
{
	struct str record = STR_INIT(STRING_MAX);
	struct ip ip;

	str_puts(&record, "v=spf1 mx");
	for (size_t i = 0; i < k->n_ours; i++)
		put_address(&record, &k->ours[i]);
	for (size_t i = 0; i < k->n_relays; i++) {
		if (!is_literal(k->relays[i], &ip))
			str_printf(&record, " a:%s", k->relays[i]);
		else if (is_public(&ip))
			put_address(&record, &ip);
	}
	str_puts(&record, " ~all");
	if (str_ok(&record))
		snprintf(f->publish, sizeof(f->publish), "%s. IN TXT \"%s\"",
		    k->domain, record.p);
	str_free(&record);
}

/* What makes the answer a yes for this address. */
static void
publish(const struct dns_check *k, enum spf_result result, const char *record,
    const char *address, struct dns_finding *f)
{
	const char *mechanism = strchr(address, ':') != NULL ? "ip6" : "ip4";

	if (result == SPF_NONE || result == SPF_SEVERAL ||
	    result == SPF_SYNTAX)
		propose(k, f);
	else if ((result == SPF_FAIL || result == SPF_SOFTFAIL ||
	    result == SPF_NEUTRAL) && is_plain(record))
		snprintf(f->publish, sizeof(f->publish),
		    "%s. IN TXT \"v=spf1 %s:%s%.*s\"", k->domain, mechanism,
		    address, STRING_MAX, record + sizeof("v=spf1") - 1);
}

/* A record that has all of us may become strict. */
static void
harden(struct dns_check *k, const char *record)
{
	static const char mild[] = " ~all";
	size_t len = strlen(record), end = sizeof(mild) - 1;
	struct dns_finding *f;

	if (len < end || strcasecmp(record + len - end, mild) != 0 ||
	    !is_plain(record))
		return;
	f = dns_check_add(k, "spf", DNS_CHECK_INFO,
	    T(k, "when nothing else sends for %s, SPF may end with -all",
	    "quand rien d'autre n'envoie pour %s, SPF peut se terminer par "
	    "-all"), k->domain);
	snprintf(f->publish, sizeof(f->publish), "%s. IN TXT \"%.*s -all\"",
	    k->domain, (int)(len - end), record);
}

/* The addresses that a provider sends from are often others than those that it
 * takes mail at. */
static void
inform_relays(struct dns_check *k)
{
	struct str names = STR_INIT(400);

	for (size_t i = 0; i < k->n_relays; i++)
		str_printf(&names, "%s%s", i > 0 ? ", " : "", k->relays[i]);
	if (k->n_relays > 0)
		dns_check_add(k, "smarthost", DNS_CHECK_INFO,
		    T(k, "mail of %s may leave through %s: ask there what SPF "
		    "has to name, often an include:", "du courrier de %s peut "
		    "partir par %s : demandez-y ce que SPF doit nommer, "
		    "souvent un include:"), k->domain,
		    str_ok(&names) ? names.p : "...");
	str_free(&names);
}

void
dns_check_spf(struct dns_check *k)
{
	char record[DNS_TEXT_MAX], address[IP_TEXT_MAX];
	enum spf_result result;
	bool all_pass = k->n_ours > 0;

	inform_relays(k);
	for (size_t i = 0; i < k->n_ours; i++) {
		record[0] = '\0';
		result = !dns_check_may_ask(k) ? SPF_TEMPORARY :
		    spf_check(&k->dns, k->domain, &k->ours[i], k->until,
		    record);
		all_pass = all_pass && result == SPF_PASS;
		ip_text(&k->ours[i], address);
		publish(k, result, record, address, say(k, result, address));
		if (result == SPF_NONE || result == SPF_SEVERAL)
			return;	/* the same for all of them */
	}
	if (all_pass)
		harden(k, record);
}

/* Connecting a datagram socket sends nothing: the kernel chooses the address
 * that mail would leave by. */
size_t
dns_check_ways_out(struct ip *out, size_t max)
{
	static const char *const far[] = { "192.0.2.1", "2001:db8::1" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(far) / sizeof(*far) && n < max; i++) {
		struct sockaddr_storage ss = { .ss_family = i == 0 ? AF_INET :
			AF_INET6 };
		struct sockaddr_in *in = (struct sockaddr_in *)&ss;
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
		socklen_t len = i == 0 ? sizeof(*in) : sizeof(*in6);
		int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		in->sin_port = htons(9);
		if (fd != -1 && inet_pton(ss.ss_family, far[i], i == 0 ?
		    (void *)&in->sin_addr : (void *)&in6->sin6_addr) == 1 &&
		    connect(fd, (struct sockaddr *)&ss, len) == 0 &&
		    getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
		    ip_of_sockaddr((struct sockaddr *)&ss, &out[n], NULL) == 0 &&
		    is_public(&out[n]))
			n++;
		if (fd != -1)
			close(fd);
	}
	return n;
}
