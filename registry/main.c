/* main.c - malle-registryd: the one owner of the accounts. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: malle-registry, its root in registry/, sandbox role registryd: it
 * may write registry/, public/tables/ and auth/, and read /etc/group and
 * /etc/passwd (who administers), and nothing else.
 * Trusts: the configuration, its own store. Not those who connect.
 * Order: everything outside of registry/ is opened before the chroot; the
 * store is recovered and stale tables are compiled before anybody is answered.
 * Limits: see service.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth/password.h"
#include "lib/conf_pass.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "registry/journal.h"
#include "registry/rights.h"
#include "registry/service.h"
#include "registry/usage.h"
#include "registry/zone.h"

#define ZONES "/usr/share/zoneinfo"
#define META_ID SLICE("meta/id")
#define META_USAGE SLICE("meta/usage")
#define USAGE_COUNTED SLICE("2")	/* raised when more is counted */

static int
usage(FILE *out, int status)
{
	fputs("usage: malle-registryd [-hR] [-c FILE]\n"
	    "Owns the accounts and compiles the tables. It is started by "
	    "malle-start(8),\nwhich gives it its sockets.\n"
	    "-R: print who may do what.\n", out);
	return status;
}

/* A folder of ours below base, as root made if it is not there. */
static int
open_folder(const struct registry *r, const char *name, mode_t mode,
    const char *group_of)
{
	char path[2048];
	uid_t uid, ignored;
	gid_t gid;
	int fd;

	if (conf_path(&r->conf, name, path, sizeof(path)) == -1)
		return -1;
	if ((fd = fsx_open_dir(AT_FDCWD, path)) != -1 || errno != ENOENT)
		return fd;
	if (fsx_make_dir(AT_FDCWD, path, mode) == -1 ||
	    (fd = fsx_open_dir(AT_FDCWD, path)) == -1)
		return -1;
	if (geteuid() != 0)
		return fd;
	if (proc_user(r->conf.user_registry, &uid, &gid) == -1 ||
	    (group_of != NULL && proc_user(group_of, &ignored, &gid) == -1) ||
	    fchown(fd, uid, gid) == -1 || fchmod(fd, mode) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
complain(const char *what)
{
	log_error(NULL, "start", "what=%s error=%s remedy=%s", LOGS(what),
	    LOGS(strerror(errno)), LOGS("malle check"));
	return -1;
}

static int
open_folders(struct registry *r, int *registry_fd)
{
	*registry_fd = open_folder(r, "registry", 0700, NULL);
	if (*registry_fd == -1)
		return complain("folder registry");
	r->tables_fd = open_folder(r, "public/tables", 0755, NULL);
	if (r->tables_fd == -1)
		return complain("folder public/tables");
	r->auth_fd = open_folder(r, "auth", 02750, r->conf.user_auth);
	if (r->auth_fd == -1)
		return complain("folder auth");
	return 0;
}

/* Gives up every right that the job does not ask for. */
static int
confine(struct registry *r, int registry_fd, int etc_fd)
{
	struct proc_limits limits = { .files = 1024,
		.file_size = 64ULL << 30 };
	int keep[] = { r->tables_fd, r->auth_fd, registry_fd, etc_fd };
	struct sandbox_path paths[] = {
		{ registry_fd, true },
		{ r->tables_fd, true },
		{ r->auth_fd, true },
		{ etc_fd, false },
	};
	struct sandbox_got got;
	char root[2048];

#ifndef SANITIZED
	limits.memory = 4ULL << 30;
#endif
	if (proc_close_others(keep, sizeof(keep) / sizeof(*keep)) == -1 ||
	    conf_path(&r->conf, "registry", root, sizeof(root)) == -1 ||
	    proc_drop(r->conf.user_registry, root, &limits) == -1)
		return complain("giving up rights");
	umask(027);
	if (fsx_make_dir(r->tables_fd, "domains", 0755) == -1 ||
	    (r->domains_fd = fsx_open_dir(r->tables_fd, "domains")) == -1)
		return complain("folder public/tables/domains");
	if (fchmod(r->domains_fd, 0755) == -1)
		return complain("folder public/tables/domains");
	if (sandbox_enter(SANDBOX_REGISTRYD, paths,
	    sizeof(paths) / sizeof(*paths), &got) == -1)
		return complain("sandbox");
	sandbox_log(SANDBOX_REGISTRYD, &got);
	return 0;
}

/* The id of this registry, made once: tables of another one are stale. */
static int
take_id(struct registry *r)
{
	unsigned char random[REGISTRY_ID];
	struct str id = STR_INIT(4096);
	int found;

	if (store_begin(r->store) == -1)
		return -1;
	found = store_get(r->store, META_ID, &id);
	if (found == 1 && slice_to_cstr(str_slice(&id), r->id,
	    sizeof(r->id)) == -1)
		found = -1;
	str_free(&id);
	if (found != 0) {
		store_abort(r->store);
		return found == 1 ? 0 : -1;
	}
	if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
		store_abort(r->store);
		return -1;
	}
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(r->id + 2 * i, 3, "%02x", random[i]);
	if (store_put(r->store, META_ID, slice_of(r->id)) == -1) {
		store_abort(r->store);
		return -1;
	}
	return store_commit(r->store);
}

/* A registry of a time when less was counted: counts once. */
static int
count_usage(struct registry *r)
{
	struct str value = STR_INIT(4096);
	uint64_t wrong;
	bool known;
	int found;

	if (store_begin(r->store) == -1)
		return -1;
	found = store_get(r->store, META_USAGE, &value);
	known = found == 1 && slice_eq(str_slice(&value), USAGE_COUNTED);
	str_free(&value);
	if (known) {
		store_abort(r->store);
		return 0;
	}
	if (found == -1 || usage_rebuild(r, &wrong) == -1 ||
	    store_put(r->store, META_USAGE, USAGE_COUNTED) == -1) {
		store_abort(r->store);
		return -1;
	}
	return store_commit(r->store);
}

static int
open_registry(struct registry *r, int etc_fd)
{
	const char *why;

	r->journal_text = STR_INIT(256 << 20);
	if ((r->store = store_open(&why)) == NULL)
		return complain(why);
	if (take_id(r) == -1)
		return complain("id of the registry");
	if (count_usage(r) == -1)
		return complain("counting what domains have");
	if (journal_open(r) == -1)
		return complain("journal");
	if (password_secret_make(r->auth_fd) == -1)
		return complain("auth/" PASSWORD_SECRET_FILE);
	if (admins_load(etc_fd, r->conf.admin_group, &r->admins) == -1)
		return complain("/etc/group or /etc/passwd");
	return 0;
}

static int
start(struct registry *r, struct service_fds *s)
{
	int registry_fd = -1;
	gid_t gid;

	if ((s->listening = proc_fd("registry")) == -1) {
		errno = EBADF;
		return complain("MALLE_FDS has no \"registry\": start it by "
		    "malle-start");
	}
	s->auth = proc_fd("auth");
	r->queue_fd = proc_fd("queue");
	r->spawn_fd = proc_fd("spawn");
	/* Without hooks there need not be such a user. */
	if (proc_user(r->conf.user_hook, &r->hooks_uid, &gid) == -1)
		r->hooks_uid = (uid_t)-1;
	if (zones_load(ZONES) == -1)
		return complain(ZONES);
	if ((s->etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return complain("/etc");
	if (open_folders(r, &registry_fd) == -1 ||
	    confine(r, registry_fd, s->etc) == -1)
		return -1;
	return open_registry(r, s->etc);
}

int
main(int argc, char **argv)
{
	static struct registry r;
	const char *conf_file = NULL;
	struct service_fds s = { -1, -1, -1 };
	int ch, status;

	log_open("malle-registryd");
	while ((ch = getopt(argc, argv, "c:hR")) != -1) {
		switch (ch) {
		case 'c':
			conf_file = optarg;
			break;
		case 'h':
			return usage(stdout, EX_OK);
		case 'R':
			rights_print();
			return EX_OK;
		default:
			return usage(stderr, EX_USAGE);
		}
	}
	if (optind != argc)
		return usage(stderr, EX_USAGE);
	/* What was sent to one that has died is older than the file. */
	r.conf_fd = proc_fd("conf");
	(void)!conf_receive(r.conf_fd, &r.conf, NULL);
	if (conf_load(&r.conf, conf_file, stderr) == -1)
		return EX_CONFIG;
	signal(SIGPIPE, SIG_IGN);
	if (start(&r, &s) == -1)
		return EX_OSERR;
	status = service_run(&r, &s);
	store_close(r.store);
	return status;
}
