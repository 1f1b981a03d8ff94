/* op_sent.c - what an account, a domain or a customer has sent. */
/* SPDX-License-Identifier: ISC */

/*
 * malle-queued counts, the registry decides who may know: it gives the name in
 * the counters to malle-queued with one end of a pair, and the verdict carries
 * the other. Nobody waits here.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "registry/operation.h"

/* The counters of a domain are those of its main domain. */
static enum registry_result
judge_counted(struct request *q, const struct object *o)
{
	if (o->kind != &kind_domain || object_get(o, "alias-of").p == NULL)
		return REGISTRY_OK;
	return say(q, REGISTRY_INVALID,
	    "%s is another name of %.*s, which has the counts.",
	    "%s est un autre nom de %.*s, qui a les compteurs.", o->name,
	    SLICE_FMT(object_get(o, "alias-of")));
}

static enum registry_result
ask_queue(struct request *q, const struct object *o)
{
	unsigned char space[REGISTRY_SENT_MAX + 8];
	char name[ADDR_TEXT_MAX + 2];
	struct packer k;

	snprintf(name, sizeof(name), "%s%s", o->kind == &kind_domain ? "@" :
	    o->kind == &kind_client ? "=" : "", o->name);
	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(name));
	if (q->give_fd > 0)
		close(q->give_fd);
	q->give_fd = 0;
	errno = ENOTCONN;
	if (q->r->queue_fd != -1)
		q->give_fd = ipc_send_pair(q->r->queue_fd, REG_SENT, &k);
	if (q->give_fd > 0)
		return REGISTRY_OK;
	q->give_fd = 0;
	return say(q, REGISTRY_TEMPORARY,
	    "malle-queued cannot be asked now (%s). Does it run? "
	    "malle-start --status", "malle-queued ne peut pas être interrogé "
	    "(%s). Tourne-t-il ? malle-start --status", strerror(errno));
}

enum registry_result
op_sent(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object o;

	result = fetch_named(q, q->op->kind, &bytes, &o);
	if (result == REGISTRY_OK)
		result = judge_counted(q, &o);
	if (result == REGISTRY_OK)
		result = ask_queue(q, &o);
	str_wipe(&bytes);
	return result;
}
