/* proto_auth.h - how a session asks malle-authd about a login. */
#ifndef LIB_PROTO_AUTH_H
#define LIB_PROTO_AUTH_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/ipc.h"

/*
 * On public/auth.sock, one connection a login. The session speaks its protocol
 * and base64; the SASL mechanism itself runs in malle-authd:
 *
 *   AUTH_START -> (AUTH_CONTINUE, AUTH_RESPONSE)* -> AUTH_OK | AUTH_NO
 *
 * Mechanisms: PLAIN (also for USER/PASS and LOGIN, which the session turns into
 * it), SCRAM-SHA-256, SCRAM-SHA-256-PLUS. For POP3 the client's descriptor
 * comes with AUTH_START and the answer to a good login is AUTH_TAKEN, sent by
 * the process that has taken the client over: the login process then ends.
 */
#define AUTH_PROTOCOL 1
#define AUTH_MESSAGE_MAX 12288	/* RFC 4954 section 4: a SASL line */

enum auth_type {
	AUTH_START = 1,	/* struct auth_start, + client's descriptor for POP3 */
	AUTH_RESPONSE,	/* bytes response, bytes leftover (POP3) */
	AUTH_CONTINUE = 32, /* bytes challenge */
	AUTH_OK,	/* text account "local@domain" (canonical) */
	AUTH_NO,	/* u8 auth_reason, text sentence */
	AUTH_TAKEN	/* nothing */
};

enum auth_service { AUTH_SMTP = 1, AUTH_POP3 };

enum auth_reason {
	AUTH_BAD,		/* wrong name or password, or no right to it: never
				 * told apart (RFC 4954 section 6: 535 5.7.8) */
	AUTH_TEMPORARY,		/* 454 4.7.0, [SYS/TEMP] */
	AUTH_SYNTAX,		/* 501 5.5.2: not a SASL message of that mechanism */
	AUTH_NO_MECHANISM	/* 504 5.5.4 */
};

struct auth_start {
	enum auth_service service;
	char mechanism[24];
	char client[IP_TEXT_MAX];
	char session[48];
	bool tls;
	bool has_initial;
	struct slice initial;	/* decoded */
	/* channel binding of malle-tls for SCRAM-PLUS (RFC 9266, RFC 5929) */
	struct slice tls_exporter;	/* 32 bytes or empty */
	struct slice tls_endpoint;	/* tls-server-end-point, or empty */
	bool utf8;
	struct slice leftover;	/* POP3: input read but not yet obeyed */
};

void auth_start_pack(struct packer *k, const struct auth_start *s);
int auth_start_unpack(struct unpacker *u, struct auth_start *out)
    __attribute__((warn_unused_result));

/* The session's side. space is IPC_MAX bytes. */
struct auth_reply {
	enum auth_type type;	/* AUTH_CONTINUE, AUTH_OK, AUTH_NO, AUTH_TAKEN */
	struct slice challenge;	/* inside space */
	char account[ADDR_TEXT_MAX];
	enum auth_reason reason;
	char text[200];
};
/* Sends AUTH_START (client_fd -1: SMTP) and waits. 0, or -1 with errno. */
int auth_begin(int fd, const struct auth_start *s, int client_fd, void *space,
    struct auth_reply *out) __attribute__((warn_unused_result));
int auth_respond(int fd, struct slice response, struct slice leftover,
    void *space, struct auth_reply *out) __attribute__((warn_unused_result));

#endif
