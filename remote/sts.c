/* sts.c - malle-sts: fetches and keeps MTA-STS policies (RFC 8461). */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: user_remote, chrooted to empty/, sandbox SANDBOX_REMOTE: the network,
 * no file. A child for each fetch, which alone speaks to a web server.
 * Trusts: malle-remote to ask for what it needs; the resolver; no web server.
 * Order: the authorities are read, and libcurl is set up, before the chroot; a
 * descriptor that reads nothing stays, by which a later file is noticed.
 * Limits: FETCHES_MAX fetches at a time, WAITERS_MAX who wait for one of them,
 * CACHE_MAX domains, MEMORY_MAX of address space. The policies are in memory only:
 * a restart forgets them.
 */

#include "remote/sts.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "lib/buf.h"
#include "lib/conf_pass.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "remote/authorities.h"

#define FETCHES_MAX 16
#define WAITERS_MAX 64
#define MEMORY_MAX (128u << 20)
#define PAUSE 300		/* s before a failed fetch is tried again */
#define DNS_TIME 5		/* s for one try of a look-up */
#define AUTHORITIES_MAX (4u * 1024 * 1024)

static const char usage_text[] =
    "usage: malle-sts [-c FILE]\n"
    "       malle-sts -h\n"
    "Fetches MTA-STS policies for malle-remote. malle-start starts it, with\n"
    "the descriptor \"remote\" in MALLE_FDS; see malle-sts(8).\n"
    "  -c FILE  configuration, default " CONF_PATH "\n";

static volatile sig_atomic_t terminate, reload;

static void
on_term(int signo)
{
	if (signo == SIGHUP)
		reload = 1;
	else
		terminate = 1;
}

/* One child, and who waits for what it brings. */
struct fetch {
	int pair;			/* -1: this place is free */
	char domain[ADDR_DOMAIN_MAX + 1];
	char id[STS_ID_MAX + 1];
	int waiters[WAITERS_MAX];
	size_t n;
};

/* A file that was read before the chroot. From inside it cannot be read again,
 * but its descriptor (O_PATH) tells whether it is still the same. */
struct source {
	int fd;
	struct stat then;
};

struct service {
	struct sts_web web;
	struct conf conf;
	struct source sources[2];	/* of the authorities: link and file */
	int remote;			/* pair */
	int conf_fd;			/* where malle-start gives settings */
	struct fetch fetches[FETCHES_MAX];
};

static int
send_policy(int fd, const struct sts_policy *p, bool with_age)
{
	unsigned char space[STS_MX_MAX + 64];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_u8(&k, (uint8_t)p->mode);
	pack_bytes(&k, slice_of(p->mx));
	if (with_age)
		pack_u32(&k, p->max_age);
	return ipc_answer(fd, STS_POLICY, &k);
}

/* The policy in force, or silence; closes fd. */
static void
answer(int fd, const struct sts_known *known)
{
	if (known != NULL && clock_ms() < known->expires &&
	    send_policy(fd, &known->policy, false) == -1)
		log_debug(NULL, "answer", "error=%s", LOGS(strerror(errno)));
	ipc_close_theirs(fd);
}

static void __attribute__((noreturn))
run_child(struct service *s, const struct fetch *f, int pair)
{
	struct sts_policy policy;
	char why[256];

	proc_title("malle-sts-fetch");
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	close(s->remote);
	if (s->conf_fd != -1)
		close(s->conf_fd);
	for (size_t i = 0; i < FETCHES_MAX; i++) {
		struct fetch *other = &s->fetches[i];

		for (size_t k = 0; other->pair != -1 && k < other->n; k++)
			close(other->waiters[k]);
		if (other->pair != -1)
			close(other->pair);
	}
	/* Whatever a library waits for, it ends. */
	alarm(STS_WAIT);
	if (sts_fetch(&s->web, f->domain, &policy, why, sizeof(why)) == 0) {
		if (send_policy(pair, &policy, true) == -1)
			_exit(EX_IOERR);
		_exit(EX_OK);
	}
	log_notice(NULL, "sts-fetch", "domain=%s error=%s", LOGS(f->domain),
	    LOGS(why));
	_exit(EX_UNAVAILABLE);
}

