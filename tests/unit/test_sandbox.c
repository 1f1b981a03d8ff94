/* test_sandbox.c - what each role can and cannot do, tried for real. */
/* SPDX-License-Identifier: ISC */
#include "lib/sandbox.h"

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "tests/unit/tap.h"

/* Made before the sandbox, as a program would have them. */
static int folder = -1, tcp = -1;
static pid_t outsider;
static struct sockaddr_in nowhere;

/* Each gives 0 when it could be done, or -1. */
static int
try_open_passwd(void)
{
	return open("/etc/passwd", O_RDONLY) == -1 ? -1 : 0;
}

static int
try_list_root(void)
{
	return open("/", O_RDONLY | O_DIRECTORY) == -1 ? -1 : 0;
}

static int
try_read_kept(void)
{
	return openat(folder, "there", O_RDONLY) == -1 ? -1 : 0;
}

static int
try_make_kept(void)
{
	return openat(folder, "made", O_WRONLY | O_CREAT | O_TRUNC, 0600) == -1 ?
	    -1 : 0;
}

static int
try_rename_kept(void)
{
	return renameat(folder, "a/moves", folder, "b/moves");
}

static int
try_make_elsewhere(void)
{
	return open("/tmp/malle-sandbox-escape", O_WRONLY | O_CREAT, 0600) == -1 ?
	    -1 : 0;
}

static int
try_climb(void)
{
	return openat(folder, "../../etc/passwd", O_RDONLY) == -1 ? -1 : 0;
}

static int
try_tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) == -1 ? -1 : 0;
}

static int
try_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET, 0) == -1 ? -1 : 0;
}

static int
try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) == -1 ? -1 : 0;
}

static int
try_connect_tcp(void)
{
	/* Refused by nobody being there is success of the attempt. */
	if (connect(tcp, (struct sockaddr *)&nowhere, sizeof(nowhere)) == 0 ||
	    errno == ECONNREFUSED)
		return 0;
	return -1;
}

/* The kernel chooses a port for a socket that has none. */
static int
try_listen(void)
{
	return listen(tcp, 1);
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1 ? -1 : 0;
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
try_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL) != 0)
		return -1;
	return pthread_join(t, NULL) == 0 ? 0 : -1;
}

static int
try_signal_outside(void)
{
	return kill(outsider, 0);
}

static int
try_run_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int
try_user_namespace(void)
{
	long pid = syscall(SYS_clone, 0x10000000 | SIGCHLD, NULL, NULL, NULL,
	    0);

	if (pid == 0)
		_exit(0);
	return pid == -1 ? -1 : 0;
}

static int
try_exec(void)
{
	char name[] = "true", *argv[] = { name, NULL };

	return execve("/bin/true", argv, NULL);
}

static int
try_ptrace(void)
{
	return (int)ptrace(PTRACE_ATTACH, outsider, NULL, NULL);
}

static int
try_read_memory(void)
{
	char byte;
	struct iovec v = { &byte, 1 };

	return process_vm_readv(outsider, &v, 1, &v, 1, 0) == -1 ? -1 : 0;
}

static int
try_mount(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static int
try_chroot(void)
{
	return chroot("/tmp");
}

#define R(role) (1u << SANDBOX_##role)
#define ALL (R(SMTPD) | R(POP3D) | R(MAILBOX) | R(LOCAL) | R(QUEUED) | \
	R(AUTHD) | R(TLS) | R(BOUNCE) | R(REGISTRYD) | R(SPAWN) | R(REMOTE))
#define FILES (ALL & ~(R(TLS) | R(BOUNCE) | R(REMOTE)))
#define WRITERS (R(MAILBOX) | R(LOCAL) | R(QUEUED) | R(REGISTRYD) | R(SPAWN))
#define FORKERS (R(SMTPD) | R(POP3D) | R(TLS) | R(BOUNCE) | R(SPAWN) | \
	R(REMOTE) | R(HOOKS))
#define THREADERS (FORKERS | R(QUEUED) | R(AUTHD) | R(REGISTRYD) | R(HOOKS))

/* clang-format off */
static const struct {
	const char *what;
	int (*attempt)(void);
	unsigned can;		/* roles that can */
	unsigned dies;		/* roles that it kills */
} rows[] = {
	{ "read a file of its own",	try_read_kept,		FILES,	0 },
	{ "make a file of its own",	try_make_kept,		WRITERS, 0 },
	{ "move between its folders",	try_rename_kept,	WRITERS, 0 },
	{ "read /etc/passwd",		try_open_passwd,	0,	0 },
	{ "open /",			try_list_root,		0,	0 },
	{ "climb out with ..",		try_climb,		0,	0 },
	{ "make a file elsewhere",	try_make_elsewhere,	0,	0 },
	{ "make a TCP socket",		try_tcp_socket,		R(REMOTE) | R(HOOKS), 0 },
	{ "make a UNIX socket",		try_unix_socket,	R(SMTPD) | R(POP3D) | R(HOOKS), 0 },
	{ "make a netlink socket",	try_netlink,		R(HOOKS), 0 },
	{ "connect to a TCP port",	try_connect_tcp,	R(REMOTE) | R(HOOKS), 0 },
	{ "listen on any TCP port",	try_listen,		0,	0 },
	{ "fork",			try_fork,		FORKERS, 0 },
	{ "start a thread",		try_thread,		THREADERS, 0 },
	{ "signal a stranger",		try_signal_outside,	0,	0 },
	{ "map memory to be run",	try_run_memory,		R(HOOKS), 0 },
	{ "make a user namespace",	try_user_namespace,	0,	0 },
	{ "execve",			try_exec,		0,	ALL },
	{ "ptrace",			try_ptrace,		0,	ALL },
	{ "read another's memory",	try_read_memory,	0,	ALL },
	{ "mount",			try_mount,		0,	ALL },
	{ "chroot",			try_chroot,		R(SPAWN), ALL & ~R(SPAWN) },
};
/* clang-format on */

