/* domain_check.c - malle domain check: what the DNS says of a domain. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the caller; the registry is not asked, so that a domain can be
 * looked at before it is taken in (inventory 0-12).
 */

#include "tools/domain_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/routes.h"
#include "tools/account.h"
#include "tools/dns_check.h"
#include "tools/json.h"

#define NOT_READY 1	/* the exit status */
/* s: one try of one question, all of them. */
#define TRY 2
#define BUDGET 15
#define TRY_ADVICE 1
#define BUDGET_ADVICE 3

bool
domain_check_lacks(const struct dns_finding *f)
{
	return f->verdict == DNS_CHECK_TODO || f->verdict == DNS_CHECK_WRONG;
}

static void
put_finding(const struct malle *m, const struct dns_finding *f, FILE *out)
{
	/* The order of enum dns_verdict. */
	static const char *const english[] = { "fine", "to do", "WRONG",
		"info", "unknown" };
	static const char *const french[] = { "bon", "à faire", "ERREUR",
		"info", "inconnu" };

	fprintf(out, "%-7s ", m->french ? french[f->verdict] :
	    english[f->verdict]);
	text_put_escaped(out, slice_of(f->text));
	fputc('\n', out);
	if (f->publish[0] == '\0')
		return;
	fputs(tr(m, "        publish: ", "        publiez : "), out);
	text_put_escaped(out, slice_of(f->publish));
	fputc('\n', out);
}

/* Inventory 4-48. */
static void
put_caution(const struct malle *m, FILE *out)
{
	fputs(tr(m, "Change nothing else in the zone: what is wrong there makes "
	    "the web site and the mail unreachable.\n",
	    "Ne changez rien d'autre dans la zone : une erreur y rend le site "
	    "et le courrier inaccessibles.\n"), out);
}

static void
put_json(const struct dns_finding *f)
{
	static const char *const words[] = { "fine", "todo", "wrong", "info",
		"unknown" };

	printf("{\"about\": \"%s\", \"verdict\": \"%s\", \"text\": ", f->about,
	    words[f->verdict]);
	json_put_string(stdout, slice_of(f->text));
	fputs(", \"publish\": ", stdout);
	json_put_string(stdout, slice_of(f->publish));
	puts("}");
}

int
domain_check_report(const struct malle *m, const struct dns_check *k)
{
	bool lacking = false, unknown = false, changes = false;

	for (size_t i = 0; i < k->n; i++) {
		lacking = lacking || domain_check_lacks(&k->v[i]);
		changes = changes || (domain_check_lacks(&k->v[i]) &&
		    k->v[i].publish[0] != '\0');
		unknown = unknown || k->v[i].verdict == DNS_CHECK_UNKNOWN;
		if (m->json)
			put_json(&k->v[i]);
		else
			put_finding(m, &k->v[i], stdout);
	}
	if (changes && !m->json)
		put_caution(m, stdout);
	return lacking ? NOT_READY : unknown ? EX_TEMPFAIL : EX_OK;
}

int
domain_check_addresses(struct slice list, struct dns_check *k)
{
	while (list.p != NULL)
		if (k->n_ours == DNS_CHECK_OURS ||
		    ip_parse(slice_trim(slice_cut(&list, ',')),
		    &k->ours[k->n_ours++]) == -1)
			return -1;
	return 0;
}

static void
add_relay(struct dns_check *k, const struct route_target *t)
{
	size_t i = 0;

	while (i < k->n_relays && strcmp(k->relays[i], t->host) != 0)
		i++;
	if (t->is_smarthost && i == k->n_relays && i < DNS_CHECK_RELAYS)
		snprintf(k->relays[k->n_relays++], sizeof(k->relays[i]), "%s",
		    t->host);
}

/* The smarthosts of what leaves for its senders. The file is the queue's: not
 * everybody may read it. 0, or -1. */
