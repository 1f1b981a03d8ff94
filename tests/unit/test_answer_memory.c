/* test_answer_memory.c - whom an account has answered, and when. */
/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/answer_memory.h"
#include "lib/fsx.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define NOW 1795219200
#define DAY 86400
#define SLOT 512
#define WORKERS 8
#define ROUNDS 100

static int folder;
static unsigned counter;

static struct answer_job
job(const char *sender, uint32_t days)
{
	struct answer_job j = {
		.recipient = 0, .account = "bob", .days = days, .since = 1000,
		.subject = SLICE("Absent"), .text = SLICE("Absent.\n")
	};

	snprintf(j.sender, sizeof(j.sender), "%s", sender);
	snprintf(j.id, sizeof(j.id), "0000000%04u-a", counter++);
	return j;
}

/* "yes", the word why not, or "error". */
static const char *
ask(const struct answer_job *j, int64_t now)
{
	const char *why;

	if (answer_remember(folder, j, now, &why) == -1)
		return "error";
	return why != NULL ? why : "yes";
}

static const char *
mail(const char *sender, uint32_t days, int64_t now)
{
	struct answer_job j = job(sender, days);

	return ask(&j, now);
}

static bool
is(const char *got, const char *want, const char *name)
{
	return ok(strcmp(got, want) == 0, "%s: %s", name, got);
}

static void
test_days(void)
{
	struct answer_job j;

	is(mail("zoe@free.test", 7, NOW), "yes", "8.4: a first letter");
	is(mail("zoe@free.test", 7, NOW + 1), "answered-before",
	    "8.4: a second one");
	is(mail("ZOE@Free.test", 7, NOW + 2), "answered-before",
	    "8.4: whatever its case");
	is(mail("yves@free.test", 7, NOW + 3), "yes", "8.4: somebody else");
	is(mail("zoe@free.test", 7, NOW + 7 * DAY - 1), "answered-before",
	    "8.4: before seven days");
	is(mail("zoe@free.test", 7, NOW + 7 * DAY), "yes",
	    "8.4: after seven days");
	is(mail("zoe@free.test", 1, NOW + 8 * DAY), "yes",
	    "8.4: one day, when that was set meanwhile");
	is(mail("zoe@free.test", 0, NOW + 400 * DAY), "answered-before",
	    "8.9: 0 days: once an absence");
	j = job("zoe@free.test", 0);
	j.since = 2000;
	is(ask(&j, NOW + 400 * DAY), "yes", "8.9: a new absence");
	j = job("zoe@free.test", 7);
	j.since = 2000;
	j.text = SLICE("Still away.\n");
	is(ask(&j, NOW + 400 * DAY), "yes", "8.4: a text that was changed");
	is(mail("max@free.test", 100, NOW), "yes", "8.4: 100 days are allowed");
	is(mail("max@free.test", 100, NOW + 99 * DAY), "answered-before",
	    "8.4: and kept");
	is(mail("max@free.test", 100, NOW - 2 * DAY), "yes",
	    "a clock that was wrong by days");
}

/* The report was lost: the same message is asked for again. */
static void
test_again(void)
{
	struct answer_job j = job("again@free.test", 7);

	is(ask(&j, NOW), "yes", "a message");
	is(ask(&j, NOW + 60), "yes", "the same one again, after a crash");
	is(ask(&j, NOW + 60), "yes", "and again");
	j.recipient++;
	is(ask(&j, NOW + 60), "answered-before",
	    "another recipient of it is another");
}

static void
test_ceilings(void)
{
	char sender[64];
	size_t given = 0;

	for (int i = 0; i < 60; i++) {
		snprintf(sender, sizeof(sender), "u%d@one.test", i);
		given += strcmp(mail(sender, 7, NOW + 10000), "yes") == 0;
	}
	ok(given == ANSWERS_HOUR_DOMAIN, "8.7: of one domain %zu an hour",
	    given);
	is(mail("late@one.test", 7, NOW + 10001), "ceiling-domain",
	    "8.7: and no more");
	for (int i = 0; i < 300; i++) {
		snprintf(sender, sizeof(sender), "u@d%d.test", i);
		given += strcmp(mail(sender, 7, NOW + 10002), "yes") == 0;
	}
	ok(given == ANSWERS_HOUR, "8.7: of one account %zu an hour", given);
	is(mail("late@two.test", 7, NOW + 10003), "ceiling",
	    "8.7: and no more");
	is(mail("late@two.test", 7, NOW + 10003 + 3600), "yes",
	    "8.7: who was not answered is in the next hour");
}

