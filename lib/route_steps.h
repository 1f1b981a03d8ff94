/* route_steps.h - the addresses that a walk over the tables came to. */
#ifndef LIB_ROUTE_STEPS_H
#define LIB_ROUTE_STEPS_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/route.h"

enum step_state { STEP_OPEN, STEP_UNDECIDED, STEP_LEADS, STEP_DEAD };

struct step {
	char text[ADDR_TEXT_MAX];	/* account@domain */
	uint32_t hash;
	enum step_state state;
	bool is_mailbox;
	/* open: its own place; undecided: that of the first of its circle, as
	 * far as it is known (Tarjan's strongly connected components) */
	size_t first;
};

struct steps {
	struct step *v;
	size_t n, cap;
	uint32_t *seen;		/* hash table: place in v + 1 */
	size_t nseen;		/* its size, a power of two */
	size_t *undecided;	/* places in v */
	size_t nundecided;
};

/* Comes to an address: *step is its place, *is_new says whether for the first
 * time. ROUTE_OK, ROUTE_TOO_MANY, or ROUTE_TEMPORARY without memory. Pointers
 * into s->v are good until the next call. */
enum route_verdict steps_visit(struct steps *s, const char *local,
    const char *domain, size_t *step, bool *is_new);
void steps_free(struct steps *s);

#endif
