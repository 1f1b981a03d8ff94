/* store_bdb.c - the store in Berkeley DB 5.3: the only file that knows it. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: part of malle-registryd, with its root folder as working folder.
 * Trusts: its own files; pages carry checksums.
 * Order: the environment is opened with recovery at each start, so whatever
 * was committed is there and whatever was not is gone. The log is synced at
 * the outermost commit, before anybody is told.
 * Limits: private memory (no shared regions), no locks (one process and one
 * thread, so that a large load cannot run out of them).
 */

#include "registry/store.h"

#include <db.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/log.h"

/* A table is written from all the accounts of its domain: with room for those
 * of 100,000, their pages need not be read and summed again for each change.
 * Only what was used takes memory. */
#define CACHE_BYTES (64 * 1024 * 1024)
#define LOG_FILE_BYTES (4 * 1024 * 1024)
#define LOG_BUFFER_BYTES (256 * 1024)
#define CHECKPOINT_KBYTES 2048
#define BULK_BYTES (512 * 1024)	/* more than any record */

struct store {
	DB_ENV *env;
	DB *db;
	DB_TXN *txn[STORE_DEPTH];
	int depth;
	bool is_lost;
};

/* Berkeley DB's results are errno values, or its own negative ones. */
static int
fail(int r)
{
	if (r == DB_RUNRECOVERY)
		errno = ENOTRECOVERABLE;
	else if (r == DB_PAGE_NOTFOUND || r == DB_VERIFY_BAD)
		errno = EIO;
	else
		errno = r > 0 ? r : EIO;
	return -1;
}

static void
complain(const DB_ENV *env, const char *prefix, const char *message)
{
	(void)env;
	(void)prefix;
	log_error(NULL, "store", "text=%s", LOGS(message));
}

static void
on_event(DB_ENV *env, uint32_t event, void *info)
{
	struct store *s = env->app_private;

	(void)info;
	if (event == DB_EVENT_PANIC)
		s->is_lost = true;
}

bool
store_is_lost(const struct store *s)
{
	return s->is_lost;
}

static int
open_env(struct store *s)
{
	DB_ENV *e;
	int r;

	if ((r = db_env_create(&e, 0)) != 0)
		return r;
	s->env = e;
	e->set_errcall(e, complain);
	e->app_private = s;
	if ((r = e->set_event_notify(e, on_event)) != 0)
		return r;
	if ((r = e->set_cachesize(e, 0, CACHE_BYTES, 1)) != 0 ||
	    (r = e->set_lg_max(e, LOG_FILE_BYTES)) != 0 ||
	    (r = e->set_lg_bsize(e, LOG_BUFFER_BYTES)) != 0 ||
	    (r = e->log_set_config(e, DB_LOG_AUTO_REMOVE, 1)) != 0)
		return r;
	return e->open(e, ".", DB_CREATE | DB_PRIVATE | DB_RECOVER |
	    DB_INIT_MPOOL | DB_INIT_LOG | DB_INIT_TXN, 0600);
}

static int
open_db(struct store *s)
{
	DB *d;
	int r;

	if ((r = db_create(&d, s->env, 0)) != 0)
		return r;
	s->db = d;
	if ((r = d->set_flags(d, DB_CHKSUM)) != 0 ||
	    (r = d->set_pagesize(d, 8192)) != 0)
		return r;
	return d->open(d, NULL, "registry.db", NULL, DB_BTREE,
	    DB_CREATE | DB_AUTO_COMMIT, 0600);
}

struct store *
store_open(const char **why)
{
	struct store *s;
	int r;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		*why = "no memory";
		return NULL;
	}
	*why = "the Berkeley DB environment cannot be opened or recovered";
	if ((r = open_env(s)) == 0) {
		*why = "registry.db cannot be opened";
		r = open_db(s);
	}
	if (r == 0)
		return s;
	store_close(s);
	fail(r);
	return NULL;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	while (s->depth > 0)
		store_abort(s);
	if (s->db != NULL)
		(void)s->db->close(s->db, 0);
	if (s->env != NULL) {
		(void)s->env->txn_checkpoint(s->env, 0, 0, DB_FORCE);
		(void)s->env->close(s->env, 0);
	}
	free(s);
}

static DB_TXN *
current(const struct store *s)
{
	return s->depth > 0 ? s->txn[s->depth - 1] : NULL;
}

int
store_begin(struct store *s)
{
	int r;

	if (s->depth == STORE_DEPTH) {
		errno = EINVAL;
		return -1;
	}
	r = s->env->txn_begin(s->env, current(s), &s->txn[s->depth], 0);
	if (r != 0)
		return fail(r);
	s->depth++;
	return 0;
}

static int
commit(struct store *s, uint32_t flags)
{
	DB_TXN *t = s->txn[--s->depth];
	int r;

	if ((r = t->commit(t, s->depth == 0 ? flags : 0)) != 0)
		return fail(r);
	return 0;
}

int
store_commit(struct store *s)
{
	return commit(s, DB_TXN_SYNC);
}

int
store_commit_lazy(struct store *s)
{
	return commit(s, DB_TXN_WRITE_NOSYNC);
}

void
store_abort(struct store *s)
{
	DB_TXN *t = s->txn[--s->depth];

	(void)t->abort(t);
}

static DBT
dbt_of(struct slice bytes)
{
	return (DBT){ .data = (void *)(uintptr_t)bytes.p,
		.size = (uint32_t)bytes.len };
}

