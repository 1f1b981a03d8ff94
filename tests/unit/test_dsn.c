/* test_dsn.c - notices keep their shape whatever strangers write. */
/* SPDX-License-Identifier: ISC */

#include "bounce/notice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/encode.h"
#include "tests/unit/tap.h"

#define RANDOM "0123456789abcdef0123456789abcdef"
#define BOUNDARY "malle-" RANDOM "-"

#define SET(field, text) snprintf(field, sizeof(field), "%s", text)

static struct bounce_notice notice;
static struct bounce_recipient recipient;

static void
fresh(void)
{
	memset(&notice, 0, sizeof(notice));
	memset(&recipient, 0, sizeof(recipient));
	notice.kind = BOUNCE_FAILURE;
	notice.recipients = 1;
	notice.arrival = 1795300000;
	SET(notice.id, "1i6v3a8u00t-00abcd12345");
	SET(notice.to, "alice@exemple.test");
	SET(notice.language, "fr");
	SET(recipient.address, "bob@exemple.test");
	SET(recipient.status, "5.1.1");
	SET(recipient.text, "No such mailbox.");
}

/* Composes with original, into out (cleared first). */
static int
compose(struct slice original, bool whole, struct str *out,
    struct notice_facts *facts)
{
	struct notice_input in = {
		.notice = &notice, .recipients = &recipient,
		.original = original, .original_whole = whole,
		.hostname = "mx.exemple.test", .now = 1795300100,
		.random = RANDOM,
	};

	str_clear(out);
	return notice_compose(&in, out, facts);
}

static size_t
count(struct slice s, const char *what)
{
	size_t n = 0, len = strlen(what);
	const char *p;

	while ((p = memmem(s.p, s.len, what, len)) != NULL) {
		n++;
		s = slice_skip(s, (size_t)(p - s.p) + len);
	}
	return n;
}

/* What every notice must be. */
static bool
is_sound(struct slice s)
{
	struct slice rest = s;
	size_t delimiters = 0;

	if (memchr(s.p, '\0', s.len) != NULL ||
	    memchr(s.p, '\r', s.len) != NULL ||
	    encode_longest_line(s) > 998 || s.len == 0 ||
	    s.p[s.len - 1] != '\n')
		return false;
	while (rest.p != NULL) {
		struct slice line = slice_cut(&rest, '\n');

		delimiters += line.len > 8 && memcmp(line.p, "--malle-", 8) == 0 &&
		    memmem(line.p, line.len, RANDOM, 32) != NULL;
	}
	return delimiters >= 4 && count(s, "\nAuto-Submitted: auto-replied\n") == 1;
}

static char *
filled(const char *head, char c, size_t n, const char *tail)
{
	size_t before = strlen(head), after = strlen(tail);
	char *p = malloc(before + n + after + 1);

	snprintf(p, before + 1, "%s", head);
	memset(p + before, c, n);
	snprintf(p + before + n, after + 1, "%s", tail);
	return p;
}

