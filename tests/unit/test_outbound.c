/* test_outbound.c - who has sent how much, by a clock of our own. */
/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdlib.h>

#include "queue/outbound.h"
#include "tests/unit/tap.h"

#define MINUTE (INT64_C(60000))
#define DAY (24 * OUTBOUND_HOUR)

static const char *
name(enum outbound_verdict v)
{
	static const char *const names[] = { "pass", "slow", "hold", "refuse" };

	return names[v];
}

/* Its list points into itself: it is never copied. */
static void
make(struct outbound *o, uint32_t max)
{
	if (outbound_init(o, max) == -1)
		abort();
}

/* n messages to r recipients at once; the answer to the last. */
static struct outbound_answer
many(struct outbound *o, const char *key, const struct outbound_limits *l,
    unsigned n, uint64_t r, int64_t now)
{
	struct outbound_answer a = { .verdict = OUTBOUND_PASS };

	while (n-- > 0)
		a = outbound_take(o, key, l, r, now);
	return a;
}

/* All limits at 60 an hour: one a minute. */
static void
test_rows(void)
{
	static const struct {
		unsigned n;		/* messages before, at once */
		uint64_t r;		/* recipients of each */
		int64_t later;		/* ms until the one that is judged */
		uint64_t last;		/* its recipients */
		enum outbound_verdict verdict;
		int64_t delay;		/* minutes */
		enum outbound_what what;
		uint64_t used;
	} rows[] = {
		{ 0, 1, 0, 1, OUTBOUND_PASS, 0, 0, 0 },
		{ 59, 1, 0, 1, OUTBOUND_PASS, 0, 0, 0 },
		{ 60, 1, 0, 1, OUTBOUND_SLOW, 1, OUTBOUND_MESSAGES, 61 },
		{ 61, 1, 0, 1, OUTBOUND_SLOW, 2, OUTBOUND_MESSAGES, 62 },
		{ 60, 1, MINUTE, 1, OUTBOUND_PASS, 0, 0, 0 },
		{ 61, 1, MINUTE, 1, OUTBOUND_SLOW, 1, OUTBOUND_MESSAGES, 61 },
		{ 119, 1, 0, 1, OUTBOUND_SLOW, 60, OUTBOUND_MESSAGES, 120 },
		{ 120, 1, 0, 1, OUTBOUND_HOLD, 0, OUTBOUND_MESSAGES, 121 },
		{ 179, 1, 0, 1, OUTBOUND_HOLD, 0, OUTBOUND_MESSAGES, 180 },
		{ 180, 1, 0, 1, OUTBOUND_REFUSE, 0, OUTBOUND_MESSAGES, 181 },
		{ 500, 1, 0, 1, OUTBOUND_REFUSE, 0, OUTBOUND_MESSAGES, 181 },
		{ 500, 1, MINUTE, 1, OUTBOUND_HOLD, 0, OUTBOUND_MESSAGES, 180 },
		{ 500, 1, 60 * MINUTE, 1, OUTBOUND_HOLD, 0, OUTBOUND_MESSAGES,
		    121 },
		{ 500, 1, 61 * MINUTE, 1, OUTBOUND_SLOW, 60, OUTBOUND_MESSAGES,
		    120 },
		{ 500, 1, 180 * MINUTE, 1, OUTBOUND_PASS, 0, 0, 0 },
		{ 2, 30, 0, 1, OUTBOUND_SLOW, 1, OUTBOUND_RECIPIENTS, 61 },
		{ 0, 0, 0, 60, OUTBOUND_PASS, 0, 0, 0 },
		{ 0, 0, 0, 90, OUTBOUND_SLOW, 30, OUTBOUND_RECIPIENTS, 90 },
		/* Too big for any hour, but it is not refused for ever. */
		{ 0, 0, 0, 100000, OUTBOUND_HOLD, 0, OUTBOUND_RECIPIENTS,
		    100000 },
		{ 1, 100000, 0, 1, OUTBOUND_REFUSE, 0, OUTBOUND_RECIPIENTS,
		    181 },
		/* The clock of the machine never goes back, but if it did. */
		{ 60, 1, -500 * MINUTE, 1, OUTBOUND_SLOW, 1, OUTBOUND_MESSAGES,
		    61 },
		{ 1, 1, 0, UINT64_MAX, OUTBOUND_HOLD, 0, OUTBOUND_RECIPIENTS,
		    UINT64_MAX / (uint64_t)OUTBOUND_HOUR + 1 },
	};
	const struct outbound_limits l = { { 60, 60 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int64_t start = 1000 * DAY;
		struct outbound_answer a;
		struct outbound o;

		make(&o, 8);
		(void)many(&o, "a", &l, rows[i].n, rows[i].r, start);
		a = outbound_take(&o, "a", &l, rows[i].last,
		    start + rows[i].later);
		ok(a.verdict == rows[i].verdict &&
		    a.delay == rows[i].delay * MINUTE &&
		    a.used == rows[i].used && (a.verdict == OUTBOUND_PASS ||
		    (a.what == rows[i].what && a.max == 60)),
		    "%u messages to %" PRIu64 ", %jd s later one to %" PRIu64
		    ": %s after %jd ms, %" PRIu64 " used", rows[i].n,
		    rows[i].r, (intmax_t)(rows[i].later / 1000), rows[i].last,
		    name(a.verdict), (intmax_t)a.delay, a.used);
		outbound_free(&o);
	}
}

static void
test_spread(void)
{
	struct outbound o;
	const struct outbound_limits l = { { 60, 0 } };
	int64_t last = 0, delay;
	bool even = true;

	make(&o, 8);
	(void)many(&o, "a", &l, 60, 1, 0);
	for (int i = 0; i < 60; i++) {
		delay = outbound_take(&o, "a", &l, 1, 0).delay;
		even = even && delay == last + MINUTE;
		last = delay;
	}
	ok(even, "a burst leaves in its order, one a minute");
	outbound_free(&o);
}

/* Whoever keeps to the rate is never slowed, however long. */
static void
test_steady(void)
{
	struct outbound o;
	const struct outbound_limits l = { { 7, 0 } };
	bool passed = true;

	make(&o, 8);
	for (int64_t i = 0; i < 10000; i++)
		passed = passed && outbound_take(&o, "a", &l, 1,
		    i * (OUTBOUND_HOUR / 7 + 1)).verdict == OUTBOUND_PASS;
	ok(passed, "seven an hour, ten thousand times");
	outbound_free(&o);
}

static void
test_separate(void)
{
	struct outbound o;
	const struct outbound_limits l = { { 10, 0 } }, none = { { 0, 0 } };
	const struct outbound_limits huge = { { UINT64_MAX, INT64_MAX } };

	make(&o, 8);
	(void)many(&o, "a", &l, 30, 1, 0);
	ok(outbound_is_over(&o, "a", &l, 0) && !outbound_is_over(&o, "b", &l, 0)
	    && outbound_take(&o, "b", &l, 1, 0).verdict == OUTBOUND_PASS,
	    "one account does not slow another");
	ok(!outbound_is_over(&o, "a", &l, 6 * MINUTE) &&
	    outbound_is_over(&o, "a", &l, 5 * MINUTE),
	    "who is refused is heard again when one has drained");
	ok(many(&o, "d", &huge, 3, UINT64_MAX, 0).verdict == OUTBOUND_REFUSE &&
	    outbound_take(&o, "e", &huge, 1000000, 0).verdict == OUTBOUND_PASS,
	    "limits that nobody means overflow nothing");
	ok(many(&o, "c", &none, 100000, 1000, 0).verdict == OUTBOUND_PASS,
	    "no limit is no limit");
	ok(outbound_take(&o, "a", &none, 1, 0).verdict == OUTBOUND_PASS,
	    "a limit that was taken away counts at once");
	ok(outbound_take(&o, "a", &l, 1, 0).before == OUTBOUND_HOLD,
	    "the state until now is told");
	outbound_free(&o);
}

static void
test_bounded(void)
{
	struct outbound o;
	const struct outbound_limits l = { { 10, 0 } };
	char key[32];

	make(&o, 100);
	(void)many(&o, "busy", &l, 15, 1, 0);
	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		(void)outbound_take(&o, key, &l, 1, i);
		if (i % 50 == 0)
			(void)outbound_take(&o, "busy", &l, 1, i);
	}
	ok(o.count == 100, "a hundred thousand accounts in a hundred entries");
	ok(outbound_take(&o, "busy", &l, 1, 100000).verdict != OUTBOUND_PASS,
	    "the silent ones went, not the busy one");
	outbound_free(&o);
}

