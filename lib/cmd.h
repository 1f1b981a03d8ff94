/* cmd.h - line commands by table: SMTP, POP3. */
#ifndef LIB_CMD_H
#define LIB_CMD_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

#define CMD_ARG 1u	/* an argument is needed */
#define CMD_NOARG 2u	/* no argument is allowed */
#define CMD_LAST 4u	/* must end a pipelined group (RFC 2920 3.1) */
#define CMD_SECRET 8u	/* the argument never goes to the log */

/* The table is the documentation of the protocol's states. */
struct cmd {
	const char *verb;	/* upper case; NULL ends the table */
	unsigned states;	/* bit mask of the states that allow it */
	unsigned flags;
	/* Judges the argument; no reply, no side effect but on what the session
	 * keeps of the command. 0, or a code of the protocol's own. NULL: fine. */
	int (*check)(void *session, struct slice arg);
	/* Does it and answers. */
	void (*act)(void *session);
};

enum cmd_status {
	CMD_OK,			/* act was called */
	CMD_UNKNOWN,
	CMD_WRONG_STATE,
	CMD_NO_ARG,		/* an argument is missing */
	CMD_HAS_ARG,		/* an argument where none is allowed */
	CMD_NOT_LAST,		/* more input behind a command that must be last */
	CMD_REFUSED		/* check said no: its code is in *code */
};

/*
 * Finds the verb of line (up to the first space, case does not matter; two-word
 * verbs as "MAIL FROM" are not known here), checks state, argument and
 * more_input, then calls check and act. *found is the row, or NULL.
 */
enum cmd_status cmd_dispatch(const struct cmd *table, void *session,
    unsigned state, bool more_input, struct slice line,
    const struct cmd **found, int *code);

#endif
