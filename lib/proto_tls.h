/* proto_tls.h - how a session hands its client to malle-tls. */
#ifndef LIB_PROTO_TLS_H
#define LIB_PROTO_TLS_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

/*
 * public/tls.sock is SOCK_STREAM. The session connects, sends one byte
 * (TLS_PROTOCOL) with the client's descriptor and closes its own copy. After the
 * handshake malle-tls sends a 16-bit length (little-endian) and that many bytes,
 * packed: u8 ok, text version, text cipher, text server name, bytes exporter,
 * bytes endpoint, text client certificate subject; then the connection carries
 * what the client says and hears, in the clear, until either side closes it.
 * When the handshake fails the connection is closed without a word.
 */
#define TLS_PROTOCOL 1

struct tls_info {
	char version[16];	/* "TLSv1.3" */
	char cipher[64];
	char server_name[256];	/* SNI, canonical; or "" */
	uint8_t exporter[32];	/* tls-exporter, RFC 9266; length 0 or 32 */
	size_t exporter_len;
	uint8_t endpoint[64];	/* tls-server-end-point, RFC 5929 section 4 */
	size_t endpoint_len;
	char client_subject[256];	/* of a verified certificate; or "" */
};

/*
 * Hands client_fd over (it is closed here in any case) and waits for the
 * handshake, timeout in seconds. Returns the descriptor of the clear stream and
 * *out, or -1 with errno (EPROTO: the handshake failed).
 */
int tls_take_over(const char *path, int client_fd, int timeout,
    struct tls_info *out);

#endif
