/* service.h - the loop of malle-registryd. */
#ifndef REGISTRY_SERVICE_H
#define REGISTRY_SERVICE_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

/*
 * Serves the listening socket and the pair to malle-authd (-1: none) until
 * SIGTERM; SIGHUP reads the administrators' group again from etc_fd. What is
 * stale at the start is compiled first, then proc_ready(). Returns the exit
 * status.
 */
int service_run(struct registry *r, int listen_fd, int auth_fd, int etc_fd);

#endif
