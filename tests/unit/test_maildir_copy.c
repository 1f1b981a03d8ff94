/* test_maildir_copy.c - names, header lines and failures of deliveries. */
/* SPDX-License-Identifier: ISC */

#include "deliver/copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deliver/failure.h"
#include "lib/hdr.h"
#include "tests/unit/tap.h"

#define ID "1i6v3a8u00t-00abcd12345"

static const struct {
	const char *id;
	uint32_t recipient;
	const char *hostname, *want;	/* NULL: refused */
} uniques[] = {
	{ ID, 0, "mx.test", "1685032264.M" ID "R0.mx.test" },
	{ ID, 4294967295u, "mx.test", "1685032264.M" ID "R4294967295.mx.test" },
	{ ID, 1, "a/b:c,d\x01 e\xc3", "1685032264.M" ID "R1.a-b-c-d--e-" },
	{ ID, 1, "mail.a-very-long-name-of-a-host.example.test",
	    "1685032264.M" ID "R1.mail.a-very-long-name-of-a-host." },
	{ "x", 1, "h", "0.MxR1.h" },
	{ "zzzzzzzzzz", 1, "h", "0.MzzzzzzzzzzR1.h" },
	{ "", 1, "h", NULL },
	{ "../../etc/passwd", 1, "h", NULL },
	{ "UPPER", 1, "h", NULL },
	{ "a b", 1, "h", NULL },
};

static const struct {
	const char *text;
	bool want;
} loops[] = {
	{ "Subject: x\nDelivered-To: bob@x.fr\n\nbody\n", true },
	{ "delivered-to:BOB@x.fr \n\n", true },
	{ "Delivered-To: bob@x.fr", true },
	{ "Delivered-To: bob@x.fr\r\n\r\n", true },
	{ "Delivered-To: alice@x.fr\nDelivered-To: bob@x.fr\n\n", true },
	{ "Delivered-To: bob@x.fr.uk\n\n", false },
	{ "X-Delivered-To: bob@x.fr\n\n", false },
	{ "Subject: x\n\nDelivered-To: bob@x.fr\n", false },
	{ "\nDelivered-To: bob@x.fr\n", false },
	{ "Subject: x\n Delivered-To: bob@x.fr\n\n", false },
	{ "", false },
};

static void
test_names(void)
{
	char out[COPY_UNIQUE_MAX + 1];

	for (size_t i = 0; i < sizeof(uniques) / sizeof(uniques[0]); i++) {
		int r = copy_unique(uniques[i].id, uniques[i].recipient,
		    uniques[i].hostname, out);

		if (uniques[i].want == NULL)
			ok(r == -1, "refused: \"%s\"", uniques[i].id);
		else
			ok(r == 0 && strcmp(out, uniques[i].want) == 0 &&
			    strlen(out) <= COPY_UNIQUE_MAX, "unique %s",
			    r == 0 ? out : "refused");
	}
}

static void
test_loops(void)
{
	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
		ok(hdr_was_delivered_to(slice_of(loops[i].text),
		    SLICE("bob@x.fr")) == loops[i].want, "loop: row %zu", i);
}

/* What is in the file fd, from its beginning. */
static size_t
contents(int fd, char *out, size_t cap)
{
	ssize_t n = pread(fd, out, cap, 0);

	return n < 0 ? 0 : (size_t)n;
}

/* Copies text, that lies at offset 3 of a file, of length bytes. */
static enum copy_status
copy(struct slice text, uint64_t length, FILE *to, uint64_t *size,
    uint64_t *wire)
{
	static struct copier c = { .domain = "x.fr" };
	struct local_job j = { .offset = 3, .length = length,
	    .sender = "a@b.fr", .delivered_to = "bob@x.fr" };
	FILE *from = tmpfile();
	enum copy_status r;

	fwrite("abc", 1, 3, from);
	fwrite(text.p, 1, text.len, from);
	fflush(from);
	r = copy_message(&c, &j, fileno(from), fileno(to), size, wire);
	fclose(from);
	return r;
}

