/* zone.c - what the clocks of a time zone show, by its rule, pure. */
/* SPDX-License-Identifier: ISC */

/*
 * The rule is that of POSIX.1 for TZ with what RFC 9636 3.3.1 adds to it.
 * Trusts: nothing; a rule that is none is refused.
 */

#include "lib/zone.h"

#include <time.h>

#define HOUR 3600
#define DAY 86400
#define YEARS (9999 - 1900)	/* what comes later is not looked at */
#define CHANGE_HOURS 167	/* RFC 9636 3.3.1 */

/* A number of digits, at most max. -1: none, or more. */
static int
take_number(struct slice *s, int max)
{
	int n = -1;

	while (s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
		n = (n < 0 ? 0 : n) * 10 + (s->p[0] - '0');
		if (n > max)
			return -1;
		*s = slice_skip(*s, 1);
	}
	return n;
}

static bool
take(struct slice *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	*s = slice_skip(*s, 1);
	return true;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int
take_time(struct slice *s, int hours, int *out)
{
	int sign = take(s, '-') ? -1 : 1, h, m = 0, sec = 0;

	if (sign == 1)
		(void)take(s, '+');
	if ((h = take_number(s, hours)) == -1 ||
	    (take(s, ':') && (m = take_number(s, 59)) == -1) ||
	    (take(s, ':') && (sec = take_number(s, 59)) == -1))
		return -1;
	*out = sign * (h * HOUR + m * 60 + sec);
	return 0;
}

/* "CET" or "<+0530>": at least three characters. */
static int
take_name(struct slice *s)
{
	bool is_quoted = take(s, '<');
	size_t n = 0;

	while (n < s->len && (is_quoted ? s->p[n] != '>' :
	    (s->p[n] | 0x20) >= 'a' && (s->p[n] | 0x20) <= 'z'))
		n++;
	*s = slice_skip(*s, n);
	return n < 3 || (is_quoted && !take(s, '>')) ? -1 : 0;
}

static int
take_change(struct slice *s, struct zone_change *c)
{
	*c = (struct zone_change){ .form = 'n', .time = 2 * HOUR };
	if (take(s, 'M')) {
		c->form = 'M';
		if ((c->month = take_number(s, 12)) < 1 || !take(s, '.') ||
		    (c->week = take_number(s, 5)) < 1 || !take(s, '.') ||
		    (c->day = take_number(s, 6)) < 0)
			return -1;
	} else {
		if (take(s, 'J'))
			c->form = 'J';
		if ((c->day = take_number(s, 365)) < (c->form == 'J' ? 1 : 0))
			return -1;
	}
	return take(s, '/') ? take_time(s, CHANGE_HOURS, &c->time) : 0;
}

int
zone_parse(struct slice text, struct zone *out)
{
	struct zone z = { .has_summer = false };

	if (take_name(&text) == -1 || take_time(&text, 24, &z.standard) == -1)
		return -1;
	z.standard = -z.standard;	/* POSIX counts to the west */
	z.summer = z.standard + HOUR;
	if (text.len > 0) {
		z.has_summer = true;
		if (take_name(&text) == -1)
			return -1;
		if (text.len > 0 && text.p[0] != ',') {
			if (take_time(&text, 24, &z.summer) == -1)
				return -1;
			z.summer = -z.summer;
		}
		if (!take(&text, ',') || take_change(&text, &z.begin) == -1 ||
		    !take(&text, ',') || take_change(&text, &z.end) == -1 ||
		    text.len > 0)
			return -1;
	}
	*out = z;
	return 0;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1 January 1970. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t before = year - 1, n = before * 365 + before / 4 -
	    before / 100 + before / 400 - 719162;

	for (int m = 1; m < month; m++)
		n += month_days(year, m);
	return n + day - 1;
}

/* What the clocks show at the change, as if it were UTC. */
static int64_t
change_at(const struct zone_change *c, int year)
{
	int64_t day = days_of(year, 1, 1);
	int first;

	if (c->form == 'M') {
		day = days_of(year, c->month, 1);
		/* 1 January 1970 was a Thursday. */
		first = (int)((c->day - (day + 4) % 7 + 7) % 7) +
		    (c->week - 1) * 7;
		day += first < month_days(year, c->month) ? first : first - 7;
	} else if (c->form == 'J')
		day += c->day - 1 + (is_leap(year) && c->day > 59);
	else
		day += c->day;
	return day * DAY + c->time;
}

static bool
is_summer(const struct zone *z, int64_t utc, int year)
{
	int64_t begin = change_at(&z->begin, year) - z->standard;
	int64_t end = change_at(&z->end, year) - z->summer;

	if (begin < end)
		return utc >= begin && utc < end;
	return utc >= begin || utc < end;
}

int
zone_east(const struct zone *z, int64_t at)
{
	struct tm tm;
	time_t shown;

	return z->has_summer &&
	    !__builtin_add_overflow(at, z->standard, &shown) &&
	    gmtime_r(&shown, &tm) != NULL && tm.tm_year < YEARS &&
	    is_summer(z, at, tm.tm_year + 1900) ? z->summer : z->standard;
}

int64_t
zone_seconds(const struct zone *z, int year, int month, int day, int seconds)
{
	int64_t shown = days_of(year, month, day) * DAY + seconds;
	int summer = z->has_summer ? z->summer : z->standard;
	/* Either may be the one that is ahead: in Dublin it is the standard. */
	bool is_ahead = summer > z->standard;
	int least = is_ahead ? z->standard : summer;
	int most = is_ahead ? summer : z->standard;

	/* The first moment that it could be, if it is one. */
	return zone_east(z, shown - most) == most ? shown - most :
	    shown - least;
}

int
zone_clock(const char *rule, time_t at)
{
	struct zone z;
	struct tm tm;

	if (zone_parse(slice_of(rule), &z) == 0)
		return zone_east(&z, at);
	return localtime_r(&at, &tm) != NULL ? (int)tm.tm_gmtoff : 0;
}
