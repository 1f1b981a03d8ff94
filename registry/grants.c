/* grants.c - what the owner of a mailbox was granted to do with it. */
/* SPDX-License-Identifier: ISC */

/*
 * Two attributes, each taken from the mailbox, else from its domain, else from
 * the domain's customer: "owner-may", what is granted (none said: all), and
 * "owner-until", the last day of it. What an operation needs is in its row of
 * operations[], what an attribute needs in its row of the schema.
 */

#include "registry/grants.h"

#include <stdio.h>
#include <time.h>

#include "registry/valid.h"

/* clang-format off */
static const struct {
	unsigned bit;
	struct text what;
} grants[] = {
	{ GRANT_NAME,
	  { "change the name of the person", "changer le nom de la personne" } },
	{ GRANT_PASSWORD,
	  { "change the password", "changer le mot de passe" } },
	{ GRANT_FORWARD,
	  { "change where the mail goes", "changer où va le courrier" } },
	{ GRANT_VACATION,
	  { "change the answer of an absence",
	    "changer la réponse d'absence" } },
	{ GRANT_ALIAS_CREATE,
	  { "make aliases", "créer des alias" } },
	{ GRANT_ALIAS_DELETE,
	  { "delete aliases", "supprimer des alias" } },
	{ GRANT_BACKUP,
	  { "list and copy the mail from here",
	    "lister et copier le courrier par ce moyen" } },
	{ GRANT_RESTORE,
	  { "put mail back", "remettre du courrier" } },
	{ GRANT_REMOVE,
	  { "delete messages from here", "supprimer des messages par ce moyen" } },
};
/* clang-format on */

#define N_GRANTS (sizeof(grants) / sizeof(*grants))

/* One of mailbox, domain, customer: what it says, and which it is. */
struct said {
	const struct kind *kind;	/* NULL: nobody says anything */
	char name[ADDR_TEXT_MAX];
};

struct granted {
	unsigned mask;
	char until[DATE_MAX];
	struct said may, ends;
	bool must_change;
};

unsigned
grants_of_attributes(void)
{
	const struct attribute *a = kind_user.attributes;
	unsigned mask = 0;

	for (size_t i = 0; a[i].name != NULL; i++)
		if (a[i].flags & ATTR_OWNER)
			mask |= a[i].flags >> GRANT_SHIFT;
	return mask;
}

static void
note(struct said *s, const struct object *o)
{
	s->kind = o->kind;
	snprintf(s->name, sizeof(s->name), "%s", o->name);
}

/* What an object says and none before it has said. */
static void
hear(const struct object *o, struct granted *g)
{
	struct slice may = object_get(o, "owner-may");
	struct slice until = object_get(o, "owner-until");

	if (g->may.kind == NULL && may.p != NULL) {
		note(&g->may, o);
		/* What cannot be read grants nothing. */
		if (grants_mask(may, &g->mask) == -1)
			g->mask = 0;
	}
	if (g->ends.kind == NULL && until.p != NULL) {
		note(&g->ends, o);
		snprintf(g->until, sizeof(g->until), "%.*s", SLICE_FMT(until));
	}
}

/* 0, or -1 with errno. */
static int
find(struct request *q, const struct object *u, struct granted *g)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char client[ADDR_TEXT_MAX] = "";
	struct object o;
	int found;

	*g = (struct granted){ .mask = GRANT_ALL };
	g->must_change = object_is(u, "must-change", "yes");
	hear(u, g);
	found = registry_domain(q->r, address_domain(u->name), &bytes, &o);
	if (found == 1) {
		hear(&o, g);
		if (object_get(&o, "client").p != NULL &&
		    slice_to_cstr(object_get(&o, "client"), client,
		    sizeof(client)) == -1)
			client[0] = '\0';
	}
	if (found == 1 && client[0] != '\0' && (found = object_load(q->r->store,
	    &kind_client, client, &bytes, &o)) == 1)
		hear(&o, g);
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

