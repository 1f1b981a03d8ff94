/* hooks.c - malle-hooks: runs programs after each change of an account. */
/* SPDX-License-Identifier: ISC */
/*
 * Runs as: malle-hook, with no root folder of its own, for it executes programs
 * of the administrator; role SANDBOX_HOOKS: all files may be read that this uid
 * may read, only hooks/ and /tmp be written; no port may be listened on.
 * Trusts: malle-registryd for the changes; a hook only if nobody but root and
 * this uid could have written it.
 * Order: a change is given to every hook, one after the other; then its id is
 * written to hooks/position, durably; then comes the next. Who is killed repeats
 * one change at most and leaves none out.
 * Limits: hook_time for each; a hook that fails is logged and not tried again.
 */
#include "tools/hooks.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/num.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

#define POLL_EVERY 1000		/* ms between two questions */
#define IDLE_EVERY 5000		/* ms between two looks at an empty folder */
#define POSITION "position"
#define MEMORY_MAX (UINT64_C(1) << 32)

/* Names that were found and are not run. */
struct refused {
	char names[HOOKS_MAX][HOOK_NAME_MAX + 1];
	size_t n;
};

struct hooks {
	struct conf conf;
	struct hook_run run;
	char socket[1100], work[1100];
	int work_fd;
	char names[HOOKS_MAX][HOOK_NAME_MAX + 1];
	size_t n;
	struct refused refused;
	bool has_position;
	bool is_noted;		/* in its file */
	uint64_t position;	/* the last change that all hooks have had */
	bool is_stopping;
};

static const char usage_text[] =
    "usage: malle-hooks [-h] [-c FILE]\n"
    "Runs the programs of the folder \"hooks\" after each change of an account.\n"
    "malle-start starts it.\n"
    "  -c FILE  the configuration, default " CONF_PATH "\n";

/* 0, or -1 when there is none yet. */
static int
position_read(struct hooks *h)
{
	char *bytes;
	size_t len;
	int r;

	if (fsx_read_file(h->work_fd, POSITION, 64, &bytes, &len) == -1)
		return -1;
	r = num_parse(slice_trim(slice_make(bytes, len)), 0, UINT64_MAX,
	    &h->position);
	if (r == -1)
		log_error(NULL, "error", "what=hooks/" POSITION " remedy=%s",
		    LOGS("it is begun anew with the next change"));
	free(bytes);
	h->is_noted = r == 0;
	return r;
}

/* The change was had, whether that can be noted or not. */
static int
position_write(struct hooks *h, uint64_t id)
{
	char text[32];

	h->position = id;
	h->has_position = true;
	snprintf(text, sizeof(text), "%" PRIu64 "\n", id);
	h->is_noted = fsx_replace(h->work_fd, POSITION, 0600,
	    slice_of(text)) == 0;
	if (h->is_noted)
		return 0;
	log_error(NULL, "error", "what=hooks/" POSITION " error=%s",
	    LOGS(strerror(errno)));
	return -1;
}

/* Nobody runs hooks: what is changed meanwhile is nobody's business. */
static void
position_forget(struct hooks *h)
{
	if (!h->has_position)
		return;
	h->has_position = false;
	if (unlinkat(h->work_fd, POSITION, 0) == -1 && errno != ENOENT)
		log_error(NULL, "error", "what=hooks/" POSITION " error=%s",
		    LOGS(strerror(errno)));
}

/* Names that editors and packages leave behind are no hooks. */
static bool
is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strlen(name);

	return len > 0 && len <= HOOK_NAME_MAX && strspn(name, letters) == len;
}

