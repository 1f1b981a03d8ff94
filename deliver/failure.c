/* failure.c - why a delivery did not happen, for the program and for people. */
/* SPDX-License-Identifier: ISC */

#include "deliver/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
failure_set(struct local_result *r, enum queue_result result,
    const char *enhanced, const char *fmt, ...)
{
	va_list ap;

	r->result = result;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced);
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

void
failure_system(struct local_result *r, const char *address, int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		failure_set(r, QUEUE_TEMPORARY, "4.3.1",
		    "The disk of the mail server is full; the message for %s "
		    "waits until there is room.", address);
		return;
	case EIO:
	case EROFS:
		failure_set(r, QUEUE_TEMPORARY, "4.3.0",
		    "The disk of the mail server does not work (%s); the "
		    "message for %s waits.", strerror(error), address);
		return;
	case ENODATA:
		failure_set(r, QUEUE_TEMPORARY, "4.3.0",
		    "The queue's file is shorter than it should be; nothing "
		    "was delivered to %s.", address);
		return;
	case EACCES:
	case EPERM:
	case ELOOP:
	case ENOTDIR:
		failure_set(r, QUEUE_TEMPORARY, "4.3.5",
		    "The folder of the mailbox %s is not as it must be (%s); "
		    "the message waits until the administrator has mended it.",
		    address, strerror(error));
		return;
	default:
		failure_set(r, QUEUE_TEMPORARY, "4.3.0",
		    "The mailbox %s cannot be written now (%s); the message "
		    "waits.", address, strerror(error));
		return;
	}
}

char *
failure_size(uint64_t bytes, char *out)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out, FAILURE_SIZE_MAX, "%u bytes", (unsigned)bytes);
		return out;
	}
	/* 1023.95 would be printed as 1024.0. */
	while (v >= 1023.95 && i + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		i++;
	}
	snprintf(out, FAILURE_SIZE_MAX, "%.1f %s", v, units[i]);
	return out;
}

void
failure_full(struct local_result *r, const struct local_job *j,
    uint64_t used_bytes, uint64_t used_messages, uint64_t size)
{
	char used[FAILURE_SIZE_MAX], limit[FAILURE_SIZE_MAX];

	if (j->quota_bytes != 0 && size > j->quota_bytes)
		failure_set(r, QUEUE_PERMANENT, "5.2.3",
		    "The message (%s) is larger than the whole mailbox of %s "
		    "(%s).", failure_size(size, used), j->delivered_to,
		    failure_size(j->quota_bytes, limit));
	else if (j->quota_messages != 0 && used_messages >= j->quota_messages)
		failure_set(r, QUEUE_TEMPORARY, "4.2.2",
		    "The mailbox of %s is full (%llu of %llu messages).",
		    j->delivered_to, (unsigned long long)used_messages,
		    (unsigned long long)j->quota_messages);
	else
		failure_set(r, QUEUE_TEMPORARY, "4.2.2",
		    "The mailbox of %s is full (%s of %s used, the message "
		    "has %s).", j->delivered_to,
		    failure_size(used_bytes, used),
		    failure_size(j->quota_bytes, limit),
		    failure_size(size, (char[FAILURE_SIZE_MAX]){ 0 }));
}
