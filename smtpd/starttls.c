/* starttls.c - from the clear to TLS, in another process. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>

#include "lib/log.h"
#include "smtpd/session.h"

/*
 * Order: the answer is flushed, what the client sent ahead of it is thrown
 * away, and only then the descriptor leaves. Bytes still in the kernel go to
 * malle-tls, for which they are a broken handshake: never commands.
 */

int
starttls_begin(struct session *s)
{
	int fd = s->io.fd, timeout = s->io.timeout;

	s->io.fd = tls_take_over(TLS_SOCKET, fd, timeout, &s->tls);
	if (s->io.fd == -1) {
		/* A client that breaks off is daily bread; a service of ours
		 * that is not there is not. */
		log_event(errno == EPROTO ? LOG_INFO_ : LOG_ERROR_, NULL,
		    "tls", "session=%s client=%s result=failed reason=%s",
		    s->id, s->client, LOGS(strerror(errno)));
		session_close(s, "tls");
		return -1;
	}
	s->has_tls = true;
	buf_init(&s->io, s->io.fd, timeout);
	return 0;
}

void
starttls_act(void *session)
{
	struct session *s = session;
	size_t ahead;

	if (s->has_tls) {
		refuse(s, "starttls", "", "503 5.5.1", "TLS is already in use");
		return;
	}
	if (!session_may_starttls(s)) {
		refuse(s, "starttls", "", "502 5.5.1", "TLS is not offered");
		return;
	}
	reply(s, "220 2.0.0", "ready for the TLS handshake");
	/* RFC 3207 4.2, CVE-2011-0411: what came before the handshake was not
	 * protected by it. */
	ahead = s->io.len;
	buf_consume(&s->io, ahead);
	if (ahead > 0) {
		log_notice(NULL, "injection",
		    "session=%s client=%s bytes=%zu text=%s", s->id, s->client,
		    ahead, LOGS("sent behind STARTTLS, thrown away"));
		s->errors++;
	}
	if (buf_flush(&s->io) == -1 || starttls_begin(s) == -1) {
		session_close(s, "tls");
		return;
	}
	/* RFC 3207 4.2: nothing learned in the clear is kept. */
	session_reset(s);
	s->state = ST_START;
	s->helo[0] = s->account_local[0] = s->account_domain[0] = '\0';
	s->esmtp = false;
}
