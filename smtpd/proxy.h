/* proxy.h - the header of the PROXY protocol, version 2. */
#ifndef SMTPD_PROXY_H
#define SMTPD_PROXY_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/addr.h"

#define PROXY_FIXED 16		/* signature, version, command, family, length */
#define PROXY_REST_MAX 4096	/* addresses and TLVs; more is refused */

enum proxy_status {
	PROXY_BAD,
	PROXY_LOCAL,		/* the proxy itself speaks: a health check */
	PROXY_CLIENT		/* *client was set */
};

/* The length of what follows the first PROXY_FIXED bytes, or -1: they are not
 * such a header. */
int proxy_rest(const uint8_t fixed[PROXY_FIXED]);

/* Judges a whole header; *client is set for PROXY_CLIENT only. Families other
 * than TCP over IPv4 and IPv6 are PROXY_BAD. */
enum proxy_status proxy_parse(struct slice header, struct ip *client);

/*
 * Reads exactly one header from fd, not a byte more: TLS may follow. Waits at
 * most seconds for all of it.
 */
enum proxy_status proxy_read(int fd, int seconds, struct ip *client);

#endif
