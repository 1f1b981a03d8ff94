/* migrate.h - what the files of malle migrate share. */
#ifndef TOOLS_MIGRATE_H
#define TOOLS_MIGRATE_H
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"
#include "tools/account.h"
#include "tools/migrate_parse.h"

#define OLD_FILE_MAX (64u << 20)	/* of a file with accounts or aliases */
#define OLD_ACCOUNTS_MAX 1000000

/* A note is about something that was made. */
enum outcome { MADE, THERE, FAILED, LEFT_OUT, NOTE };

struct migration {
	struct malle *m;
	bool dry_run;
	bool no_mail;		/* accounts only */
	int registry;		/* a connection of ours */
	const char *only;	/* one domain, or NULL */
	const char *client, *language;	/* of new domains, or NULL */
	bool has_client;	/* it was made, or there */
	const char *lists_name;	/* where lists are written to, or NULL */
	int lists;		/* that folder, or -1 */
	uint64_t count[NOTE + 1];
};

/* cmd_migrate.c: one line for each object; counts. */
void migrate_report(struct migration *g, enum outcome o, const char *kind,
    const char *name, const char *note);
/* One request; its verdict with the sentence in text[cap]. */
int migrate_ask(struct migration *g, const char *operation,
    struct registry_fields *f, row_show *row, void *arg, char *text,
    size_t cap);
/* Adds an object unless it is there. retry: what is refused now because of
 * something that is still to come is not reported: false is returned. */
bool migrate_add(struct migration *g, const char *kind, const char *name,
    struct registry_fields *f, bool retry);
/* Changes what is there, unless nothing is to be done; reports it as made, with
 * the note, or why it failed. */
void migrate_change(struct migration *g, const char *operation,
    struct registry_fields *f, const char *kind, const char *name,
    const char *note);
void migrate_domain(struct migration *g, const char *name, const char *main);

/* migrate_account.c */
void migrate_user(struct migration *g, const char *domain,
    const struct old_account *a);

/* What becomes of the mail of an account. */
struct routing {
	struct str targets;	/* addresses, LF between */
	struct str left_out;	/* what we do not do, for the report */
	struct str subject, text;	/* of an answer */
	struct str list;	/* its folder, when it can be read */
	bool keep, discard, answers, is_list, is_list_part;
};
void routing_init(struct routing *r);
void routing_free(struct routing *r);
/* Adds a target; a local name gets the domain. */
void routing_forward(struct routing *r, struct slice target,
    const char *domain);
/* Takes a target that we do what it says, or notes that we do not. */
void routing_take(struct routing *r, const struct old_delivery *d,
    const char *domain);
/* The message that an answer is made of: its subject, its body. */
void routing_answer(struct routing *r, struct slice message);
/* True, and told, when it is more than an address can have: a part of it is not
 * what was meant. */
bool routing_too_long(struct migration *g, const char *kind, const char *name,
    const struct routing *r);
/* Names what is not done of it. */
void routing_left_out(struct migration *g, const char *name,
    const struct routing *r);
/* Sets it for a mailbox that has nothing set yet. */
void migrate_routing(struct migration *g, const char *address,
    struct routing *r);
/* Makes an alias or a robot of it; as migrate_add(). */
bool migrate_alias(struct migration *g, const char *address,
    struct routing *r, bool retry);

/* cmd_migrate.c: copies a Maildir into a mailbox of ours. */
void migrate_mail(struct migration *g, const char *address, const char *path);

/* migrate_limits.c: what QmailAdmin allows a domain. */
struct old_limits {
	struct str text;
	bool no_pop, no_smtp, no_password;	/* for all accounts */
};
/* domains/DOMAIN/.qmailadmin-limits, or what is written for all domains. */
void limits_read(struct old_limits *l, const char *folder, const char *top);
void limits_free(struct old_limits *l);
/* What is switched off for all is so for this one, unless it says otherwise. */
void limits_apply(const struct old_limits *l, struct old_account *a);
/* Sets what the domain of ours does not limit yet; names what is none here. */
void migrate_limits(struct migration *g, const char *domain,
    struct old_limits *l);
/* Names the flags of an account that mean nothing here. */
void migrate_flags(struct migration *g, const char *address, uint32_t flags);

/* migrate_list.c: reports a list of ezmlm, and writes who is on it into the
 * folder for lists. folder: of the list, or "" when it cannot be read. */
void migrate_list(struct migration *g, const char *address,
    const char *folder);

/* migrate_old.c: files of others are opened by a child that has their owner's
 * uid, never by root. */
struct old_owner {
	uid_t uid;
	gid_t gid;
};
/* The first owner that is not root on the way to path. 0, or -1. */
int old_owner(const char *path, struct old_owner *out)
    __attribute__((warn_unused_result));
/* A whole file. 0, or -1 with errno. */
int old_read(const char *path, size_t max, struct str *out)
    __attribute__((warn_unused_result));
/* Where a link leads. 0, or -1 with errno (EINVAL: it is none). */
int old_link(const char *path, struct str *out)
    __attribute__((warn_unused_result));
/* The names in a folder, each with LF behind. 0, or -1. */
int old_list(const char *path, struct str *out)
    __attribute__((warn_unused_result));
struct box_link;
struct old_copied {
	uint64_t copied, there, failed;
};
/* All messages of a Maildir. 0, or -1 with errno: it cannot be read. */
int old_copy(const char *path, struct box_link *to, struct old_copied *out)
    __attribute__((warn_unused_result));

/* The systems: each an exit status. */
int migrate_vpopmail(struct migration *g, const char *folder,
    const char *assign);
struct passwd_files {
	const char *domain, *passwd, *shadow, *aliases, *root;
	uint64_t uid_first;
};
int migrate_passwd(struct migration *g, const struct passwd_files *files);
int migrate_maildirs(struct migration *g, const char *folder,
    const char *list);

#endif
