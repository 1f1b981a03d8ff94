/* hooks_feed.c - asks malle-registryd what was changed. */
/* SPDX-License-Identifier: ISC */
#include "tools/hooks.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/num.h"
#include "lib/proto_registry.h"

#define ANSWER_SECONDS 30

struct taking {
	struct changes *out;
	bool bad;
};

/* One row: the newest id, or a piece of a change. */
static void
take_row(void *arg, const struct registry_fields *row)
{
	struct slice last = registry_field(row, "last");
	struct slice line = registry_field(row, "line");
	struct taking *t = arg;
	struct changes *c = t->out;
	struct change *one;
	uint64_t id;

	if (last.p != NULL) {
		t->bad |= num_parse(last, 0, UINT64_MAX, &c->last) == -1;
		return;
	}
	if (num_parse(registry_field(row, "id"), 1, UINT64_MAX, &id) == -1 ||
	    line.p == NULL) {
		t->bad = true;
		return;
	}
	if (c->n == 0 || c->v[c->n - 1].id != id) {
		if (c->n == CHANGES_MAX) {
			t->bad = true;
			return;
		}
		c->v[c->n++] = (struct change){ id, STR_INIT(CHANGE_MAX) };
	}
	one = &c->v[c->n - 1];
	str_put(&one->json, line);
	t->bad |= !str_ok(&one->json);
}

void
feed_free(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		str_free(&c->v[i].json);
	c->n = 0;
}

/* Says once that the registry cannot be asked, and once that it can again. */
static void
tell(bool works, const char *why)
{
	static bool was_lost;

	if (works == !was_lost)
		return;
	was_lost = !works;
	if (works)
		log_notice(NULL, "registry", "state=back");
	else
		log_notice(NULL, "registry", "state=lost error=%s", LOGS(why));
}

int
feed_ask(const char *socket, uint64_t after, bool ask_last,
    struct changes *out)
{
	struct taking t = { .out = out };
	struct registry_fields f = { .n = 0 };
	char number[24], text[600] = "";
	int fd, verdict = -1;

	memset(out, 0, sizeof(*out));
	if ((fd = ipc_connect(socket, SOCK_SEQPACKET)) == -1) {
		tell(false, strerror(errno));
		return -1;
	}
	ipc_timeout(fd, ANSWER_SECONDS);
	snprintf(number, sizeof(number), "%ju", (uintmax_t)after);
	if (!ask_last)
		registry_add(&f, "after", slice_of(number));
	verdict = registry_call(fd, "journal.follow", &f, take_row, &t, text,
	    sizeof(text));
	close(fd);
	if (verdict != REGISTRY_OK || t.bad) {
		tell(false, verdict == -1 ? strerror(errno) :
		    t.bad ? "its answer makes no sense" : text);
		feed_free(out);
		return -1;
	}
	tell(true, "");
	return 0;
}
