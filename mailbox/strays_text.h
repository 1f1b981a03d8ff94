/* strays_text.h - what is told of mail that will be removed, pure. */
#ifndef MAILBOX_STRAYS_TEXT_H
#define MAILBOX_STRAYS_TEXT_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/str.h"

#define STRAYS_TEXT_MAX 8192

struct strays_notice {
	const char *address;	/* of the mailbox */
	const char *hostname;	/* of the mail server */
	const char *zone;	/* rule of the domain's clocks; "": our own */
	bool is_french;		/* else English */
	time_t told;		/* also makes its Message-ID */
	time_t from;		/* when they may be removed */
	unsigned days;		/* that such mail is kept */
	uint64_t messages;
};

/* The whole message, with LF line ends, as it lies in a Maildir. */
void strays_compose(struct str *out, const struct strays_notice *n);

#endif