/* The child's pair, or -1. */
static int
start_child(struct service *s, const struct fetch *f)
{
	int pair[2];
	pid_t pid;

	if (ipc_pair(pair) == -1)
		return -1;
	if ((pid = fork()) == 0) {
		close(pair[0]);
		run_child(s, f, pair[1]);
	}
	close(pair[1]);
	if (pid == -1) {
		log_error(NULL, "fork", "error=%s", LOGS(strerror(errno)));
		close(pair[0]);
		return -1;
	}
	return pair[0];
}

/* Takes fd over: it waits for the fetch of a policy, begun if need be. */
static void
fetch(struct service *s, const char *domain, const char *id, int fd)
{
	struct fetch *place = NULL, *f;

	for (size_t i = 0; i < FETCHES_MAX; i++) {
		f = &s->fetches[i];
		if (f->pair == -1)
			place = f;
		else if (strcmp(f->domain, domain) == 0 && f->n < WAITERS_MAX) {
			f->waiters[f->n++] = fd;
			return;
		}
	}
	if (place != NULL) {
		snprintf(place->domain, sizeof(place->domain), "%s", domain);
		snprintf(place->id, sizeof(place->id), "%s", id);
		place->n = 0;
		place->pair = start_child(s, place);
	}
	if (place != NULL && place->pair != -1)
		place->waiters[place->n++] = fd;
	else	/* too much to do: what is known must do */
		answer(fd, sts_cache_find(domain));
}

/* Takes fd over. id is "" where the DNS has no record: then only a policy that
 * was fetched before counts (RFC 8461 5.1). */
static void
request(struct service *s, const char *domain, const char *id, int fd)
{
	struct sts_known *known = sts_cache_find(domain);
	int64_t now = clock_ms();
	bool is_tried = known != NULL && now < known->tried_until &&
	    strcmp(known->tried_id, id) == 0;
	bool is_fresh = known != NULL && now < known->expires &&
	    strcmp(known->id, id) == 0;

	if (id[0] == '\0' || is_fresh || is_tried)
		answer(fd, known);
	else
		fetch(s, domain, id, fd);
}

/* False when the pair is closed. */
static bool
take_request(struct service *s)
{
	static unsigned char space[IPC_MAX];
	char domain[ADDR_DOMAIN_MAX + 1], id[STS_ID_MAX + 1], canonical[
	    ADDR_DOMAIN_MAX + 1];
	struct ipc_msg m;
	int r = ipc_recv(s->remote, space, &m);

	if (r == 0)
		return false;
	if (r == -1)
		return errno == EAGAIN || errno == EINTR || errno == EBADMSG;
	unpack_cstr(&m.body, domain, sizeof(domain));
	unpack_cstr(&m.body, id, sizeof(id));
	if (m.type == STS_FETCH && m.nfds == 1 && unpack_end(&m.body) &&
	    addr_domain(slice_of(domain), canonical) == 0)
		request(s, canonical, id, ipc_take_fd(&m, 0));
	else
		log_error(NULL, "request", "error=%s", "malformed");
	ipc_close_fds(&m);
	return true;
}

/* What a child has brought: the policy, or nothing. */
static bool
read_policy(int pair, struct sts_policy *out)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m;
	uint8_t mode;
	struct slice mx;

	if (ipc_recv(pair, space, &m) != 1)
		return false;
	ipc_close_fds(&m);
	mode = unpack_u8(&m.body);
	mx = unpack_bytes(&m.body, STS_MX_MAX);
	out->max_age = unpack_u32(&m.body);
	out->mode = (enum sts_mode)mode;
	return m.type == STS_POLICY && unpack_end(&m.body) &&
	    mode <= STS_ENFORCE && out->max_age <= STS_AGE_MAX &&
	    slice_to_cstr(mx, out->mx, sizeof(out->mx)) == 0;
}

