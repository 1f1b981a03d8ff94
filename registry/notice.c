/* notice.c - mail from the registry to owners of mailboxes, and the postmaster. */
/* SPDX-License-Identifier: ISC */

/*
 * In the store: "notice/KEY" with the address and the message, packed.
 *
 * Order: the notice is durable with the change that it tells of, before that
 * change is answered; it is given to malle-queued, one at a time; its record
 * goes when the queue has it, durably. Whoever dies in between: it is given
 * again, by the same key, and malle-queued knows the keys that it took last. Only
 * when both die in that moment, as in a power cut, it may come twice.
 * Limits: a message has NOTICE_TEXT_MAX bytes; without malle-queued they wait.
 */

#include "registry/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/app_password.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/proto_queue.h"
#include "registry/journal.h"
#include "registry/local_day.h"
#include "registry/notice_text.h"
#include "registry/settle.h"
#include "registry/valid.h"

#define PREFIX "notice/"
#define RETRY_MS 2000
#define ENVELOPE_SPACE 4096

/* Writing them. */

/* In the order of time; nobody can tell the next one. */
static void
make_key(char key[REGISTRY_NOTICE_KEY_MAX + 1])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(key, REGISTRY_NOTICE_KEY_MAX + 1, "%010" PRIx64 "%08lx%08x",
	    (uint64_t)now.tv_sec, now.tv_nsec, arc4random());
}

static int
keep(struct registry *r, const struct notice_text *n)
{
	static unsigned char space[NOTICE_TEXT_MAX + ENVELOPE_SPACE];
	struct str content = STR_INIT(NOTICE_TEXT_MAX);
	char key[STORE_KEY_MAX];
	struct packer k;
	int result = -1;

	notice_compose(&content, n);
	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(n->to));
	pack_bytes(&k, str_slice(&content));
	snprintf(key, sizeof(key), PREFIX "%s", n->key);
	errno = ENOMEM;
	if (str_ok(&content) && !k.bad)
		result = store_put(r->store, slice_of(key), pack_slice(&k));
	str_free(&content);
	r->notice_wanted = true;
	return result;
}

/* What the domain says, and then into the store. */
static int
add(struct registry *r, const struct notice_text *about)
{
	struct notice_text n = *about;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	const char *domain = address_domain(n.to);
	char key[REGISTRY_NOTICE_KEY_MAX + 1], postmaster[ADDR_TEXT_MAX];
	struct object d;
	int found = registry_domain(r, domain, &bytes, &d);

	/* A postmaster may be elsewhere. */
	n.is_french = found != 1 || object_is(&d, "language", "fr");
	str_free(&bytes);
	if (found == -1 || local_zone(r, domain, &n.zone) == -1)
		return -1;
	n.now = time(NULL);
	make_key(key);
	n.key = key;
	n.hostname = r->conf.hostname;
	snprintf(postmaster, sizeof(postmaster), "postmaster@%s", domain);
	n.postmaster = postmaster;
	return keep(r, &n);
}

/* True when there was a password to log in with. */
static bool
has_hash(const struct object *u)
{
	struct slice hash = object_get(u, "hash");

	return hash.len > 0 && !slice_eq(hash, SLICE("!"));
}

/* Of each application password that was not there. */
static int
add_of_apps(struct registry *r, struct notice_text *n, struct slice before,
    struct slice after)
{
	struct app_password p;
	struct slice line;

	while (after.p != NULL && after.len > 0) {
		line = slice_cut(&after, '\n');
		if (list_has(before, line))
			continue;
		if (app_password_next(&line, &p) != 1) {
			errno = EBADMSG;
			return -1;
		}
		n->app = p.name;
		if (add(r, n) == -1)
			return -1;
	}
	return 0;
}

int
notice_of_change(struct registry *r, const struct actor *who,
    const struct object *before, const struct object *after)
{
	struct notice_text n = { .kind = NOTICE_PASSWORD,
		.manager = who->account, .uid = who->uid, .from = who->from };
	struct slice apps;

	/* Inventory 4-13, 9-05. A login only renews the hash. */
	if (before == NULL || after == NULL || after->kind != &kind_user ||
	    before->kind != &kind_user ||
	    strcmp(who->account, before->name) == 0 ||
	    strcmp(who->operation, "login") == 0)
		return 0;
	apps = object_get(before, "app-hashes");
	if (!has_hash(before) && apps.p == NULL)
		return 0;	/* nobody's until now */
	n.to = after->name;
	if (has_hash(before) && !slice_eq(object_get(before, "hash"),
	    object_get(after, "hash")) && add(r, &n) == -1)
		return -1;
	n.kind = NOTICE_APP;
	return add_of_apps(r, &n, apps, object_get(after, "app-hashes"));
}

int
notice_of_absence(struct registry *r, const struct object *user)
{
	struct notice_text n = { .kind = NOTICE_ABSENCE, .to = user->name,
		.since = (time_t)time_of_text(object_get(user,
		"vacation-start")) };

	return add(r, &n);
}

/* Inventory 9-04. */
int
notice_of_recovery(struct registry *r, struct slice from)
{
	char to[ADDR_TEXT_MAX];
	struct notice_text n = { .kind = NOTICE_RECOVERY, .to = to,
		.from = from };

	if (!conf_postmaster(&r->conf, to, sizeof(to)))
		return 0;
	return add(r, &n);
}

/* Giving them to malle-queued. */

static int
say(int fd, uint16_t type, const struct packer *k)
{
	return ipc_send(fd, type, k, NULL, 0);
}

