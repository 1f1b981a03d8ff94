/* carrier.h - a connection to other servers, for carrier.c and dispatch.c. */
#ifndef QUEUE_CARRIER_H
#define QUEUE_CARRIER_H
/* SPDX-License-Identifier: ISC */

#include "queue/remote.h"

#define CARRIERS_MAX 500
#define CARRIERS_KEPT 100	/* of them, where no mailing goes */

struct carrier {
	struct watch watch;
	TAILQ_ENTRY(carrier) link, of_path;
	struct path *path;
	struct jobs jobs;
	uint32_t running;	/* messages in flight */
	uint32_t served;	/* messages given to it */
	int64_t last;		/* ms: last thing heard or sent */
	bool is_ready;		/* connected */
	bool is_leaving;	/* gets nothing more */
	bool is_alone;		/* has one suspect, takes no other */
	bool is_lost;		/* it has told that its connection broke */
	bool is_patient;	/* it has had a mailing, and steps back for others */
};

/* A connection more on a path; NULL (logged) when none can be made now. */
struct carrier *carrier_start(struct manager *q, struct path *p);
/* What it has not answered goes back, to be tried anew at once. */
void carrier_close(struct manager *q, struct carrier *c);

#endif
