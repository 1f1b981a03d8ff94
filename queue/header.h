/* header.h - the fixed-length parts of a queue file: malle-queue(5). No I/O. */
#ifndef QUEUE_HEADER_H
#define QUEUE_HEADER_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_queue.h"

#define HEADER_LEN 128u
#define MESSAGE_STATE_LEN 64u
#define RECIPIENT_STATE_LEN 32u
#define HEAD_LEN (HEADER_LEN + MESSAGE_STATE_LEN)
#define BOOT_ID_LEN 16

#define ENVELOPE_MAX (64u * 1024 * 1024)
#define RECIPIENTS_MAX 100000u	/* destinations of one message */

/* Where the state of recipient n is in the file. */
static inline uint64_t
recipient_offset(uint64_t n)
{
	return HEAD_LEN + n * RECIPIENT_STATE_LEN;
}

#define NOTICE_OF_OURS 1u
#define NOTICE_DOUBLE 2u

struct header {
	bool complete;
	uint32_t flags;			/* QM_* */
	enum queue_lane lane;
	uint8_t notice;			/* NOTICE_* */
	uint32_t recipients, originals;
	uint64_t envelope_offset;
	uint32_t envelope_length, envelope_crc;
	uint64_t content_offset, content_length;
	uint32_t content_crc;
	int64_t arrival;		/* wall clock, s */
	int64_t arrival_boot;		/* since the machine's start, s */
	unsigned char boot_id[BOOT_ID_LEN];
};

struct message_state {
	bool held;
	bool owes_notice;		/* of that, to its account */
	int64_t due;			/* wall clock, s */
	uint64_t lived;			/* s */
	unsigned char boot_id[BOOT_ID_LEN];
	int64_t boottime;		/* when written */
	uint32_t kills;			/* workers that died of it */
	uint64_t reason;		/* offset of why it is held; 0 */
};

enum recipient_status {
	RCPT_WAITING,
	RCPT_DELIVERED,
	RCPT_FAILED,
	RCPT_FAILED_TOLD,
	RCPT_DELIVERED_TOLD,
	RCPT_DELETED,
	RCPT_STATUS_END
};

#define RCPT_DELAY_TOLD 1u	/* flag: a delay notice was sent */

struct recipient_state {
	enum recipient_status status;
	uint8_t flags;
	uint16_t attempts;
	int64_t due;			/* wall clock, s */
	uint64_t reply;			/* offset of the last reply; 0 */
	int64_t last;			/* wall clock of the last attempt, s */
};

void header_encode(const struct header *h, unsigned char out[HEADER_LEN]);

enum header_verdict {
	HEADER_OK,
	HEADER_INCOMPLETE,	/* no mark: never acknowledged */
	HEADER_DAMAGED
};
/* file_size is that of the whole file. *out is set only with HEADER_OK. */
enum header_verdict header_decode(const unsigned char in[HEADER_LEN],
    uint64_t file_size, struct header *out);

void message_state_encode(const struct message_state *s,
    unsigned char out[MESSAGE_STATE_LEN]);
/* 0, or -1 with *out untouched: its checksum is wrong. */
int message_state_decode(const unsigned char in[MESSAGE_STATE_LEN],
    struct message_state *out) __attribute__((warn_unused_result));
void recipient_state_encode(const struct recipient_state *s,
    unsigned char out[RECIPIENT_STATE_LEN]);
int recipient_state_decode(const unsigned char in[RECIPIENT_STATE_LEN],
    struct recipient_state *out) __attribute__((warn_unused_result));

/* zlib's CRC-32, continued from crc (0 at first). */
uint32_t crc_add(uint32_t crc, const void *p, size_t len);

#endif
