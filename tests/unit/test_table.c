/* test_table.c - compiled tables: written whole, replaced, damaged. */
/* SPDX-License-Identifier: ISC */

#include "lib/table.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fsx.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static void
write_table(int dir, const char *name, const char *key, const char *value)
{
	struct table_writer *w = table_create(dir, name, 0640);

	if (w == NULL || table_put(w, slice_of(key), slice_of(value)) == -1 ||
	    table_commit(w) == -1)
		err(1, "%s", name);
}

static bool
gives(const struct table *t, const char *key, const char *want)
{
	struct slice value;
	int r = table_get(t, slice_of(key), &value);

	return want == NULL ? r == 0 : r == 1 &&
	    slice_eq(value, slice_of(want));
}

static void
test_life(int dir)
{
	struct table t = { .impl = NULL };
	struct table_writer *w;
	struct stat st;

	ok(table_open(&t, dir, "a.cdb") == -1 && errno == ENOENT, "not there");
	write_table(dir, "a.cdb", "bob", "1");
	ok(table_open(&t, dir, "a.cdb") == 0 && gives(&t, "bob", "1") &&
	    gives(&t, "bo", NULL) && gives(&t, "", NULL), "written and read");
	ok(fstatat(dir, "a.cdb", &st, 0) == 0 && (st.st_mode & 0777) == 0640,
	    "with its mode");
	write_table(dir, "a.cdb", "bob", "2");
	ok(gives(&t, "bob", "1"), "what is open stays as it was");
	ok(table_refresh(&t, dir, "a.cdb") == 0 && gives(&t, "bob", "2"),
	    "refresh sees the new one");
	w = table_create(dir, "a.cdb", 0640);
	ok(w != NULL && table_put(w, SLICE("bob"), SLICE("3")) == 0, "begun");
	table_abandon(w);
	ok(table_refresh(&t, dir, "a.cdb") == 0 && gives(&t, "bob", "2"),
	    "abandoned: nothing changes");
	scratch_write(dir, "b.cdb", "no table", 8);
	ok(renameat(dir, "b.cdb", dir, "a.cdb") == 0 &&
	    table_refresh(&t, dir, "a.cdb") == -1 && gives(&t, "bob", "2"),
	    "a damaged file: the old table stays in use");
	ok(unlinkat(dir, "a.cdb", 0) == 0 &&
	    table_refresh(&t, dir, "a.cdb") == -1 && errno == ENOENT &&
	    t.impl == NULL, "gone: closed");
	table_abandon(NULL);
	table_close(&t);
	table_close(&t);
	ok(true, "close twice, abandon nothing");
}

static void
test_walk(int dir)
{
	struct table_writer *w = table_create(dir, "many.cdb", 0600);
	struct table t = { .impl = NULL };
	struct slice key, value;
	char text[16];
	unsigned pos = 0, n = 0;
	int r;

	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "key%d", i);
		if (table_put(w, slice_of(text), slice_of(text)) == -1)
			err(1, "many.cdb");
	}
	ok(table_commit(w) == 0 && table_open(&t, dir, "many.cdb") == 0,
	    "a thousand records");
	while ((r = table_next(&t, &pos, &key, &value)) == 1)
		n += slice_eq(key, value);
	ok(r == 0 && n == 1000, "all of them in turn");
	table_close(&t);
}

/* Every byte of a table turned over: an error or another answer, no crash. */
static void
test_damage(int dir)
{
	struct table t = { .impl = NULL };
	struct slice key, value;
	size_t len, walked = 0;
	unsigned pos;
	char *bytes;

	write_table(dir, "x.cdb", "bob", "1");
	if (fsx_read_file(dir, "x.cdb", 1 << 20, &bytes, &len) == -1)
		err(1, "x.cdb");
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= 0xff;
		scratch_write(dir, "y.cdb", bytes, len);
		if (table_open(&t, dir, "y.cdb") == 0) {
			(void)!table_get(&t, SLICE("bob"), &value);
			for (pos = 0; walked < 1000000 &&
			    table_next(&t, &pos, &key, &value) == 1; walked++)
				;
		}
		bytes[i] ^= 0xff;
	}
	ok(walked < 1000000, "%zu bytes turned over, one by one", len);
	for (size_t n = 0; n < len; n += 7) {
		scratch_write(dir, "y.cdb", bytes, n);
		if (table_open(&t, dir, "y.cdb") == 0)
			(void)!table_get(&t, SLICE("bob"), &value);
	}
	ok(true, "cut off at every seventh byte");
	free(bytes);
	table_close(&t);
	ok(symlinkat("x.cdb", dir, "link.cdb") == 0 &&
	    table_open(&t, dir, "link.cdb") == -1, "a link is not followed");
	ok(mkdirat(dir, "dir.cdb", 0700) == 0 &&
	    table_open(&t, dir, "dir.cdb") == -1, "a folder is no table");
}

int
main(void)
{
	int dir = scratch_open();

	test_life(dir);
	test_walk(dir);
	test_damage(dir);
	return done();
}
