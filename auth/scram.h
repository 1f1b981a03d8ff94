/* scram.h - the server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS. */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H
/* SPDX-License-Identifier: ISC */

#include "auth/password.h"

/*
 * RFC 5802 and RFC 7677; channel bindings tls-exporter (RFC 9266) and
 * tls-server-end-point (RFC 5929). Pure: bytes in, bytes out, no clock, no
 * account; the nonce comes from the caller.
 *
 *   scram_begin(client-first) -> name; scram_challenge(keys) -> server-first;
 *   scram_finish(client-final) -> server-final
 */
#define SCRAM_FIRST_MAX 2048	/* of a client-first message */
#define SCRAM_FINAL_MAX 3072	/* of a client-final message */
#define SCRAM_NONCE_MAX 256	/* of the client's part */
#define SCRAM_NAME_MAX 512
#define SCRAM_BINDING_MAX 64
#define SCRAM_OWN_NONCE 32	/* letters of ours: BASE64_LEN(24) */
#define SCRAM_SERVER_MAX 512	/* of our messages, with a NUL */

enum scram_status {
	SCRAM_OK,
	SCRAM_SYNTAX,		/* not a message of this mechanism */
	SCRAM_REFUSED		/* a wrong proof or binding, a downgrade */
};

struct scram {
	bool plus;
	char name[SCRAM_NAME_MAX + 1];		/* who logs in, decoded */
	char authzid[SCRAM_NAME_MAX + 1];	/* as whom; "" as himself */
	char nonce[SCRAM_NONCE_MAX + SCRAM_OWN_NONCE + 1];
	struct scram_keys keys;
	struct slice gs2, bare;	/* inside first */
	uint8_t binding[SCRAM_BINDING_MAX];
	size_t binding_len;
	size_t server_len;
	const char *why;	/* after a failure: a word for the log */
	char first[SCRAM_FIRST_MAX];
	char server[SCRAM_SERVER_MAX];	/* server-first */
};

/* The bindings of the client's TLS connection; both empty: there are none. */
struct scram_binding {
	struct slice exporter, endpoint;
};

enum scram_status scram_begin(struct scram *s, bool plus,
    const struct scram_binding *binding, struct slice message);

/* nonce: at most SCRAM_OWN_NONCE printable letters, no comma. The challenge is
 * inside *s. Never fails. */
struct slice scram_challenge(struct scram *s, const struct scram_keys *keys,
    const char *nonce);

/* When SCRAM_OK, out[SCRAM_SERVER_MAX] is the server-final message. */
enum scram_status scram_finish(struct scram *s, struct slice message,
    char *out);

#endif
