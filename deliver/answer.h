/* answer.h - one answer job of malle-local, from its message to the answer. */
#ifndef DELIVER_ANSWER_H
#define DELIVER_ANSWER_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_local.h"
#include "lib/str.h"

#define ANSWER_HEADER_MAX (128 * 1024)

/*
 * Reads the header of the message in from, decides, remembers, and composes.
 * content, the caller's, holds what result points to.
 */
void answer_job_do(int mailfd, const char *hostname, const struct answer_job *j,
    int from, struct str *content, struct answer_result *result);

#endif
