/* queue.h - what the files of the queue manager share. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"
#include "lib/proto_local.h"
#include "lib/proto_registry.h"
#include "lib/route.h"
#include "lib/srs.h"
#include "queue/index.h"
#include "queue/outbound.h"
#include "queue/proto_bounce.h"
#include "queue/store.h"
#include "queue/sync.h"

/*
 * One thread does everything but syncing: it waits in manager_loop(), each
 * descriptor's watch is called when there is something to do, and at the end
 * of each turn what was touched is settled (life_settle), jobs are given out
 * (local_dispatch) and commits are handed to the sync thread.
 */
#define ACTIVE_MESSAGES 20000	/* of each lane, worked on at a time */
#define ACTIVE_RECIPIENTS 300000
#define CONNS_MAX 4096
#define CONNS_OF_STRANGER 32	/* of one uid that is not malle-net */
#define KILLS_MAX 5		/* workers lost to a job before it is held */
#define NOTICES_MAX 32		/* in the hands of malle-bounce at a time */

struct manager;
struct remote_state;

#define DEST_LOOKUP 128		/* kind of a destination: not looked up yet */

struct watch {
	int fd;
	void (*ready)(struct manager *q, struct watch *w, uint32_t events);
	bool is_patient;	/* one of many: others come first in a turn */
};

/* A message that is worked on: its envelope in memory, its jobs scheduled. */
struct active {
	TAILQ_ENTRY(active) touched, beginning;
	struct message *m;
	struct envelope *e;
	struct header h;
	uint64_t tail;		/* end of the file */
	uint64_t reason;	/* where in it is why it is held; 0 */
	struct str replies;	/* not yet written behind it */
	uint32_t begun;		/* recipients that were looked at */
	uint32_t outstanding;	/* jobs that wait or run */
	uint32_t dirty_from, dirty_to;	/* recipients whose states changed */
	uint64_t *dirty;	/* which of them, a bit each; NULL: all of them */
	int64_t retry_at;	/* boottime ms: a retry sooner than by the rules */
	struct notice *notice;	/* being written, or NULL */
	bool is_touched, is_dirty, is_doomed, is_beginning;
	bool is_fresh;		/* just accepted: its recipients are to be logged */
	bool is_backing_off;	/* no notice before retry_at */
	bool is_urgent;		/* somebody has asked for it to be tried now */
};
TAILQ_HEAD(actives, active);

#define REGISTRY_TAKEN 64	/* notices that are known when given again */

enum role {
	PEER_NET = 1,		/* malle-smtpd */
	PEER_LOCAL = 2,		/* any local user */
	PEER_ADMIN = 4,
	PEER_BOUNCE = 8,	/* malle-bounce, about one message */
	PEER_ANSWER = 16,	/* nobody: an answer of an account, see answer.h */
	PEER_HOLD = 32,		/* nobody: a notice of a hold, see hold.h */
	PEER_REGISTRY = 64	/* malle-registryd, one notice: registry.h */
};

struct submission;
struct control;
struct worker;
TAILQ_HEAD(workers, worker);

struct conn {
	struct watch watch;
	TAILQ_ENTRY(conn) link;		/* longest silent first */
	unsigned roles;
	uid_t uid;
	struct submission *submission;	/* what is being received, or NULL */
	struct notice *notice;		/* PEER_BOUNCE */
	struct control *control;	/* an answer being written, or NULL */
	unsigned pending;		/* commits and checks not yet answered */
	int64_t last;			/* boottime ms of its last message */
	bool is_closed;			/* only waits for pending to be 0 */
};
TAILQ_HEAD(conns, conn);


