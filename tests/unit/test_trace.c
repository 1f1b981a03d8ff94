/* test_trace.c - lines of a log, found and told. */
/* SPDX-License-Identifier: ISC */

#include "tools/trace.h"

#include <stdlib.h>
#include <time.h>

#include "tests/unit/tap.h"
#include "tools/json.h"

#define AT "2026-11-21T22:35:01.123456Z malle-queued[4711] "

/* clang-format off */
static const struct {
	struct slice line;
	const char *want;	/* "id event key=value|...", NULL: not ours */
} parses[] = {
	{ SLICE(AT "i-1 done"), "i-1 done " },
	{ SLICE(AT "i-1 a b=c d=\"e f\" g=\"\""), "i-1 a b=c|d=e f|g=|" },
	{ SLICE("Nov 21 22:35:01 host malle-queued[4711]: - a b=c"), "- a b=c|" },
	{ SLICE("2026-11-21T22:35:01+01:00 host malle-x[1]: - a b=c"), "- a b=c|" },
	{ SLICE(AT "i-1 a b=\"never ends"), "i-1 a b=never ends|" },
	{ SLICE(AT "i-1 a words behind"), "i-1 a " },
	{ SLICE(AT "i-1 a b=c words d=e"), "i-1 a b=c|" },
	{ SLICE(AT "i-1"), NULL }, { SLICE(""), NULL }, { SLICE("]"), NULL },
	{ SLICE("x postfix/smtpd[1]: A: b"), NULL },
	{ SLICE("x malle-queued[1]no space"), NULL },
	{ SLICE("[malle]"), NULL }, { SLICE("malle-x[1]"), NULL },
};

static const struct {
	const char *line, *english, *french;
} tellings[] = {
	{ AT "i delivered to=bob@x.fr mailbox=bob@x.fr",
	  "bob@x.fr: delivered into the mailbox bob@x.fr",
	  "bob@x.fr : distribué dans la boîte bob@x.fr" },
	{ AT "i deferred to=bob@x.fr next=3725 dsn=4.2.2 text=full",
	  "bob@x.fr: not delivered yet: full (4.2.2); next attempt in 1 h 2 min",
	  "bob@x.fr : pas encore distribué : full (4.2.2) ; prochain essai dans "
	  "1 h 2 min" },
	{ AT "i delivered to=bob@x.fr delay=90061",
	  "bob@x.fr: delivered, 1 d 1 h after its arrival",
	  "bob@x.fr : distribué, 1 j 1 h après son arrivée" },
	{ AT "i delivered to=bob@x.fr delay=0",
	  "bob@x.fr: delivered, 0 s after its arrival",
	  "bob@x.fr : distribué, 0 s après son arrivée" },
	{ AT "i deferred to=bob@x.fr next=soon",
	  "bob@x.fr: not delivered yet; next attempt in soon",
	  "bob@x.fr : pas encore distribué ; prochain essai dans soon" },
	{ AT "i delivered to=bob@x.fr", "bob@x.fr: delivered",
	  "bob@x.fr : distribué" },
	{ AT "i bounced notice=j kind=delay",
	  "the sender was told (delay) by the notice j",
	  "l'expéditeur a été prévenu (retard) par l'avis j" },
	{ AT "i failed to=a@b text=\"\x1b[2J\xff caf\xc3\xa9\" dsn=5.1.1",
	  "a@b: failed for good: \\x1b[2J\\xff caf\xc3\xa9 (5.1.1)",
	  "a@b : échec définitif : \\x1b[2J\\xff caf\xc3\xa9 (5.1.1)" },
	{ AT "i recipient n=0 to=b@x.fr remote=y@z.fr by=b@x.fr",
	  "recipient b@x.fr: goes to another server (y@z.fr), forwarded by b@x.fr",
	  "destinataire b@x.fr : part vers un autre serveur (y@z.fr), renvoyé par "
	  "b@x.fr" },
	{ AT "i recipient n=0 to=no@x.fr mailbox=b@x.fr catch-all=x.fr",
	  "recipient no@x.fr: goes to the mailbox b@x.fr (no such name: by the "
	  "catch-all of x.fr)",
	  "destinataire no@x.fr : va dans la boîte b@x.fr (nom inexistant : par "
	  "l'adresse de capture de x.fr)" },
	{ AT "i catch-all-removed mailbox=b@x.fr days=30",
	  "removed from the mailbox b@x.fr, after a notice: what comes by a "
	  "catch-all is kept for 30 day(s)",
	  "supprimé de la boîte b@x.fr, après un avis : ce qui vient par une "
	  "adresse de capture est gardé 30 jour(s)" },
	{ AT "i left-out to=all@x.fr text=\"no <b@x.fr>\"",
	  "recipient all@x.fr: leads to an address that gets nothing: no <b@x.fr>",
	  "destinataire all@x.fr : mène à une adresse qui ne reçoit rien : no "
	  "<b@x.fr>" },
	{ AT "i unheard-of a=b c=\"\x07\"", "unheard-of a=b c=\\x07",
	  "unheard-of a=b c=\\x07" },
};

