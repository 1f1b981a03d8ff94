/* retry.c - when to try again, and how old a message is. No I/O. */
/* SPDX-License-Identifier: ISC */
#include "queue/retry.h"

uint64_t
retry_delay(uint64_t first, uint64_t max, unsigned attempts, uint32_t random)
{
	uint64_t delay = first > 0 ? first : 1, spread;

	for (unsigned i = 1; i < attempts && delay < max; i++)
		delay += delay / 2 > 0 ? delay / 2 : 1;
	if (delay > max)
		delay = max;
	spread = delay / 4;
	if (spread > 0)
		delay = delay - spread / 2 + random % (spread + 1);
	return delay > 0 ? delay : 1;
}

uint64_t
retry_remaining(int64_t due, int64_t now, uint64_t max)
{
	uint64_t left;

	if (due <= now)
		return 0;
	left = (uint64_t)due - (uint64_t)now;
	return left < max ? left : max;
}

int64_t
message_age(int64_t arrival, int64_t now, int64_t lived)
{
	int64_t wall;

	if (__builtin_sub_overflow(now, arrival, &wall) || wall < 0)
		wall = 0;
	if (lived < 0)
		lived = 0;
	return wall < lived ? wall : lived;
}