static void
test_day(void)
{
	struct outbound o;
	const int64_t noon = 100 * DAY + DAY / 2;
	struct outbound_time t = { noon, 20000, DAY / 2 };

	make(&o, 8);
	for (int i = 0; i < 5; i++)
		outbound_add_today(&o, "@d", &t);
	ok(outbound_today(&o, "@d", &t) == 5 &&
	    outbound_today(&o, "@e", &t) == 0, "five messages today");
	t = (struct outbound_time){ noon + DAY / 2, 20001, 0 };
	ok(outbound_today(&o, "@d", &t) == 0, "none after midnight");
	outbound_add_today(&o, "@d", &t);
	ok(outbound_today(&o, "@d", &t) == 1, "and one");
	t = (struct outbound_time){ noon + DAY / 2 + MINUTE, 20000, DAY - 1 };
	ok(outbound_today(&o, "@d", &t) == 1,
	    "a clock put back over midnight gives nothing away");
	t = (struct outbound_time){ noon + DAY / 2 + 2 * MINUTE, 23000, 0 };
	outbound_add_today(&o, "@d", &t);
	ok(outbound_today(&o, "@d", &t) == 2, "nor one years ahead");
	t = (struct outbound_time){ noon + 2 * DAY, 23002, DAY / 2 };
	outbound_add_today(&o, "@d", &t);
	t = (struct outbound_time){ noon + 3 * DAY, 20003, DAY / 2 };
	ok(outbound_today(&o, "@d", &t) == 0,
	    "a clock that comes back from there keeps no day for ever");
	outbound_free(&o);
}

