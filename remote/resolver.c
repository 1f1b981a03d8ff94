/* resolver.c - one child of malle-remote: where the mail of a domain goes. */
/* SPDX-License-Identifier: ISC */

#include "remote/carrier.h"

#include <errno.h>
#include <stdio.h>

#include "lib/log.h"

#define TTL_MIN 60		/* s: what changes faster is asked again then */
#define TTL_MAX 86400
#define TTL_NEGATIVE 300	/* where the answer does not say */

static void
add_host(struct remote_found *f, uint16_t preference, uint16_t port,
    const char *name)
{
	struct remote_host *h;

	if (f->n == REMOTE_HOSTS_MAX)
		return;
	h = &f->hosts[f->n++];
	h->preference = preference;
	h->port = port;
	snprintf(h->name, sizeof(h->name), "%s", name);
}

/* No MX: the domain's own address serves (RFC 5321 5.1). */
static void
implicit_mx(struct remote *r, const char *domain, uint16_t port,
    struct remote_found *f)
{
	struct dns_addresses a;

	switch (dns_addresses(&r->dns, domain, &a)) {
	case DNS_OK:
		f->outcome = LOOKUP_OK;
		f->ttl = a.ttl;
		f->authentic = a.authentic;
		add_host(f, 0, port, domain);
		break;
	case DNS_TEMPORARY:
		f->outcome = LOOKUP_TEMPORARY;
		break;
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		f->outcome = LOOKUP_NO_DOMAIN;
		if (a.ttl != 0 && a.ttl < f->ttl)
			f->ttl = a.ttl;
		break;
	}
}

static void
take_mx(const struct dns_mx *mx, uint16_t port, struct remote_found *f)
{
	f->ttl = mx->ttl;
	f->authentic = mx->authentic;
	/* RFC 7505: a single "." says that no mail is taken. */
	if (mx->n == 1 && mx->v[0].host[0] == '\0') {
		f->outcome = LOOKUP_NO_MAIL;
		return;
	}
	for (size_t i = 0; i < mx->n; i++)
		if (mx->v[i].host[0] != '\0')
			add_host(f, mx->v[i].preference, port, mx->v[i].host);
	f->outcome = f->n > 0 ? LOOKUP_OK : LOOKUP_NO_DOMAIN;
}

static void
look_up(struct remote *r, const char *domain, struct remote_found *f)
{
	uint16_t port = r->port;
	struct dns_mx mx;

	f->ttl = TTL_NEGATIVE;
	if (domain[0] == '[') {
		f->outcome = LOOKUP_OK;
		f->ttl = TTL_MAX;
		add_host(f, 0, port, domain);
		return;
	}
	switch (dns_mx(&r->dns, domain, &mx)) {
	case DNS_OK:
		take_mx(&mx, port, f);
		break;
	case DNS_NO_DATA:
		if (mx.ttl != 0)
			f->ttl = mx.ttl;
		implicit_mx(r, domain, port, f);
		break;
	case DNS_NO_NAME:
		if (mx.ttl != 0)
			f->ttl = mx.ttl;
		f->outcome = LOOKUP_NO_DOMAIN;
		break;
	case DNS_TEMPORARY:
		f->outcome = LOOKUP_TEMPORARY;
		break;
	}
	if (f->ttl < TTL_MIN)
		f->ttl = TTL_MIN;
	if (f->ttl > TTL_MAX)
		f->ttl = TTL_MAX;
}

/* One question, one answer. -1: the pair is of no use any more. */
static int
answer(struct remote *r, int pair, int sts, struct ipc_msg *m)
{
	static unsigned char space[IPC_MAX];
	struct remote_found f = { .n = 0 };
	char domain[ADDR_DOMAIN_MAX + 1];
	struct packer k;

	f.tag = unpack_u64(&m->body);
	unpack_cstr(&m->body, domain, sizeof(domain));
	if (m->type != R_LOOKUP || !unpack_end(&m->body)) {
		log_error(NULL, "request", "error=%s", "malformed");
		return -1;
	}
	look_up(r, domain, &f);
	if (f.outcome == LOOKUP_OK && domain[0] != '[' && sts != -1)
		sts_find(r, sts, domain, &f);
	pack_init(&k, space, sizeof(space));
	remote_found_pack(&k, &f);
	return ipc_send(pair, R_FOUND, &k, NULL, 0);
}

void
resolver_run(struct remote *remote, int pair, int sts)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m;

	while (ipc_recv(pair, space, &m) == 1) {
		ipc_close_fds(&m);
		if (answer(remote, pair, sts, &m) == -1)
			return;
	}
}
