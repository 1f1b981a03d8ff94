/* answer_memory.h - whom an account has answered, and when. */
#ifndef DELIVER_ANSWER_MEMORY_H
#define DELIVER_ANSWER_MEMORY_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_local.h"

#define ANSWER_FOLDER ".answers"	/* no account's name: it has a dot */
#define ANSWERS_KEPT 1024		/* senders; the oldest is forgotten */
#define ANSWERS_HOUR 200		/* of one account */
#define ANSWERS_HOUR_DOMAIN 50		/* of one account, to one domain */

/* Which answer: a changed text, or a new absence, begins anew. */
uint64_t answer_key(const struct answer_job *j);

/*
 * May the sender of j be answered now? When he may, that is noted, durably,
 * before this returns: *why is NULL then. Else *why is a word of malle-local(8).
 * A job that was noted before (the report was lost) may again. Several workers
 * may ask at a time. 0, or -1 with errno, nothing noted for sure.
 */
int answer_remember(int mailfd, const struct answer_job *j, int64_t now,
    const char **why) __attribute__((warn_unused_result));

#endif
