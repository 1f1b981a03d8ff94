/* proto_remote.h - between malle-queued and malle-remote: look-ups, deliveries. */
#ifndef LIB_PROTO_REMOTE_H
#define LIB_PROTO_REMOTE_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/ipc.h"
#include "lib/proto_queue.h"

/*
 * On the pair "queue" of malle-remote ("remote" of malle-queued), made by
 * malle-start, malle-queued asks for children; each request carries one end of
 * a pair on which the child then talks, and is not answered itself. A pair that
 * closes without a word: no child could be had, ask again later.
 */
enum remote_request {
	REMOTE_RESOLVER = 1,	/* a child for look-ups, many on one pair */
	REMOTE_CARRIER		/* a child for one connection to one route */
};

/*
 * Resolver: R_LOOKUP -> R_FOUND, in any order, tags tell which.
 * Carrier: R_ROUTE first; it connects at once and says R_READY or R_FAILED.
 * After R_READY any number of R_JOB, each with the read-only descriptor of the
 * queue file; for each job R_RESULT messages that together name each of its
 * recipients exactly once, the last of them with more = 0. Jobs may be sent
 * before others are answered. R_CLOSED: the connection is gone (the other side
 * closed it, or it failed); jobs without a result were not begun, unless named
 * in R_RESULT before. R_TICKET may come once, behind R_READY. The carrier ends
 * when its pair closes, with QUIT. One that was killed may leave ECONNRESET in
 * front of its last messages: after any error of receiving, receive on until 0.
 */
enum remote_type {
	R_LOOKUP = 1,	/* u64 tag, text domain */
	R_ROUTE,	/* struct remote_route */
	R_JOB,		/* struct remote_job with its recipients, one descriptor */
	R_FOUND = 32,	/* struct remote_found */
	R_READY,	/* struct remote_reply: which host answered, how */
	R_FAILED,	/* struct remote_reply: why no connection came about */
	R_RESULT,	/* u64 tag, u8 more, u16 n, n remote_result */
	R_CLOSED,	/* struct remote_reply */
	R_TICKET	/* bytes: a TLS session for the next R_ROUTE of this path */
};

#define REMOTE_TICKET_MAX 4096	/* bytes; a larger one is not kept */
#define REMOTE_HOSTS_MAX 20
#define REMOTE_RECIPIENTS_MAX 100	/* of one job */

enum remote_lookup {
	LOOKUP_OK,
	LOOKUP_NO_DOMAIN,	/* 5.1.2: NXDOMAIN, or neither MX nor address */
	LOOKUP_NO_MAIL,		/* 5.1.10, 556: null MX (RFC 7505) */
	LOOKUP_TEMPORARY	/* 4.4.3 */
};

struct remote_host {
	uint16_t preference;
	uint16_t port;			/* 25, or the route's */
	char name[ADDR_DOMAIN_MAX + 1];	/* a name, or an address literal "[...]" */
};

/* MTA-STS (RFC 8461): the policy of a domain as malle-sts has fetched it. */
enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
#define STS_MX_MAX 1024		/* patterns, LF between */

struct remote_found {
	uint64_t tag;
	enum remote_lookup outcome;
	uint32_t ttl;			/* s; also of a negative answer */
	bool authentic;			/* DNSSEC, for DANE (RFC 7672 2.2.1) */
	enum sts_mode sts;
	char sts_mx[STS_MX_MAX + 1];
	uint16_t n;			/* hosts, best first; the domain itself when
					 * there is no MX (RFC 5321 5.1) */
	struct remote_host hosts[REMOTE_HOSTS_MAX];
};

enum remote_tls {
	TLS_NONE,	/* never */
	TLS_MAY,	/* if it works; DANE and MTA-STS are obeyed all the same */
	TLS_ENCRYPT,	/* or no delivery; no certificate is asked for */
	TLS_VERIFY	/* and the certificate names the host */
};

