/* malle.c - the command of the administrator: everything from the shell. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the caller. Who may do what is decided by the services that it
 * asks, which know the caller by SO_PEERCRED.
 * Trusts: its argv and the configuration file; not what the services answer.
 * Order: options, configuration, command.
 */

#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/ipc.h"
#include "tools/account.h"

#define OWN_CONF 1u /* the command loads the configuration itself */

struct command {
	const char *name;
	int (*run)(struct malle *m, int argc, char **argv);
	unsigned flags;
	const char *usage;
	const char *english, *french;
};

/* clang-format off */
static const struct command commands[] = {
	{ "client", cmd_client, 0, "add|list|show|set|delete ...",
	  "customers, who own domains",
	  "les clients, propriétaires de domaines" },
	{ "manager", cmd_manager, 0, "add|list|show|set|passwd|delete ...",
	  "who may manage which domains",
	  "qui peut gérer quels domaines" },
	{ "domain", cmd_domain, 0, "add|check|list|show|set|delete ...",
	  "the domains that we take mail for",
	  "les domaines dont nous recevons le courrier" },
	{ "suffix", cmd_suffix, 0, "add|list|set|delete ...",
	  "the names that each domain of an end must have",
	  "les noms que doit avoir chaque domaine d'une terminaison" },
	{ "user",   cmd_user,   0, "add|list|show|sheet|set|passwd|delete ...",
	  "mailboxes and their passwords",
	  "les boîtes et leurs mots de passe" },
	{ "mailbox", cmd_mailbox, 0, "usage|biggest|list|backup|restore ...",
	  "what is in a mailbox; backups; what was deleted",
	  "ce que contient une boîte ; sauvegardes ; ce qui est supprimé" },
	{ "alias",  cmd_alias,  0, "add|list|show|set|delete ...",
	  "addresses that lead to others",
	  "les adresses qui mènent à d'autres" },
	{ "robot",  cmd_robot,  0, "add|list|show|set|delete ...",
	  "addresses that answer",
	  "les adresses qui répondent" },
	{ "relay",  cmd_relay,  0, "add|list|set|delete ...",
	  "hosts that may send through us",
	  "les machines qui peuvent envoyer par nous" },
	{ "dump",   cmd_dump,   0, "> FILE",
	  "all accounts as text",  "tous les comptes en texte" },
	{ "load",   cmd_load,   0, "[--check] [--update] [FILE]",
	  "the accounts of such a text", "les comptes d'un tel texte" },
	{ "journal", cmd_journal, 0, "[ADDRESS|DOMAIN] [--limit N]",
	  "who changed what, when", "qui a changé quoi, et quand" },
	{ "undo",   cmd_undo,   0, "ID [--check] [--force]",
	  "undo a change of the journal",
	  "défaire une modification du journal" },
	{ "migrate", cmd_migrate, 0, "vpopmail|passwd|maildir ... [--dry-run]",
	  "accounts and mail of another mail system",
	  "les comptes et le courrier d'un autre système" },
	{ "recompile", cmd_recompile, 0, "",
	  "compile all tables from the registry again",
	  "recompiler toutes les tables depuis le registre" },
	{ "queue",  cmd_queue,  0, "list|show|hold|release|retry|delete|stat ...",
	  "what waits, why, and what to do with it",
	  "ce qui attend, pourquoi, et qu'en faire" },
	{ "trace",  cmd_trace,  OWN_CONF, "[--log FILE] ID|ADDRESS",
	  "what became of a message",  "ce qu'est devenu un message" },
	{ "check",  cmd_check,  OWN_CONF, "",
	  "verify the installation and say how to mend it",
	  "vérifier l'installation et dire comment réparer" },
	{ NULL, NULL, 0, NULL, NULL, NULL }
};
/* clang-format on */

