/* remote_job.c - recipients of one message on their way to a carrier. */
/* SPDX-License-Identifier: ISC */
#include "queue/remote.h"

#include <stdio.h>
#include <stdlib.h>

#define JOB_ROOM 60000		/* bytes of recipients in one request */
#define LETTER_MAX 50u		/* recipients of a message that is no mailing */

static void
copy_text(char *dst, struct slice s)
{
	/* The parser of the envelope has checked the lengths. */
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
}

static const struct original *
original_of(const struct envelope *e, uint32_t recipient, uint32_t i)
{
	uint32_t also = envelope_alsos(e, recipient) + i - 1;

	if (i == 0)
		return &e->originals[e->recipients[recipient].original];
	return also < e->n_alsos && e->alsos[also].recipient == recipient ?
	    &e->originals[e->alsos[also].original] : NULL;
}

bool
job_is_ours_to_tell(const struct envelope *e, uint32_t recipient)
{
	const struct original *o;

	for (uint32_t i = 0; (o = original_of(e, recipient, i)) != NULL; i++)
		if (o->is_expanded && (o->notify & QN_SUCCESS) != 0)
			return true;
	return false;
}

/* What one address asks the next server to tell of: nothing of a success when
 * we tell of it, at the alias or in the mailbox that was named. */
static uint8_t
passed(const struct original *o, uint32_t recipient, bool is_ours_to_tell)
{
	uint8_t notify = o->notify & (QN_SUCCESS | QN_FAILURE | QN_DELAY);

	return is_ours_to_tell || o->speaker != recipient ?
	    notify & (uint8_t)~QN_SUCCESS : notify;
}

/*
 * NOTIFY and ORCPT that go on (RFC 3461 5.2.1, 5.2.7.3). Of several addresses
 * that lead here each has its wishes heard: one that says NEVER, or nothing,
 * must not hide a failure from another. The first one with a wish gives its
 * name.
 */
static void
pass_on(const struct envelope *e, uint32_t recipient,
    struct remote_recipient *out)
{
	bool is_ours = job_is_ours_to_tell(e, recipient);
	bool is_silent = false, has_name = false;
	const struct original *o;
	uint8_t notify = 0;

	copy_text(out->orcpt, original_of(e, recipient, 0)->orcpt);
	for (uint32_t i = 0; (o = original_of(e, recipient, i)) != NULL; i++) {
		uint8_t one = passed(o, recipient, is_ours);

		is_silent = is_silent || o->notify == 0;
		notify |= one;
		if (!has_name && (one != 0 || o->notify == 0)) {
			copy_text(out->orcpt, o->orcpt);
			has_name = true;
		}
	}
	if (notify == 0)
		out->notify = is_silent ? 0 : QN_NEVER;
	else
		out->notify = is_silent ? notify | notify_wants(0) : notify;
}

static void
fill_recipient(const struct active *a, const struct recipient *r,
    struct remote_recipient *out)
{
	out->number = (uint32_t)(r - a->e->recipients);
	recipient_text(r, out->address, sizeof(out->address));
	pass_on(a->e, out->number, out);
}

/*
 * SRS, so that it passes SPF; a sender of ours stays. One that is too long for
 * it (RFC 5321 4.5.3.1.1) cannot be told: our postmaster is, in its place.
 */
static void
rewrite_sender(struct manager *q, struct slice by, char *sender)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct domain_record record;
	char instead[ADDR_TEXT_MAX];
	struct addr a, made;
	int64_t day = q->wall / 86400;

	if (addr_parse(slice_of(sender), &a) != ADDR_OK ||
	    addr_domain(address_domain(by), domain) == -1 ||
	    tables_domain(&q->tables, domain, &record) != 1 ||
	    tables_domain(&q->tables, a.domain, &record) != 0)
		return;
	if (srs_make(q->srs_key, day, &a, domain, &made) == 0 ||
	    (conf_postmaster(&q->conf, instead, ADDR_TEXT_MAX) &&
	    addr_parse(slice_of(instead), &a) == ADDR_OK &&
	    srs_make(q->srs_key, day, &a, domain, &made) == 0))
		addr_text(&made, sender, ADDR_TEXT_MAX);
	else
		snprintf(sender, ADDR_TEXT_MAX, "postmaster@%s", domain);
}

bool
job_is_patient(const struct active *a)
{
	return a->h.lane >= LANE_LIST || a->e->n_recipients > LETTER_MAX;
}

void
job_fill(struct manager *q, const struct active *a, const struct job *job,
    struct remote_job *out)
{
	struct slice by = job->r[0]->detail;

	memset(out, 0, sizeof(*out));
	out->tag = job->tag;
	memcpy(out->id, a->m->id, sizeof(a->m->id));
	out->offset = a->h.content_offset;
	out->length = a->h.content_length;
	out->flags = a->h.flags;
	copy_text(out->sender, a->e->sender);
	copy_text(out->forwarder, by);
	if (by.len > 0)
		rewrite_sender(q, by, out->sender);
	out->verp = (a->h.flags & QM_VERP) != 0 && out->sender[0] != '\0';
	out->is_patient = job_is_patient(a);
	copy_text(out->envid, a->e->envid);
	out->n = job->n;
}

/* The next recipients of one message, as many as may go together. */
struct job *
job_gather(struct manager *q, struct sched_dest *d, struct packer *k,
    uint32_t max)
{
	struct sched_job *next = sched_peek(d);
	struct active *a = job_active(next);
	static struct remote_recipient r;
	struct slice by;
	struct job *job = calloc(1, sizeof(*job) +
	    max * sizeof(struct recipient *));

	if (job == NULL)
		return NULL;
	job->a = a;
	by = job_recipient(next)->detail;
	while (job->n < max && next != NULL && job_active(next) == a &&
	    k->len < JOB_ROOM &&
	    slice_eq(by, job_recipient(next)->detail)) {
		next = sched_take(&q->sched, d);
		job->r[job->n] = job_recipient(next);
		job->r[job->n]->is_running = true;
		fill_recipient(a, job->r[job->n], &r);
		remote_recipient_pack(k, &r);
		job->n++;
		next = sched_peek(d);
	}
	job->left = job->n;
	return job;
}
