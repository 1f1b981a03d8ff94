/* trace_tell.c - tells the lines of a log in plain words, French or English. */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nothing in the log: control bytes and what is not UTF-8 are escaped
 * before they reach a terminal.
 */

#include <stdlib.h>

#include "lib/num.h"
#include "tools/json.h"
#include "tools/trace.h"

/*
 * How an event is told. {key} is the value of a field; "[...]" is told only
 * when every field named in it is there and not empty; "[-key ...]" only when
 * that field is not there or is empty. Events that are not here are told as
 * they stand in the log.
 */
struct phrase {
	const char *event;
	const char *english, *french;
};

/* clang-format off */
static const struct phrase phrases[] = {
	{ "accepted",
	  "accepted[ from {from}][-from  (a notice, without a sender)]"
	  "[, {size} bytes][, {recipients} recipient(s)]"
	  "[, submitted by {account}][, from {client}]",
	  "accepté[, expéditeur {from}][-from  (un avis, sans expéditeur)]"
	  "[, {size} octets][, {recipients} destinataire(s)]"
	  "[, remis par {account}][, depuis {client}]" },
	{ "recipient",
	  "recipient {to}[: goes to the mailbox {mailbox}]"
	  "[: goes to another server ({remote})][, forwarded by {by}]"
	  "[: may be answered by {answer}]"
	  "[: is thrown away, as {discard} wants it]"
	  "[ (no such name: by the catch-all of {catch-all})]",
	  "destinataire {to}[ : va dans la boîte {mailbox}]"
	  "[ : part vers un autre serveur ({remote})][, renvoyé par {by}]"
	  "[ : peut recevoir une réponse de {answer}]"
	  "[ : est jeté, comme {discard} le veut]"
	  "[ (nom inexistant : par l'adresse de capture de {catch-all})]" },
	{ "left-out",
	  "recipient {to}: leads to an address that gets nothing: {text}",
	  "destinataire {to} : mène à une adresse qui ne reçoit rien : "
	  "{text}" },
	{ "delivered",
	  "{to}: delivered[ into the mailbox {mailbox}][, {delay} after its "
	  "arrival]",
	  "{to} : distribué[ dans la boîte {mailbox}][, {delay} après son "
	  "arrivée]" },
	{ "catch-all-removed",
	  "removed from the mailbox {mailbox}, after a notice: what comes by a "
	  "catch-all is kept for {days} day(s)",
	  "supprimé de la boîte {mailbox}, après un avis : ce qui vient par une "
	  "adresse de capture est gardé {days} jour(s)" },
	{ "discarded",
	  "{to}: thrown away, as {discard} wants it",
	  "{to} : jeté, comme {discard} le veut" },
	{ "answered",
	  "{answer} has answered {to} by itself[, with the message {notice}]",
	  "{answer} a répondu de lui-même à {to}[, par le message {notice}]" },
	{ "not-answered",
	  "{answer} has not answered {to} by itself: {why}",
	  "{answer} n'a pas répondu de lui-même à {to} : {why}" },
	{ "sent",
	  "{to}: taken by the server {host}[ ({ip})][, over {tls}]"
	  "[-tls , without encryption][, {delay} after its arrival]"
	  "[; it said: {reply}]",
	  "{to} : pris par le serveur {host}[ ({ip})][, par {tls}]"
	  "[-tls , sans chiffrement][, {delay} après son arrivée]"
	  "[ ; il a dit : {reply}]" },
	{ "rerouted",
	  "{to}: [{host} ]refuses our address; it goes through {through} "
	  "instead[: {reason}]",
	  "{to} : [{host} ]refuse notre adresse ; le message passe par "
	  "{through}[ : {reason}]" },
	{ "deferred",
	  "{to}: not delivered yet[: {host} said][: {text}][ ({dsn})]"
	  "[; next attempt in {next}]",
	  "{to} : pas encore distribué[ : {host} a dit][ : {text}][ ({dsn})]"
	  "[ ; prochain essai dans {next}]" },
	{ "failed",
	  "{to}: failed for good[: {host} said][: {text}][ ({dsn})]",
	  "{to} : échec définitif[ : {host} a dit][ : {text}][ ({dsn})]" },
	{ "destination",
	  "the servers of {group}: {event}[, {cause}][ for {pause}]"
	  "[, through {through}][: {reason}]",
	  "les serveurs de {group} : {event}[, {cause}][ pour {pause}]"
	  "[, par {through}][ : {reason}]" },
	{ "bounced",
	  "the sender was told[ ({kind})][ by the notice {notice}]",
	  "l'expéditeur a été prévenu[ ({kind})][ par l'avis {notice}]" },
	{ "slowed",
	  "{account} has sent {used} {what} in an hour and may send {max}: "
	  "this one goes in {next}",
	  "{account} : {used} {what} en une heure, {max} sont permis ; celui-ci "
	  "part dans {next}" },
	{ "held",
	  "held[ by {by}][: {account} has sent {used} {what} in an hour and may "
	  "send {max}]; nothing is tried until it is released",
	  "retenu[ par {by}][ : {account} a envoyé {used} {what} en une heure, "
	  "{max} sont permis] ; rien n'est essayé avant sa libération" },
	{ "hold-told",
	  "its account was told[ by the notice {notice}]",
	  "son compte en a été prévenu[ par l'avis {notice}]" },
	{ "released",
	  "released[ by {by}]", "libéré[ par {by}]" },
	{ "retried",
	  "a new attempt was asked for[ by {by}]",
	  "un nouvel essai a été demandé[ par {by}]" },
	{ "deleted",
	  "deleted from the queue[ by {by}]: nobody else will get it",
	  "supprimé de la file[ par {by}] : personne d'autre ne le recevra" },
	{ "done",
	  "finished: nothing is left to do",
	  "terminé : il ne reste rien à faire" },
	{ "reject",
	  "refused at {stage}[: from {from}][ to {to}][ ({client})]"
	  "[: {code}][ {text}]",
	  "refusé à {stage}[ : de {from}][ pour {to}][ ({client})]"
	  "[ : {code}][ {text}]" },
	{ "refused",
	  "refused by the queue[: from {from}][: {text}][ ({dsn})]",
	  "refusé par la file[ : de {from}][ : {text}][ ({dsn})]" },
	{ "auth-failed",
	  "login refused[ for the account {account}][, from {client}]"
	  "[: {reason}]",
	  "connexion refusée[ au compte {account}][, depuis {client}]"
	  "[ : {reason}]" },
	{ "auth-ok",
	  "login of the account {account}[, from {client}]",
	  "connexion du compte {account}[, depuis {client}]" },
	{ "login",
	  "login to the mailbox {account}[, from {client}]",
	  "ouverture de la boîte {account}[, depuis {client}]" },
	{ "logout",
	  "end of the session of {account}[, {retrieved} message(s) read]"
	  "[, {deleted} deleted]",
	  "fin de la session de {account}[, {retrieved} message(s) lu(s)]"
	  "[, {deleted} supprimé(s)]" },
};
/* clang-format on */

