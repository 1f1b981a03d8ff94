/* purge.c - deleted mail goes when its time is over. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: a record of the kind "removed" whose time is over is given to
 * malle-mailbox, through malle-spawn; while that works, r->purging keeps the
 * name from being taken again (operation.c, change()). The record goes when
 * all files are gone. What was cut short is begun again at the next look.
 * A domain's folder goes after the records of its addresses. A folder that a
 * mailbox of today uses is left alone; only the record goes.
 * Limits: one purge at a time, a look every hour.
 */

#include "registry/purge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/proto_mailbox.h"
#include "registry/journal.h"
#include "registry/operation.h"
#include "registry/settle.h"
#include "registry/valid.h"

#define LOOK_MS (3600 * 1000)
#define FAILED_MS 60000		/* after the registry itself has failed */
#define DAY 86400

int
purge_spawn(const struct registry *r, const struct spawn_mailbox *who)
{
	unsigned char space[2 * ADDR_DOMAIN_MAX];
	struct packer k;

	if (r->spawn_fd == -1) {
		errno = ENOTCONN;
		return -1;
	}
	pack_init(&k, space, sizeof(space));
	spawn_mailbox_pack(&k, who);
	return ipc_send_pair(r->spawn_fd, SPAWN_MAILBOX, &k);
}

/* What a look at the records finds. */
struct due {
	struct registry *r;
	bool found;
	char name[ADDR_TEXT_MAX];
	char folder[ADDR_TEXT_MAX];
	uint64_t uid;
};

static bool
is_address(const char *name)
{
	return strchr(name, '@') != NULL;
}

static const char *
domain_of(const char *name)
{
	return is_address(name) ? address_domain(name) : name;
}

static int
any_record(void *arg, struct slice key, struct slice value)
{
	(void)arg;
	(void)key;
	(void)value;
	return 1;
}

/* True (1) when a domain has records of addresses, or is there again. */
static int
domain_must_wait(struct registry *r, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char prefix[STORE_KEY_MAX];
	struct object d;
	int found = registry_domain(r, name, &bytes, &d);

	str_free(&bytes);
	if (found != 0)
		return found;
	snprintf(prefix, sizeof(prefix), "removed/%s/", name);
	return store_each(r->store, slice_of(prefix), SLICE_EMPTY, any_record,
	    NULL);
}

static int
look_at(void *arg, struct slice key, struct slice value)
{
	struct due *l = arg;
	struct object o;
	int wait = 0;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (!object_is(&o, "purge", "yes") &&
	    time_of_text(object_get(&o, "date")) + GRACE_DAYS * DAY >=
	    (int64_t)time(NULL))
		return 0;
	if (!is_address(o.name) &&
	    (wait = domain_must_wait(l->r, o.name)) != 0)
		return wait == 1 ? 0 : -1;
	snprintf(l->name, sizeof(l->name), "%s", o.name);
	l->uid = object_number(&o, "uid");
	l->folder[0] = '\0';
	if (is_address(o.name))
		snprintf(l->folder, sizeof(l->folder), "%.*s", SLICE_FMT(
		    object_get(&o, "folder").p != NULL ?
		    object_get(&o, "folder") : address_local(o.name)));
	l->found = true;
	return 1;
}

struct folder_use {
	const char *folder;
};

static int
uses_folder(void *arg, struct slice key, struct slice value)
{
	const struct folder_use *u = arg;
	struct slice folder;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (o.kind != &kind_user)
		return 0;
	folder = object_get(&o, "folder");
	if (folder.p == NULL)
		folder = address_local(o.name);
	return slice_eq(folder, slice_of(u->folder));
}

/* Whether a mailbox of today has this folder. 1, 0, -1. */
static int
is_in_use(struct registry *r, const struct due *l)
{
	struct folder_use u = { l->folder };
	char prefix[STORE_KEY_MAX];

	if (!is_address(l->name))
		return 0;
	snprintf(prefix, sizeof(prefix), "address/%s/", domain_of(l->name));
	return store_each(r->store, slice_of(prefix), SLICE_EMPTY, uses_folder,
	    &u);
}

