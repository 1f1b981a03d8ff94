/* check.c - Q_CHECK: is there room in a mailbox? Asked while RCPT waits. */
/* SPDX-License-Identifier: ISC */
/*
 * Only a worker of the domain can see the mailbox. What it has told lately is
 * remembered; otherwise it is asked. Without an answer in ANSWER_TIME there is
 * room: the delivery will find out.
 */
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>

#define KNOWN 512		/* mailboxes remembered */
#define KNOWN_TIME 20000	/* ms */
#define QUESTIONS 256		/* waiting for a worker */
#define ANSWER_TIME 5000	/* ms */

struct usage {
	char mailbox[ADDR_TEXT_MAX];
	uint64_t bytes, messages;
	int64_t when;
};

struct question {
	struct conn *c;		/* NULL: free, or the connection is gone */
	struct destination d;
	uint64_t size;
	uint64_t tag;		/* 0: free */
	int64_t when;
};

static struct usage known[KNOWN];
static struct question questions[QUESTIONS];
static uint64_t last_tag;

static struct usage *
usage_of(const char *mailbox)
{
	return &known[crc_add(0, mailbox, strlen(mailbox)) % KNOWN];
}

static void
mailbox_text(char *out, struct slice local, struct slice domain)
{
	snprintf(out, ADDR_TEXT_MAX, "%.*s@%.*s", SLICE_FMT(local),
	    SLICE_FMT(domain));
}

void
check_used(struct manager *q, struct slice domain, struct slice local,
    uint64_t bytes, uint64_t messages)
{
	char mailbox[ADDR_TEXT_MAX];
	struct usage *u;

	mailbox_text(mailbox, local, domain);
	u = usage_of(mailbox);
	memcpy(u->mailbox, mailbox, sizeof(mailbox));
	u->bytes = bytes;
	u->messages = messages;
	u->when = q->now;
}

static void
answer(struct manager *q, struct conn *c, enum queue_result result,
    const char *enhanced, const char *text)
{
	unsigned char space[QUEUE_TEXT_MAX + 64];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_u8(&k, (uint8_t)result);
	pack_bytes(&k, slice_of(enhanced));
	pack_bytes(&k, slice_of(text));
	peer_answer(q, c, Q_CHECKED, &k);
}

static void
answer_usage(struct manager *q, struct conn *c, const struct destination *d,
    uint64_t size, uint64_t bytes, uint64_t messages)
{
	/* Room can be made in a mailbox, but no more than its quota. */
	if (d->quota_bytes > 0 && size > d->quota_bytes)
		answer(q, c, QUEUE_PERMANENT, "5.2.3",
		    "The message is bigger than this mailbox may ever be");
	else if ((d->quota_bytes > 0 && (bytes > d->quota_bytes ||
	    size > d->quota_bytes - bytes)) ||
	    (d->quota_messages > 0 && messages >= d->quota_messages))
		answer(q, c, QUEUE_TEMPORARY, "4.2.2",
		    "This mailbox is full: its owner must make room first");
	else
		answer(q, c, QUEUE_OK, "2.1.5", "There is room");
}

/* True when the question was put to a worker. */
static bool
ask(struct manager *q, struct conn *c, const struct destination *d,
    uint64_t size)
{
	struct question *free_one = NULL;

	for (size_t i = 0; i < QUESTIONS && free_one == NULL; i++)
		if (questions[i].tag == 0)
			free_one = &questions[i];
	if (free_one == NULL ||
	    local_measure(q, d, size, last_tag + 1) == -1)
		return false;
	*free_one = (struct question){
		.c = c, .d = *d, .size = size, .tag = ++last_tag,
		.when = q->now
	};
	c->pending++;
	return true;
}

int
check_room(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	struct slice address = unpack_text(&m->body, ADDR_TEXT_MAX - 1);
	uint64_t size = unpack_u64(&m->body);
	char mailbox[ADDR_TEXT_MAX];
	struct destination d;
	bool is_mailbox = false;
	struct usage *u;
	struct addr a;

	if (!unpack_end(&m->body))
		return -1;
	if (addr_parse(address, &a) != ADDR_OK ||
	    route_check(&q->tables, &a, q->conf.default_domain, &d,
	    &is_mailbox) != ROUTE_OK || !is_mailbox ||
	    (d.quota_bytes == 0 && d.quota_messages == 0)) {
		answer(q, c, QUEUE_OK, "2.1.5", "There is no limit");
		return 0;
	}
	mailbox_text(mailbox, slice_of(d.local), slice_of(d.domain));
	u = usage_of(mailbox);
	if (strcmp(u->mailbox, mailbox) == 0 && q->now - u->when < KNOWN_TIME)
		answer_usage(q, c, &d, size, u->bytes, u->messages);
	else if (!ask(q, c, &d, size))
		answer(q, c, QUEUE_OK, "2.1.5", "Not known now");
	return 0;
}

static void
settle(struct manager *q, struct question *question)
{
	struct conn *c = question->c;

	question->tag = 0;
	question->c = NULL;
	if (c != NULL)
		peer_settled(q, c);
}

void
check_measured(struct manager *q, uint64_t tag, bool ok, uint64_t bytes,
    uint64_t messages)
{
	struct question *one = NULL;

	for (size_t i = 0; i < QUESTIONS; i++)
		if (questions[i].tag == tag && tag != 0)
			one = &questions[i];
	if (one == NULL)
		return;
	if (ok)
		check_used(q, slice_of(one->d.domain), slice_of(one->d.local),
		    bytes, messages);
	if (one->c != NULL && ok)
		answer_usage(q, one->c, &one->d, one->size, bytes, messages);
	else if (one->c != NULL)
		answer(q, one->c, QUEUE_OK, "2.1.5", "Not known now");
	settle(q, one);
}

void
check_expire(struct manager *q)
{
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct question *one = &questions[i];

		if (one->tag == 0 || q->now - one->when < ANSWER_TIME)
			continue;
		if (one->c != NULL)
			answer(q, one->c, QUEUE_OK, "2.1.5", "Not known now");
		settle(q, one);
	}
}

void
check_conn_closed(struct conn *c)
{
	for (size_t i = 0; i < QUESTIONS; i++)
		if (questions[i].c == c && questions[i].tag != 0) {
			questions[i].c = NULL;
			c->pending--;
		}
}
