/* fuzz_notice.c - notices about any message, with any texts in them. */
/* SPDX-License-Identifier: ISC */

#include "bounce/notice.h"

#include "lib/encode.h"
#include "tests/fuzz/must.h"

/* A line of the input into a field of cap bytes, as the protocol lets it be:
 * without NUL, CR and LF. */
static void
take(struct slice *rest, char *out, size_t cap)
{
	struct slice line = rest->p == NULL ? SLICE_EMPTY :
	    slice_cut(rest, '\n');
	size_t n = 0;

	for (size_t i = 0; i < line.len && n + 1 < cap; i++)
		if (line.p[i] != '\0' && line.p[i] != '\r')
			out[n++] = line.p[i];
	out[n] = '\0';
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

static void
check(struct slice s, const struct notice_facts *facts)
{
	const char *start;
	char delimiter[100];

	must(memchr(s.p, '\0', s.len) == NULL);
	must(memchr(s.p, '\r', s.len) == NULL);
	must(encode_longest_line(s) <= 998);
	must(facts->has_8bit || encode_is_ascii(s));
	/* The delimiters of three parts and the end. */
	start = memmem(s.p, s.len, "boundary=\"", 10);
	must(start != NULL);
	snprintf(delimiter, sizeof(delimiter), "\n--%.*s",
	    (int)strcspn(start + 10, "\""), start + 10);
	must(count(s, delimiter) == 4);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const zones[] = { "", "UTC0", "<+0545>-5:45",
		"CET-1CEST,M3.5.0,M10.5.0/3" };
	struct slice rest = slice_make(data, size);
	struct bounce_notice n = { .recipients = 1, .arrival = 1795300000,
	    .to = "alice@exemple.test", .id = "1i6v3a8u00t-00abcd12345" };
	struct bounce_recipient r = { .last_attempt = 1795400000,
	    .retry_until = 1795500000 };
	struct notice_input in = { .notice = &n, .recipients = &r,
	    .hostname = "mx.exemple.test", .now = 1795300100,
	    .random = "0123456789abcdef0123456789abcdef" };
	struct str out = STR_INIT(NOTICE_MAX);
	struct notice_facts facts;
	char choice[4];

	take(&rest, choice, sizeof(choice));
	n.kind = (enum bounce_kind)(choice[0] & 1 ? BOUNCE_DELAY :
	    BOUNCE_FAILURE);
	r.action = (enum bounce_action)((unsigned char)choice[0] % 5);
	n.flags = choice[0] & 2 ? QM_RET_FULL : 0;
	snprintf(n.zone, sizeof(n.zone), "%s", zones[choice[0] >> 4 & 3]);
	memcpy(n.language, choice[0] & 4 ? "fr" : "en", 3);
	in.original_whole = (choice[0] & 8) == 0;
	take(&rest, n.envid, sizeof(n.envid));
	take(&rest, r.address, sizeof(r.address));
	take(&rest, r.original, sizeof(r.original));
	take(&rest, r.orcpt, sizeof(r.orcpt));
	take(&rest, r.status, sizeof(r.status));
	take(&rest, r.text, sizeof(r.text));
	take(&rest, r.remote, sizeof(r.remote));
	in.original = rest.p == NULL ? SLICE_EMPTY : rest;
	must(notice_compose(&in, &out, &facts) == 0);
	check(str_slice(&out), &facts);
	str_free(&out);
	return 0;
}
