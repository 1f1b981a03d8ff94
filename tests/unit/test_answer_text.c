/* test_answer_text.c - what an account answers, as it goes out. */
/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <time.h>

#include "deliver/answer_text.h"
#include "lib/encode.h"
#include "tests/unit/tap.h"

static struct str out;

/* The answer of j to a message of this header. */
static struct slice
compose(const struct answer_job *j, const char *header)
{
	str_clear(&out);
	answer_compose(&out, j, slice_of(header), "mail.exemple.test",
	    1795219200);
	return str_slice(&out);
}

static bool
has(const char *text)
{
	return memmem(out.p, out.len, text, strlen(text)) != NULL;
}

static struct answer_job
job(void)
{
	struct answer_job j = {
		.id = "0abcdef0000-x", .recipient = 2,
		.sender = "zoe@free.test", .account = "bob",
		.from = "bob@exemple.test", .language = "fr",
		.subject = SLICE_EMPTY, .text = SLICE("Absent.\n"),
		.full_name = SLICE_EMPTY
	};

	return j;
}

#define HEAD "From: zoe@free.test\nMessage-ID: <1@free.test>\n"

/* Any header gives a message of lines that travel. */
static bool
is_sound(void)
{
	struct slice rest = str_slice(&out);

	if (!str_ok(&out) || encode_longest_line(rest) > 998 ||
	    memchr(out.p, '\r', out.len) != NULL ||
	    memchr(out.p, '\0', out.len) != NULL)
		return false;
	/* The header ends once, and no field is empty or cut. */
	while (rest.len > 0) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.len == 0)
			return rest.p != NULL;
		if (line.p[0] != ' ' && line.p[0] != '\t' &&
		    memchr(line.p, ':', line.len) == NULL)
			return false;
	}
	return false;
}

static void
test_fields(void)
{
	/* 2026-11-21 00:00:00 UTC */
	static const struct { const char *zone, *want; } dates[] = {
		{ "CET-1CEST,M3.5.0,M10.5.0/3",
		  "Date: Sat, 21 Nov 2026 01:00:00 +0100\n" },
		{ "NST3:30NDT,M3.2.0,M11.1.0",
		  "Date: Fri, 20 Nov 2026 20:30:00 -0330\n" },
		{ "", "Date: Fri, 20 Nov 2026 21:00:00 -0300\n" },
	};
	struct answer_job j = job();

	compose(&j, HEAD "Subject: Bonjour\n\n");
	ok(is_sound(), "8.5: a whole message");
	ok(has("\nAuto-Submitted: auto-replied\n"), "8.5: Auto-Submitted");
	ok(has("\nPrecedence: bulk\n"), "8.5: Precedence");
	ok(has("\nTo: <zoe@free.test>\n"), "8.5: to the return path");
	ok(has("\nFrom: bob@exemple.test\n"), "8.5: from the account");
	ok(has("\nIn-Reply-To: <1@free.test>\nReferences: <1@free.test>\n"),
	    "8.5: In-Reply-To and References");
	ok(has("\nMessage-ID: <0abcdef0000-x.2.answer@mail.exemple.test>\n"),
	    "the same Message-ID whenever it is given again");
	setenv("TZ", "XXX3", 1);
	tzset();
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		memcpy(j.zone, dates[i].zone, strlen(dates[i].zone) + 1);
		compose(&j, HEAD "Subject: Bonjour\n\n");
		ok(has(dates[i].want), "4-24: in \"%s\"", j.zone);
	}
	ok(has("\n\nAbsent.\n") && has("Content-Transfer-Encoding: 7bit\n"),
	    "plain text as it is");
	ok(!has("Reply-To: <zoe") && !has("Bonjour\n\n"),
	    "nothing of the body comes back");
	j.full_name = SLICE("Martin, \"Bob\"");
	compose(&j, HEAD "\n");
	ok(has("\nFrom: \"Martin, \\\"Bob\\\"\"\n <bob@exemple.test>\n"),
	    "a name with quotes and a comma");
	j.full_name = SLICE("H\xc3\xa9l\xc3\xa8ne\r\nBcc: x@y.test");
	compose(&j, HEAD "\n");
	ok(has("\nFrom: =?utf-8?B?") && !has("\nBcc:") && is_sound(),
	    "a name with accents and a line end");
}

