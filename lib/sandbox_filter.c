/* sandbox_filter.c - the system calls of each role, as seccomp filters. */
/* SPDX-License-Identifier: ISC */
#include "lib/sandbox_impl.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>


/*
 * A role is a set of groups, a group is a list of calls with the reason why.
 * What is in no group of a role gives ENOSYS, so that a newer C library falls
 * back to what it did before; what no role has any use for kills the process.
 *
 * For tests: MALLE_SANDBOX_DENY=kill in the environment makes a call that is in
 * no group end the process with its number on descriptor 2. It can only make a
 * filter stricter.
 */
enum {
	G_BASE = 1,	/* memory, time, open descriptors, waiting */
	G_READ = 2,	/* open files for reading */
	G_WRITE = 4,	/* make, change, rename, remove, sync files */
	G_ACCEPT = 8,	/* take connections; make pairs */
	G_CONNECT = 16,	/* connect to sockets of the machine */
	G_FORK = 32,	/* children and signals to them */
	G_THREADS = 64,
	G_NET = 128,	/* TCP and UDP to elsewhere */
	G_ROOT = 256,	/* become somebody else, start malle-local */
	G_ANY = 512	/* programs that are not ours: all but never */
};

static const unsigned roles[SANDBOX_ROLES] = {
	[SANDBOX_SMTPD] = G_BASE | G_READ | G_ACCEPT | G_CONNECT | G_FORK,
	[SANDBOX_POP3D] = G_BASE | G_READ | G_ACCEPT | G_CONNECT | G_FORK,
	[SANDBOX_MAILBOX] = G_BASE | G_READ | G_WRITE,
	[SANDBOX_LOCAL] = G_BASE | G_READ | G_WRITE,
	[SANDBOX_QUEUED] = G_BASE | G_READ | G_WRITE | G_ACCEPT | G_THREADS,
	[SANDBOX_AUTHD] = G_BASE | G_READ | G_ACCEPT | G_THREADS,
	[SANDBOX_TLS] = G_BASE | G_ACCEPT | G_FORK,
	[SANDBOX_BOUNCE] = G_BASE | G_FORK,
	[SANDBOX_REGISTRYD] = G_BASE | G_READ | G_WRITE | G_ACCEPT | G_THREADS,
	[SANDBOX_SPAWN] = G_BASE | G_READ | G_WRITE | G_FORK | G_ROOT,
	[SANDBOX_REMOTE] = G_BASE | G_FORK | G_NET,
	[SANDBOX_HOOKS] = G_ANY,
};

/* clang-format off */
static const struct {
	unsigned group;
	const char *calls;	/* those that this kind of machine lacks are skipped */
} allowed[] = {
	/* input and output on what is open already */
	{ G_BASE, "read write readv writev pread64 pwrite64 preadv pwritev lseek "
	    "close close_range fstat newfstatat statx dup dup2 dup3 fcntl" },
	/* conversations: also with the descriptors that messages carry */
	{ G_BASE, "recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg shutdown "
	    "getsockopt setsockopt getsockname getpeername" },
	/* waiting; pipes and events between threads and signal handlers */
	{ G_BASE, "poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait "
	    "epoll_pwait epoll_pwait2 pipe pipe2 eventfd2 signalfd4 "
	    "timerfd_create timerfd_settime timerfd_gettime" },
	/* malloc, stacks; mmap, mprotect have rules of their own */
	{ G_BASE, "munmap mremap madvise brk" },
	/* the C library and the start of a static program */
	{ G_BASE, "futex set_robust_list set_tid_address rseq arch_prctl "
	    "restart_syscall sched_yield sched_getaffinity sysinfo uname" },
	/* time: deadlines, dates, timeouts */
	{ G_BASE, "clock_gettime clock_getres clock_nanosleep nanosleep "
	    "gettimeofday time times alarm setitimer getitimer getrusage" },
	/* signal handlers */
	{ G_BASE, "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending "
	    "rt_sigsuspend rt_sigtimedwait sigaltstack pause" },
	/* who am I: names of messages, log lines, checks at start */
	{ G_BASE, "getpid gettid getppid getuid geteuid getgid getegid "
	    "getresuid getresgid getgroups getpgrp getpgid getrandom" },
	{ G_BASE, "exit exit_group" },

	/* tables, folders; openat has a rule of its own */
	{ G_READ, "getdents64 getdents readlinkat readlink faccessat "
	    "faccessat2 access stat lstat fstatfs statfs fadvise64 flock "
	    "readahead chdir fchdir getcwd umask" },

	/* queue files, mailboxes, the registry */
	{ G_WRITE, "openat open creat mkdirat mkdir renameat2 renameat rename "
	    "linkat link unlinkat unlink rmdir ftruncate truncate fallocate "
	    "fchmod fchmodat chmod utimensat utime utimes futimesat" },
	{ G_WRITE, "copy_file_range sendfile splice tee" },
	/* durability */
	{ G_WRITE, "fsync fdatasync syncfs sync_file_range msync" },

	/* from sockets that malle-start has opened: the kernel chooses a port,
	 * which Landlock does not see, for one that has none and listens */
	{ G_ACCEPT, "accept4 accept" },
	{ G_CONNECT, "connect chdir fchdir" },
	{ G_NET, "connect bind" },
	/* connections that carry a mailing step back for letters */
	{ G_NET, "sched_setscheduler" },

	/* sessions: made, reaped, told to end */
	{ G_FORK, "fork wait4 waitid kill tgkill setpgid pidfd_open "
	    "pidfd_send_signal" },
	/* thread signals, priorities of workers */
	{ G_THREADS, "tgkill membarrier sched_getparam sched_getscheduler "
	    "setpriority" },

	/* malle-spawn's children become the mailbox's owner ... */
	{ G_ROOT, "chroot setresuid setresgid setuid setgid setgroups fchown "
	    "fchownat capget capset setrlimit getrlimit" },
	/* ... and confine themselves; malle-local makes its own filter */
	{ G_ROOT, "landlock_create_ruleset landlock_add_rule "
	    "landlock_restrict_self seccomp pipe2" },
};

