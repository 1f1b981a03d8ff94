/* proto_queue.h - how to hand a message to malle-queued: malle-queue-protocol(7). */
#ifndef LIB_PROTO_QUEUE_H
#define LIB_PROTO_QUEUE_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/ipc.h"

/*
 * On public/queue.sock, one connection, any number of messages, one after the
 * other. Only Q_COMMIT, Q_CHECK and the control requests are answered:
 *
 *   Q_MAIL, Q_RCPT ..., Q_DATA ..., Q_COMMIT -> Q_DONE
 *
 * A connection that ends before Q_COMMIT leaves nothing behind. What is wrong
 * in a message is told once, in Q_DONE; until then the rest is read and dropped.
 */
#define QUEUE_PROTOCOL 1

enum queue_type {
	/* from whoever submits */
	Q_MAIL = 1,	/* struct queue_mail, see queue_mail() */
	Q_RCPT,		/* text address, u8 notify, text orcpt */
	Q_DATA,		/* raw content: LF line ends, no CR, no NUL check */
	Q_COMMIT,	/* raw content, may be empty: the last of it */
	Q_RESET,	/* forget the message begun */
	Q_CHECK,	/* text address of a mailbox, u64 size: is there room? */
	/* answers */
	Q_DONE = 32,	/* u8 queue_result, text id, text enhanced, bytes text */
	Q_CHECKED,	/* u8 queue_result, text enhanced, bytes text */
	/* control, for administrators: Q_ROW ... Q_END */
	Q_LIST = 64,	/* struct queue_filter, see malle-queue-protocol(7) */
	Q_SHOW, Q_HOLD, Q_RELEASE, Q_RETRY, Q_DELETE, Q_STAT,
	Q_ROW = 96,	/* u16 n, n times: text key, bytes value */
	Q_END		/* u8 queue_result, u32 number touched, bytes text */
};

enum queue_result {
	QUEUE_OK,
	QUEUE_TEMPORARY,	/* try again later: 4yz */
	QUEUE_PERMANENT		/* never: 5yz */
};

enum queue_lane { LANE_PERSONAL, LANE_TRANSACTIONAL, LANE_LIST, LANE_BULK };

/* flags of a message */
#define QM_8BIT 1u		/* BODY=8BITMIME */
#define QM_UTF8 2u		/* SMTPUTF8 */
#define QM_RET_FULL 4u		/* RFC 3461 RET=FULL */
#define QM_RET_HDRS 8u
#define QM_REQUIRETLS 16u	/* RFC 8689 */
#define QM_NO_TRACE 32u		/* no Received line: made by ourselves */
#define QM_VERP 64u		/* each remote recipient has a sender of his own */
#define QM_TRUSTED 128u		/* the sender is who he says; not kept */

/* NOTIFY of a recipient (RFC 3461 4.1); 0: none was given */
#define QN_NEVER 1u
#define QN_SUCCESS 2u
#define QN_FAILURE 4u
#define QN_DELAY 8u

#define QUEUE_ENVID_MAX 400
#define QUEUE_ORCPT_MAX 500
#define QUEUE_TRACE_MAX 1024
#define QUEUE_ID_MAX 48		/* [0-9a-z-] only */
#define QUEUE_TEXT_MAX 1000

/* The facts of a message. Text without NUL, CR or LF but for trace. */
struct queue_mail {
	enum queue_lane lane;
	uint32_t flags;
	char sender[ADDR_TEXT_MAX];	/* addr_text(); "" is the null path */
	char envid[QUEUE_ENVID_MAX + 1];
	char account[ADDR_TEXT_MAX];	/* who has logged in; or "" */
	char client[IP_TEXT_MAX];	/* for the log */
	char session[QUEUE_ID_MAX + 1];	/* for the log */
	/*
	 * The "from" clause of the Received line (RFC 5321 4.4), as
	 * "from helo (name [192.0.2.1])\n\t(TLSv1.3 ...)"; malle-queued adds by,
	 * with, id, for and the date. LF only before a tab.
	 */
	char trace[QUEUE_TRACE_MAX + 1];
	char protocol[16];		/* "ESMTPSA" and so on (RFC 3848) */
	uint64_t size;			/* estimate; 0 unknown */
};

struct queue_answer {
	enum queue_result result;
	char id[QUEUE_ID_MAX + 1];
	char enhanced[12];		/* "2.6.0" */
	char text[QUEUE_TEXT_MAX + 1];	/* for the client, one line */
};

/*
 * The client's side. All return 0, or -1 with errno when the connection is
 * lost (the message is then not accepted: answer 451). Blocking, bounded by
 * ipc_timeout() on the descriptor.
 */
int queue_connect(const char *path);	/* the descriptor, or -1 */
/* The body of Q_MAIL. */
void queue_mail_pack(struct packer *k, const struct queue_mail *m);
int queue_mail(int fd, const struct queue_mail *m)
    __attribute__((warn_unused_result));
int queue_rcpt(int fd, const char *address, unsigned notify, struct slice orcpt)
    __attribute__((warn_unused_result));
/* Any length; sent in pieces. */
int queue_data(int fd, struct slice content) __attribute__((warn_unused_result));
/* last may be empty; at most QUEUE_PIECE bytes. */
#define QUEUE_PIECE 32768
int queue_commit(int fd, struct slice last, struct queue_answer *out)
    __attribute__((warn_unused_result));
int queue_reset(int fd) __attribute__((warn_unused_result));
int queue_check(int fd, const char *mailbox, uint64_t size,
    struct queue_answer *out) __attribute__((warn_unused_result));

/* The server's side of Q_MAIL: 0, or -1 when a field is not allowed. */
int queue_mail_unpack(struct unpacker *u, struct queue_mail *out)
    __attribute__((warn_unused_result));

#endif
