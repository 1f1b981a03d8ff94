/* lookup.c - how long a session takes to find an address in the tables. */
/* SPDX-License-Identifier: ISC */

/*
 * usage: lookup TABLES N < ADDRESSES
 *
 * Looks N addresses up, taken in turn from standard input (one LOCAL DOMAIN a
 * line), as a session does: the domain, then the address in the domain's table.
 * Prints the nanoseconds of one. Runs as: whoever may read the tables.
 */

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "lib/account.h"
#include "lib/num.h"

struct name {
	char local[ADDR_LOCAL_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];
};

static size_t
read_names(struct name **out)
{
	struct name *v = NULL, one;
	size_t n = 0;

	while (scanf("%64s %255s", one.local, one.domain) == 2) {
		if (n % 1024 == 0 && (v = reallocarray(v, n + 1024,
		    sizeof(*v))) == NULL)
			err(EX_OSERR, "names");
		v[n++] = one;
	}
	*out = v;
	return n;
}

int
main(int argc, char **argv)
{
	struct timespec from, to;
	static struct tables t;
	struct address_record a;
	struct domain_record d;
	struct name *names;
	uint64_t times;
	size_t n;
	int dirfd;

	if (argc != 3 || num_parse(slice_of(argv[2]), 1, INT32_MAX,
	    &times) == -1 || times == 0)
		errx(EX_USAGE, "usage: lookup TABLES N < ADDRESSES");
	dirfd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd == -1 || tables_open(&t, dirfd) == -1)
		err(EX_NOINPUT, "%s", argv[1]);
	if ((n = read_names(&names)) == 0)
		errx(EX_DATAERR, "no addresses");
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (uint64_t i = 0; i < times; i++)
		if (tables_domain(&t, names[i % n].domain, &d) != 1 ||
		    tables_address(&t, names[i % n].domain, names[i % n].local,
		    &a) != 1)
			errx(EX_DATAERR, "%s@%s is not there",
			    names[i % n].local, names[i % n].domain);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%" PRIu64 "\n", ((uint64_t)(to.tv_sec - from.tv_sec) *
	    1000000000 + (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec) /
	    times);
	tables_close(&t);
	free(names);
	return 0;
}
