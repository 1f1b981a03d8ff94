/* sink.c - takes all mail, as fast as it comes; what the measurements send to. */
/* SPDX-License-Identifier: ISC */

/*
 * One process, one thread, so that a server under test shares the processor
 * with as little as can be. A line "X-Sent: NAME" in a content is told on
 * standard output as "NAME SECONDS", seconds of the monotonic clock.
 */

#include <sys/epoll.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/num.h"

#define LINE 4096
#define EVENTS 256
#define ANSWERS 16384
#define CONNS 65536

struct conn {
	int fd;
	bool in_data;
	size_t n;		/* bytes of an unfinished line */
	char in[LINE];
};

/* By descriptor: epoll tells of those only. */
static struct conn *conns[CONNS];

struct answers {
	char text[ANSWERS];
	size_t n;
};

static void
say(const struct conn *c, struct answers *a, const char *text)
{
	size_t n = strlen(text);

	if (a->n + n > sizeof(a->text)) {
		(void)!write(c->fd, a->text, a->n);
		a->n = 0;
	}
	memcpy(a->text + a->n, text, n);
	a->n += n;
}

static void
tell(struct slice name)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	printf("%.*s %lld.%09ld\n", (int)name.len, name.p,
	    (long long)ts.tv_sec, ts.tv_nsec);
	fflush(stdout);
}

static void
content_line(struct conn *c, struct answers *a, struct slice line)
{
	static const struct slice mark = { "X-Sent: ", 8 };

	if (slice_eq(line, SLICE("."))) {
		c->in_data = false;
		say(c, a, "250 2.0.0 kept\r\n");
	} else if (line.len > mark.len &&
	    slice_eq(slice_make(line.p, mark.len), mark))
		tell(slice_skip(line, mark.len));
}

/* False when the connection is over. */
static bool
take_line(struct conn *c, struct answers *a, struct slice line)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (c->in_data) {
		content_line(c, a, line);
		return true;
	}
	if (line.len >= 4 && strncasecmp(line.p, "EHLO", 4) == 0)
		say(c, a, "250-sink\r\n250 PIPELINING\r\n");
	else if (line.len >= 4 && strncasecmp(line.p, "DATA", 4) == 0) {
		c->in_data = true;
		say(c, a, "354 go on\r\n");
	} else if (line.len >= 4 && strncasecmp(line.p, "QUIT", 4) == 0) {
		say(c, a, "221 bye\r\n");
		return false;
	} else
		say(c, a, "250 ok\r\n");
	return true;
}

/* All whole lines of what is there; the rest is kept. */
static bool
take_lines(struct conn *c)
{
	struct slice rest = slice_make(c->in, c->n);
	struct answers a = { .n = 0 };
	bool goes_on = true;
	const char *end;

	while (goes_on && rest.len > 0 &&
	    (end = memchr(rest.p, '\n', rest.len)) != NULL) {
		size_t n = (size_t)(end - rest.p);

		goes_on = take_line(c, &a, slice_make(rest.p, n));
		rest = slice_skip(rest, n + 1);
	}
	if (a.n > 0)
		(void)!write(c->fd, a.text, a.n);
	/* A line longer than any: its beginning is forgotten. */
	if (rest.len == sizeof(c->in))
		rest.len = 0;
	memmove(c->in, rest.p, rest.len);
	c->n = rest.len;
	return goes_on;
}

static void
drop(struct conn *c)
{
	conns[c->fd] = NULL;
	close(c->fd);
	free(c);
}

static void
serve(struct conn *c)
{
	ssize_t n = read(c->fd, c->in + c->n, sizeof(c->in) - c->n);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		c->n += (size_t)n;
		if (take_lines(c))
			return;
	}
	drop(c);
}

static void
greet(int epoll, int listener)
{
	int one = 1, fd = accept4(listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (fd == -1)
		return;
	if (fd >= CONNS || (conns[fd] = calloc(1, sizeof(*conns[fd]))) == NULL) {
		close(fd);
		return;
	}
	conns[fd]->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)!write(fd, "220 sink\r\n", 10);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == -1)
		drop(conns[fd]);
}

static int
listen_on(const char *address, const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t n;

	if (num_parse(slice_of(port), 1, 65535, &n) == -1 ||
	    inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		errx(EX_USAGE, "%s %s: not an address and a port", address,
		    port);
	sin.sin_port = htons((uint16_t)n);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 1000) == -1)
		err(EX_UNAVAILABLE, "%s port %s", address, port);
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN };
	int listener, epoll;

	if (argc != 3)
		errx(EX_USAGE, "usage: sink ADDRESS PORT");
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on(argv[1], argv[2]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	e.data.fd = listener;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) == -1)
		err(EX_OSERR, "epoll");
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				greet(epoll, listener);
			else
				serve(conns[events[i].data.fd]);
		}
	}
}
