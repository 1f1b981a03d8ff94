/* children.h - who is being served: limits in all and per client address. */
#ifndef LIB_CHILDREN_H
#define LIB_CHILDREN_H
/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include "lib/addr.h"

struct child {
	pid_t pid;
	struct ip host;
};

struct children {
	struct child *v;
	size_t n, max, per_host;
};

enum children_verdict {
	CHILDREN_OK,
	CHILDREN_FULL,
	CHILDREN_HOST_FULL
};

/* 0, or -1 with errno. */
int children_init(struct children *c, size_t max, size_t per_host)
    __attribute__((warn_unused_result));
void children_free(struct children *c);
/* May one more from host be served? */
enum children_verdict children_ask(const struct children *c,
    const struct ip *host);
/* After CHILDREN_OK only. */
void children_add(struct children *c, pid_t pid, const struct ip *host);
/* An unknown pid is ignored. */
void children_remove(struct children *c, pid_t pid);

#endif