/* What a client of the queue would say, all at once: it fits the socket. */
static int
say_message(int fd, struct slice to, struct slice content)
{
	struct queue_mail m = { .lane = LANE_TRANSACTIONAL,
	    .flags = QM_NO_TRACE, .size = content.len };
	unsigned char space[ENVELOPE_SPACE + NOTICE_TEXT_MAX];
	struct packer k;

	for (size_t i = 0; i < to.len + content.len; i++)
		if ((unsigned char)(i < to.len ? to.p[i] :
		    content.p[i - to.len]) > 126)
			m.flags |= QM_8BIT | QM_UTF8;
	pack_init(&k, space, sizeof(space));
	queue_mail_pack(&k, &m);
	if (say(fd, Q_MAIL, &k) == -1)
		return -1;
	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, to);
	pack_u8(&k, QN_NEVER);
	pack_bytes(&k, SLICE_EMPTY);
	if (say(fd, Q_RCPT, &k) == -1)
		return -1;
	pack_init(&k, space, sizeof(space));
	pack_raw(&k, content);
	return say(fd, Q_COMMIT, &k);
}

/* The message is in the socket before malle-queued has its end. */
static int
give(struct notices *n, int queue_fd, struct slice value)
{
	unsigned char space[REGISTRY_NOTICE_KEY_MAX + 8];
	struct slice to, content;
	struct unpacker u;
	struct packer k;
	int fd[2], saved;

	unpack_init(&u, value);
	to = unpack_text(&u, ADDR_TEXT_MAX);
	content = unpack_bytes(&u, NOTICE_TEXT_MAX);
	errno = EBADMSG;
	if (!unpack_end(&u) || ipc_pair(fd) == -1)
		return -1;
	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(n->key));
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) == -1 ||
	    say_message(fd[0], to, content) == -1 ||
	    ipc_send(queue_fd, REG_NOTICE, &k, &fd[1], 1) == -1) {
		saved = errno;
		close(fd[0]);
		close(fd[1]);
		errno = saved;
		return -1;
	}
	close(fd[1]);
	n->fd = fd[0];
	return 0;
}

struct first {
	struct notices *n;
	struct str value;
	bool found;
};

static int
take_first(void *arg, struct slice key, struct slice value)
{
	struct first *f = arg;

	if (slice_to_cstr(slice_skip(key, sizeof(PREFIX) - 1), f->n->key,
	    sizeof(f->n->key)) == -1) {
		errno = EBADMSG;
		return -1;
	}
	str_put(&f->value, value);
	f->found = true;
	return 1;
}

/* Begins with the oldest one, if there is any. 0 or -1. */
static int
look(struct notices *n, struct registry *r)
{
	struct first f = { n, STR_INIT(STORE_VALUE_MAX), false };
	int result;

	if (store_begin(r->store) == -1)
		return -1;
	result = store_each(r->store, SLICE(PREFIX), SLICE_EMPTY, take_first,
	    &f);
	store_abort(r->store);
	if (result == 1)
		result = !str_ok(&f.value) || give(n, r->queue_fd,
		    str_slice(&f.value)) == -1 ? -1 : 0;
	str_free(&f.value);
	return result;
}

/* The queue has it, or never will. 0 or -1. */
static int
forget(struct registry *r, const char *name)
{
	uint64_t next = r->journal_next;
	char key[STORE_KEY_MAX];
	int result = store_begin(r->store);

	snprintf(key, sizeof(key), PREFIX "%s", name);
	if (result == 0 && store_delete(r->store, slice_of(key)) == -1) {
		store_abort(r->store);
		result = -1;
	}
	if (result == 0)
		result = settle(r, false);
	if (result == -1)
		journal_forget(r, next, 0);
	return result;
}

/* 0: done with; -1: it is to be given again. */
static int
take_answer(struct notices *n, struct registry *r)
{
	static unsigned char space[QUEUE_TEXT_MAX + 256];
	uint8_t result;
	struct slice id;
	struct ipc_msg m;

	errno = EPIPE;
	if (ipc_recv_short(n->fd, space, sizeof(space), &m) != 1)
		return -1;
	ipc_close_fds(&m);
	result = unpack_u8(&m.body);
	id = unpack_text(&m.body, QUEUE_ID_MAX);
	errno = EAGAIN;
	if (m.type != Q_DONE || m.body.bad || result == QUEUE_TEMPORARY ||
	    forget(r, n->key) == -1)
		return -1;
	log_notice(NULL, "notice", "key=%s message=%s", n->key,
	    result == QUEUE_OK ? LOGQ(id) : "none");
	return 0;
}

void
notice_turn(struct notices *n, struct registry *r, bool answered)
{
	int64_t now = clock_ms();
	int result = 0;

	if (r->queue_fd == -1 && n->fd == -1) {
		n->next = INT64_MAX;
		return;
	}
	if (answered && n->fd != -1) {
		result = take_answer(n, r);
		close(n->fd);
		n->fd = -1;
		n->next = now;	/* there may be more */
	}
	if (r->notice_wanted && n->next > now)
		n->next = now;
	r->notice_wanted = false;
	if (result == 0 && n->fd == -1 && now >= n->next) {
		n->next = INT64_MAX;
		result = look(n, r);
	}
	if (result == -1) {
		log_error(NULL, "notice-failed", "key=%s error=%s", n->key,
		    LOGS(strerror(errno)));
		n->next = now + RETRY_MS;
	}
}
