/* answer.c - one answer job of malle-local, from its message to the answer. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: decided by the header, then by whom was answered when; that is durable
 * before the answer leaves. malle-queued makes the answer durable before it
 * calls the job done.
 */

#include "deliver/answer.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "deliver/answer_memory.h"
#include "deliver/answer_rules.h"
#include "deliver/answer_text.h"
#include "lib/fsx.h"
#include "lib/log.h"

/* The header at the start of text; .p NULL when its end is not there. */
static struct slice
header_of(struct slice text, bool is_whole)
{
	const char *end;

	if (text.len > 0 && text.p[0] == '\n')
		return slice_make(text.p, 0);
	end = text.len > 0 ? memmem(text.p, text.len, "\n\n", 2) : NULL;
	if (end != NULL)
		return slice_make(text.p, (size_t)(end - text.p) + 1);
	return is_whole ? text : slice_make(NULL, 0);
}

static void
set(struct answer_result *r, enum answer_verdict verdict, const char *why)
{
	r->verdict = verdict;
	snprintf(r->why, sizeof(r->why), "%s", why);
}

static void
fail(const struct answer_job *j, struct answer_result *r, const char *what)
{
	log_error(j->id, "answer-failed", "account=%s what=%s error=%s",
	    LOGS(j->account), what, LOGS(strerror(errno)));
	set(r, ANSWER_LATER, what);
}

/* A word why not, or NULL. */
static const char *
refusal(const struct answer_job *j, struct slice header, const char *hostname)
{
	struct answer_facts facts = {
		.header = header,
		.sender = j->sender,
		.addresses = j->addresses,
		.hostname = hostname,
		.only_addressed = (j->flags & ANSWER_ONLY_ADDRESSED) != 0,
		.is_sender_known = (j->flags & ANSWER_SENDER_KNOWN) != 0
	};

	return header.p == NULL ? "header-too-long" : answer_refusal(&facts);
}

void
answer_job_do(int mailfd, const char *hostname, const struct answer_job *j,
    int from, struct str *content, struct answer_result *r)
{
	static char space[ANSWER_HEADER_MAX];
	size_t n = j->length < sizeof(space) ? (size_t)j->length :
	    sizeof(space);
	time_t now = time(NULL);
	struct slice header;
	const char *why;

	*r = (struct answer_result){ .tag = j->tag, .content = SLICE_EMPTY };
	if (j->offset > INT64_MAX ||
	    fsx_pread_all(from, space, n, (off_t)j->offset) == -1) {
		fail(j, r, "message");
		return;
	}
	header = header_of(slice_make(space, n), n == j->length);
	if ((why = refusal(j, header, hostname)) != NULL) {
		set(r, ANSWER_NONE, why);
		return;
	}
	str_clear(content);
	answer_compose(content, j, header, hostname, now);
	if (!str_ok(content)) {
		set(r, ANSWER_NONE, "too-long");
		return;
	}
	if (answer_remember(mailfd, j, now, &why) == -1) {
		fail(j, r, "memory");
		return;
	}
	if (why != NULL) {
		set(r, ANSWER_NONE, why);
		return;
	}
	set(r, ANSWER_GIVEN, "");
	r->content = str_slice(content);
}
