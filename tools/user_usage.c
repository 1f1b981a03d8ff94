/* user_usage.c - malle user list --usage: the mailboxes and what they hold. */
/* SPDX-License-Identifier: ISC */

/* Inventory 2-11, 4-52. One question to the registry and one to malle-mailbox,
 * however many mailboxes the domain has. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/backup.h"
#include "tools/user_usage.h"

#define HELD_MAX 1000000	/* mailboxes of a domain */

struct held {
	char folder[ADDR_LOCAL_MAX + 1];
	uint64_t messages, bytes;
};

struct listing {
	const struct malle *m;
	struct held *v;		/* sorted by folder when all are there */
	size_t n, cap;
};

static int
compare_held(const void *a, const void *b)
{
	return strcmp(((const struct held *)a)->folder,
	    ((const struct held *)b)->folder);
}

/* One BOX_USED. 0, or -1: it is none, or there is no memory. */
static int
take_used(void *arg, struct ipc_msg *m)
{
	struct slice folder = unpack_text(&m->body, ADDR_LOCAL_MAX);
	uint64_t messages = unpack_u64(&m->body);
	uint64_t bytes = unpack_u64(&m->body);
	struct listing *l = arg;
	struct held *h;

	if (m->type != BOX_USED || !unpack_end(&m->body) || l->n == HELD_MAX)
		return -1;
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 256 : 2 * l->cap;

		if ((h = reallocarray(l->v, cap, sizeof(*h))) == NULL)
			return -1;
		l->v = h;
		l->cap = cap;
	}
	h = &l->v[l->n];
	if (slice_to_cstr(folder, h->folder, sizeof(h->folder)) == -1)
		return -1;
	h->messages = messages;
	h->bytes = bytes;
	l->n++;
	return 0;
}

/* What the account of a row holds; nothing where no mail has come yet. */
static struct held
find_held(const struct listing *l, const struct registry_fields *row)
{
	struct slice folder = registry_field(row, "folder");
	struct held key = { .messages = 0 }, *found = NULL;

	if (folder.p == NULL) {
		folder = registry_field(row, "name");
		folder = slice_cut(&folder, '@');
	}
	if (l->n > 0 &&
	    slice_to_cstr(folder, key.folder, sizeof(key.folder)) == 0)
		found = bsearch(&key, l->v, l->n, sizeof(key), compare_held);
	return found != NULL ? *found : key;
}

static void
show_one(void *arg, const struct registry_fields *row)
{
	static const char *const columns[] = { "name", "full-name",
		"last-login", "messages", "bytes", "quota-bytes", "state", NULL };
	const struct listing *l = arg;
	struct registry_fields all = *row;
	struct held held = find_held(l, row);
	char messages[24], bytes[24];

	/* As in malle user show, whose names have a meaning in columns. */
	if (held.bytes != BOX_UNKNOWN) {
		snprintf(messages, sizeof(messages), "%" PRIu64, held.messages);
		snprintf(bytes, sizeof(bytes), "%" PRIu64, held.bytes);
		registry_add(&all, l->m->json ? "used-messages" : "messages",
		    slice_of(messages));
		registry_add(&all, l->m->json ? "used-bytes" : "bytes",
		    slice_of(bytes));
	}
	if (l->m->json)
		row_show_json(NULL, &all);
	else
		row_show_columns((void *)(uintptr_t)columns, &all);
}

/* All of the domain, sorted. The exit status. */
static int
measure(struct listing *l, const char *domain)
{
	static struct box_link b;
	struct registry_fields f = { .n = 0 };
	int status, result;

	registry_add(&f, "name", slice_of(domain));
	if ((status = box_open(&b, l->m, "domain.measure", &f, false)) != EX_OK)
		return status;
	result = box_ask(&b, BOX_USAGE, NULL, take_used, l);
	if (result != BOX_OK)
		status = box_lost(&b, result);
	box_close(&b);
	if (status == EX_OK && l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), compare_held);
	return status;
}

int
user_list_usage(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--after", "after", NULL },
		{ "--limit", "limit", NULL },
		{ "--usage", "usage", "yes" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;
	struct listing l = { .m = m };
	struct malle plain;
	int status;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1)
		return arguments_wrong(m,
		    "user list DOMAIN --usage [--after ADDRESS] [--limit N]");
	(void)take_field(&a.f, "usage");
	registry_add(&a.f, "domain", slice_of(a.positional[0]));
	if ((status = measure(&l, a.positional[0])) == EX_OK) {
		/* The rows are shown by us, as JSON too. */
		plain = *m;
		plain.json = false;
		status = registry_ask(&plain, "user.list", &a.f, show_one, &l);
		explicit_bzero(&plain, sizeof(plain));
	}
	free(l.v);
	return status;
}
