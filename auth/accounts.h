/* accounts.h - from the name of a login to the account's secrets. */
#ifndef AUTH_ACCOUNTS_H
#define AUTH_ACCOUNTS_H
/* SPDX-License-Identifier: ISC */

#include "auth/password.h"
#include "lib/account.h"

#define ACCOUNTS_KEPT 16	/* tables of domains kept open */

/*
 * The tables in the auth folder: DOMAIN.cdb (lib/account.h, secret_record) for
 * each main domain, and domains.cdb: key a domain, value its main domain. What
 * is in them is trusted no more than the network.
 */
struct accounts {
	int dirfd;		/* the auth folder; owned */
	char default_domain[ADDR_DOMAIN_MAX + 1];
	uint8_t secret[PASSWORD_SECRET];
	struct table domains;
	struct {
		char domain[ADDR_DOMAIN_MAX + 1];
		struct table table;
		uint64_t used;
	} kept[ACCOUNTS_KEPT];
	uint64_t clock;
};

/* What a login needs to know, copied out of the tables. */
struct credentials {
	char local[ADDR_LOCAL_MAX + 1];
	char domain[ADDR_DOMAIN_MAX + 1];	/* the main domain */
	char address[ADDR_TEXT_MAX];		/* both, canonical */
	char folder[ADDR_LOCAL_MAX + 1];	/* of its mailbox */
	uid_t uid;
	enum account_state state;
	bool may_pop3, may_smtp;
	char hash[PASSWORD_HASH_MAX];		/* "": none */
	bool has_scram;
	struct scram_keys scram;
	bool app_only;			/* no service by that hash */
	struct slice apps;	/* lib/app_password.h; until the next find */
};

enum account_found {
	ACCOUNT_FOUND,
	ACCOUNT_UNKNOWN,	/* local, domain and address may be filled */
	ACCOUNT_UNREADABLE	/* errno */
};

/*
 * Opens the folder at path. When its file of PASSWORD_SECRET_FILE is missing,
 * a random secret serves until the next start and *lasting is false. 0, or -1
 * with errno.
 */
int accounts_open(struct accounts *a, const char *path,
    const char *default_domain, bool *lasting)
    __attribute__((warn_unused_result));
void accounts_close(struct accounts *a);

/* "local@domain" or "local" as a client gives it. */
enum account_found accounts_find(struct accounts *a, struct slice name,
    struct credentials *out);

/* Keys that no password has, always the same for the same name. */
void accounts_fake_keys(const struct accounts *a, struct slice name,
    struct scram_keys *out);

#endif
