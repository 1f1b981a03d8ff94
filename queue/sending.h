/* sending.h - how much our own may send. */
#ifndef QUEUE_SENDING_H
#define QUEUE_SENDING_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

/* How malle-smtpd names who may relay by its address: this, the network, and
 * perhaps a space and the owner. */
#define SENDING_RELAY "relay "

/* Which limit says so. */
struct sending_why {
	const char *what;	/* "messages", "recipients", or NULL: none */
	uint64_t used, max;
};

/* What becomes of a message. */
struct sending {
	int64_t delay;		/* s until its first attempt */
	bool is_held;
	bool is_first_held;	/* its account is to be told */
	struct sending_why why;
	char reason[ADDR_TEXT_MAX + 80];	/* why; malle-queue(5) */
	char text[QUEUE_TEXT_MAX + 1];		/* refused: 4yz, with this */
};

/* At Q_MAIL: false when the next message of this sender would be refused
 * whatever it is. Counts nothing. */
bool sending_allowed(struct manager *q, const struct conn *c,
    const struct queue_mail *m, struct sending *out);
/* The message is whole: counts it, or refuses it (false). */
bool sending_take(struct manager *q, const struct conn *c,
    const struct queue_mail *m, uint32_t recipients, struct sending *out);

/* What malle-registryd asks of an address, "@domain" or "=customer": the counts
 * of this name go to fd, as a row. */
void sending_tell(struct manager *q, const char *key, int fd);

/* Tells of the accounts that are within their limits again. */
void sending_ease(struct manager *q);

/* The counters from and to queue/outbound; what is wrong there is logged. */
void sending_load(struct manager *q);
void sending_save(struct manager *q, bool is_last);

#endif
