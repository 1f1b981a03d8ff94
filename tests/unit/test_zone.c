/* test_zone.c - what a day is in a time zone. */
/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <time.h>

#include "lib/date.h"
#include "lib/zone.h"
#include "registry/zone.h"
#include "tests/unit/tap.h"

#define PARIS "CET-1CEST,M3.5.0,M10.5.0/3"

static void
test_rows(void)
{
	static const struct {
		const char *rule;
		int year, month, day, seconds;
		const char *want;
	} rows[] = {
		{ PARIS, 2026, 12, 24, 0, "2026-12-23T23:00:00Z" },
		{ PARIS, 2026, 12, 24, 86399, "2026-12-24T22:59:59Z" },
		{ PARIS, 2026, 7, 14, 0, "2026-07-13T22:00:00Z" },
		/* The days of the change. */
		{ PARIS, 2026, 3, 29, 0, "2026-03-28T23:00:00Z" },
		{ PARIS, 2026, 3, 29, 86399, "2026-03-29T21:59:59Z" },
		{ PARIS, 2026, 10, 25, 0, "2026-10-24T22:00:00Z" },
		{ PARIS, 2026, 10, 25, 86399, "2026-10-25T22:59:59Z" },
		/* Left out, and shown twice: 2:30. */
		{ PARIS, 2026, 3, 29, 9000, "2026-03-29T01:30:00Z" },
		{ PARIS, 2026, 10, 25, 9000, "2026-10-25T00:30:00Z" },
		{ "<+0530>-5:30", 2026, 12, 24, 0, "2026-12-23T18:30:00Z" },
		{ "UTC0", 2028, 2, 29, 86399, "2028-02-29T23:59:59Z" },
		/* The other half of the year. */
		{ "NZST-12NZDT,M9.5.0,M4.1.0/3", 2026, 12, 24, 0,
		  "2026-12-23T11:00:00Z" },
		{ "NZST-12NZDT,M9.5.0,M4.1.0/3", 2026, 7, 14, 0,
		  "2026-07-13T12:00:00Z" },
		{ "EST5EDT,M3.2.0,M11.1.0", 2026, 7, 14, 0,
		  "2026-07-14T04:00:00Z" },
		/* Summer is the rule and winter the exception. */
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", 2026, 12, 24, 0,
		  "2026-12-24T00:00:00Z" },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", 2026, 7, 14, 0,
		  "2026-07-13T23:00:00Z" },
		/* The same, left out and shown twice: 1:30. */
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", 2026, 3, 29, 5400,
		  "2026-03-29T01:30:00Z" },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", 2026, 10, 25, 5400,
		  "2026-10-25T00:30:00Z" },
		/* Summer all year (RFC 9636 3.3.1): a year's first hours. */
		{ "EST5EDT,0/0,J365/25", 2026, 1, 1, 1800,
		  "2026-01-01T04:30:00Z" },
		/* Midnight does not exist. */
		{ "<-04>4<-03>,M9.1.6/24,M4.1.6/24", 2026, 9, 6, 0,
		  "2026-09-06T04:00:00Z" },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2026, 7, 14, 0,
		  "2026-07-14T01:00:00Z" },
		{ "A1BB", 0, 0, 0, 0, NULL },
		{ "AAA1BBB,J60,J300", 2028, 2, 29, 0,
		  "2028-02-29T01:00:00Z" },
		{ "AAA1BBB,J60,J300", 2028, 3, 1, 86399,
		  "2028-03-01T23:59:59Z" },
		{ "AAA1BBB,59,299", 2028, 2, 29, 86399,
		  "2028-02-29T23:59:59Z" },
		{ "", 0, 0, 0, 0, NULL },
		{ "CET", 0, 0, 0, 0, NULL },
		{ "CET-1CEST", 0, 0, 0, 0, NULL },
		{ "CET-25", 0, 0, 0, 0, NULL },
		{ "CET-1CEST,M13.5.0,M10.5.0", 0, 0, 0, 0, NULL },
		{ "CET-1CEST,M3.6.0,M10.5.0", 0, 0, 0, 0, NULL },
		{ "CET-1CEST,M3.5.0,M10.5.0/168", 0, 0, 0, 0, NULL },
		{ "CET-1CEST,M3.5.0,M10.5.0x", 0, 0, 0, 0, NULL },
		{ "CET-1CEST,M3.5.0", 0, 0, 0, 0, NULL },
		{ "<+05", 0, 0, 0, 0, NULL },
		{ "CET-99999999999999999999", 0, 0, 0, 0, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[DATE_MAX] = "refused";
		struct zone z;

		if (zone_parse(slice_of(rows[i].rule), &z) == 0)
			date_iso((time_t)zone_seconds(&z, rows[i].year,
			    rows[i].month, rows[i].day, rows[i].seconds), got);
		ok(strcmp(got, rows[i].want != NULL ? rows[i].want :
		    "refused") == 0, "\"%s\" %04d-%02d-%02d %d: %s",
		    rows[i].rule, rows[i].year, rows[i].month, rows[i].day,
		    rows[i].seconds, got);
	}
}