enum end { DONE = 0, REFUSED = 1, KILLED, ODD };

/* outer is a role that is entered before; the same one: none. */
static enum end
attempt(enum sandbox_role outer, enum sandbox_role role, int (*act)(void))
{
	struct sandbox_path path = { folder, (WRITERS & 1u << role) != 0 };
	struct sandbox_got got;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (outer != role && sandbox_enter(outer, &path, 1, &got) == -1)
			_exit(ODD);
		if (sandbox_enter(role, &path, (FILES & 1u << role) ? 1 : 0,
		    &got) == -1 || !got.landlock || !got.seccomp)
			_exit(ODD);
		_exit(act() == 0 ? DONE : REFUSED);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return ODD;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : ODD;
	return (enum end)WEXITSTATUS(status);
}

static bool
prepare(char *name)
{
	outsider = getppid();
	nowhere.sin_family = AF_INET;
	nowhere.sin_port = htons(1);
	nowhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	if (tcp == -1 || mkdtemp(name) == NULL)
		return false;
	folder = open(name, O_RDONLY | O_DIRECTORY);
	return folder != -1 && mkdirat(folder, "a", 0700) == 0 &&
	    mkdirat(folder, "b", 0700) == 0 &&
	    mknodat(folder, "there", S_IFREG | 0600, 0) == 0;
}

static void
clean(const char *name)
{
	unlinkat(folder, "there", 0);
	unlinkat(folder, "made", 0);
	unlinkat(folder, "a/moves", 0);
	unlinkat(folder, "b/moves", 0);
	unlinkat(folder, "a", AT_REMOVEDIR);
	unlinkat(folder, "b", AT_REMOVEDIR);
	rmdir(name);
	unlink("/tmp/malle-sandbox-escape");
}

static void
try_all(enum sandbox_role outer, enum sandbox_role role)
{
	static const char *const ends[] = { "could", "refused", "killed", "odd" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum end want = rows[i].can & 1u << role ? DONE :
		    rows[i].dies & 1u << role ? KILLED : REFUSED;
		enum end got;

		(void)!mknodat(folder, "a/moves", S_IFREG | 0600, 0);
		/* A chroot needs root to be allowed at all. */
		if (rows[i].attempt == try_chroot && want == DONE &&
		    geteuid() != 0)
			want = REFUSED;
		got = attempt(outer, role, rows[i].attempt);
		/* A narrowed role is refused what its whole filter kills for. */
		if (outer != role && want == KILLED && rows[i].can & 1u << outer)
			want = REFUSED;
		ok(got == want, "%s%s%s: %s: %s", sandbox_name(role),
		    outer != role ? " within " : "",
		    outer != role ? sandbox_name(outer) : "", rows[i].what,
		    ends[got]);
	}
}

/* Asked of the kernel itself: a sandbox that forgets Landlock must not pass
 * for a kernel without it. */
static bool
kernel_has_all(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);
	unsigned action = SECCOMP_RET_KILL_PROCESS;

	return abi >= 6 &&
	    syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int
main(void)
{
	char name[] = "/tmp/malle-sandbox-XXXXXX";

#ifdef SANITIZED
	printf("1..0 # SKIP a sanitized build has no sandbox\n");
	return 0;
#endif
	if (!kernel_has_all()) {
		printf("1..0 # SKIP no Landlock (ABI 6) or seccomp here\n");
		return 0;
	}
	if (!prepare(name))
		return 1;
	for (int role = 0; role < SANDBOX_ROLES; role++) {
		/* As malle-spawn does it: made once, used in the children. */
		if (!ok(sandbox_prepare((enum sandbox_role)role) == 0,
		    "%s: prepared", sandbox_name((enum sandbox_role)role)))
			continue;
		try_all((enum sandbox_role)role, (enum sandbox_role)role);
	}
	/* malle-spawn's children have its filter already. */
	ok(sandbox_prepare_within(SANDBOX_SPAWN, SANDBOX_MAILBOX) == -1,
	    "a role is not within a smaller one");
	if (ok(sandbox_prepare_within(SANDBOX_MAILBOX, SANDBOX_SPAWN) == 0,
	    "mailbox within spawn: prepared"))
		try_all(SANDBOX_SPAWN, SANDBOX_MAILBOX);
	clean(name);
	return done();
}
