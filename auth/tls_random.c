/* tls_random.c - random numbers of malle-tls: always the kernel's. */
/* SPDX-License-Identifier: ISC */

/* RAND_METHOD is called deprecated; a provider of our own would be the other
 * way to the same, and ten times as long. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/tls.h"

#include <sys/random.h>

#include <errno.h>

#include <openssl/rand.h>

/*
 * OpenSSL's generator has a state that a child must replace before its first
 * number, which costs it a reseeding, locked memory and pages of its own. The
 * kernel's has none: nothing can be the same in two processes.
 */
static int
from_kernel(unsigned char *out, int n)
{
	size_t done = 0, len = n < 0 ? 0 : (size_t)n;

	while (done < len) {
		ssize_t got = getrandom(out + done, len - done, 0);

		if (got == -1 && errno != EINTR)
			return 0;
		if (got > 0)
			done += (size_t)got;
	}
	return n >= 0;
}

static int
is_ready(void)
{
	return 1;
}

int
tls_random_init(void)
{
	static const RAND_METHOD kernel = {
		.bytes = from_kernel, .pseudorand = from_kernel,
		.status = is_ready
	};

	return RAND_set_rand_method(&kernel) == 1 ? 0 : -1;
}
