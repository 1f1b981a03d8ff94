/* failure.h - why a delivery did not happen, for the program and for people. */
#ifndef DELIVER_FAILURE_H
#define DELIVER_FAILURE_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_local.h"

/* The answer to a job: enhanced code (RFC 3463) and one sentence. */
void failure_set(struct local_result *r, enum queue_result result,
    const char *enhanced, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A system call failed with error while address's mailbox was written:
 * always temporary. */
void failure_system(struct local_result *r, const char *address, int error);

/* The mailbox has no room for size bytes: temporary, or permanent when it
 * would not fit into an empty one either. */
void failure_full(struct local_result *r, const struct local_job *j,
    uint64_t used_bytes, uint64_t used_messages, uint64_t size);

/* "1.0 GB" in out[FAILURE_SIZE_MAX]; units are powers of 1024. Returns out. */
#define FAILURE_SIZE_MAX 32
char *failure_size(uint64_t bytes, char *out);

#endif
