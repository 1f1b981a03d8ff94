/* compile.c - from the registry to the tables that sessions read. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: a table is written as NAME.next and made durable while the
 * transaction is open; then the transaction commits; then NAME.next becomes
 * NAME. A failure before the commit (a full disk) changes nothing at all; a
 * crash after it leaves tables of an older generation, which the next start
 * finds and compiles before it answers anybody.
 * A table tells its generation under the key "\0generation": version of this
 * compiler, id of the registry, count of its compilations. The store keeps the
 * same under "generation/TABLE".
 */

#include "registry/compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/table.h"
#include "registry/build.h"
#include "registry/record.h"

#define COMPILER_VERSION 3
#define GENERATION_KEY slice_make("\0generation", 11)
#define GENERATION_MAX 64
#define FILE_MAX (ADDR_DOMAIN_MAX + 32)

struct table_place {
	unsigned stale;
	const char *generation;	/* counter in the store */
	mode_t mode;
};

/* clang-format off */
static const struct table_place places[TABLE_NAMES] = {
	[TABLE_ADDRESSES] = { STALE_ADDRESSES, "generation/addresses/", 0644 },
	[TABLE_SECRETS] =   { STALE_SECRETS,   "generation/secrets/",   0640 },
	[TABLE_DOMAINS] =   { STALE_DOMAINS,   "generation/domains",    0644 },
	[TABLE_MAINS] =     { STALE_DOMAINS,   "generation/mains",      0640 },
	[TABLE_ACCESS] =    { STALE_ACCESS,    "generation/access",     0644 },
};
/* clang-format on */

static int
table_folder(const struct registry *r, enum table_name t)
{
	if (t == TABLE_ADDRESSES)
		return r->domains_fd;
	return t == TABLE_SECRETS || t == TABLE_MAINS ? r->auth_fd :
	    r->tables_fd;
}

/* Its file name, with a suffix, in out[FILE_MAX]. */
static const char *
table_file(enum table_name t, const char *domain, const char *suffix,
    char *out)
{
	if (t == TABLE_ADDRESSES || t == TABLE_SECRETS)
		snprintf(out, FILE_MAX, "%s.cdb%s", domain, suffix);
	else
		snprintf(out, FILE_MAX, "%s.cdb%s",
		    t == TABLE_ACCESS ? "access" : "domains", suffix);
	return out;
}

static size_t
generation_key(enum table_name t, const char *domain, char *key)
{
	bool own = t == TABLE_ADDRESSES || t == TABLE_SECRETS;

	return (size_t)snprintf(key, STORE_KEY_MAX, "%s%s",
	    places[t].generation, own ? domain : "");
}

static struct slice
generation_value(const struct registry *r, uint64_t n, unsigned char *space)
{
	struct packer k;

	pack_init(&k, space, GENERATION_MAX);
	pack_u8(&k, COMPILER_VERSION);
	pack_bytes(&k, slice_of(r->id));
	pack_u64(&k, n);
	return pack_slice(&k);
}

/* The number in a generation's value, 0 when it is another registry's. */
static uint64_t
generation_number(const struct registry *r, struct slice value)
{
	struct unpacker u;
	uint64_t n;
	bool ours;

	unpack_init(&u, value);
	ours = unpack_u8(&u) == COMPILER_VERSION;
	ours = slice_eq(unpack_text(&u, 64), slice_of(r->id)) && ours;
	n = unpack_u64(&u);
	return ours && unpack_end(&u) ? n : 0;
}

/* What a change touches. */

/* The records of o in one table, or nothing; o may be NULL. */
static void
record_of(const struct object *o, bool secret, struct packer *k)
{
	const struct domain_facts nobody = { 1, ACCOUNT_ACTIVE };

	if (o == NULL)
		return;
	if (secret) {
		if (o->kind == &kind_user)
			record_secret(k, o, &nobody);
		return;
	}
	record_address(k, o);
	if (record_answers(o))
		record_answer(k, o);
}

static bool
record_differs(const struct object *before, const struct object *after,
    bool secret)
{
	static unsigned char space[2][2 * RECORD_MAX];
	struct packer a, b;
	bool differs;

	pack_init(&a, space[0], sizeof(space[0]));
	pack_init(&b, space[1], sizeof(space[1]));
	record_of(before, secret, &a);
	record_of(after, secret, &b);
	differs = !slice_eq(pack_slice(&a), pack_slice(&b));
	explicit_bzero(space[0], a.len);
	explicit_bzero(space[1], b.len);
	return differs;
}

static bool
same_value(const struct object *a, const struct object *b, const char *name)
{
	struct slice x = object_get(a, name), y = object_get(b, name);

	if (x.p == NULL || y.p == NULL)
		return x.p == y.p;
	return slice_eq(x, y);
}

