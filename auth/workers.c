/* workers.c - the threads that do the slow hashing for malle-authd. */
/* SPDX-License-Identifier: ISC */

#include "auth/workers.h"

#include <sys/eventfd.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A hash needs little stack; libcrypt's big buffers are on the heap. */
#define STACK_SIZE (256 * 1024)

static void
queue_init(struct lane_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->n = 0;
}

static void
queue_put(struct lane_queue *q, struct job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
	q->n++;
}

static struct job *
queue_take(struct lane_queue *q)
{
	struct job *job = q->first;

	if (job == NULL)
		return NULL;
	q->first = job->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->n--;
	return job;
}

struct job *
job_new(enum job_kind kind, struct slice password, const char *hash)
{
	struct job *job;

	if (password.len > PASSWORD_MAX ||
	    strlen(hash) >= PASSWORD_HASH_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if ((job = calloc(1, sizeof(*job))) == NULL)
		return NULL;
	job->kind = kind;
	memcpy(job->password, password.p, password.len);
	job->password_len = password.len;
	memcpy(job->hash, hash, strlen(hash) + 1);
	return job;
}

void
job_free(struct job *job)
{
	if (job == NULL)
		return;
	explicit_bzero(job, sizeof(*job));
	free(job);
}

static void
work(struct job *job)
{
	struct slice password = slice_make(job->password, job->password_len);

	switch (job->kind) {
	case JOB_VERIFY:
		job->right = password_verify(password, slice_of(job->hash));
		job->unknown = !job->right && errno == ENOMEM;
		break;
	case JOB_UPGRADE:
		job->made = !password_hash_is_current(slice_of(job->hash)) &&
		    password_hash(password, job->new_hash) == 0;
		job->has_scram = scram_keys_make(password, &job->scram) == 0;
		break;
	}
}

static struct job *
next_job(struct workers *w)
{
	struct job *job;

	for (;;) {
		for (int lane = 0; lane < LANES; lane++)
			if ((job = queue_take(&w->lanes[lane])) != NULL)
				return job;
		pthread_cond_wait(&w->wake, &w->lock);
	}
}

/* Nobody else would tell it: tried until it is told, or knows already. */
static void
wake_main(const struct workers *w)
{
	static const struct timespec pause = { .tv_nsec = 10000000 };
	const uint64_t one = 1;

	while (write(w->event_fd, &one, sizeof(one)) == -1 && errno != EAGAIN)
		nanosleep(&pause, NULL);
}

static void *
worker(void *arg)
{
	struct workers *w = arg;
	struct job *job;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		job = next_job(w);
		pthread_mutex_unlock(&w->lock);
		work(job);
		pthread_mutex_lock(&w->lock);
		queue_put(&w->finished, job);
		pthread_mutex_unlock(&w->lock);
		wake_main(w);
		pthread_mutex_lock(&w->lock);
	}
	return NULL;
}

int
workers_start(struct workers *w)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int error = 0;

	for (int i = 0; i < LANES; i++)
		queue_init(&w->lanes[i]);
	queue_init(&w->finished);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	if ((w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (int i = 0; i < WORKERS && error == 0; i++)
		error = pthread_create(&thread, &attr, worker, w);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return error == 0 ? 0 : -1;
}

int
workers_put(struct workers *w, enum lane lane, struct job *job)
{
	int r = -1;

	pthread_mutex_lock(&w->lock);
	if (w->lanes[lane].n < WORKERS_WAITING_MAX) {
		queue_put(&w->lanes[lane], job);
		pthread_cond_signal(&w->wake);
		r = 0;
	}
	pthread_mutex_unlock(&w->lock);
	if (r == -1)
		errno = EAGAIN;
	return r;
}

struct job *
workers_take(struct workers *w)
{
	struct job *job;

	pthread_mutex_lock(&w->lock);
	job = queue_take(&w->finished);
	pthread_mutex_unlock(&w->lock);
	return job;
}
