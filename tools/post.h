/* post.h - a letter that a command has written goes into the queue. */
#ifndef TOOLS_POST_H
#define TOOLS_POST_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_queue.h"
#include "tools/malle.h"

#define POST_WHY_MAX (QUEUE_TEXT_MAX + 16)

/*
 * As any local program's: sender "" is the null path, notify is of QN_NEVER and
 * the others, 0 as nobody has said it. 0 with its id in id[QUEUE_ID_MAX + 1], or
 * -1 with why it was not taken in why[POST_WHY_MAX + 1].
 */
int post(const struct malle *m, const char *sender, const char *to,
    unsigned notify, struct slice message, char *id, char *why)
    __attribute__((warn_unused_result));

/* A Message-ID without its angle brackets, in out[POST_ID_MAX]. 0, or -1. */
#define POST_ID_MAX (ADDR_DOMAIN_MAX + 64)
int post_make_id(const struct malle *m, char *out)
    __attribute__((warn_unused_result));

#endif
