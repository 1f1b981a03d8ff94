/* answer_memory.c - whom an account has answered, and when. */
/* SPDX-License-Identifier: ISC */

/*
 * A file for each account in .answers of the domain's folder: ANSWERS_KEPT
 * slots of SLOT_LEN bytes, written one at a time, each with its own sum: a slot
 * that a crash cut, or that was never written, is free.
 *
 * Order: locked, read, one slot written and synced, unlocked; only then the
 * answer goes to the queue. A crash in between loses no answer: the job comes
 * again, with the same id, and that id is in the slot.
 * Limits: ANSWERS_KEPT * SLOT_LEN bytes of disk for an account.
 */

#include "deliver/answer_memory.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/fsx.h"

#define SLOT_LEN 512		/* a sector: written whole or not at all */
#define HOUR 3600
#define DAY 86400
#define LOCK_TRIES 100
#define LOCK_PAUSE 20000000	/* ns */

/* One sender. */
struct slot {
	int64_t when;
	uint64_t key;
	char sender[ADDR_TEXT_MAX];	/* in lower case */
	char id[QUEUE_ID_MAX + 1];	/* of the message that was answered */
	uint32_t recipient;
};

/* FNV-1a: against torn slots, not against anybody. */
static uint64_t
sum(uint64_t h, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}
#define SUM_BEGIN 14695981039346656037u

uint64_t
answer_key(const struct answer_job *j)
{
	uint64_t h = sum(SUM_BEGIN, &j->since, sizeof(j->since));

	h = sum(h, j->subject.p, j->subject.len);
	h = sum(h, "\n", 1);
	return sum(h, j->text.p, j->text.len);
}

static void
slot_encode(const struct slot *s, unsigned char out[SLOT_LEN])
{
	struct packer k;

	memset(out, 0, SLOT_LEN);
	pack_init(&k, out + 8, SLOT_LEN - 8);
	pack_u64(&k, (uint64_t)s->when);
	pack_u64(&k, s->key);
	pack_bytes(&k, slice_of(s->sender));
	pack_bytes(&k, slice_of(s->id));
	pack_u32(&k, s->recipient);
	pack_init(&k, out, 8);
	pack_u64(&k, sum(SUM_BEGIN, out + 8, SLOT_LEN - 8));
}

/* False: free, or damaged, which is the same. */
static bool
slot_decode(const unsigned char in[SLOT_LEN], struct slot *out)
{
	struct unpacker u;

	unpack_init(&u, slice_make(in, SLOT_LEN));
	if (unpack_u64(&u) != sum(SUM_BEGIN, in + 8, SLOT_LEN - 8))
		return false;
	out->when = (int64_t)unpack_u64(&u);
	out->key = unpack_u64(&u);
	unpack_cstr(&u, out->sender, sizeof(out->sender));
	unpack_cstr(&u, out->id, sizeof(out->id));
	out->recipient = unpack_u32(&u);
	return !u.bad && out->sender[0] != '\0';
}

/* What the slots tell about one job. */
struct view {
	size_t place;		/* where the job is noted: its sender's slot, a
				 * free one, or the oldest */
	bool has_own, has_free;
	struct slot own;	/* the sender's */
	int64_t oldest;
	unsigned hour, hour_domain;
};

static const char *
domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at : address;
}

static void
look_at(struct view *v, size_t place, const unsigned char bytes[SLOT_LEN],
    const char *sender, int64_t now)
{
	struct slot s;

	if (!slot_decode(bytes, &s)) {
		if (!v->has_own && !v->has_free)
			v->place = place;
		v->has_free = true;
		return;
	}
	/* A clock that was set back: what lies ahead is not in this hour. */
	if (s.when <= now && now - s.when < HOUR) {
		v->hour++;
		v->hour_domain += strcmp(domain_of(s.sender),
		    domain_of(sender)) == 0;
	}
	if (strcmp(s.sender, sender) == 0) {
		v->has_own = true;
		v->own = s;
		v->place = place;
	} else if (!v->has_own && !v->has_free && s.when < v->oldest) {
		v->oldest = s.when;
		v->place = place;
	}
}

