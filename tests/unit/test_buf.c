/* test_buf.c - one end of a conversation: lines, limits, deadlines. */
/* SPDX-License-Identifier: ISC */

#include "lib/buf.h"

#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/tap.h"

#define PATIENCE 60		/* s for a thread that is held up */

static struct buf b;
static int ours, theirs;

/* A new pair; what the other side has sent, then closed when told so. */
static void
begin(struct slice sent, bool closed)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == -1)
		err(1, "socketpair");
	ours = fd[0];
	theirs = fd[1];
	buf_init(&b, ours, 1);
	if (sent.len > 0 &&
	    write(theirs, sent.p, sent.len) != (ssize_t)sent.len)
		err(1, "write");
	if (closed)
		shutdown(theirs, SHUT_WR);
}

static void
end(void)
{
	close(ours);
	close(theirs);
}

/* clang-format off */
static const struct {
	struct slice sent;
	size_t max;
	enum buf_line want;
	struct slice line;	/* when it is BUF_LINE */
	struct slice next;	/* the line after it */
} lines[] = {
	{ SLICE("a b\r\nN\r\n"), 10, BUF_LINE, SLICE("a b"), SLICE("N") },
	{ SLICE("\r\nN\r\n"), 10, BUF_LINE, SLICE(""), SLICE("N") },
	{ SLICE("12345678\r\nN\r\n"), 10, BUF_LINE, SLICE("12345678"), SLICE("N") },
	{ SLICE("123456789\r\nN\r\n"), 10, BUF_TOO_LONG, SLICE(""), SLICE("N") },
	{ SLICE("1234567890123456789012345\r\nN\r\n"), 10, BUF_TOO_LONG, SLICE(""), SLICE("N") },
	{ SLICE("a\0b\r\nN\r\n"), 10, BUF_LINE, SLICE("a\0b"), SLICE("N") },
	{ SLICE("a\nb\r\nN\r\n"), 10, BUF_BARE, SLICE(""), SLICE("N") },
	{ SLICE("a\rb\r\nN\r\n"), 10, BUF_BARE, SLICE(""), SLICE("N") },
	{ SLICE("a\r\r\nN\r\n"), 10, BUF_BARE, SLICE(""), SLICE("N") },
	{ SLICE("\n\r\nN\r\n"), 10, BUF_BARE, SLICE(""), SLICE("N") },
};
/* clang-format on */

static void
test_lines(void)
{
	struct slice line;
	enum buf_line r;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		begin(lines[i].sent, true);
		r = buf_getline(&b, lines[i].max, &line);
		ok(r == lines[i].want && (r != BUF_LINE ||
		    slice_eq(line, lines[i].line)), "line row %zu", i);
		ok(buf_getline(&b, lines[i].max, &line) == BUF_LINE &&
		    slice_eq(line, lines[i].next), "the line after row %zu", i);
		ok(buf_getline(&b, lines[i].max, &line) == BUF_EOF,
		    "then the end");
		end();
	}
	begin(SLICE("half"), true);
	ok(buf_getline(&b, 10, &line) == BUF_EOF, "half a line is no line");
	end();
	begin(SLICE("half"), false);
	ok(buf_getline(&b, 10, &line) == BUF_TIMEOUT, "silence: timeout");
	end();
	begin(SLICE(""), false);
	b.end = clock_ms() + 100;
	b.timeout = 60;
	ok(buf_getline(&b, 10, &line) == BUF_TIMEOUT, "the deadline of all");
	end();
}

static void *
write_endless(void *arg)
{
	static char junk[65536];
	int fd = *(int *)arg;

	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 160; i++)
		if (write(fd, junk, sizeof(junk)) == -1)
			break;
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void
test_endless(void)
{
	pthread_t t;
	struct slice line;

	begin(SLICE_EMPTY, false);
	b.timeout = PATIENCE;
	if (pthread_create(&t, NULL, write_endless, &theirs) != 0)
		errx(1, "pthread_create");
	ok(buf_getline(&b, BUF_IN, &line) != BUF_LINE,
	    "a line of ten megabytes is read away");
	shutdown(ours, SHUT_RD);
	pthread_join(t, NULL);
	end();
}

static void
test_bytes(void)
{
	struct slice s;

	begin(SLICE("one\r\ntwo"), true);
	ok(buf_peek(&b, &s) == 8 && slice_eq(s, SLICE("one\r\ntwo")), "peek");
	buf_consume(&b, 5);
	ok(buf_peek(&b, &s) == 3 && slice_eq(s, SLICE("two")), "consume");
	ok(buf_has_input(&b), "there is input");
	buf_consume(&b, 3);
	ok(buf_peek(&b, &s) == 0, "the end");
	end();
	begin(SLICE_EMPTY, false);
	ok(!buf_has_input(&b), "none");
	if (write(theirs, "x", 1) != 1)
		err(1, "write");
	ok(buf_has_input(&b), "some, in the kernel");
	ok(buf_peek(&b, &s) == 1 && write(theirs, "y", 1) == 1 &&
	    buf_more(&b, &s) == 2 && slice_eq(s, SLICE("xy")), "more");
	buf_consume(&b, 2);
	ok(buf_peek(&b, &s) == -1 && errno == ETIMEDOUT, "then silence");
	end();
}

static void
test_output(void)
{
	char got[64];
	struct slice line;

	begin(SLICE("x\r\n"), false);
	buf_puts(&b, "220 ");
	buf_printf(&b, "%s\r\n", "hello");
	ok(recv(theirs, got, sizeof(got), MSG_DONTWAIT) == -1,
	    "nothing is sent before it must be");
	ok(buf_getline(&b, 10, &line) == BUF_LINE &&
	    buf_getline(&b, 10, &line) == BUF_TIMEOUT &&
	    recv(theirs, got, sizeof(got), 0) == 11 &&
	    memcmp(got, "220 hello\r\n", 11) == 0, "waiting sends it");
	close(theirs);
	buf_puts(&b, "x");
	buf_flush(&b);
	buf_puts(&b, "x");
	ok(buf_flush(&b) == -1 && b.error == EPIPE, "a write error");
	buf_puts(&b, "y");
	ok(buf_flush(&b) == -1, "is sticky");
	close(ours);
}

static void *
read_all(void *arg)
{
	static char space[65536];
	size_t *total = arg;
	ssize_t n;

	while ((n = read(theirs, space, sizeof(space))) > 0)
		*total += (size_t)n;
	return NULL;
}

static void
test_much_output(void)
{
	size_t total = 0;
	pthread_t t;

	begin(SLICE_EMPTY, false);
	b.timeout = PATIENCE;
	if (pthread_create(&t, NULL, read_all, &total) != 0)
		errx(1, "pthread_create");
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, "0123456789");
	ok(buf_flush(&b) == 0, "a megabyte");
	shutdown(ours, SHUT_WR);
	pthread_join(t, NULL);
	ok(total == 1000000, "has arrived whole");
	end();
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_lines();
	test_endless();
	test_bytes();
	test_output();
	test_much_output();
	return done();
}
