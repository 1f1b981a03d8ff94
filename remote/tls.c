/* tls.c - how much TLS a route wants, and the handshake that gives it. */
/* SPDX-License-Identifier: ISC */

#include "remote/tls.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/log.h"
#include "remote/authorities.h"

#define HANDSHAKE_TIME 60	/* seconds */

static int
load_authorities(SSL_CTX *ctx, const char *configured)
{
	const char *file = authorities_file(configured);

	if (file != NULL)
		return SSL_CTX_load_verify_file(ctx, file);
	log_notice(NULL, "tls", "todo=%s", LOGS("install ca-certificates, or "
	    "name a file with the setting authorities: until then no server "
	    "can be verified"));
	return 1;
}

SSL_CTX *
tls_context(const char *authorities)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	/* RFC 8996: nothing below 1.2. A mail server that has no better gets
	 * its mail in the clear where the policy allows that. */
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    load_authorities(ctx, authorities) != 1 ||
	    SSL_CTX_dane_enable(ctx) <= 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_dane_set_flags(ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	ticket_allow(ctx);
	return ctx;
}

bool
sts_names(const char *patterns, const char *host)
{
	struct slice rest = slice_of(patterns), name = slice_of(host);

	while (rest.p != NULL) {
		struct slice p = slice_trim(slice_cut(&rest, '\n'));
		const char *dot;

		if (p.len == 0)
			continue;
		if (slice_eq_nocase(p, name))
			return true;
		/* "*.example" stands for exactly one label. */
		dot = strchr(host, '.');
		if (p.len > 2 && p.p[0] == '*' && p.p[1] == '.' &&
		    dot != NULL && slice_eq_nocase(slice_skip(p, 1),
		    slice_of(dot)))
			return true;
	}
	return false;
}

/* Records of usage 2 and 3 with parameters that OpenSSL knows (RFC 7672 3.1), and
 * digests of their length: others are as if they were not there (2.2). */
static bool
is_usable(const struct dns_tlsa *t, size_t i)
{
	static const size_t digest_len[] = { 0, 32, 64 };

	return (t->v[i].usage == 2 || t->v[i].usage == 3) &&
	    t->v[i].selector <= 1 && t->v[i].matching <= 2 &&
	    (t->v[i].matching == 0 ||
	    t->v[i].len == digest_len[t->v[i].matching]);
}

/* 1: the TLSA records of base decide; 0: there are none; -1: not now. */
static int
look_at_base(struct session *s, const char *base, struct tls_wish *w,
    struct remote_reply *why)
{
	enum dns_status status = dns_tlsa(&s->remote->dns, base, w->port,
	    &w->tlsa);

	if (status == DNS_TEMPORARY) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_DNS, "4.7.5", why,
		    "the TLSA records of %s cannot be looked up now", base);
		return -1;
	}
	if (status != DNS_OK || !w->tlsa.authentic)
		return 0;
	w->by = "dane";
	snprintf(w->base, sizeof(w->base), "%s", base);
	for (size_t i = 0; i < w->tlsa.n; i++)
		if (is_usable(&w->tlsa, i))
			w->need = NEED_DANE;
	/* Records of which none can be used still ask for TLS. */
	if (w->need < NEED_ENCRYPT)
		w->need = NEED_ENCRYPT;
	return 1;
}

/* Of an alias the name where it leads comes first (RFC 7672 2.2.2). */
static int
look_for_tlsa(struct session *s, const char *host, const char *canonical,
    struct tls_wish *w, struct remote_reply *why)
{
	int r = strcmp(canonical, host) == 0 ? 0 :
	    look_at_base(s, canonical, w, why);

	return r != 0 ? r : look_at_base(s, host, w, why);
}

int
tls_wish(struct session *s, const char *host, uint16_t port,
    const struct dns_addresses *addresses, struct tls_wish *out,
    struct remote_reply *why)
{
	static const enum tls_need of_policy[] = {
		[TLS_NONE] = NEED_NONE, [TLS_MAY] = NEED_MAY,
		[TLS_ENCRYPT] = NEED_ENCRYPT, [TLS_VERIFY] = NEED_VERIFY
	};
	int r;

	out->need = of_policy[s->route.tls];
	out->by = "policy";
	out->port = port;
	out->base[0] = '\0';
	out->tlsa.n = 0;
	if (s->route.tls == TLS_NONE)
		return 0;
	if (s->route.authentic && addresses->authentic) {
		r = look_for_tlsa(s, host, addresses->canonical, out, why);
		if (r == -1 || out->need == NEED_DANE)
			return r == -1 ? -1 : 0;
	}
	if (s->route.sts == STS_ENFORCE) {
		if (!sts_names(s->route.sts_mx, host)) {
			session_says(s, QUEUE_TEMPORARY, CAUSE_TLS, "4.7.5",
			    why, "the MTA-STS policy of %s does not name the "
			    "server %s", s->route.domain, host);
			return -1;
		}
		if (out->need < NEED_VERIFY) {
			out->need = NEED_VERIFY;
			out->by = "mta-sts";
		}
	}
	if (out->need == NEED_MAY && s->route.tls_broken)
		out->need = NEED_NONE;
	return 0;
}