static const struct {
	const char *what;
	struct slice original;
	unsigned flags;
	const char *want;	/* must be in the notice */
	const char *never;	/* must not; NULL */
} originals[] = {
	{ "a common one", SLICE("Subject: hi\nFrom: a@b\n\nbody\n"), 0,
	    "\nContent-Type: text/rfc822-headers\n\nSubject: hi\nFrom: a@b\n\n--",
	    "body" },
	{ "returned in full", SLICE("Subject: hi\n\nbody\n"), QM_RET_FULL,
	    "\nContent-Type: message/rfc822\n\nSubject: hi\n\nbody\n\n--", NULL },
	{ "full, 8-bit body", SLICE("Subject: hi\n\n\xc3\xa9\n"), QM_RET_FULL,
	    "message/rfc822\nContent-Transfer-Encoding: 8bit\n", NULL },
	{ "full, UTF-8 header", SLICE("Subject: \xc3\xa9\n\nx\n"), QM_RET_FULL,
	    "message/global\nContent-Transfer-Encoding: 8bit\n", NULL },
	{ "UTF-8 header", SLICE("Subject: \xc3\xa9\n\nx\n"), 0,
	    "message/global-headers\nContent-Transfer-Encoding: 8bit\n", NULL },
	{ "Latin-1 header", SLICE("Subject: \xe9\n\nx\n"), QM_RET_FULL,
	    "text/rfc822-headers\nContent-Transfer-Encoding: quoted-printable\n"
	    "\nSubject: =E9\n", "\xe9\n" },
	{ "NUL in the body", SLICE("Subject: hi\n\na\0b\n"), QM_RET_FULL,
	    "text/rfc822-headers\n\nSubject: hi\n", NULL },
	{ "NUL in the header", SLICE("Subject: h\0i\n\nb\n"), 0,
	    "quoted-printable\n\nSubject: h=00i\n", NULL },
	{ "CR in the body", SLICE("Subject: hi\n\na\rb\n"), QM_RET_FULL,
	    "text/rfc822-headers\n", NULL },
	{ "no final line end", SLICE("Subject: hi\n\nbody"), QM_RET_FULL,
	    "\nbody\n\n--", NULL },
	{ "no header", SLICE("\nbody\n"), 0, "text/rfc822-headers\n\n\n--",
	    "body" },
	{ "nothing", SLICE(""), QM_RET_FULL, "text/rfc822-headers\n\n\n--",
	    NULL },
	{ "no field at all", SLICE("just text\nand more\n"), 0,
	    "text/rfc822-headers\n\n\n--", "just text" },
	{ "our boundary in the body", SLICE("Subject: hi\n\n--" BOUNDARY
	    "0\nContent-Type: text/html\n\nevil\n--" BOUNDARY "0--\n"),
	    QM_RET_FULL, "boundary=\"" BOUNDARY "1\"", NULL },
	{ "two boundaries", SLICE("X: " BOUNDARY "0\nY: " BOUNDARY "1\n\n"), 0,
	    "boundary=\"" BOUNDARY "2\"", NULL },
	{ "boundary of another", SLICE("Subject: hi\nX: y\n\n--x\n\n--x--\n"),
	    QM_RET_FULL, "boundary=\"" BOUNDARY "0\"", NULL },
	{ "a good Message-ID", SLICE("Message-ID: <a.b@c>\n\n"), 0,
	    "\nIn-Reply-To: <a.b@c>\nReferences: <a.b@c>\n", NULL },
	{ "a folded Message-ID", SLICE("Message-ID:\n <a.b@c>\n\n"), 0,
	    "\nIn-Reply-To: <a.b@c>\n", NULL },
	{ "a Message-ID with a second field", SLICE("Message-ID: <a@c>\n Bcc: x\n\n"),
	    0, "Auto-Submitted", "\nIn-Reply-To" },
	{ "a Message-ID without @", SLICE("Message-ID: <abc>\n\n"), 0,
	    "Auto-Submitted", "\nIn-Reply-To" },
	{ "a Message-ID with 8-bit", SLICE("Message-ID: <\xe9@c>\n\n"), 0,
	    "Auto-Submitted", "\nIn-Reply-To" },
	{ "a subject with line ends", SLICE("Subject: =?utf-8?q?a=0A=0Ab=0D?=\n\n"),
	    0, "Objet=C2=A0: a b\n", NULL },
};

static void
test_originals(struct str *out)
{
	struct notice_facts facts;

	for (size_t i = 0; i < sizeof(originals) / sizeof(originals[0]); i++) {
		bool good;

		fresh();
		notice.flags = originals[i].flags;
		good = compose(originals[i].original, true, out, &facts) == 0;
		ok(good && is_sound(str_slice(out)), "original: %s: sound",
		    originals[i].what);
		ok(good && count(str_slice(out), originals[i].want) == 1 &&
		    (originals[i].never == NULL ||
		    count(str_slice(out), originals[i].never) == 0),
		    "original: %s: as wanted", originals[i].what);
		ok(good && facts.has_8bit == !encode_is_ascii(str_slice(out)) &&
		    !facts.has_utf8, "original: %s: facts", originals[i].what);
	}
}

/* Texts of strangers, each put into every field of a recipient. */
static const char *const hostile[] = {
	"x\nAction: delivered\n\nFinal-Recipient: rfc822; evil@x",
	"x\r\n\r\n--" BOUNDARY "0--\r\n",
	"--" BOUNDARY "0", "\x01\x02\x7f\xff\xfe", "=?utf-8?q?=0A?=",
	"%s%n%s%n", "\xe2\x80\xae live", "   ", "a;b;c", "\"><script>",
};

static void
test_hostile(struct str *out)
{
	struct notice_facts facts;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct slice s;

		fresh();
		snprintf(recipient.address, sizeof(recipient.address), "%s",
		    hostile[i]);
		snprintf(recipient.original, sizeof(recipient.original), "%s",
		    hostile[i]);
		snprintf(recipient.orcpt, sizeof(recipient.orcpt), "rfc822;%s",
		    hostile[i]);
		snprintf(recipient.status, sizeof(recipient.status), "%.11s",
		    hostile[i]);
		snprintf(recipient.text, sizeof(recipient.text), "%s",
		    hostile[i]);
		snprintf(recipient.remote, sizeof(recipient.remote), "%s",
		    hostile[i]);
		snprintf(notice.envid, sizeof(notice.envid), "%s", hostile[i]);
		ok(compose(SLICE("Subject: x\n\n"), true, out, &facts) == 0,
		    "hostile %zu", i);
		s = str_slice(out);
		ok(is_sound(s) && count(s, "\nAction: ") == 1 &&
		    count(s, "\nFinal-Recipient: ") == 1 &&
		    count(s, "\nStatus: 5.0.0\n") == 1 &&
		    count(s, "\nContent-Type: ") == 4, "hostile %zu: sound", i);
	}
}

