/* build.h - the records of the tables, one after the other. */
#ifndef REGISTRY_BUILD_H
#define REGISTRY_BUILD_H
/* SPDX-License-Identifier: ISC */

#include "registry/record.h"
#include "registry/registry.h"

/* The tables of one domain, or of all. */
enum table_name { TABLE_ADDRESSES, TABLE_SECRETS, TABLE_DOMAINS, TABLE_MAINS,
	TABLE_ACCESS, TABLE_NAMES };

/* Tables that are made in one walk over the same objects. */
#define BIT(table) (1u << (table))
#define OF_DOMAIN (BIT(TABLE_ADDRESSES) | BIT(TABLE_SECRETS))
#define OF_ALL (BIT(TABLE_DOMAINS) | BIT(TABLE_MAINS))

struct build {
	struct registry *r;
	unsigned tables;		/* BIT() of each, of one walk */
	struct domain_facts facts;	/* of the domain */
	int64_t now;
	int64_t until;			/* see build_records() */
	/* Gets each record; 0 or -1. */
	int (*put)(void *arg, enum table_name t, struct slice key,
	    struct slice value);
	void *arg;
	unsigned char *space;		/* RECORD_MAX */
};

/* Gives every record of the tables to put; domain is "" for those of all. The
 * access table also sets b->until: when the next permission in it ends, 0 for
 * never. 0, or what put returned, or -1. */
int build_records(struct build *b, const char *domain)
    __attribute__((warn_unused_result));

#endif
