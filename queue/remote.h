/* remote.h - what the files that send to other servers share. */
#ifndef QUEUE_REMOTE_H
#define QUEUE_REMOTE_H
/* SPDX-License-Identifier: ISC */

#include <limits.h>

#include "lib/proto_remote.h"
#include "lib/providers.h"
#include "lib/routes.h"
#include "queue/group.h"
#include "queue/queue.h"

#define RESOLVERS_MAX 10
#define DOMAINS_MAX 200000	/* in the cache */

/* What the DNS says of a domain. */
struct domain {
	struct domain *next;		/* hash chain */
	TAILQ_ENTRY(domain) link;	/* to be asked, or known: oldest first */
	uint32_t hash;
	bool is_waiting;		/* for an answer: to be asked, or asked */
	bool is_asked;			/* a child has the question */
	bool is_patient;		/* only mailings wait for the answer */
	bool is_known;
	unsigned tries;			/* resolvers that died over it */
	enum remote_lookup outcome;
	int64_t expires;		/* ms */
	uint64_t route_hash;		/* of hosts and MTA-STS policy */
	unsigned char *found;		/* struct remote_found, packed */
	size_t found_len;
	char *group;			/* the name of its group */
	char name[];
};
TAILQ_HEAD(domains, domain);

struct carrier;
TAILQ_HEAD(carriers, carrier);
struct path;
TAILQ_HEAD(paths, path);

/* All destinations behind the same servers. */
struct dest_group {
	struct dest_group *next;	/* hash chain */
	uint32_t hash;
	struct group limits;
	struct paths paths;
	const struct provider *provider;
	uint32_t connections;		/* said by the routes; or 0 */
	int64_t fallback_until;		/* ms: goes through the smarthost */
	int64_t clear_until;		/* ms: its TLS is broken */
	int64_t used;			/* ms */
	size_t starving;		/* paths that wait, as it has too many */
	unsigned char *ticket;		/* owned: an R_TICKET, or NULL */
	uint16_t ticket_len;
	uint32_t ticket_of;		/* the path that it came from */
	struct remote_reply last;	/* what it answered last, when not 250 */
	char name[];
};

/* One way to servers, with its connections: what a destination carries. */
struct path {
	TAILQ_ENTRY(path) of_group, of_starving;
	bool is_starving;
	struct sched_dest *dest;
	struct dest_group *group;
	struct carriers carriers;
	size_t n_carriers;
	bool is_smarthost;
	uint32_t pace;			/* us that a message takes, on average */
	uint64_t done, done_before;	/* messages; when it was last looked at */
	uint32_t room;			/* messages that may wait in memory */
	int64_t looked;			/* ms */
	size_t route_len;
	unsigned char route[];		/* struct remote_route, packed */
};

/* A table; its folder stays open, so that it can be read again. */
struct table_file {
	int dirfd;
	char name[NAME_MAX + 1];
};

struct remote_state {
	struct table_file providers_file, routes_file;
	struct providers providers;
	struct routes routes;
	/* groups */
	struct dest_group **groups;
	size_t groups_size, n_groups, n_tickets;
	/* connections */
	struct carriers carriers, dead_carriers;
	size_t n_carriers;
	struct paths starving;		/* without one, as there are too many */
	uint64_t tags;
	int64_t not_before;		/* ms: malle-remote gives no child */
	unsigned failures;
	/* look-ups */
	struct domain **domains;
	size_t domains_size, n_domains;
	struct domains to_ask, to_ask_later, known;
	size_t n_waiting;		/* domains that wait for an answer */
	struct resolver *resolvers[RESOLVERS_MAX];
	struct resolver *dead_resolvers;
	int64_t resolver_not_before;
};

/* What a carrier was given and has not answered. */
struct job {
	TAILQ_ENTRY(job) link;
	uint64_t tag;
	struct active *a;
	int64_t since;		/* ms */
	uint32_t messages;	/* transactions that it is */
	uint16_t n, left;
	struct recipient *r[];	/* NULL: answered */
};
TAILQ_HEAD(jobs, job);

