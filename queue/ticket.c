/* ticket.c - TLS sessions of servers, until the next connection to them. */
/* SPDX-License-Identifier: ISC */
/*
 * Trusts: nothing in a ticket: only malle-remote can read it, and it takes none
 * that was made for something else. In memory only.
 * Limits: one for each group, TICKETS_MAX in all.
 */
#include "queue/remote.h"

#include <stdlib.h>

#define TICKETS_MAX 2000

static uint32_t
number_of(const struct path *p)
{
	return crc_add(0, p->dest->key, strlen(p->dest->key));
}

void
ticket_forget(struct manager *q, struct dest_group *g)
{
	if (g->ticket == NULL)
		return;
	explicit_bzero(g->ticket, g->ticket_len);
	free(g->ticket);
	g->ticket = NULL;
	q->remote->n_tickets--;
}

void
ticket_keep(struct manager *q, struct path *p, struct slice ticket)
{
	struct dest_group *g = p->group;

	ticket_forget(q, g);
	if (ticket.len == 0 || ticket.len > REMOTE_TICKET_MAX ||
	    q->remote->n_tickets >= TICKETS_MAX ||
	    (g->ticket = malloc(ticket.len)) == NULL)
		return;
	memcpy(g->ticket, ticket.p, ticket.len);
	g->ticket_len = (uint16_t)ticket.len;
	g->ticket_of = number_of(p);
	q->remote->n_tickets++;
}

void
ticket_take(struct manager *q, struct path *p, struct remote_route *r)
{
	struct dest_group *g = p->group;

	r->ticket_len = 0;
	if (g->ticket == NULL || g->ticket_of != number_of(p))
		return;
	memcpy(r->ticket, g->ticket, g->ticket_len);
	r->ticket_len = g->ticket_len;
	ticket_forget(q, g);
}
