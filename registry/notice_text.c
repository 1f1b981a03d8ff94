/* notice_text.c - what the owner of a mailbox is told by mail, pure. */
/* SPDX-License-Identifier: ISC */

/*
 * For people who do not know how mail works: what has happened, what it means,
 * what to do. Both languages say the same in the same order; the dates are those
 * of the domain's clocks.
 */

#include "registry/notice_text.h"

#include <stdio.h>

#include "lib/date.h"
#include "lib/letter.h"

#define NB "\u00a0"	/* French puts it before : ; ! ? */
#define WHEN 64
#define WHO (ADDR_TEXT_MAX + 100)

/* clang-format off */
static const struct words {
	const char *changed_subject;		/* account */
	const char *changed;			/* account, when, who */
	const char *added_subject;		/* account */
	const char *added;			/* account, when, who, app */
	const char *root, *somebody, *manager;	/* uid; name */
	const char *where, *nowhere;		/* from */
	const char *meant;
	const char *look;			/* account */
	const char *stranger;			/* postmaster */
	const char *away_subject;		/* account */
	const char *away;			/* account, since */
	const char *back, *still;		/* account */
	const char *recovered_subject;		/* hostname */
	const char *recovered;			/* hostname, when */
	const char *code, *thief;
	const char *once;			/* hostname */
	const char *date;
} french = {
	.changed_subject = "Le mot de passe de %s a été changé",
	.changed = "Le mot de passe de la boîte %s a été changé le %s, non par vous mais par %s.",
	.added_subject = "Un mot de passe d’application de %s a été ajouté",
	.added = "La boîte %s a depuis le %s un mot de passe d’application de plus, ajouté non par vous mais par %s. Son nom" NB ": «" NB "%.*s" NB "».",
	.root = "l’administrateur du serveur (root)",
	.somebody = "un administrateur du serveur (utilisateur système n°" NB "%u)",
	.manager = "le gestionnaire %s",
	.where = "Depuis" NB ": %.*s",
	.nowhere = "Depuis" NB ": le serveur lui-même, ou un programme qui ne l’a pas dit.",
	.meant = "Si vous l’avez demandé" NB ": l’ancien mot de passe ne sert plus. Choisissez-en vous-même un nouveau, que personne d’autre ne connaisse.",
	.look = "Si vous l’avez demandé" NB ": il n’y a rien à faire. Pour voir les mots de passe d’application de votre boîte (malle user app-password list %s --own), et supprimer ceux qui ne servent pas (malle user app-password delete).",
	.stranger = "Si vous ne l’avez pas demandé" NB ": qui connaît ce mot de passe peut lire votre courrier et écrire en votre nom. Demandez des explications à %s.",
	.away_subject = "%s" NB ": votre absence dure toujours",
	.away = "La boîte %s répond depuis le %s que vous êtes absent, et cette absence n’a pas de fin.",
	.back = "Si vous êtes de retour" NB ": arrêtez la réponse d’absence (malle user set %s vacation=no).",
	.still = "Si vous êtes encore absent" NB ": il n’y a rien à faire. Donner une date de fin évite de l’oublier (malle user set %s vacation-end=AAAA-MM-JJ). Il n’y aura pas d’autre rappel pour cette absence.",
	.recovered_subject = "Le mot de passe de l’administrateur de %s a été remplacé",
	.recovered = "Le mot de passe de l’administrateur (admin) du serveur %s a été remplacé le %s, au moyen du code de sécurité.",
	.code = "Si c’est bien l’un de vous" NB ": l’ancien mot de passe et ce code ne servent plus. Gardez en lieu sûr le nouveau code, montré à ce moment-là" NB "; s’il ne l’a pas été, demandez-en un (malle manager code).",
	.thief = "Sinon, quelqu’un a eu ce code et administre le serveur" NB ": donnez à admin un autre mot de passe et un autre code depuis la machine elle-même (malle manager passwd admin, malle manager code), et voyez ce qu’il a changé (malle journal).",
	.once = "Cet avis a été écrit automatiquement par le serveur de messagerie %s" NB "; il est inutile d’y répondre.",
	.date = "%d/%m/%Y à %H:%M (UTC%z)",
}, english = {
	.changed_subject = "The password of %s was changed",
	.changed = "The password of the mailbox %s was changed on %s, not by you but by %s.",
	.added_subject = "An application password of %s was added",
	.added = "The mailbox %s has since %s one more application password, added not by you but by %s. Its name: “%.*s”.",
	.root = "the administrator of the server (root)",
	.somebody = "an administrator of the server (system user %u)",
	.manager = "the manager %s",
	.where = "From: %.*s",
	.nowhere = "From: the server itself, or a program that did not tell.",
	.meant = "If you asked for it: the old password is of no use any more. Choose another one yourself, that nobody else knows.",
	.look = "If you asked for it: there is nothing to do. To see the application passwords of your mailbox (malle user app-password list %s --own), and to delete those of no use (malle user app-password delete).",
	.stranger = "If you did not ask for it: who knows this password can read your mail and write in your name. Ask %s why.",
	.away_subject = "%s: your absence still goes on",
	.away = "The mailbox %s has answered since %s that you are away, and this absence has no end.",
	.back = "If you are back: stop the answer (malle user set %s vacation=no).",
	.still = "If you are still away: there is nothing to do. With an end it will not be forgotten (malle user set %s vacation-end=YYYY-MM-DD). There will be no other reminder of this absence.",
	.recovered_subject = "The password of the administrator of %s was replaced",
	.recovered = "The password of the administrator (admin) of the server %s was replaced on %s, by means of the security code.",
	.code = "If it was one of you: the old password and this code are of no use any more. Keep the new code, shown at that moment, in a safe place; if none was, ask for one (malle manager code).",
	.thief = "If not, somebody had this code and administers the server: give admin another password and another code from the machine itself (malle manager passwd admin, malle manager code), and see what was changed (malle journal).",
	.once = "This notice was written automatically by the mail server %s; there is no use in answering it.",
	.date = "%Y-%m-%d at %H:%M (UTC%z)",
};
/* clang-format on */

