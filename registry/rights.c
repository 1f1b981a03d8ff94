/* rights.c - whose an object is, and what a manager may do with it. */
/* SPDX-License-Identifier: ISC */

/*
 * Three questions, each asked of every request: does the row of operations[]
 * have the asker's role, was this manager given the right to that kind of
 * object, and is the object the asker's? Administrators own all; a manager owns
 * the domains of its list and of its client, with all their addresses; the
 * owner of a mailbox owns that one address, and may do with it what was granted
 * (grants.c). Who has given the right password of an account that is shut, or
 * whose time is over, is told so; nobody else is.
 */

#include "registry/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "registry/grants.h"
#include "registry/valid.h"

#define ADMINS (ROLE_ROOT | ROLE_ADMIN)

enum registry_result
rights_refuse(struct request *q)
{
	return say(q, REGISTRY_REFUSED,
	    "You may not do this (%s). Root and the members of the group \"%s\" "
	    "administer%s.",
	    "Vous n'en avez pas le droit (%s). Root et les membres du groupe "
	    "« %s » administrent%s.", q->op->name, q->r->conf.admin_group,
	    !(q->op->roles & ROLE_OWNER) ? "" : q->french ?
	    " ; pour votre propre compte, donnez son mot de passe actuel" :
	    "; for your own account, give its current password");
}

/* True when an account may log in now. */
static bool
is_open(const struct object *o)
{
	struct slice until = object_get(o, "until");

	return object_is(o, "state", "active") &&
	    (until.p == NULL || time_of_text(until) >= time(NULL));
}

/* The hash of o that is to be proved, or one that nothing matches. */
static void
take_hash(struct request *q, const struct object *o, char *known)
{
	struct slice until = object_get(o, "until"), hash;

	q->is_shut = !is_open(o);
	q->shut_since[0] = '\0';
	if (q->is_shut && object_is(o, "state", "active"))
		snprintf(q->shut_since, sizeof(q->shut_since), "%.*s",
		    SLICE_FMT(until));
	hash = object_get(o, (q->op->flags & OP_CODE) != 0 ? "code" : "hash");
	if (hash.len == 0 ||
	    slice_to_cstr(hash, known, PASSWORD_HASH_MAX) == -1)
		snprintf(known, PASSWORD_HASH_MAX, "*");
}

/* True when it is a manager's name; *bytes are wiped by the caller. */
static bool
login_manager(struct request *q, struct slice name, char *known,
    struct str *bytes)
{
	char login[ADDR_TEXT_MAX];
	struct object o;
	struct text why;

	if (name_login(name, login, &why) == -1 || object_load(q->r->store,
	    &kind_manager, login, bytes, &o) != 1)
		return false;
	take_hash(q, &o, known);
	snprintf(q->account, sizeof(q->account), "%s", login);
	q->role = strcmp(login, LOGIN_ADMIN) == 0 ? ROLE_ADMIN : ROLE_MANAGER;
	return true;
}

/* The address that somebody logs in with: a name alone is one of the default
 * domain, as in mail programs (inventory 8-07). False: it is none. */
static bool
login_address(struct request *q, struct slice name, char *address)
{
	char whole[ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 2];
	struct text why;

	if (memchr(name.p, '@', name.len) == NULL) {
		if (name.len > ADDR_LOCAL_MAX)
			return false;
		snprintf(whole, sizeof(whole), "%.*s@%s", SLICE_FMT(name),
		    q->r->conf.default_domain);
		name = slice_of(whole);
	}
	return name_address(name, address, &why) == 0 &&
	    main_domain(q, address) == REGISTRY_OK;
}

/* Whether a mailbox may log in as far as its domain is concerned. */
static bool
is_domain_open(struct request *q, const char *address)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object d;
	bool is = registry_domain(q->r, address_domain(address), &bytes,
	    &d) == 1 && object_is(&d, "state", "active");

	str_free(&bytes);
	return is;
}

