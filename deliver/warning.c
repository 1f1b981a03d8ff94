/* warning.c - tells the owners of mailboxes that fill up. */
/* SPDX-License-Identifier: ISC */

/*
 * The file "quotawarn" of a Maildir says when its owner was warned, in seconds,
 * and a word: "due" while the warning is being written, "told" when it is
 * there, "fell" when the mailbox has had room again since. Nobody is warned
 * twice within a day, nor again before it fell.
 * Order: due, the message (synced, named, synced), told. The message's name
 * derives from the mark, so after a crash the next delivery finds the message
 * or writes the very same one.
 * Trusts: nobody's file; a mark that is none counts for nothing.
 */

#include "deliver/warning.h"

#include <sys/file.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/copy.h"
#include "deliver/warning_text.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/num.h"

#define MARK "quotawarn"
#define MARK_MAX 64
#define DAY (24 * 3600)

enum mark_state { MARK_NONE, MARK_DUE, MARK_TOLD, MARK_FELL };

static const char *const mark_words[] = { "", "due", "told", "fell" };

struct mark {
	enum mark_state state;
	int64_t when;
};

/* Whose mailboxes these are. */
struct teller {
	const char *domain, *hostname;
	int east;
	time_t now;
};

static struct mark
mark_read(const struct mailbox *b)
{
	struct mark mark = { MARK_NONE, 0 };
	struct slice rest, when;
	size_t len;
	uint64_t v;
	char *text;

	if (fsx_read_file(b->fd, MARK, MARK_MAX, &text, &len) == -1)
		return mark;
	rest = slice_make(text, len);
	when = slice_cut(&rest, ' ');
	rest = slice_trim(rest);
	if (num_parse(when, 0, INT64_MAX, &v) == 0)
		for (int i = MARK_DUE; i <= MARK_FELL; i++)
			if (slice_eq(rest, slice_of(mark_words[i])))
				mark = (struct mark){ (enum mark_state)i,
				    (int64_t)v };
	free(text);
	return mark;
}

static int
mark_write(const struct mailbox *b, const struct mark *mark)
{
	char text[MARK_MAX];
	int n = snprintf(text, sizeof(text), "%" PRId64 " %s\n", mark->when,
	    mark_words[mark->state]);

	return fsx_replace(b->fd, MARK, 0600, slice_make(text, (size_t)n));
}

static bool
is_above(uint64_t used, uint64_t quota, unsigned percent)
{
	return used > quota / 100 * percent + quota % 100 * percent / 100;
}

static bool
is_full(const struct mailbox *b, uint64_t bytes, uint64_t messages)
{
	return (b->quota_bytes >= WARNING_LEAST_BYTES &&
	    is_above(bytes, b->quota_bytes, b->warning)) ||
	    (b->quota_messages >= WARNING_LEAST_MESSAGES &&
	    is_above(messages, b->quota_messages, b->warning));
}

/* As it was before the group came. */
static bool
was_full(const struct mailbox *b)
{
	const struct maildir_usage *u = &b->usage;

	return is_full(b, u->bytes < b->grown_bytes ? 0 :
	    u->bytes - b->grown_bytes, u->messages < b->grown_messages ? 0 :
	    u->messages - b->grown_messages);
}

/* Makes it a message of new. 0, or -1 with errno. */
static int
put_message(struct mailbox *b, const char *name, struct slice text)
{
	if (maildir_put(b->fd, name, text) == -1)
		return -1;
	/* It counts, like all that lies there; but it was not asked for room. */
	b->usage.bytes += text.len;
	b->usage.messages++;
	return 0;
}

/* The message of a mark, unless it is there already. 0, or -1 with errno. */
static int
give(const struct teller *t, struct mailbox *b, const struct mark *mark)
{
	char address[ADDR_TEXT_MAX], unique[COPY_UNIQUE_MAX + 1];
	char name[MAILDIR_NAME_MAX + 1];
	struct warning_notice n = {
		.address = address, .hostname = t->hostname,
		.language = b->language, .when = (time_t)mark->when,
		.east = t->east,
		.bytes = b->usage.bytes, .quota_bytes = b->quota_bytes,
		.messages = b->usage.messages,
		.quota_messages = b->quota_messages
	};
	struct str text = STR_INIT(WARNING_TEXT_MAX);
	int r = -1;

	snprintf(address, sizeof(address), "%s@%s", b->account, t->domain);
	copy_unique_of((uint64_t)mark->when, "quota", t->hostname, unique);
	if (mailbox_has(b, ".", "new", unique) ||
	    mailbox_has(b, ".", "cur", unique))
		return 0;
	warning_compose(&text, &n);
	if (!str_ok(&text))
		errno = ENOMEM;
	else if (copy_name_of(unique, str_slice(&text), name) == 0)
		r = put_message(b, name, str_slice(&text));
	str_free(&text);
	if (r == 0)
		log_info(NULL, "quota-warning",
		    "account=%s bytes=%" PRIu64 " messages=%" PRIu64,
		    LOGS(address), n.bytes, n.messages);
	return r;
}

/* What is known of room may be old: a warning is worth a count. */
static int
count_anew(struct mailbox *b)
{
	if (!b->usage.stale)
		return 0;
	return maildir_recount(b->fd, b->quota_bytes, b->quota_messages,
	    &b->usage);
}

/* Brings the mark up to date, and with it the mailbox. 0, or -1 with errno. */
static int
tell(const struct teller *t, struct mailbox *b)
{
	bool full = is_full(b, b->usage.bytes, b->usage.messages);
	struct mark mark = mark_read(b), old = mark;
	bool is_old = t->now < mark.when || t->now - mark.when >= DAY;

	if (!full && mark.state == MARK_NONE)
		return 0;
	if (full && count_anew(b) == -1)
		return -1;
	full = is_full(b, b->usage.bytes, b->usage.messages);
	if (mark.state != MARK_NONE && !(full && was_full(b)))
		mark.state = MARK_FELL;
	if (mark.state == MARK_FELL && is_old && !full)
		return unlinkat(b->fd, MARK, 0);
	if (full && (mark.state == MARK_NONE ||
	    (mark.state == MARK_FELL && is_old)))
		mark = (struct mark){ MARK_DUE, t->now };
	/* The message's name is the mark's moment: never one not yet noted. */
	if ((mark.state != old.state || mark.when != old.when) &&
	    mark_write(b, &mark) == -1)
		return -1;
	if (mark.state != MARK_DUE)
		return 0;
	if (give(t, b, &mark) == -1)
		return -1;
	mark.state = MARK_TOLD;
	return mark_write(b, &mark);
}

/* One worker of the domain is enough; what it misses is seen next time. */
static void
tell_alone(const struct teller *t, struct mailbox *b)
{
	if (flock(b->fd, LOCK_EX | LOCK_NB) == -1)
		return;
	if (tell(t, b) == -1)
		log_error(NULL, "quota-warning", "account=%s error=%s",
		    LOGS(b->account), LOGS(strerror(errno)));
	flock(b->fd, LOCK_UN);
}

void
warning_tell(struct mailboxes *m, const char *domain, const char *hostname,
    int east)
{
	struct teller t = { domain, hostname, east, time(NULL) };

	for (size_t i = 0; i < MAILBOXES_KEPT; i++) {
		struct mailbox *b = &m->v[i];

		if (b->name[0] != '\0' && b->group == m->group &&
		    b->counted && b->warning != 0)
			tell_alone(&t, b);
	}
}