/* Against the C library, by its reading of the same rule. */
static void
test_library(void)
{
	static const char *const rules[] = { PARIS, "EST5EDT,M3.2.0,M11.1.0",
		"NZST-12NZDT,M9.5.0,M4.1.0/3", "<+0545>-5:45" };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		unsigned wrong = 0;
		struct zone z;

		setenv("TZ", rules[i], 1);
		tzset();
		ok(zone_parse(slice_of(rules[i]), &z) == 0, "%s", rules[i]);
		for (int day = 0; day < 4000; day++) {
			time_t t = (time_t)(20000 + day) * 86400 + 43200;
			struct tm tm;

			localtime_r(&t, &tm);
			tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
			tm.tm_isdst = -1;
			wrong += zone_seconds(&z, tm.tm_year + 1900,
			    tm.tm_mon + 1, tm.tm_mday, 0) != mktime(&tm);
		}
		ok(wrong == 0, "%s: 4000 midnights, %u wrong", rules[i],
		    wrong);
	}
}

/* The last second of which the C library knows the year. */
static void
test_far(void)
{
	const time_t last = 67768036191676799;
	char out[DATE_MAX];

	ok(strcmp(date_iso(last, out), "2147485547-12-31T23:59:59Z") == 0,
	    "%s", out);
	ok(strcmp(date_iso_at(last, 0, out), "2147485547-12-31T23:59:59+00:00")
	    == 0, "%s", out);
	ok(strstr(date_rfc5322_at(last, 0, out), " Dec 2147485547 ") != NULL,
	    "%s", out);
	ok(strcmp(date_iso(last + 1, out), "1970-01-01T00:00:00Z") == 0,
	    "one more is none");
}

/* What a notice or a letter has for a moment, by a domain's rule. */
static void
test_clock(void)
{
	static const struct {
		const char *rule;
		time_t at;
		int want;
	} rows[] = {
		{ PARIS, 1774745999, 3600 },	/* 29 March 2026 00:59:59 */
		{ PARIS, 1774746000, 7200 },
		{ PARIS, 1792889999, 7200 },	/* 25 October 2026 00:59:59 */
		{ PARIS, 1792890000, 3600 },
		{ "<+0545>-5:45", 1774746000, 20700 },
		{ "<-0330>3:30", 1774746000, -12600 },
		{ "NZST-12NZDT,M9.5.0,M4.1.0/3", 1768435200, 46800 },
		{ "UTC0", 1774746000, 0 },
		{ PARIS, INT64_MAX, 3600 },
		{ PARIS, INT64_MIN, 3600 },
		{ PARIS, 67768036191676799 - 180 * 86400L, 3600 },
		/* None: as this program's own. */
		{ "", 1768435200, -10800 },
		{ "", 1784073600, -7200 },
		{ "Europe/Paris", 1784073600, -7200 },
		{ "", INT64_MAX, 0 },
	};

	setenv("TZ", "XXX3YYY,M3.5.0,M10.5.0", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = zone_clock(rows[i].rule, rows[i].at);

		ok(got == rows[i].want, "\"%s\" at %lld: %d", rows[i].rule,
		    (long long)rows[i].at, got);
	}
}

static bool
has_rule(const char *name, const char *want)
{
	const char *rule = zone_rule(slice_of(name));

	return rule != NULL && strcmp(rule, want) == 0;
}

static void
test_database(void)
{
	int n;

	ok(zones_are_unknown() && zone_rule(SLICE("Europe/Paris")) == NULL,
	    "nothing is known before");
	ok(zones_load("/nowhere") == 0 && zones_are_unknown(), "no database");
	n = zones_load("/usr/share/zoneinfo");
	if (n == 0)
		return;
	ok(n > 100 && has_rule("Europe/Paris", PARIS),
	    "the database, %d zones", n);
	ok(has_rule("UTC", "UTC0"), "a zone without a folder");
	ok(has_rule("America/Argentina/Ushuaia", "<-03>3"),
	    "one two folders deep");
	ok(zone_rule(SLICE("Europe/Malleposte")) == NULL &&
	    zone_rule(SLICE("Europe")) == NULL &&
	    zone_rule(SLICE("")) == NULL &&
	    zone_rule(SLICE("posix/Europe/Paris")) == NULL, "and no others");
}

int
main(void)
{
	test_rows();
	test_library();
	test_far();
	test_clock();
	test_database();
	return done();
}
