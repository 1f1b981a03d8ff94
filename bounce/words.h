/* words.h - what a notice says, in French and English. */
#ifndef BOUNCE_WORDS_H
#define BOUNCE_WORDS_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>

/* A cause, told by the enhanced status code (RFC 3463 without its class). */
struct words_cause {
	const char *detail;	/* "1.1", or "1" for the rest of a subject */
	const char *what;	/* what happened */
	const char *advice;	/* what to do */
};

/* All of one language. Where a text has %s, the order is told beside it. */
struct words {
	const char *language;		/* "fr": Content-Language */
	const char *from;		/* name beside MAILER-DAEMON */
	const char *subject_failure, *subject_delay, *subject_success;
	const char *subject_double;
	const char *greeting;
	const char *failure_one, *failure_many;
	const char *delay_one, *delay_many;
	const char *success_one, *success_many;
	const char *is_double;
	const char *advice;		/* label before an advice */
	const char *server_said;	/* server, text */
	const char *detail;		/* text */
	const char *retried;		/* how long: number of days or hours */
	const char *hours, *days;	/* number; at least 2 */
	const char *retry_until;	/* date */
	const char *relayed, *delivered, *expanded;	/* a recipient's fate */
	const char *your_message;	/* heading of the facts */
	const char *fact_subject, *fact_date, *fact_id;
	const char *original_full, *original_header;
	const char *signature;		/* host name */
	const char *date_format;	/* strftime */
	const struct words_cause *causes;	/* ends with detail "" */
};

/* The words for a language code: French for "fr", else English. */
const struct words *words_of(const char *language);

/* The cause of "5.1.1"; there is always one. */
const struct words_cause *words_cause(const struct words *w,
    const char *status);

#endif