static void
usage(const struct malle *m, FILE *out)
{
	const struct command *c;

	fputs("usage: malle [-hV] [-c FILE] [--json] [--as NAME] COMMAND "
	    "[ARGUMENT ...]\n\n", out);
	for (c = commands; c->name != NULL; c++)
		fprintf(out, "  malle %s%s%s\n\t%s\n", c->name,
		    *c->usage != '\0' ? " " : "", c->usage,
		    m->french ? c->french : c->english);
	fputs(m->french ? "\nVoir aussi : man malle\n" : "\nSee also: man malle\n",
	    out);
}

static bool
wants_french(void)
{
	const char *names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
	const char *value;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		value = getenv(names[i]);
		if (value != NULL && *value != '\0')
			return strncmp(value, "fr", 2) == 0;
	}
	return false;
}

int
malle_connect(const struct malle *m, const char *name)
{
	char relative[128], path[2048];
	int fd;

	snprintf(relative, sizeof(relative), "public/%s", name);
	if (conf_path(&m->conf, relative, path, sizeof(path)) == -1) {
		fprintf(stderr, "malle: the path of %s is too long\n", name);
		return -1;
	}
	if ((fd = ipc_connect(path, SOCK_SEQPACKET)) != -1)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		fprintf(stderr, "malle: the service does not run: %s: %s\n"
		    "Start it: systemctl start malleposte, or \"make up\" in a "
		    "checkout.\n", path, strerror(errno));
	else
		fprintf(stderr, "malle: %s: %s\n"
		    "\"malle check\" says what is wrong with the folders.\n",
		    path, strerror(errno));
	return -1;
}

/* Takes "--json" and "--as NAME" out of the arguments, wherever they are
 * before "--". */
static int
take_common(struct malle *m, int argc, char **argv)
{
	int n = 0;
	bool ended = false;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			ended = true;
		if (!ended && strcmp(argv[i], "--json") == 0)
			m->json = true;
		else if (!ended && strcmp(argv[i], "--as") == 0 && i + 1 < argc)
			m->as = argv[++i];
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	return n;
}

/* Help needs no configuration. */
static bool
asks_for_help(int argc, char **argv)
{
	return argc >= 2 && (strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "--help") == 0);
}

static int
run_command(struct malle *m, int argc, char **argv)
{
	const struct command *c;

	for (c = commands; c->name != NULL; c++)
		if (strcmp(c->name, argv[0]) == 0)
			break;
	if (c->name == NULL) {
		fprintf(stderr, "malle: there is no command \"%s\"\n", argv[0]);
		usage(m, stderr);
		return EX_USAGE;
	}
	if (!(c->flags & OWN_CONF) && !asks_for_help(argc, argv) &&
	    conf_load(&m->conf, m->conf_path, stderr) == -1) {
		fputs("malle: mend the configuration, or name another with -c\n",
		    stderr);
		return EX_CONFIG;
	}
	return c->run(m, argc, argv);
}

int
main(int argc, char **argv)
{
	static struct malle m;
	int ch, status;

	m.french = wants_french();
	signal(SIGPIPE, SIG_IGN);
	argc = take_common(&m, argc, argv);
	while ((ch = getopt(argc, argv, "+c:hV")) != -1) {
		switch (ch) {
		case 'c':
			m.conf_path = optarg;
			break;
		case 'h':
			usage(&m, stdout);
			return EX_OK;
		case 'V':
			puts("malle (Malleposte) " MALLE_VERSION);
			return EX_OK;
		default:
			usage(&m, stderr);
			return EX_USAGE;
		}
	}
	if (optind == argc) {
		usage(&m, stderr);
		return EX_USAGE;
	}
	if (m.as != NULL && secret_own(&m, m.current) == -1)
		return EX_NOINPUT;
	status = run_command(&m, argc - optind, argv + optind);
	explicit_bzero(m.current, sizeof(m.current));
	if (fflush(stdout) == EOF || ferror(stdout)) {
		fprintf(stderr, "malle: standard output: %s\n", strerror(errno));
		return EX_IOERR;
	}
	return status;
}
