/* session.h - one SMTP session: its state, and who may change it. */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H
/* SPDX-License-Identifier: ISC */

#include <signal.h>

#include "lib/account.h"
#include "lib/buf.h"
#include "lib/cmd.h"
#include "lib/conf.h"
#include "lib/proto_queue.h"
#include "lib/proto_tls.h"
#include "lib/str.h"
#include "smtpd/params.h"

/* What the session asks of its neighbours, relative to public/. */
#define QUEUE_SOCKET "queue.sock"
#define AUTH_SOCKET "auth.sock"
#define TLS_SOCKET "tls.sock"

/* A command line: RFC 5321 4.5.3.1.4, and what the extensions add to it. */
#define COMMAND_LINE_MAX 2048

enum service {
	SERVICE_SMTP,		/* port 25: mail for us, from anybody */
	SERVICE_SUBMISSION,	/* 587: mail of our people, STARTTLS */
	SERVICE_SUBMISSIONS	/* 465: the same, TLS from the first byte */
};

/* Protocol states, a mask in the table of commands. */
#define ST_START 1u		/* neither EHLO nor HELO yet */
#define ST_READY 2u		/* a transaction may begin */
#define ST_MAIL 4u		/* sender known, no recipient yet */
#define ST_RCPT 8u		/* at least one recipient */
#define ST_CHUNKS 16u		/* BDAT has begun */
#define ST_ANY 31u

struct content;

struct transaction {
	struct mail_params mail;
	struct str recipients;	/* packed, see transaction.c */
	size_t count, refused, too_many;
	struct content *content;	/* only while content comes in */
};

struct session {
	const struct conf *conf;
	struct tables *tables;
	enum service service;
	uint16_t port;
	struct ip ip;
	char client[IP_TEXT_MAX];
	char id[QUEUE_ID_MAX + 1];
	int64_t began, end;		/* monotonic ms */

	unsigned state;			/* one of ST_... */
	bool over;			/* nothing more is read */
	const char *reason;		/* of the end, for the log */

	bool has_tls;
	struct tls_info tls;
	bool esmtp;
	char helo[ADDR_DOMAIN_MAX + 1];
	bool may_relay;			/* by the access table */
	char relay[ADDR_TEXT_MAX];	/* then: "relay NET[ OWNER]" */
	char account_local[ADDR_LOCAL_MAX + 1];	/* "": not logged in */
	char account_domain[ADDR_DOMAIN_MAX + 1];

	uint64_t errors, idle_commands, messages;
	unsigned logins_failed;
	int64_t tables_fresh;		/* when they were looked at last */

	/* The argument of the command at hand. */
	union {
		struct mail_params mail;
		struct rcpt_params rcpt;
		struct bdat_params bdat;
		struct auth_params auth;
		char helo[ADDR_DOMAIN_MAX + 1];
	} arg;
	struct transaction transaction;
	int queue;			/* connection, or -1 */
	struct buf io;
};

/* True once SIGTERM has come: finish the message half-way, then say 421. */
extern volatile sig_atomic_t session_stopping;

/*
 * The whole of one session, in a process of its own. fd is the client's
 * socket, which is taken over. The tables and the configuration are borrowed.
 */
void session_run(const struct conf *conf, struct tables *tables,
    enum service service, uint16_t port, int fd, const struct ip *client);
/* The handler of SIGTERM: ends a wait for a command, disturbs nothing else. */
void session_stop(int signal);

static inline bool
session_is_submission(const struct session *s)
{
	return s->service != SERVICE_SMTP;
}

static inline bool
session_has_login(const struct session *s)
{
	return s->account_local[0] != '\0';
}

/* May passwords be sent here, and is TLS still to be had? */
bool session_may_auth(const struct session *s);
bool session_may_starttls(const struct session *s);
/* Before a wait: nothing goes on for longer than seconds, nor past the end of
 * the session. */
void session_deadline(struct session *s, uint64_t seconds);
/* No transaction, and back behind EHLO. */
void session_reset(struct session *s);
/* Ends the session after what has been answered. reason is kept. */
void session_close(struct session *s, const char *reason);

/* reply.c: code is "250 2.0.0"; one line. */
void reply(struct session *s, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a refusal: logged with its stage ("mail", "rcpt", "data" ...);
 * to may be "". 5yz counts as an error of the client's. */
void refuse(struct session *s, const char *stage, const char *to,
    const char *code, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The refusal that belongs to an argument's fault. */
void refuse_params(struct session *s, const char *stage,
    enum params_status status);

/* transaction.c: MAIL, RCPT. */
int mail_check(void *session, struct slice arg);
void mail_act(void *session);
int rcpt_check(void *session, struct slice arg);
void rcpt_act(void *session);
void transaction_clear(struct session *s);
/* Looks up what the client's address may do. */
void transaction_access(struct session *s);
/* The queue's connection, opened when there is none. 0, or -1. */
int transaction_queue(struct session *s);
void transaction_drop_queue(struct session *s);
/* Sends sender and recipients to the queue. 0, or -1: it is not there. */
int transaction_begin(struct session *s);

/* content.c: DATA, BDAT. */
void data_act(void *session);
int bdat_check(void *session, struct slice arg);
void bdat_act(void *session);
void content_free(struct session *s);

/* login.c: AUTH. */
int auth_check(void *session, struct slice arg);
void auth_act(void *session);
/* The mechanisms that may be used now, "PLAIN LOGIN"; "" for none. */
const char *login_mechanisms(const struct session *s);

/* starttls.c */
void starttls_act(void *session);
/* Hands the client to malle-tls. 0, or -1: the connection is gone. */
int starttls_begin(struct session *s);

/* trace.c: our part of the Received line (RFC 5321 4.4). */
void trace_clause(const struct session *s, char out[QUEUE_TRACE_MAX + 1]);
/* "ESMTPSA" (RFC 3848, RFC 6531 4.3). */
void trace_protocol(const struct session *s, char out[16]);

#endif