static const char log_text[] =
    AT "m1 accepted from=alice@x.fr recipients=2\n"
    AT "m2 accepted from=carol@x.fr recipients=1\n"
    AT "m1 recipient to=bob@x.fr\n"
    AT "m1 recipient to=dan@x.fr\n"
    AT "m2 recipient to=alice@x.fr\n"
    AT "m1 delivered to=bob@x.fr\n"
    AT "- reject stage=RCPT to=bob@x.fr code=550\n"
    AT "m1 failed to=dan@x.fr\n"
    AT "n1 accepted from=\"\" recipients=1\n"
    AT "n1 recipient to=alice@x.fr\n"
    AT "m1 bounced notice=n1 kind=failure\n"
    AT "m1 done\n"
    AT "n1 delivered to=alice@x.fr\n"
    AT "n1 done\n"
    AT "m2 delivered to=alice@x.fr\n"
    AT "m2 done\n"
    AT "m3 accepted from=eve@x.fr recipients=1\n"
    AT "m3 recipient n=0 to=one@x.fr mailbox=box@x.fr\n"
    AT "m3 recipient n=0 to=two@x.fr mailbox=box@x.fr\n"
    AT "m3 recipient n=1 to=three@x.fr mailbox=other@x.fr\n"
    AT "m3 delivered to=one@x.fr mailbox=box@x.fr\n"
    AT "m3 delivered to=three@x.fr mailbox=other@x.fr\n"
    AT "m3 done\n";

static const struct {
	const char *query;
	const char *stories;	/* "id lines" of each */
} searches[] = {
	{ "m1", "m1 7|n1 4|" },
	{ "n1", "n1 4|" },
	{ "m2", "m2 4|" },
	{ "bob@x.fr", "m1 5|- 1|n1 4|" },
	{ "BOB@X.FR", "m1 5|- 1|n1 4|" },
	{ "alice@x.fr", "m1 7|m2 4|n1 4|" },
	{ "dan@x.fr", "m1 5|n1 4|" },
	{ "one@x.fr", "m3 4|" }, { "two@x.fr", "m3 4|" },
	{ "three@x.fr", "m3 4|" }, { "box@x.fr", "m3 5|" },
	{ "m", "" }, { "ob@x.fr", "" }, { "x@y.fr", "" },
};
/* clang-format on */

static void
test_parse(void)
{
	char got[500];
	size_t n;

	for (size_t i = 0; i < sizeof(parses) / sizeof(*parses); i++) {
		struct trace_line l;
		int r = trace_parse(parses[i].line, &l);

		if (parses[i].want == NULL) {
			ok(r == -1, "not ours: row %zu", i);
			continue;
		}
		n = (size_t)snprintf(got, sizeof(got), "%.*s %.*s ",
		    SLICE_FMT(l.id), SLICE_FMT(l.event));
		for (size_t j = 0; j < l.n; j++)
			n += (size_t)snprintf(got + n, sizeof(got) - n,
			    "%.*s=%.*s|", SLICE_FMT(l.fields[j].key),
			    SLICE_FMT(l.fields[j].value));
		ok(r == 0 && strcmp(got, parses[i].want) == 0, "parse row %zu: "
		    "%s", i, got);
	}
}

static void
test_tell(void)
{
	for (size_t i = 0; i < sizeof(tellings) / sizeof(*tellings); i++) {
		for (int french = 0; french <= 1; french++) {
			const char *want = french ? tellings[i].french :
			    tellings[i].english;
			struct trace_line l;
			char *got = NULL;
			size_t len;
			FILE *f = open_memstream(&got, &len);

			ok(trace_parse(slice_of(tellings[i].line), &l) == 0,
			    "parsed");
			trace_tell_line(f, &l, french);
			fclose(f);
			ok(strcmp(got, want) == 0, "told: %s", got);
			free(got);
		}
	}
}

