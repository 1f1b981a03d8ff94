/* listen.h - takes connections and gives each a process. */
#ifndef SMTPD_LISTEN_H
#define SMTPD_LISTEN_H
/* SPDX-License-Identifier: ISC */

#include "smtpd/session.h"

#define LISTENERS_MAX (3 * CONF_LISTEN_MAX)

struct listener {
	int fd;			/* listening, non-blocking */
	enum service service;
	uint16_t port;		/* for the log */
};

/* Catches the signals, before anything can be sent. 0, or -1 with errno. */
int listen_signals(void);

/*
 * Serves until SIGTERM, then lets the sessions come to their ends, or ends
 * them. 0, or -1 with errno when it could not begin. What the arguments point
 * to must stay.
 */
int listen_run(const struct conf *conf, struct tables *tables,
    const struct listener *listeners, size_t n);

#endif
