/* local_batch.c - what a worker of malle-local is given at a time. */
/* SPDX-License-Identifier: ISC */
#include "queue/local.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/log.h"
#include "queue/answer.h"

static bool
is_suspect(struct sched_job *job)
{
	struct active *a = recipient_of(job)->active;

	return a->m->is_suspect;
}

static void
copy_text(char *dst, struct slice s)
{
	/* The parser of the envelope has checked the lengths. */
	memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
}

static void
fill_job(struct local_job *j, const struct active *a,
    const struct recipient *r)
{
	j->offset = a->h.content_offset;
	j->length = a->h.content_length;
	memcpy(j->id, a->m->id, sizeof(a->m->id));
	j->recipient = (uint32_t)(r - a->e->recipients);
	copy_text(j->sender, a->e->sender);
	copy_text(j->delivered_to, a->e->originals[r->original].address);
	copy_text(j->mailbox, r->folder != NULL ? slice_of(r->folder) :
	    r->local);
	copy_text(j->detail, r->detail);
	j->quota_bytes = r->quota_bytes;
	j->quota_messages = r->quota_messages;
	j->warning = r->quota_warning;
	memcpy(j->language, r->language, sizeof(j->language));
	copy_text(j->account, r->local);
	j->is_stray = r->is_stray;
}

/* Jobs on their way into one message. */
struct batch {
	struct packer k;
	int fds[LOCAL_BATCH];
	struct slot *slots[LOCAL_BATCH];
	struct active *last;	/* whose descriptor is the last one */
	uint16_t n;
};

/* The recipient's slot among the free ones of w. */
static struct slot *
slot_take(struct worker *w, uint8_t number, struct recipient *r)
{
	size_t i = 0;

	while (w->slots[i].r != NULL)
		i++;
	w->slots[i].r = r;
	w->slots[i].batch = number;
	w->in_batch[number]++;
	w->running++;
	r->is_running = true;
	return &w->slots[i];
}

static uint64_t
tag_of(const struct worker *w, const struct slot *s)
{
	return (uint64_t)s->turn * SLOTS + (uint64_t)(s - w->slots);
}

static int
open_message(struct manager *q, const struct active *a)
{
	int fd = store_file(&q->store, a->m->id, O_RDONLY);

	if (fd == -1)
		log_error(a->m->id, "error", "what=open error=%s",
		    LOGS(strerror(errno)));
	return fd;
}

/* Puts one job into the batch. -1: its file cannot be opened. */
static int
batch_add(struct manager *q, struct worker *w, struct batch *b, uint8_t number,
    struct recipient *r)
{
	struct active *a = r->active;
	struct local_job j = { .tag = 0 };
	int fd = b->last == a ? b->fds[b->n - 1] : open_message(q, a);
	struct slot *s;

	if (fd == -1)
		return -1;
	s = slot_take(w, number, r);
	fill_job(&j, a, r);
	j.tag = tag_of(w, s);
	local_job_pack(&b->k, &j);
	b->fds[b->n] = fd;
	b->slots[b->n++] = s;
	b->last = a;
	return 0;
}

static void
batch_fill(struct manager *q, struct worker *w, struct batch *b,
    uint8_t number)
{
	struct sched_job *job;

	while (b->n < LOCAL_BATCH &&
	    (job = sched_peek(w->dest)) != NULL) {
		/* A suspect goes alone, to a worker that has nothing else. */
		if ((is_suspect(job) && w->running > 0) ||
		    recipient_of(job)->kind == RCPT_ANSWER)
			return;
		job = sched_take(&q->sched, w->dest);
		if (batch_add(q, w, b, number, recipient_of(job)) == -1) {
			sched_done(w->dest);
			life_back(q, recipient_of(job), BACKOFF_MAX);
			continue;
		}
		if (is_suspect(job)) {
			w->is_alone = true;
			return;
		}
	}
}

static void
batch_close(struct batch *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		if (i == 0 || b->fds[i] != b->fds[i - 1])
			close(b->fds[i]);
}

/* The next job, an answer, in a message of its own: its texts are long. False
 * when the worker cannot be given anything. */
bool
local_send_answer(struct manager *q, struct worker *w, uint8_t number)
{
	static unsigned char space[IPC_MAX];
	struct recipient *r;
	struct packer k;
	struct slot *s;
	int fd, sent;

	if (is_suspect(sched_peek(w->dest)) && w->running > 0)
		return false;
	r = recipient_of(sched_take(&q->sched, w->dest));
	if ((fd = open_message(q, r->active)) == -1) {
		sched_done(w->dest);
		life_back(q, r, BACKOFF_MAX);
		return true;
	}
	s = slot_take(w, number, r);
	pack_init(&k, space, sizeof(space) - 2);
	if (answer_pack(q, r, tag_of(w, s), &k) == -1) {
		local_slot_free(w, s);
		close(fd);
		return true;
	}
	w->is_alone = is_suspect(&r->job);
	sent = ipc_send(w->watch.fd, L_ANSWER, &k, &fd, 1);
	close(fd);
	if (sent == 0) {
		w->served++;
		w->last = q->now;
		return true;
	}
	local_slot_free(w, s);
	life_back(q, r, BACK_DELAY);
	return false;
}

bool
local_send_batch(struct manager *q, struct worker *w, uint8_t number)
{
	static unsigned char space[IPC_MAX];
	struct batch b = { .n = 0 };
	int r;

	pack_init(&b.k, space, sizeof(space) - 2);
	pack_u16(&b.k, 0);
	pack_u32(&b.k, (uint32_t)manager_east(q, w->dest->key));
	batch_fill(q, w, &b, number);
	if (b.n == 0)
		return false;
	space[0] = (unsigned char)b.n;
	r = ipc_send(w->watch.fd, L_BATCH, &b.k, b.fds, b.n);
	batch_close(&b);
	if (r == 0) {
		w->served++;
		w->last = q->now;
		return true;
	}
	for (uint16_t i = 0; i < b.n; i++) {
		struct recipient *recipient = b.slots[i]->r;

		local_slot_free(w, b.slots[i]);
		life_back(q, recipient, BACK_DELAY);
	}
	return false;
}