int
store_get(struct store *s, struct slice key, struct str *value)
{
	DBT k = dbt_of(key), v = { .flags = DB_DBT_USERMEM };
	int r;

	str_clear(value);
	if ((v.data = str_room(value, 1024)) == NULL)
		return -1;
	v.ulen = 1024;
	r = s->db->get(s->db, current(s), &k, &v, 0);
	if (r == DB_BUFFER_SMALL) {
		if ((v.data = str_room(value, v.size)) == NULL) {
			errno = ENOMEM;
			return -1;
		}
		v.ulen = v.size;
		r = s->db->get(s->db, current(s), &k, &v, 0);
	}
	if (r == DB_NOTFOUND)
		return 0;
	if (r != 0)
		return fail(r);
	value->len = v.size;
	return 1;
}

int
store_put(struct store *s, struct slice key, struct slice value)
{
	DBT k = dbt_of(key), v = dbt_of(value);
	int r;

	if (key.len > STORE_KEY_MAX || value.len > STORE_VALUE_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if ((r = s->db->put(s->db, current(s), &k, &v, 0)) != 0)
		return fail(r);
	return 0;
}

int
store_delete(struct store *s, struct slice key)
{
	DBT k = dbt_of(key);
	int r;

	r = s->db->del(s->db, current(s), &k, 0);
	if (r == DB_NOTFOUND)
		return 0;
	return r != 0 ? fail(r) : 1;
}

struct walk {
	struct slice prefix, after;
	int (*each)(void *arg, struct slice key, struct slice value);
	void *arg;
};

/* One buffer full of records. Sets *ended when the prefix is left. */
static int
walk_bulk(const struct walk *w, DBT *bulk, bool *ended)
{
	void *position, *kp, *vp;
	size_t klen, vlen;
	struct slice key;
	int r;

	DB_MULTIPLE_INIT(position, bulk);
	for (;;) {
		DB_MULTIPLE_KEY_NEXT(position, bulk, kp, klen, vp, vlen);
		if (position == NULL)
			return 0;
		key = slice_make(kp, klen);
		if (klen < w->prefix.len ||
		    memcmp(kp, w->prefix.p, w->prefix.len) != 0) {
			*ended = true;
			return 0;
		}
		if (slice_eq(key, w->after))
			continue;
		if ((r = w->each(w->arg, key, slice_make(vp, vlen))) != 0)
			return r;
	}
}

static int
walk(DBC *cursor, const struct walk *w, void *space)
{
	struct slice from = w->after.len > 0 ? w->after : w->prefix;
	DBT k = dbt_of(from), bulk = { .flags = DB_DBT_USERMEM };
	uint32_t op = DB_SET_RANGE;
	bool ended = false;
	int r;

	bulk.data = space;
	bulk.ulen = BULK_BYTES;
	while (!ended) {
		r = cursor->get(cursor, &k, &bulk, op | DB_MULTIPLE_KEY);
		if (r == DB_NOTFOUND)
			return 0;
		if (r != 0)
			return fail(r);
		if ((r = walk_bulk(w, &bulk, &ended)) != 0)
			return r;
		op = DB_NEXT;
	}
	return 0;
}

int
store_each(struct store *s, struct slice prefix, struct slice after,
    int (*each)(void *arg, struct slice key, struct slice value), void *arg)
{
	struct walk w = { prefix, after, each, arg };
	DBC *cursor;
	void *space;
	int r, saved;

	if ((space = malloc(BULK_BYTES)) == NULL)
		return -1;
	if ((r = s->db->cursor(s->db, current(s), &cursor, 0)) != 0) {
		free(space);
		return fail(r);
	}
	r = walk(cursor, &w, space);
	saved = errno;
	(void)cursor->close(cursor);
	free(space);
	errno = saved;
	return r;
}

/* The key before the first one that is past every key of the prefix. */
static int
seek_last(DBC *cursor, DBT *k, DBT *v, struct slice prefix)
{
	char past[STORE_KEY_MAX];
	struct slice end = { past, prefix.len };
	int r;

	memcpy(past, prefix.p, prefix.len);
	past[prefix.len - 1]++;		/* prefixes end in '/' */
	*k = dbt_of(end);
	r = cursor->get(cursor, k, v, DB_SET_RANGE);
	if (r != 0 && r != DB_NOTFOUND)
		return r;
	return cursor->get(cursor, k, v, r == 0 ? DB_PREV : DB_LAST);
}

int
store_last(struct store *s, struct slice prefix, struct str *key)
{
	DBT k = { 0 }, v = { .flags = DB_DBT_PARTIAL };
	DBC *cursor;
	int r;

	str_clear(key);
	if (prefix.len == 0 || prefix.len > STORE_KEY_MAX) {
		errno = EINVAL;
		return -1;
	}
	if ((r = s->db->cursor(s->db, current(s), &cursor, 0)) != 0)
		return fail(r);
	r = seek_last(cursor, &k, &v, prefix);
	if (r == 0 && k.size >= prefix.len &&
	    memcmp(k.data, prefix.p, prefix.len) == 0)
		str_put(key, slice_make(k.data, k.size));
	(void)cursor->close(cursor);
	if (r != 0 && r != DB_NOTFOUND)
		return fail(r);
	return key->len > 0 ? 1 : 0;
}

int
store_checkpoint(struct store *s)
{
	int r;

	r = s->env->txn_checkpoint(s->env, CHECKPOINT_KBYTES, 0, 0);
	return r != 0 ? fail(r) : 0;
}
