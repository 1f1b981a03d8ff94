/* capa.h - the answer to CAPA, before and after login (RFC 2449 section 5). */
#ifndef POP3D_CAPA_H
#define POP3D_CAPA_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>

#include "lib/slice.h"

#define CAPA_MAX 512

struct capa {
	bool tls;		/* under TLS: STLS is over */
	bool login;		/* passwords may be sent */
	bool binding;		/* TLS has a channel binding: -PLUS */
	bool keeps;		/* we never remove mail ourselves */
};

/* The whole answer, status line to final dot, in out. */
struct slice capa_text(const struct capa *c, char out[CAPA_MAX]);

#endif
