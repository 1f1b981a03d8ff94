/* date.c - dates in mail (RFC 5322 3.3) and in logs. */
/* SPDX-License-Identifier: ISC */

#include "lib/date.h"

#include <stdio.h>
#include <stdlib.h>

/* strftime's names follow the locale; those of RFC 5322 do not. */
static const char *const day_names[] = {
	"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
};
static const char *const month_names[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

static char *
rfc5322(const struct tm *tm, long east, char out[DATE_MAX])
{
	long offset = east / 60 % 1440;

	snprintf(out, DATE_MAX, "%s, %d %s %ld %02d:%02d:%02d %c%02ld%02ld",
	    day_names[tm->tm_wday], tm->tm_mday, month_names[tm->tm_mon],
	    tm->tm_year + 1900L, tm->tm_hour, tm->tm_min, tm->tm_sec,
	    offset < 0 ? '-' : '+', labs(offset) / 60, labs(offset) % 60);
	return out;
}

char *
date_rfc5322(time_t t, char out[DATE_MAX])
{
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL && gmtime_r(&(time_t){ 0 }, &tm) == NULL)
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
	return rfc5322(&tm, tm.tm_gmtoff, out);
}

bool
date_shown(time_t t, int east, struct tm *out)
{
	struct tm tm;

	if (__builtin_add_overflow(t, east, &t) || gmtime_r(&t, &tm) == NULL)
		return false;
	tm.tm_gmtoff = east;
	*out = tm;
	return true;
}

char *
date_text(time_t t, int east, const char *format, char *out, size_t size)
{
	struct tm tm;

	if (!date_shown(t, east, &tm) ||
	    strftime(out, size, format, &tm) == 0)
		snprintf(out, size, "-");
	return out;
}

char *
date_rfc5322_at(time_t t, int east, char out[DATE_MAX])
{
	struct tm tm;

	if (!date_shown(t, east, &tm))
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
	return rfc5322(&tm, east, out);
}

char *
date_iso_at(time_t t, int east, char out[DATE_MAX])
{
	long offset = east / 60 % 1440;
	struct tm tm;

	if (!date_shown(t, east, &tm))
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70 };
	snprintf(out, DATE_MAX, "%04ld-%02d-%02dT%02d:%02d:%02d%c%02ld:%02ld",
	    tm.tm_year + 1900L, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, offset < 0 ? '-' : '+', labs(offset) / 60,
	    labs(offset) % 60);
	return out;
}

char *
date_iso(time_t t, char out[DATE_MAX])
{
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70 };
	snprintf(out, DATE_MAX, "%04ld-%02d-%02dT%02d:%02d:%02dZ",
	    tm.tm_year + 1900L, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	return out;
}