struct manager {
	struct conf conf;
	struct tables tables;
	struct store store;
	struct sync sync;
	struct index index;
	struct outbound outbound;	/* what our own have sent: sending.c */
	int64_t outbound_saved, outbound_eased;	/* ms */
	int64_t hold_retry;		/* ms: somebody is to be told then */
	struct sched sched;
	int epoll;
	struct watch listener, syncer, signals;
	int spawn, bounce;		/* pairs, or -1 */
	int remote_fd;			/* the pair of malle-remote, or -1 */
	int registry_fd;		/* that of malle-registryd, or -1 */
	struct watch registry;
	/* Of its notices: the one that comes in, and the last ones taken. */
	char registry_key[REGISTRY_NOTICE_KEY_MAX + 1];
	char registry_taken[REGISTRY_TAKEN][REGISTRY_NOTICE_KEY_MAX + 1];
	unsigned registry_n;		/* how many were taken */
	int conf_fd;			/* where malle-start gives settings, or -1 */
	struct remote_state *remote;	/* of remote.c and its neighbours */
	uid_t net_uid, own_uid;
	gid_t admin_gid;		/* (gid_t)-1: none */
	unsigned char boot_id[BOOT_ID_LEN];
	unsigned char srs_key[SRS_KEY_LEN];	/* queue/srs.key */
	int64_t now;			/* boottime, ms, of this turn */
	int64_t wall;			/* wall clock, s, of this turn */
	struct conns conns;
	size_t n_conns;
	struct conns dead;		/* to be freed at the end of the turn */
	struct actives touched;
	struct actives beginning;	/* more recipients than fit a turn */
	size_t n_active[INDEX_LANES], active_recipients;
	struct workers workers;
	struct workers dead_workers;	/* to be freed at the end of the turn */
	size_t n_workers;
	size_t n_starving;		/* domains that wait for a worker */
	size_t n_notices;
	uint64_t commits;		/* in the hands of the sync thread */
	uint64_t turns, tables_seen;	/* of the loop; the one of the last look */
	int64_t retried;		/* ms: when somebody last asked for a retry */
	int64_t free_checked;		/* ms */
	uint64_t disk_free;		/* then */
	bool is_deaf;			/* accepts nobody until housekeeping */
	bool is_stopping;
	bool is_one_pass;		/* malle-queue-run */
	int64_t pass_end;		/* one pass: ms after which nothing begins */
	int64_t pass_start;
	int64_t pass_older_than;	/* s; younger messages are left alone */
	struct slice pass_domain;	/* only this one, or below ".it"; or empty */
	uint64_t accepted, delivered, deferred, failed;
};

/* manager.c */
int manager_watch(struct manager *q, struct watch *w, uint32_t events)
    __attribute__((warn_unused_result));
void manager_events(struct manager *q, struct watch *w, uint32_t events);
void manager_unwatch(struct manager *q, struct watch *w);
/* Turns until it is told to stop, or until the pass is over. */
void manager_loop(struct manager *q);
/* Everything but descriptors and rights: 0, or -1 (logged). */
int manager_init(struct manager *q);
void manager_clocks(struct manager *q);
/* What the clocks of a domain are ahead of UTC now, in seconds; "", or one that
 * is not ours: the clocks here. */
int manager_east(struct manager *q, const char *domain);

/* peer.c */
void peer_accept(struct manager *q, struct watch *w, uint32_t events);
/* A connection that is there already; takes fd over. NULL: no memory. */
struct conn *peer_new(struct manager *q, int fd, unsigned roles, uid_t uid);
void peer_close(struct manager *q, struct conn *c);
/* One answer; a peer that does not take it is closed. */
void peer_answer(struct manager *q, struct conn *c, uint16_t type,
    const struct packer *body);
void peer_expire(struct manager *q);
/* One answer less is owed. */
void peer_settled(struct manager *q, struct conn *c);
void peer_free_dead(struct manager *q);

/* submit.c, submit_rcpt.c */
/* True between Q_MAIL and Q_COMMIT. */
bool submit_is_open(const struct conn *c);
int submit_mail(struct manager *q, struct conn *c, struct ipc_msg *m);
int submit_rcpt(struct manager *q, struct conn *c, struct ipc_msg *m);
int submit_data(struct manager *q, struct conn *c, struct ipc_msg *m);
int submit_commit(struct manager *q, struct conn *c, struct ipc_msg *m);
int submit_reset(struct manager *q, struct conn *c, struct ipc_msg *m);
void submit_forget(struct manager *q, struct conn *c);
/* commit.c: what the sync thread has done. */
void submit_synced(struct manager *q, struct watch *w, uint32_t events);
/* Logs recipients from from to to - 1, and with the last every other address
 * that leads to one of them. */
void submit_log_recipients(const struct active *a, uint32_t from, uint32_t to);

/* check.c */
int check_room(struct manager *q, struct conn *c, struct ipc_msg *m);
/* What a worker has told of a mailbox; tag is that of L_MEASURE. */
void check_measured(struct manager *q, uint64_t tag, bool ok, uint64_t bytes,
    uint64_t messages);
void check_used(struct manager *q, struct slice domain, struct slice local,
    uint64_t bytes, uint64_t messages);
void check_expire(struct manager *q);
void check_conn_closed(struct conn *c);

/* control.c */
int control_request(struct manager *q, struct conn *c, struct ipc_msg *m);
/* Goes on with an answer when the peer has room for it. */
void control_continue(struct manager *q, struct conn *c);
void control_free(struct control *k);
/* What a request has changed is durable, or not. */
void control_synced(struct manager *q, struct sync_item *i);

/* begin.c */
/* Begins what was just accepted, or lets it wait for room; takes a over. */
void life_accept(struct manager *q, struct active *a);
/* Whether one more message of this lane may be worked on. */
bool life_has_room(const struct manager *q, uint8_t lane);
/* Begins what is due, and goes on with what was begun. */
void life_begin_due(struct manager *q);

/* life.c, orders.c, load.c: one message from acceptance to its end */
int life_load(struct manager *q);
void life_settle(struct manager *q);
void life_touch(struct manager *q, struct active *a);
/* Schedules a recipient for this destination. 0, or -1: answered for. */
int life_schedule(struct manager *q, struct active *a, struct recipient *r,
    uint8_t kind, struct slice key);
