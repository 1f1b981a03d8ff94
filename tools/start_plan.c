/* start_plan.c - the programs, their order, who holds which socket. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/conf_pass.h"
#include "lib/fsx.h"
#include "lib/ipc.h"
#include "lib/proc.h"

enum who {
	REGISTRYD, SPAWN, TLS, AUTHD, BOUNCE, STS, REMOTE, QUEUED, SMTPD,
	POP3D, HOOKS
};

#define ROW(name, starts, stops, port) { .program = (name), \
	.start_after = (starts), .stop_step = (stops), .needs_port = (port) }

/* clang-format off */
static const struct service table[SERVICES] = {
	/*              program      starts, stops, port */
	[REGISTRYD] = ROW("malle-registryd", 0, 5, false),
	[SPAWN]     = ROW("malle-spawn",     0, 6, false),
	[TLS]       = ROW("malle-tls",       0, 1, false),
	[AUTHD]     = ROW("malle-authd",     1, 2, false),
	[BOUNCE]    = ROW("malle-bounce",    1, 4, false),
	[STS]       = ROW("malle-sts",       1, 5, false),
	[REMOTE]    = ROW("malle-remote",    1, 4, false),
	[QUEUED]    = ROW("malle-queued",    1, 3, false),
	[SMTPD]     = ROW("malle-smtpd",     2, 0, true),
	[POP3D]     = ROW("malle-pop3d",     2, 0, true),
	[HOOKS]     = { .program = "malle-hooks", .start_after = 1,
			.stop_step = 3, .needs_hooks = true },
};

/* The sockets in public/: who listens, under which name; who may connect. */
static const struct {
	enum who who;
	const char *name, *file;
	int type;
	mode_t mode;
	bool for_net;		/* group malle-net */
} sockets[] = {
	{ QUEUED,    "queue",    "queue.sock",    SOCK_SEQPACKET, 0666, false },
	{ REGISTRYD, "registry", "registry.sock", SOCK_SEQPACKET, 0666, false },
	{ AUTHD,     "auth",     "auth.sock",     SOCK_SEQPACKET, 0660, true },
	{ TLS,       "tls",      "tls.sock",      SOCK_STREAM,    0660, true },
};

/* The pairs: one end each, and the name that it has there. */
static const struct {
	enum who a;
	const char *name_a;
	enum who b;
	const char *name_b;
} pairs[] = {
	{ QUEUED, "spawn",    SPAWN,     "queue" },
	{ AUTHD,  "spawn",    SPAWN,     "auth" },
	{ AUTHD,  "registry", REGISTRYD, "auth" },
	{ REGISTRYD, "spawn", SPAWN,     "registry" },
	{ QUEUED, "bounce",   BOUNCE,    "queue" },
	{ QUEUED, "registry", REGISTRYD, "queue" },
	{ QUEUED, "remote",   REMOTE,    "queue" },
	{ REMOTE, "sts",      STS,       "remote" },
};

/* Who goes on at SIGHUP, without being able to read the configuration. */
static const enum who receivers[] = { REGISTRYD, STS, QUEUED };

