/* fuzz_maildir.c - any bytes as the name of a message, and as its text. */
/* SPDX-License-Identifier: ISC */

#include "lib/hdr.h"
#include "lib/maildir.h"

#include "deliver/copy.h"
#include "tests/fuzz/must.h"

static bool
is_inside(struct slice part, struct slice whole)
{
	return part.len == 0 || (part.p >= whole.p &&
	    part.p + part.len <= whole.p + whole.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_make(data, size);
	struct maildir_name name, again;
	char made[MAILDIR_NAME_MAX + 1], unique[MAILDIR_NAME_MAX + 1];

	(void)hdr_was_delivered_to(all, SLICE("bob@exemple.test"));
	if (maildir_name_parse(all, &name) == -1)
		return 0;
	must(name.unique.len > 0 && is_inside(name.unique, all));
	must(is_inside(name.flags, all));
	must(slice_to_cstr(name.unique, unique, sizeof(unique)) == 0);
	if (name.size == UINT64_MAX || name.wire_size == UINT64_MAX ||
	    maildir_name_make(unique, name.size, name.wire_size, made) == -1)
		return 0;
	if (name.is_stray && maildir_name_mark_stray(made) == -1)
		return 0;
	must(maildir_name_parse(slice_of(made), &again) == 0);
	must(slice_eq(again.unique, name.unique) && again.size == name.size &&
	    again.wire_size == name.wire_size && again.flags.len == 0 &&
	    again.is_stray == name.is_stray);
	return 0;
}
