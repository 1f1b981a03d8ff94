/* sent.c - what an account, a domain or a customer has sent, as it is shown. */
/* SPDX-License-Identifier: ISC */

/*
 * The registry decides who may know and opens a connection to malle-queued,
 * which counts. Without an answer the rest is shown all the same.
 */

#include "tools/sent.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/proto_queue.h"

#define ANSWER_WAIT 10		/* s: it counts nothing then, it only looks */
#define ANSWER_MAX 1024
#define DAY "used-messages-day"

/* The answer of malle-queued, or -1. */
static int
receive(int fd, unsigned char *space, struct registry_fields *out)
{
	struct ipc_msg m;

	if (ipc_timeout(fd, ANSWER_WAIT) == -1 ||
	    ipc_recv_short(fd, space, ANSWER_MAX, &m) != 1)
		return -1;
	ipc_close_fds(&m);
	return m.type == Q_ROW && registry_fields_unpack(&m.body, out) == 0 &&
	    unpack_end(&m.body) ? 0 : -1;
}

static int
ask(const struct sent *s, unsigned char *space, struct registry_fields *out)
{
	char text[1024];
	int fd, answer, result = -1;

	if ((fd = malle_connect(s->m, "registry.sock")) == -1)
		return -1;
	if (registry_call_fd(fd, s->operation, &s->f, NULL, NULL, text,
	    sizeof(text), &answer) == REGISTRY_OK && answer != -1)
		result = receive(answer, space, out);
	if (answer != -1)
		close(answer);
	close(fd);
	return result;
}

/* The limit of "used-X" is "max-X", of the answer or of the object; 0 and none
 * are no limit. */
static struct slice
limit_of(const struct registry_field *used, const struct registry_fields *row,
    const struct registry_fields *answer)
{
	struct slice max;
	char name[64];

	snprintf(name, sizeof(name), "max-%.*s",
	    SLICE_FMT(slice_skip(used->name, strlen("used-"))));
	max = registry_field(answer, name);
	if (max.p == NULL)
		max = registry_field(row, name);
	return slice_eq(max, SLICE("0")) ? SLICE_EMPTY : max;
}

/* "3 of 20". */
static void
add_texts(const struct malle *m, const struct registry_fields *answer,
    struct registry_fields *row)
{
	static char texts[REGISTRY_FIELDS_MAX][64];

	for (size_t i = 0; i < answer->n; i++) {
		const struct registry_field *f = &answer->v[i];
		struct slice max;

		if (!slice_starts_nocase(f->name, SLICE("used-")))
			continue;
		max = limit_of(f, row, answer);
		snprintf(texts[i], sizeof(texts[i]), "%.*s%s%.*s",
		    SLICE_FMT(f->value), max.len == 0 ? "" :
		    tr(m, " of ", " sur "), SLICE_FMT(max));
		if (row->n < REGISTRY_FIELDS_MAX)
			row->v[row->n++] = (struct registry_field){ f->name,
				slice_of(texts[i]) };
	}
}

void
sent_add(const struct sent *s, struct registry_fields *row)
{
	static unsigned char space[ANSWER_MAX];
	struct registry_fields answer = { .n = 0 };

	/* The counts are those of its main domain, which may be another's. */
	if (registry_field(row, "alias-of").p != NULL)
		return;
	if (ask(s, space, &answer) == -1) {
		/* What is a number in JSON is missing, rather than none. */
		registry_add(row, s->m->json ? "not-asked" : DAY,
		    s->m->json ? SLICE("malle-queued") : slice_of(tr(s->m,
		    "unknown: malle-queued could not be asked; does it run? "
		    "malle-start --status", "inconnu : malle-queued n'a pas pu "
		    "être interrogé ; tourne-t-il ? malle-start --status")));
	} else if (s->m->json) {
		for (size_t i = 0; i < answer.n; i++)
			if (row->n < REGISTRY_FIELDS_MAX)
				row->v[row->n++] = answer.v[i];
	} else {
		add_texts(s->m, &answer, row);
	}
}

static void
show_one(void *arg, const struct registry_fields *row)
{
	struct registry_fields all = *row;
	const struct sent *s = arg;

	sent_add(s, &all);
	if (s->m->json)
		row_show_json(NULL, &all);
	else
		row_show_all(NULL, &all);
}

int
sent_show_one(const struct malle *m, const char *show, const char *sent,
    int argc, char **argv, const char *usage)
{
	static struct arguments a;
	struct sent s = { .m = m, .operation = sent };

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, usage);
	registry_add(&a.f, "name", slice_of(a.positional[0]));
	s.f = a.f;
	as_add(m, &s.f);
	/* Shown by us, as JSON too. */
	return registry_learn(m, show, &a.f, show_one, &s);
}
