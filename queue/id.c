/* id.c - names of messages: unique for ever, sorted by time. */
/* SPDX-License-Identifier: ISC */
#include "queue/id.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* In the order of ASCII, so that text sorts as the number does. */
static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

static char *
put_base32(char *p, uint64_t v, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = digits[v >> (5 * (width - 1 - i)) & 31];
	return p + width;
}

/* Microseconds of the wall clock, but never twice the same nor backwards. */
static uint64_t
next_time(void)
{
	static uint64_t last;
	struct timespec ts;
	uint64_t t;

	clock_gettime(CLOCK_REALTIME, &ts);
	t = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	last = t > last ? t : last + 1;
	return last;
}

void
id_make(char *out)
{
	static uint32_t counter;
	uint64_t t = next_time();
	char *p = out;

	p = put_base32(p, t / 1000000, 7);
	p = put_base32(p, t % 1000000, 4);
	*p++ = '-';
	p = put_base32(p, counter++ & 1023, 2);
	p = put_base32(p, (uint32_t)getpid() & 0xfffff, 4);
	p = put_base32(p, arc4random() & 0x1ffffff, 5);
	*p = '\0';
}

bool
id_valid(struct slice s)
{
	if (s.len != ID_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (i == 11 ? s.p[i] != '-' :
		    s.p[i] == '\0' || strchr(digits, s.p[i]) == NULL)
			return false;
	return true;
}

/*
 * The second of acceptance. What comes together lies together: a round of the
 * group commit then writes one folder and neighbouring inodes, which costs a
 * journalling filesystem far less than files all over the disk.
 */
unsigned
id_shard(const char *id)
{
	const char *a = strchr(digits, id[6]), *b = strchr(digits, id[5]);

	return ((unsigned)(a - digits) | (unsigned)(b - digits) << 5) %
	    ID_SHARDS;
}