void
rights_login(struct request *q, char *known)
{
	struct slice name = field(q, "as");
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char address[ADDR_TEXT_MAX];
	struct object o;

	/* No such account costs as much time as a wrong password. */
	snprintf(known, PASSWORD_HASH_MAX, "*");
	q->role = ROLE_OWNER;
	q->account[0] = '\0';
	q->is_shut = false;
	if (name.p == NULL)
		name = field(q, "address");
	if (name.p == NULL || (field(q, "as").p != NULL &&
	    login_manager(q, name, known, &bytes)))
		goto out;
	if (!login_address(q, name, address))
		goto out;
	snprintf(q->account, sizeof(q->account), "%s", address);
	if (object_load(q->r->store, &kind_user, address, &bytes, &o) == 1 &&
	    o.kind == &kind_user) {
		take_hash(q, &o, known);
		q->is_shut = q->is_shut || !is_domain_open(q, address);
	}
out:
	str_wipe(&bytes);
}

/* Whether a domain is this manager's. 1, 0, -1. */
static int
manages(struct request *q, const struct object *manager, const char *domain)
{
	struct slice client = object_get(manager, "client"), main_name;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object d;
	char name[ADDR_TEXT_MAX];
	int found;

	if (list_has(object_get(manager, "domains"), slice_of(domain)))
		return 1;
	if ((found = registry_domain(q->r, domain, &bytes, &d)) == 1) {
		main_name = object_get(&d, "alias-of");
		if (client.p != NULL && object_get(&d, "client").p != NULL)
			found = slice_eq(object_get(&d, "client"), client);
		else
			found = 0;
		if (found == 0 && main_name.p != NULL &&
		    slice_to_cstr(main_name, name, sizeof(name)) == 0)
			found = manages(q, manager, name);
	}
	str_free(&bytes);
	return found;
}

static int
manager_sees(struct request *q, const struct kind *k, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object me;
	int found;

	if (k == &kind_manager)
		return strcmp(name, q->account) == 0;
	found = object_load(q->r->store, &kind_manager, q->account, &bytes,
	    &me);
	/* It may have lost its rights while its password was verified. */
	if (found == 1 && !is_open(&me))
		found = 0;
	if (found == 1 && k == &kind_client)
		found = slice_eq(object_get(&me, "client"), slice_of(name));
	else if (found == 1 && (k == &kind_domain || k == &kind_removed ||
	    strcmp(k->space, "address") == 0))
		found = manages(q, &me, strchr(name, '@') != NULL ?
		    address_domain(name) : name);
	else if (found == 1)
		found = 0;
	str_wipe(&bytes);
	return found;
}

int
rights_see(struct request *q, const struct kind *k, const char *name)
{
	switch (q->role) {
	case ROLE_ROOT:
	case ROLE_ADMIN:
	case ROLE_AUTHD:
	case ROLE_HOOKS:
	case ROLE_QUEUED:
		return 1;
	case ROLE_MANAGER:
		return manager_sees(q, k, name);
	case ROLE_OWNER:
		return k == &kind_user && strcmp(name, q->account) == 0;
	default:
		return 0;
	}
}

enum registry_result
rights_scope(struct request *q, const struct kind *k, const char *name)
{
	int sees = rights_see(q, k, name);

	if (sees == -1)
		return say_failed(q);
	return sees == 1 ? REGISTRY_OK : say(q, REGISTRY_REFUSED,
	    "%s is not yours.", "%s n'est pas à vous.", name);
}

enum registry_result
rights_have(struct request *q, enum right right, const struct kind *k)
{
	static const char *const attributes[] = { NULL, NULL, "create",
		"change", "delete" };
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object me;

	if (q->role != ROLE_MANAGER || attributes[right] == NULL ||
	    k == &kind_manager || k == &kind_removed)
		return REGISTRY_OK;
	result = fetch(q, &kind_manager, q->account, &bytes, &me);
	if (result == REGISTRY_OK && (!is_open(&me) ||
	    !list_has(object_get(&me, attributes[right]), slice_of(k->name))))
		result = say(q, REGISTRY_REFUSED,
		    "You were not given the right \"%s\" for the kind \"%s\".",
		    "Le droit « %s » ne vous est pas donné pour le genre "
		    "« %s ».", attributes[right], k->name);
	str_wipe(&bytes);
	return result;
}

/* True when nothing but a new password is asked for. */
static bool
is_password_only(const struct request *q)
{
	if (q->op->act != op_user_passwd)
		return false;
	for (size_t i = 0; i < q->f.n; i++)
		if (kind_attribute(&kind_user, q->f.v[i].name) != -1)
			return false;
	return true;
}