struct remote_route {
	char domain[ADDR_DOMAIN_MAX + 1];	/* for MTA-STS; "" for a smarthost */
	char helo[ADDR_DOMAIN_MAX + 1];
	char user[256], password[256];		/* AUTH at a smarthost; or "" */
	enum remote_tls tls;
	bool implicit_tls;			/* port 465 style */
	bool authentic;				/* hosts came validated */
	bool tls_broken;			/* remembered; TLS_MAY: in the clear */
	enum sts_mode sts;
	char sts_mx[STS_MX_MAX + 1];
	uint32_t timeout_connect;		/* s; the others: RFC 5321 4.5.3.2 */
	/* Of an R_TICKET, which only malle-remote can read; used once */
	uint16_t ticket_len;
	unsigned char ticket[REMOTE_TICKET_MAX];
	uint16_t n;
	struct remote_host hosts[REMOTE_HOSTS_MAX];
};

/* What happened, for the scheduler: not the same as the reply's class. */
enum remote_cause {
	CAUSE_NONE,		/* delivered */
	CAUSE_DNS,
	CAUSE_CONNECT,		/* refused, unreachable, time-out */
	CAUSE_GREETING,		/* 4yz or 5yz before MAIL: about us, not the letter */
	CAUSE_TLS,
	CAUSE_LOST,		/* the connection broke inside a transaction */
	CAUSE_REPLY,		/* a reply to MAIL, RCPT, DATA or the message: its
				 * meaning is judged by the provider's table */
	CAUSE_UNSUPPORTED	/* it lacks what the message needs (SMTPUTF8,
				 * REQUIRETLS, SIZE too small) */
};

struct remote_reply {
	enum queue_result result;
	enum remote_cause cause;
	uint16_t code;			/* SMTP, 0 when there was none */
	char enhanced[12];
	char text[QUEUE_TEXT_MAX + 1];	/* one line, as it came or our words */
	char host[ADDR_DOMAIN_MAX + 1];	/* who said it; "" ourselves */
	char ip[IP_TEXT_MAX];
	char tls[80];	/* "TLSv1.3 AES.. verified=dane resumed"; "" clear */
	bool tls_failed;		/* a TLS attempt failed and was avoided */
};

struct remote_job {
	uint64_t tag;
	char id[QUEUE_ID_MAX + 1];
	uint64_t offset, length;	/* of the content in the file */
	uint32_t flags;			/* QM_* */
	char sender[ADDR_TEXT_MAX];	/* "" is null; ready to be sent */
	/* The address of ours that it was for and that sends it on, or "": the
	 * content gets a Delivered-To, and does not go when it has it already */
	char forwarder[ADDR_TEXT_MAX];
	/* VERP: the sender of each recipient is "LOCAL+USER=HOST@DOMAIN" made
	 * from sender and the recipient's address; then each is a transaction */
	bool verp;
	bool is_patient;		/* of a mailing: letters go first */
	char envid[QUEUE_ENVID_MAX + 1];
	uint16_t n;			/* recipients that follow */
};

struct remote_recipient {
	uint32_t number;		/* of the recipient in the message */
	char address[ADDR_TEXT_MAX];
	uint8_t notify;			/* QN_* */
	char orcpt[QUEUE_ORCPT_MAX + 1];
};

struct remote_result {
	uint32_t number;
	bool dsn_passed;		/* the next server will tell of success */
	struct remote_reply reply;
};

void remote_found_pack(struct packer *k, const struct remote_found *f);
int remote_found_unpack(struct unpacker *u, struct remote_found *out)
    __attribute__((warn_unused_result));
void remote_route_pack(struct packer *k, const struct remote_route *r);
int remote_route_unpack(struct unpacker *u, struct remote_route *out)
    __attribute__((warn_unused_result));
void remote_reply_pack(struct packer *k, const struct remote_reply *r);
int remote_reply_unpack(struct unpacker *u, struct remote_reply *out)
    __attribute__((warn_unused_result));
void remote_job_pack(struct packer *k, const struct remote_job *j);
int remote_job_unpack(struct unpacker *u, struct remote_job *out)
    __attribute__((warn_unused_result));
void remote_recipient_pack(struct packer *k, const struct remote_recipient *r);
int remote_recipient_unpack(struct unpacker *u, struct remote_recipient *out)
    __attribute__((warn_unused_result));
void remote_result_pack(struct packer *k, const struct remote_result *r);
int remote_result_unpack(struct unpacker *u, struct remote_result *out)
    __attribute__((warn_unused_result));

#endif
