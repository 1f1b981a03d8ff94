/* sync.c - group commit: one thread makes files and their names durable. */
/* SPDX-License-Identifier: ISC */
/*
 * Whatever is handed over while the disk is busy is made durable together by
 * the next round, without any deliberate delay. A round is one syncfs(), or
 * fsync() of each file and each folder when that is cheaper: a file that comes
 * alone, or a filesystem on which somebody else writes much. Which is cheaper
 * is measured.
 *
 * Order: the item's error is set before it appears in done. A sync that fails
 * is final for every file of its round: the kernel may have dropped the pages,
 * and a second sync would lie.
 */
#include "queue/sync.h"

#include <sys/eventfd.h>
#include <sys/utsname.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

#define DIRS_MAX 64		/* folders of a round worth remembering */

/* Linux 5.8 is the first whose syncfs() reports errors of writing back. */
static bool
kernel_has_syncfs(void)
{
	struct utsname u;
	unsigned major, minor;

	return uname(&u) == 0 &&
	    sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major > 5 || (major == 5 && minor >= 8));
}

/* Everything of the filesystem, once. */
static void
sync_all(struct sync *s, struct sync_items *round)
{
	struct sync_item *i;
	int error = syncfs(s->dirfd) == -1 ? errno : 0;

	STAILQ_FOREACH(i, round, link)
		i->error = error;
	s->syncs++;
}

static bool
seen(const int *dirs, size_t n, int dirfd)
{
	for (size_t i = 0; i < n; i++)
		if (dirs[i] == dirfd)
			return true;
	return false;
}

/* True when something is not a file that could be synced by itself. */
static bool
has_changes(const struct sync_items *round)
{
	const struct sync_item *i;

	STAILQ_FOREACH(i, round, link)
		if (i->fd == -1)
			return true;
	return false;
}

/* Each file, then each folder once. */
static void
sync_each(struct sync *s, struct sync_items *round)
{
	int dirs[DIRS_MAX], error = 0;
	size_t n_dirs = 0;
	struct sync_item *i;

	STAILQ_FOREACH(i, round, link) {
		i->error = (i->fd != -1 ? fsync(i->fd) :
		    syncfs(s->dirfd)) == -1 ? errno : 0;
		s->syncs++;
	}
	STAILQ_FOREACH(i, round, link) {
		if (i->fd == -1 || seen(dirs, n_dirs, i->dirfd))
			continue;
		if (n_dirs < DIRS_MAX)
			dirs[n_dirs++] = i->dirfd;
		if (fsync(i->dirfd) == -1)
			error = errno;
		s->syncs++;
	}
	STAILQ_FOREACH(i, round, link)
		if (error != 0)
			i->error = error;
}

static void
do_round(struct sync *s, struct sync_items *round)
{
	int64_t start = clock_us();
	struct sync_item *i;
	size_t n = 0;
	bool all;

	STAILQ_FOREACH(i, round, link)
		n++;
	s->groups++;
	s->files += n;
	all = s->has_syncfs &&
	    (has_changes(round) || sync_costs_all(&s->costs, n));
	if (all)
		sync_all(s, round);
	else
		sync_each(s, round);
	sync_costs_took(&s->costs, all, n,
	    (uint64_t)(clock_us() - start));
}

/* Nobody else would tell it: tried until it is told, or knows already. */
static void
wake_main(const struct sync *s)
{
	static const struct timespec pause = { 0, 10000000 };
	uint64_t one = 1;

	while (write(s->event, &one, sizeof(one)) == -1 && errno != EAGAIN)
		nanosleep(&pause, NULL);
}

static void *
work(void *arg)
{
	struct sync *s = arg;
	struct sync_items round;

	pthread_mutex_lock(&s->mutex);
	for (;;) {
		bool was_empty;

		while (STAILQ_EMPTY(&s->waiting) && !s->stop) {
			s->is_idle = true;
			pthread_cond_wait(&s->work, &s->mutex);
		}
		s->is_idle = false;
		if (STAILQ_EMPTY(&s->waiting))
			break;
		STAILQ_INIT(&round);
		STAILQ_CONCAT(&round, &s->waiting);
		pthread_mutex_unlock(&s->mutex);
		do_round(s, &round);
		pthread_mutex_lock(&s->mutex);
		was_empty = STAILQ_EMPTY(&s->done);
		STAILQ_CONCAT(&s->done, &round);
		pthread_mutex_unlock(&s->mutex);
		if (was_empty)
			wake_main(s);
		pthread_mutex_lock(&s->mutex);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

int
sync_start(struct sync *s, int dirfd)
{
	sigset_t all, old;
	int error;

	memset(s, 0, sizeof(*s));
	STAILQ_INIT(&s->waiting);
	STAILQ_INIT(&s->done);
	STAILQ_INIT(&s->next);
	s->dirfd = dirfd;
	s->has_syncfs = kernel_has_syncfs();
	s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event == -1)
		return -1;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->work, NULL);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&s->thread, NULL, work, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0) {
		close(s->event);
		errno = error;
		return -1;
	}
	return 0;
}

void
sync_submit(struct sync *s, struct sync_item *i)
{
	i->error = 0;
	STAILQ_INSERT_TAIL(&s->next, i, link);
}

void
sync_flush(struct sync *s)
{
	bool wake;

	if (STAILQ_EMPTY(&s->next))
		return;
	pthread_mutex_lock(&s->mutex);
	STAILQ_CONCAT(&s->waiting, &s->next);
	wake = s->is_idle;
	pthread_mutex_unlock(&s->mutex);
	if (wake)
		pthread_cond_signal(&s->work);
}

void
sync_collect(struct sync *s, struct sync_items *out)
{
	uint64_t n;

	if (read(s->event, &n, sizeof(n)) == -1 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&s->mutex);
	STAILQ_CONCAT(out, &s->done);
	pthread_mutex_unlock(&s->mutex);
}

void
sync_stop(struct sync *s)
{
	sync_flush(s);
	pthread_mutex_lock(&s->mutex);
	s->stop = true;
	pthread_mutex_unlock(&s->mutex);
	pthread_cond_signal(&s->work);
	pthread_join(s->thread, NULL);
}