static int
take_relays(struct dns_check *k)
{
	struct str errors = STR_INIT(65536);
	struct routes routes;
	const char *name = "";
	int folder = fsx_open_parent(k->conf->routes, &name);
	int r = routes_load(folder, name, &routes, &errors);

	if (r == 0) {
		for (size_t i = 0; i < routes.n; i++)
			if (routes.rows[i].scope == ROUTE_TO)
				add_relay(k, &routes.rows[i].target);
		add_relay(k, routes_find(&routes, slice_of(k->domain),
		    SLICE("")));
		if (routes.has_fallback)
			add_relay(k, &routes.fallback);
		routes_free(&routes);
	}
	if (folder != -1)
		close(folder);
	str_free(&errors);
	return r;
}

/* 0, or -1 with errno: there is no resolver to ask. */
static int
look(struct dns_check *k, unsigned timeout, unsigned budget)
{
	int relays = take_relays(k), r = dns_check(k, timeout, budget);

	if (r == 0 && relays == -1)
		dns_check_add(k, "smarthost", DNS_CHECK_INFO, DNS_CHECK_T(k,
		    "%s cannot be read: whether a smarthost sends for %s is not "
		    "known", "%s ne peut pas être lu : on ne sait pas si un "
		    "relais envoie pour %s"), k->conf->routes, k->domain);
	return r;
}

static const char *
no_resolver_text(bool french)
{
	return french ? "aucun résolveur à interroger (%s) : fixez resolver dans "
	    "la configuration, ou /etc/resolv.conf" : "no resolver to ask (%s): "
	    "set resolver in the configuration, or /etc/resolv.conf";
}

static int
no_resolver(const struct malle *m)
{
	fputs(tr(m, "malle: ", "malle : "), stderr);
	fprintf(stderr, no_resolver_text(m->french), strerror(errno));
	fputc('\n', stderr);
	return EX_UNAVAILABLE;
}

void
domain_check_look(const struct malle *m, struct dns_check *k)
{
	if (look(k, TRY_ADVICE, BUDGET_ADVICE) == -1)
		dns_check_add(k, "domain", DNS_CHECK_UNKNOWN,
		    no_resolver_text(m->french), strerror(errno));
}

int
domain_check(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--address", "addresses", NULL },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct dns_check k;
	static struct arguments a;

	k.conf = &m->conf;
	k.french = m->french;
	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1 || domain_check_addresses(registry_field(&a.f, "addresses"),
	    &k) == -1)
		return arguments_wrong(m,
		    "domain check NAME [--address ADDRESS,...]");
	if (addr_domain(slice_of(a.positional[0]), k.domain) == -1) {
		fprintf(stderr, tr(m, "malle: \"%s\" is no domain\n",
		    "malle : « %s » n'est pas un domaine\n"), a.positional[0]);
		return EX_DATAERR;
	}
	if (look(&k, TRY, BUDGET) == -1)
		return no_resolver(m);
	return domain_check_report(m, &k);
}

void
domain_check_advise(const struct malle *m, const char *domain)
{
	static struct dns_check k;
	bool said = false;

	k.conf = &m->conf;
	k.french = m->french;
	if (addr_domain(slice_of(domain), k.domain) == -1)
		return;
	if (look(&k, TRY_ADVICE, BUDGET_ADVICE) == -1) {
		(void)no_resolver(m);
		return;
	}
	for (size_t i = 0; i < k.n; i++) {
		if (!domain_check_lacks(&k.v[i]))
			continue;
		if (!said)
			fprintf(stderr, tr(m, "malle: the DNS is not ready for "
			    "%s; look again with: malle domain check %s\n",
			    "malle : le DNS n'est pas prêt pour %s ; regardez "
			    "de nouveau avec : malle domain check %s\n"),
			    k.domain, k.domain);
		said = true;
		put_finding(m, &k.v[i], stderr);
	}
	if (said)
		put_caution(m, stderr);
	if (!said && k.n > 0 && k.v[0].verdict == DNS_CHECK_UNKNOWN)
		fprintf(stderr, tr(m, "malle: the DNS does not answer; look "
		    "later with: malle domain check %s\n",
		    "malle : le DNS ne répond pas ; regardez plus tard avec : "
		    "malle domain check %s\n"), k.domain);
}
