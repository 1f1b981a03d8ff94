/* start.h - what the files of the supervisor share. */
#ifndef TOOLS_START_H
#define TOOLS_START_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "lib/conf.h"

#define SERVICES 11
#define SERVICE_FDS_MAX (3 * CONF_LISTEN_MAX + 4)
#define START_LOCK_FILE "malle-start.lock"
#define START_PID_FILE "malle-start.pid"
#define START_STATUS_FILE "malle-start.status"

/* A descriptor with the name that its program knows it by. */
struct named_fd {
	const char *name;
	int fd;			/* ours for as long as we run */
};

/* One program: what the table says of it, and how it is doing. */
struct service {
	const char *program;
	unsigned start_after;	/* starts when all of the lower steps are ready */
	unsigned stop_step;	/* told to stop when the lower ones have ended */
	bool needs_port;	/* not started when it has no port to listen on */
	bool needs_hooks;	/* nor when there is no folder of hooks */

	bool wanted;
	struct named_fd fds[SERVICE_FDS_MAX];
	size_t nfds;
	int conf_fd;		/* where it is given settings at SIGHUP; -1 */

	pid_t pid;		/* 0: does not run */
	int ready_fd;		/* where it says that it is ready; -1 */
	bool is_ready;
	bool told_hup;		/* may end once without fault, to begin anew */
	bool owed_hup;		/* was not ready when the others were told */
	char sandbox[80];	/* what it said then */
	time_t since;
	int64_t started;	/* monotonic ms */
	int64_t due;		/* when it may be started again */
	int64_t pause;		/* ms to wait after the next death */
	unsigned restarts;
};

/* Sessions that go on without the program that has forked them: its process
 * group. They become our children, and end when that program would. */
#define ORPHANS_MAX 64
struct orphans {
	pid_t group;
	unsigned stop_step;
};

struct start {
	struct conf conf;
	struct conf latest;	/* what the last reload has read */
	char conf_path[4096];	/* absolute */
	int basefd;
	int lockfd;
	struct service services[SERVICES];
	struct orphans orphans[ORPHANS_MAX];
	size_t norphans;
	bool stopping;
	bool announced;		/* everybody was ready once */
	int parent_fd;		/* whoever waits for us in the shell, or -1 */
	ino_t syslog_inode;	/* of its socket; 0: the log goes elsewhere */
	struct timespec syslog_born;
};

/* start_folders.c: makes and repairs what is below base. Returns the
 * descriptor of base, or -1 after it has said why. */
int folders_make(const struct conf *c);
/* True when both name the same base and the same users: who and where all
 * programs are. */
bool folders_same(const struct conf *a, const struct conf *b);
/* Whether there are hooks to be run: their folder is there. */
bool folders_hooks(const struct conf *c);

/* start_log.c: descriptor 2 becomes the log of us and of all programs. 0, or -1
 * after saying why. */
int log_redirect(struct start *s);
/* Every LOG_EVERY ms when the log goes to syslogd, which may have been started
 * anew: the one socket that all programs have is connected again. */
#define LOG_EVERY 5000
void log_again(struct start *s);

/* start_ports.c: a listening TCP socket, or -1 after it has said why
 * and, where it may look, who holds the port. */
int port_listen(const struct conf_listen *l, const char *setting);

/* start_plan.c */
/* Fills the table; opens every socket and pair. 0, or -1 after saying why. */
int plan_make(struct start *s);
/* True when both ask for the same ports: no new sockets are needed. */
bool plan_same_ports(const struct conf *a, const struct conf *b);
/* The folder of hooks may have come or gone since. */
void plan_hooks(struct start *s);

/* start_run.c: the life of one program. */
int service_start(struct start *s, struct service *v);
/* Reads what a program said of being ready. */
void service_hear(struct service *v);
/* It has ended: says so, plans when it comes back. */
void service_ended(struct start *s, struct service *v, int status);
/* Our children of a process group (0: all) are sent sig. Their number. */
size_t children_signal(int sig, pid_t group);

/* start_loop.c: supervises until told to end. Returns an exit status. */
int start_loop(struct start *s);

/* start_state.c: who runs, for others. */
/* Takes the lock of base, and removes the pid of who had it before. Descriptor;
 * -1 after saying that somebody has it. */
int state_lock(int basefd);
/* Writes our pid, once we have the one that stays. 0 or -1. */
int state_begin(const struct start *s);
void state_write(const struct start *s);
void state_remove(const struct start *s);
/* Tells systemd, when it has started us (sd_notify(3)). */
void state_notify(const char *text);
/* malle-start --status, --stop, --reload: exit statuses. */
int state_show(const struct conf *c);
int state_stop(const struct conf *c);
int state_reload(const struct conf *c);

#endif
