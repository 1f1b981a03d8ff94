/* fuzz_migrate.c - any bytes as a file of another mail system, or an archive. */
/* SPDX-License-Identifier: ISC */

#include "tools/member.h"
#include "tools/migrate_parse.h"

#include <stdlib.h>

#include "tests/fuzz/must.h"

static bool
is_inside(struct slice s, struct slice of)
{
	return s.len == 0 || (s.p >= of.p && s.p + s.len <= of.p + of.len);
}

static void
try_account(struct slice line)
{
	struct old_account a;
	struct old_assign d;

	if (old_vpasswd(line, &a) == 0 || old_passwd(line, &a) == 0) {
		must(a.name[0] != '\0' && strpbrk(a.name, "/:@") == NULL);
		must(a.home[0] == '/' && strstr(a.home, "/../") == NULL);
		must(strpbrk(a.full_name, "\r\n") == NULL);
	}
	if (old_assign(line, &d) == 0)
		must(strchr(d.domain, '/') == NULL && d.folder[0] == '/');
}

static void
try_qmail(struct slice line)
{
	char name[ADDR_LOCAL_MAX + 1];
	struct old_delivery d;

	old_qmail(line, &d);
	must(is_inside(d.value, line));
	if (old_qmail_name(line, name) == 0)
		must(name[0] != '\0' && strpbrk(name, "/:") == NULL);
}

static void
try_aliases(struct slice all)
{
	struct slice rest = all, name, targets;
	struct old_delivery d;
	size_t before;

	while (before = rest.len, old_alias(&rest, &name, &targets)) {
		must(rest.len < before && is_inside(name, all));
		while (before = targets.len, old_target(&targets, "bob", &d)) {
			must(targets.len < before);
			must(is_inside(d.value, all));
		}
	}
}

static void
try_lists(struct slice all)
{
	struct slice rest = all, name, value;
	size_t before;

	while (before = rest.len, old_limit(&rest, &name, &value))
		must(rest.len < before && name.len > 0 &&
		    is_inside(name, all) && is_inside(value, all));
	for (rest = all; before = rest.len, old_subscriber(&rest, &value);)
		must(rest.len < before && value.len > 0 &&
		    is_inside(value, all));
}

static void
try_archive(struct slice path)
{
	struct box_message m = { .size = 1 };
	struct registry_fields f = { .n = 0 };
	char *text = malloc(path.len + 1);

	if (member_parse(path, &m) == 0) {
		must(box_is_folder(slice_of(m.folder)));
		must(box_is_unique(slice_of(m.unique)));
		must(box_is_flags(slice_of(m.flags)));
	}
	must(text != NULL);
	memcpy(text, path.p, path.len);
	if (settings_parse(text, path.len, &f) == 0)
		for (size_t i = 0; i < f.n; i++)
			must(is_inside(f.v[i].value,
			    slice_make(text, path.len)));
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_make(data, size);

	try_account(all);
	try_qmail(all);
	try_aliases(all);
	try_lists(all);
	try_archive(all);
	return 0;
}
