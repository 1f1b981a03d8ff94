/* clock.c - a clock that a test moves. */
/* SPDX-License-Identifier: ISC */
/*
 * Linked into a program in the place of clock_gettime(). How many seconds
 * have passed beside the real ones is the first word of the file "clock" in the
 * folder of the program, and how many the wall clock alone is wrong the second.
 * The third, if it is not 0, is what the clock for durations has in the place of
 * the real seconds: then it stands but for the first. The fourth is how many
 * milliseconds of that clock pass with each look at it. Without that file the
 * clock is the real one. It is mapped before main, so that the sandbox needs no
 * right for it.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *passed;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

static void __attribute__((constructor))
map_clock(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	char *slash;
	void *page;
	int fd;

	if (n <= 0)
		return;
	path[n] = '\0';
	if ((slash = strrchr(path, '/')) == NULL ||
	    (size_t)(slash - path) > sizeof(path) - sizeof("/clock"))
		return;
	memcpy(slash, "/clock", sizeof("/clock"));
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	page = mmap(NULL, 4 * sizeof(*passed), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		passed = page;
}

static void
pass_by_look(struct timespec *ts)
{
	static int64_t ms;

	ms += passed[3];
	ts->tv_sec += ms / 1000;
	ts->tv_nsec += ms % 1000 * 1000000;
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_sec++;
		ts->tv_nsec -= 1000000000;
	}
}

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = __real_clock_gettime(id, ts);

	if (r == 0 && passed != NULL && id == CLOCK_MONOTONIC && passed[2] != 0)
		*ts = (struct timespec){ .tv_sec = passed[2] };
	if (r == 0 && passed != NULL && id == CLOCK_MONOTONIC)
		pass_by_look(ts);
	if (r == 0 && passed != NULL)
		ts->tv_sec += passed[0];
	if (r == 0 && passed != NULL && id == CLOCK_REALTIME)
		ts->tv_sec += passed[1];
	return r;
}
