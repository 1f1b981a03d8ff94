/* routes.h - which way mail leaves: malle-routes(5). */
#ifndef LIB_ROUTES_H
#define LIB_ROUTES_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_remote.h"
#include "lib/str.h"

#define ROUTES_FILE_MAX (4u << 20)
#define ROUTES_FALLBACK_TIME 21600	/* s that a refusal is remembered */

/* How mail goes: by the MX hosts of its domain, or through a smarthost. */
struct route_target {
	bool is_smarthost;
	bool implicit_tls;
	bool has_tls;			/* tls was said, not the default */
	enum remote_tls tls;
	uint16_t port;
	uint32_t connections;		/* at a time; 0: the default */
	char host[ADDR_DOMAIN_MAX + 1];	/* a name, or "[192.0.2.1]" */
	char user[256], password[256];	/* "" both: no AUTH */
};

enum route_scope { ROUTE_TO, ROUTE_FROM, ROUTE_SCOPES };

struct route_row {
	enum route_scope scope;
	char domain[ADDR_DOMAIN_MAX + 1];
	bool is_suffix;			/* ".domain": what is below it */
	struct route_target target;
};

struct routes {
	struct route_row *rows;		/* sorted: scope, suffix, domain */
	size_t n;
	struct route_target all, fallback;
	bool has_fallback;
	uint32_t fallback_time;
};

/* Everything goes directly, with TLS where it works. */
void routes_defaults(struct routes *r);

/*
 * Reads the table. passwords is the folder of the files that password-file
 * names, or -1. Mistakes are put into errors, one a line, with the number of
 * the line first. 0, or -1 with *out untouched.
 */
int routes_parse(struct slice text, int passwords, struct routes *out,
    struct str *errors) __attribute__((warn_unused_result));

/* Reads the file name in a folder; one that is not there is an empty one. */
int routes_load(int dirfd, const char *name, struct routes *out,
    struct str *errors) __attribute__((warn_unused_result));
void routes_free(struct routes *r);

/*
 * The way of a message: what is said of the recipient's domain, else of the
 * sender's, else of all. Domains in lower case, "" is the null sender's.
 */
const struct route_target *routes_find(const struct routes *r,
    struct slice sender_domain, struct slice recipient_domain);

#endif
