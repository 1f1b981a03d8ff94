/* zone.h - what the clocks of a time zone show, by its rule, pure. */
#ifndef LIB_ZONE_H
#define LIB_ZONE_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/slice.h"

#define ZONE_RULE_MAX 80	/* with its NUL */

/* When the clocks are changed, as POSIX.1 has it in TZ: Mm.w.d, Jn or n. */
struct zone_change {
	char form;		/* 'M', 'J' or 'n' */
	int month, week, day;	/* day alone for the other forms */
	int time;		/* s after midnight; negative, or over a day too */
};

struct zone {
	int standard, summer;	/* s to the east of UTC */
	bool has_summer;
	struct zone_change begin, end;
};

/* "CET-1CEST,M3.5.0,M10.5.0/3". 0, or -1 with *out untouched. */
int zone_parse(struct slice text, struct zone *out)
    __attribute__((warn_unused_result));
/* What the clocks there show, year 1970 to 9999, month 1 to 12, as seconds of
 * UTC. What they show twice is the first; what they leave out, the time after. */
int64_t zone_seconds(const struct zone *z, int year, int month, int day,
    int seconds);

/* What the clocks there are ahead of UTC at a moment of it, in seconds. */
int zone_east(const struct zone *z, int64_t at);
/* The same by a rule; "", or none: by the zone that this program runs in. */
int zone_clock(const char *rule, time_t at);

#endif
