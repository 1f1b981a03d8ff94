/* settle.c - makes a transaction durable and its tables visible. */
/* SPDX-License-Identifier: ISC */

#include "registry/settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/log.h"
#include "registry/compile.h"
#include "registry/journal.h"

static void
die(const char *what)
{
	log_error(NULL, "fatal", "what=%s error=%s", what,
	    LOGS(strerror(errno)));
	exit(EX_OSERR);		/* the next start recovers and compiles */
}

int
settle(struct registry *r, bool lazy)
{
	int result;

	if (compile_stage(r) == -1) {
		log_error(NULL, "compile", "error=%s", LOGS(strerror(errno)));
		store_abort(r->store);
		compile_discard(r);
		return -1;
	}
	result = lazy && r->stale_n == 0 && r->journal_text.len == 0 ?
	    store_commit_lazy(r->store) : store_commit(r->store);
	if (result == -1) {
		/* A sync that failed is never tried again: what is on the
		 * disk is known by recovery only. A full disk kept all out. */
		if (errno != ENOSPC && errno != ENOMEM)
			die("store");
		log_error(NULL, "commit", "error=%s", LOGS(strerror(errno)));
		compile_discard(r);
		return -1;
	}
	if (compile_publish(r) == -1)
		die("publish");
	journal_flush(r);
	return 0;
}

int
settle_at_start(struct registry *r)
{
	if (store_begin(r->store) == -1)
		return -1;
	/* The access table tells when its next permission ends. */
	if (compile_tidy(r) == -1 || compile_find_stale(r, false) == -1 ||
	    registry_stale(r, "", STALE_ACCESS) == -1) {
		store_abort(r->store);
		return -1;
	}
	if (r->stale_n > 1)
		log_notice(NULL, "stale", "domains=%zu", r->stale_n - 1);
	return settle(r, false);
}