/* "[" and what is behind it up to its "]": is it to be told? */
static bool
wants_part(struct slice part, const struct trace_line *l)
{
	struct slice rest = part, key;
	char name[32];

	if (part.len > 0 && part.p[0] == '-') {
		key = slice_skip(part, 1);
		key = slice_cut(&key, ' ');
		return slice_to_cstr(key, name, sizeof(name)) == 0 &&
		    trace_field(l, name).len == 0;
	}
	for (slice_cut(&rest, '{'); rest.p != NULL; slice_cut(&rest, '{')) {
		key = slice_cut(&rest, '}');
		if (slice_to_cstr(key, name, sizeof(name)) == -1 ||
		    trace_field(l, name).len == 0)
			return false;
	}
	return true;
}

/* Seconds as people count them: the two largest units. */
static void
put_duration(FILE *out, struct slice s, bool french)
{
	uint64_t n;

	if (num_parse(s, 0, UINT64_MAX, &n) == -1)
		text_put_escaped(out, s);
	else if (n < 60)
		fprintf(out, "%ju s", (uintmax_t)n);
	else if (n < 3600)
		fprintf(out, "%ju min %ju s", (uintmax_t)(n / 60),
		    (uintmax_t)(n % 60));
	else if (n < 86400)
		fprintf(out, "%ju h %ju min", (uintmax_t)(n / 3600),
		    (uintmax_t)(n / 60 % 60));
	else
		fprintf(out, french ? "%ju j %ju h" : "%ju d %ju h",
		    (uintmax_t)(n / 86400), (uintmax_t)(n / 3600 % 24));
}