/* Reads all slots. 0, or -1 with errno. */
static int
view_file(int fd, const char *sender, int64_t now, struct view *v)
{
	static unsigned char bytes[64 * SLOT_LEN];
	unsigned char none[SLOT_LEN] = { 0 };
	struct stat st;
	size_t n, at = 0;

	if (fstat(fd, &st) == -1)
		return -1;
	n = (size_t)st.st_size / SLOT_LEN;
	if (n > ANSWERS_KEPT)
		n = ANSWERS_KEPT;
	*v = (struct view){ .oldest = INT64_MAX };
	while (at < n) {
		size_t some = n - at < 64 ? n - at : 64;

		if (fsx_pread_all(fd, bytes, some * SLOT_LEN,
		    (off_t)(at * SLOT_LEN)) == -1)
			return -1;
		for (size_t i = 0; i < some; i++)
			look_at(v, at + i, bytes + i * SLOT_LEN, sender, now);
		at += some;
	}
	if (n < ANSWERS_KEPT)
		look_at(v, n, none, sender, now);
	return 0;
}

/* NULL when an answer is due. */
static const char *
judge(const struct view *v, const struct answer_job *j, int64_t now)
{
	bool is_again = v->has_own && v->own.key == answer_key(j);
	int64_t age = now - v->own.when;

	/* More than a day ahead of the clock, it was written by a wrong one. */
	if (is_again && (j->days == 0 ||
	    (age > -DAY && age < (int64_t)j->days * DAY)))
		return "answered-before";
	if (v->hour >= ANSWERS_HOUR)
		return "ceiling";
	if (v->hour_domain >= ANSWERS_HOUR_DOMAIN)
		return "ceiling-domain";
	return NULL;
}

/* The sender as it is compared. */
static void
lower(const char *from, char out[ADDR_TEXT_MAX])
{
	size_t i = 0;

	for (; from[i] != '\0'; i++)
		out[i] = from[i] >= 'A' && from[i] <= 'Z' ?
		    (char)(from[i] | 0x20) : from[i];
	out[i] = '\0';
}

static int
note(int fd, size_t place, const struct answer_job *j, const char *sender,
    int64_t now)
{
	unsigned char bytes[SLOT_LEN];
	struct slot s = { .when = now, .key = answer_key(j),
	    .recipient = j->recipient };

	memcpy(s.sender, sender, strlen(sender) + 1);
	memcpy(s.id, j->id, sizeof(s.id));
	slot_encode(&s, bytes);
	if (fsx_pwrite_all(fd, bytes, sizeof(bytes),
	    (off_t)(place * SLOT_LEN)) == -1)
		return -1;
	return fsync(fd);
}

/* Waits for another worker; whoever holds it for long is none. */
static int
lock(int fd)
{
	const struct timespec pause = { 0, LOCK_PAUSE };

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) == -1; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (i == LOCK_TRIES) {
			errno = EBUSY;
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* The file of an account, made with its folder when it is not there. */
static int
open_file(int mailfd, const char *account)
{
	int dir, fd, saved;

	if ((dir = fsx_open_dir(mailfd, ANSWER_FOLDER)) == -1) {
		if (errno != ENOENT ||
		    fsx_make_dir(mailfd, ANSWER_FOLDER, 0700) == -1 ||
		    fsx_sync_dir(mailfd) == -1 ||
		    (dir = fsx_open_dir(mailfd, ANSWER_FOLDER)) == -1)
			return -1;
	}
	fd = openat(dir, account, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT) {
		fd = openat(dir, account, O_RDWR | O_CREAT | O_NOFOLLOW |
		    O_CLOEXEC, 0600);
		if (fd != -1 && fsx_sync_dir(dir) == -1) {
			saved = errno;
			close(fd);
			fd = -1;
			errno = saved;
		}
	}
	saved = errno;
	close(dir);
	errno = saved;
	return fd;
}

int
answer_remember(int mailfd, const struct answer_job *j, int64_t now,
    const char **why)
{
	char account[ADDR_LOCAL_MAX + 1], sender[ADDR_TEXT_MAX];
	struct view v;
	int fd, r = -1, saved;

	/* Never a path that is not an account's name. */
	if (addr_account(slice_of(j->account), account) == -1 ||
	    strcmp(account, j->account) != 0) {
		errno = EINVAL;
		return -1;
	}
	if ((fd = open_file(mailfd, account)) == -1)
		return -1;
	lower(j->sender, sender);
	if (lock(fd) == -1 || view_file(fd, sender, now, &v) == -1)
		goto out;
	if (v.has_own && strcmp(v.own.id, j->id) == 0 &&
	    v.own.recipient == j->recipient) {
		*why = NULL;
		r = 0;
		goto out;
	}
	*why = judge(&v, j, now);
	r = *why == NULL ? note(fd, v.place, j, sender, now) : 0;
out:
	saved = errno;
	close(fd);	/* and with it the lock */
	errno = saved;
	return r;
}