static void
finish(struct fetch *f)
{
	struct sts_policy policy;
	bool is_there = read_policy(f->pair, &policy);
	struct sts_known *known = sts_cache_make(f->domain);

	if (known != NULL && is_there) {
		known->policy = policy;
		known->expires = clock_ms() + (int64_t)policy.max_age * 1000;
		memcpy(known->id, f->id, sizeof(known->id));
		known->tried_until = 0;
		log_info(NULL, "sts-policy", "domain=%s mode=%d max_age=%u",
		    LOGS(f->domain), (int)policy.mode, policy.max_age);
	} else if (known != NULL) {
		/* One that was fetched before stays in force. */
		known->tried_until = clock_ms() + PAUSE * 1000;
		memcpy(known->tried_id, f->id, sizeof(known->tried_id));
	}
	for (size_t i = 0; i < f->n; i++)
		answer(f->waiters[i], known);
	close(f->pair);
	f->pair = -1;
}

/* Replaced (no name leads to it), or written over. What is not there could be
 * there now. */
static bool
has_changed(const struct source *f)
{
	struct stat now;

	return f->fd == -1 || fstat(f->fd, &now) == -1 ||
	    now.st_nlink != f->then.st_nlink ||
	    now.st_size != f->then.st_size ||
	    now.st_ctim.tv_sec != f->then.st_ctim.tv_sec ||
	    now.st_ctim.tv_nsec != f->then.st_ctim.tv_nsec;
}

/* To begin anew is to forget the policies: only when what was read before the
 * chroot has changed, or was read for other settings. */
static bool
must_begin_anew(struct service *s)
{
	struct conf new;

	reload = 0;
	if (has_changed(&s->sources[0]) || has_changed(&s->sources[1]))
		return true;
	return conf_receive(s->conf_fd, &new, NULL) == 1 &&
	    (strcmp(new.resolver, s->conf.resolver) != 0 ||
	    strcmp(new.authorities, s->conf.authorities) != 0 ||
	    new.sts_port != s->conf.sts_port);
}

static void
serve(struct service *s, const sigset_t *waiting)
{
	struct pollfd p[FETCHES_MAX + 1];
	bool is_leaving = false;
	int status;

	while (!terminate) {
		size_t running = 0;

		for (size_t i = 0; i < FETCHES_MAX; i++) {
			p[i] = (struct pollfd){ s->fetches[i].pair, POLLIN, 0 };
			running += s->fetches[i].pair != -1;
		}
		if (reload)
			is_leaving = must_begin_anew(s) || is_leaving;
		/* Whoever waits for a fetch has its answer; who asks meanwhile
		 * is heard by the next one. */
		if (is_leaving && running == 0)
			break;
		p[FETCHES_MAX] = (struct pollfd){
		    is_leaving ? -1 : s->remote, POLLIN, 0 };
		if (ppoll(p, FETCHES_MAX + 1, NULL, waiting) == -1)
			continue;
		for (size_t i = 0; i < FETCHES_MAX; i++)
			if (p[i].revents != 0)
				finish(&s->fetches[i]);
		while (proc_reap(&status) > 0)
			;
		if (p[FETCHES_MAX].revents != 0 && !take_request(s))
			break;
	}
}

static void
remember(struct source *f, const char *path, int flags)
{
	f->fd = path != NULL ? open(path, O_PATH | O_CLOEXEC | flags) : -1;
	if (f->fd != -1 && fstat(f->fd, &f->then) == -1) {
		close(f->fd);
		f->fd = -1;
	}
}