/* Names that a certificate may have: that of the records and, where an authority
 * of the domain vouches (usage 2), the domain's (RFC 7672 3.2.2). */
static int
add_tlsa(SSL *ssl, const struct session *s, const struct tls_wish *w)
{
	const struct dns_tlsa *t = &w->tlsa;
	int usable = 0;

	if (SSL_dane_enable(ssl, w->base) <= 0 ||
	    (s->route.domain[0] != '\0' &&
	    SSL_add1_host(ssl, s->route.domain) != 1))
		return -1;
	for (size_t i = 0; i < t->n; i++)
		if (is_usable(t, i) && SSL_dane_tlsa_add(ssl, t->v[i].usage,
		    t->v[i].selector, t->v[i].matching, t->v[i].data,
		    t->v[i].len) > 0)
			usable++;
	return usable > 0 ? 0 : -1;
}

/* Who is asked for a name that is an address has to have that address. */
static int
add_name(SSL *ssl, const struct session *s, const char *host)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

	/* RFC 8461 4.2: a common name is none there. */
	if (s->route.sts == STS_ENFORCE)
		flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
	SSL_set_hostflags(ssl, flags);
	return host[0] == '[' ? X509_VERIFY_PARAM_set1_ip_asc(p, s->how.ip) :
	    SSL_set1_host(ssl, host);
}

static int
prepare(SSL *ssl, const struct session *s, const char *host,
    const struct tls_wish *w)
{
	/* RFC 7672 8.1: SNI is the base domain of the TLSA records. */
	const char *sni = w->need == NEED_DANE ? w->base : host;

	if (sni[0] != '[' && SSL_set_tlsext_host_name(ssl, sni) != 1)
		return -1;
	if (w->need == NEED_DANE) {
		if (add_tlsa(ssl, s, w) == -1)
			return -1;
	} else if (add_name(ssl, s, host) != 1)
		return -1;
	if (w->need >= NEED_VERIFY)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	else	/* weak keys are better than none */
		SSL_set_security_level(ssl, 1);
	return 0;
}

/* Why a handshake failed, in words. */
static const char *
handshake_error(const SSL *ssl)
{
	long verdict = SSL_get_verify_result(ssl);
	unsigned long e = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(e);

	if (verdict != X509_V_OK && ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return X509_verify_cert_error_string(verdict);
	if (reason != NULL)
		return reason;
	return errno != 0 ? strerror(errno) : "the connection was closed";
}

/* What has come about. A name counts as verified only when it could not be
 * forged in the DNS (RFC 8689 4.2.1). */
static void
say_how(struct session *s, const SSL *ssl, const struct tls_wish *w)
{
	bool is_sure = s->route.authentic || s->route.sts == STS_ENFORCE;
	const char *by = w->need >= NEED_VERIFY ? w->by :
	    SSL_get_verify_result(ssl) == X509_V_OK ? "authority" : NULL;

	s->tls_verified = w->need >= NEED_VERIFY || (by != NULL && is_sure);
	snprintf(s->how.tls, sizeof(s->how.tls), "%s %s%s%s%s",
	    SSL_get_version(ssl), SSL_get_cipher_name(ssl),
	    by != NULL ? " verified=" : "", by != NULL ? by : "",
	    SSL_session_reused(ssl) ? " resumed" : "");
}

int
tls_start(struct session *s, const char *host, const struct tls_wish *w,
    struct remote_reply *why)
{
	SSL *ssl = SSL_new(s->remote->tls);

	if (ssl == NULL || prepare(ssl, s, host, w) == -1) {
		SSL_free(ssl);
		session_says(s, QUEUE_TEMPORARY, CAUSE_TLS, "4.7.5", why,
		    "TLS with %s cannot be prepared", host);
		return -1;
	}
	ticket_offer(ssl, s, host, w);
	stream_allow(&s->stream, HANDSHAKE_TIME);
	if (stream_starttls(&s->stream, ssl) == -1) {
		session_says(s, QUEUE_TEMPORARY, CAUSE_TLS, "4.7.5", why,
		    "TLS with %s failed: %s", host, handshake_error(ssl));
		return -1;
	}
	say_how(s, ssl, w);
	return 0;
}
