/* strays.c - mailboxes of catch-alls are emptied when nobody does. */
/* SPDX-License-Identifier: ISC */

/*
 * Inventory 0-41. Once a day, and when the service starts or reloads, every
 * mailbox that a domain's catch-all names is given one round by malle-mailbox,
 * which knows what came by a catch-all alone, tells the owner, and removes it a
 * week later (mailbox/strays.c; rounds that come too soon do nothing there). One
 * that is the catch-all of nothing any more has no rounds, nor one whose owner
 * could not read the notice: the account or its domain is not active.
 * Limits: one mailbox at a time.
 */

#include "registry/strays.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/proto_mailbox.h"
#include "registry/operation.h"
#include "registry/purge.h"
#include "registry/zone.h"

#define ROUND_MS (86400 * INT64_C(1000))

/* What a look at the domains finds. */
struct found {
	struct registry *r;
	struct strays *s;
	struct spawn_mailbox who;
	struct box_strays what;
	bool any;
};

/* What of the domain goes along. False: it is not active. */
static bool
take_domain(struct found *f, const struct object *d)
{
	struct slice zone = object_get(d, "time-zone");
	const char *rule = zone.p != NULL ? zone_rule(zone) : NULL;

	f->who.uid = (uint32_t)object_number(d, "uid");
	snprintf(f->what.language, sizeof(f->what.language), "%s",
	    object_is(d, "language", "fr") ? "fr" : "en");
	snprintf(f->what.zone, sizeof(f->what.zone), "%s",
	    rule != NULL ? rule : "");
	return object_is(d, "state", "active") &&
	    slice_to_cstr(slice_of(d->name), f->who.domain,
	    sizeof(f->who.domain)) == 0;
}

static bool
take_user(struct found *f, const struct object *u)
{
	struct slice folder = object_get(u, "folder");

	if (folder.p == NULL)
		folder = address_local(u->name);
	return u->kind == &kind_user && object_is(u, "state", "active") &&
	    slice_to_cstr(folder, f->who.mailbox,
	    sizeof(f->who.mailbox)) == 0 &&
	    slice_to_cstr(slice_of(u->name), f->what.address,
	    sizeof(f->what.address)) == 0;
}

/* The mailbox that a catch-all names: 1 with the object, 0, -1. */
static int
load_mailbox(struct registry *r, struct slice to, struct str *bytes,
    struct object *u)
{
	char name[ADDR_TEXT_MAX];
	int found = local_target(r, to, name);

	if (found == 1)
		found = object_load(r->store, &kind_user, name, bytes, u);
	return found == 1 ? u->kind == &kind_user : found;
}

int
strays_is_mailbox(struct registry *r, struct slice to)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object u;
	int found = load_mailbox(r, to, &bytes, &u);

	str_wipe(&bytes);
	return found;
}

/* What of it and of its domain goes along. 1, 0 when it has no rounds, -1. */
static int
take_mailbox(struct found *f, struct slice to)
{
	struct str user = STR_INIT(STORE_VALUE_MAX);
	struct str domain = STR_INIT(STORE_VALUE_MAX);
	struct object u, d;
	int found = load_mailbox(f->r, to, &user, &u);

	if (found == 1)
		found = registry_domain(f->r, address_domain(u.name), &domain,
		    &d);
	if (found == 1)
		found = take_domain(f, &d) && take_user(f, &u);
	str_free(&domain);
	str_wipe(&user);
	return found;
}

static int
look_at(void *arg, struct slice key, struct slice value)
{
	struct found *f = arg;
	struct object d;
	int found;

	(void)key;
	if (object_decode(value, &d) == -1)
		return -1;
	snprintf(f->s->after, sizeof(f->s->after), "%s", d.name);
	if (object_get(&d, "alias-of").p != NULL ||
	    object_get(&d, "catch-all").p == NULL)
		return 0;
	if ((found = take_mailbox(f, object_get(&d, "catch-all"))) == 1)
		f->any = true;
	return found;
}

/* The next mailbox of this round. 0 or -1. */
static int
look(struct found *f)
{
	char key[STORE_KEY_MAX];
	struct slice after = SLICE_EMPTY;
	int result;

	if (*f->s->after != '\0')
		after = slice_make(key, object_key(&kind_domain, f->s->after,
		    key));
	if (store_begin(f->r->store) == -1)
		return -1;
	result = store_each(f->r->store, SLICE("domain/"), after, look_at, f);
	store_abort(f->r->store);
	return result == -1 ? -1 : 0;
}

static int
begin(struct found *f)
{
	unsigned char space[2048];
	struct strays *s = f->s;
	struct packer k;

	f->who.rights = BOX_MAY_EMPTY;
	f->what.days = (uint32_t)f->r->conf.catch_all_days;
	snprintf(f->what.hostname, sizeof(f->what.hostname), "%s",
	    f->r->conf.hostname);
	pack_init(&k, space, sizeof(space));
	box_strays_pack(&k, &f->what);
	if ((s->fd = purge_spawn(f->r, &f->who)) == -1)
		return -1;
	memcpy(s->mailbox, f->what.address, sizeof(s->mailbox));
	if (fcntl(s->fd, F_SETFL, O_NONBLOCK) == 0 &&
	    ipc_send(s->fd, BOX_STRAYS, &k, NULL, 0) == 0)
		return 0;
	close(s->fd);
	s->fd = -1;
	return -1;
}

static void
complain(const struct found *f)
{
	log_error(NULL, "catch-all-failed", "mailbox=%s reason=%s",
	    LOGS(f->what.address), LOGS(strerror(errno)));
}

/* malle-mailbox has told the reason of a failure in the log; none at all is
 * told here. Tomorrow there is another round. */
static void
end(struct strays *s)
{
	unsigned char space[512];
	struct ipc_msg m;

	if (ipc_recv_short(s->fd, space, sizeof(space), &m) == 1)
		ipc_close_fds(&m);
	else
		log_error(NULL, "catch-all-failed", "mailbox=%s reason=%s",
		    LOGS(s->mailbox),
		    LOGS("no answer; see the log of malle-spawn"));
	close(s->fd);
	s->fd = -1;
}

void
strays_turn(struct strays *s, struct registry *r, bool answered)
{
	struct found f = { .r = r, .s = s };
	int64_t now = clock_ms();

	if (answered && s->fd != -1)
		end(s);
	if (s->fd != -1 || now < s->next)
		return;
	if (r->conf.catch_all_days != 0 && r->spawn_fd != -1) {
		if (look(&f) == -1 || (f.any && begin(&f) == -1))
			complain(&f);
		else if (f.any)
			return;		/* its end begins with the next one */
	}
	s->after[0] = '\0';
	s->next = now + ROUND_MS;
}
