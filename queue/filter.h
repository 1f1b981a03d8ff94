/* filter.h - which messages a control request is about. */
#ifndef QUEUE_FILTER_H
#define QUEUE_FILTER_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_queue.h"

/* The body of Q_LIST to Q_STAT. All that is given must match; "" is anything;
 * in the addresses "*" stands for any bytes. */
struct queue_filter {
	char id[QUEUE_ID_MAX + 1];
	char sender[ADDR_TEXT_MAX];
	char recipient[ADDR_TEXT_MAX];
	char account[ADDR_TEXT_MAX];	/* that sent it */
	uint64_t older_than;		/* s; 0 */
	bool held_only;
};

void queue_filter_pack(struct packer *k, const struct queue_filter *f);
/* 0, or -1 with *out untouched. */
int queue_filter_unpack(struct unpacker *u, struct queue_filter *out)
    __attribute__((warn_unused_result));

#endif
