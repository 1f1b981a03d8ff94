/* cmd_queue.c - malle queue: what waits, why, and what to do with it. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/num.h"
#include "lib/str.h"
#include "queue/filter.h"
#include "tools/json.h"
#include "tools/malle.h"

#define FIELDS_MAX 64
#define ANSWER_SECONDS 120

/* The text in the caller's language. */
#define T(m, en, fr) ((m)->french ? (fr) : (en))

struct fields {
	struct { struct slice key, value; } v[FIELDS_MAX];
	size_t n;
};

/* One request with all of its answer. */
struct call {
	struct malle *m;
	const struct verb *verb;
	int fd;
	bool is_first;		/* of a message that is shown */
};

struct verb {
	const char *name;
	uint16_t type;
	bool changes;		/* wants to be told of which messages */
	void (*row)(struct call *c, const struct fields *f);
	const char *done[2];	/* "%u messages ..." */
};

static struct slice
field(const struct fields *f, const char *key)
{
	for (size_t i = 0; i < f->n; i++)
		if (slice_eq(f->v[i].key, slice_of(key)))
			return f->v[i].value;
	return SLICE_EMPTY;
}

/* Values that are numbers in JSON. */
static bool
is_number(struct slice key, struct slice value)
{
	static const char *const texts[] = {
		"id", "sender", "recipient", "to", "mailbox", "remote",
		"account", "client", "session", "envid", "about", "text",
		"dsn", "destination", "host", "state", "reason"
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (slice_eq(key, slice_of(texts[i])))
			return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
	return value.len > 0;
}

static void
put_json(const struct fields *f)
{
	putchar('{');
	for (size_t i = 0; i < f->n; i++) {
		if (i > 0)
			fputs(", ", stdout);
		json_put_string(stdout, f->v[i].key);
		fputs(": ", stdout);
		if (is_number(f->v[i].key, f->v[i].value))
			printf("%.*s", SLICE_FMT(f->v[i].value));
		else
			json_put_string(stdout, f->v[i].value);
	}
	fputs("}\n", stdout);
}

/* "3d 4h", "12m", "45s": the two largest units. */
static void
put_age(struct slice value)
{
	uint64_t s = 0;

	if (num_parse(value, 0, UINT64_MAX, &s) == -1)
		return;
	if (s >= 86400)
		printf("%" PRIu64 "d %" PRIu64 "h", s / 86400,
		    s % 86400 / 3600);
	else if (s >= 3600)
		printf("%" PRIu64 "h %" PRIu64 "m", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		printf("%" PRIu64 "m", s / 60);
	else
		printf("%" PRIu64 "s", s);
}

static void
put(struct slice s)
{
	text_put_escaped(stdout, s);
}

static const char *
state_word(const struct malle *m, struct slice state)
{
	if (slice_eq(state, SLICE("held")))
		return T(m, "held", "retenu");
	if (slice_eq(state, SLICE("active")))
		return T(m, "being delivered", "en cours de remise");
	if (slice_eq(state, SLICE("delivered")))
		return T(m, "delivered", "remis");
	if (slice_eq(state, SLICE("failed")))
		return T(m, "failed", "échec");
	if (slice_eq(state, SLICE("deleted")))
		return T(m, "deleted", "supprimé");
	return T(m, "waiting", "en attente");
}

/* Why a message is held: malle-queue(5). */
static void
put_reason(const struct malle *m, struct slice reason)
{
	struct slice rest = reason, word = slice_cut(&rest, ' ');
	struct slice what, used, max;

	if (reason.len == 0)
		return;
	fputs("    ", stdout);
	if (!slice_eq(word, SLICE("outbound")) || rest.p == NULL) {
		fputs(T(m, "held by ", "retenu par "), stdout);
		put(reason);
		putchar('\n');
		return;
	}
	what = slice_cut(&rest, ' ');
	used = slice_cut(&rest, ' ');
	max = slice_cut(&rest, ' ');
	put(rest.p != NULL ? rest : SLICE_EMPTY);
	printf(slice_eq(what, SLICE("messages")) ?
	    T(m, " has sent %.*s messages in an hour and may send %.*s\n",
	    " a envoyé %.*s messages en une heure et peut en envoyer %.*s\n") :
	    T(m, " has sent to %.*s recipients in an hour and may send to "
	    "%.*s\n", " a écrit à %.*s destinataires en une heure et peut écrire "
	    "à %.*s\n"), SLICE_FMT(used), SLICE_FMT(max));
}

static void
row_list(struct call *c, const struct fields *f)
{
	struct slice sender = field(f, "sender");
	struct slice n = field(f, "recipients");

	put(field(f, "id"));
	printf("  %s, ", state_word(c->m, field(f, "state")));
	put_age(field(f, "age"));
	fputs(", ", stdout);
	put(field(f, "size"));
	fputs(T(c->m, " bytes: ", " octets : "), stdout);
	if (sender.len > 0)
		put(sender);
	else
		fputs("<>", stdout);
	fputs(" -> ", stdout);
	put(field(f, "recipient"));
	if (!slice_eq(n, SLICE("1"))) {
		fputs(" (", stdout);
		put(n);
		fputs(T(c->m, " recipients)", " destinataires)"), stdout);
	}
	putchar('\n');
	put_reason(c->m, field(f, "reason"));
}

static void
put_line(const char *label, struct slice value)
{
	if (value.len == 0)
		return;
	printf("  %-12s ", label);
	put(value);
	putchar('\n');
}

static void
show_recipient(struct call *c, const struct fields *f)
{
	static const char *const kinds[] = { "mailbox", "remote", "answer",
		"discard" };
	struct slice to = SLICE_EMPTY, text = field(f, "text");

	for (size_t i = 0; to.len == 0 && i < sizeof(kinds) / sizeof(*kinds);
	    i++)
		to = field(f, kinds[i]);
	fputs("  ", stdout);
	put(field(f, "to"));
	if (!slice_eq(to, field(f, "to"))) {
		fputs(" -> ", stdout);
		put(to);
	}
	printf(": %s", state_word(c->m, field(f, "status")));
	if (slice_eq(field(f, "status"), SLICE("waiting"))) {
		printf(T(c->m, ", attempts: %.*s, next in ",
		    ", essais : %.*s, prochain dans "),
		    SLICE_FMT(field(f, "attempts")));
		put_age(field(f, "next"));
	}
	putchar('\n');
	if (text.len > 0) {
		fputs("    ", stdout);
		put(field(f, "dsn"));
		putchar(' ');
		put(text);
		putchar('\n');
	}
}

static void
row_show(struct call *c, const struct fields *f)
{
	if (!c->is_first) {
		show_recipient(c, f);
		return;
	}
	c->is_first = false;
	row_list(c, f);
	printf("  %-12s ", T(c->m, "arrived", "arrivé"));
	text_put_time(stdout, field(f, "arrival"));
	putchar('\n');
	put_line(T(c->m, "lane", "file"), field(f, "lane"));
	put_line(T(c->m, "account", "compte"), field(f, "account"));
	put_line(T(c->m, "client", "client"), field(f, "client"));
	put_line(T(c->m, "session", "session"), field(f, "session"));
	put_line("ENVID", field(f, "envid"));
	put_line(T(c->m, "notice about", "avis sur"), field(f, "about"));
}

static const char *
destination_word(const struct malle *m, struct slice state)
{
	if (slice_eq(state, SLICE("paused")))
		return T(m, "paused", "en pause");
	if (slice_eq(state, SLICE("slow")))
		return T(m, "slowly", "lentement");
	if (slice_eq(state, SLICE("fallback")))
		return T(m, "through the smarthost", "par le relais");
	return T(m, "open", "ouvert");
}

/* A destination: what waits, how fast it goes, what was answered last. */
static void
put_destination(struct call *c, const struct fields *f, bool is_remote)
{
	put(field(f, "destination"));
	printf(T(c->m, ": %.*s waiting, %.*s being sent",
	    " : %.*s en attente, %.*s en cours"),
	    SLICE_FMT(field(f, "waiting")), SLICE_FMT(field(f, "running")));
	if (is_remote) {
		printf(T(c->m, ", %.*s of %.*s connections, %.*s a minute, %s",
		    ", %.*s connexions sur %.*s, %.*s par minute, %s"),
		    SLICE_FMT(field(f, "connections")),
		    SLICE_FMT(field(f, "allowed")),
		    SLICE_FMT(field(f, "rate")),
		    destination_word(c->m, field(f, "state")));
		if (!slice_eq(field(f, "next"), SLICE("0"))) {
			fputs(T(c->m, ", next in ", ", suite dans "), stdout);
			put_age(field(f, "next"));
		}
	}
	putchar('\n');
	if (field(f, "text").len == 0)
		return;
	fputs("    ", stdout);
	if (field(f, "host").len > 0) {
		put(field(f, "host"));
		fputs(": ", stdout);
	}
	put(field(f, "text"));
	putchar('\n');
}

static void
row_stat(struct call *c, const struct fields *f)
{
	if (field(f, "destination").len > 0) {
		put_destination(c, f, slice_eq(field(f, "kind"),
		    SLICE("remote")));
		return;
	}
	for (size_t i = 0; i < f->n; i++) {
		if (i > 0)
			fputs("  ", stdout);
		put(f->v[i].key);
		putchar('=');
		put(f->v[i].value);
	}
	putchar('\n');
}

static const struct verb verbs[] = {
	{ "list", Q_LIST, false, row_list, { NULL, NULL } },
	{ "show", Q_SHOW, false, row_show, { NULL, NULL } },
	{ "hold", Q_HOLD, true, NULL,
	  { "%u messages held\n", "%u messages retenus\n" } },
	{ "release", Q_RELEASE, true, NULL,
	  { "%u messages released\n", "%u messages libérés\n" } },
	{ "retry", Q_RETRY, true, NULL,
	  { "%u messages tried now\n", "%u messages essayés maintenant\n" } },
	{ "delete", Q_DELETE, true, NULL,
	  { "%u messages deleted\n", "%u messages supprimés\n" } },
	{ "stat", Q_STAT, false, row_stat, { NULL, NULL } },
};

static int
usage(const struct malle *m, FILE *out)
{
	fputs(T(m,
	    "usage: malle queue list|stat [FILTER ...] [--json]\n"
	    "       malle queue show ID ... [--json]\n"
	    "       malle queue hold|release|retry|delete ID ... | FILTER ... "
	    "| --all\n"
	    "filters: --sender ADDRESS, --recipient ADDRESS, --account ACCOUNT "
	    "(\"*\" is anything), --older-than TIME, --held\n",
	    "usage : malle queue list|stat [FILTRE ...] [--json]\n"
	    "        malle queue show ID ... [--json]\n"
	    "        malle queue hold|release|retry|delete ID ... | FILTRE ... "
	    "| --all\n"
	    "filtres : --sender ADRESSE, --recipient ADRESSE, --account COMPTE "
	    "(« * » vaut tout), --older-than DURÉE, --held\n"), out);
	return out == stdout ? EX_OK : EX_USAGE;
}

static int
unpack_row(struct unpacker *u, struct fields *f)
{
	size_t n = unpack_u16(u);

	f->n = 0;
	if (n > FIELDS_MAX)
		return -1;
	for (; f->n < n; f->n++) {
		f->v[f->n].key = unpack_text(u, 64);
		f->v[f->n].value = unpack_bytes(u, IPC_MAX);
	}
	return unpack_end(u) ? 0 : -1;
}

static int
lost(const struct call *c)
{
	/* Whoever may not ask is cut off. */
	fprintf(stderr, T(c->m, "malle: the queue has closed the connection: "
	    "only root and the members of the group \"%s\" may ask\n",
	    "malle : la file d'attente a fermé la connexion : seuls root et les "
	    "membres du groupe « %s » peuvent demander\n"),
	    c->m->conf.admin_group);
	return EX_NOPERM;
}

static int
take_end(const struct call *c, struct unpacker *u)
{
	uint8_t result = unpack_u8(u);
	uint32_t touched = unpack_u32(u);
	struct slice text = unpack_bytes(u, QUEUE_TEXT_MAX);

	if (!unpack_end(u))
		return lost(c);
	if (result != QUEUE_OK) {
		fprintf(stderr, "malle: %.*s\n", SLICE_FMT(text));
		return result == QUEUE_TEMPORARY ? EX_TEMPFAIL : EX_DATAERR;
	}
	if (c->verb->changes && c->m->json)
		printf("{\"touched\": %u}\n", touched);
	else if (c->verb->changes)
		printf(c->verb->done[c->m->french ? 1 : 0], touched);
	return EX_OK;
}

static int
call(struct call *c, const struct queue_filter *filter)
{
	static unsigned char space[IPC_MAX];
	struct fields f;
	struct packer k;
	struct ipc_msg msg;

	pack_init(&k, space, sizeof(space));
	queue_filter_pack(&k, filter);
	c->is_first = true;
	if (ipc_send(c->fd, c->verb->type, &k, NULL, 0) == -1)
		return lost(c);
	for (;;) {
		if (ipc_recv(c->fd, space, &msg) != 1)
			return lost(c);
		ipc_close_fds(&msg);
		if (msg.type == Q_END)
			return take_end(c, &msg.body);
		if (msg.type != Q_ROW || unpack_row(&msg.body, &f) == -1)
			return lost(c);
		if (c->m->json)
			put_json(&f);
		else if (c->verb->row != NULL)
			c->verb->row(c, &f);
	}
}

/* An id, or an address or pattern of a filter. Nothing at all, as a script's
 * variable without a value, would stand for every message. 0, or -1 with the
 * reason told. */
static int
take_text(const struct malle *m, const char *value, char *out, size_t cap)
{
	if (*value == '\0')
		fputs(T(m, "malle queue: an empty argument names no message; "
		    "--all means all of them\n", "malle queue : un argument "
		    "vide n'indique aucun message ; --all les indique tous\n"),
		    stderr);
	else if (slice_to_cstr(slice_of(value), out, cap) == -1)
		fprintf(stderr, T(m, "malle queue: \"%s\" is too long\n",
		    "malle queue : « %s » est trop long\n"), value);
	else
		return 0;
	return -1;
}

struct selection {
	struct queue_filter filter;
	bool is_given, is_all;
};

/* 0, or -1 with *status to end with. */
static int
parse_options(const struct malle *m, int argc, char **argv,
    struct selection *s, int *status)
{
	static const struct option longs[] = {
		{ "sender", required_argument, NULL, 's' },
		{ "recipient", required_argument, NULL, 'r' },
		{ "account", required_argument, NULL, 'A' },
		{ "older-than", required_argument, NULL, 'o' },
		{ "held", no_argument, NULL, 'H' },
		{ "all", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	*status = EX_USAGE;
	optind = 0;	/* malle's own options were read before */
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 's' && take_text(m, optarg, s->filter.sender,
		    sizeof(s->filter.sender)) == -1)
			return -1;
		if (c == 'r' && take_text(m, optarg, s->filter.recipient,
		    sizeof(s->filter.recipient)) == -1)
			return -1;
		if (c == 'A' && take_text(m, optarg, s->filter.account,
		    sizeof(s->filter.account)) == -1)
			return -1;
		if (c == 'o' && num_parse_duration(slice_of(optarg), 0,
		    UINT32_MAX, &s->filter.older_than) == -1) {
			fprintf(stderr, "malle queue: --older-than %s: write a "
			    "time, as 30m, 4h or 2d\n", optarg);
			return -1;
		}
		if (c == 'h' || c == '?') {
			*status = usage(m, c == 'h' ? stdout : stderr);
			return -1;
		}
		s->filter.held_only = s->filter.held_only || c == 'H';
		s->is_all = s->is_all || c == 'a';
		s->is_given = true;
	}
	return 0;
}

/* Each id that is named, or all that match. */
static int
call_all(struct call *c, struct selection *s, int argc, char **argv)
{
	int status = EX_OK, r;

	if (argc == 0)
		return call(c, &s->filter);
	for (int i = 0; i < argc; i++) {
		if (take_text(c->m, argv[i], s->filter.id,
		    sizeof(s->filter.id)) == -1)
			return EX_USAGE;
		if ((r = call(c, &s->filter)) == EX_NOPERM)
			return r;
		if (r != EX_OK)
			status = r;
	}
	return status;
}

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

int
cmd_queue(struct malle *m, int argc, char **argv)
{
	struct selection s = { .is_given = false };
	struct call c = { .m = m };
	int status;

	if (argc < 2 || (c.verb = find_verb(argv[1])) == NULL)
		return usage(m, argc == 2 && strcmp(argv[1], "-h") == 0 ?
		    stdout : stderr);
	if (parse_options(m, argc - 1, argv + 1, &s, &status) == -1)
		return status;
	argc -= optind + 1;
	argv += optind + 1;
	if ((c.verb->type == Q_SHOW || (c.verb->changes && !s.is_given)) &&
	    argc == 0) {
		fputs(T(m, "malle queue: name the messages: an ID, a filter, or "
		    "--all\n", "malle queue : indiquez les messages : un ID, un "
		    "filtre, ou --all\n"), stderr);
		return EX_USAGE;
	}
	if ((c.fd = malle_connect(m, "queue.sock")) == -1)
		return EX_UNAVAILABLE;
	ipc_timeout(c.fd, ANSWER_SECONDS);
	status = call_all(&c, &s, argc, argv);
	close(c.fd);
	return status;
}
