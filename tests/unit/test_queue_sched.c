/* test_queue_sched.c - lanes and slots: nobody is held up, nobody starves. */
/* SPDX-License-Identifier: ISC */
#include "queue/sched.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/tap.h"

static struct sched s;
static struct sched_dest *d;

static void
begin(void)
{
	if (sched_init(&s) == -1)
		abort();
	d = sched_dest(&s, 0, "x.test", 6, true);
}

/* n jobs of a message in a lane; its jobs, for the caller to free. */
static struct sched_job *
add(unsigned lane, size_t n, const char *owner)
{
	struct sched_job *jobs = calloc(n, sizeof(*jobs));

	for (size_t i = 0; i < n; i++)
		if (jobs == NULL ||
		    sched_add(&s, d, lane, (void *)(uintptr_t)owner, &jobs[i]) == -1)
			abort();
	return jobs;
}

/* How many jobs are taken until one of mine comes, that one included. */
static size_t
turns_until(const struct sched_job *mine, size_t n)
{
	struct sched_job *j;
	size_t turns = 0;

	while ((j = sched_take(&s, d)) != NULL) {
		turns++;
		sched_done(d);
		if (j >= mine && j < mine + n)
			return turns;
	}
	return 0;
}

static void
test_order(void)
{
	struct sched_job *a, *b;

	begin();
	a = add(0, 3, "a");
	b = add(0, 3, "b");
	ok(s.waiting == 6 && d->waiting == 6, "six jobs wait");
	ok(sched_take(&s, d) == &a[0] && sched_take(&s, d) == &a[1] &&
	    sched_take(&s, d) == &a[2] && sched_take(&s, d) == &b[0],
	    "equals in their order");
	ok(d->running == 4, "four are running");
	sched_cancel(&s, &b[1]);
	sched_cancel(&s, &b[1]);
	ok(sched_take(&s, d) == &b[2], "a job that was taken out is not sent");
	ok(sched_take(&s, d) == NULL && sched_peek(d) == NULL, "then nothing");
	free(a);
	free(b);
	sched_free(&s);
}

static void
test_slots(void)
{
	static struct sched_job letters_of[300];
	struct sched_job *huge, *letter, *other;
	size_t of_huge = 0, letters = 0;

	begin();
	huge = add(0, 1000, "huge");
	letter = add(0, 1, "letter");
	ok(turns_until(letter, 1) == 1, "a letter overtakes a huge message");
	free(letter);
	for (size_t i = 0; i < 300; i++) {
		struct sched_job *j;

		/* Each is a message of its own: its owner is itself. */
		if (sched_add(&s, d, 0, &letters_of[i],
		    &letters_of[i]) == -1)
			abort();
		j = sched_take(&s, d);
		sched_done(d);
		if (j >= huge && j < huge + 1000)
			of_huge++;
		else
			letters++;
	}
	ok(of_huge >= 150 && letters >= 90, "a stream of letters and the huge "
	    "one share: %zu to %zu", letters, of_huge);
	other = add(0, 500, "other");
	ok(turns_until(other, 500) > 500, "a message as huge waits its turn");
	free(other);
	free(huge);
	sched_free(&s);
}

static void
test_lanes(void)
{
	static const struct {
		unsigned busy, late;
		size_t at_most;
		const char *name;
	} rows[] = {
		{ 3, 0, 1, "a letter passes bulk mail at once" },
		{ 3, 1, 1, "a bounce passes bulk mail at once" },
		{ 2, 1, 1, "a bounce passes a list at once" },
		{ 0, 1, 9, "a bounce has its turn among letters" },
		{ 0, 3, 33, "bulk mail has its turn among letters" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sched_job *busy, *late;
		size_t turns;

		begin();
		busy = add(rows[i].busy, 200, "busy");
		late = add(rows[i].late, 1, "late");
		turns = turns_until(late, 1);
		ok(turns >= 1 && turns <= rows[i].at_most, "%s: %zu",
		    rows[i].name, turns);
		free(busy);
		free(late);
		sched_free(&s);
	}
}

static void
test_ready(void)
{
	struct sched_job *a, *b;

	begin();
	ok(sched_next_ready(&s) == NULL, "nothing waits, nothing is ready");
	a = add(0, 2, "a");
	ok(sched_next_ready(&s) == d, "a job makes its destination ready");
	ok(sched_next_ready(&s) == NULL, "once");
	sched_park(&s, d);
	b = add(1, 1, "b");
	ok(sched_next_ready(&s) == NULL, "parked: not ready whatever comes");
	sched_wake(&s, d);
	ok(sched_next_ready(&s) == d, "woken: ready");
	ok(sched_dest(&s, 0, "x.test", 6, false) == d, "found by its name");
	ok(sched_dest(&s, 1, "x.test", 6, false) == NULL, "and kind");
	free(a);
	free(b);
	sched_free(&s);
}

static void
test_many(void)
{
	struct sched_dest *last = NULL;
	char name[32];
	size_t n = 0;

	begin();
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(name, sizeof(name), "d%d.test", i);

		if (sched_dest(&s, 1, name, (size_t)len, true) == NULL)
			abort();
	}
	while ((last = sched_dest_next(&s, last)) != NULL)
		n++;
	ok(n == 5001 && s.dests == 5001, "5,001 destinations, each once");
	sched_dest_release(&s, d);
	ok(sched_dest(&s, 0, "x.test", 6, false) == NULL && s.dests == 5000,
	    "an idle one can be forgotten");
	sched_free(&s);
}

int
main(void)
{
	test_order();
	test_slots();
	test_lanes();
	test_ready();
	test_many();
	return done();
}
