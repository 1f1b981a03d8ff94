/* operation.h - what may be asked of the registry, and by whom. */
#ifndef REGISTRY_OPERATION_H
#define REGISTRY_OPERATION_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_registry.h"
#include "registry/hasher.h"
#include "registry/registry.h"
#include "registry/spool.h"

/* Who asks: what a peer is follows from SO_PEERCRED and the socket used. */
#define ROLE_ROOT 1u	/* root, or the registry's own uid */
#define ROLE_ADMIN 2u	/* a member of the administrators' group */
#define ROLE_OWNER 4u	/* gave the current password of the account named */
#define ROLE_ANY 8u	/* whoever can connect */
#define ROLE_AUTHD 16u	/* the pair to malle-authd, and nothing else */
#define ROLE_MANAGER 32u	/* gave the password of a manager */
#define ROLE_HOOKS 64u	/* malle-hooks */
#define ROLE_QUEUED 128u	/* the pair to malle-queued, and nothing else */

/* What a manager must have been given for the operation's kind. */
enum right {
	RIGHT_NONE,	/* nothing: the operation sorts out what is theirs */
	RIGHT_SEE,	/* the object must be theirs */
	RIGHT_CREATE,
	RIGHT_CHANGE,
	RIGHT_DELETE
};

#define OP_WRITE 1u	/* may change something: not answered before it is durable */
#define OP_LONG 2u	/* objects follow as REG_MORE, then REG_LAST */
#define OP_HASH 4u	/* a field "password" is judged and hashed before */
#define OP_LINES 8u	/* OP_LONG, within REGISTRY_LINES_MAX and _BYTES */
#define OP_CODE 16u	/* current is not the password but the security code */
/* and GRANTED(...): what the owner must have been granted for it (schema.h) */

#define REQUEST_TEXT 600

struct request;
typedef enum registry_result operation_act(struct request *q);

struct operation {
	const char *name;
	unsigned roles;
	enum right right;
	const struct kind *kind;	/* that it is about, or NULL */
	unsigned flags;
	operation_act *act;
	const char *needs;	/* the field it cannot do without, or NULL */
	struct text help;
};

/* The whole of who may do what; NULL name at the end. */
extern const struct operation operations[];

struct request {
	struct registry *r;
	const struct operation *op;
	struct registry_fields f;	/* point into the request's message */
	unsigned role;			/* one of ROLE_ */
	uid_t uid;
	char account[ADDR_TEXT_MAX];	/* whose password was given, or "" */
	bool proving;			/* that password is to be verified */
	bool is_shut;			/* it or its domain is not active, or over */
	char shut_since[40];		/* the end of the rights, or "" */
	unsigned granted;		/* GRANT_ that an owner makes use of */
	bool french;
	struct hash_job *hash;		/* done, or NULL */
	struct spool *in, *out;
	int give_fd;			/* goes out with the verdict; 0: none */
	char text[REQUEST_TEXT];	/* the sentence of the verdict */
};

/*
 * Finds the operation, judges the right to it, and judges what must be known
 * before hashing. REGISTRY_OK: go on, with *job (if not NULL) done first.
 */
enum registry_result operation_prepare(struct request *q,
    struct slice operation, struct hash_job **job);

/* Does it, in a transaction of its own inside the open one: what it did not
 * finish is undone. Rows go to q->out. */
enum registry_result operation_run(struct request *q);

/* The row of that name, or NULL. */
const struct operation *operation_find(struct slice name);

/* For the acts. */

/* Puts the sentence in the asker's language into q->text; returns result. */
enum registry_result say(struct request *q, enum registry_result result,
    const char *english, const char *french, ...)
    __attribute__((format(printf, 3, 5), format(printf, 4, 5)));
/* "Nothing was changed": the store failed, errno says how. */
enum registry_result say_failed(struct request *q);

/* A field's value; .p NULL when it was not given. */
struct slice field(const struct request *q, const char *name);
/* True when the field is "yes". */
bool field_yes(const struct request *q, const char *name);
/* A number; absent: initial. */
enum registry_result field_number(struct request *q, const char *name,
    uint64_t initial, uint64_t *out);

/* The canonical name in the field op->needs: name_domain() and the like.
 * Of an address, a domain alias is replaced by its main domain, which must
 * exist here. */
enum registry_result field_name(struct request *q, const struct kind *k,
    char *out);

/* Replaces a domain alias in an address by its main domain, which must exist. */
enum registry_result main_domain(struct request *q, char *address);
/* True when a password or a hash came with the request. */
bool has_password(const struct request *q);
/* After hashing: "try again" when it was not possible. */
enum registry_result judge_hashed(struct request *q);

/* Reads the object of that name and kind; says when it is not there. */
enum registry_result fetch(struct request *q, const struct kind *k,
    const char *name, struct str *bytes, struct object *out);

/* field_name() and fetch(): the object that the request is about. */
enum registry_result fetch_named(struct request *q, const struct kind *k,
    struct str *bytes, struct object *out);

/* Sets what is to be other of after, a copy of before, and calls change(). */
typedef enum registry_result amend_act(struct request *q,
    const struct object *before, struct object *after, const void *arg);
/* Has it done to the object of that name and kind. */
enum registry_result amend(struct request *q, const struct kind *k,
    const char *name, amend_act *how, const void *arg);
/* The same to the object that the request is about, and shows it. */
enum registry_result amend_named(struct request *q, const struct kind *k,
    amend_act *how);

/* Sets what the fields say of o's attributes, and what was hashed. load: all
 * attributes may be set, and the fields are those of an object in a dump. */
