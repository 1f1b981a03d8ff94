/* login.h - one POP3 connection up to the login. */
#ifndef POP3D_LOGIN_H
#define POP3D_LOGIN_H
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"

#define LOGIN_SESSION_MAX 48

struct login_client {
	int fd;			/* taken over */
	bool implicit_tls;	/* came to a pop3s port */
	struct ip ip;
	char session[LOGIN_SESSION_MAX];	/* its name in the log */
};

/*
 * Speaks to one client until it is logged in, and so another process's, or
 * gone. In a child of the listener, which exits afterwards. SIGTERM ends it at
 * once but while a login is being decided.
 */
void login_serve(const struct conf *conf, const struct login_client *client);

#endif
