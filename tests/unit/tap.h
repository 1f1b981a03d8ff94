/* tap.h - the least of TAP for unit tests in C. */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H
/* SPDX-License-Identifier: ISC */

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count, tap_failed;

/* One assertion; the text names the row. Returns cond. */
__attribute__((format(printf, 2, 3))) static inline bool
ok(bool cond, const char *fmt, ...)
{
	va_list ap;

	tap_count++;
	if (!cond)
		tap_failed++;
	printf("%sok %d - ", cond ? "" : "not ", tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return cond;
}

/* Ends the run: the plan, and main's return value. */
static inline int
done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed == 0 ? 0 : 1;
}

#endif