static void
test_copy(void)
{
	static const char head[] =
	    "Return-Path: <a@b.fr>\nDelivered-To: bob@x.fr\n";
	static char big[3 * COPY_PIECE + 7], got[sizeof(big) + 1000];
	static const char small[] = "Subject: x\n\nno final line";
	size_t len, sizes[] = { COPY_PIECE - 1, COPY_PIECE, COPY_PIECE + 1,
	    sizeof(big) };
	uint64_t size, wire, more;
	FILE *to = tmpfile();

	ok(copy(SLICE("Subject: x\n\nno final line"), sizeof(small) - 1, to,
	    &size, &wire) == COPY_OK, "small");
	len = contents(fileno(to), got, sizeof(got));
	ok(len == size && len == sizeof(head) - 1 + sizeof(small) - 1 &&
	    wire == size + 6 && memcmp(got, head, sizeof(head) - 1) == 0 &&
	    memcmp(got + sizeof(head) - 1, small, sizeof(small) - 1) == 0,
	    "small: bytes, S= and W=");
	fclose(to);
	to = tmpfile();
	ok(copy(SLICE(""), 0, to, &size, &wire) == COPY_OK &&
	    contents(fileno(to), got, sizeof(got)) == sizeof(head) - 1,
	    "empty");
	fclose(to);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = "abc\n\0"[i % 5];
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		to = tmpfile();
		/* Each line feed, and the end of a line without one. */
		more = big[sizes[i] - 1] == '\n' ? 0 : 2;
		for (size_t k = 0; k < sizes[i]; k++)
			more += big[k] == '\n';
		ok(copy(slice_make(big, sizes[i]), sizes[i], to, &size,
		    &wire) == COPY_OK && wire == size + more + 2 &&
		    contents(fileno(to), got, sizeof(got)) == size &&
		    memcmp(got + sizeof(head) - 1, big, sizes[i]) == 0,
		    "%zu bytes", sizes[i]);
		fclose(to);
	}
	to = tmpfile();
	errno = 0;
	ok(copy(SLICE("short"), 6, to, &size, &wire) == COPY_SOURCE &&
	    errno == ENODATA, "a file that is too short");
	ok(copy(SLICE("Delivered-To: bob@x.fr\n\n"), 24, to, &size, &wire) ==
	    COPY_LOOP && contents(fileno(to), got, sizeof(got)) == 0,
	    "a loop writes nothing");
	fclose(to);
}

static void
test_failures(void)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} sizes[] = {
		{ 0, "0 bytes" }, { 1023, "1023 bytes" }, { 1024, "1.0 kB" },
		{ 1048575, "1.0 MB" }, { 1048576, "1.0 MB" },
		{ 1073741824, "1.0 GB" }, { 1536ull << 20, "1.5 GB" },
		{ UINT64_MAX, "16384.0 PB" },
	};
	struct local_job j = { .delivered_to = "bob@x.fr",
	    .quota_bytes = 1u << 30, .quota_messages = 10 };
	struct local_result r = { 0 };
	char out[FAILURE_SIZE_MAX];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ok(strcmp(failure_size(sizes[i].bytes, out), sizes[i].want) ==
		    0, "size %s", out);
	failure_full(&r, &j, 1u << 30, 3, 4096);
	ok(r.result == QUEUE_TEMPORARY && strcmp(r.enhanced, "4.2.2") == 0 &&
	    strstr(r.text, "bob@x.fr is full (1.0 GB of 1.0 GB") != NULL,
	    "full: %s", r.text);
	failure_full(&r, &j, 0, 10, 4096);
	ok(r.result == QUEUE_TEMPORARY && strcmp(r.enhanced, "4.2.2") == 0 &&
	    strstr(r.text, "10 of 10 messages") != NULL, "full: %s", r.text);
	failure_full(&r, &j, 0, 0, (1u << 30) + 1);
	ok(r.result == QUEUE_PERMANENT && strcmp(r.enhanced, "5.2.3") == 0,
	    "never: %s", r.text);
	for (int e = 1; e < 134; e++) {
		memset(&r, 0, sizeof(r));
		failure_system(&r, "bob@x.fr", e);
		if (r.result != QUEUE_TEMPORARY || r.enhanced[0] != '4' ||
		    strstr(r.text, "bob@x.fr") == NULL)
			ok(false, "error %d: %s", e, r.text);
	}
	failure_system(&r, "bob@x.fr", ENOSPC);
	ok(strcmp(r.enhanced, "4.3.1") == 0, "disk full: %s", r.text);
}

int
main(void)
{
	test_names();
	test_loops();
	test_copy();
	test_failures();
	return done();
}