/* What is shown of an hour. */
static void
test_hour(void)
{
	const struct outbound_limits l = { { 60, 120 } }, none = { { 0, 0 } };
	struct outbound_time t = { 70 * MINUTE, 20000, DAY / 2 };
	uint64_t used[OUTBOUND_WHATS];
	struct outbound o;

	make(&o, 8);
	outbound_hour(&o, "a", &l, 0, used);
	ok(used[0] == 0 && used[1] == 0, "of nobody nothing is used");
	(void)many(&o, "a", &l, 10, 3, 0);
	outbound_hour(&o, "a", &l, 0, used);
	ok(used[0] == 10 && used[1] == 30, "ten messages to three each");
	outbound_hour(&o, "a", &l, MINUTE / 2, used);
	ok(used[0] == 10 && used[1] == 29, "half a minute later: rounded up");
	outbound_hour(&o, "a", &l, 20 * MINUTE, used);
	ok(used[0] == 0 && used[1] == 0, "later all has drained");
	ok(outbound_take(&o, "a", &l, 1, 0).verdict == OUTBOUND_PASS &&
	    o.count == 1, "who is only asked about is not counted");
	/* Messages that no limit of the hour counts, and then one again. */
	(void)many(&o, "b", &l, 150, 1, 0);
	(void)outbound_take(&o, "b", &none, 1, t.now);
	outbound_add_today(&o, "b", &t);
	outbound_hour(&o, "b", &l, t.now, used);
	ok(used[0] == 80 && outbound_today(&o, "b", &t) == 1,
	    "the count of the day keeps nothing in the hour from draining: %"
	    PRIu64, used[0]);
	outbound_free(&o);
}

static struct str
written(const struct outbound *o, int64_t now, int64_t wall)
{
	struct str s = STR_INIT(OUTBOUND_FILE_MAX);

	outbound_encode(o, now, wall, &s);
	return s;
}

static void
test_file(void)
{
	const struct outbound_limits l = { { 60, 60 } };
	struct outbound o, p;
	struct outbound_time t = { 5 * DAY, 20000, DAY / 2 };
	struct str s;
	static const struct {
		int64_t wall;
		unsigned used;
		const char *what;
	} rows[] = {
		{ 1000000, 101, "a restart in the same second keeps all" },
		{ 1000000 + 600, 91, "ten minutes later ten have drained" },
		{ 1000000 + 365 * 86400, 1, "a year later nothing is left" },
		{ 0, 101, "a clock that was put back keeps all" },
		{ INT64_MIN, 101, "as far as can be" },
		{ INT64_MAX, 1, "or forward" },
	};

	make(&o, 8);
	(void)many(&o, "a@b", &l, 100, 1, t.now);
	outbound_add_today(&o, "@b", &t);
	s = written(&o, t.now, 1000000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Another start of the machine: its clock begins at 0. */
		struct outbound_time u = { 30000, 20000, DAY / 2 };
		struct outbound_answer a;
		int r;

		make(&p, 8);
		r = outbound_decode(&p, str_slice(&s), &u, rows[i].wall);
		a = outbound_take(&p, "a@b", &l, 1, u.now);
		ok(r == 0 && outbound_today(&p, "@b", &u) == 1 &&
		    (rows[i].used == 1 ? a.verdict == OUTBOUND_PASS :
		    a.used == rows[i].used), "%s", rows[i].what);
		u.day++;
		outbound_free(&p);
		make(&p, 8);
		ok(outbound_decode(&p, str_slice(&s), &u, rows[i].wall) == 0 &&
		    outbound_today(&p, "@b", &u) == 0, "the next day is new");
		outbound_free(&p);
	}
	str_free(&s);
	outbound_free(&o);
}