/* What is there is noted before it is read: a change in between is one. */
static int
read_authorities(struct service *s, const char *configured)
{
	const char *path = authorities_file(configured);
	struct sts_web *w = &s->web;
	char piece[16384];
	size_t n;
	FILE *f;
	int r;

	remember(&s->sources[0], path, O_NOFOLLOW);
	remember(&s->sources[1], path, 0);
	if (path == NULL || (f = fopen(path, "re")) == NULL)
		return -1;
	w->authorities = STR_INIT(AUTHORITIES_MAX);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		str_put(&w->authorities, slice_make(piece, n));
	r = ferror(f) || !str_ok(&w->authorities) ? -1 : 0;
	fclose(f);
	return r;
}

/* Everything that is read from files. 0, or -1 (logged). */
static int
prepare(struct service *s, const struct conf *c)
{
	for (size_t i = 0; i < FETCHES_MAX; i++)
		s->fetches[i].pair = -1;
	s->web.port = (uint16_t)c->sts_port;
	if (dns_open(&s->web.dns, c->resolver, DNS_TIME) == -1) {
		log_error(NULL, "resolver", "address=%s error=%s",
		    LOGS(c->resolver), LOGS(strerror(errno)));
		return -1;
	}
	if (read_authorities(s, c->authorities) == -1)
		log_notice(NULL, "tls", "todo=%s", LOGS("install "
		    "ca-certificates, or name a file with the setting "
		    "authorities: until then there are no MTA-STS policies"));
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		log_error(NULL, "start", "error=%s",
		    LOGS("libcurl cannot be set up"));
		return -1;
	}
	return 0;
}

static void
catch_signals(sigset_t *waiting)
{
	struct sigaction term = { .sa_handler = on_term };
	sigset_t block;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGHUP, &term, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	sigprocmask(SIG_BLOCK, &block, waiting);
	sigdelset(waiting, SIGTERM);
	sigdelset(waiting, SIGHUP);
}

/* Gives up every right that fetching does not need. 0, or -1 with errno. */
static int
confine(const struct service *s, const struct conf *c)
{
	const int keep[] = { s->sources[0].fd, s->sources[1].fd };
	const struct proc_limits limits = {
		.memory = MEMORY_MAX,
		.files = 2048,
		.file_size = PROC_NO_FILES,
	};
	struct sandbox_got got;
	char root[1100];

	tzset();		/* the zone's file is outside the new root */
	if (conf_path(c, "empty", root, sizeof(root)) == -1 ||
	    proc_close_others(keep, 2) == -1 ||
	    proc_drop(c->user_remote, root, &limits) == -1 ||
	    sandbox_enter(SANDBOX_REMOTE, NULL, 0, &got) == -1)
		return -1;
	sandbox_log(SANDBOX_REMOTE, &got);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct service service;
	struct conf *conf = &service.conf;
	const char *path = NULL;
	sigset_t waiting;
	int option;

	log_open("malle-sts");
	while ((option = getopt(argc, argv, "c:h")) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			return EX_OK;
		}
		if (option != 'c') {
			fputs(usage_text, stderr);
			return EX_USAGE;
		}
		path = optarg;
	}
	/* What was sent to one that has died is older than the file. */
	service.conf_fd = proc_fd("conf");
	(void)!conf_receive(service.conf_fd, conf, NULL);
	if (conf_load(conf, path, stderr) == -1)
		return EX_CONFIG;
	(void)proc_ready_fd();
	if ((service.remote = proc_fd("remote")) == -1) {
		fputs("malle-sts: MALLE_FDS has no descriptor \"remote\": "
		    "malle-start starts this program\n", stderr);
		return EX_USAGE;
	}
	catch_signals(&waiting);
	if (prepare(&service, conf) == -1)
		return EX_CONFIG;
	if (confine(&service, conf) == -1) {
		log_error(NULL, "start", "error=%s", LOGS(strerror(errno)));
		return EX_OSERR;
	}
	proc_ready();
	serve(&service, &waiting);
	return EX_OK;
}
