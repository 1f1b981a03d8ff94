/* cmd_mailbox.c - malle mailbox: what is in one, and what becomes of it. */
/* SPDX-License-Identifier: ISC */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "lib/date.h"
#include "lib/num.h"
#include "tools/backup.h"
#include "tools/json.h"

#define BIGGEST 10

int
box_lost(struct box_link *b, int result)
{
	fprintf(stderr, "malle: %s\n", box_why(b, result));
	return result == BOX_NO_ROOM ? EX_CANTCREAT :
	    result == BOX_NOT_FOUND ? EX_NOUSER : EX_TEMPFAIL;
}

/* Numbers: for whoever administers the account, and for its owner. */

struct usage {
	const struct malle *m;
	uint64_t messages, bytes;
};

static void
show_folder(const struct usage *u, const char *name, uint64_t messages,
    uint64_t bytes)
{
	char numbers[2][24];
	struct registry_fields f = { .n = 0 };

	if (!u->m->json) {
		text_put_escaped(stdout, slice_of(name));
		printf("\t%" PRIu64 "\t%" PRIu64 "\n", messages, bytes);
		return;
	}
	snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, messages);
	snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, bytes);
	registry_add(&f, "folder", slice_of(name));
	registry_add(&f, "messages", slice_of(numbers[0]));
	registry_add(&f, "bytes", slice_of(numbers[1]));
	row_show_json(NULL, &f);
}

/* One BOX_FOLDER; show may be off: only the sums are wanted. */
static int
take_folder(struct usage *u, struct ipc_msg *m, bool show)
{
	char name[BOX_FOLDER_MAX + 1];
	struct slice folder = unpack_text(&m->body, BOX_FOLDER_MAX);
	uint64_t messages = unpack_u64(&m->body);
	uint64_t bytes = unpack_u64(&m->body);

	if (m->type != BOX_FOLDER || !unpack_end(&m->body) ||
	    !box_is_folder(folder) ||
	    slice_to_cstr(folder, name, sizeof(name)) == -1)
		return -1;
	u->messages += messages;
	u->bytes += bytes;
	if (show)
		show_folder(u, box_folder_name(name), messages, bytes);
	return 0;
}

static int
add_folder(void *arg, struct ipc_msg *m)
{
	return take_folder(arg, m, false);
}

static int
show_and_add_folder(void *arg, struct ipc_msg *m)
{
	return take_folder(arg, m, true);
}

int
mailbox_numbers(const struct malle *m, const struct registry_fields *f,
    uint64_t *messages, uint64_t *bytes)
{
	static struct box_link b;
	struct usage u = { .m = m };
	int result;

	if (box_open(&b, m, "mailbox.measure", f, true) != EX_OK)
		return -1;
	result = box_ask(&b, BOX_MEASURE, NULL, add_folder, &u);
	box_close(&b);
	*messages = u.messages;
	*bytes = u.bytes;
	return result == BOX_OK ? 0 : -1;
}

/* Who asks: --as, or with --own the owner. */
static int
add_asker(struct malle *m, struct registry_fields *f, struct secrets *s)
{
	if (m->as == NULL)
		return add_current(m, f, s);
	as_add(m, f);
	return 0;
}

/* clang-format off */
static const struct option_field options[] = {
	{ "--own",   "own",   "yes" },
	{ "--limit", "limit", NULL },
	{ NULL, NULL, NULL }
};
/* clang-format on */

static int
mailbox_usage(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	static struct box_link b;
	struct secrets s = { .show = false };
	struct usage u = { .m = m };
	int status, result;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1)
		return arguments_wrong(m, "mailbox usage ADDRESS [--own]");
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	status = add_asker(m, &a.f, &s) == -1 ? EX_NOINPUT :
	    box_open(&b, m, "mailbox.measure", &a.f, false);
	explicit_bzero(&s, sizeof(s));
	if (status != EX_OK)
		return status;
	result = box_ask(&b, BOX_MEASURE, NULL, show_and_add_folder, &u);
	if (result == BOX_OK && !m->json)
		show_folder(&u, tr(m, "total", "total"), u.messages, u.bytes);
	if (result != BOX_OK)
		status = box_lost(&b, result);
	box_close(&b);
	return status;
}

