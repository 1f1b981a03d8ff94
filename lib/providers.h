/* providers.h - how big mail services want to be treated: malle-providers(5). */
#ifndef LIB_PROVIDERS_H
#define LIB_PROVIDERS_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_queue.h"
#include "lib/str.h"

#define PROVIDERS_FILE_MAX (1u << 20)
#define PROVIDER_NAME_MAX 31

/* What a reply means, whatever its class says. */
enum meaning {
	MEANING_NONE,		/* what its code says */
	MEANING_RETRY,		/* later: nobody's fault */
	MEANING_SLOW_DOWN,	/* too many connections or messages from us */
	MEANING_BLOCKED,	/* our address is refused, not the mailbox */
	MEANING_GREYLISTED,
	MEANING_NO_SUCH_USER,
	MEANING_MAILBOX_FULL,
	MEANING_SPAM,		/* this content */
	MEANING_AUTH,		/* SPF, DKIM, DMARC, PTR, TLS of ours */
	MEANINGS
};

struct reply_rule {
	char code[4];		/* "421", a beginning as "5", or "" */
	char enhanced[12];	/* "4.7.28", or "" */
	char text[96];		/* fragment, any case; or "" */
	enum meaning meaning;
};

#define PROVIDER_PATTERNS_MAX 40
struct provider {
	char name[PROVIDER_NAME_MAX + 1];
	/* "mx.example.org", or ".example.org" with all that is below it */
	char mx[PROVIDER_PATTERNS_MAX][64];
	size_t n_mx;
	uint32_t connections;		/* at a time */
	uint32_t messages;		/* of one connection */
	uint32_t recipients;		/* of one message */
	uint32_t per_minute;		/* messages; 0: no limit */
	uint32_t slow_pause, blocked_pause;	/* s */
	struct reply_rule *rules;	/* in their order: the first one counts */
	size_t n_rules;
};

struct providers {
	struct provider *v;	/* v[0] is for everybody else ("*") */
	size_t n;
};

/* The table that is built in, which is also packaging/providers. */
struct slice providers_text(void);

/*
 * Reads a table. Mistakes are put into errors, one a line, with the number of
 * the line first. 0, or -1 with *out untouched.
 */
int providers_parse(struct slice text, struct providers *out,
    struct str *errors) __attribute__((warn_unused_result));
/* Reads the file name in a folder; the one that is built in when it is not
 * there. */
int providers_load(int dirfd, const char *name, struct providers *out,
    struct str *errors) __attribute__((warn_unused_result));
void providers_free(struct providers *p);

/* Whose host this is; the one for everybody else when nobody's. */
const struct provider *providers_of_host(const struct providers *p,
    const char *host);
const struct provider *providers_named(const struct providers *p,
    const char *name);

/* What a reply of this provider means; his own rules first, then those for
 * everybody. enhanced may be "". */
enum meaning providers_judge(const struct providers *p,
    const struct provider *v, uint16_t code, const char *enhanced,
    const char *text);

const char *meaning_name(enum meaning m);

#endif