static bool
is_ours(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) &&
	    (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Says that it is not run, unless it was refused at the last look, too. */
static void
refuse(struct refused *now, const struct refused *before, const char *name)
{
	if (now->n == HOOKS_MAX)
		return;
	memcpy(now->names[now->n++], name, strlen(name) + 1);
	for (size_t i = 0; i < before->n; i++)
		if (strcmp(before->names[i], name) == 0)
			return;
	log_error(NULL, "hook-refused", "hook=%s reason=%s", LOGS(name),
	    LOGS("others may write it: it must be root's, mode 0755"));
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The hooks as they are now, in the order of their names. */
static void
look(struct hooks *h)
{
	const struct refused before = h->refused;
	struct dirent *d;
	struct stat st;
	DIR *dir;
	int fd;

	h->n = h->refused.n = 0;
	/* By its name each time: it may be another one than before. */
	if ((dir = opendir(h->conf.hooks)) == NULL)
		return;
	fd = dirfd(dir);
	if (fstat(fd, &st) == -1 || !is_ours(&st)) {
		refuse(&h->refused, &before, ".");
		closedir(dir);
		return;
	}
	while (h->n < HOOKS_MAX && (d = readdir(dir)) != NULL) {
		if (!is_name(d->d_name) ||
		    fstatat(fd, d->d_name, &st, 0) == -1 ||
		    !S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
			continue;
		if (is_ours(&st))
			memcpy(h->names[h->n++], d->d_name,
			    strlen(d->d_name) + 1);
		else
			refuse(&h->refused, &before, d->d_name);
	}
	closedir(dir);
	qsort(h->names, h->n, sizeof(h->names[0]), by_name);
}

static void
log_outcome(const char *name, uint64_t id, const struct hook_outcome *o)
{
	static const char *const results[] = {
		"exit", "signal", "too-long", "not-run", "stopped"
	};
	bool ok = o->result == HOOK_ENDED && o->status == 0;

	log_event(ok ? LOG_INFO_ : LOG_ERROR_, NULL, "hook",
	    "hook=%s change=%" PRIu64 " result=%s status=%d ms=%jd output=%s",
	    LOGS(name), id, results[o->result], o->status,
	    (intmax_t)o->milliseconds, LOGS(o->output));
}

/* The hooks are those of now: one that was there before the change has it.
 * 0 when every one has had it, -1 when we are to end before. */
static int
run_all(struct hooks *h, const struct change *change)
{
	struct hook_outcome o;

	look(h);
	for (size_t i = 0; i < h->n; i++) {
		hook_run(&h->run, h->names[i], change, &o);
		log_outcome(h->names[i], change->id, &o);
		if (o.result == HOOK_STOPPED)
			return -1;
	}
	return 0;
}

/* Waits, or ends when that is asked for. False: to be ended. */
static bool
pause_for(struct hooks *h, int milliseconds)
{
	struct pollfd p = { .fd = h->run.signals, .events = POLLIN };

	if (poll(&p, 1, milliseconds) == 1)
		h->is_stopping = true;
	return !h->is_stopping;
}

/* Where to begin, when nothing is said: with what comes from now on. Nobody
 * goes on before that is noted. */
static int
find_position(struct hooks *h)
{
	struct changes c;

	if (h->has_position)
		return h->is_noted ? 0 : position_write(h, h->position);
	if (feed_ask(h->socket, 0, true, &c) == -1)
		return -1;
	log_notice(NULL, "hooks", "count=%zu after=%" PRIu64, h->n, c.last);
	return position_write(h, c.last);
}

/* What has come since. True: there may be more at once. */
static bool
work(struct hooks *h)
{
	struct changes c;
	bool more = false;

	if (find_position(h) == -1 ||
	    feed_ask(h->socket, h->position, false, &c) == -1)
		return false;
	/* The registry was put back to what it had been before. */
	if (c.last < h->position) {
		log_notice(NULL, "hooks", "count=%zu after=%" PRIu64, h->n,
		    c.last);
		(void)!position_write(h, c.last);
	}
	for (size_t i = 0; i < c.n && !h->is_stopping; i++) {
		if (run_all(h, &c.v[i]) == -1) {
			h->is_stopping = true;
			break;
		}
		if (position_write(h, c.v[i].id) == -1)
			break;
		more = true;
	}
	feed_free(&c);
	return more;
}

static void
loop(struct hooks *h)
{
	h->has_position = position_read(h) == 0;
	while (!h->is_stopping) {
		bool more = false;

		look(h);
		if (h->n == 0)
			position_forget(h);
		else
			more = work(h);
		if (!more && !h->is_stopping)
			pause_for(h, h->n > 0 ? POLL_EVERY : IDLE_EVERY);
	}
}

/* Gives up what neither we nor a hook need. */
static int
confine(struct hooks *h)
{
	const struct proc_limits limits = { .memory = MEMORY_MAX,
	    .files = 512 };
	struct sandbox_path paths[] = {
		{ -1, false }, { h->work_fd, true }, { -1, true },
		{ -1, true },
	};
	struct sandbox_got got;
	int keep[] = { h->work_fd, h->run.signals };
	int r;

	h->run.is_separate = geteuid() == 0;
	if (proc_close_others(keep, 2) == -1 ||
	    proc_drop(h->conf.user_hook, NULL, &limits) == -1 ||
	    chdir(h->work) == -1)
		return -1;
	paths[0].dirfd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	paths[2].dirfd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	paths[3].dirfd = open("/dev/null", O_PATH | O_CLOEXEC);
	r = paths[0].dirfd == -1 || paths[2].dirfd == -1 ||
	    paths[3].dirfd == -1 ? -1 :
	    sandbox_enter(SANDBOX_HOOKS, paths, 4, &got);
	for (size_t i = 0; i < 4; i++)
		if (i != 1 && paths[i].dirfd != -1)
			close(paths[i].dirfd);
	if (r == 0)
		sandbox_log(SANDBOX_HOOKS, &got);
	return r;
}

static int
start(struct hooks *h)
{
	(void)proc_ready_fd();
	if (conf_path(&h->conf, "hooks", h->work, sizeof(h->work)) == -1 ||
	    conf_path(&h->conf, "public/registry.sock", h->socket,
	    sizeof(h->socket)) == -1)
		return -1;
	if ((h->work_fd = fsx_open_dir(AT_FDCWD, h->work)) == -1)
		return -1;
	h->run.folder = h->conf.hooks;
	h->run.work = h->work;
	h->run.milliseconds = (int64_t)h->conf.hook_time * 1000;
	/* What a hook leaves behind is ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	h->run.signals = proc_signals(false);
	return h->run.signals == -1 || confine(h) == -1 ? -1 : 0;
}

int
main(int argc, char **argv)
{
	static struct hooks h;
	const char *path = NULL;
	int c;

	log_open("malle-hooks");
	while ((c = getopt(argc, argv, "c:h")) != -1) {
		if (c != 'c') {
			fputs(usage_text, c == 'h' ? stdout : stderr);
			return c == 'h' ? EX_OK : EX_USAGE;
		}
		path = optarg;
	}
	if (conf_load(&h.conf, path, stderr) == -1)
		return EX_CONFIG;
	if (start(&h) == -1) {
		log_error(NULL, "start", "error=%s hint=%s",
		    LOGS(strerror(errno)), LOGS("see malle-hooks(8)"));
		return EX_OSERR;
	}
	proc_ready();
	loop(&h);
	log_info(NULL, "stop", "position=%" PRIu64, h.position);
	return EX_OK;
}
