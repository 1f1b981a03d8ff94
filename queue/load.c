/* load.c - what a restart makes of the files: malle-queue(5), legal states. */
/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/log.h"
#include "queue/hold.h"
#include "queue/retry.h"
#include "queue/told.h"

struct loading {
	struct manager *q;
	unsigned shard;
	uint32_t removed, corrupt, held;
	bool failed;
};

/* Seconds that the message has lived through, as far as it is known. */
static int64_t
lived(const struct manager *q, const struct message_state *s)
{
	int64_t now = q->now / 1000;
	uint64_t lived = s->lived < INT32_MAX ? s->lived : INT32_MAX;

	if (memcmp(s->boot_id, q->boot_id, BOOT_ID_LEN) != 0)
		return (int64_t)lived + now;
	return (int64_t)lived + (now > s->boottime ? now - s->boottime : 0);
}

static void
enter(struct loading *l, const char *id, const struct store_head *head)
{
	struct manager *q = l->q;
	const struct header *h = &head->header;
	struct message *m = index_add(&q->index, id, (uint8_t)h->lane);

	if (m == NULL) {
		log_error(id, "error", "what=load error=%s",
		    LOGS(strerror(errno)));
		l->failed = true;
		return;
	}
	m->arrival = h->arrival;
	m->born = q->now / 1000 - lived(q, &head->state);
	m->notice = h->notice;
	m->size = (uint32_t)(h->content_length / 1024);
	m->recipients = (uint16_t)(h->recipients < UINT16_MAX ?
	    h->recipients : UINT16_MAX);
	m->kills = (uint8_t)(head->state.kills < KILLS_MAX ?
	    head->state.kills : KILLS_MAX);
	m->is_suspect = m->kills > 0;
	m->is_held = head->state.held;
	m->owes_notice = head->state.owes_notice;
	if (m->is_held) {
		l->held++;
		return;
	}
	index_schedule(&q->index, m, q->now + (int64_t)retry_remaining(
	    head->state.due, q->wall, q->conf.retry_max) * 1000);
}

static void
found(void *arg, const char *id, const char *name)
{
	struct loading *l = arg;
	struct store *s = &l->q->store;
	enum header_verdict verdict;
	struct store_head head;
	int fd;

	if (id == NULL) {
		log_notice(NULL, "stray", "shard=%02x name=%s", l->shard,
		    LOGS(name));
		return;
	}
	fd = store_file(s, id, O_RDONLY);
	if (fd == -1 || store_read_head(fd, &head, &verdict) == -1) {
		/* A bad sector keeps one message from its recipients, not all
		 * the others; a lack of descriptors or memory passes, and then
		 * nothing may be left out: the start is tried again. */
		l->failed |= errno != EIO;
		log_error(id, "error", "what=load error=%s",
		    LOGS(strerror(errno)));
		if (fd != -1)
			close(fd);
		return;
	}
	close(fd);
	switch (verdict) {
	case HEADER_OK:
		enter(l, id, &head);
		break;
	case HEADER_INCOMPLETE:
		/* S1: never acknowledged. */
		(void)store_remove(s, id);
		l->removed++;
		break;
	case HEADER_DAMAGED:
		log_error(id, "corrupt", "folder=queue/corrupt why=%s",
		    LOGS("the checksum of the header is wrong"));
		if (store_move(s, id, s->corrupt) == -1)
			log_error(id, "error", "what=move error=%s",
			    LOGS(strerror(errno)));
		l->corrupt++;
		break;
	}
}

int
life_load(struct manager *q)
{
	struct loading l = { .q = q };

	for (l.shard = 0; l.shard < ID_SHARDS; l.shard++)
		if (store_scan(&q->store, l.shard, found, &l) == -1) {
			log_error(NULL, "error", "what=scan error=%s",
			    LOGS(strerror(errno)));
			return -1;
		}
	told_recall(q);
	hold_recall(q);
	manager_clocks(q);
	log_info(NULL, "loaded", "messages=%u held=%u removed=%u corrupt=%u",
	    q->index.count, l.held, l.removed, l.corrupt);
	return l.failed ? -1 : 0;
}
