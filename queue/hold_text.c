/* hold_text.c - what an account whose mail is held is told, pure. */
/* SPDX-License-Identifier: ISC */

/*
 * For people who do not know how mail works: what was exceeded, what is held,
 * until when, what to do. Both languages say the same in the same order.
 */

#include "queue/hold_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/date.h"
#include "lib/letter.h"
#include "lib/num.h"
#include "lib/zone.h"
#include "queue/outbound.h"

#define NB "\u00a0"	/* French puts it before : ; ! ? */
#define WHEN 64

/* clang-format off */
static const struct words {
	const char *subject;
	const char *messages, *recipients;	/* account, used, max */
	const char *held;			/* since */
	const char *until;			/* until */
	const char *yours;			/* account */
	const char *stranger;
	const char *once;			/* hostname */
	const char *first;			/* id */
	const char *date;
} french = {
	.subject = "Courrier retenu" NB ": limite d’envoi dépassée par %.*s",
	.messages = "L’adresse %.*s a envoyé %" PRIu64 " messages en une heure. Elle peut en envoyer %" PRIu64 " par heure.",
	.recipients = "L’adresse %.*s a écrit à %" PRIu64 " destinataires en une heure. Elle peut écrire à %" PRIu64 " destinataires par heure.",
	.held = "Ce qui est retenu" NB ": depuis le %s, les messages qu’elle envoie attendent sur notre serveur. Ils ne sont ni perdus ni remis. Le courrier qu’elle reçoit continue d’arriver.",
	.until = "Jusqu’à quand" NB ": si elle n’envoie plus rien d’ici là, ses nouveaux messages partiront comme d’habitude à partir du %s. Ceux qui sont déjà retenus attendent que l’administrateur les libère ou les supprime.",
	.yours = "Que faire, si ces envois sont voulus" NB ": prévenez l’administrateur. Il peut libérer ces messages (malle queue release --account %.*s --held) et relever la limite.",
	.stranger = "Que faire, si vous n’avez pas envoyé tout cela" NB ": quelqu’un d’autre connaît sans doute le mot de passe de cette adresse. Changez-le tout de suite, puis prévenez l’administrateur.",
	.once = "Il n’y aura pas d’autre avis tant que la limite reste dépassée. Celui-ci a été écrit automatiquement par le serveur de messagerie %s" NB "; il est inutile d’y répondre.",
	.first = "Premier message retenu" NB ": %s",
	.date = "%d/%m/%Y à %H:%M (UTC%z)",
}, english = {
	.subject = "Mail is held: %.*s has sent more than it may",
	.messages = "The address %.*s has sent %" PRIu64 " messages in an hour. It may send %" PRIu64 " an hour.",
	.recipients = "The address %.*s has written to %" PRIu64 " recipients in an hour. It may write to %" PRIu64 " recipients an hour.",
	.held = "What is held: since %s the messages that it sends wait on our server. They are neither lost nor delivered. The mail that it receives still arrives.",
	.until = "Until when: if it sends nothing more until then, its new messages leave as usual from %s on. Those that are held already wait until the administrator releases or deletes them.",
	.yours = "What to do, if you meant to send all that: tell the administrator, who can release these messages (malle queue release --account %.*s --held) and raise the limit.",
	.stranger = "What to do, if you did not send all that: somebody else probably knows the password of this address. Change it at once, then tell the administrator.",
	.once = "There will be no other notice as long as the limit stays exceeded. This one was written automatically by the mail server %s; there is no use in answering it.",
	.first = "First message that is held: %s",
	.date = "%d %B %Y at %H:%M (UTC%z)",
};
/* clang-format on */

bool
hold_reason_parse(struct slice text, struct hold_reason *out)
{
	struct slice word = slice_cut(&text, ' ');
	struct hold_reason r;

	if (!slice_eq(word, SLICE("outbound")) || text.p == NULL)
		return false;
	r.what = slice_cut(&text, ' ');
	if (num_parse(slice_cut(&text, ' '), 0, UINT64_MAX, &r.used) == -1 ||
	    num_parse(slice_cut(&text, ' '), 1, UINT32_MAX, &r.max) == -1 ||
	    text.p == NULL || text.len == 0)
		return false;
	r.account = text;
	*out = r;
	return true;
}

int64_t
hold_seconds(const struct hold_reason *why)
{
	uint64_t full = OUTBOUND_HOLD_FACTOR * why->max;
	uint64_t used = why->used < full ? why->used : full;

	return used < why->max ? 0 : (int64_t)(((used + 1 - why->max) * 3600 +
	    why->max - 1) / why->max);
}

static const char *
when(const struct hold_notice *n, const struct words *w, time_t t,
    char out[WHEN])
{
	return date_text(t, zone_clock(n->zone, t), w->date, out, WHEN);
}

/* The formats are those of the tables above: the same in both languages. */
static void
put_body(struct str *out, const struct words *w, const struct hold_notice *n)
{
	const struct hold_reason *why = &n->why;
	char time[WHEN];

	letter_greet(out, n->is_french);
	letter_paragraph(out, slice_eq(why->what, SLICE("messages")) ? w->messages :
	    w->recipients, SLICE_FMT(why->account), why->used, why->max);
	letter_paragraph(out, w->held, when(n, w, n->since, time));
	letter_paragraph(out, w->until, when(n, w, n->until, time));
	letter_paragraph(out, w->yours, SLICE_FMT(why->account));
	letter_paragraph(out, "%s", w->stranger);
	letter_paragraph(out, w->once, n->hostname);
	letter_paragraph(out, w->first, n->id);
}

void
hold_compose(struct str *out, const struct hold_notice *n)
{
	const struct words *w = n->is_french ? &french : &english;
	struct str body = STR_INIT(HOLD_TEXT_MAX / 2);
	char subject[512], id[512], date[DATE_MAX];
	struct letter l = { .hostname = n->hostname, .to = n->to,
		.cc = strcmp(n->to, n->postmaster) != 0 ? n->postmaster : NULL,
		.subject = subject, .message_id = id,
		.date = date_rfc5322_at(n->now, zone_clock(n->zone, n->now),
		date), .is_french = n->is_french };

	snprintf(subject, sizeof(subject), w->subject,
	    SLICE_FMT(n->why.account));
	/* Composed anew after a crash, it is the same letter. */
	snprintf(id, sizeof(id), "%s.held@%s", n->id, n->hostname);
	put_body(&body, w, n);
	letter_write(out, &l, str_slice(&body));
	str_free(&body);
}