static bool
is_over(const struct granted *g)
{
	return g->ends.kind != NULL &&
	    time_of_text(slice_of(g->until)) < time(NULL);
}

static const char *
kind_word(const struct request *q, const struct kind *k)
{
	if (k == &kind_user)
		return q->french ? "de la boîte" : "the mailbox";
	if (k == &kind_domain)
		return q->french ? "du domaine" : "the domain";
	return q->french ? "du client" : "the customer";
}

static enum registry_result
say_over(struct request *q, const struct granted *g)
{
	return say(q, REGISTRY_REFUSED,
	    "Your rights over this mailbox ended on %.10s (owner-until of %s "
	    "%s). Who manages %s can give them again, or root and the group "
	    "\"%s\".",
	    "Vos droits sur cette boîte ont pris fin le %.10s (owner-until %s "
	    "%s). Qui gère %s peut vous les redonner, ou root et le groupe "
	    "« %s ».", g->until, kind_word(q, g->ends.kind), g->ends.name,
	    address_domain(q->account), q->r->conf.admin_group);
}

static enum registry_result
say_withheld(struct request *q, const struct granted *g, unsigned lacks)
{
	char word[GRANTS_TEXT_MAX];
	size_t i = 0;

	while (i + 1 < N_GRANTS && !(lacks & grants[i].bit))
		i++;
	grants_words(grants[i].bit, ' ', word);
	return say(q, REGISTRY_REFUSED,
	    "You may not %s: the right \"%s\" is not granted to you (owner-may "
	    "of %s %s). Who manages %s can grant it, or root and the group "
	    "\"%s\".",
	    "Vous ne pouvez pas %s : le droit « %s » ne vous est pas donné "
	    "(owner-may %s %s). Qui gère %s peut le donner, ou root et le "
	    "groupe « %s ».", q->french ? grants[i].what.french :
	    grants[i].what.english, word,
	    kind_word(q, g->may.kind), g->may.name,
	    address_domain(q->account), q->r->conf.admin_group);
}

static enum registry_result
need(struct request *q, unsigned mask)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct granted g;
	struct object u;

	if (mask == 0)
		return REGISTRY_OK;
	result = fetch(q, &kind_user, q->account, &bytes, &u);
	if (result == REGISTRY_OK && find(q, &u, &g) == -1)
		result = say_failed(q);
	str_wipe(&bytes);
	if (result != REGISTRY_OK)
		return result;
	/* Who must choose another password must be able to. */
	if (g.must_change)
		mask &= ~GRANT_PASSWORD;
	if (mask != 0 && is_over(&g))
		return say_over(q, &g);
	return (mask & ~g.mask) == 0 ? REGISTRY_OK :
	    say_withheld(q, &g, mask & ~g.mask);
}

enum registry_result
grants_judge(struct request *q)
{
	struct slice want = field(q, "want");
	unsigned wanted;

	q->granted = q->op->flags >> GRANT_SHIFT;
	if (q->granted != 0 && want.p != NULL) {
		if (grants_mask(want, &wanted) == -1 ||
		    (wanted &= q->granted) == 0)
			return say(q, REGISTRY_INVALID,
			    "The field want names no right of this operation.",
			    "Le champ want ne nomme aucun droit de cette "
			    "opération.");
		q->granted = wanted;
	}
	return need(q, q->granted);
}

enum registry_result
grants_attribute(struct request *q, const struct attribute *a)
{
	return need(q, a->flags >> GRANT_SHIFT);
}

int
grants_row(struct request *q, const struct object *u,
    struct registry_fields *f, struct grants_text *text)
{
	struct granted g;

	if (find(q, u, &g) == -1)
		return -1;
	grants_words(is_over(&g) ? 0 : g.mask, ' ', text->words);
	snprintf(text->until, sizeof(text->until), "%s", g.until);
	registry_add(f, "granted", slice_of(text->words));
	if (g.until[0] != '\0')
		registry_add(f, "granted-until", slice_of(text->until));
	return 0;
}
