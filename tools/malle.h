/* malle.h - what the commands of malle(1) share. */
#ifndef TOOLS_MALLE_H
#define TOOLS_MALLE_H
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"

#define MALLE_VERSION "20261121"

struct malle {
	const char *conf_path;	/* -c, or NULL */
	struct conf conf;	/* loaded before a command is called */
	const char *as;		/* --as: who asks the registry, or NULL */
	char current[513];	/* their password */
	bool json;		/* --json: one JSON object a row */
	bool french;		/* from LC_ALL, LC_MESSAGES, LANG */
};

/*
 * A command: argv[0] is its name, as in "malle domain add x.fr": argv =
 * { "domain", "add", "x.fr" }. Messages to stderr, results to stdout.
 * Returns an exit status of sysexits.h.
 */
int cmd_domain(struct malle *m, int argc, char **argv);
int cmd_user(struct malle *m, int argc, char **argv);
int cmd_mailbox(struct malle *m, int argc, char **argv);
int cmd_migrate(struct malle *m, int argc, char **argv);
int cmd_alias(struct malle *m, int argc, char **argv);
int cmd_client(struct malle *m, int argc, char **argv);
int cmd_manager(struct malle *m, int argc, char **argv);
int cmd_suffix(struct malle *m, int argc, char **argv);
int cmd_robot(struct malle *m, int argc, char **argv);
int cmd_relay(struct malle *m, int argc, char **argv);
int cmd_dump(struct malle *m, int argc, char **argv);
int cmd_load(struct malle *m, int argc, char **argv);
int cmd_journal(struct malle *m, int argc, char **argv);
int cmd_undo(struct malle *m, int argc, char **argv);
int cmd_recompile(struct malle *m, int argc, char **argv);
int cmd_queue(struct malle *m, int argc, char **argv);
int cmd_trace(struct malle *m, int argc, char **argv);
int cmd_check(struct malle *m, int argc, char **argv);

/* Connects to public/NAME below conf.base; says on stderr why not and what to
 * do. The descriptor, or -1. */
int malle_connect(const struct malle *m, const char *name);

#endif
