/* strays_text.c - what is told of mail that will be removed, pure. */
/* SPDX-License-Identifier: ISC */

/*
 * For people who do not know how mail works: what will happen and when, to
 * which mail it will not, how to keep it. Both languages say the same in the
 * same order.
 */

#include "mailbox/strays_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/date.h"
#include "lib/letter.h"
#include "lib/zone.h"

#define NB "\u00a0"	/* French puts it before : ; ! ? */
#define DAY_TEXT 32

/* clang-format off */
static const struct words {
	const char *subject;			/* account */
	const char *why;			/* account, days, "s" or "" */
	const char *what;			/* messages, day */
	const char *others, *keep, *longer;
	const char *once;			/* hostname */
	const char *date;
} french = {
	.subject = "%s" NB ": d’anciens messages vont être supprimés",
	.why = "La boîte %s reçoit aussi le courrier adressé à des noms qui n’existent pas (c’est une adresse de capture). Ce courrier-là, s’il reste dans la boîte de réception, n’est gardé que %u" NB "jour%s.",
	.what = "Nombre de messages arrivés ainsi qui auront dépassé cette durée" NB ": %" PRIu64 ". Ils seront supprimés à partir du %s, sans autre avis.",
	.others = "Ce qui n’est pas concerné" NB ": le courrier adressé à la boîte elle-même, à ses alias et à ses sous-adresses, et tout ce que vous avez rangé dans un autre dossier.",
	.keep = "Pour garder ces messages" NB ": relevez-les avec votre logiciel de courrier, ou déplacez-les dans un autre dossier, avant cette date.",
	.longer = "Pour que ce courrier soit gardé plus longtemps, ou toujours" NB ": demandez-le à l’administrateur de votre messagerie (c’est le réglage catch_all_days).",
	.once = "Cet avis a été écrit automatiquement par le serveur de messagerie %s" NB "; il est inutile d’y répondre.",
	.date = "%d/%m/%Y",
}, english = {
	.subject = "%s: old messages are going to be removed",
	.why = "The mailbox %s also gets the mail to names that do not exist (it is a catch-all). Such mail, if it stays in the inbox, is kept for %u day%s only.",
	.what = "Number of messages that came this way and will have been there for longer: %" PRIu64 ". They will be removed from %s on, without another notice.",
	.others = "What this does not concern: the mail to the mailbox itself, to its aliases and its sub-addresses, and all that you have put into another folder.",
	.keep = "To keep these messages: fetch them with your mail program, or move them into another folder, before that day.",
	.longer = "To have such mail kept for longer, or for ever: ask the administrator of your mail (it is the setting catch_all_days).",
	.once = "This notice was written automatically by the mail server %s; there is no use in answering it.",
	.date = "%Y-%m-%d",
};
/* clang-format on */

/* The formats are those of the tables above: the same in both languages. */
static void
put_body(struct str *out, const struct words *w,
    const struct strays_notice *n)
{
	char from[DAY_TEXT];

	letter_greet(out, n->is_french);
	letter_paragraph(out, w->why, n->address, n->days,
	    n->days > 1 ? "s" : "");
	letter_paragraph(out, w->what, n->messages,
	    date_text(n->from, zone_clock(n->zone, n->from), w->date, from,
	    sizeof(from)));
	letter_paragraph(out, "%s", w->others);
	letter_paragraph(out, "%s", w->keep);
	letter_paragraph(out, "%s", w->longer);
	letter_paragraph(out, w->once, n->hostname);
}

void
strays_compose(struct str *out, const struct strays_notice *n)
{
	const struct words *w = n->is_french ? &french : &english;
	struct str body = STR_INIT(STRAYS_TEXT_MAX / 2);
	char subject[512], id[512], date[DATE_MAX];
	struct letter l = { .hostname = n->hostname, .to = n->address,
		.subject = subject, .message_id = id,
		.date = date_rfc5322_at(n->told, zone_clock(n->zone, n->told),
		date), .is_french = n->is_french };

	snprintf(subject, sizeof(subject), w->subject, n->address);
	snprintf(id, sizeof(id), "%lld.catchall.%s", (long long)n->told,
	    n->address);
	put_body(&body, w, n);
	letter_deliver(out, &l, str_slice(&body));
	str_free(&body);
}