static void
test_many(void)
{
	char sender[64];
	struct stat st;
	size_t again = 0;

	for (int i = 0; i < 1400; i++) {
		snprintf(sender, sizeof(sender), "m%d@x%d.test", i, i % 100);
		(void)mail(sender, 7, NOW + 100000 + (int64_t)i * 60);
	}
	if (fstatat(folder, ANSWER_FOLDER "/bob", &st, 0) == -1)
		abort();
	ok(st.st_size == ANSWERS_KEPT * SLOT,
	    "1,400 senders: the file has %lld bytes", (long long)st.st_size);
	for (int i = 1400 - 1000; i < 1400; i++) {
		snprintf(sender, sizeof(sender), "m%d@x%d.test", i, i % 100);
		again += strcmp(mail(sender, 7, NOW + 100000 + 1400 * 60),
		    "answered-before") == 0;
	}
	ok(again == 1000, "8.4: the last 1,000 are remembered: %zu", again);
	is(mail("m0@x0.test", 7, NOW + 100000 + 1500 * 60), "yes",
	    "the oldest is forgotten");
}

/* A crash in the middle of a write: the slot is free, the others hold. */
static void
test_torn(void)
{
	unsigned char old[3 * SLOT], torn[3 * SLOT];
	int fd, bad = 0;

	for (int i = 0; i < 3; i++)
		(void)mail((const char *[]){ "a@x.test", "b@x.test",
		    "c@x.test" }[i], 7, NOW);
	fd = openat(folder, ANSWER_FOLDER "/bob", O_RDWR);
	if (fd == -1 || fsx_pread_all(fd, old, sizeof(old), 0) == -1)
		abort();
	for (size_t cut = 0; cut < SLOT; cut += 7) {
		memcpy(torn, old, sizeof(old));
		memset(torn + SLOT + cut, 0, SLOT - cut);
		torn[SLOT + cut] ^= 0x55;
		if (ftruncate(fd, 0) == -1 ||
		    fsx_pwrite_all(fd, torn, sizeof(torn), 0) == -1)
			abort();
		bad += strcmp(mail("a@x.test", 7, NOW), "answered-before") != 0;
		bad += strcmp(mail("c@x.test", 7, NOW), "answered-before") != 0;
		bad += strcmp(mail("b@x.test", 7, NOW), "yes") != 0;
		bad += strcmp(mail("b@x.test", 7, NOW), "answered-before") != 0;
	}
	ok(bad == 0, "a slot that a crash cut is free, the others hold");
	if (ftruncate(fd, 2 * SLOT + 100) == -1)
		abort();
	is(mail("c@x.test", 7, NOW), "yes", "a file that a crash cut");
	is(mail("a@x.test", 7, NOW), "answered-before", "holds the rest");
	close(fd);
}

/* A worker's share of letters that all workers get; how many it answers. */
static int
work(int start)
{
	char sender[64];
	int yes = 0;

	(void)!read(start, sender, 1);
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(sender, sizeof(sender), "race@d%d.test", i);
		yes += strcmp(mail(sender, 7, NOW), "yes") == 0;
	}
	return yes;
}

/* Several workers: of each sender's letters one is answered. */
static void
test_workers(void)
{
	int start[2], yes = 0, status;

	if (pipe(start) == -1)
		abort();
	for (unsigned i = 0; i < WORKERS; i++)
		if (fork() == 0) {
			close(start[1]);
			counter += 1000 * (i + 1);
			_exit(work(start[0]));
		}
	close(start[0]);
	close(start[1]);	/* all at once */
	for (unsigned i = 0; i < WORKERS; i++)
		if (wait(&status) != -1 && WIFEXITED(status))
			yes += WEXITSTATUS(status);
	ok(yes == ROUNDS, "8.4: %d workers, %d senders: %d answers", WORKERS,
	    ROUNDS, yes);
}

static void
test_names(void)
{
	struct answer_job j = job("zoe@free.test", 7);
	struct stat st;

	is(mail("first@free.test", 7, NOW), "yes", "an account");
	snprintf(j.account, sizeof(j.account), "../../etc");
	is(ask(&j, NOW), "error", "a name that leads elsewhere");
	snprintf(j.account, sizeof(j.account), "Carol");
	is(ask(&j, NOW), "error", "a name that is not canonical");
	snprintf(j.account, sizeof(j.account), "carol");
	if (symlinkat("/tmp/elsewhere", folder, ANSWER_FOLDER "/carol") == -1)
		abort();
	is(ask(&j, NOW), "error", "a link is not followed");
	ok(fstatat(folder, ANSWER_FOLDER, &st, 0) == 0 &&
	    (st.st_mode & 0777) == 0700, "its folder is its owner's");
}

int
main(void)
{
	static void (*const tests[])(void) = { test_days, test_again,
		test_ceilings, test_many, test_torn, test_workers, test_names };

	int top = scratch_open();

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		char name[16];

		snprintf(name, sizeof(name), "domain%zu", i);
		if (fsx_make_dir(top, name, 0700) == -1 ||
		    (folder = fsx_open_dir(top, name)) == -1)
			abort();
		tests[i]();
		close(folder);
	}
	return done();
}
