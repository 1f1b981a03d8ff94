/* cmd_trace.c - malle trace: what became of a message, from the log. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/malle.h"
#include "tools/trace.h"

#define CHUNK (4 * 1024 * 1024)
#define NOTHING_FOUND 1
#define SYSLOG_FILE "/var/log/mail.log"

struct options {
	const char *log;	/* --log, or NULL */
	const char *query;
};

static int
usage(void)
{
	fputs("usage: malle trace [--log FILE] [--json] ID|ADDRESS\n"
	      "FILE of \"-\" is standard input, as in: journalctl -o short-iso |"
	      " malle trace --log - ID\n", stderr);
	return EX_USAGE;
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	*o = (struct options){ NULL, NULL };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--log") == 0 && i + 1 < argc)
			o->log = argv[++i];
		else if (strncmp(argv[i], "--log=", 6) == 0)
			o->log = argv[i] + 6;
		else if (argv[i][0] == '-' || o->query != NULL)
			return usage();
		else
			o->query = argv[i];
	}
	return o->query == NULL ? usage() : EX_OK;
}

/*
 * Reads fd to its end in pieces; of what was looked at the last bytes stay, so
 * that the beginning of a message can be found behind.
 */
static int
scan_fd(struct trace *t, int fd, char *space)
{
	const size_t cap = CHUNK + TRACE_LOOK_BACK;
	size_t len = 0, seen = 0, used, drop;
	ssize_t n;

	for (;;) {
		n = read(fd, space + len, cap - len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		used = trace_scan(t, slice_make(space, len), seen);
		drop = used > TRACE_LOOK_BACK ? used - TRACE_LOOK_BACK : 0;
		if (drop == 0 && len == cap)
			drop = used = len; /* one endless line: no log of ours */
		memmove(space, space + drop, len - drop);
		len -= drop;
		seen = used - drop;
	}
	return n == -1 ? -1 : 0;
}

/* 0, or -1 with errno. A missing file is an error unless it may be missing. */
static int
scan_file(struct trace *t, const char *path, bool may_be_missing)
{
	int fd = STDIN_FILENO, r = -1;
	char *space = NULL;

	if (strcmp(path, "-") != 0 &&
	    (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		return may_be_missing && errno == ENOENT ? 0 : -1;
	if ((space = malloc(CHUNK + TRACE_LOOK_BACK)) != NULL)
		r = scan_fd(t, fd, space);
	free(space);
	if (fd != STDIN_FILENO)
		close(fd);
	return r;
}

/* The file of the log; NULL with the reason told. */
static const char *
log_file(struct malle *m, const struct options *o, int *status)
{
	if (o->log != NULL)
		return o->log;
	if (conf_load(&m->conf, m->conf_path, stderr) == -1) {
		fputs("malle trace: name the log with --log FILE, or mend the "
		      "configuration\n", stderr);
		*status = EX_CONFIG;
		return NULL;
	}
	if (m->conf.log[0] == '/')
		return m->conf.log;
	if (strcmp(m->conf.log, "syslog") == 0 &&
	    access(SYSLOG_FILE, F_OK) == 0)
		return SYSLOG_FILE;
	fprintf(stderr, "malle trace: the log goes to %s, not to a file: name "
	    "it with --log FILE, or:\n"
	    "journalctl -o short-iso -t malle-queued -t malle-smtpd | "
	    "malle trace --log - %s\n", m->conf.log, o->query);
	*status = EX_CONFIG;
	return NULL;
}

/* The log before this one, if it is there as text, then this one. */
static int
scan_logs(struct trace *t, const char *path)
{
	char older[4096];

	if (strcmp(path, "-") != 0 &&
	    (size_t)snprintf(older, sizeof(older), "%s.1", path) <
	    sizeof(older) && scan_file(t, older, true) == -1) {
		fprintf(stderr, "malle trace: %s: %s\n", older, strerror(errno));
		return EX_NOINPUT;
	}
	if (scan_file(t, path, false) == -1) {
		fprintf(stderr, "malle trace: %s: %s\n", path, strerror(errno));
		return EX_NOINPUT;
	}
	if (t->no_memory) {
		fputs("malle trace: out of memory: ask for an id instead of an "
		      "address\n", stderr);
		return EX_OSERR;
	}
	return EX_OK;
}

int
cmd_trace(struct malle *m, int argc, char **argv)
{
	struct options o;
	struct trace t;
	const char *path;
	int status;

	if ((status = parse_options(argc, argv, &o)) != EX_OK)
		return status;
	if (trace_begin(&t, o.query) == -1) {
		fprintf(stderr, "malle trace: \"%s\" is neither the id of a "
		    "message nor an address\n", o.query);
		return EX_USAGE;
	}
	if ((path = log_file(m, &o, &status)) == NULL)
		return status;
	status = scan_logs(&t, path);
	if (status == EX_OK &&
	    (m->json ? trace_tell_json(stdout, &t, m->french) :
	    trace_tell(stdout, &t, m->french)) == 0) {
		fprintf(stderr, m->french ? "malle trace : rien sur %s dans %s\n"
		    : "malle trace: nothing about %s in %s\n", o.query, path);
		status = NOTHING_FOUND;
	}
	trace_free(&t);
	return status;
}
