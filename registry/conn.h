/* conn.h - the connections of malle-registryd. */
#ifndef REGISTRY_CONN_H
#define REGISTRY_CONN_H
/* SPDX-License-Identifier: ISC */

#include "registry/hasher.h"
#include "registry/notice.h"
#include "registry/operation.h"
#include "registry/purge.h"
#include "registry/strays.h"

#define CONNS_MAX 128

/* What it is doing. */
enum conn_state {
	CONN_FREE,
	CONN_IDLE,		/* waits for a request */
	CONN_LOADING,		/* a long request comes in */
	CONN_HASHING,		/* the thread works for it */
	CONN_READY,		/* to be done in this turn */
	CONN_DELAYED,		/* the answer waits */
	CONN_ANSWERING		/* the answer goes out */
};

struct conn {
	enum conn_state state;
	int fd;
	uint64_t id;
	bool is_pair;		/* to a program of ours: never answered */
	bool refused;		/* a long request: read to its end all the same */
	unsigned objects;	/* of a long request, so far */
	size_t objects_len;
	unsigned role;		/* of the peer */
	uid_t uid;
	char *message;		/* of the request; its fields point into it */
	size_t message_len;
	struct request q;
	struct hash_job *job;	/* done */
	struct spool in, out;
	enum registry_result verdict;
	int64_t deadline;	/* monotonic ms */
};

struct service {
	struct registry *r;
	struct hasher *hasher;
	struct purge purge;
	struct strays strays;
	struct notices notices;
	struct conn conns[CONNS_MAX];
	uint64_t next_id;
	int64_t access_retry;	/* monotonic ms: not before then */
	int listen_fd, etc_fd;
	int64_t stop_at;
	char space[IPC_MAX];
};

/* A new connection, with IDLE_MS to say something; NULL: there are too many. */
struct conn *conn_new(struct service *s, int fd);
/* Accepts one from the listening socket, or refuses it. */
void conn_accept(struct service *s);
void conn_close(struct conn *c);

/* Reads what is there: a request is judged, and then READY, LOADING, HASHING or
 * answered. What is malformed closes the connection. */
void conn_read(struct service *s, struct conn *c);
/* The verdict, behind the rows, on its way. */
void conn_answer(struct conn *c, enum registry_result verdict);
/* The same of a refusal: behind the end of a long request. */
void conn_refuse(struct conn *c, enum registry_result verdict);
/* The password of who asks was the right one. */
void conn_proved(struct conn *c);
/* Sends what the peer takes. */
void conn_send(struct service *s, struct conn *c);
/* Forgets the request; the connection waits for the next one. */
void conn_next(struct conn *c);
/* Writes to the log what was asked for, and how it ended. */
void conn_log(const struct conn *c);

#endif
