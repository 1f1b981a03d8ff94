/* proto_local.h - between malle-queued and malle-local: batches of deliveries. */
#ifndef LIB_PROTO_LOCAL_H
#define LIB_PROTO_LOCAL_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/ipc.h"
#include "lib/proto_queue.h"
#include "lib/zone.h"

/*
 * On a SOCK_SEQPACKET pair that malle-queued made and malle-spawn gave to the
 * worker. L_BATCH carries one read-only descriptor of the queue file for each
 * job, in their order; content is at [offset, offset + length) of it.
 * Every job of every batch is answered exactly once, in L_RESULT messages, and
 * every L_ANSWER in an L_ANSWERED.
 */
#define LOCAL_BATCH 32

enum local_type {
	L_BATCH = 1,	/* u16 n, u32 what the domain's clocks are ahead of UTC
			 * now (s, two's complement), n local jobs */
	L_MEASURE,	/* u64 tag, text mailbox, u64 quota_bytes, u64
			 * quota_messages, u64 size that is to have room */
	L_ANSWER,	/* an answer job; with a descriptor as above */
	L_RESULT = 32,	/* u16 n, n local results */
	L_MEASURED,	/* u64 tag, u8 ok, u64 bytes, u64 messages */
	L_ANSWERED	/* an answer result */
};

struct local_job {
	uint64_t tag;		/* malle-queued's, comes back in the result */
	uint64_t offset, length;
	char id[QUEUE_ID_MAX + 1];
	uint32_t recipient;	/* its number in the message: id and this are
				 * unique, the name in the Maildir derives from it */
	char sender[ADDR_TEXT_MAX];	/* for Return-Path; "" is null */
	char delivered_to[ADDR_TEXT_MAX]; /* the address this copy is for */
	char mailbox[ADDR_LOCAL_MAX + 1];
	char detail[ADDR_LOCAL_MAX + 1];
	uint64_t quota_bytes, quota_messages;
	/* Over so many percent of these its owner is warned; 0: never */
	uint8_t warning;
	char language[3];		/* that the warning is in */
	char account[ADDR_LOCAL_MAX + 1]; /* that it is addressed to */
	bool is_stray;		/* only by a catch-all: the name tells it */
};

struct local_result {
	uint64_t tag;
	enum queue_result result;
	char enhanced[12];
	char text[QUEUE_TEXT_MAX + 1];	/* one line a person understands */
	uint64_t used_bytes, used_messages; /* after it; 0 when without quota */
};

/*
 * Whether an account answers a message by itself, and what. The texts point
 * into what was unpacked.
 */
#define ANSWER_ADDRESSES_MAX 16384
#define ANSWER_TEXT_MAX 16384
#define ANSWER_LINE_MAX 2000
#define ANSWER_WHY_MAX 31
#define ANSWER_CONTENT_MAX 61440

/* flags of an answer job */
#define ANSWER_ONLY_ADDRESSED 1u	/* an absence: only mail to the person */
#define ANSWER_SENDER_KNOWN 2u		/* had logged in */

struct answer_job {
	uint64_t tag;
	uint64_t offset, length;
	char id[QUEUE_ID_MAX + 1];
	uint32_t recipient;
	uint8_t flags;
	char sender[ADDR_TEXT_MAX];	/* whom it would go to */
	char account[ADDR_LOCAL_MAX + 1];
	char from[ADDR_TEXT_MAX];	/* in whose name */
	struct slice addresses;		/* that are the account's; LF between */
	int64_t since;			/* when it began to answer (wall, s) */
	uint32_t days;			/* before one is answered again; 0: once */
	char language[3];
	char zone[ZONE_RULE_MAX];	/* the rule of its clocks; "": our own */
	struct slice subject, text, full_name;
};

enum answer_verdict {
	ANSWER_GIVEN,		/* content is to be sent */
	ANSWER_NONE,		/* none is due, why tells */
	ANSWER_LATER		/* something did not work, why tells */
};

struct answer_result {
	uint64_t tag;
	enum answer_verdict verdict;
	char why[ANSWER_WHY_MAX + 1];	/* "auto-submitted": for the log */
	struct slice content;		/* with LF line ends, ASCII or UTF-8 */
};

void answer_job_pack(struct packer *k, const struct answer_job *j);
int answer_job_unpack(struct unpacker *u, struct answer_job *out)
    __attribute__((warn_unused_result));
void answer_result_pack(struct packer *k, const struct answer_result *r);
int answer_result_unpack(struct unpacker *u, struct answer_result *out)
    __attribute__((warn_unused_result));

void local_job_pack(struct packer *k, const struct local_job *j);
int local_job_unpack(struct unpacker *u, struct local_job *out)
    __attribute__((warn_unused_result));
void local_result_pack(struct packer *k, const struct local_result *r);
int local_result_unpack(struct unpacker *u, struct local_result *out)
    __attribute__((warn_unused_result));

#endif
