/* answer.c - what accounts answer by themselves: robots and absences. */
/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include "lib/log.h"

/* The end of an answer that is not given: nobody is told but the log. */
static void
not_answered(struct manager *q, struct active *a, struct recipient *r,
    const char *why)
{
	char account[ADDR_TEXT_MAX];

	r->state.status = RCPT_DELIVERED_TOLD;
	r->state.last = q->wall;
	life_dirty(a, (uint32_t)(r - a->e->recipients));
	log_info(a->m->id, "not-answered", "to=%s answer=%s why=%s",
	    LOGQ(a->e->sender), LOGS(recipient_text(r, account,
	    sizeof(account))), why);
}

void
answer_begin(struct manager *q, struct active *a, struct recipient *r)
{
	struct answer_record record;
	char domain[ADDR_DOMAIN_MAX + 1], account[ADDR_LOCAL_MAX + 1];

	if (slice_to_cstr(r->domain, domain, sizeof(domain)) == -1 ||
	    slice_to_cstr(r->local, account, sizeof(account)) == -1 ||
	    tables_answer(&q->tables, domain, account, &record) != 1) {
		not_answered(q, a, r, "no-answer-set");
		return;
	}
	not_answered(q, a, r, "no-worker");
}
