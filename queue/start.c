/* start.c - how malle-queued and malle-queue-run begin. */
/* SPDX-License-Identifier: ISC */
#include "queue/start.h"

#include <sys/file.h>
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "queue/sending.h"

#define FILES_WANTED 16384
#define FILES_MIN 256
#define MEMORY_MAX (UINT64_C(3) << 30)
#define CONTENT_MAX UINT32_MAX	/* what message_max may grow to at SIGHUP */

static int
complain(const char *what, const char *hint)
{
	log_error(NULL, "error", "what=%s error=%s hint=%s", LOGS(what),
	    LOGS(strerror(errno)), LOGS(hint));
	return EX_OSFILE;
}

/* Which start of the machine this is, as 16 bytes; zeros when it is not told:
 * then every start of ours counts as another. */
static void
read_boot_id(unsigned char out[BOOT_ID_LEN])
{
	char *text;
	size_t len, n = 0;

	memset(out, 0, BOOT_ID_LEN);
	if (fsx_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256,
	    &text, &len) == -1) {
		arc4random_buf(out, BOOT_ID_LEN);
		return;
	}
	for (size_t i = 0; i + 1 < len && n < BOOT_ID_LEN; i++) {
		unsigned byte;

		if (sscanf(text + i, "%2x", &byte) == 1 && text[i] != '-') {
			out[n++] = (unsigned char)byte;
			i++;
		}
	}
	free(text);
}

int
start_open(struct manager *q)
{
	char path[1100];
	gid_t gid;

	tzset();
	q->own_uid = geteuid();
	q->admin_gid = proc_group(q->conf.admin_group);
	q->net_uid = q->own_uid;
	if (q->own_uid == 0 &&
	    proc_user(q->conf.user_net, &q->net_uid, &gid) == -1)
		return complain(q->conf.user_net,
		    "user_net must name a user in /etc/passwd");
	read_boot_id(q->boot_id);
	if (conf_path(&q->conf, "queue", path, sizeof(path)) == -1 ||
	    (q->store.dirfd = fsx_open_dir(AT_FDCWD, path)) == -1)
		return complain(path, "malle-start makes this folder");
	if (conf_path(&q->conf, "public/tables", path, sizeof(path)) == -1 ||
	    (q->tables.dirfd = fsx_open_dir(AT_FDCWD, path)) == -1)
		return complain(path, "malle-registryd makes this folder");
	return remote_prepare(q) == -1 ? EX_OSERR : 0;
}

static uint64_t
files_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return FILES_MIN;
	return geteuid() == 0 || r.rlim_max > FILES_WANTED ? FILES_WANTED :
	    (uint64_t)r.rlim_max;
}

/* Held for our whole life; the descriptor is never closed. */
static int
take_lock(const struct manager *q)
{
	int fd = openat(q->store.dirfd, "lock",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1)
		return complain("queue/lock",
		    "the folder must belong to user_queue");
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return START_BUSY;
	return complain("queue/lock", "flock");
}

/* Made once: addresses that were made with it come back for weeks. */
static int
load_srs_key(struct manager *q)
{
	size_t len;
	char *bytes;
	int r = -1;

	if (fsx_read_file(q->store.dirfd, "srs.key", 64, &bytes, &len) == 0) {
		if (len == SRS_KEY_LEN) {
			memcpy(q->srs_key, bytes, SRS_KEY_LEN);
			r = 0;
		}
		explicit_bzero(bytes, len);
		free(bytes);
		return r;
	}
	if (errno != ENOENT)
		return -1;
	arc4random_buf(q->srs_key, SRS_KEY_LEN);
	return fsx_replace(q->store.dirfd, "srs.key", 0600,
	    slice_make(q->srs_key, SRS_KEY_LEN));
}

static int
enter_sandbox(const struct manager *q)
{
	struct sandbox_path paths[4] = {
		{ q->store.dirfd, true }, { q->tables.dirfd, false }
	};
	struct sandbox_got got;
	size_t n;
	int folders[2];

	n = remote_folders(q, folders);
	for (size_t i = 0; i < n; i++)
		paths[2 + i].dirfd = folders[i];
	if (sandbox_enter(SANDBOX_QUEUED, paths, 2 + n, &got) == -1)
		return -1;
	sandbox_log(SANDBOX_QUEUED, &got);
	return 0;
}

int
start_confined(struct manager *q, const int *keep, size_t n)
{
	int fds[16] = { q->store.dirfd, q->tables.dirfd }, r, dirfd;
	int tables = q->tables.dirfd;
	struct proc_limits limits = {
		.memory = MEMORY_MAX, .files = files_limit(),
		/* Header, envelope and replies come on top of the content. */
		.file_size = CONTENT_MAX + 2 * (uint64_t)ENVELOPE_MAX,
	};
	char path[1100];

	for (size_t i = 0; i < n && i < 12; i++)
		fds[2 + i] = keep[i];
	n += remote_folders(q, fds + 2 + n);
	dirfd = q->store.dirfd;
	if (conf_path(&q->conf, "queue", path, sizeof(path)) == -1 ||
	    proc_close_others(fds, n + 2) == -1 ||
	    proc_drop(q->conf.user_queue, path, &limits) == -1)
		return complain("rights", "proc_drop failed");
	if ((r = take_lock(q)) != 0)
		return r;
	if (enter_sandbox(q) == -1)
		return complain("sandbox", "see malle-queued(8)");
	if (store_open(&q->store, dirfd) == -1)
		return complain("queue", "its folders cannot be made");
	if (load_srs_key(q) == -1)
		return complain("queue/srs.key", "it must be 16 bytes");
	if (tables_open(&q->tables, tables) == -1)
		return complain("public/tables", "is malle-registryd running?");
	if (manager_init(q) == -1 || life_load(q) == -1)
		return EX_OSERR;
	sending_load(q);
	return 0;
}
