/* answer_text.h - composes what an account answers (RFC 3834), pure. */
#ifndef DELIVER_ANSWER_TEXT_H
#define DELIVER_ANSWER_TEXT_H
/* SPDX-License-Identifier: ISC */

#include <time.h>

#include "lib/proto_local.h"
#include "lib/str.h"

/*
 * Puts the whole message, LF line ends, into out: at most ANSWER_CONTENT_MAX.
 * header is that of the message that is answered. Only its subject, and the ids
 * by which letters hang together, are in it; never any of its body. All is ASCII
 * but addresses that are not.
 */
void answer_compose(struct str *out, const struct answer_job *j,
    struct slice header, const char *hostname, time_t now);

#endif
