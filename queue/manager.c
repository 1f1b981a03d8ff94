/* manager.c - the loop of the queue manager. */
/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/conf_pass.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "queue/hold.h"
#include "queue/registry.h"
#include "queue/sending.h"

#define EVENTS 512		/* of one turn */
#define PATIENT_TIME 100	/* us of a turn for what can wait */
#define STOP_SECONDS 5		/* for deliveries under way */
#define HOUSEKEEPING 1000	/* ms between looks at what has expired */

int
manager_watch(struct manager *q, struct watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	return epoll_ctl(q->epoll, EPOLL_CTL_ADD, w->fd, &e);
}

void
manager_events(struct manager *q, struct watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	if (epoll_ctl(q->epoll, EPOLL_CTL_MOD, w->fd, &e) == -1)
		log_error(NULL, "error", "what=epoll_ctl error=%s",
		    LOGS(strerror(errno)));
}

void
manager_unwatch(struct manager *q, struct watch *w)
{
	(void)epoll_ctl(q->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

void
manager_clocks(struct manager *q)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	q->now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	clock_gettime(CLOCK_REALTIME, &ts);
	q->wall = ts.tv_sec;
}

int
manager_east(struct manager *q, const char *domain)
{
	struct domain_record d = { .zone = "" };

	(void)!tables_domain(&q->tables, domain, &d);
	return zone_clock(d.zone, (time_t)q->wall);
}

/*
 * Takes the settings that malle-start has left for us; whatever was begun by
 * the old ones goes on. Who and where we are was settled before the chroot.
 */
static void
reload(struct manager *q)
{
	const char *conf = "kept";
	struct conf new;

	switch (conf_receive(q->conf_fd, &new, &q->admin_gid)) {
	case 1:
		q->conf = new;
		conf = "new";
		break;
	case -1:
		log_error(NULL, "error", "what=conf error=%s",
		    LOGS(strerror(errno)));
		break;
	}
	/* Accounts are noticed by themselves. */
	remote_reload(q);
	log_notice(NULL, "reload", "tables=%s conf=%s",
	    LOGS("providers, routes"), conf);
}

static void
on_signal(struct manager *q, struct watch *w, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		reload(q);
		return;
	}
	log_notice(NULL, "stopping", "signal=%u", info.ssi_signo);
	q->is_stopping = true;
}

static int
watch_signals(struct manager *q)
{
	q->signals.fd = proc_signals(false);
	q->signals.ready = on_signal;
	if (q->signals.fd == -1)
		return -1;
	return manager_watch(q, &q->signals, EPOLLIN);
}

int
manager_init(struct manager *q)
{
	TAILQ_INIT(&q->conns);
	TAILQ_INIT(&q->dead);
	TAILQ_INIT(&q->touched);
	TAILQ_INIT(&q->beginning);
	TAILQ_INIT(&q->workers);
	TAILQ_INIT(&q->dead_workers);
	manager_clocks(q);
	q->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (q->epoll == -1 || index_init(&q->index) == -1 ||
	    outbound_init(&q->outbound, OUTBOUND_ACCOUNTS) == -1 ||
	    sched_init(&q->sched) == -1 || remote_init(q) == -1 ||
	    watch_signals(q) == -1 ||
	    sync_start(&q->sync, q->store.dirfd) == -1) {
		log_error(NULL, "error", "what=start error=%s",
		    LOGS(strerror(errno)));
		return -1;
	}
	q->syncer.fd = q->sync.event;
	q->syncer.ready = submit_synced;
	if (manager_watch(q, &q->syncer, EPOLLIN) == -1)
		return -1;
	if (registry_watch(q) == -1)
		return -1;
	if (q->listener.fd != -1) {
		q->listener.ready = peer_accept;
		if (manager_watch(q, &q->listener, EPOLLIN) == -1)
			return -1;
	}
	return 0;
}

/* Gives out what is ready, as much as fits a turn; a destination that can take
 * no more is parked. */
static void
dispatch(struct manager *q)
{
	int64_t end = clock_us() + PATIENT_TIME;
	struct sched_dest *d;

	while (clock_us() < end && (d = sched_next_ready(&q->sched)) != NULL)
		if (d->kind == RCPT_MAILBOX)
			local_dispatch(q, d);
		else
			remote_dispatch(q, d);
}

