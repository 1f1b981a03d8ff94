/* sandbox_narrow.c - the filter of a role for who is in a wider one already. */
/* SPDX-License-Identifier: ISC */
#include "lib/sandbox_impl.h"

#include <stddef.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

/*
 * The kernel obeys all filters of a process, so a second one need only refuse
 * what the first one allows and the role has not; of any other call it may say
 * what it likes. That makes it a few ranges of numbers, found by bisection. When
 * the kernel accepts a filter it compiles it and runs it once for each call that
 * it has, so that a short filter is what makes a short session cheap. Foreign
 * calling conventions were refused by the first filter.
 */
#define CALLS 1024		/* more than the kernel has */
#define RANGES 80		/* with their decisions: twice as much code */

struct range {
	unsigned first;
	bool is_refused;
};

/* The ranges of calls that are treated alike; their number. */
static size_t
make_ranges(const bool *inner, const bool *outer, struct range *v)
{
	size_t n = 1;

	v[0] = (struct range){ 0, false };
	for (unsigned i = 0; i < CALLS; i++) {
		bool refused = outer[i] && !inner[i];

		if (!outer[i] || refused == v[n - 1].is_refused)
			continue;
		if (n == RANGES)
			return 0;
		v[n++] = (struct range){ i, refused };
	}
	return n;
}

/* The decision among n ranges from v on, as code; how much of it: two for each
 * range, less one, so that every jump fits into its byte. */
static size_t
decide(const struct range *v, size_t n, unsigned refuse,
    struct sock_filter *code)
{
	size_t low = n / 2, len;

	if (n == 1) {
		code[0] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
		    v->is_refused ? refuse : SECCOMP_RET_ALLOW);
		return 1;
	}
	len = decide(v, low, refuse, code + 1);
	code[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
	    v[low].first, (unsigned char)len, 0);
	return 1 + len + decide(v + low, n - low, refuse, code + 1 + len);
}

size_t
filter_narrow(enum sandbox_role role, enum sandbox_role outer, unsigned refuse,
    struct sock_filter *code)
{
	bool inner_has[CALLS] = { false }, outer_has[CALLS] = { false };
	struct range ranges[RANGES];
	size_t n;

	filter_mark(role, inner_has, CALLS);
	filter_mark(outer, outer_has, CALLS);
	for (size_t i = 0; i < CALLS; i++)
		if (inner_has[i] && !outer_has[i])
			return 0;
	if ((n = make_ranges(inner_has, outer_has, ranges)) == 0)
		return 0;
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr));
	return 1 + decide(ranges, n, refuse, code + 1);
}
