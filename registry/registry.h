/* registry.h - the registry as its operations see it. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"
#include "registry/admins.h"
#include "registry/object.h"

/* Tables that a change made stale. */
#define STALE_ADDRESSES 1u	/* of one domain: domains/DOMAIN.cdb */
#define STALE_SECRETS 2u	/* of one domain: auth/DOMAIN.cdb */
#define STALE_GONE 4u		/* of one domain: both go away */
#define STALE_DOMAINS 8u	/* domains.cdb in both folders */
#define STALE_ACCESS 16u	/* access.cdb */

struct stale {
	char domain[ADDR_DOMAIN_MAX + 1];	/* "": the tables of all */
	unsigned what;
};

#define REGISTRY_ID 16

struct registry {
	struct conf conf;
	int conf_fd;		/* where malle-start gives settings, or -1 */
	uid_t hooks_uid;	/* of malle-hooks, or (uid_t)-1 */
	struct store *store;
	struct admins admins;
	int tables_fd, domains_fd, auth_fd;	/* folders of the tables */
	int journal_fd;				/* the text journal */
	char id[2 * REGISTRY_ID + 1];		/* of this very registry */
	uint64_t journal_next;			/* id of the next entry */
	uint64_t journal_request;		/* first id of this request */
	struct str journal_text;		/* lines of this transaction */
	bool journal_behind;			/* the text lacks some */
	struct stale *stale;
	size_t stale_n, stale_cap;
	int64_t absence_next;			/* a vacation ends then, perhaps */
	int64_t absence_looked;			/* no look at all before then */
	int64_t access_until;			/* a permission ends then; 0 */
	int64_t access_staged;			/* the same of the table aside */
	int spawn_fd;				/* the pair to malle-spawn, -1 */
	int queue_fd;				/* and to malle-queued */
	char purging[ADDR_TEXT_MAX];		/* whose mail is going now, "" */
	bool purge_wanted;			/* look for more at once */
	bool notice_wanted;			/* there is one to be sent */
};

/* Who asks, for the journal. */
struct actor {
	uid_t uid;
	const char *account;	/* the account that proved itself, or "" */
	const char *operation;
	struct slice from;	/* where it sat, as its program says; or none */
};

/*
 * Every change goes through here, inside a transaction: writes the object (or
 * deletes it, after NULL), its journal entry, and notes the tables concerned.
 * before is NULL for a new object. 0 or -1 with errno.
 */
int registry_change(struct registry *r, const struct actor *who,
    const struct object *before, const struct object *after)
    __attribute__((warn_unused_result));

/* Notes that tables must be compiled before anybody is answered. 0 or -1. */
int registry_stale(struct registry *r, const char *domain, unsigned what)
    __attribute__((warn_unused_result));

/* Reads the object of this name in k's space: its kind may be another one.
 * bytes holds what *out points into. 1, 0, -1. */
int object_load(struct store *s, const struct kind *k, const char *name,
    struct str *bytes, struct object *out)
    __attribute__((warn_unused_result));
/* Reads a domain: 1, 0, -1. */
int registry_domain(struct registry *r, const char *name, struct str *bytes,
    struct object *out) __attribute__((warn_unused_result));
/* Calls each with every domain that is no other name of one, as store_each(). */
int registry_each_main(struct registry *r,
    int (*each)(void *arg, const char *domain), void *arg)
    __attribute__((warn_unused_result));

#endif