/* Nobody's business: tried only by somebody who has taken a process over. */
static const char never[] =
    "ptrace process_vm_readv process_vm_writev kcmp process_madvise "
    "pidfd_getfd mount umount2 pivot_root unshare setns "
    "fsopen fsmount move_mount open_tree mount_setattr init_module "
    "finit_module delete_module bpf perf_event_open keyctl add_key request_key "
    "userfaultfd io_uring_setup io_uring_enter io_uring_register reboot "
    "kexec_load kexec_file_load swapon swapoff open_by_handle_at "
    "iopl ioperm modify_ldt acct quotactl "
    "settimeofday clock_settime adjtimex clock_adjtime syslog "
    "setdomainname sethostname vhangup nfsservctl lookup_dcookie";
/* Nobody's but those of programs that are not ours. */
static const char never_of_ours[] = "execve name_to_handle_at personality";
/* Nobody's but malle-spawn's. */
static const char never_unless_root[] = "execveat chroot";
/* clang-format on */

static const uint64_t clone_forbidden = CLONE_NEWNS | CLONE_NEWCGROUP |
    CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
    CLONE_PTRACE;

/* What sandbox_prepare() has made: instructions for the kernel. */
static struct {
	struct sock_filter *code;
	unsigned short n;
} ready[SANDBOX_ROLES];

static bool
deny_kills(void)
{
	const char *deny = getenv("MALLE_SANDBOX_DENY");

	return deny != NULL && strcmp(deny, "kill") == 0;
}

/* Comparisons with an argument, all of values: the low 32 bits, as the kernel
 * takes an int; and those where mask has bits. */
static struct scmp_arg_cmp
is(unsigned arg, uint64_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_MASKED_EQ,
		.datum_a = UINT32_MAX, .datum_b = value };
}

static struct scmp_arg_cmp
is_masked(unsigned arg, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_MASKED_EQ,
		.datum_a = mask, .datum_b = value };
}

/* The number of the next call of a list of names; *list goes behind it. */
static int
next_call(const char **list)
{
	char name[64];
	size_t len = strcspn(*list, " ");

	snprintf(name, sizeof(name), "%.*s", (int)len, *list);
	*list += len;
	*list += strspn(*list, " ");
	return seccomp_syscall_resolve_name(name);
}

static void
mark_list(bool *has, size_t n, const char *calls)
{
	while (*calls != '\0') {
		int nr = next_call(&calls);

		/* Below zero: this kind of machine does not have it. */
		if (nr >= 0 && (size_t)nr < n)
			has[nr] = true;
	}
}

