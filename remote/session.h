/* session.h - one SMTP session with one host of a route, up to MAIL. */
#ifndef REMOTE_SESSION_H
#define REMOTE_SESSION_H
/* SPDX-License-Identifier: ISC */

#include "lib/dns.h"
#include "lib/proto_remote.h"
#include "remote/reply.h"
#include "remote/stream.h"

#define TICKET_MARK_LEN 32

/* What every child inherits. */
struct remote {
	struct dns dns;
	SSL_CTX *tls;		/* client side, with the machine's authorities */
	unsigned reply_timeout;	/* s: the longest wait for a reply */
	uint16_t port;		/* of MX hosts */
	unsigned char mark[TICKET_MARK_LEN];	/* of this malle-remote: its
				 * tickets are nobody else's */
};

/* A TLS session that the server offers to go on with, and what it was for. */
struct ticket {
	SSL_SESSION *session;			/* owned; NULL: none */
	unsigned char purpose[TICKET_MARK_LEN];
};

struct session {
	struct remote *remote;
	struct ticket ticket;
	struct remote_route route;
	struct stream stream;
	struct extensions ext;
	struct remote_reply how;	/* host, ip, tls of this connection */
	unsigned connect_time;		/* s for the address that is tried */
	bool tls_verified;		/* the host is the one that was meant */
	bool is_circle;			/* a host of the route is this server */
};

/*
 * Tries the hosts of s->route in their order until one is ready for MAIL. 0, or
 * -1 with *why: the most telling failure (a refusal by a host before a mere
 * lack of connection).
 */
int session_open(struct session *s, struct remote_reply *why)
    __attribute__((warn_unused_result));

/* Sends QUIT, does not wait for long, closes. */
void session_close(struct session *s);

/* What is done next may take so many seconds (RFC 5321 4.5.3.2), or less if the
 * administrator is less patient. */
void session_allow(struct session *s, unsigned seconds);

/*
 * Reads one whole reply. 0 with *r, or -1 with *why filled (CAUSE_LOST, or
 * nonsense from the other side); what names the command waited for, seconds
 * how long the whole reply may take.
 */
int session_reply(struct session *s, const char *what, unsigned seconds,
    struct reply_parser *r, struct remote_reply *why)
    __attribute__((warn_unused_result));

/* A reply of the server as a result: text, codes, host, cause. */
void session_told(const struct session *s, const struct reply_parser *r,
    enum remote_cause cause, struct remote_reply *out);
/* Our own words. */
void session_says(const struct session *s, enum queue_result result,
    enum remote_cause cause, const char *enhanced, struct remote_reply *out,
    const char *fmt, ...) __attribute__((format(printf, 6, 7)));

#endif
