/* hasher.c - the thread that hashes passwords, so that nobody waits for it. */
/* SPDX-License-Identifier: ISC */

#include "registry/hasher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	struct hash_job *first, **end;
};

struct hasher {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queue waiting, done;
	int fd;
};

static void
append(struct queue *q, struct hash_job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
}

static struct hash_job *
take(struct queue *q)
{
	struct hash_job *j = q->first;

	if (j != NULL && (q->first = j->next) == NULL)
		q->end = &q->first;
	return j;
}

static void
work(struct hash_job *j)
{
	struct slice password = slice_make(j->password, j->password_len);

	j->verified = j->known[0] == '\0' ||
	    password_verify(slice_make(j->current, j->current_len),
	    slice_of(j->known));
	if (!j->verified || j->password_len == 0)
		return;
	j->failed = password_make(password, j->hash, j->scram) == -1;
}

static void *
run(void *arg)
{
	const uint64_t one = 1;
	struct hasher *h = arg;
	struct hash_job *j;

	for (;;) {
		pthread_mutex_lock(&h->lock);
		while ((j = take(&h->waiting)) == NULL)
			pthread_cond_wait(&h->work, &h->lock);
		pthread_mutex_unlock(&h->lock);
		work(j);
		pthread_mutex_lock(&h->lock);
		append(&h->done, j);
		pthread_mutex_unlock(&h->lock);
		/* Fails only when the counter is full: it is readable then. */
		if (write(h->fd, &one, sizeof(one)) == -1)
			continue;
	}
	return NULL;
}

struct hasher *
hasher_start(void)
{
	sigset_t all, before;
	struct hasher *h;
	pthread_t thread;
	int r;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->waiting.end = &h->waiting.first;
	h->done.end = &h->done.first;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->work, NULL);
	if ((h->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) == -1) {
		free(h);
		return NULL;
	}
	sigfillset(&all);	/* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, run, h);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		close(h->fd);
		free(h);
		errno = r;
		return NULL;
	}
	pthread_detach(thread);
	return h;
}

int
hasher_fd(const struct hasher *h)
{
	return h->fd;
}

void
hasher_submit(struct hasher *h, struct hash_job *j)
{
	pthread_mutex_lock(&h->lock);
	append(&h->waiting, j);
	pthread_cond_signal(&h->work);
	pthread_mutex_unlock(&h->lock);
}

struct hash_job *
hasher_done(struct hasher *h)
{
	struct hash_job *j;
	uint64_t n;

	pthread_mutex_lock(&h->lock);
	j = take(&h->done);
	/* The counter is emptied when the queue is: nothing is missed. */
	if (j == NULL && read(h->fd, &n, sizeof(n)) == -1)
		n = 0;
	pthread_mutex_unlock(&h->lock);
	return j;
}

void
hash_job_free(struct hash_job *j)
{
	if (j != NULL)
		explicit_bzero(j, sizeof(*j));
	free(j);
}
