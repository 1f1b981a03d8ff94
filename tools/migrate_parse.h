/* migrate_parse.h - the files of other mail systems, read line by line. */
#ifndef TOOLS_MIGRATE_PARSE_H
#define TOOLS_MIGRATE_PARSE_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <sys/types.h>

#include "lib/addr.h"

/*
 * Pure functions: bytes in, what they say out; every input is hostile. Slices
 * point into the input. 0, or -1 with *out untouched when the line is none.
 */

#define OLD_PATH_MAX 1024
#define OLD_HASH_MAX 400
#define OLD_TEXT_MAX 250

struct old_account {
	char name[ADDR_LOCAL_MAX + 1];	/* canonical, as one of ours */
	char hash[OLD_HASH_MAX];
	char full_name[OLD_TEXT_MAX + 1];
	char home[OLD_PATH_MAX];	/* absolute, without ".." */
	uid_t uid, gid;
	uint64_t quota_bytes, quota_messages;	/* 0: none */
	uint32_t flags;		/* of vpopmail, OLD_NO_POP... */
	bool no_pop, no_relay, bounces;
	bool own_password;	/* changes it though its domain may not */
};

/* What vpopmail says in the field of the gid. */
enum {
	OLD_NO_PASSWORD = 0x01, OLD_NO_POP = 0x02, OLD_NO_WEBMAIL = 0x04,
	OLD_NO_IMAP = 0x08, OLD_BOUNCE = 0x10, OLD_NO_RELAY = 0x20,
	OLD_NO_DIALUP = 0x40, OLD_NO_SMTP = 0x800, OLD_ADMIN = 0x1000,
	OLD_OVERRIDE = 0x2000, OLD_NO_SPAM_FILTER = 0x4000,
	OLD_DELETE_SPAM = 0x8000, OLD_ADMIN_ALL = 0x10000,
	OLD_EXPERT = 0x20000, OLD_NO_MAILDROP = 0x40000
};

/* vpopmail's vpasswd: name:hash:uid:flags:full name:folder:quota[:clear]. */
int old_vpasswd(struct slice line, struct old_account *out)
    __attribute__((warn_unused_result));
/* passwd(5); the hash is "x" there. */
int old_passwd(struct slice line, struct old_account *out)
    __attribute__((warn_unused_result));
/* shadow(5): the hash of that account, if the line is its. */
int old_shadow(struct slice line, const char *name, char *hash)
    __attribute__((warn_unused_result));
/* "10000000S,1000C", "50M", "NOQUOTA". */
int old_quota(struct slice text, uint64_t *bytes, uint64_t *messages)
    __attribute__((warn_unused_result));
/* True for a crypt(3) string that our logins can verify. */
bool old_hash_is_known(const char *hash);
/* True for DES, which is one of them: guessed in hours, and only eight letters
 * of the password count. */
bool old_hash_is_weak(const char *hash);
/* An absolute path without ".." and line ends, in out[OLD_PATH_MAX]. */
int old_path(struct slice text, char *out) __attribute__((warn_unused_result));

enum old_action {
	OLD_NOTHING,		/* a comment */
	OLD_FORWARD,		/* value: an address, or a local name */
	OLD_KEEP,		/* into the mailbox itself */
	OLD_MAILBOX,		/* value: a path to a Maildir */
	OLD_ANSWER,		/* value: the path of the message to answer with */
	OLD_DEFAULT,		/* value: what vdelivermail does with the rest */
	OLD_DISCARD,
	OLD_LIST,		/* of ezmlm; value: its folder, or empty */
	OLD_LIST_PART,		/* one of the other addresses of a list */
	OLD_PROGRAM,		/* anything else that runs */
	OLD_FILE		/* a file: mbox, :include: */
};

struct old_delivery {
	enum old_action action;
	struct slice value;
};

/* One line of a .qmail file (dot-qmail(5)). */
void old_qmail(struct slice line, struct old_delivery *out);
/* The local part that ".qmail-NAME" stands for, in out[ADDR_LOCAL_MAX + 1];
 * "default" is no exception here. */
int old_qmail_name(struct slice file, char *out)
    __attribute__((warn_unused_result));

/* Cuts the next target off a list as in aliases(5) and .forward; false at its
 * end. self: the account whose list it is ("\self" keeps a copy). */
bool old_target(struct slice *rest, const char *self,
    struct old_delivery *out);
/* The next entry of aliases(5), with the lines that go on with it: false at
 * the end. Its name is empty when the line is none. */
bool old_alias(struct slice *rest, struct slice *name, struct slice *targets);

/* users/assign of qmail: "+ALIAS-:MAIN:UID:GID:FOLDER:-::". */
struct old_assign {
	char alias[ADDR_DOMAIN_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];
	char folder[OLD_PATH_MAX];
};
int old_assign(struct slice line, struct old_assign *out)
    __attribute__((warn_unused_result));

/* The next line of .qmailadmin-limits: "maxaliases 5", "disable_pop". False at
 * the end. */
bool old_limit(struct slice *rest, struct slice *name, struct slice *value);

/* The next record of a file with subscribers of ezmlm: "T", the address, NUL.
 * False at the end. */
bool old_subscriber(struct slice *rest, struct slice *address);

#endif