/* The mail itself: for the owner. */

int
mailbox_open(struct malle *m, const char *address, const char *want,
    struct box_link *b)
{
	struct registry_fields f = { .n = 0 };
	char secret[SECRET_MAX + 1];
	int status = EX_NOINPUT;

	registry_add(&f, "want", slice_of(want));
	if (box_owner(m, address, secret, &f) == 0)
		status = box_open(b, m, "mailbox.open", &f, false);
	explicit_bzero(secret, sizeof(secret));
	return status;
}

static void
show_message(const struct malle *m, const struct box_message *b,
    const struct box_headers *h)
{
	char size[24], date[DATE_MAX];
	struct registry_fields f = { .n = 0 };

	snprintf(size, sizeof(size), "%" PRIu64, b->size);
	date_iso((time_t)b->time, date);
	registry_add(&f, "id", slice_of(b->unique));
	registry_add(&f, "folder", slice_of(box_folder_name(b->folder)));
	registry_add(&f, "bytes", slice_of(size));
	registry_add(&f, "received", slice_of(date));
	registry_add(&f, "date", h->date);
	registry_add(&f, "from", h->from);
	registry_add(&f, "subject", h->subject);
	if (m->json) {
		row_show_json(NULL, &f);
		return;
	}
	for (size_t i = 0; i < f.n; i++) {
		if (i == 4)
			continue;	/* when it came is enough */
		text_put_escaped(stdout, f.v[i].value);
		putchar(i + 1 == f.n ? '\n' : '\t');
	}
}

static int
take_message(void *arg, struct ipc_msg *m)
{
	struct box_message b;
	struct box_headers h;

	if (m->type != BOX_MESSAGE || box_message_unpack(&m->body, &b) == -1)
		return -1;
	box_headers_unpack(&m->body, &h);
	if (!unpack_end(&m->body))
		return -1;
	show_message(arg, &b, &h);
	return 0;
}

static int
list_messages(struct malle *m, const char *address, uint32_t biggest)
{
	static struct box_link b;
	unsigned char space[8];
	struct packer k;
	int status, result;

	if ((status = mailbox_open(m, address, "backup", &b)) != EX_OK)
		return status;
	pack_init(&k, space, sizeof(space));
	pack_u32(&k, biggest);
	pack_u8(&k, BOX_HEADERS);
	if ((result = box_ask(&b, BOX_LIST, &k, take_message, m)) != BOX_OK)
		status = box_lost(&b, result);
	box_close(&b);
	return status;
}

static int
mailbox_biggest(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	uint64_t n = BIGGEST;
	struct slice limit;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1 || ((limit = take_field(&a.f, "limit")).p != NULL &&
	    num_parse(limit, 1, 1000, &n) == -1))
		return arguments_wrong(m,
		    "mailbox biggest ADDRESS [--limit 1...1000]");
	return list_messages(m, a.positional[0], (uint32_t)n);
}

static int
mailbox_list(struct malle *m, int argc, char **argv)
{
	static struct arguments a;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, "mailbox list ADDRESS");
	return list_messages(m, a.positional[0], 0);
}

/* Removes the messages with these ids, wherever they are. */

struct removal {
	char *const *ids;
	int n;
	struct place {
		char folder[BOX_FOLDER_MAX + 1];
		bool found;
	} *places;
};

static int
find_place(void *arg, struct ipc_msg *m)
{
	struct removal *r = arg;
	struct box_message b;

	if (m->type != BOX_MESSAGE || box_message_unpack(&m->body, &b) == -1)
		return -1;
	for (int i = 0; i < r->n; i++)
		if (strcmp(r->ids[i], b.unique) == 0) {
			memcpy(r->places[i].folder, b.folder,
			    sizeof(b.folder));
			r->places[i].found = true;
		}
	return 0;
}

