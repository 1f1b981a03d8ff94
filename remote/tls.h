/* tls.h - how much TLS a route wants, and the handshake that gives it. */
#ifndef REMOTE_TLS_H
#define REMOTE_TLS_H
/* SPDX-License-Identifier: ISC */

#include "remote/session.h"

enum tls_need {
	NEED_NONE,	/* not even when it is offered */
	NEED_MAY,	/* take it when it works */
	NEED_ENCRYPT,	/* no delivery without */
	NEED_VERIFY,	/* and the authorities vouch for the host's name */
	NEED_DANE	/* and the host's TLSA records do (RFC 7672) */
};

struct tls_wish {
	enum tls_need need;
	const char *by;		/* what asks for it, for the log: "dane" ... */
	uint16_t port;
	char base[ADDR_DOMAIN_MAX + 1];	/* whose records they are, or "" */
	struct dns_tlsa tlsa;
};

/* The client's context, made once, before the chroot. authorities is a file of
 * certificates, "" for the machine's. NULL: it cannot be read. */
SSL_CTX *tls_context(const char *authorities);

/*
 * What this host, which has addresses, is to be spoken to with. 0, or -1 with
 * *why when the host must be left alone: its TLSA records cannot be had now
 * (RFC 7672 2.1.1), or the MTA-STS policy does not name it (RFC 8461 4.1).
 */
int tls_wish(struct session *s, const char *host, uint16_t port,
    const struct dns_addresses *addresses, struct tls_wish *out,
    struct remote_reply *why)
    __attribute__((warn_unused_result));

/* The handshake. 0 with s->how.tls and s->tls_verified, or -1 with *why. */
int tls_start(struct session *s, const char *host, const struct tls_wish *w,
    struct remote_reply *why) __attribute__((warn_unused_result));

/* The rest is in tls_ticket.c. Sessions are kept: in ctx, once. */
void ticket_allow(SSL_CTX *ctx);
/* 0, or -1: no random numbers. */
int ticket_mark(struct remote *r) __attribute__((warn_unused_result));

/*
 * Offers the ticket of the route in this handshake, when it was made for the
 * very same: this host and port, and what is to be verified in it, so that a
 * certificate is never trusted for a reason other than the one it was checked
 * for. What the server sends anew is kept in s->ticket.
 */
void ticket_offer(SSL *ssl, struct session *s, const char *host,
    const struct tls_wish *w);

/* What is to be sent as R_TICKET in out[cap]; 0 when there is none. */
size_t ticket_pack(const struct session *s, unsigned char *out, size_t cap);

/* True when a pattern of an MTA-STS policy names host (RFC 8461 4.1). */
bool sts_names(const char *patterns, const char *host);

#endif
