/* rows.h - what `malle queue` is answered: rows of named fields. */
#ifndef QUEUE_ROWS_H
#define QUEUE_ROWS_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

#define ROW_ROOM 16384

struct dest_group;
struct sched_dest;

/* A row: its number of fields is put in front when it is sent. */
struct row {
	struct packer k;
	uint16_t n;
	unsigned char space[ROW_ROOM];
};

void row_begin(struct row *r);
void row_text(struct row *r, const char *key, struct slice value);
void row_number(struct row *r, const char *key, int64_t v);
/* 0, -1 with errno: EAGAIN when the peer must read first. */
int row_send(struct conn *c, struct row *r);
/* The same on a descriptor that no peer of ours has. */
int row_send_to(int fd, struct row *r);

/* What a list says of a message. */
void row_message(struct manager *q, struct row *r, const struct message *m,
    const struct active *a);
/* Recipient i of a message that is shown; fd is its file, or -1. */
void row_recipient(const struct manager *q, struct row *row,
    const struct active *a, uint32_t i, int fd);

/* Whole rows, sent: the queue, a domain of ours, a provider. As row_send(). */
int row_queue(struct manager *q, struct conn *c, struct row *row);
int row_local(struct conn *c, struct row *row, const struct sched_dest *d);
int row_group(struct manager *q, struct conn *c, struct row *row,
    const struct dest_group *g);

#endif
