/* domain_uid.c - the user number of each domain: never one that another had. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/num.h"
#include "registry/operation.h"

#define UID_NEXT SLICE("meta/uid-next")

static int
write_uid_next(struct registry *r, uint64_t next)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, next);
	return store_put(r->store, UID_NEXT, slice_of(text));
}

static int
read_uid_next(struct registry *r, uint64_t *next)
{
	struct str bytes = STR_INIT(4096);
	int found = store_get(r->store, UID_NEXT, &bytes);

	*next = 0;
	if (found == 1 && num_parse(str_slice(&bytes), 0, UINT32_MAX,
	    next) == -1) {
		errno = EBADMSG;
		found = -1;
	}
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

enum registry_result
next_uid(struct request *q, uint64_t *uid)
{
	uint64_t first = q->r->conf.domain_uid_first;
	uint64_t last = q->r->conf.domain_uid_last, next;

	if (read_uid_next(q->r, &next) == -1)
		return say_failed(q);
	if (next < first || first == last)
		next = first;
	if (next > last)
		return say(q, REGISTRY_INVALID,
		    "No user number is left for another domain: set "
		    "domain_uid_last higher in the configuration.",
		    "Il ne reste pas de numéro d'utilisateur pour un autre "
		    "domaine : augmentez domain_uid_last dans la "
		    "configuration.");
	if (first != last && write_uid_next(q->r, next + 1) == -1)
		return say_failed(q);
	*uid = next;
	return REGISTRY_OK;
}

int
keep_uid(struct registry *r, uint64_t uid)
{
	uint64_t next;

	/* One of another machine's range will not be given out here. */
	if (r->conf.domain_uid_first == r->conf.domain_uid_last ||
	    uid < r->conf.domain_uid_first || uid > r->conf.domain_uid_last)
		return 0;
	if (read_uid_next(r, &next) == -1)
		return -1;
	return uid < next ? 0 : write_uid_next(r, uid + 1);
}
