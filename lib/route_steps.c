/* route_steps.c - the addresses that a walk over the tables came to. */
/* SPDX-License-Identifier: ISC */

#include "lib/route_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 20000		/* addresses of ours on the way */

static uint32_t
hash_text(const char *text)
{
	uint32_t h = 2166136261u;

	while (*text != '\0')
		h = (h ^ (unsigned char)*text++) * 16777619u;
	return h;
}

static int
grow(struct steps *s)
{
	size_t cap = s->cap == 0 ? 8 : 2 * s->cap, size = 2 * cap;
	uint32_t *seen = calloc(size, sizeof(*seen));
	struct step *steps = seen == NULL ? NULL :
	    reallocarray(s->v, cap, sizeof(*steps));
	size_t *undecided;

	if (steps != NULL)
		s->v = steps;
	undecided = steps == NULL ? NULL :
	    reallocarray(s->undecided, cap, sizeof(*undecided));
	if (undecided == NULL) {
		free(seen);
		return -1;
	}
	s->undecided = undecided;
	for (size_t i = 0; i < s->n; i++) {
		size_t at = steps[i].hash & (size - 1);

		while (seen[at] != 0)
			at = (at + 1) & (size - 1);
		seen[at] = (uint32_t)i + 1;
	}
	free(s->seen);
	s->seen = seen;
	s->nseen = size;
	s->cap = cap;
	return 0;
}

enum route_verdict
steps_visit(struct steps *s, const char *local, const char *domain, size_t *step,
    bool *is_new)
{
	char text[ADDR_TEXT_MAX];
	uint32_t hash;
	size_t at;

	snprintf(text, sizeof(text), "%s@%s", local, domain);
	hash = hash_text(text);
	if (s->n == STEPS_MAX)
		return ROUTE_TOO_MANY;
	if (s->n == s->cap && grow(s) == -1)
		return ROUTE_TEMPORARY;
	for (at = hash & (s->nseen - 1); s->seen[at] != 0;
	    at = (at + 1) & (s->nseen - 1)) {
		*step = s->seen[at] - 1;
		*is_new = false;
		if (s->v[*step].hash == hash &&
		    strcmp(s->v[*step].text, text) == 0)
			return ROUTE_OK;
	}
	*step = s->n++;
	*is_new = true;
	s->seen[at] = (uint32_t)*step + 1;
	memcpy(s->v[*step].text, text, sizeof(text));
	s->v[*step].hash = hash;
	s->v[*step].state = STEP_OPEN;
	s->v[*step].is_mailbox = false;
	s->v[*step].first = *step;
	return ROUTE_OK;
}

void
steps_free(struct steps *s)
{
	free(s->v);
	free(s->seen);
	free(s->undecided);
	*s = (struct steps){ 0 };
}
