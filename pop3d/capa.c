/* capa.c - the answer to CAPA, before and after login (RFC 2449 section 5). */
/* SPDX-License-Identifier: ISC */

#include "pop3d/capa.h"

#include <stdio.h>

struct slice
capa_text(const struct capa *c, char out[CAPA_MAX])
{
	int n = snprintf(out, CAPA_MAX,
	    "+OK\r\n"
	    "TOP\r\n"
	    "UIDL\r\n"
	    "RESP-CODES\r\n"		/* RFC 2449 6.4 */
	    "AUTH-RESP-CODE\r\n"	/* RFC 3206 */
	    "PIPELINING\r\n"
	    "%s"			/* RFC 2449 6.7 */
	    "LOGIN-DELAY 0\r\n"
	    "%s"			/* RFC 2595 section 4 */
	    "%s%s%s"			/* RFC 5034; RFC 6856 2.1 */
	    "IMPLEMENTATION Malleposte\r\n"
	    ".\r\n",
	    c->keeps ? "EXPIRE NEVER\r\n" : "",
	    c->tls ? "" : "STLS\r\n",
	    c->login ? "USER\r\nSASL PLAIN SCRAM-SHA-256" : "",
	    c->login && c->binding ? " SCRAM-SHA-256-PLUS" : "",
	    c->login ? "\r\nUTF8 USER\r\n" : "");

	return slice_make(out, (size_t)n);
}
