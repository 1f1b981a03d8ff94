/* trace.c - what a Received line says about the client. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>

#include "smtpd/session.h"

/*
 * RFC 5321 4.4: the name that the client gave and the address that it has.
 * Who has logged in keeps the address of the own home to himself (RFC 6409
 * leaves the trace of a submission to us): neither it nor the name, which often
 * is an address too, is written.
 */
void
trace_clause(const struct session *s, char out[QUEUE_TRACE_MAX + 1])
{
	const char *v6 = strchr(s->client, ':') != NULL ? "IPv6:" : "";
	char tls[sizeof(s->tls.version) + sizeof(s->tls.cipher) + 8] = "";

	if (s->has_tls)
		(void)snprintf(tls, sizeof(tls), "\n\t(%s %s)",
		    s->tls.version, s->tls.cipher);
	/* A name in the place of reverse DNS would stand before the literal. */
	if (session_has_login(s))
		(void)snprintf(out, QUEUE_TRACE_MAX + 1,
		    "from submission (authenticated)%s", tls);
	else
		(void)snprintf(out, QUEUE_TRACE_MAX + 1, "from %s ([%s%s])%s",
		    s->helo, v6, s->client, tls);
}

void
trace_protocol(const struct session *s, char out[16])
{
	const char *name = !s->esmtp ? "SMTP" : "ESMTP";

	if ((s->transaction.mail.flags & QM_UTF8) != 0)
		name = "UTF8SMTP";
	(void)snprintf(out, 16, "%s%s%s", name,
	    s->has_tls && s->esmtp ? "S" : "",
	    session_has_login(s) ? "A" : "");
}