/* ms until something is due, at most the time of housekeeping. */
static int
wait_time(const struct manager *q)
{
	int64_t left = HOUSEKEEPING;

	if (!TAILQ_EMPTY(&q->touched) || !TAILQ_EMPTY(&q->beginning) ||
	    sched_has_ready(&q->sched))
		return 0;
	for (uint8_t l = 0; l < INDEX_LANES; l++) {
		const struct message *m = index_first(&q->index, l);

		/* For what has no room it is the end of another one. */
		if (m != NULL && life_has_room(q, l) && m->due - q->now < left)
			left = m->due - q->now;
	}
	return left > 0 ? (int)left : 0;
}

/* One handled before it may have closed this one. */
static void
handle(struct manager *q, const struct epoll_event *e, bool patient)
{
	struct watch *w = e->data.ptr;

	if (w->is_patient == patient && w->fd != -1)
		w->ready(q, w, e->events);
}

/*
 * Whoever submits and our own workers first. Of a mailing's many connections as
 * many as fit a turn; the kernel tells of the others again, and each turn begins
 * with another one.
 */
static void
handle_all(struct manager *q, const struct epoll_event *events, unsigned n)
{
	int64_t end;

	for (unsigned i = 0; i < n; i++)
		handle(q, &events[i], false);
	end = clock_us() + PATIENT_TIME;
	for (unsigned i = 0; i < n && clock_us() < end; i++)
		handle(q, &events[(q->turns + i) % n], true);
}

static void
turn(struct manager *q, int timeout)
{
	static struct epoll_event events[EVENTS];
	int n = epoll_wait(q->epoll, events, EVENTS, timeout);

	manager_clocks(q);
	q->turns++;
	if (n > 0)
		handle_all(q, events, (unsigned)n);
	sync_flush(&q->sync);
	life_settle(q);
	if (!q->is_stopping)
		life_begin_due(q);
	dispatch(q);
	life_settle(q);
	peer_free_dead(q);
	local_free_dead(q);
	remote_free_dead(q);
}

static void
housekeeping(struct manager *q, int64_t *last)
{
	if (q->now - *last < HOUSEKEEPING)
		return;
	*last = q->now;
	peer_expire(q);
	remote_expire(q);
	local_expire(q);
	check_expire(q);
	hold_expire(q);
	sending_ease(q);
	sending_save(q, false);
}

/* One pass: nothing due is left, or the time is over. */
static bool
pass_is_over(const struct manager *q)
{
	if (!q->is_one_pass)
		return false;
	if (q->now >= q->pass_end)
		return true;
	for (uint8_t l = 0; l < INDEX_LANES; l++) {
		const struct message *m = index_first(&q->index, l);

		if (q->n_active[l] > 0 ||
		    (m != NULL && m->due <= q->pass_start))
			return false;
	}
	return q->commits == 0;
}

/* Commits are answered, deliveries under way reported: both are waited for. */
static void
finish(struct manager *q)
{
	int64_t end = q->now + STOP_SECONDS * 1000;

	if (q->listener.fd != -1) {
		manager_unwatch(q, &q->listener);
		close(q->listener.fd);
		q->listener.fd = -1;
	}
	local_stop(q);
	remote_stop(q);
	while (q->now < end && (q->commits > 0 || local_running(q) > 0 ||
	    remote_running(q) > 0))
		turn(q, 50);
	sync_stop(&q->sync);
	submit_synced(q, &q->syncer, EPOLLIN);
	life_settle(q);
	sending_save(q, true);
	log_notice(NULL, "stopped", "accepted=%ju delivered=%ju waiting=%u",
	    (uintmax_t)q->accepted, (uintmax_t)q->delivered, q->index.count);
}

void
manager_loop(struct manager *q)
{
	int64_t last = q->now;

	life_begin_due(q);
	dispatch(q);
	while (!q->is_stopping && !pass_is_over(q)) {
		turn(q, wait_time(q));
		housekeeping(q, &last);
	}
	q->is_stopping = true;
	finish(q);
}
