/* warning_text.h - what the owner of a mailbox that fills up is told. */
#ifndef DELIVER_WARNING_TEXT_H
#define DELIVER_WARNING_TEXT_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/str.h"

#define WARNING_TEXT_MAX 8192

struct warning_notice {
	const char *address;	/* of the mailbox */
	const char *hostname;	/* of the mail server */
	const char *language;	/* "fr"; anything else is English */
	time_t when;		/* also makes its Message-ID */
	int east;		/* whose clocks show it: s ahead of UTC */
	uint64_t bytes, quota_bytes;		/* used, allowed; quota 0: any */
	uint64_t messages, quota_messages;
};

/* The whole message, with LF line ends, as it lies in a Maildir. */
void warning_compose(struct str *out, const struct warning_notice *n);

#endif
