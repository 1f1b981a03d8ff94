/* valid_time.c - judges of dates and time zones, pure functions. */
/* SPDX-License-Identifier: ISC */

#include <ctype.h>
#include <time.h>

#include "lib/date.h"
#include "lib/num.h"
#include "registry/valid.h"
#include "registry/zone.h"

#define TIME_TEXT 20		/* 2026-11-21T22:35:01Z */

/* Exactly len digits of s at *at. */
static int
digits(struct slice s, size_t at, size_t len, uint64_t lo, uint64_t hi)
{
	uint64_t n;

	if (num_parse(slice_make(s.p + at, len), lo, hi, &n) == -1)
		return -1;
	return (int)n;
}

static int
parse_time(struct slice s, struct tm *tm)
{
	*tm = (struct tm){ 0 };
	if (s.len != TIME_TEXT && s.len != 10)
		return -1;
	if (s.p[4] != '-' || s.p[7] != '-')
		return -1;
	tm->tm_year = digits(s, 0, 4, 1970, 9999) - 1900;
	tm->tm_mon = digits(s, 5, 2, 1, 12) - 1;
	tm->tm_mday = digits(s, 8, 2, 1, 31);
	if (tm->tm_year < 0 || tm->tm_mon < 0 || tm->tm_mday < 0)
		return -1;
	tm->tm_hour = 23;
	tm->tm_min = tm->tm_sec = 59;
	if (s.len == 10)
		return 0;
	if (s.p[10] != 'T' || s.p[13] != ':' || s.p[16] != ':' ||
	    s.p[19] != 'Z')
		return -1;
	tm->tm_hour = digits(s, 11, 2, 0, 23);
	tm->tm_min = digits(s, 14, 2, 0, 59);
	tm->tm_sec = digits(s, 17, 2, 0, 60);
	return tm->tm_hour < 0 || tm->tm_min < 0 || tm->tm_sec < 0 ? -1 : 0;
}

int64_t
time_of_text(struct slice s)
{
	struct tm tm;

	return parse_time(s, &tm) == -1 ? 0 : (int64_t)timegm(&tm);
}

int
valid_time(struct slice in, struct str *out, struct text *why)
{
	struct tm tm, again;
	time_t t;

	if (parse_time(in, &tm) == 0) {
		again = tm;
		t = timegm(&again);
		/* timegm turns a 31st of November into another day. */
		if (t != -1 && again.tm_mday == tm.tm_mday) {
			str_put(out, in);
			return 0;
		}
	}
	return why_not(why, "must be a date such as 2026-11-21",
	    "doit être une date comme 2026-11-21");
}

int
valid_zone(struct slice in, struct str *out, struct text *why)
{
	bool good = in.len > 0 && in.len <= 64;

	for (size_t i = 0; good && i < in.len; i++)
		good = isalnum((unsigned char)in.p[i]) ||
		    (i > 0 && strchr("+-_/", in.p[i]) != NULL);
	if (!good || in.p[in.len - 1] == '/' ||
	    (!zones_are_unknown() && zone_rule(in) == NULL))
		return why_not(why, "must be a time zone such as Europe/Paris",
		    "doit être un fuseau horaire comme Europe/Paris");
	str_put(out, in);
	return 0;
}

int
valid_moment(struct slice in, struct str *out, struct text *why)
{
	char date[DATE_MAX];

	if (!slice_eq_nocase(in, SLICE("now")))
		return valid_time(in, out, why);
	str_puts(out, date_iso(time(NULL), date));
	return 0;
}