/* A waiting or running job is begun anew, elsewhere perhaps. */
void life_again(struct manager *q, struct recipient *r);
/* "5.1.2 text" as the two parts of a reply of our own. */
void reply_say(struct reply *r, const char *text);
/* An answer of our own, "5.1.2 text", without a job. */
void life_answer(struct manager *q, struct active *a, struct recipient *r,
    enum queue_result result, const char *text);
/* Out of memory for so many s, without any trace. */
void life_postpone(struct manager *q, struct recipient *r, int64_t seconds);
/* What became of a running job. */
void life_result(struct manager *q, struct recipient *r,
    const struct reply *reply);
/* The job is to be tried again after delay ms, without counting as a try. */
void life_back(struct manager *q, struct recipient *r, int64_t delay);
void life_dirty(struct active *a, uint32_t recipient);
int64_t life_age(const struct manager *q, const struct message *m);
/* How old it may become, s: by its lane. */
int64_t life_time(const struct manager *q, const struct message *m);
/* by is kept in the file of what is held, as the reason. */
void life_hold(struct manager *q, struct message *m, bool held,
    const char *by);
/* Why a message is held; "" when that is not known. */
void life_reason(struct manager *q, const struct active *a, char *out,
    size_t cap);
void life_retry(struct manager *q, struct message *m, const char *by);
void life_delete(struct manager *q, struct message *m, const char *by);
/* Reads a message's file; its content too when verify is true and that was
 * not done yet. NULL: damaged (m is gone then), or not readable now. */
struct active *life_open(struct manager *q, struct message *m, bool verify);
void life_free_active(struct manager *q, struct active *a);
/* Writes what changed, and forgets what is in memory but the message. */
void life_save(struct manager *q, struct active *a);
/* The file goes away, or elsewhere, and m is no more. */
void life_end(struct manager *q, struct message *m);
char *recipient_text(const struct recipient *r, char *out, size_t cap);

/* local.c: workers of malle-local */
void local_dispatch(struct manager *q, struct sched_dest *d);
void local_expire(struct manager *q);
/* Gives nothing more to anybody. */
void local_stop(struct manager *q);
void local_free_dead(struct manager *q);
/* Asks a worker of the domain for the usage of a mailbox, where size bytes are
 * to have room. 0 or -1. */
int local_measure(struct manager *q, const struct destination *d,
    uint64_t size, uint64_t tag);
size_t local_running(const struct manager *q);

/* remote.c: mail to other servers */
/* Opens the folders of the tables, before rights are given away. */
int remote_prepare(struct manager *q) __attribute__((warn_unused_result));
/* The descriptors of those folders, at most two; their number. */
size_t remote_folders(const struct manager *q, int out[2]);
int remote_init(struct manager *q) __attribute__((warn_unused_result));
/* Reads the tables again: what is wrong in them is logged, and the old ones
 * stay. */
void remote_reload(struct manager *q);
/* Schedules a recipient, or answers for it. */
void remote_begin(struct manager *q, struct active *a, struct recipient *r);
void remote_dispatch(struct manager *q, struct sched_dest *d);
/* True when an idle destination was forgotten. */
bool remote_forget(struct manager *q, struct sched_dest *d);
/* Somebody wants a to be tried now: pauses from before do not count. */
void remote_retry(struct manager *q, struct active *a);
void remote_expire(struct manager *q);
void remote_stop(struct manager *q);
size_t remote_running(const struct manager *q);
void remote_free_dead(struct manager *q);

/* notice.c */
/* True when something has to be told of a; false: nothing (more). */
bool notice_is_due(const struct manager *q, const struct active *a);
/* Asks malle-bounce. True: a->notice is set; false: not now. */
bool notice_begin(struct manager *q, struct active *a);
/* The notice on this connection is durable as message id. */
void notice_done(struct manager *q, struct conn *c, const char *id);
/* The connection ended without one. */
void notice_lost(struct manager *q, struct conn *c);
/* What the envelope of the notice itself says. */
uint8_t notice_flags(const struct conn *c);
const char *notice_about(const struct conn *c);
enum bounce_kind notice_kind(const struct conn *c);
/* Whoever takes malle-bounce over can write to those whom we tell, from nobody,
 * and to nobody else: false for what no notice says on its connection. */
bool notice_may_begin(const struct conn *c, const char *sender);
bool notice_may_go_to(const struct conn *c, const char *to, uint32_t others);
/* The recipients that it tells of, ascending; how many they are. */
uint32_t notice_numbers(const struct conn *c, const uint32_t **out);
/* Marks a recipient as told; nothing changes when it was, or is not of kind. */
void notice_mark(struct active *a, uint32_t number, enum bounce_kind kind);

#endif
