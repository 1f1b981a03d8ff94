/* record.h - from an object to its records in the tables. */
#ifndef REGISTRY_RECORD_H
#define REGISTRY_RECORD_H
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"
#include "lib/pack.h"
#include "registry/object.h"

#define RECORD_MAX (OBJECT_BYTES_MAX + 1024)

/* What of its domain goes into the records of an account. */
enum app_mode { APP_ALLOWED, APP_REQUIRED, APP_OFF };
struct domain_facts {
	uid_t uid;
	enum account_state state;
	enum app_mode apps;		/* application passwords */
};

enum account_state record_state(const struct object *o);
/* Of a domain. */
enum app_mode record_apps(const struct object *d);

/* Each packs one record to k, which must have room for RECORD_MAX. */
/* principal is the main domain's object; the same as d when d is no alias.
 * client: the customer that principal belongs to, or NULL. */
void record_domain(struct packer *k, const struct object *d,
    const struct object *principal, const struct object *client);
/* A user, an alias or a robot. */
void record_address(struct packer *k, const struct object *o);
/* Whether it answers by itself, now or in time to come; then what it says. */
bool record_answers(const struct object *o);
void record_answer(struct packer *k, const struct object *o);
/* A user. */
void record_secret(struct packer *k, const struct object *o,
    const struct domain_facts *d);
/* The key of a relay permission in access.cdb, in key[64]. */
struct slice record_access_key(const struct object *o, char *key);
/* True when its last day is not over. */
bool record_access_valid(const struct object *o, int64_t now);

#endif
