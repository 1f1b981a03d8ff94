/* test_warning_text.c - what the owner of a mailbox that fills up is told. */
/* SPDX-License-Identifier: ISC */
#include "deliver/warning_text.h"
#include "lib/encode.h"
#include "tests/unit/tap.h"

#define MB (1024 * 1024)

/* clang-format off */
static const struct row {
	const char *what;
	struct warning_notice n;
	const char *want[3];	/* as quoted-printable has them */
	const char *not;	/* or NULL */
} rows[] = {
	{ "bytes, English", { .language = "en", .bytes = 95 * MB,
	    .quota_bytes = 100 * MB, .messages = 12 },
	  { "95.0=C2=A0MB", "100.0=C2=A0MB", ": 95%" }, "messages of the" },
	{ "bytes, French", { .language = "fr", .bytes = 1536 * 1024,
	    .quota_bytes = 1600 * 1024 },
	  { "1,5=C2=A0Mo", "1,6=C2=A0Mo", "soit" }, "messages sur" },
	{ "messages", { .language = "en", .messages = 91,
	    .quota_messages = 100, .bytes = 5 },
	  { " 91 messages of the 100", "91%", "is full" }, "kB" },
	{ "both", { .language = "en", .messages = 91, .quota_messages = 100,
	    .bytes = 5 * 1024, .quota_bytes = 64 * 1024 },
	  { "5.0=C2=A0kB", "91 messages", ": 7%" }, NULL },
	{ "a quota that was lowered", { .language = "en", .bytes = 300 * MB,
	    .quota_bytes = 100 * MB }, { "300%", "", "" }, NULL },
	{ "the largest numbers", { .language = "fr",
	    .bytes = UINT64_MAX, .quota_bytes = 1, .messages = UINT64_MAX,
	    .quota_messages = UINT64_MAX }, { "To", "100", "10000" }, NULL },
	{ "a unit is not left too late", { .language = "fr",
	    .bytes = 1024 * 1024 - 20, .quota_bytes = 1024 * 1024 },
	  { " 1,0=C2=A0Mo sur les 1,0=C2=A0Mo", "", "" }, "1024" },
	{ "one message, English", { .language = "en", .messages = 1,
	    .quota_messages = 1 },
	  { " 1 message of the 1 that it may have", "", "" }, NULL },
	{ "one message, French", { .language = "fr", .messages = 1,
	    .quota_messages = 12 },
	  { "contient 1 message sur les 12 qu", "", "" }, NULL },
	{ "another language is English", { .language = "de", .bytes = MB,
	    .quota_bytes = MB }, { "Content-Language: en\n", "", "" }, NULL },
};
/* clang-format on */

static bool
has(const struct str *out, const char *text)
{
	return memmem(out->p, out->len, text, strlen(text)) != NULL;
}

/* The text without the ends of its lines, soft or not. */
static void
unfold(const struct str *in, struct str *out)
{
	for (size_t i = 0; i < in->len; i++) {
		if (in->p[i] == '=' && i + 1 < in->len && in->p[i + 1] == '\n')
			i++;
		else if (in->p[i] == '\n' && i > 0 && in->p[i - 1] != '\n' &&
		    has(out, "printable\n\n"))
			str_putc(out, ' ');
		else
			str_putc(out, in->p[i]);
	}
}

static bool
is_right(const struct row *r, const struct str *raw, const struct str *text)
{
	for (size_t i = 0; i < 3; i++)
		if (!has(text, r->want[i]))
			return false;
	return str_ok(raw) && encode_is_ascii(str_slice(raw)) &&
	    encode_longest_line(str_slice(raw)) <= 78 &&
	    (r->not == NULL || !has(text, r->not)) &&
	    has(raw, "\nTo: <bob@exemple.test>\n") &&
	    has(raw, "\nAuto-Submitted: auto-generated\n");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str raw = STR_INIT(WARNING_TEXT_MAX);
		struct str text = STR_INIT(WARNING_TEXT_MAX);
		struct warning_notice n = rows[i].n;

		n.address = "bob@exemple.test";
		n.hostname = "mx.exemple.test";
		n.when = 1795219200;
		warning_compose(&raw, &n);
		unfold(&raw, &text);
		ok(is_right(&rows[i], &raw, &text), "%s", rows[i].what);
		str_free(&raw);
		str_free(&text);
	}
	return done();
}
