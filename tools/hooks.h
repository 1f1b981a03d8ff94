/* hooks.h - what the files of malle-hooks share. */
#ifndef TOOLS_HOOKS_H
#define TOOLS_HOOKS_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>

#include "lib/str.h"

#define HOOK_NAME_MAX 64
#define HOOKS_MAX 64		/* in one folder */
#define HOOK_OUTPUT 300		/* bytes of its output that are kept */
#define CHANGE_MAX (1u << 20)	/* bytes of one change */
#define CHANGES_MAX 64		/* of one answer */

struct change {
	uint64_t id;
	struct str json;
};

struct changes {
	struct change v[CHANGES_MAX];
	size_t n;
	uint64_t last;		/* id of the newest that there is */
};

/* hooks_feed.c: asks the registry, on a connection of its own. Those after an
 * id, oldest first; ask_last: only the newest id. 0, or -1 when the registry
 * cannot be asked now (logged when that is new). */
int feed_ask(const char *socket, uint64_t after, bool ask_last,
    struct changes *out) __attribute__((warn_unused_result));
void feed_free(struct changes *c);

struct hook_run {
	const char *folder;	/* of the programs, absolute */
	const char *work;	/* where they are when they begin, absolute */
	int64_t milliseconds;	/* that each may take */
	int signals;		/* signalfd of what ends us */
	bool is_separate;	/* their uid is nobody else's */
};

enum hook_result {
	HOOK_ENDED,		/* by itself: status */
	HOOK_KILLED,		/* by a signal: status is its number */
	HOOK_TOO_LONG,
	HOOK_NOT_RUN,		/* no process, no memory: status is errno */
	HOOK_STOPPED		/* we are told to end: it was not let finish */
};

struct hook_outcome {
	enum hook_result result;
	int status;
	int64_t milliseconds;
	char output[HOOK_OUTPUT + 1];	/* its first bytes */
};

/* hooks_run.c: runs one program over one change, and waits for it. */
void hook_run(const struct hook_run *r, const char *name,
    const struct change *change, struct hook_outcome *out);

#endif
