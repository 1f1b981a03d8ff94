/* hold_text.h - what an account whose mail is held is told, pure. */
#ifndef QUEUE_HOLD_TEXT_H
#define QUEUE_HOLD_TEXT_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <time.h>

#include "lib/str.h"

#define HOLD_TEXT_MAX 16384	/* bytes of a notice */

/* Why a message is held, as its file says it: malle-queue(5). */
struct hold_reason {
	struct slice what;	/* "messages" or "recipients" */
	uint64_t used, max;	/* in an hour */
	struct slice account;
};

struct hold_notice {
	struct hold_reason why;
	const char *id;			/* of the first message that is held */
	const char *hostname;
	const char *to, *postmaster;	/* the same: only one is named */
	bool is_french;
	const char *zone;		/* rule of his clocks; "": our own */
	time_t since, until;		/* until: new mail goes again */
	time_t now;
};

/* False: held for another reason. */
bool hold_reason_parse(struct slice text, struct hold_reason *out);
/* Seconds until what comes next would pass, when nothing comes. */
int64_t hold_seconds(const struct hold_reason *why);
/* The whole message, ASCII but for addresses that are not, LF line ends. */
void hold_compose(struct str *out, const struct hold_notice *n);

#endif
