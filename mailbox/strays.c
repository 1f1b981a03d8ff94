/* strays.c - what came by a catch-all alone, and lies in the inbox for long. */
/* SPDX-License-Identifier: ISC */

/*
 * Inventory 0-41. One round a day, asked for by malle-registryd as long as the
 * mailbox is a catch-all. The file "catchall" of the Maildir tells, in seconds:
 * when the owner was told, before which moment what he was told of came, how
 * many rounds there were since, and when the last one was.
 * Order: a mark without a last round; the letter, durable; the mark with it.
 * So nothing goes without a letter that is there, and a crash in between costs
 * one letter more. The mark goes last, when all is removed.
 * Trusts: no single clock. The age of a message is that of its inode: no name
 * and no restored backup makes it older, and who moves it or marks it as read
 * begins it anew. A letter must be NOTICE old by the clock and by ROUNDS rounds,
 * none too near to the last one or too far from it: a clock that jumps, or
 * a mark that comes back from a backup, begins with a new letter.
 */

#include "mailbox/box.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deliver/copy.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/num.h"
#include "mailbox/strays_text.h"

#define MARK "catchall"
#define MARK_MAX 128
#define DAY INT64_C(86400)
#define NOTICE (7 * DAY)
#define ROUNDS 7
#define ROUND_LEAST (20 * INT64_C(3600))
#define ROUND_MOST (4 * DAY)	/* a machine that is off for a long weekend */

struct mark {
	int64_t told;		/* 0: there is none */
	int64_t before, rounds;
	int64_t last;		/* 0: the letter may not be there */
};

struct round {
	struct box *b;
	struct box_strays what;
	int64_t now;
};

static struct mark
mark_read(const struct box *b)
{
	struct mark mark = { 0, 0, 0, 0 }, none = mark;
	int64_t *const fields[] = { &mark.told, &mark.before, &mark.rounds,
		&mark.last };
	struct slice rest;
	uint64_t v;
	size_t len;
	char *text;
	bool good;

	if (fsx_read_file(b->maildir, MARK, MARK_MAX, &text, &len) == -1)
		return none;
	rest = slice_trim(slice_make(text, len));
	good = rest.len > 0;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		good = good && num_parse(slice_cut(&rest, ' '), 0,
		    INT64_MAX / 2, &v) == 0;
		if (good)
			*fields[i] = (int64_t)v;
	}
	free(text);
	return good && rest.p == NULL ? mark : none;
}

static int
mark_write(const struct box *b, const struct mark *mark)
{
	char text[MARK_MAX];
	int n = snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 " %" PRId64
	    " %" PRId64 "\n", mark->told, mark->before, mark->rounds,
	    mark->last);

	return fsx_replace(b->maildir, MARK, 0600,
	    slice_make(text, (size_t)n));
}

static int
mark_remove(const struct box *b)
{
	return unlinkat(b->maildir, MARK, 0) == -1 && errno != ENOENT ? -1 : 0;
}

/* Those that were there, untouched, before a moment. */
struct tally {
	const struct round *r;
	int64_t before;
	bool remove;
	uint64_t messages, bytes;
};

/* The id that malle-local puts into the name: "SECONDS.MIDRNUMBER.HOST". */
static void
log_removed(const struct tally *t, struct slice unique)
{
	char id[QUEUE_ID_MAX + 1] = "";
	const char *p = memmem(unique.p, unique.len, ".M", 2);
	size_t n = 0;

	if (p != NULL) {
		struct slice rest = slice_skip(unique,
		    (size_t)(p - unique.p) + 2);

		while (n < rest.len && n < QUEUE_ID_MAX && (rest.p[n] == '-' ||
		    (rest.p[n] >= '0' && rest.p[n] <= '9') ||
		    (rest.p[n] >= 'a' && rest.p[n] <= 'v')))
			n++;
		(void)!slice_to_cstr(slice_make(rest.p, n), id, sizeof(id));
	}
	log_info(*id != '\0' ? id : NULL, "catch-all-removed",
	    "mailbox=%s days=%u", LOGS(t->r->what.address), t->r->what.days);
}

