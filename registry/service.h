/* service.h - the loop of malle-registryd. */
#ifndef REGISTRY_SERVICE_H
#define REGISTRY_SERVICE_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

struct service_fds {
	int listening;
	int auth;		/* the pair to malle-authd; -1: none */
	int etc;		/* the folder with the groups */
};

/*
 * Serves the listening socket and the pairs until SIGTERM; SIGHUP reads the
 * administrators' group again. What is
 * stale at the start is compiled first, then proc_ready(). Returns the exit
 * status.
 */
int service_run(struct registry *r, const struct service_fds *fds);

#endif
