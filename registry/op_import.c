/* op_import.c - many mailboxes in one request, each as if asked for alone. */
/* SPDX-License-Identifier: ISC */

/*
 * Each line is a user.add of the same asker, in a transaction of its own: it
 * has its own rights, limits, verdict and entry in the journal, and is undone
 * alone. What lines share is what surrounds them: one sync, and one compilation
 * of the tables, which costs as much as the domain is large.
 * Limits: REGISTRY_LINES_MAX lines, so that nobody waits long behind them. A
 * password is judged here and not hashed, for the same reason.
 */

#include <stdio.h>
#include <stdlib.h>

#include "registry/operation.h"

/* Said once for all lines. They come first, where a line cannot say otherwise:
 * the first field of a name counts. */
static const char *const common[] = { "check", "force", "from", NULL };

static enum registry_result
take_line(struct request *line, const struct request *q, struct slice bytes)
{
	struct registry_fields f;
	struct unpacker u;
	struct slice v;

	*line = *q;
	line->op = operation_find(SLICE("user.add"));
	line->hash = NULL;
	line->f.n = 0;
	line->text[0] = '\0';
	for (size_t i = 0; common[i] != NULL; i++) {
		v = field(q, common[i]);
		registry_add(&line->f, common[i], v.p != NULL ? v :
		    SLICE_EMPTY);
	}
	unpack_init(&u, bytes);
	if (registry_fields_unpack(&u, &f) == -1 || !unpack_end(&u) ||
	    f.n > REGISTRY_FIELDS_MAX - line->f.n)
		return say(line, REGISTRY_INVALID, "The line is malformed.",
		    "La ligne est mal formée.");
	memcpy(line->f.v + line->f.n, f.v, f.n * sizeof(*f.v));
	line->f.n += f.n;
	return field(line, "address").p != NULL ? REGISTRY_OK :
	    say(line, REGISTRY_INVALID, "The field %s is missing.",
	    "Le champ %s manque.", "address");
}

static enum registry_result
do_line(struct request *line)
{
	struct slice password = field(line, "password");
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	if (password.p != NULL && !field_yes(line, "check"))
		return say(line, REGISTRY_INVALID,
		    "A password is only judged here (check): give its hash.",
		    "Un mot de passe est seulement jugé ici (check) : donnez "
		    "son empreinte.");
	result = operation_run(line);
	if (result == REGISTRY_OK && password.p != NULL &&
	    (result = field_name(line, &kind_user, name)) == REGISTRY_OK)
		result = judge_password(line, name, password);
	return result;
}

/* Behind the row of the mailbox, if there is one. */
static void
row_verdict(struct request *q, enum registry_result verdict, const char *text)
{
	struct registry_fields f = { .n = 0 };
	char number[12];

	snprintf(number, sizeof(number), "%u", (unsigned)verdict);
	registry_add(&f, "verdict", slice_of(number));
	registry_add(&f, "text", slice_of(text));
	row(q, &f);
}

static enum registry_result
do_lines(struct request *q, char *space)
{
	unsigned lines = 0, good = 0;
	enum registry_result result;
	struct request line;
	uint16_t type;
	size_t len;
	int r;

	while ((r = spool_take(q->in, &type, space, IPC_MAX, &len)) == 1) {
		result = take_line(&line, q, slice_make(space, len));
		if (result == REGISTRY_OK)
			result = do_line(&line);
		row_verdict(q, result, line.text);
		lines++;
		good += result == REGISTRY_OK;
	}
	return r == -1 ? say_failed(q) : say(q, REGISTRY_OK,
	    "%u of %u lines are good.", "%u lignes sur %u sont bonnes.", good,
	    lines);
}

enum registry_result
op_user_import(struct request *q)
{
	enum registry_result result;
	char *space;

	if ((space = malloc(IPC_MAX)) == NULL)
		return say_failed(q);
	result = do_lines(q, space);
	explicit_bzero(space, IPC_MAX);
	free(space);
	return result;
}
