/* sandbox_linux.c - enters the sandbox: Landlock first, then seccomp. */
/* SPDX-License-Identifier: ISC */
#include "lib/sandbox.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/sandbox_impl.h"

/*
 * Order: no_new_privs, without which neither works for other users than root;
 * Landlock, whose calls the filter does not allow; the filter. Threads made
 * earlier are not confined: enter before the first one.
 *
 * Landlock's numbers are given here because the headers of a machine are often
 * older than its kernel, which tells by its ABI version what it knows.
 */
#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REMOVE_DIR (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR (1ULL << 7)
#define FS_MAKE_REG (1ULL << 8)
#define FS_ABI1 ((1ULL << 13) - 1)
#define FS_REFER (1ULL << 13)		/* ABI 2 */
#define FS_TRUNCATE (1ULL << 14)	/* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15)	/* ABI 5 */
#define NET_BIND_TCP (1ULL << 0)	/* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT (1ULL << 0)	/* ABI 6 */
#define SCOPE_SIGNAL (1ULL << 1)

#define FS_READ (FS_READ_FILE | FS_READ_DIR)
#define FS_WRITE (FS_READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | \
	FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE)
#define FS_RUN (FS_READ_FILE | FS_EXECUTE)

#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH 1

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

/* The kernel's ABI version; 0 when there is no Landlock, -1 with errno. */
static int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    CREATE_RULESET_VERSION);

	if (abi == -1)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
	return (int)abi;
}

/* What the kernel of this ABI can refuse; returns the size it understands. */
static size_t
ruleset_for(int abi, enum sandbox_role role, struct ruleset *out)
{
	*out = (struct ruleset){ .fs = FS_ABI1 };
	if (abi >= 2)
		out->fs |= FS_REFER;
	if (abi >= 3)
		out->fs |= FS_TRUNCATE;
	if (abi >= 5)
		out->fs |= FS_IOCTL_DEV;
	if (abi >= 4 && role != SANDBOX_REMOTE)
		out->net = NET_BIND_TCP | NET_CONNECT_TCP;
	/* A hook may tell another machine; it may not wait for one. */
	if (role == SANDBOX_HOOKS)
		out->net &= ~NET_CONNECT_TCP;
	if (abi >= 6)
		out->scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

static int
allow_path(int ruleset, uint64_t handled, enum sandbox_role role,
    const struct sandbox_path *path)
{
	struct path_beneath rule = { .parent_fd = path->dirfd };
	struct stat st;

	if (fstat(path->dirfd, &st) == -1)
		return -1;
	if (S_ISREG(st.st_mode))
		rule.allowed = FS_RUN & handled;
	else if (S_ISCHR(st.st_mode))
		rule.allowed = (FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV |
		    FS_TRUNCATE) & handled;
	else
		rule.allowed = ((path->may_write ? FS_WRITE : FS_READ) |
		    (role == SANDBOX_HOOKS ? FS_EXECUTE : 0)) & handled;
	return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH,
	    &rule, 0);
}

/*
 * ABI 1 refuses every rename from one folder to another, which a Maildir lives
 * by: who writes goes without Landlock there.
 */
static bool
abi_fits(int abi, const struct sandbox_path *paths, size_t n)
{
	if (abi >= 2)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (paths[i].may_write)
			return false;
	}
	return abi >= 1;
}

static int
landlock_enter(enum sandbox_role role, const struct sandbox_path *paths,
    size_t n, struct sandbox_got *got)
{
	struct ruleset rs;
	size_t size;
	int abi, fd, r = -1;

	if ((abi = landlock_abi()) == -1)
		return -1;
	if (!abi_fits(abi, paths, n))
		return 0;
	size = ruleset_for(abi, role, &rs);
	fd = (int)syscall(SYS_landlock_create_ruleset, &rs, size, 0);
	if (fd == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (allow_path(fd, rs.fs, role, &paths[i]) == -1)
			goto out;
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		goto out;
	got->landlock = true;
	got->landlock_abi = abi;
	r = 0;
out:
	close(fd);
	return r;
}

int
sandbox_enter(enum sandbox_role role, const struct sandbox_path *paths,
    size_t n, struct sandbox_got *got)
{
	struct sandbox_got now = { false, false, 0 };
	int loaded;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	if (landlock_enter(role, paths, n, &now) == -1)
		return -1;
	if ((loaded = filter_load(role)) == -1)
		return -1;
	now.seccomp = loaded == 1;
	sandbox_remember(&now);
	*got = now;
	return 0;
}
