/* warning_text.c - what the owner of a mailbox that fills up is told, pure. */
/* SPDX-License-Identifier: ISC */

/*
 * For people who do not know how mail works: how much is used, what will
 * happen, how to make room. Both languages say the same in the same order.
 */

#include "deliver/warning_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/date.h"
#include "lib/letter.h"

#define NB "\u00a0"	/* French puts it before : ; ! ? and units */
#define SIZE_TEXT 32

/* clang-format off */
static const struct words {
	const char *subject;
	const char *bytes;			/* account, used, max, percent */
	const char *messages;			/* account, used, "s" or "",
						 * max, percent */
	const char *then, *room, *client, *more;
	const char *once;			/* hostname */
	const char *units[4];
	char point;
} french = {
	.subject = "Votre boîte %s est presque pleine",
	.bytes = "La boîte %s occupe %s sur les %s qui lui sont accordés, soit %u" NB "%%.",
	.messages = "La boîte %s contient %" PRIu64 " message%s sur les %" PRIu64 " qu’elle peut contenir, soit %u" NB "%%.",
	.then = "Ce qui va se passer" NB ": quand elle sera pleine, les nouveaux messages seront refusés, et leurs expéditeurs en seront avertis. Rien de ce qu’elle contient n’est perdu.",
	.room = "Comment faire de la place" NB ": supprimez les messages dont vous n’avez plus besoin, d’abord ceux qui ont de grosses pièces jointes, dans tous les dossiers, puis videz la corbeille.",
	.client = "Si vous relevez votre courrier par POP3, les messages que vous supprimez sur votre ordinateur restent peut-être sur le serveur" NB ": dans les réglages du compte, n’y laissez pas de copie, ou pour quelques jours seulement.",
	.more = "Il vous faut plus de place" NB "? Demandez-le à l’administrateur de votre messagerie.",
	.once = "Il n’y aura pas d’autre avis tant que la boîte reste aussi pleine. Celui-ci a été écrit automatiquement par le serveur de messagerie %s" NB "; il est inutile d’y répondre.",
	.units = { "ko", "Mo", "Go", "To" },
	.point = ',',
}, english = {
	.subject = "Your mailbox %s is almost full",
	.bytes = "The mailbox %s holds %s of the %s that it may hold: %u%%.",
	.messages = "The mailbox %s has %" PRIu64 " message%s of the %" PRIu64 " that it may have: %u%%.",
	.then = "What will happen: when it is full, new messages will be refused, and their senders will be told. Nothing of what it holds is lost.",
	.room = "How to make room: delete the messages that you no longer need, those with large attachments first, in all folders, then empty the trash.",
	.client = "If you fetch your mail by POP3, messages that you delete on your computer may stay on the server: in the settings of the account, leave no copy there, or for a few days only.",
	.more = "Do you need more room? Ask the administrator of your mail.",
	.once = "There will be no other notice as long as the mailbox stays as full. This one was written automatically by the mail server %s; there is no use in answering it.",
	.units = { "kB", "MB", "GB", "TB" },
	.point = '.',
};
/* clang-format on */

/* "95.3 MB": one decimal, in the unit that leaves at most four digits. */
static const char *
size_text(const struct words *w, uint64_t bytes, char out[SIZE_TEXT])
{
	double v = (double)bytes / 1024;
	size_t unit = 0;
	char *point;

	/* 1023.95 would be printed as 1024.0. */
	for (; v >= 1023.95 && unit < 3; unit++)
		v /= 1024;
	snprintf(out, SIZE_TEXT, "%.1f" NB "%s", v, w->units[unit]);
	if ((point = strchr(out, '.')) != NULL)
		*point = w->point;
	return out;
}

static unsigned
percent(uint64_t used, uint64_t max)
{
	double v = (double)used * 100 / (double)max;

	return v < 10000 ? (unsigned)v : 10000;
}

/* The formats are those of the tables above: the same in both languages. */
static void
put_body(struct str *out, const struct words *w,
    const struct warning_notice *n)
{
	char used[SIZE_TEXT], max[SIZE_TEXT];

	letter_greet(out, w == &french);
	if (n->quota_bytes != 0)
		letter_paragraph(out, w->bytes, n->address,
		    size_text(w, n->bytes, used),
		    size_text(w, n->quota_bytes, max),
		    percent(n->bytes, n->quota_bytes));
	if (n->quota_messages != 0)
		letter_paragraph(out, w->messages, n->address, n->messages,
		    n->messages == 1 ? "" : "s", n->quota_messages,
		    percent(n->messages, n->quota_messages));
	letter_paragraph(out, "%s", w->then);
	letter_paragraph(out, "%s", w->room);
	letter_paragraph(out, "%s", w->client);
	letter_paragraph(out, "%s", w->more);
	letter_paragraph(out, w->once, n->hostname);
}

void
warning_compose(struct str *out, const struct warning_notice *n)
{
	bool is_french = strcmp(n->language, "fr") == 0;
	const struct words *w = is_french ? &french : &english;
	struct str body = STR_INIT(WARNING_TEXT_MAX / 2);
	char subject[512], id[512], date[DATE_MAX];
	struct letter l = { .hostname = n->hostname, .to = n->address,
		.subject = subject, .message_id = id,
		.date = date_rfc5322_at(n->when, n->east, date),
		.is_french = is_french };

	snprintf(subject, sizeof(subject), w->subject, n->address);
	/* Written anew after a crash, it is the same letter. */
	snprintf(id, sizeof(id), "%lld.quota.%s", (long long)n->when,
	    n->address);
	put_body(&body, w, n);
	letter_deliver(out, &l, str_slice(&body));
	str_free(&body);
}
