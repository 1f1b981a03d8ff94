/* verdict.c - what the replies of other servers lead to. */
/* SPDX-License-Identifier: ISC */
#include "queue/remote.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"

#define GREY_MIN 300		/* s */
#define GREY_MAX 600
#define FULL_MIN 3600

/* What a group goes through is told once, not for each message. */
void
verdict_feed(struct manager *q, struct dest_group *g, enum group_event e,
    const struct remote_reply *why)
{
	if (e != GROUP_DELIVERED && why != NULL)
		g->last = *why;
	if (!group_event(&g->limits, e, q->now, arc4random()))
		return;
	if (e == GROUP_DELIVERED)
		log_notice(NULL, "destination", "group=%s event=resumed",
		    LOGS(g->name));
	else
		log_notice(NULL, "destination", "group=%s event=%s cause=%s "
		    "pause=%jd reason=%s", LOGS(g->name),
		    e == GROUP_SLOW_DOWN ? "slowed" : "paused",
		    group_event_name(e),
		    (intmax_t)(group_pause(&g->limits, q->now) / 1000),
		    LOGS(g->last.text));
}

/* Refused for our address: the smarthost has another one. */
static bool
begin_fallback(struct manager *q, struct path *p,
    const struct remote_reply *why)
{
	const struct routes *r = &q->remote->routes;
	struct dest_group *g = p->group;

	if (!r->has_fallback || p->is_smarthost)
		return false;
	if (q->now >= g->fallback_until)
		log_notice(NULL, "destination", "group=%s event=fallback "
		    "through=%s for=%u reason=%s", LOGS(g->name),
		    LOGS(r->fallback.host), r->fallback_time,
		    LOGS(why->text));
	g->fallback_until = q->now + (int64_t)r->fallback_time * 1000;
	return true;
}

static void
judge_meaning(struct manager *q, struct path *p,
    const struct remote_reply *why, struct judgement *j)
{
	const struct dest_group *g = p->group;

	switch (providers_judge(&q->remote->providers, g->provider, why->code,
	    why->enhanced, why->text)) {
	case MEANING_RETRY:
		j->result = QUEUE_TEMPORARY;
		break;
	case MEANING_SLOW_DOWN:
		j->result = QUEUE_TEMPORARY;
		j->event = GROUP_SLOW_DOWN;
		j->retry_min = g->limits.limits.slow_pause;
		break;
	case MEANING_BLOCKED:
		j->result = QUEUE_TEMPORARY;
		j->event = GROUP_BLOCKED;
		j->retry_min = g->limits.limits.blocked_pause;
		j->is_elsewhere = begin_fallback(q, p, why);
		/* Nobody waits for a way that is not used. */
		if (j->is_elsewhere)
			j->event = GROUP_NONE;
		break;
	case MEANING_GREYLISTED:
		if (j->result == QUEUE_TEMPORARY) {
			j->retry_min = GREY_MIN;
			j->retry_max = GREY_MAX;
		}
		break;
	case MEANING_MAILBOX_FULL:
		if (j->result == QUEUE_TEMPORARY)
			j->retry_min = FULL_MIN;
		break;
	case MEANING_NONE:
	case MEANING_NO_SUCH_USER:
	case MEANING_SPAM:
	case MEANING_AUTH:
	case MEANINGS:
		break;
	}
}

void
verdict_judge(struct manager *q, struct path *p, const struct remote_reply *why,
    struct judgement *j)
{
	*j = (struct judgement){ .result = why->result };
	if (why->result == QUEUE_OK) {
		j->event = GROUP_DELIVERED;
		return;
	}
	switch (why->cause) {
	case CAUSE_LOST:
		j->event = GROUP_LOST;
		break;
	case CAUSE_DNS:
	case CAUSE_CONNECT:
	case CAUSE_TLS:
		j->event = GROUP_UNREACHABLE;
		break;
	case CAUSE_GREETING:
		/* It is about us, not about a letter. */
		j->result = QUEUE_TEMPORARY;
		j->event = GROUP_UNREACHABLE;
		break;
	case CAUSE_NONE:
	case CAUSE_REPLY:
	case CAUSE_UNSUPPORTED:
		break;
	}
	if (why->code != 0 && why->cause != CAUSE_UNSUPPORTED)
		judge_meaning(q, p, why, j);
}

/* A reply of another server as the queue keeps it. */
void
verdict_reply(const struct manager *q, const struct judgement *j,
    const struct remote_reply *why, struct reply *out)
{
	memset(out, 0, sizeof(*out));
	out->when = q->wall;
	out->result = j->result;
	memcpy(out->enhanced, why->enhanced, sizeof(out->enhanced));
	/* A 550 that is none: its own status would contradict what we do. */
	if (j->result == QUEUE_TEMPORARY && out->enhanced[0] == '5')
		out->enhanced[0] = '4';
	if (out->enhanced[0] == '\0')
		snprintf(out->enhanced, sizeof(out->enhanced), "%s",
		    j->result == QUEUE_OK ? "2.0.0" :
		    j->result == QUEUE_TEMPORARY ? "4.0.0" : "5.0.0");
	memcpy(out->text, why->text, sizeof(out->text));
	if (why->code != 0)
		memcpy(out->remote, why->host, sizeof(out->remote));
	out->said = why;
	out->retry_min = j->retry_min;
	out->retry_max = j->retry_max;
}

/* Everybody who waits for a path has this answer. */
void
verdict_for_waiting(struct manager *q, struct path *p,
    const struct judgement *j, const struct remote_reply *why,
    bool is_no_attempt)
{
	struct sched_job *job;
	struct reply reply;
	int64_t pause = group_pause(&p->group->limits, q->now) / 1000;

	verdict_reply(q, j, why, &reply);
	reply.is_no_attempt = is_no_attempt;
	while ((job = sched_take(&q->sched, p->dest)) != NULL) {
		sched_done(p->dest);
		if (j->is_elsewhere) {
			life_again(q, job_recipient(job));
			continue;
		}
		/* Not all in the same second. */
		if (pause > 0 && j->retry_min < pause)
			reply.retry_min = pause +
			    arc4random_uniform((uint32_t)pause / 4 + 10);
		life_result(q, job_recipient(job), &reply);
	}
}