static int
remove_found(struct box_link *b, const struct removal *r)
{
	unsigned char space[BOX_FOLDER_MAX + BOX_UNIQUE_MAX + 8];
	struct box_message m = { .size = 0 };
	int result = BOX_OK, one;
	struct packer k;

	for (int i = 0; i < r->n && result != -1; i++) {
		if (!r->places[i].found ||
		    slice_to_cstr(slice_of(r->ids[i]), m.unique,
		    sizeof(m.unique)) == -1) {
			fprintf(stderr, "malle: %s: %s\n", r->ids[i],
			    box_why(b, BOX_NOT_FOUND));
			result = BOX_NOT_FOUND;
			continue;
		}
		memcpy(m.folder, r->places[i].folder, sizeof(m.folder));
		pack_init(&k, space, sizeof(space));
		box_place_pack(&k, &m);
		if ((one = box_ask(b, BOX_REMOVE, &k, NULL, NULL)) != BOX_OK)
			result = one;
	}
	return result;
}

static int
mailbox_remove(struct malle *m, int argc, char **argv)
{
	static struct place places[POSITIONAL_MAX];
	static struct arguments a;
	static struct box_link b;
	struct removal r = { .places = places };
	unsigned char space[8];
	struct packer k;
	int status, result;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 || a.n < 2)
		return arguments_wrong(m, "mailbox remove ADDRESS ID ...");
	if ((status = mailbox_open(m, a.positional[0], "remove", &b)) != EX_OK)
		return status;
	r.ids = a.positional + 1;
	r.n = a.n - 1;
	pack_init(&k, space, sizeof(space));
	pack_u32(&k, 0);
	pack_u8(&k, BOX_PLACES);
	result = box_ask(&b, BOX_LIST, &k, find_place, &r);
	if (result == BOX_OK)
		result = remove_found(&b, &r);
	if (result != BOX_OK)
		status = box_lost(&b, result);
	box_close(&b);
	return status;
}

/* What was deleted. */

static int
mailbox_deleted(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "date", "purge", NULL };
	static struct arguments a;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 || a.n != 0)
		return arguments_wrong(m, "mailbox deleted");
	return registry_ask(m, "removed.list", &a.f, row_show_columns,
	    (void *)(uintptr_t)columns);
}

static int
mailbox_purge(struct malle *m, int argc, char **argv)
{
	static struct arguments a;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, "mailbox purge ADDRESS|DOMAIN");
	registry_add(&a.f, "name", slice_of(a.positional[0]));
	return registry_ask(m, "mailbox.purge", &a.f, NULL, NULL);
}

int
cmd_mailbox(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "usage", mailbox_usage, "ADDRESS [--own]",
		  "folders with their messages and bytes",
		  "les dossiers, avec leurs messages et leurs octets" },
		{ "biggest", mailbox_biggest, "ADDRESS [--limit N]",
		  "the biggest messages of your mailbox: id, folder, bytes, date, from, subject",
		  "les plus gros messages de votre boîte : id, dossier, octets, date, auteur, objet" },
		{ "list", mailbox_list, "ADDRESS",
		  "all messages of your mailbox, likewise",
		  "tous les messages de votre boîte, de même" },
		{ "remove", mailbox_remove, "ADDRESS ID ...",
		  "remove messages of your mailbox",
		  "supprimer des messages de votre boîte" },
		{ "backup", mailbox_backup, "ADDRESS FILE.tar[.gz]|-",
		  "your mail and settings in one archive",
		  "votre courrier et vos réglages en une archive" },
		{ "contents", mailbox_contents, "FILE.tar[.gz]|-",
		  "the messages of such an archive, numbered",
		  "les messages d'une telle archive, numérotés" },
		{ "restore", mailbox_restore,
		  "ADDRESS FILE.tar[.gz]|- [--settings] [--damaged]\n"
		  "\t[NUMBER|ID ...]",
		  "bring back all messages of an archive that are not there, or some of them",
		  "remettre les messages d'une archive qui manquent, ou certains d'entre eux" },
		{ "deleted", mailbox_deleted, "",
		  "deleted mailboxes and domains whose mail is still there",
		  "les boîtes et domaines supprimés dont le courrier est encore là" },
		{ "purge", mailbox_purge, "ADDRESS|DOMAIN",
		  "delete the mail of one of these for ever, now",
		  "effacer pour toujours le courrier de l'un d'eux, maintenant" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