static int
note_domain(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct object *d = after != NULL ? after : before;
	bool is_main = after != NULL && object_get(after, "alias-of").p == NULL;
	unsigned what = 0;

	if (!is_main)
		what = STALE_GONE;
	else if (before == NULL || !same_value(before, after, "alias-of"))
		what = STALE_ADDRESSES | STALE_SECRETS;
	else if (!same_value(before, after, "state") ||
	    !same_value(before, after, "uid"))
		what = STALE_SECRETS;
	if (registry_stale(r, d->name, what) == -1)
		return -1;
	return registry_stale(r, "", STALE_DOMAINS);
}

static int
note_address(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct object *o = after != NULL ? after : before;
	unsigned what = 0;

	if (record_differs(before, after, false))
		what |= STALE_ADDRESSES;
	if (record_differs(before, after, true))
		what |= STALE_SECRETS;
	return registry_stale(r, address_domain(o->name), what);
}

int
compile_note(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct kind *k = (after != NULL ? after : before)->kind;

	if (k == &kind_domain)
		return note_domain(r, before, after);
	if (strcmp(k->space, "address") == 0)
		return note_address(r, before, after);
	if (k == &kind_relay)
		return registry_stale(r, "", STALE_ACCESS);
	if (k == &kind_client && before != NULL && after != NULL &&
	    !same_value(before, after, "max-messages-day"))
		return registry_stale(r, "", STALE_DOMAINS | STALE_ACCESS);
	return 0;
}

/* Writing them. */

struct writers {
	struct table_writer *w[TABLE_NAMES];
};

static int
put_table(void *arg, enum table_name t, struct slice key, struct slice value)
{
	const struct writers *w = arg;

	return table_put(w->w[t], key, value);
}

/* Counts the generation up; its new value in space. */
static int
next_generation(struct registry *r, enum table_name t, const char *domain,
    unsigned char *space, struct slice *value)
{
	struct str old = STR_INIT(4096);
	char key[STORE_KEY_MAX];
	struct slice name = slice_make(key, generation_key(t, domain, key));
	uint64_t n = 0;
	int found;

	if ((found = store_get(r->store, name, &old)) == 1)
		n = generation_number(r, str_slice(&old));
	str_free(&old);
	if (found == -1)
		return -1;
	*value = generation_value(r, n + 1, space);
	return store_put(r->store, name, *value);
}

/* Begins a table aside, with its generation. NULL with errno. */
static struct table_writer *
begin_table(struct registry *r, enum table_name t, const char *domain)
{
	unsigned char generation[GENERATION_MAX];
	char file[FILE_MAX];
	struct table_writer *w;
	struct slice value;

	if (next_generation(r, t, domain, generation, &value) == -1)
		return NULL;
	w = table_create(table_folder(r, t),
	    table_file(t, domain, ".next", file), places[t].mode);
	if (w != NULL && table_put(w, GENERATION_KEY, value) == -1) {
		table_abandon(w);
		return NULL;
	}
	return w;
}

/* Ends all of them: with ok, durable. */
static int
end_tables(struct writers *w, bool ok)
{
	for (enum table_name t = 0; t < TABLE_NAMES; t++) {
		if (w->w[t] == NULL)
			continue;
		if (ok)
			ok = table_commit(w->w[t]) == 0;
		else
			table_abandon(w->w[t]);
	}
	return ok ? 0 : -1;
}

/* Writes those tables of one walk that are in the set. */
static int
write_tables(struct registry *r, unsigned tables, const char *domain)
{
	struct writers w = { { NULL } };
	struct build b = { .r = r, .tables = tables, .put = put_table,
		.arg = &w };
	bool ok;

	if (tables == 0)
		return 0;
	ok = (b.space = malloc(RECORD_MAX)) != NULL;
	for (enum table_name t = 0; ok && t < TABLE_NAMES; t++)
		if (tables & BIT(t))
			ok = (w.w[t] = begin_table(r, t, domain)) != NULL;
	ok = ok && build_records(&b, domain) == 0;
	free(b.space);
	return end_tables(&w, ok);
}

static int
stale_order(const void *a, const void *b)
{
	return strcmp(((const struct stale *)a)->domain,
	    ((const struct stale *)b)->domain);
}

/* Each domain once. What is gone and came back is only stale. */
static void
merge(struct registry *r)
{
	size_t n = 0;

	if (r->stale_n == 0)
		return;
	qsort(r->stale, r->stale_n, sizeof(*r->stale), stale_order);
	for (size_t i = 1; i < r->stale_n; i++) {
		if (strcmp(r->stale[i].domain, r->stale[n].domain) == 0)
			r->stale[n].what |= r->stale[i].what;
		else
			r->stale[++n] = r->stale[i];
	}
	r->stale_n = n + 1;
}

