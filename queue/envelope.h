/* envelope.h - the records of a queue file: malle-queue(5). No I/O. */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_queue.h"
#include "lib/str.h"
#include "queue/header.h"
#include "queue/sched.h"

#define TAIL_RECORD_MAX 2048

enum recipient_kind {
	RCPT_MAILBOX,
	RCPT_REMOTE,
	RCPT_ANSWER,	/* what an account says to the sender, if he may hear it */
	RCPT_DISCARD,	/* nothing is kept: done at once */
	RCPT_KIND_END
};
/* "mailbox", "remote", "answer" or "discard": for the log and for people. */
const char *recipient_kind_name(uint8_t kind);

/* As the client gave it. */
struct original {
	struct slice address, orcpt;
	uint8_t notify;
	uint32_t speaker;		/* the recipient that stands for it when
					 * a success is told */
	bool is_expanded;		/* leads to several, none of which has
					 * its own name (RFC 3461 5.2.7) */
};

/* Where it goes. */
struct recipient {
	struct slice domain, local;
	/* mailbox: after '+'; remote: the address of ours that forwards it */
	struct slice detail;
	uint32_t original;
	uint8_t kind;
	uint8_t wants;			/* QN_* that any of its originals wants */
	bool is_running;		/* a worker has it */
	bool is_caught;			/* by a catch-all; for the log */
	bool is_stray;			/* mailbox: by a catch-all alone */
	struct recipient_state state;
	struct sched_job job;
	void *active;			/* of the manager */
	uint64_t quota_bytes, quota_messages;
	uint32_t uid;
	char *folder;			/* mailbox: owned; NULL: named local */
	bool is_moved;			/* mailbox: that of another name now */
	uint8_t quota_warning;		/* mailbox: percent; 0: none */
	char language[3];		/* mailbox: of its domain */
};

struct also {
	uint32_t recipient, original;
};

/* In a notice: recipients of the message that it is about, in a row. */
struct told {
	uint32_t first, count;
	uint8_t kind;			/* enum bounce_kind */
};

/* What an original's NOTIFY comes to (RFC 3461 4.1): failures and delays when
 * nothing was said. */
static inline uint8_t
notify_wants(uint8_t notify)
{
	if (notify == 0)
		return QN_FAILURE | QN_DELAY;
	return (notify & QN_NEVER) != 0 ? 0 : notify;
}

/* A parsed envelope: one allocation, everything points into it. */
struct envelope {
	struct slice sender, envid, account, client, session, about;
	struct original *originals;
	struct recipient *recipients;
	struct also *alsos;
	struct told *tolds;
	uint32_t n_originals, n_recipients, n_alsos, n_tolds;
	unsigned char *records;
};

/* Writing records one after the other; sticky errors are the str's. */
enum record_type {
	RECORD_SENDER = 1, RECORD_ENVID, RECORD_ACCOUNT, RECORD_CLIENT,
	RECORD_SESSION, RECORD_ABOUT,
	RECORD_ORIGINAL = 16, RECORD_RECIPIENT, RECORD_ALSO, RECORD_VARIABLE,
	RECORD_TOLD, RECORD_STRAY
};

/*
 * What is wanted to be told of a recipient to whom this original led: a success
 * is told of one of them, or else an alias would be answered for many times.
 */
uint8_t envelope_wants(const struct envelope *e, uint32_t original,
    uint32_t recipient);

/* Where the other originals of a recipient begin in alsos, in a row; n_alsos or
 * those of another one: it has none. */
uint32_t envelope_alsos(const struct envelope *e, uint32_t recipient);

/* To be told when a recipient's state is that it failed: another one speaks for
 * the alias of several that it spoke for, whose success is still told. */
void envelope_failed(struct envelope *e, uint32_t recipient);

/* True when something is left to be done for somebody. */
bool envelope_has_waiting(const struct envelope *e);

struct remote_reply;

#define REPLY_OF_MESSAGE UINT32_MAX	/* why the message is held */

/* The last reply for a recipient, in the tail. */
struct reply {
	uint32_t recipient;
	int64_t when;
	enum queue_result result;
	char enhanced[12];
	char text[QUEUE_TEXT_MAX + 1];
	char remote[ADDR_DOMAIN_MAX + 1];
	/* not written: how another server said it, and what follows */
	const struct remote_reply *said;	/* or NULL */
	int64_t retry_min, retry_max;	/* s until the next attempt; 0: by the
					 * rules */
	bool is_no_attempt;		/* nobody was asked */
	bool is_dsn_passed;		/* the next server tells of success */
};

void record_text(struct str *s, enum record_type type, struct slice text);
void record_original(struct str *s, struct slice address, uint8_t notify,
    struct slice orcpt);
void record_recipient(struct str *s, enum recipient_kind kind,
    struct slice domain, struct slice local, struct slice detail,
    uint32_t original);
void record_also(struct str *s, uint32_t recipient, uint32_t original);
void record_stray(struct str *s, uint32_t recipient);
void record_told(struct str *s, uint8_t kind, uint32_t first, uint32_t count);

/*
 * Parses records with so many originals and recipients; the bytes are copied.
 * NULL with errno: EBADMSG when they are not what malle-queue(5) says.
 */
struct envelope *envelope_parse(struct slice records, uint32_t originals,
    uint32_t recipients);
void envelope_free(struct envelope *e);

void reply_encode(struct str *s, const struct reply *r);
/* The record at the start of bytes; its length, or 0 when it is damaged. */
size_t reply_decode(struct slice bytes, struct reply *out);

#endif
