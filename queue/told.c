/* told.c - what a notice in the queue says of the message that it is about. */
/* SPDX-License-Identifier: ISC */
/*
 * A notice is durable before the recipients of its message are marked as told:
 * else a crash could leave them untold. Between the two a crash would have
 * them told again; therefore the notice itself names whom it tells of, and a
 * restart makes good what is missing in the message.
 *
 * Order: the marks are durable before the notice leaves the queue.
 */
#include "queue/told.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/log.h"

void
told_records(const struct conn *c, struct str *out)
{
	const uint32_t *numbers;
	uint32_t n = notice_numbers(c, &numbers);

	for (uint32_t i = 0; i < n; ) {
		uint32_t first = numbers[i], count = 1;

		while (i + count < n && numbers[i + count] == first + count)
			count++;
		record_told(out, (uint8_t)notice_kind(c), first, count);
		i += count;
	}
}

static void
mark(struct active *original, const struct envelope *notice)
{
	uint32_t all = original->e->n_recipients;

	for (uint32_t i = 0; i < notice->n_tolds; i++) {
		const struct told *t = &notice->tolds[i];

		for (uint32_t n = t->first; n < all && n - t->first < t->count;
		    n++)
			notice_mark(original, n, (enum bounce_kind)t->kind);
	}
}

/* One notice: its message is marked, when it is still there. */
static void
recall(struct manager *q, struct message *m)
{
	struct active *notice = life_open(q, m, false), *a;
	struct message *original;

	if (notice == NULL)
		return;
	original = notice->e->n_tolds > 0 ?
	    index_find(&q->index, notice->e->about) : NULL;
	if (original != NULL && original != m &&
	    (a = life_open(q, original, false)) != NULL) {
		mark(a, notice->e);
		if (a->is_dirty)
			life_save(q, a);
		life_free_active(q, a);
	}
	life_free_active(q, notice);
}

void
told_recall(struct manager *q)
{
	for (uint32_t i = 0; i < q->index.slots; i++) {
		struct message *m = index_slot(&q->index, i);

		if (m != NULL && m->notice != 0)
			recall(q, m);
	}
}

void
told_leaves(struct manager *q, const struct active *a)
{
	const struct message *m;
	int fd;

	if (a->e->n_tolds == 0 ||
	    (m = index_find(&q->index, a->e->about)) == NULL)
		return;
	fd = store_file(&q->store, m->id, O_RDWR);
	if (fd == -1)
		return;
	if (fdatasync(fd) == -1)
		log_error(m->id, "error", "what=sync error=%s",
		    LOGS(strerror(errno)));
	close(fd);
}