/* True when the domain is there and has tables of its own; -1 on failure. */
static int
has_tables(struct registry *r, const char *domain)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object d;
	int found;

	found = registry_domain(r, domain, &bytes, &d);
	if (found == 1 && object_get(&d, "alias-of").p != NULL)
		found = 0;
	str_free(&bytes);
	return found;
}

static int
stage(struct registry *r, struct stale *s)
{
	unsigned tables = 0;
	int there;

	if (s->domain[0] != '\0') {
		if ((there = has_tables(r, s->domain)) == -1)
			return -1;
		/* The order of changes is lost: the registry knows. */
		s->what = there ? s->what & ~STALE_GONE : STALE_GONE;
	}
	for (enum table_name t = 0; t < TABLE_NAMES; t++)
		if (s->what & places[t].stale)
			tables |= BIT(t);
	if (write_tables(r, tables & OF_DOMAIN, s->domain) == -1 ||
	    write_tables(r, tables & OF_ALL, s->domain) == -1)
		return -1;
	return write_tables(r, tables & BIT(TABLE_ACCESS), s->domain);
}

int
compile_stage(struct registry *r)
{
	merge(r);
	for (size_t i = 0; i < r->stale_n; i++)
		if (stage(r, &r->stale[i]) == -1)
			return -1;
	return 0;
}

/* Making them visible. */

static int
publish(struct registry *r, const struct stale *s)
{
	char next[FILE_MAX], file[FILE_MAX];
	int dirfd;

	for (enum table_name t = 0; t < TABLE_NAMES; t++) {
		if (!(s->what & places[t].stale))
			continue;
		dirfd = table_folder(r, t);
		if (renameat(dirfd, table_file(t, s->domain, ".next", next),
		    dirfd, table_file(t, s->domain, "", file)) == -1)
			return -1;
	}
	return 0;
}

static int
unlink_gone(struct registry *r, const struct stale *s)
{
	char file[FILE_MAX];

	if (!(s->what & STALE_GONE))
		return 0;
	for (enum table_name t = TABLE_ADDRESSES; t <= TABLE_SECRETS; t++)
		if (unlinkat(table_folder(r, t),
		    table_file(t, s->domain, "", file), 0) == -1 &&
		    errno != ENOENT)
			return -1;
	return 0;
}

int
compile_publish(struct registry *r)
{
	/* The tables of domains first, the index of domains ("" sorts first)
	 * when they are there, then what is gone from the index. */
	for (size_t i = r->stale_n; i > 0; i--)
		if (publish(r, &r->stale[i - 1]) == -1)
			return -1;
	for (size_t i = 0; i < r->stale_n; i++)
		if (unlink_gone(r, &r->stale[i]) == -1)
			return -1;
	if (r->stale_n > 0 && (fsx_sync_dir(r->domains_fd) == -1 ||
	    fsx_sync_dir(r->tables_fd) == -1 ||
	    fsx_sync_dir(r->auth_fd) == -1))
		return -1;
	r->stale_n = 0;
	return 0;
}

void
compile_discard(struct registry *r)
{
	char next[FILE_MAX];

	for (size_t i = 0; i < r->stale_n; i++)
		for (enum table_name t = 0; t < TABLE_NAMES; t++)
			if (r->stale[i].what & places[t].stale)
				unlinkat(table_folder(r, t), table_file(t,
				    r->stale[i].domain, ".next", next), 0);
	r->stale_n = 0;
}

/* Finding what is stale. */

/* True when the table on disk is of the registry's generation; -1: failure. */
static int
is_current(struct registry *r, enum table_name t, const char *domain)
{
	struct str want = STR_INIT(4096);
	char key[STORE_KEY_MAX], file[FILE_MAX];
	struct table table = { 0 };
	struct slice have;
	int found;

	found = store_get(r->store,
	    slice_make(key, generation_key(t, domain, key)), &want);
	if (found == 1) {
		found = table_open(&table, table_folder(r, t),
		    table_file(t, domain, "", file)) == 0 &&
		    table_get(&table, GENERATION_KEY, &have) == 1 &&
		    generation_number(r, have) != 0 &&
		    slice_eq(have, str_slice(&want));
		table_close(&table);
	}
	str_free(&want);
	return found;
}

struct finding {
	struct registry *r;
	bool all;
};

static int
find_stale(struct finding *f, const char *domain, enum table_name first,
    enum table_name last)
{
	int current;

	for (enum table_name t = first; t <= last; t++) {
		current = f->all ? 0 : is_current(f->r, t, domain);
		if (current == -1 || (current == 0 &&
		    registry_stale(f->r, domain, places[t].stale) == -1))
			return -1;
	}
	return 0;
}

static int
find_in_domain(void *arg, struct slice key, struct slice value)
{
	struct object d;

	(void)key;
	if (object_decode(value, &d) == -1)
		return -1;
	if (object_get(&d, "alias-of").p != NULL)
		return 0;
	return find_stale(arg, d.name, TABLE_ADDRESSES, TABLE_SECRETS);
}