void
filter_mark(enum sandbox_role role, bool *has, size_t n)
{
	unsigned groups = roles[role];

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if ((allowed[i].group & groups) != 0)
			mark_list(has, n, allowed[i].calls);
	/* What has rules of its own, for some arguments. */
	mark_list(has, n, "mmap mprotect prlimit64 prctl ioctl");
	if (groups & (G_READ | G_WRITE))
		mark_list(has, n, "openat");
	if (groups & (G_ACCEPT | G_CONNECT | G_NET))
		mark_list(has, n, "socketpair");
	if (groups & (G_CONNECT | G_NET))
		mark_list(has, n, "socket");
	if (groups & (G_FORK | G_THREADS))
		mark_list(has, n, "clone");
	if (groups & G_ROOT)
		mark_list(has, n, "execveat");
}

/* One rule for each call of a list of names. 0 or -1. */
static int
add_list(scmp_filter_ctx ctx, uint32_t action, const char *calls)
{
	while (*calls != '\0') {
		int nr = next_call(&calls), r;

		if (nr == __NR_SCMP_ERROR)
			continue;	/* newer than this libseccomp */
		r = seccomp_rule_add(ctx, action, nr, 0);
		if (r != 0 && r != -EEXIST) {
			errno = -r;
			return -1;
		}
	}
	return 0;
}

/* Rules that look at arguments. 0 or -errno. */
static int
add_base_rules(scmp_filter_ctx ctx)
{
	static const int prctls[] = { PR_SET_NAME, PR_SET_PDEATHSIG,
		PR_SET_DUMPABLE, PR_GET_DUMPABLE, PR_SET_NO_NEW_PRIVS,
		PR_GET_NO_NEW_PRIVS };
	int r = 0;

	/* No memory that can be run appears after the start. */
	r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	    is_masked(2, PROT_EXEC, 0));
	r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
	    is_masked(2, PROT_EXEC, 0));
	/* Limits of oneself only. */
	r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
	    is(0, 0));
	for (size_t i = 0; i < sizeof(prctls) / sizeof(prctls[0]); i++)
		r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
		    is(0, (unsigned)prctls[i]));
	/* Its arguments are behind a pointer: the C library takes clone then.
	 * (What equals the default cannot be added, and need not be.) */
	if (deny_kills())
		r |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
		    SCMP_SYS(clone3), 0);
	/* FIONREAD and FIONBIO: how much waits, do not wait. */
	r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
	    is(1, 0x541B));
	r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
	    is(1, 0x5421));
	/* stdio asks whether descriptor 2 is a terminal. */
	r |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 1,
	    is(1, 0x5401));
	return r;
}

static int
allow_socket(scmp_filter_ctx ctx, int call, int family)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
	    is(0, (unsigned)family));
}

static int
add_group_rules(scmp_filter_ctx ctx, unsigned groups)
{
	int r = 0;

	if ((groups & (G_READ | G_WRITE)) == G_READ) {
		static const uint64_t mask = O_ACCMODE | O_CREAT | O_TRUNC;

		r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		    is_masked(2, mask, O_RDONLY));
	}
	if (groups & (G_ACCEPT | G_CONNECT | G_NET))
		r |= allow_socket(ctx, SCMP_SYS(socketpair), AF_UNIX);
	if (groups & G_CONNECT)
		r |= allow_socket(ctx, SCMP_SYS(socket), AF_UNIX);
	if (groups & G_NET) {
		r |= allow_socket(ctx, SCMP_SYS(socket), AF_INET);
		r |= allow_socket(ctx, SCMP_SYS(socket), AF_INET6);
	}
	if (groups & G_FORK)
		r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		    is_masked(0, clone_forbidden, 0));
	else if (groups & G_THREADS)
		r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		    is_masked(0,
		    clone_forbidden | CLONE_THREAD, CLONE_THREAD));
	if (groups & G_ROOT) {
		/* Only what was opened at the start, never a path. */
		r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(execveat),
		    1, is(4, AT_EMPTY_PATH));
		r |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
		    is(0, PR_SET_SECCOMP));
	}
	return r;
}

/* For programs that are not ours: a refusal, not death, and no names of their
 * own for users, folders or processes. */
static int
add_rules_of_any(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
	    SCMP_SYS(clone3), 0);

	for (uint64_t bit = 1; bit != 0; bit <<= 1)
		if ((clone_forbidden & bit) != 0)
			r |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
			    SCMP_SYS(clone), 1, is_masked(0, bit, bit));
	r |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(chroot), 0);
	/* As Landlock does for bind(2); it does not see this way to a port. */
	r |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(listen), 0);
	if (r != 0) {
		errno = EINVAL;
		return -1;
	}
	return add_list(ctx, SCMP_ACT_ERRNO(EPERM), never);
}