static void
test_subject(void)
{
	static const struct {
		const char *language, *subject, *header, *want, *name;
	} rows[] = {
		{ "en", "", "Subject: Hello\n", "\nSubject: Auto: Hello\n",
		  "8.5: Auto: and the original" },
		{ "en", "", "Subject: =?utf-8?q?Hello?= =?utf-8?q?World?=\n",
		  "\nSubject: Auto: HelloWorld\n", "an encoded one, decoded" },
		{ "en", "", "X: y\n", "\nSubject: Auto:\n", "none at all" },
		{ "en", "Away", "Subject: Hello\n", "\nSubject: Away\n",
		  "0-27: the subject that was set" },
		{ "fr", "", "Subject: Bonjour\n",
		  "\nSubject: =?utf-8?B?UsOpcG9uc2UgYXV0b21hdGlxdWXCoDogQm9uam91",
		  "0-27: in French" },
		{ "en", "", "Subject: a\n\tBcc: x@y.test\n\t b\n",
		  "\nSubject: Auto: a Bcc: x@y.test b\n", "a folded one" },
		{ "en", "", "Subject: =?utf-8?q?a=0ABcc:_x?=\n",
		  "\nSubject: Auto: a Bcc: x\n", "a line end in it" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer_job j = job();

		snprintf(j.language, sizeof(j.language), "%s",
		    rows[i].language);
		j.subject = slice_of(rows[i].subject);
		compose(&j, rows[i].header);
		if (!ok(has(rows[i].want) && is_sound(), "subject: %s",
		    rows[i].name))
			printf("# %.*s\n", SLICE_FMT(str_slice(&out)));
	}
}

static void
test_references(void)
{
	static char many[20000], want[64];
	struct answer_job j = job();
	size_t n;

	compose(&j, HEAD "References: <a@x.test>\n <b@x.test>\n\n");
	ok(has("\nReferences: <a@x.test>\n\t<b@x.test>\n\t<1@free.test>\n"),
	    "references go on");
	compose(&j, HEAD "In-Reply-To: <a@x.test>\n\n");
	ok(has("\nReferences: <a@x.test>\n\t<1@free.test>\n"),
	    "those of In-Reply-To");
	n = (size_t)snprintf(many, sizeof(many), HEAD "References:");
	for (int i = 0; i < 900; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n,
		    " <%d@x.test>", i);
	compose(&j, many);
	snprintf(want, sizeof(want), "\n\t<899@x.test>\n\t<1@free.test>\n");
	ok(has("\nReferences: <0@x.test>\n\t<891@x.test>\n") && has(want) &&
	    is_sound(), "of many the first and the last");
	compose(&j, "Message-ID: <a b@x>\nReferences: <<> <x\n\n");
	ok(!has("In-Reply-To") && !has("References") && is_sound(),
	    "what is no id is left out");
	compose(&j, "Message-ID: <1@x.test>\nReferences: <a\nb: <x@y>\n\n");
	ok(is_sound(), "an id over a line end");
}

static void
test_text(void)
{
	struct answer_job j = job();
	static char line[3000];

	j.text = SLICE("Je suis en cong\xc3\xa9 jusqu'\xc3\xa0 lundi.\n"
	    ".\nFrom me = you\n");
	compose(&j, HEAD "\n");
	ok(has("Content-Transfer-Encoding: quoted-printable\n") &&
	    has("cong=C3=A9") && has("From me =3D you\n") &&
	    encode_is_ascii(str_slice(&out)), "accents travel in ASCII");
	memset(line, 'x', sizeof(line));
	j.text = slice_make(line, sizeof(line));
	compose(&j, HEAD "\n");
	ok(is_sound() && encode_longest_line(str_slice(&out)) <= 78,
	    "a long line is folded");
	j.text = SLICE("\x1b[31mred\x07");
	compose(&j, HEAD "\n");
	ok(has("=1B[31mred=07"), "control characters are no more than text");
	j.text = SLICE("");
	compose(&j, HEAD "\n");
	ok(is_sound(), "no text");
}

int
main(void)
{
	out = STR_INIT(ANSWER_CONTENT_MAX);
	test_fields();
	test_subject();
	test_references();
	test_text();
	str_free(&out);
	return done();
}