/* Removes NAME.next, its beginnings, and tables of domains that are gone. */
static int
tidy(struct registry *r, int dirfd, bool of_domains)
{
	char domain[FILE_MAX];
	struct dirent *e;
	DIR *dir;
	size_t len;
	int fd, keep;

	if ((fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while ((e = readdir(dir)) != NULL) {
		len = strlen(e->d_name);
		keep = strstr(e->d_name, ".cdb") == NULL;
		if (!keep && len > 4 && len < sizeof(domain) &&
		    strcmp(e->d_name + len - 4, ".cdb") == 0) {
			snprintf(domain, sizeof(domain), "%.*s", (int)(len - 4),
			    e->d_name);
			keep = !of_domains || strcmp(domain, "domains") == 0 ||
			    has_tables(r, domain) != 0;
		}
		if (!keep)
			unlinkat(dirfd, e->d_name, 0);
	}
	closedir(dir);
	return 0;
}

int
compile_find_stale(struct registry *r, bool all)
{
	struct finding f = { r, all };

	if (tidy(r, r->domains_fd, true) == -1 ||
	    tidy(r, r->auth_fd, true) == -1 ||
	    tidy(r, r->tables_fd, false) == -1)
		return -1;
	if (find_stale(&f, "", TABLE_DOMAINS, TABLE_ACCESS) == -1)
		return -1;
	return store_each(r->store, SLICE("domain/"), SLICE_EMPTY,
	    find_in_domain, &f);
}

/* Comparing. */

struct comparison {
	struct registry *r;
	struct table table;
	char name[FILE_MAX];
	size_t records;
	void (*fault)(void *arg, const struct table_fault *f);
	void *arg;
};

static void
tell(struct comparison *c, struct slice key, const char *english,
    const char *french)
{
	struct table_fault f = { .key = key, .english = english,
		.french = french };

	snprintf(f.table, sizeof(f.table), "%s", c->name);
	c->fault(c->arg, &f);
}

static int
compare_record(void *arg, enum table_name t, struct slice key,
    struct slice value)
{
	struct comparison *c = arg;
	struct slice have;

	(void)t;		/* one at a time */

	c->records++;
	switch (table_get(&c->table, key, &have)) {
	case 0:
		tell(c, key, "is missing", "manque");
		return 0;
	case 1:
		if (!slice_eq(have, value))
			tell(c, key, "differs from the registry",
			    "diffère du registre");
		return 0;
	default:
		tell(c, key, "is damaged", "est endommagé");
		return 0;
	}
}

/* The table must have the records counted, the generation, and no more. */
static void
compare_count(struct comparison *c)
{
	struct slice key, value;
	size_t n = 0;
	unsigned at = 0;

	while (table_next(&c->table, &at, &key, &value) == 1)
		n++;
	if (n != c->records + 1)
		tell(c, SLICE_EMPTY, "has records that the registry has not",
		    "contient des fiches que le registre n'a pas");
}

static int
compare_table(struct comparison *c, enum table_name t, const char *domain)
{
	struct build b = { .r = c->r, .tables = BIT(t), .put = compare_record,
		.arg = c };
	int result;

	table_file(t, domain, "", c->name);
	c->records = 0;
	if (table_open(&c->table, table_folder(c->r, t), c->name) == -1) {
		tell(c, SLICE_EMPTY, "cannot be read", "est illisible");
		return 0;
	}
	if ((b.space = malloc(RECORD_MAX)) == NULL)
		return -1;
	result = build_records(&b, domain);
	free(b.space);
	if (result == 0) {
		compare_count(c);
		if (is_current(c->r, t, domain) == 0)
			tell(c, SLICE_EMPTY, "is of another generation",
			    "est d'une autre génération");
	}
	table_close(&c->table);
	return result;
}

static int
compare_domain(void *arg, struct slice key, struct slice value)
{
	struct object d;

	(void)key;
	if (object_decode(value, &d) == -1)
		return -1;
	if (object_get(&d, "alias-of").p != NULL)
		return 0;
	if (compare_table(arg, TABLE_ADDRESSES, d.name) != 0)
		return -1;
	return compare_table(arg, TABLE_SECRETS, d.name);
}

int
compile_compare(struct registry *r,
    void (*fault)(void *arg, const struct table_fault *f), void *arg)
{
	struct comparison c = { .r = r, .fault = fault, .arg = arg };

	for (enum table_name t = TABLE_DOMAINS; t <= TABLE_ACCESS; t++)
		if (compare_table(&c, t, "") != 0)
			return -1;
	return store_each(r->store, SLICE("domain/"), SLICE_EMPTY,
	    compare_domain, &c);
}