/* Words of the log that are told in French. */
static struct slice
in_french(struct slice value)
{
	static const struct {
		struct slice english, french;
	} words[] = {
		{ SLICE("failure"), SLICE("échec") },
		{ SLICE("delay"), SLICE("retard") },
		{ SLICE("success"), SLICE("succès") },
		{ SLICE("messages"), SLICE("messages") },
		{ SLICE("recipients"), SLICE("destinataires") },
		{ SLICE("paused"), SLICE("en pause") },
		{ SLICE("slowed"), SLICE("ralenti") },
		{ SLICE("resumed"), SLICE("reprise") },
		{ SLICE("fallback"), SLICE("détour") },
		{ SLICE("unreachable"), SLICE("injoignable") },
		{ SLICE("lost"), SLICE("connexions rompues") },
		{ SLICE("slow-down"), SLICE("trop vite") },
		{ SLICE("blocked"), SLICE("adresse bloquée") },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (slice_eq(value, words[i].english))
			return words[i].french;
	return value;
}

/* Why there was no answer, in words; what is not known as it is. */
static struct slice
reason_text(struct slice why, bool french)
{
	/* clang-format off */
	static const struct {
		const char *word, *english, *french;
	} reasons[] = {
		{ "null-sender", "a message without a sender is never answered",
		  "on ne répond jamais à un message sans expéditeur" },
		{ "own-address", "it comes from the account itself",
		  "il vient du compte lui-même" },
		{ "robot-sender", "behind its sender there is a program",
		  "derrière l'expéditeur il y a un programme" },
		{ "list", "it comes from a mailing list",
		  "il vient d'une liste de diffusion" },
		{ "auto-submitted", "it is itself an automatic message",
		  "c'est lui-même un message automatique" },
		{ "precedence", "it is a mass mailing (Precedence)",
		  "c'est un envoi en nombre (Precedence)" },
		{ "suppressed", "its sender asks for no automatic answer",
		  "l'expéditeur ne veut pas de réponse automatique" },
		{ "loop", "it has been here before: it goes round in circles",
		  "il est déjà passé ici : il tourne en rond" },
		{ "report", "it is a report on another message",
		  "c'est un avis à propos d'un autre message" },
		{ "spam", "it is marked as spam",
		  "il est marqué comme indésirable" },
		{ "unverified", "nothing proves that its sender wrote it",
		  "rien ne prouve que l'expéditeur l'a écrit" },
		{ "not-addressed",
		  "none of its addresses is among the recipients in its header",
		  "aucune de ses adresses n'est parmi les destinataires de "
		  "l'en-tête" },
		{ "answered-before", "the sender has had this answer lately",
		  "l'expéditeur a déjà reçu cette réponse récemment" },
		{ "ceiling", "it has given too many answers within an hour",
		  "il a donné trop de réponses en une heure" },
		{ "ceiling-domain",
		  "it has given too many answers to that domain within an hour",
		  "il a donné trop de réponses à ce domaine en une heure" },
		{ "header-too-long", "the header of the message is too long",
		  "l'en-tête du message est trop long" },
		{ "too-long", "the answer would be too long",
		  "la réponse serait trop longue" },
		{ "not-set", "no answer is set any more",
		  "plus aucune réponse n'est prévue" },
		{ "not-now", "it is not the time of the absence",
		  "ce n'est pas la période de l'absence" },
		{ "account-off", "the account or its domain is not active",
		  "le compte ou son domaine n'est pas actif" },
		{ "refused", "nobody takes mail at the sender's address",
		  "personne ne prend de courrier à l'adresse de l'expéditeur" },
		{ "memory", "it cannot be written down who was answered",
		  "on ne peut pas noter à qui il a été répondu" },
		{ "message", "the message could not be read",
		  "le message n'a pas pu être lu" },
		{ "tables", "the accounts could not be read",
		  "les comptes n'ont pas pu être lus" },
		{ "queue", "the queue could not take the answer",
		  "la file n'a pas pu prendre la réponse" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (slice_eq(why, slice_of(reasons[i].word)))
			return slice_of(french ? reasons[i].french :
			    reasons[i].english);
	return why;
}

/* Text with its {key} replaced. */
static void
put_text(FILE *out, struct slice text, const struct trace_line *l, bool french)
{
	char name[32];
	struct slice key, value;

	while (text.p != NULL) {
		key = slice_cut(&text, '{');
		fwrite(key.p, 1, key.len, out);
		if (text.p == NULL)
			break;
		key = slice_cut(&text, '}');
		if (slice_to_cstr(key, name, sizeof(name)) == -1)
			continue;
		value = trace_field(l, name);
		if (slice_eq(key, SLICE("next")) ||
		    slice_eq(key, SLICE("pause")) ||
		    slice_eq(key, SLICE("delay")))
			put_duration(out, value, french);
		else if (slice_eq(key, SLICE("why")))
			text_put_escaped(out, reason_text(value, french));
		else
			text_put_escaped(out, french &&
			    (slice_eq(key, SLICE("kind")) ||
			    slice_eq(key, SLICE("event")) ||
			    slice_eq(key, SLICE("cause"))) ?
			    in_french(value) : value);
	}
}

static void
put_phrase(FILE *out, const char *phrase, const struct trace_line *l,
    bool french)
{
	struct slice rest = slice_of(phrase), part;

	while (rest.p != NULL) {
		put_text(out, slice_cut(&rest, '['), l, french);
		if (rest.p == NULL)
			break;
		part = slice_cut(&rest, ']');
		if (!wants_part(part, l))
			continue;
		if (part.len > 0 && part.p[0] == '-')
			slice_cut(&part, ' ');
		put_text(out, part, l, french);
	}
}

void
trace_tell_line(FILE *out, const struct trace_line *l, bool french)
{
	const struct phrase *p;

	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++) {
		p = &phrases[i];
		if (slice_eq(l->event, slice_of(p->event))) {
			put_phrase(out, french ? p->french : p->english, l,
			    french);
			return;
		}
	}
	text_put_escaped(out, l->event);
	for (size_t i = 0; i < l->n; i++) {
		putc(' ', out);
		text_put_escaped(out, l->fields[i].key);
		putc('=', out);
		text_put_escaped(out, l->fields[i].value);
	}
}

static bool
is_event(const struct trace_line *l, const char *event)
{
	return slice_eq(l->event, slice_of(event));
}

static void
put_heading(FILE *out, const struct trace_story *s, bool french)
{
	if (strcmp(s->id, "-") == 0) {
		fputs(french ? "Sans message" : "Without a message", out);
	} else {
		fputs("Message ", out);
		text_put_escaped(out, slice_of(s->id));
	}
	if (s->notice_of != NULL) {
		fputs(french ? " (avis à propos de " : " (notice about ", out);
		text_put_escaped(out, slice_of(s->notice_of));
		putc(')', out);
	}
	putc('\n', out);
}

/* What a story lacks: its beginning, or its end. */
struct ends {
	bool accepted, finished;
	size_t logins;		/* that went well: only counted */
};

static bool
is_login(const struct trace_line *l)
{
	return is_event(l, "login") || is_event(l, "logout") ||
	    is_event(l, "auth-ok") || is_event(l, "auth");
}

static void
put_ends(FILE *out, const struct trace_story *s, const struct ends *e,
    bool french)
{
	if (strcmp(s->id, "-") == 0) {
		if (e->logins > 0)
			fprintf(out, french ? "  et %zu ligne(s) de connexions "
			    "réussies (--json les montre)\n" : "  and %zu "
			    "line(s) of logins that went well (--json shows "
			    "them)\n", e->logins);
		return;
	}
	if (!e->accepted)
		fputs(french ? "  (son début est dans un journal plus ancien)\n" :
		    "  (its beginning is in an older log)\n", out);
	if (!e->finished)
		fputs(french ? "  Pas terminé : le message est encore dans la "
		    "file.\n" : "  Not finished: the message is still in the "
		    "queue.\n", out);
}

static size_t
tell_story(FILE *out, const struct trace_story *s, bool french)
{
	struct ends e = { false, false, 0 };
	struct trace_line l;
	size_t told = 0;

	put_heading(out, s, french);
	for (size_t i = 0; i < s->n; i++) {
		if (trace_parse(slice_of(s->lines[i]), &l) == -1)
			continue;
		e.accepted |= is_event(&l, "accepted");
		e.finished |= is_event(&l, "done") || is_event(&l, "deleted");
		told++;
		if (is_login(&l)) {
			e.logins++;
			continue;
		}
		fputs("  ", out);
		text_put_time(out, l.time);
		fputs("  ", out);
		trace_tell_line(out, &l, french);
		putc('\n', out);
	}
	put_ends(out, s, &e, french);
	return told;
}

/* A notice is told behind its message, not in its own place. */
static size_t
tell_with_notices(FILE *out, const struct trace *t, const struct trace_story *s,
    size_t (*tell)(FILE *, const struct trace_story *, bool), bool french)
{
	size_t told = tell(out, s, french);

	if (!s->has_notice)
		return told;
	for (const struct trace_story *n = s + 1; n < t->stories + t->n; n++)
		if (n->notice_of != NULL && strcmp(n->notice_of, s->id) == 0)
			told += tell(out, n, french);
	return told;
}

static size_t
tell_all(FILE *out, const struct trace *t,
    size_t (*tell)(FILE *, const struct trace_story *, bool), bool french)
{
	size_t told = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->stories[i].notice_of == NULL)
			told += tell_with_notices(out, t, &t->stories[i], tell,
			    french);
	return told;
}

size_t
trace_tell(FILE *out, const struct trace *t, bool french)
{
	return tell_all(out, t, tell_story, french);
}

static void
put_json_field(FILE *out, struct slice key, struct slice value, bool *first)
{
	putc(*first ? '{' : ',', out);
	*first = false;
	json_put_string(out, key);
	putc(':', out);
	json_put_string(out, value);
}

/* The line in words, as one more field. */
static void
put_json_words(FILE *out, const struct trace_line *l, bool french, bool *first)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (memory == NULL)
		return;
	trace_tell_line(memory, l, french);
	if (fclose(memory) == 0)
		put_json_field(out, SLICE("says"), slice_make(text, len), first);
	free(text);
}

static size_t
tell_story_json(FILE *out, const struct trace_story *s, bool french)
{
	struct trace_line l;
	size_t told = 0;
	bool first;

	for (size_t i = 0; i < s->n; i++) {
		if (trace_parse(slice_of(s->lines[i]), &l) == -1)
			continue;
		first = true;
		put_json_field(out, SLICE("time"), l.time, &first);
		put_json_field(out, SLICE("program"), l.program, &first);
		put_json_field(out, SLICE("id"), l.id, &first);
		put_json_field(out, SLICE("event"), l.event, &first);
		if (s->notice_of != NULL)
			put_json_field(out, SLICE("notice_of"),
			    slice_of(s->notice_of), &first);
		put_json_words(out, &l, french, &first);
		fputs(",\"fields\":", out);
		first = true;
		for (size_t j = 0; j < l.n; j++)
			put_json_field(out, l.fields[j].key,
			    l.fields[j].value, &first);
		fputs(first ? "{}}\n" : "}}\n", out);
		told++;
	}
	return told;
}

size_t
trace_tell_json(FILE *out, const struct trace *t, bool french)
{
	return tell_all(out, t, tell_story_json, french);
}
