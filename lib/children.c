/* children.c - who is being served: limits in all and per client address. */
/* SPDX-License-Identifier: ISC */

#include "lib/children.h"

#include <stdlib.h>

int
children_init(struct children *c, size_t max, size_t per_host)
{
	if ((c->v = reallocarray(NULL, max, sizeof(*c->v))) == NULL)
		return -1;
	c->n = 0;
	c->max = max;
	c->per_host = per_host;
	return 0;
}

void
children_free(struct children *c)
{
	free(c->v);
	c->v = NULL;
	c->n = c->max = 0;
}

enum children_verdict
children_ask(const struct children *c, const struct ip *host)
{
	size_t same = 0;

	if (c->n >= c->max)
		return CHILDREN_FULL;
	for (size_t i = 0; i < c->n; i++)
		same += ip_same_host(&c->v[i].host, host);
	return same >= c->per_host ? CHILDREN_HOST_FULL : CHILDREN_OK;
}

void
children_add(struct children *c, pid_t pid, const struct ip *host)
{
	c->v[c->n++] = (struct child){ pid, *host };
}

void
children_remove(struct children *c, pid_t pid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].pid == pid) {
			c->v[i] = c->v[--c->n];
			return;
		}
}
