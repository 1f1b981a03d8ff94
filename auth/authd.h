/* authd.h - what the parts of malle-authd share. */
#ifndef AUTH_AUTHD_H
#define AUTH_AUTHD_H
/* SPDX-License-Identifier: ISC */

#include "auth/accounts.h"
#include "auth/app_secret.h"
#include "auth/scram.h"
#include "auth/throttle.h"
#include "auth/workers.h"
#include "lib/proto_auth.h"

#define LOGINS_MAX 2048		/* connections at a time */
#define START_TIME 10000	/* ms for a session to send AUTH_START */
#define EXCHANGE_TIME 60000	/* ms for a whole SASL exchange */

enum login_state {
	LOGIN_NEW,		/* AUTH_START is awaited */
	LOGIN_RESPONSE,		/* the client's first message */
	LOGIN_PROOF,		/* SCRAM: client-final */
	LOGIN_LAST,		/* SCRAM: the empty answer to server-final */
	LOGIN_WORKING,		/* a thread looks at the password */
	LOGIN_DELAYED,		/* AUTH_NO is ready, not yet due */
	LOGIN_DONE		/* to be closed */
};

enum mechanism { MECHANISM_PLAIN, MECHANISM_SCRAM, MECHANISM_SCRAM_PLUS };

/* The application password that was given, if it was one. */
struct app_login {
	char name[APP_NAME_MAX + 1];	/* "": it was not */
	bool pop3, smtp;
	int64_t until;			/* wall clock, s; 0: for ever */
};

/* One connection, one login. */
struct login {
	struct login *next, **link;	/* of all logins */
	struct login *next_waiter;	/* of the same check */
	struct check *check;
	int fd, client_fd;
	enum login_state state;
	bool is_watched;		/* epoll knows fd */
	int64_t due;			/* when the state ends by itself */
	int64_t looked;			/* when the password was looked at */

	/* from AUTH_START */
	enum auth_service service;
	enum mechanism mechanism;
	struct ip ip;
	char client[IP_TEXT_MAX], session[48];
	bool tls, utf8;
	uint8_t exporter[32], endpoint[64];
	size_t exporter_len, endpoint_len;
	char *leftover;			/* owned */
	size_t leftover_len;

	char name[SCRAM_NAME_MAX + 1];	/* as the client gave it */
	struct credentials who;
	bool exists;
	struct app_login app;
	struct guess guess;
	struct scram *scram;		/* owned; NULL for PLAIN */
};

/* One password that a thread looks at, and who waits for the answer: several
 * connections of one client often come at once. */
struct check {
	struct check *next, **link;
	struct memory_key key;
	struct login *waiters;
	char address[ADDR_TEXT_MAX];
	bool wants_upgrade;
};

struct authd {
	struct accounts accounts;
	struct throttle throttle;
	struct workers workers;
	struct memory *passwords;	/* digest: int64_t, good until */
	struct memory *told;		/* account: struct told */
	uint8_t secret[32];
	struct check *checks;
	struct login *logins, *gone;
	size_t nlogins;
	int listen_fd, spawn_fd, registry_fd, epoll_fd, signal_fd;
	bool is_accepting, is_ending;
	int64_t accept_after;		/* a pause when out of something */
	int64_t next_due;		/* no login is due before */
	int64_t ends;			/* is_ending: the last moment */
	int64_t password_cache;		/* ms */
	bool clear_on_loopback;
	int64_t now;			/* of this turn of the loop, ms */
	unsigned char space[IPC_MAX];	/* received */
	unsigned char answer[IPC_MAX];	/* to be sent */
};

/* What malle-registryd was told of an account, and when. */
struct told {
	int64_t login, upgrade;
};

/* loop.c: serves until told to end. 0, or -1 with errno. */
int loop_run(struct authd *a) __attribute__((warn_unused_result));

/* login.c: one message of the session, whose bytes are in a->space. */
void login_message(struct authd *a, struct login *l, struct ipc_msg *m);

/* check.c: is this the password of l->name? Ends in a verdict, now or later. */
void check_password(struct authd *a, struct login *l, struct slice password);
/* A thread has finished a job. */
void check_finished(struct authd *a, struct job *job);
/* The login does not wait any more. */
void check_leave(struct login *l);

/* verdict.c: what becomes of a login. */
void verdict_right(struct authd *a, struct login *l);
/* why: a word for the log. */
void verdict_wrong(struct authd *a, struct login *l, const char *why);
/* Refused without a look at the password. */
void verdict_too_many(struct authd *a, struct login *l);
/* Not a guess, or not finished: nothing is counted. */
void verdict_other(struct authd *a, struct login *l, enum auth_reason reason,
    const char *why);
/* A challenge for the client; state is what is awaited then. */
void verdict_continue(struct authd *a, struct login *l,
    struct slice challenge, enum login_state state);
/* The delay is over. */
void verdict_due(struct authd *a, struct login *l);
/* To malle-registryd: better hashes of a password. */
void tell_upgrade(struct authd *a, const char *address, const struct job *job);

#endif