enum registry_result set_attributes(struct request *q,
    const struct registry_fields *f, struct object *o, bool load);

/* registry_change() by this asker. */
enum registry_result change(struct request *q, const struct object *before,
    const struct object *after);

/* A row of the answer. */
void row(struct request *q, const struct registry_fields *f);
/* An object as a row; secrets only with secrets. */
void row_object(struct request *q, const struct object *o, bool secrets);

/* The same of a mailbox, with what its owner may do. */
void row_user(struct request *q, const struct object *u);
/* The same of a domain, with its other names. */
void row_domain(struct request *q, const struct object *d,
    struct slice aliases);

/* Rows for all objects of kind below prefix, with the fields after and
 * limit. */
enum registry_result list(struct request *q, const struct kind *k,
    const char *prefix);

/* "2026-11-21T22:35:01Z", in out[40]. Returns it as a slice. */
struct slice now_text(char *out);

/* A new password of an account, before it is hashed. */
enum registry_result judge_password(struct request *q, const char *address,
    struct slice password);

/* The acts; see operations[]. */
operation_act op_domain_add, op_domain_list, op_domain_show, op_domain_set,
    op_domain_delete;
operation_act op_user_add, op_user_list, op_user_show, op_user_set,
    op_user_passwd, op_user_delete, op_user_restore, op_user_propose,
    op_user_rename, op_user_import;
operation_act op_alias_add, op_alias_list, op_alias_show, op_alias_set,
    op_alias_delete;
operation_act op_object_add, op_object_list, op_object_show, op_object_set,
    op_object_passwd, op_object_delete, op_manager_code, op_manager_recover;
operation_act op_dump, op_load, op_journal, op_journal_follow, op_check,
    op_login, op_sending, op_recompile,
    op_schema, op_removed_list, op_undo;
operation_act op_domain_measure;
operation_act op_mailbox_measure, op_mailbox_open, op_mailbox_fill,
    op_mailbox_purge;
operation_act op_sent;
operation_act op_own_add, op_own_list, op_own_delete;
operation_act op_app_add, op_app_list, op_app_delete;

/* Shared between the acts. */

/* The client and the domains that an object names must exist. */
enum registry_result judge_references(struct request *q,
    const struct object *o);
/* Refuses to let a client go that something belongs to. */
enum registry_result judge_unused(struct request *q, const struct object *o);
/* Takes a domain that is gone out of the lists of its managers. */
enum registry_result forget_domain(struct request *q, const char *domain);

/* Makes what a main domain must have: the mailbox postmaster, locked, and the
 * others as aliases to it; what is there stays. */
enum registry_result make_structural(struct request *q, const char *domain);
/* The same for all domains, after what they must have has changed. */
enum registry_result make_all_structural(struct request *q);
/* Whether an address is one that its domain must have. 1, 0, -1. */
#define SUFFIX_DEFAULT "default"	/* the suffix of all others */
int is_mandatory(struct registry *r, const char *address)
    __attribute__((warn_unused_result));
/* Refuses its deletion if it is one. */
enum registry_result mandatory_judge(struct request *q, const char *address);
/* The next uid for a domain: never one that another had. */
enum registry_result next_uid(struct request *q, uint64_t *uid);
/* A uid that came with a load: the counter is moved past it. 0 or -1. */
int keep_uid(struct registry *r, uint64_t uid)
    __attribute__((warn_unused_result));
/* Deletes a user, leaving the record of what is still on disk. */
enum registry_result remove_user(struct request *q, const struct object *u);
/* What names the renamed mailbox old, and is so by name alone, names it new. */
enum registry_result rename_mentions(struct request *q, const char *old,
    const char *new);
/* Undoes all of the request that made this entry of the journal. */
enum registry_result undo_request(struct request *q, uint64_t id);
/* The same when the request deleted this mailbox, whoever asked for it. */
enum registry_result undo_deletion(struct request *q, uint64_t id,
    const char *deleted);
/* An address needs its domain, one with tables of its own. */
enum registry_result judge_address(struct request *q, const char *address);
/* What a domain must be beyond its attributes, with what it must have made. */
enum registry_result judge_domain(struct request *q, const char *name);
/* Notes that the mail of a user, or of a main domain, stays on the disk;
 * a record that is there stays. */
enum registry_result leave_record(struct request *q, const struct object *left,
    struct slice uid);
/* Refuses a domain that has addresses of its own, or names. */
enum registry_result judge_empty(struct request *q, const char *domain);
/* Sets targets; those without a domain are of the object's own. */
enum registry_result set_targets(struct request *q, struct object *a,
    const char *attribute, struct slice targets);
/* Sets all fields, this one with set_targets(), and judges where it leads. */
enum registry_result set_routed(struct request *q, struct object *a,
    const char *attribute);
/* The address that a target is here, in name[ADDR_TEXT_MAX]: canonical, a domain
 * alias followed. 1, 0 when its domain is not ours, -1. */
int local_target(struct registry *r, struct slice target, char *name)
    __attribute__((warn_unused_result));
/* Where the mail of an address, or of unknown names of a domain, goes on to;
 * empty: nowhere. */
struct slice goes_to(const struct object *o);
/* Refuses a catch-all that leads back to itself or to nothing. */
enum registry_result check_catch_all(struct request *q,
    const struct object *d);
/* Refuses an alias whose targets lead back to it or to nothing. */
enum registry_result check_targets(struct request *q, const struct object *a,
    bool must_exist);

#endif