/* The ports. */
static const struct {
	enum who who;
	const char *name;
	size_t listens;		/* offset in struct conf */
} ports[] = {
	{ SMTPD, "smtp",        offsetof(struct conf, smtp) },
	{ SMTPD, "submission",  offsetof(struct conf, submission) },
	{ SMTPD, "submissions", offsetof(struct conf, submissions) },
	{ POP3D, "pop3",        offsetof(struct conf, pop3) },
	{ POP3D, "pop3s",       offsetof(struct conf, pop3s) },
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct conf_listens *
listens_of(const struct conf *c, size_t i)
{
	return (const struct conf_listens *)
	    ((const char *)c + ports[i].listens);
}

static void
give(struct start *s, enum who who, const char *name, int fd)
{
	struct service *v = &s->services[who];

	v->fds[v->nfds++] = (struct named_fd){ name, fd };
}

static int
open_ports(struct start *s)
{
	/* All of them are tried, so that all that are taken are told. */
	int r = 0;

	for (size_t i = 0; i < COUNT(ports); i++) {
		const struct conf_listens *l = listens_of(&s->conf, i);

		for (size_t k = 0; k < l->n; k++) {
			int fd = port_listen(&l->v[k], ports[i].name);

			if (fd == -1)
				r = -1;
			else
				give(s, ports[i].who, ports[i].name, fd);
		}
	}
	return r;
}

static int
open_sockets(struct start *s)
{
	int dir = fsx_open_dir(s->basefd, "public"), fd;
	uid_t uid;
	gid_t gid;

	/* Names in the folder itself: no path to grow too long, none to turn. */
	if (dir == -1 || fchdir(dir) == -1)
		goto fail;
	for (size_t i = 0; i < COUNT(sockets); i++) {
		fd = ipc_listen(sockets[i].file, sockets[i].type,
		    sockets[i].mode);
		if (fd == -1)
			goto fail;
		give(s, sockets[i].who, sockets[i].name, fd);
		if (!sockets[i].for_net || geteuid() != 0)
			continue;
		if (proc_user(s->conf.user_net, &uid, &gid) == -1 ||
		    fchownat(dir, sockets[i].file, 0, gid,
		    AT_SYMLINK_NOFOLLOW) == -1)
			goto fail;
	}
	if (chdir("/") == -1)
		goto fail;
	close(dir);
	return 0;
fail:
	warn("%s/public: a socket cannot be made there", s->conf.base);
	if (dir != -1)
		close(dir);
	return -1;
}

static int
open_pairs(struct start *s)
{
	int fd[2];

	for (size_t i = 0; i < COUNT(pairs); i++) {
		if (ipc_pair(fd) == -1) {
			warn("a socket pair cannot be made");
			return -1;
		}
		give(s, pairs[i].a, pairs[i].name_a, fd[0]);
		give(s, pairs[i].b, pairs[i].name_b, fd[1]);
	}
	return 0;
}

static int
open_conf_pairs(struct start *s)
{
	int fd[2];

	for (size_t i = 0; i < SERVICES; i++)
		s->services[i].conf_fd = -1;
	for (size_t i = 0; i < COUNT(receivers); i++) {
		if (conf_pair(fd) == -1) {
			warn("a socket pair cannot be made");
			return -1;
		}
		s->services[receivers[i]].conf_fd = fd[0];
		give(s, receivers[i], "conf", fd[1]);
	}
	return 0;
}

int
plan_make(struct start *s)
{
	memcpy(s->services, table, sizeof(table));
	if (open_ports(s) == -1 || open_sockets(s) == -1 ||
	    open_pairs(s) == -1 || open_conf_pairs(s) == -1)
		return -1;
	for (size_t i = 0; i < SERVICES; i++) {
		struct service *v = &s->services[i];

		v->wanted = (!v->needs_port || v->nfds > 0) &&
		    (!v->needs_hooks || folders_hooks(&s->conf));
		v->ready_fd = -1;
	}
	return 0;
}

void
plan_hooks(struct start *s)
{
	bool is_there = folders_hooks(&s->conf);
	int fd;

	for (size_t i = 0; i < SERVICES; i++) {
		struct service *v = &s->services[i];

		if (!v->needs_hooks || v->wanted == is_there)
			continue;
		/* Its folder below base, which nobody had needed. */
		if (is_there && (fd = folders_make(&s->conf)) == -1)
			continue;
		if (is_there)
			close(fd);
		v->wanted = is_there;
	}
}

static bool
same_listens(const struct conf_listens *a, const struct conf_listens *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->v[i].port != b->v[i].port ||
		    strcmp(a->v[i].host, b->v[i].host) != 0)
			return false;
	}
	return true;
}

bool
plan_same_ports(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < COUNT(ports); i++) {
		if (!same_listens(listens_of(a, i), listens_of(b, i)))
			return false;
	}
	return true;
}
