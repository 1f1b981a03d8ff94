/* import_ask.c - what malle user import asks the registry, and hears. */
/* SPDX-License-Identifier: ISC */

/*
 * Many lines go in one request (user.import): the tables of a domain, which
 * cost as much as it is large, are then compiled once for all of them.
 * Order: import_send() or import_refuse() of each line, in the order of the
 * file; the registry is heard when a request is full, and in import_finish().
 */

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/password.h"
#include "lib/num.h"
#include "tools/import.h"

/* What fields of a request point into. */
struct import_text {
	char full_name[256], hash[PASSWORD_HASH_MAX], scram[SCRAM_TEXT_MAX];
};

struct slice
import_cell(const struct import *i, const struct csv_row *row,
    const char *field)
{
	for (size_t c = 0; c < i->n_columns && c < row->n; c++)
		if (slice_eq(i->columns[c], slice_of(field)))
			return row->cells[c];
	return SLICE_EMPTY;
}

static int
by_address(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool
import_has(const struct import *i, const char *address)
{
	return tfind(address, &i->addresses, by_address) != NULL;
}

/* The address of a line is taken; false: another line has it. */
static bool
take_address(struct import *i, struct import_line *l)
{
	void **node;

	if (l->address[0] == '\0')
		return true;
	node = tsearch(l->address, &i->addresses, by_address);
	return node == NULL || *node == l->address;
}

const char *
import_reason(const struct import_line *l)
{
	if (l->is_good)
		return "";
	return l->reason != NULL ? l->reason : strerror(ENOMEM);
}

static void
judge_bad(struct import *i, struct import_line *l, const char *text)
{
	l->is_good = false;
	l->reason = strdup(text);
	i->bad++;
}

/* The columns that are no attributes, or have their own way. */
static bool
is_special(struct slice field)
{
	static const char *const names[] = { "address", "login", "domain",
		"first", "last", "password", "hash", NULL };

	for (size_t i = 0; names[i] != NULL; i++)
		if (slice_eq(field, slice_of(names[i])))
			return true;
	return false;
}

/* A password is judged as it is and sent as its hash: what takes its time holds
 * nobody up here. False: it cannot be hashed. */
static bool
add_secret(const struct import *i, const struct csv_row *row,
    const struct import_line *l, struct registry_fields *f,
    struct import_text *text)
{
	struct slice password = import_cell(i, row, "password");
	struct slice hash = import_cell(i, row, "hash");

	if (password.len == 0 && hash.len == 0)
		password = slice_of(l->password);
	if (password.len == 0) {
		registry_add(f, "hash", hash.len > 0 ? hash : SLICE("!"));
		return true;
	}
	if (i->judging) {
		registry_add(f, "password", password);
		return true;
	}
	if (password_make(password, text->hash, text->scram) == -1)
		return false;
	registry_add(f, "hash", slice_of(text->hash));
	registry_add(f, "scram", slice_of(text->scram));
	return true;
}

static bool
fill(const struct import *i, const struct csv_row *row,
    const struct import_line *l, struct registry_fields *f,
    struct import_text *text)
{
	struct slice first = import_cell(i, row, "first");
	struct slice last = import_cell(i, row, "last");

	registry_add(f, "address", slice_of(l->address));
	for (size_t c = 0; c < i->n_columns && c < row->n; c++)
		if (!is_special(i->columns[c]) && row->cells[c].len > 0 &&
		    f->n < REGISTRY_FIELDS_MAX / 2)
			f->v[f->n++] = (struct registry_field){ i->columns[c],
				row->cells[c] };
	if (import_cell(i, row, "full-name").len == 0 && last.len > 0) {
		snprintf(text->full_name, sizeof(text->full_name),
		    "%.*s%s%.*s", SLICE_FMT(first), first.len > 0 ? " " : "",
		    SLICE_FMT(last));
		registry_add(f, "full-name", slice_of(text->full_name));
	}
	if (i->must_change)
		registry_add(f, "must-change", SLICE("yes"));
	return add_secret(i, row, l, f, text);
}

/* Hearing. */

/* A row of the answer: a mailbox, and then what became of its line. */
static void
take_row(void *arg, const struct registry_fields *row)
{
	struct slice verdict = registry_field(row, "verdict");
	struct slice quota = registry_field(row, "quota-bytes");
	struct import *i = arg;
	struct import_line *l;
	char text[1024];

	while (i->heard < i->end && !i->lines[i->heard].is_good)
		i->heard++;
	if (i->heard == i->end)
		return;
	l = &i->lines[i->heard];
	if (verdict.p == NULL) {
		if (slice_to_cstr(registry_field(row, "name"), l->address,
		    sizeof(l->address)) == -1)
			l->address[0] = '\0';
		if (quota.p == NULL || num_parse(quota, 0, UINT64_MAX,
		    &l->quota) == -1)
			l->quota = 0;
		return;
	}
	i->heard++;
	if (slice_eq(verdict, SLICE("0")))
		return;
	if (slice_to_cstr(registry_field(row, "text"), text,
	    sizeof(text)) == -1)
		text[0] = '\0';
	judge_bad(i, l, text);
}

/* A line whose address the registry has told: no other one may have it. */
static void
settle_judged(struct import *i, struct import_line *l)
{
	char text[ADDR_TEXT_MAX + 64];

	if (take_address(i, l) || !l->is_good)
		return;
	snprintf(text, sizeof(text), tr(i->m, "%s is in the file twice.",
	    "%s est deux fois dans le fichier."), l->address);
	judge_bad(i, l, text);
}

static void
settle_made(struct import *i, struct import_line *l)
{
	if (!l->is_good) {
		import_report(i, l, "bad", import_reason(l));
		return;
	}
	i->made++;
	import_report(i, l, "made", "");
	welcome_send(i->m, &i->welcome, l->address);
}

/* Nobody knows what became of those that were sent: their passwords, which
 * nobody else has, must not be lost with the connection. */
static bool
lose(struct import *i)
{
	struct import_line *l;

	i->status = registry_verdict(i->m, -1, "");
	for (; !i->judging && i->begin < i->end; i->begin++) {
		l = &i->lines[i->begin];
		if (l->is_good)
			import_report(i, l, "unknown", tr(i->m,
			    "The connection was lost: look whether it is "
			    "there.", "La connexion est perdue : voyez si elle "
			    "existe."));
		else
			import_report(i, l, "bad", import_reason(l));
	}
	return false;
}

bool
import_finish(struct import *i)
{
	char text[1024] = "";
	int verdict = REGISTRY_OK;

	i->heard = i->begin;
	if (i->sent > 0)
		verdict = registry_end(i->fd, take_row, i, text, sizeof(text));
	i->sent = i->sent_bytes = 0;
	if (verdict == -1)
		return lose(i);
	for (; i->begin < i->end; i->begin++) {
		struct import_line *l = &i->lines[i->begin];

		if (verdict != REGISTRY_OK && l->is_good)
			judge_bad(i, l, text);
		if (i->judging)
			settle_judged(i, l);
		else
			settle_made(i, l);
	}
	return true;
}

/* Asking. */

static bool
begin(struct import *i)
{
	struct registry_fields f = { .n = 0 };

	/* The first messages of those made before may have taken longer than
	 * the registry waits on a connection. */
	if (!i->judging) {
		close(i->fd);
		i->fd = malle_connect(i->m, "registry.sock");
		if (i->fd == -1)
			return false;
	}
	caller_add(i->m, &f);
	if (i->judging)
		registry_add(&f, "check", SLICE("yes"));
	if (i->force)
		registry_add(&f, "force", SLICE("yes"));
	return registry_begin(i->fd, "user.import", &f) == 0;
}

/* Bytes of the fields in a message. */
static size_t
size_of(const struct registry_fields *f)
{
	size_t size = 2;

	for (size_t n = 0; n < f->n; n++)
		size += 8 + f->v[n].name.len + f->v[n].value.len;
	return size;
}

bool
import_refuse(struct import *i, struct import_line *l, const char *text)
{
	judge_bad(i, l, text);
	i->end = (size_t)(l - i->lines) + 1;
	return true;
}

bool
import_pass(struct import *i, const struct import_line *l)
{
	i->end = (size_t)(l - i->lines) + 1;
	return true;
}

/* In the request that is open, or in a new one. */
static bool
send_fields(struct import *i, const struct registry_fields *f)
{
	size_t size = size_of(f);

	if (i->sent_bytes + size > REGISTRY_LINES_BYTES && !import_finish(i))
		return false;
	if ((i->sent == 0 && !begin(i)) || registry_more(i->fd, f) == -1)
		return lose(i);
	i->sent++;
	i->sent_bytes += size;
	return true;
}

static bool
send_line(struct import *i, struct import_line *l,
    const struct registry_fields *f)
{
	if (!send_fields(i, f))
		return false;
	l->is_good = true;
	i->end = (size_t)(l - i->lines) + 1;
	return i->sent < REGISTRY_LINES_MAX || import_finish(i);
}

bool
import_send(struct import *i, const struct csv_row *row,
    struct import_line *l)
{
	struct registry_fields f = { .n = 0 };
	const char *why = NULL;
	struct import_text text;
	bool ok;

	if (!fill(i, row, l, &f, &text))
		why = tr(i->m, "The password cannot be hashed.",
		    "L'empreinte du mot de passe ne peut pas être faite.");
	else if (size_of(&f) > REGISTRY_VALUE_MAX)
		why = tr(i->m, "The line is too long.",
		    "La ligne est trop longue.");
	ok = why != NULL ? import_refuse(i, l, why) : send_line(i, l, &f);
	explicit_bzero(&text, sizeof(text));
	return ok;
}

static void
keep_node(void *node)
{
	(void)node;	/* a part of its line */
}

void
import_forget(struct import *i)
{
	tdestroy(i->addresses, keep_node);
	for (size_t n = 0; n < i->n; n++)
		free(i->lines[n].reason);
	explicit_bzero(i->lines, i->n * sizeof(*i->lines));
	free(i->lines);
}
