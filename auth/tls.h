/* tls.h - what the parts of malle-tls share. */
#ifndef AUTH_TLS_H
#define AUTH_TLS_H
/* SPDX-License-Identifier: ISC */

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "lib/addr.h"

#define TLS_NAMES_MAX 1024	/* server names with a certificate of their own */
#define TLS_HANDSHAKE_TIME 30000	/* ms from the client's arrival */

/* A certificate with its key, ready to serve. */
struct tls_key {
	char name[ADDR_DOMAIN_MAX + 1];	/* folder of SNI; "" is the default */
	SSL_CTX *ctx;
	uint8_t endpoint[64];		/* tls-server-end-point */
	unsigned endpoint_len;
};

struct tls_keys {
	struct tls_key *v;	/* v[0] is the default one, the others by name */
	size_t n;
};

/*
 * tls_keys.c: reads cert.pem and key.pem in the folder dirfd, and those in its
 * folders that are named as a domain. Says in the log what is wrong and what to
 * do. 0, or -1 when there is no default one.
 */
int tls_keys_load(struct tls_keys *keys, int dirfd)
    __attribute__((warn_unused_result));

/* Serves itself once, in memory: what OpenSSL prepares at first use is then
 * there before the first fork. 0, or -1: the default key does not work. */
int tls_keys_warm_up(const struct tls_keys *keys)
    __attribute__((warn_unused_result));

/* The last error of OpenSSL as text, for the log. */
const char *tls_error(void);

/* tls_random.c: random numbers come from the kernel. Before any is asked for;
 * 0 or -1. */
int tls_random_init(void) __attribute__((warn_unused_result));

/* tls_session.c: all of one connection, in a process of its own. */
void tls_session(const struct tls_keys *keys, int fd);

/* tls_relay.c: from the handshake to the end of both streams. */
void tls_relay(SSL *ssl, int client_fd, int session_fd);

/* poll(2) of two until deadline (clock_ms(); 0: none). The number of
 * descriptors that are ready, 0 for a timeout, -1 with errno. */
struct pollfd;
int tls_poll(struct pollfd *fds, int64_t deadline);

#endif
