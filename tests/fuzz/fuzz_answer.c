/* fuzz_answer.c - any header: is it answered, and is the answer sound? */
/* SPDX-License-Identifier: ISC */

#include "deliver/answer_rules.h"
#include "deliver/answer_text.h"
#include "lib/encode.h"

#include "tests/fuzz/must.h"

/* A header that ends once, of fields whose lines travel; nothing slips in. */
static void
check_answer(struct slice all)
{
	/* clang-format off */
	static const char *const once[] = { "Date:", "From:", "To:",
		"Subject:", "Message-ID:", "Auto-Submitted:",
		"Content-Type:" };
	/* clang-format on */
	struct slice rest = all;
	unsigned fields = 0;

	must(encode_longest_line(all) <= 998);
	must(memchr(all.p, '\0', all.len) == NULL);
	must(memchr(all.p, '\r', all.len) == NULL);
	must(encode_is_ascii(all));
	while (rest.p != NULL && rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.len == 0)
			break;
		for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
			fields += slice_starts_nocase(line, slice_of(once[i]));
		must(!slice_starts_nocase(line, SLICE("Bcc:")));
	}
	must(fields == sizeof(once) / sizeof(once[0]));
	must(slice_eq(rest, SLICE("Absent.\n")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str out = STR_INIT(ANSWER_CONTENT_MAX);
	struct answer_facts facts = {
		.header = slice_make(data, size),
		.sender = "zoe@free.test",
		.addresses = SLICE("bob@exemple.test\ninfo@exemple.test"),
		.hostname = "mail.exemple.test",
		.only_addressed = size % 2 == 0
	};
	struct answer_job j = {
		.id = "0abcdef0000-x", .sender = "zoe@free.test",
		.account = "bob", .from = "bob@exemple.test",
		.language = "fr", .subject = SLICE_EMPTY,
		.text = SLICE("Absent.\n"), .full_name = facts.header
	};
	const char *why = answer_refusal(&facts);

	must(why == NULL || (why[0] != '\0' &&
	    strlen(why) <= ANSWER_WHY_MAX));
	answer_compose(&out, &j, facts.header, facts.hostname, 0);
	must(str_ok(&out));
	check_answer(str_slice(&out));
	str_free(&out);
	return 0;
}