static void
test_recipients(struct str *out)
{
	struct notice_facts facts;

	fresh();
	ok(compose(SLICE("Subject: x\n\n"), true, out, &facts) == 0 &&
	    count(str_slice(out), "\nFinal-Recipient: rfc822; "
	    "bob@exemple.test\nAction: failed\nStatus: 5.1.1\n"
	    "Diagnostic-Code: X-Malleposte; No such mailbox.\n") == 1,
	    "the report of our own failure");
	ok(count(str_slice(out), "Original-Recipient") == 0,
	    "no Original-Recipient without ORCPT");
	SET(recipient.orcpt, "rfc822;B+2Bb@exemple.test");
	SET(recipient.remote, "mx.free.test");
	SET(recipient.text, "550 5.1.1 no");
	ok(compose(SLICE("Subject: x\n\n"), true, out, &facts) == 0 &&
	    count(str_slice(out), "\nOriginal-Recipient: rfc822; "
	    "B+b@exemple.test\n") == 1 &&
	    count(str_slice(out), "\nRemote-MTA: dns; mx.free.test\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no\n") == 1,
	    "the report of a remote failure");
	fresh();
	SET(recipient.address, "zo\xc3\xa9@exemple.test");
	ok(compose(SLICE("Subject: x\n\n"), true, out, &facts) == 0 &&
	    count(str_slice(out), "message/global-delivery-status") == 1 &&
	    count(str_slice(out), "report-type=global-delivery-status") == 1 &&
	    count(str_slice(out), "\nFinal-Recipient: utf-8; "
	    "zo\xc3\xa9@exemple.test\n") == 1 && facts.has_8bit &&
	    !facts.has_utf8, "an address in UTF-8");
	fresh();
	SET(notice.to, "zo\xc3\xa9@exemple.test");
	ok(compose(SLICE("Subject: x\n\n"), true, out, &facts) == 0 &&
	    facts.has_utf8, "a notice to an address in UTF-8");
	fresh();
	notice.kind = BOUNCE_DELAY;
	recipient.action = ACTION_DELAYED;
	recipient.retry_until = 1795700000;
	SET(recipient.status, "4.4.1");
	ok(compose(SLICE("Subject: x\n\n"), true, out, &facts) == 0 &&
	    count(str_slice(out), "\nAction: delayed\nStatus: 4.4.1\n") == 1 &&
	    count(str_slice(out), "\nWill-Retry-Until: ") == 1,
	    "a delay");
}

static void
test_refused(struct str *out)
{
	static const char *const addresses[] = { "", "nobody", "a@b@c",
		"a b@c.fr", "<a@b.fr>" };
	struct notice_facts facts = { true, true };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		fresh();
		SET(notice.to, addresses[i]);
		ok(compose(SLICE("Subject: x\n\n"), true, out, &facts) == -1,
		    "no notice to \"%s\"", addresses[i]);
	}
}

static void
test_large(struct str *out)
{
	struct notice_facts facts;
	char *p;

	fresh();
	notice.flags = QM_RET_FULL;
	p = filled("Subject: x\n\n", 'a', 999, "\n");
	ok(compose(slice_of(p), true, out, &facts) == 0 &&
	    is_sound(str_slice(out)) &&
	    count(str_slice(out), "text/rfc822-headers") == 1,
	    "a body line of 999 bytes is not returned");
	free(p);
	p = filled("Subject: ", 'a', 5000, "\n\n");
	ok(compose(slice_of(p), true, out, &facts) == 0 &&
	    is_sound(str_slice(out)) &&
	    count(str_slice(out), "quoted-printable") == 2,
	    "a header line of 5000 bytes is returned encoded");
	free(p);
	p = filled("Subject: x\nX: ", 'a', NOTICE_HEADER_MAX, "\nY: z\n\n");
	ok(compose(slice_of(p), true, out, &facts) == 0 &&
	    is_sound(str_slice(out)) && count(str_slice(out), "aaaa") == 0,
	    "a field that is too long is left out");
	free(p);
	p = filled("Subject: x\n\n", '\n', NOTICE_FULL_MAX, "");
	ok(compose(slice_of(p), true, out, &facts) == 0 &&
	    is_sound(str_slice(out)) &&
	    count(str_slice(out), "message/rfc822") == 0,
	    "a large original comes back as header");
	ok(compose(SLICE("Subject: x\n\nbod"), false, out, &facts) == 0 &&
	    count(str_slice(out), "message/rfc822") == 0,
	    "an original that was not read whole comes back as header");
	free(p);
}

int
main(void)
{
	struct str out = STR_INIT(NOTICE_MAX);

	test_originals(&out);
	test_recipients(&out);
	test_hostile(&out);
	test_refused(&out);
	test_large(&out);
	str_free(&out);
	return done();
}