static void
test_damaged(void)
{
	const struct outbound_limits l = { { 60, 60 } };
	struct outbound o, p;
	struct outbound_time t = { 5 * DAY, 20000, 0 };
	struct str s;
	bool refused = true;

	make(&o, 8);
	make(&p, 8);
	(void)many(&o, "a@b", &l, 100, 1, t.now);
	s = written(&o, t.now, 1000000);
	for (size_t i = 0; i < s.len; i++) {
		s.p[i] ^= 1;
		refused = refused && outbound_decode(&p, str_slice(&s), &t,
		    1000000) == -1;
		s.p[i] ^= 1;
		refused = refused && outbound_decode(&p,
		    slice_make(s.p, i), &t, 1000000) == -1;
	}
	ok(refused && p.count == 0, "a file that is damaged or cut short");
	ok(outbound_decode(&p, str_slice(&s), &t, 1000000) == 0 &&
	    p.count == 1, "and whole");
	str_free(&s);
	outbound_free(&o);
	outbound_free(&p);
}

/* The clock of the test: who was told to be at ease. */
struct eased {
	struct outbound_limits limits;
	unsigned n;
};

static void
limits_of(void *arg, const char *key, struct outbound_limits *l)
{
	(void)key;
	*l = ((struct eased *)arg)->limits;
}

static void
on_eased(void *arg, const char *key)
{
	(void)key;
	((struct eased *)arg)->n++;
}

/* 1-06: a hold is told of once, and is over by itself. */
static void
test_eased(void)
{
	struct eased e = { .limits = { { 60, 0 } } };
	const struct outbound_watcher w = { limits_of, on_eased, &e };
	struct outbound_answer a;
	struct outbound o, p;
	struct outbound_time t = { 5 * DAY, 20000, 0 };
	struct str s;

	make(&o, 8);
	make(&p, 8);
	a = many(&o, "a@b", &e.limits, 121, 1, 0);
	ok(a.verdict == OUTBOUND_HOLD && a.is_first_held, "the first is held");
	a = many(&o, "a@b", &e.limits, 1, 1, 0);
	ok(a.verdict == OUTBOUND_HOLD && !a.is_first_held, "and the second");
	a = many(&o, "a@b", &e.limits, 1, 1, 30 * MINUTE);
	ok(a.verdict == OUTBOUND_SLOW, "then one is only slowed");
	a = many(&o, "a@b", &e.limits, 40, 1, 30 * MINUTE);
	ok(a.verdict == OUTBOUND_HOLD && !a.is_first_held,
	    "held anew before it was at ease: the same hold");
	s = written(&o, 30 * MINUTE, 1000000);
	t.now = 30 * MINUTE;
	ok(outbound_decode(&p, str_slice(&s), &t, 1000000) == 0 &&
	    !many(&p, "a@b", &e.limits, 1, 1, t.now).is_first_held,
	    "which the file knows");
	outbound_ease(&o, &w, 40 * MINUTE);
	ok(e.n == 0, "it is not over at once");
	outbound_ease(&o, &w, 180 * MINUTE);
	outbound_ease(&o, &w, 180 * MINUTE);
	ok(e.n == 1, "but without another message, and once");
	a = many(&o, "a@b", &e.limits, 1, 1, 180 * MINUTE);
	ok(a.verdict == OUTBOUND_PASS && a.before == OUTBOUND_PASS,
	    "and what comes next passes");
	a = many(&o, "a@b", &e.limits, 120, 1, 180 * MINUTE);
	ok(a.verdict == OUTBOUND_HOLD && a.is_first_held, "a new hold");
	e.limits.max[OUTBOUND_MESSAGES] = 1000;
	outbound_ease(&o, &w, 180 * MINUTE);
	ok(e.n == 2, "given more, it is over as well");
	str_free(&s);
	outbound_free(&o);
	outbound_free(&p);
}

int
main(void)
{
	test_rows();
	test_spread();
	test_steady();
	test_separate();
	test_bounded();
	test_day();
	test_hour();
	test_file();
	test_damaged();
	test_eased();
	return done();
}
