/* tls_ticket.c - TLS sessions that are gone on with (RFC 8446 2.2, 4.6.1). */
/* SPDX-License-Identifier: ISC */
/*
 * A child serves one connection, so what a server offers is given to
 * malle-queued, which brings it back with the next route of that destination.
 * A ticket is used once (RFC 8446 C.4).
 *
 * A resumed session has no certificate in it: what was verified when it began
 * counts. So a ticket begins with a digest of all that decided that, and one of
 * another purpose is not offered.
 *
 * Trusts: not what comes back: it must have our own mark in its digest.
 */
#include "remote/tls.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct session *s = SSL_get_app_data(ssl);

	if (s == NULL || !SSL_SESSION_is_resumable(session))
		return 0;
	SSL_SESSION_free(s->ticket.session);
	s->ticket.session = session;
	return 1;	/* the reference is ours */
}

void
ticket_allow(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
}

int
ticket_mark(struct remote *r)
{
	return RAND_bytes(r->mark, sizeof(r->mark)) == 1 ? 0 : -1;
}

/* Each part with its length: no two purposes have the same bytes. */
static int
add(EVP_MD_CTX *d, const void *p, size_t len)
{
	unsigned char n[4] = { (unsigned char)len, (unsigned char)(len >> 8),
	    (unsigned char)(len >> 16), (unsigned char)(len >> 24) };

	return EVP_DigestUpdate(d, n, sizeof(n)) == 1 &&
	    EVP_DigestUpdate(d, p, len) == 1 ? 0 : -1;
}

static int
add_tlsa(EVP_MD_CTX *d, const struct dns_tlsa *t)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		const unsigned char how[3] = { t->v[i].usage,
		    t->v[i].selector, t->v[i].matching };

		r = add(d, how, sizeof(how)) == -1 ||
		    add(d, t->v[i].data, t->v[i].len) == -1 ? -1 : 0;
	}
	return r;
}

/* A digest of what a handshake is for. */
static int
purpose_of(const struct session *s, const char *host, const struct tls_wish *w,
    unsigned char out[TICKET_MARK_LEN])
{
	const unsigned char how[] = { (unsigned char)w->need,
	    (unsigned char)w->port, (unsigned char)(w->port >> 8),
	    s->route.authentic, (unsigned char)s->route.sts,
	    s->route.implicit_tls };
	EVP_MD_CTX *d = EVP_MD_CTX_new();
	int r = -1;

	if (d != NULL && EVP_DigestInit_ex(d, EVP_sha256(), NULL) == 1 &&
	    add(d, s->remote->mark, sizeof(s->remote->mark)) == 0 &&
	    add(d, how, sizeof(how)) == 0 &&
	    add(d, host, strlen(host)) == 0 &&
	    add(d, s->route.domain, strlen(s->route.domain)) == 0 &&
	    add(d, w->by, strlen(w->by)) == 0 &&
	    add(d, w->base, strlen(w->base)) == 0 &&
	    add_tlsa(d, &w->tlsa) == 0 &&
	    EVP_DigestFinal_ex(d, out, NULL) == 1)
		r = 0;
	EVP_MD_CTX_free(d);
	return r;
}

void
ticket_offer(SSL *ssl, struct session *s, const char *host,
    const struct tls_wish *w)
{
	struct remote_route *route = &s->route;
	const unsigned char *der = route->ticket + TICKET_MARK_LEN;
	SSL_SESSION *old;

	SSL_SESSION_free(s->ticket.session);
	s->ticket.session = NULL;
	if (purpose_of(s, host, w, s->ticket.purpose) == -1)
		return;
	SSL_set_app_data(ssl, s);
	if (route->ticket_len <= TICKET_MARK_LEN || memcmp(route->ticket,
	    s->ticket.purpose, TICKET_MARK_LEN) != 0)
		return;
	old = d2i_SSL_SESSION(NULL, &der, route->ticket_len - TICKET_MARK_LEN);
	if (old != NULL)
		(void)SSL_set_session(ssl, old);
	SSL_SESSION_free(old);
	explicit_bzero(route->ticket, route->ticket_len);
	route->ticket_len = 0;
}

size_t
ticket_pack(const struct session *s, unsigned char *out, size_t cap)
{
	unsigned char *p = out + TICKET_MARK_LEN;
	int len;

	if (s->stream.ssl == NULL || s->ticket.session == NULL)
		return 0;
	len = i2d_SSL_SESSION(s->ticket.session, NULL);
	if (len <= 0 || (size_t)len + TICKET_MARK_LEN > cap)
		return 0;
	memcpy(out, s->ticket.purpose, TICKET_MARK_LEN);
	i2d_SSL_SESSION(s->ticket.session, &p);
	return TICKET_MARK_LEN + (size_t)len;
}
