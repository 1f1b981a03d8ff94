/* sheet.h - how a mail program is set up for a mailbox, as a page to hand over. */
#ifndef TOOLS_SHEET_H
#define TOOLS_SHEET_H
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"
#include "lib/str.h"

#define SHEET_MAX 16384		/* bytes of a sheet */

/* The ports of one service that a person elsewhere can reach; 0: none. */
struct sheet_ports {
	uint16_t tls;		/* TLS from the start */
	uint16_t starttls;
};

struct sheet {
	const char *address;	/* the login, too */
	const char *server;	/* the name that our certificate is for */
	struct sheet_ports pop3, smtp;	/* none: not offered to this account */
	bool french;
};

/* The services that conf offers, to an account that may use those. */
void sheet_init(struct sheet *s, const struct conf *c, const char *address,
    bool pop3, bool smtp, bool french);

/* Lines of at most 78 characters, UTF-8, LF; no password is in it. */
void sheet_write(struct str *out, const struct sheet *s);

#endif
