/* compare.c - whether the tables on disk are what the registry says. */
/* SPDX-License-Identifier: ISC */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/table.h"
#include "registry/compile.h"
#include "registry/tables.h"

/* Finding what is stale. */

/* True when the table on disk is of the registry's generation; -1: failure. */
static int
is_current(struct registry *r, enum table_name t, const char *domain)
{
	struct str want = STR_INIT(4096);
	char key[STORE_KEY_MAX], file[TABLE_FILE_MAX];
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
		    registry_stale(f->r, domain, table_places[t].stale) == -1))
			return -1;
	}
	return 0;
}

static int
find_in_domain(void *arg, const char *domain)
{
	return find_stale(arg, domain, TABLE_ADDRESSES, TABLE_SECRETS);
}

/* Removes NAME.next, its beginnings, and tables of domains that are gone. */
static int
tidy(struct registry *r, int dirfd, bool of_domains)
{
	char domain[TABLE_FILE_MAX];
	struct dirent *e;
	DIR *dir;
	size_t len;
	int keep;

	if ((dir = fsx_open_list(dirfd, ".")) == NULL)
		return -1;
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
compile_tidy(struct registry *r)
{
	return tidy(r, r->domains_fd, true) == -1 ||
	    tidy(r, r->auth_fd, true) == -1 ||
	    tidy(r, r->tables_fd, false) == -1 ? -1 : 0;
}

int
compile_find_stale(struct registry *r, bool all)
{
	struct finding f = { r, all };

	if (find_stale(&f, "", TABLE_DOMAINS, TABLE_ACCESS) == -1)
		return -1;
	return registry_each_main(r, find_in_domain, &f);
}

/* Comparing. */

struct comparison {
	struct registry *r;
	struct table table;
	char name[TABLE_FILE_MAX];
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
compare_domain(void *arg, const char *domain)
{
	return compare_table(arg, TABLE_ADDRESSES, domain) != 0 ? -1 :
	    compare_table(arg, TABLE_SECRETS, domain);
}

int
compile_compare(struct registry *r,
    void (*fault)(void *arg, const struct table_fault *f), void *arg)
{
	struct comparison c = { .r = r, .fault = fault, .arg = arg };

	for (enum table_name t = TABLE_DOMAINS; t <= TABLE_ACCESS; t++)
		if (compare_table(&c, t, "") != 0)
			return -1;
	return registry_each_main(r, compare_domain, &c);
}