static int
take(void *arg, const struct box_file *f)
{
	struct tally *t = arg;
	struct stat st;
	uint64_t size;

	if (!f->parts.is_stray)
		return 0;
	/* Who fetches his mail meanwhile is first. */
	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISREG(st.st_mode) || st.st_ctim.tv_sec >= t->before)
		return 0;
	size = f->parts.size != UINT64_MAX ? f->parts.size :
	    (uint64_t)st.st_size;
	if (t->remove) {
		if (unlinkat(f->dirfd, f->name, 0) == -1)
			return errno == ENOENT ? 0 : -1;
		log_removed(t, f->parts.unique);
	}
	t->messages++;
	t->bytes += size;
	return 0;
}

/* Counts them, or removes them. The inbox alone: what its owner has put into
 * a folder is his. What a crash brings back is told of anew. */
static int
walk(struct tally *t)
{
	int r = box_walk_folder(t->r->b, "", take, t), saved = errno;

	if (t->remove && t->messages > 0)
		(void)!maildir_usage_add(t->r->b->maildir,
		    -(int64_t)t->bytes, -(int64_t)t->messages);
	errno = saved;
	return r;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The letter of a mark. 0, or -1 with errno. */
static int
give(const struct round *r, const struct mark *mark, uint64_t messages)
{
	struct strays_notice n = { .address = r->what.address,
		.hostname = r->what.hostname, .zone = r->what.zone,
		.is_french = strcmp(r->what.language, "fr") == 0,
		.told = (time_t)mark->told,
		.from = (time_t)(mark->told + NOTICE),
		.days = r->what.days, .messages = messages };
	char unique[COPY_UNIQUE_MAX + 1], name[MAILDIR_NAME_MAX + 1];
	struct str text = STR_INIT(STRAYS_TEXT_MAX);
	int result = -1;

	copy_unique_of((uint64_t)mark->told, MARK, r->what.hostname, unique);
	strays_compose(&text, &n);
	if (!str_ok(&text))
		errno = ENOMEM;
	else if (copy_name_of(unique, str_slice(&text), name) == 0)
		result = maildir_put(r->b->maildir, name, str_slice(&text));
	str_free(&text);
	if (result == 0)
		log_info(NULL, "catch-all-notice", "mailbox=%s messages=%"
		    PRIu64 " days=%u", LOGS(r->what.address), messages,
		    r->what.days);
	return result;
}

/* Tells of what will be old enough when the time of the notice is over, and is
 * there now. 0, or -1 with errno. */
static int
begin(const struct round *r)
{
	struct mark mark = { .told = r->now, .before = earlier(r->now,
	    r->now + NOTICE - (int64_t)r->what.days * DAY) };
	struct tally t = { .r = r, .before = mark.before };

	if (walk(&t) == -1)
		return -1;
	if (t.messages == 0)
		return mark_remove(r->b);
	if (mark_write(r->b, &mark) == -1 || give(r, &mark, t.messages) == -1)
		return -1;
	mark.last = r->now;
	return mark_write(r->b, &mark);
}

static int
end(const struct round *r, const struct mark *mark)
{
	struct tally t = { .r = r, .remove = true, .before = earlier(
	    mark->before, r->now - (int64_t)r->what.days * DAY) };
	int result = walk(&t), saved = errno;

	if (t.messages > 0)
		log_info(NULL, "catch-all-emptied", "mailbox=%s messages=%"
		    PRIu64 " bytes=%" PRIu64, LOGS(r->what.address),
		    t.messages, t.bytes);
	errno = saved;
	return result == -1 ? -1 : mark_remove(r->b);
}

static int
go(const struct round *r)
{
	struct mark mark = mark_read(r->b);
	int64_t since = r->now - mark.last;

	if (mark.told > r->now || since < 0 || since > ROUND_MOST)
		return begin(r);
	if (since < ROUND_LEAST)
		return 0;
	mark.last = r->now;
	mark.rounds++;
	if (mark.rounds >= ROUNDS && r->now - mark.told >= NOTICE)
		return end(r, &mark);
	return mark_write(r->b, &mark);
}

int
box_empty_strays(struct box *b, struct ipc_msg *request)
{
	struct round r = { .b = b };
	struct timespec now;

	if (box_strays_unpack(&request->body, &r.what) == -1) {
		errno = EBADMSG;
		return -1;
	}
	/* As files are stamped: the finer clock may be in the next second, and
	 * what comes after the letter would be older than it. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	r.now = (int64_t)now.tv_sec;
	if (b->maildir != -1 && go(&r) == -1)
		return box_failed(b);
	return box_done(b, BOX_OK, "");
}
