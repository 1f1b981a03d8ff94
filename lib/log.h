/* log.h - one line, one event: key=value, message id first. */
#ifndef LIB_LOG_H
#define LIB_LOG_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

/*
 * Lines go to descriptor 2, each in one write:
 *   2026-11-21T22:35:01.123456Z malle-queued[4711] ID EVENT key=value key="two words"
 * ID is the message's id, or "-". When MALLE_LOG=syslog is in the environment,
 * descriptor 2 is a datagram socket to syslogd and the line begins with its
 * priority instead of the time. See malle-log(5) for the events.
 */
enum log_level { LOG_ERROR_, LOG_NOTICE_, LOG_INFO_, LOG_DEBUG_ };

/* Call first in main. program is kept, not copied. */
void log_open(const char *program);

/* Lines above this level are dropped. Default: LOG_INFO_. */
void log_level(enum log_level level);

/*
 * One event. What follows event is a list of key, format, value... built with
 * printf-like text: log_event(LV, id, "accept", "from=%s size=%zu", ...).
 * Values that come from outside must be passed through LOGQ() into %s.
 * Control bytes are escaped whatever happens. id may be NULL.
 */
void log_event(enum log_level level, const char *id, const char *event,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#define log_error(id, event, ...) log_event(LOG_ERROR_, id, event, __VA_ARGS__)
#define log_notice(id, event, ...) log_event(LOG_NOTICE_, id, event, __VA_ARGS__)
#define log_info(id, event, ...) log_event(LOG_INFO_, id, event, __VA_ARGS__)
#define log_debug(id, event, ...) log_event(LOG_DEBUG_, id, event, __VA_ARGS__)

/*
 * A value made safe for a line: quoted when it has spaces, quotes, '=' or
 * bytes outside printable ASCII and UTF-8 (which are escaped as \xNN), cut at
 * 500 bytes. Returns one of eight static buffers in turn.
 */
const char *log_quote(struct slice value);
#define LOGQ(slice_value) log_quote(slice_value)
#define LOGS(cstr_value) log_quote(slice_of(cstr_value))

#endif