/* The time of whom it is told to, with its offset: 4-24. */
static void
test_time(void)
{
	static const struct { const char *zone, *time, *want; } times[] = {
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-21T22:35:01.123456Z",
		  "2026-11-21 23:35:01 +0100" },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-21T22:35:01Z",
		  "2026-07-22 00:35:01 +0200" },
		{ "<+0545>-5:45", "2026-11-21T22:35:01Z",
		  "2026-11-22 04:20:01 +0545" },
		{ "UTC0", "2026-11-21T22:35:01.1Z",
		  "2026-11-21 22:35:01 +0000" },
		/* Not UTC, and none at all: as it came. */
		{ "UTC0", "2026-11-21T22:35:01+01:00",
		  "2026-11-21T22:35:01+01:00" },
		{ "UTC0", "2026-11-21T22:35:01", "2026-11-21T22:35:01" },
		{ "UTC0", "2026-11-21T22:35:01.1ZZ", "2026-11-21T22:35:01.1ZZ" },
		{ "UTC0", "Nov 21 22:35:01", "Nov 21 22:35:01" },
		{ "UTC0", "\033[2J", "\\x1b[2J" },
		{ "UTC0", "", "" },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		char *got = NULL;
		size_t len;
		FILE *f = open_memstream(&got, &len);

		setenv("TZ", times[i].zone, 1);
		tzset();
		text_put_time(f, slice_of(times[i].time));
		fclose(f);
		ok(strcmp(got, times[i].want) == 0, "\"%s\" in %s: %s",
		    times[i].time, times[i].zone, got);
		free(got);
	}
}

/* Feeds the log in pieces of n bytes, as a file would come. */
static void
search(struct trace *t, const char *query, size_t piece)
{
	struct slice all = slice_of(log_text);
	size_t seen = 0;

	if (trace_begin(t, query) == -1)
		return;
	for (size_t len = piece; len < all.len + piece; len += piece)
		seen = trace_scan(t, slice_make(all.p,
		    len < all.len ? len : all.len), seen);
}

static void
test_search(void)
{
	static const size_t pieces[] = { 1, 7, 100, sizeof(log_text) };
	char got[500];
	struct trace t;

	for (size_t i = 0; i < sizeof(searches) / sizeof(*searches); i++) {
		for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
			size_t n = 0;

			search(&t, searches[i].query, pieces[p]);
			got[0] = '\0';
			for (size_t j = 0; j < t.n; j++)
				n += (size_t)snprintf(got + n, sizeof(got) - n,
				    "%s %zu|", t.stories[j].id,
				    t.stories[j].n);
			ok(strcmp(got, searches[i].stories) == 0,
			    "search %s by %zu: %s", searches[i].query,
			    pieces[p], got);
			trace_free(&t);
		}
	}
	ok(trace_begin(&t, "") == -1 && trace_begin(&t, "a b") == -1 &&
	    trace_begin(&t, "@x") == -1 && trace_begin(&t, "a@b@c") == -1,
	    "neither id nor address");
}

/* clang-format off */
static const struct {
	struct slice text;
	const char *want;
} jsons[] = {
	{ SLICE(""), "\"\"" }, { SLICE("a\"b\\c"), "\"a\\\"b\\\\c\"" },
	{ SLICE("\n\0\x7f"), "\"\\\\x0a\\\\x00\\\\x7f\"" },
	{ SLICE("caf\xc3\xa9 \xff"), "\"caf\xc3\xa9 \\\\xff\"" },
	{ SLICE("\xc2\x85\xe0\x80\x80\xed\xa0\x80\xf5"),
	  "\"\\\\xc2\\\\x85\\\\xe0\\\\x80\\\\x80\\\\xed\\\\xa0\\\\x80\\\\xf5\"" },
	{ SLICE("\xf0\x9f\x93\xae"), "\"\xf0\x9f\x93\xae\"" },
};
/* clang-format on */

static void
test_json(void)
{
	for (size_t i = 0; i < sizeof(jsons) / sizeof(*jsons); i++) {
		char *got = NULL;
		size_t len;
		FILE *f = open_memstream(&got, &len);

		json_put_string(f, jsons[i].text);
		fclose(f);
		ok(strcmp(got, jsons[i].want) == 0, "json row %zu: %s", i, got);
		free(got);
	}
}

int
main(void)
{
	test_parse();
	test_tell();
	test_time();
	test_search();
	test_json();
	return done();
}