/* The record goes, with an entry in the journal. 0 or -1. */
static int
drop_record(struct registry *r, const char *name)
{
	struct actor who = { geteuid(), "", "purge", SLICE_EMPTY };
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object o;
	int found = object_load(r->store, &kind_removed, name, &bytes, &o);

	if (found == 1) {
		r->journal_request = r->journal_next;
		found = registry_change(r, &who, &o, NULL);
	}
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

static int
begin(struct purge *p, struct registry *r, const struct due *l)
{
	struct spawn_mailbox who = { .uid = (uint32_t)l->uid,
		.rights = BOX_MAY_PURGE };

	if (slice_to_cstr(slice_of(domain_of(l->name)), who.domain,
	    sizeof(who.domain)) == -1 || slice_to_cstr(slice_of(l->folder),
	    who.mailbox, sizeof(who.mailbox)) == -1)
		return -1;
	if ((p->fd = purge_spawn(r, &who)) == -1)
		return -1;
	if (fcntl(p->fd, F_SETFL, O_NONBLOCK) == -1 ||
	    ipc_send(p->fd, BOX_PURGE, NULL, NULL, 0) == -1) {
		close(p->fd);
		p->fd = -1;
		return -1;
	}
	snprintf(r->purging, sizeof(r->purging), "%s", l->name);
	log_info(NULL, "purge", "of=%s", LOGS(l->name));
	return 0;
}

/* In a transaction: begins with the next record whose time is over, if none is
 * under way and now is the time to look. 0 or -1. */
static int
look(struct purge *p, struct registry *r, int64_t now)
{
	struct due l = { .r = r, .found = false };
	char key[STORE_KEY_MAX];
	struct slice after = SLICE_EMPTY;
	int in_use;

	if (p->fd != -1 || (now < p->next && !r->purge_wanted))
		return 0;
	if (*p->after != '\0')
		after = slice_make(key, object_key(&kind_removed, p->after,
		    key));
	p->next = now + LOOK_MS;
	if (store_each(r->store, SLICE("removed/"), after, look_at, &l) == -1)
		return -1;
	if (!l.found) {
		/* A domain stands before its addresses, and waits for them. */
		if (p->again)
			p->next = now;
		p->after[0] = '\0';
		p->again = r->purge_wanted = false;
		return 0;
	}
	memcpy(p->after, l.name, sizeof(l.name));
	p->next = now;		/* there may be more */
	if ((in_use = is_in_use(r, &l)) == -1)
		return -1;
	if (in_use == 1) {
		p->again = true;
		return drop_record(r, l.name);
	}
	if (begin(p, r, &l) == -1) {
		log_error(NULL, "purge-failed", "of=%s reason=%s",
		    LOGS(l.name), LOGS(strerror(errno)));
		p->next = now + LOOK_MS;
		r->purge_wanted = false;
	}
	return 0;
}

/* The folder of a domain goes, if nothing is in it. */
static void
forget_domain_folder(const struct registry *r, const char *domain)
{
	unsigned char space[ADDR_DOMAIN_MAX + 8];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(domain));
	if (ipc_send(r->spawn_fd, SPAWN_FORGET, &k, NULL, 0) == -1)
		log_error(NULL, "purge-failed", "of=%s reason=%s",
		    LOGS(domain), LOGS(strerror(errno)));
}

/* What malle-mailbox has answered: true when all is gone. */
static bool
take_answer(int fd, const char *name)
{
	unsigned char space[512];
	struct slice reason = SLICE("no answer; see the log of malle-spawn");
	uint8_t result = BOX_FAILED;
	struct ipc_msg m;

	if (ipc_recv_short(fd, space, sizeof(space), &m) == 1) {
		ipc_close_fds(&m);
		result = unpack_u8(&m.body);
		reason = unpack_text(&m.body, 256);
		if (m.type == BOX_DONE && unpack_end(&m.body) &&
		    result == BOX_OK)
			return true;
	}
	log_error(NULL, "purge-failed", "of=%s reason=%s", LOGS(name),
	    LOGQ(reason));
	return false;
}

/* In a transaction: drops the record of what has gone. 0 or -1. */
static int
end(struct purge *p, struct registry *r)
{
	char name[ADDR_TEXT_MAX];
	bool gone = take_answer(p->fd, r->purging);

	memcpy(name, r->purging, sizeof(name));
	close(p->fd);
	p->fd = -1;
	r->purging[0] = '\0';
	if (!gone)
		return 0;	/* the next round begins it again */
	log_info(NULL, "purged", "of=%s", LOGS(name));
	if (!is_address(name))
		forget_domain_folder(r, name);
	p->again = true;
	return drop_record(r, name);
}

void
purge_turn(struct purge *p, struct registry *r, bool answered)
{
	uint64_t next = r->journal_next;
	int64_t now = clock_ms();
	bool failed;

	if (!answered && (p->fd != -1 || (now < p->next && !r->purge_wanted)))
		return;
	failed = store_begin(r->store) == -1;
	if (!failed) {
		failed = (answered && end(p, r) == -1) ||
		    look(p, r, now) == -1;
		if (failed)
			store_abort(r->store);
		else
			failed = settle(r, false) == -1;
	}
	if (failed) {
		log_error(NULL, "purge-failed", "of=- reason=%s",
		    LOGS(strerror(errno)));
		journal_forget(r, next, 0);
		p->next = now + FAILED_MS;
		r->purge_wanted = false;
	}
}
