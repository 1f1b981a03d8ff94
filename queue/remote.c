/* remote.c - the tables of the remote sender, and its beginning. */
/* SPDX-License-Identifier: ISC */
#include "queue/remote.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/fsx.h"
#include "lib/log.h"

/* The folder of a table stays open over the chroot. */
static void
open_table(const char *path, struct table_file *out)
{
	const char *name = "";

	out->dirfd = fsx_open_parent(path, &name);
	snprintf(out->name, sizeof(out->name), "%s", name);
}

/* Each mistake is a line of the log. */
static void
complain(const char *what, struct str *errors)
{
	struct slice rest = str_slice(errors);

	while (rest.p != NULL) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.len > 0)
			log_error(NULL, "error", "what=%s line=%s hint=%s",
			    what, LOGQ(line), LOGS("malle check"));
	}
	str_clear(errors);
}

int
remote_prepare(struct manager *q)
{
	struct remote_state *s = q->remote = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	open_table(q->conf.providers, &s->providers_file);
	open_table(q->conf.routes, &s->routes_file);
	return 0;
}

size_t
remote_folders(const struct manager *q, int out[2])
{
	size_t n = 0;

	if (q->remote->providers_file.dirfd != -1)
		out[n++] = q->remote->providers_file.dirfd;
	if (q->remote->routes_file.dirfd != -1)
		out[n++] = q->remote->routes_file.dirfd;
	return n;
}

void
remote_reload(struct manager *q)
{
	struct remote_state *s = q->remote;
	struct str errors = STR_INIT(65536);
	struct providers providers;
	struct routes routes;

	if (providers_load(s->providers_file.dirfd, s->providers_file.name,
	    &providers, &errors) == 0) {
		providers_free(&s->providers);
		s->providers = providers;
		groups_reload(q);
		resolve_forget(q);
	} else
		complain("providers", &errors);
	if (routes_load(s->routes_file.dirfd, s->routes_file.name, &routes,
	    &errors) == 0) {
		routes_free(&s->routes);
		s->routes = routes;
	} else
		complain("routes", &errors);
	str_free(&errors);
}

int
remote_init(struct manager *q)
{
	struct remote_state *s = q->remote;
	struct str errors = STR_INIT(4096);
	int r;

	TAILQ_INIT(&s->carriers);
	TAILQ_INIT(&s->dead_carriers);
	TAILQ_INIT(&s->starving);
	if (groups_init(q) == -1 || resolve_init(q) == -1)
		return -1;
	/* What is built in serves until the file is right. */
	r = providers_parse(providers_text(), &s->providers, &errors);
	str_free(&errors);
	if (r == -1)
		return -1;
	routes_defaults(&s->routes);
	remote_reload(q);
	return 0;
}