static int
add_rules(scmp_filter_ctx ctx, unsigned groups)
{
	int r;

	if ((groups & G_ANY) != 0)
		return add_rules_of_any(ctx);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if ((allowed[i].group & groups) != 0 && add_list(ctx,
		    SCMP_ACT_ALLOW, allowed[i].calls) == -1)
			return -1;
	}
	r = add_base_rules(ctx) | add_group_rules(ctx, groups);
	if (r != 0) {
		errno = EINVAL;
		return -1;
	}
	if ((groups & G_ROOT) == 0 && add_list(ctx, SCMP_ACT_KILL_PROCESS,
	    never_unless_root) == -1)
		return -1;
	if (add_list(ctx, SCMP_ACT_KILL_PROCESS, never_of_ours) == -1)
		return -1;
	return add_list(ctx, SCMP_ACT_KILL_PROCESS, never);
}

/* The whole of a filter that waits in a pipe. 0 or -1. */
static int
read_code(int fd, enum sandbox_role role)
{
	struct sock_filter *code = malloc(BPF_MAXINSNS * sizeof(*code));
	size_t len = 0, cap = BPF_MAXINSNS * sizeof(*code);
	ssize_t n = 0;

	while (code != NULL && len < cap &&
	    (n = read(fd, (char *)code + len, cap - len)) > 0)
		len += (size_t)n;
	if (code == NULL || n == -1 || len == 0) {
		free(code);
		return -1;
	}
	ready[role].code = code;
	ready[role].n = (unsigned short)(len / sizeof(*code));
	return 0;
}

/*
 * Takes the filter's code out of libseccomp, through a pipe, which holds the
 * longest one: a process that may write no file (RLIMIT_FSIZE 0) is killed when
 * it writes to a memfd. 0 or -1.
 */
static int
export_code(scmp_filter_ctx ctx, enum sandbox_role role)
{
	int fd[2], error, r = -1;

	if (pipe2(fd, O_CLOEXEC) == -1)
		return -1;
	error = -seccomp_export_bpf(ctx, fd[1]);
	close(fd[1]);
	if (error == 0)
		r = read_code(fd[0], role);
	else
		errno = error;
	close(fd[0]);
	return r;
}

int
sandbox_prepare(enum sandbox_role role)
{
	scmp_filter_ctx ctx;
	int r = -1;

	if (ready[role].code != NULL)
		return 0;
	ctx = seccomp_init((roles[role] & G_ANY) != 0 ? SCMP_ACT_ALLOW :
	    deny_kills() ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS));
	if (ctx == NULL) {
		errno = ENOMEM;
		return -1;
	}
	/* A search tree: a call costs a few instructions, not a hundred. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
	    add_rules(ctx, roles[role]) == 0)
		r = export_code(ctx, role);
	seccomp_release(ctx);
	return r;
}

int
sandbox_prepare_within(enum sandbox_role role, enum sandbox_role outer)
{
	struct sock_filter *code = calloc(NARROW_MAX, sizeof(*code));
	size_t n;

	if (code == NULL)
		return -1;
	n = filter_narrow(role, outer, deny_kills() ? SECCOMP_RET_TRAP :
	    SECCOMP_RET_ERRNO | ENOSYS, code);
	if (n == 0) {
		free(code);
		errno = EINVAL;
		return -1;
	}
	free(ready[role].code);
	ready[role].code = code;
	ready[role].n = (unsigned short)n;
	return 0;
}

/* In tests only: says which call was missing and ends the process. */
static void
denied(int sig, siginfo_t *info, void *context)
{
	char line[80];
	int len;

	(void)sig;
	(void)context;
	len = snprintf(line, sizeof(line),
	    "sandbox: system call %d is not in this role\n", info->si_syscall);
	(void)!write(STDERR_FILENO, line, (size_t)len);
	_exit(128 + SIGSYS);
}

int
filter_load(enum sandbox_role role)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;
	struct sock_fprog program;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == -1)
		return errno == ENOSYS || errno == EINVAL ||
		    errno == EOPNOTSUPP ? 0 : -1;
	if (sandbox_prepare(role) == -1)
		return -1;
	if (deny_kills()) {
		struct sigaction sa = { .sa_sigaction = denied,
			.sa_flags = SA_SIGINFO };

		sigaction(SIGSYS, &sa, NULL);
	}
	program.len = ready[role].n;
	program.filter = ready[role].code;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == -1)
		return -1;
	return 1;
}