static inline struct recipient *
job_recipient(struct sched_job *job)
{
	return (struct recipient *)(void *)((char *)job -
	    offsetof(struct recipient, job));
}

static inline struct active *
job_active(struct sched_job *job)
{
	return job_recipient(job)->active;
}

/* What a reply means for its recipient and for the group. */
struct judgement {
	enum queue_result result;
	enum group_event event;
	int64_t retry_min, retry_max;
	bool is_elsewhere;	/* begin again: through the smarthost */
};

/* queue/verdict.c */
void verdict_judge(struct manager *q, struct path *p,
    const struct remote_reply *why, struct judgement *j);
/* What a group goes through is told once, not for each message. */
void verdict_feed(struct manager *q, struct dest_group *g, enum group_event e,
    const struct remote_reply *why);
/* A reply of another server as the queue keeps it; it points to why. */
void verdict_reply(const struct manager *q, const struct judgement *j,
    const struct remote_reply *why, struct reply *out);
/* Everybody who waits for a path has this answer. */
void verdict_for_waiting(struct manager *q, struct path *p,
    const struct judgement *j, const struct remote_reply *why,
    bool is_no_attempt);

/* queue/path.c */
/* Paths of a group that wait for a connection may have one now. */
void path_wake_group(struct manager *q, struct dest_group *g);
/* A path without any connection waits until one of another path ends; one that
 * only mailings wait for (patient) comes after the others. */
void path_starve(struct manager *q, struct path *p, bool patient);
/* One has ended: the next path that waits may have it. */
void path_wake_starving(struct manager *q);
/* What is behind the "@"; empty when there is none. */
struct slice address_domain(struct slice address);

/* queue/remote_job.c */
/*
 * Takes the next recipients of one message, those that may go together, and
 * packs them into k. NULL: no memory.
 */
struct job *job_gather(struct manager *q, struct sched_dest *d,
    struct packer *k, uint32_t max);
/* Whether its success is told by us, at an alias of several that leads to it,
 * and by no next server (RFC 3461 5.2.7.3). */
bool job_is_ours_to_tell(const struct envelope *e, uint32_t recipient);
/* True for a message to many: those to few go first. */
bool job_is_patient(const struct active *a);
void job_fill(struct manager *q, const struct active *a, const struct job *job,
    struct remote_job *out);

/* queue/resolve.c */
int resolve_init(struct manager *q) __attribute__((warn_unused_result));
/* What is known of a domain now, or NULL: it is asked, and remote_found() is
 * called with the answer; or there is no memory (errno ENOMEM). The questions of
 * mailings (patient) come after all others. */
struct domain *resolve_get(struct manager *q, struct slice name, bool patient);
void resolve_expire(struct manager *q);
void resolve_free_dead(struct manager *q);
/* Everything is to be asked again. */
void resolve_forget(struct manager *q);

/* queue/path.c, for resolve.c: a domain is known now. */
void remote_found(struct manager *q, const struct domain *d);

/* queue/dest_group.c: the groups */
int groups_init(struct manager *q) __attribute__((warn_unused_result));
/* The group of this name, made when it is not there; NULL: no memory. */
struct dest_group *groups_get(struct manager *q, const char *name,
    uint32_t connections);
struct dest_group *groups_find(struct manager *q, const char *name);
void groups_expire(struct manager *q);
void groups_reload(struct manager *q);
/* A TLS session for the next connection of a path: kept, and taken once. */
void ticket_keep(struct manager *q, struct path *p, struct slice ticket);
void ticket_take(struct manager *q, struct path *p, struct remote_route *r);
void ticket_forget(struct manager *q, struct dest_group *g);
/* The name of the group of servers of a domain, in out[cap]. */
void groups_name(const struct providers *p, const struct remote_found *f,
    char *out, size_t cap);

#endif
