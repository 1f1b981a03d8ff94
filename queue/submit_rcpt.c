/* submit_rcpt.c - a recipient of a message that comes in: where it leads. */
/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include <errno.h>
#include <stdio.h>

#include "queue/submission.h"

/* Somebody who gets nothing: two lines, whom the mail was for and why. */
static void
note_left_out(struct submission *s, const struct destination *d)
{
	char text[QUEUE_TEXT_MAX + 1], address[ADDR_TEXT_MAX];
	const char *why;
	struct addr a;

	memset(&a, 0, sizeof(a));
	memcpy(a.local, d->local, sizeof(a.local));
	memcpy(a.domain, d->domain, sizeof(a.domain));
	route_reply(d->why, addr_text(&a, address, sizeof(address)), text,
	    sizeof(text));
	why = strchr(text, ' ');
	str_printf(&s->left_out, "%s\n%s\n", s->last,
	    why != NULL ? why + 1 : text);
}

static bool
on_destination(void *arg, const struct destination *d)
{
	static const enum recipient_kind kinds[] = {
		[DEST_MAILBOX] = RCPT_MAILBOX, [DEST_REMOTE] = RCPT_REMOTE,
		[DEST_ANSWER] = RCPT_ANSWER, [DEST_DISCARD] = RCPT_DISCARD
	};
	struct submission *s = arg;
	uint32_t n = s->draft.n;

	if (d->kind == DEST_LEFT_OUT) {
		note_left_out(s, d);
		return true;
	}
	if (draft_add(&s->draft, kinds[d->kind], slice_of(d->domain),
	    slice_of(d->local), slice_of(d->kind == DEST_REMOTE ? d->by :
	    d->detail), d->kind == DEST_MAILBOX && d->is_stray) == -1)
		return false;
	if (s->draft.n > n)
		s->draft.v[n].is_caught = d->is_caught;
	return true;
}

/* The address is nobody's: its sender will be told, or the client is now. */
static int
refuse_rcpt(struct manager *q, struct submission *s, const struct addr *a,
    const char *text)
{
	struct reply why = { .when = q->wall, .result = QUEUE_PERMANENT };

	reply_say(&why, text);
	if (s->draft.n_refused == 0 && s->result == QUEUE_OK) {
		snprintf(s->enhanced, sizeof(s->enhanced), "%s",
		    why.enhanced);
		snprintf(s->text, sizeof(s->text), "%s", why.text);
	}
	return draft_refuse(&s->draft, slice_of(a->domain),
	    slice_of(a->local), &why);
}

/* Looks up where an address leads, and notes it. 0, or -1 with errno. */
static int
route(struct manager *q, struct submission *s, const char *address,
    const struct addr *a)
{
	const struct route_sender sender = { &s->from, s->is_trusted };
	struct draft_mark mark = draft_mark(&s->draft);
	enum route_verdict v;
	char text[QUEUE_TEXT_MAX + 1];
	struct domain_record ours;
	struct addr back;

	errno = 0;
	/* A bounce of forwarded mail: it goes on to who sent that. */
	if (srs_is(a->local) &&
	    tables_domain(&q->tables, a->domain, &ours) == 1 &&
	    srs_open(q->srs_key, q->wall / 86400, a->local, &back) == 0)
		a = &back;
	v = route_expand(&q->tables, a, q->conf.default_domain, &sender,
	    on_destination, s);
	if (v == ROUTE_OK && s->draft.records.len > mark.records)
		return 0;
	if (errno == E2BIG || errno == ENOMEM)
		return -1;
	draft_rewind(&s->draft, mark);
	if (v == ROUTE_NOT_OURS)
		return draft_add(&s->draft, RCPT_REMOTE,
		    slice_of(a->domain), slice_of(a->local), SLICE_EMPTY,
		    false);
	route_reply(v == ROUTE_OK ? ROUTE_UNKNOWN : v, address, text,
	    sizeof(text));
	if (v == ROUTE_SUSPENDED || v == ROUTE_TEMPORARY) {
		submission_refuse(s, QUEUE_TEMPORARY,
		    v == ROUTE_SUSPENDED ? "4.2.1" : "4.3.0", "%s",
		    strchr(text, ' ') != NULL ? strchr(text, ' ') + 1 : text);
		return 0;
	}
	return refuse_rcpt(q, s, a, text);
}

/* "postmaster" without a domain is an address too (RFC 5321 4.1.1.3). */
static bool
parse_recipient(struct slice address, struct addr *out)
{
	if (memchr(address.p, '@', address.len) != NULL)
		return addr_parse(address, out) == ADDR_OK;
	memset(out, 0, sizeof(*out));
	return address.len > 0 &&
	    slice_to_cstr(address, out->local, sizeof(out->local)) == 0;
}

int
submit_rcpt(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	struct submission *s = c->submission;
	struct slice address = unpack_text(&m->body, ADDR_TEXT_MAX - 1);
	uint8_t notify = unpack_u8(&m->body);
	struct slice orcpt = unpack_text(&m->body, QUEUE_ORCPT_MAX);
	char text[ADDR_TEXT_MAX];
	struct addr a;

	if (!unpack_end(&m->body) || !submit_is_open(c) || s->fd != -1 ||
	    slice_to_cstr(address, text, sizeof(text)) == -1 ||
	    !notice_may_go_to(c, text, s->draft.n_originals))
		return -1;
	if (s->draft.n_originals >= q->conf.recipients_max)
		submission_refuse(s, QUEUE_PERMANENT, "5.5.3",
		    "Too many recipients: at most %ju a message",
		    (uintmax_t)q->conf.recipients_max);
	if (s->result != QUEUE_OK)
		return 0;
	if (!parse_recipient(address, &a)) {
		submission_refuse(s, QUEUE_PERMANENT, "5.1.3",
		    "<%s> is not a mail address", text);
		return 0;
	}
	if (s->draft.n_originals == 0)
		memcpy(s->first, text, sizeof(text));
	memcpy(s->last, text, sizeof(text));
	if (draft_original(&s->draft, address, notify, orcpt) == -1 ||
	    route(q, s, text, &a) == -1) {
		if (errno == E2BIG)
			submission_refuse(s, QUEUE_PERMANENT, "5.5.3",
			    "The message leads to too many mailboxes");
		else
			submission_refuse_errno(s, "recipient", ENOMEM);
	}
	return 0;
}
