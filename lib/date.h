/* date.h - dates in mail (RFC 5322 3.3) and in logs. */
#ifndef LIB_DATE_H
#define LIB_DATE_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define DATE_MAX 80

/* "Sat, 21 Nov 2026 23:35:01 +0100" in local time. Returns out. */
char *date_rfc5322(time_t t, char out[DATE_MAX]);
/* The same where clocks are so many seconds to the east of UTC. */
char *date_rfc5322_at(time_t t, int east, char out[DATE_MAX]);
/* What those clocks show, for strftime() without %Z. False: too far away. */
bool date_shown(time_t t, int east, struct tm *out);
/* The same as text for people, by a format of strftime() without %Z, in
 * out[size]; "-" when it cannot be. Returns out. */
char *date_text(time_t t, int east, const char *format, char *out,
    size_t size) __attribute__((format(strftime, 3, 0)));
/* "2026-11-21T22:35:01Z". Returns out. */
char *date_iso(time_t t, char out[DATE_MAX]);
/* "2026-11-21T23:35:01+01:00", as date_rfc5322_at(). */
char *date_iso_at(time_t t, int east, char out[DATE_MAX]);

#endif