static const char *
when(const struct notice_text *n, const struct words *w, time_t t,
    char out[WHEN])
{
	return date_text(t, zone_east(&n->zone, t), w->date, out, WHEN);
}

/* The formats are those of the tables above: the same in both languages. */
static const char *
who(const struct notice_text *n, const struct words *w,
    char out[WHO])
{
	if (n->manager[0] != '\0')
		snprintf(out, WHO, w->manager, n->manager);
	else if (n->uid == 0)
		snprintf(out, WHO, "%s", w->root);
	else
		snprintf(out, WHO, w->somebody, (unsigned)n->uid);
	return out;
}

static void
put_where(struct str *out, const struct words *w, const struct notice_text *n)
{
	if (n->from.len > 0)
		letter_paragraph(out, w->where, SLICE_FMT(n->from));
	else
		letter_paragraph(out, "%s", w->nowhere);
}

static void
put_changed(struct str *out, const struct words *w,
    const struct notice_text *n)
{
	char time[WHEN], name[WHO];

	letter_paragraph(out, w->changed, n->to, when(n, w, n->now, time),
	    who(n, w, name));
	put_where(out, w, n);
	letter_paragraph(out, "%s", w->meant);
	letter_paragraph(out, w->stranger, n->postmaster);
}

static void
put_added(struct str *out, const struct words *w, const struct notice_text *n)
{
	char time[WHEN], name[WHO];

	letter_paragraph(out, w->added, n->to, when(n, w, n->now, time),
	    who(n, w, name), SLICE_FMT(n->app));
	put_where(out, w, n);
	letter_paragraph(out, w->look, n->to);
	letter_paragraph(out, w->stranger, n->postmaster);
}

static void
put_absence(struct str *out, const struct words *w,
    const struct notice_text *n)
{
	char time[WHEN];

	letter_paragraph(out, w->away, n->to, when(n, w, n->since, time));
	letter_paragraph(out, w->back, n->to);
	letter_paragraph(out, w->still, n->to);
}

static void
put_recovery(struct str *out, const struct words *w,
    const struct notice_text *n)
{
	char time[WHEN];

	letter_paragraph(out, w->recovered, n->hostname,
	    when(n, w, n->now, time));
	put_where(out, w, n);
	letter_paragraph(out, "%s", w->code);
	letter_paragraph(out, "%s", w->thief);
}

static void
put_body(struct str *out, const struct words *w, const struct notice_text *n)
{
	switch (n->kind) {
	case NOTICE_PASSWORD:
		put_changed(out, w, n);
		break;
	case NOTICE_APP:
		put_added(out, w, n);
		break;
	case NOTICE_ABSENCE:
		put_absence(out, w, n);
		break;
	case NOTICE_RECOVERY:
		put_recovery(out, w, n);
		break;
	}
}

void
notice_compose(struct str *out, const struct notice_text *n)
{
	const struct words *w = n->is_french ? &french : &english;
	struct str body = STR_INIT(NOTICE_TEXT_MAX / 2);
	char subject[512], id[512], date[DATE_MAX];
	struct letter l = { .hostname = n->hostname, .to = n->to,
		.subject = subject, .message_id = id,
		.date = date_rfc5322_at(n->now, zone_east(&n->zone, n->now),
		date), .is_french = n->is_french };

	switch (n->kind) {
	case NOTICE_PASSWORD:
		snprintf(subject, sizeof(subject), w->changed_subject, n->to);
		break;
	case NOTICE_APP:
		snprintf(subject, sizeof(subject), w->added_subject, n->to);
		break;
	case NOTICE_ABSENCE:
		snprintf(subject, sizeof(subject), w->away_subject, n->to);
		break;
	case NOTICE_RECOVERY:
		snprintf(subject, sizeof(subject), w->recovered_subject,
		    n->hostname);
		break;
	}
	snprintf(id, sizeof(id), "%s.notice@%s", n->key, n->hostname);
	letter_greet(&body, n->is_french);
	put_body(&body, w, n);
	letter_paragraph(&body, w->once, n->hostname);
	letter_write(out, &l, str_slice(&body));
	str_free(&body);
}