/* Who must choose another password may do nothing else before. */
static enum registry_result
judge_must_change(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object me;

	if (q->role != ROLE_OWNER || is_password_only(q))
		return REGISTRY_OK;
	result = fetch(q, &kind_user, q->account, &bytes, &me);
	if (result == REGISTRY_OK && object_is(&me, "must-change", "yes"))
		result = say(q, REGISTRY_REFUSED,
		    "First choose another password: malle user passwd %s --own",
		    "Choisissez d'abord un autre mot de passe : malle user "
		    "passwd %s --own", q->account);
	str_wipe(&bytes);
	return result;
}

/* Inventory 2-03: the password was the right one. */
static enum registry_result
say_shut(struct request *q)
{
	return q->shut_since[0] != '\0' ? say(q, REGISTRY_REFUSED,
	    "The rights of %s ended on %.10s. Who administers (root, the group "
	    "\"%s\") can give them again.",
	    "Les droits de %s ont pris fin le %.10s. Qui administre (root, le "
	    "groupe « %s ») peut les redonner.", q->account, q->shut_since,
	    q->r->conf.admin_group) : say(q, REGISTRY_REFUSED,
	    "The account %s or its domain is suspended or disabled. Ask who "
	    "administers it.",
	    "Le compte %s ou son domaine est suspendu ou désactivé. "
	    "Adressez-vous à qui l'administre.", q->account);
}

enum registry_result
rights_judge(struct request *q)
{
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	if (q->is_shut)
		return say_shut(q);
	if (!(q->op->roles & q->role))
		return rights_refuse(q);
	if ((result = judge_must_change(q)) != REGISTRY_OK ||
	    (q->role == ROLE_OWNER &&
	    (result = grants_judge(q)) != REGISTRY_OK))
		return result;
	if (q->role & (ADMINS | ROLE_AUTHD | ROLE_HOOKS | ROLE_QUEUED) ||
	    q->op->kind == NULL)
		return REGISTRY_OK;
	result = rights_have(q, q->op->right, q->op->kind);
	if (result != REGISTRY_OK || q->op->needs == NULL)
		return result;
	if ((result = field_name(q, q->op->kind, name)) != REGISTRY_OK)
		return result;
	/* A new domain is nobody's yet: its creation judges that. */
	return q->op->kind == &kind_domain && q->op->right == RIGHT_CREATE ?
	    REGISTRY_OK : rights_scope(q, q->op->kind, name);
}

/* What the owner must have been granted, in out[GRANTS_TEXT_MAX]. */
static const char *
granted_for(const struct operation *op, char *out)
{
	unsigned mask = op->act == op_user_set ? grants_of_attributes() :
	    op->flags >> GRANT_SHIFT;

	grants_words(mask, ',', out);
	return mask == 0 ? "own" : out;
}

/* What the table says to a role that may do the operation. */
static const char *
word_for(const struct operation *op, unsigned role, char *space)
{
	static const char *const rights[] = { "all theirs", "theirs",
		"create", "change", "delete" };

	if (op->roles & ROLE_ANY)
		return "yes";
	if (op->flags & OP_CODE)
		return "code";
	if (role == ROLE_MANAGER)
		return rights[op->right];
	return role == ROLE_OWNER ? granted_for(op, space) : "yes";
}

void
rights_print(void)
{
	static const struct {
		unsigned role;
		const char *name;
		int width;
	} columns[] = {
		{ ROLE_ROOT, "root", 5 }, { ROLE_ADMIN, "admin", 5 },
		{ ROLE_MANAGER, "manager", 10 }, { ROLE_OWNER, "owner", 21 },
		{ ROLE_ANY, "anybody", 7 }, { ROLE_AUTHD, "authd", 5 },
		{ ROLE_HOOKS, "hooks", 5 }, { ROLE_QUEUED, "queued", 6 },
	};
	const size_t n = sizeof(columns) / sizeof(*columns);
	const struct operation *op;
	char space[GRANTS_TEXT_MAX];
	const char *word;

	printf("%-16s", "operation");
	for (size_t i = 0; i < n; i++)
		printf(" %-*s", columns[i].width, columns[i].name);
	for (op = operations; op->name != NULL; op++) {
		printf("\n%-16s", op->name);
		for (size_t i = 0; i < n; i++) {
			word = "-";
			if (op->roles & columns[i].role)
				word = word_for(op, columns[i].role, space);
			printf(" %-*s", columns[i].width, word);
		}
	}
	putchar('\n');
}
