/* conf.h - malleposte.conf: what the machine's administrator sets. */
#ifndef LIB_CONF_H
#define LIB_CONF_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <stdio.h>

#include "lib/addr.h"

#define CONF_PATH "/etc/malleposte/malleposte.conf"
#define CONF_LINE_MAX 4096
#define CONF_LISTEN_MAX 8

struct conf_listen {
	char host[IP_TEXT_MAX];	/* numeric; "" is every address */
	uint16_t port;
};

struct conf_listens {
	struct conf_listen v[CONF_LISTEN_MAX];
	size_t n;
};

struct conf_nets {
	struct { struct ip net; unsigned bits; } v[32];
	size_t n;
};

/* Every setting, with the name that it has in the file (man 5 malleposte.conf).
 * Times in seconds, sizes in bytes. */
struct conf {
	char hostname[ADDR_DOMAIN_MAX + 1];	/* our name in greetings */
	char base[1024];			/* data folder, absolute */
	char libexec[1024];			/* where our programs are */
	char log[1024];				/* "stderr", "syslog" or a file */
	char admin_group[64];			/* its members administer */
	char default_domain[ADDR_DOMAIN_MAX + 1]; /* of bare names; or "" */
	char postmaster[ADDR_MAX + 1];		/* double bounces; or "" */

	/* names or numbers of the users that programs run as */
	char user_net[64], user_queue[64], user_auth[64], user_tls[64];
	char user_remote[64], user_bounce[64], user_registry[64];
	char user_hook[64];
	uint64_t domain_uid_first, domain_uid_last;

	struct conf_listens smtp, submission, submissions, pop3, pop3s;
	struct conf_nets proxy_hosts;		/* may speak PROXY v2 to us */
	struct conf_nets repair_hosts;		/* bare LF is repaired for */
	bool auth_clear_on_loopback;		/* passwords without TLS there */

	uint64_t message_max;			/* bytes */
	uint64_t line_max;			/* bytes of a message's line */
	uint64_t recipients_max;
	uint64_t sessions_max, sessions_per_host;
	uint64_t messages_per_session;
	uint64_t errors_max;			/* wrong commands a session */
	uint64_t commands_idle_max;		/* commands without a message */
	uint64_t smtp_timeout, pop3_timeout;	/* one wait */
	uint64_t session_time_max;
	uint64_t min_rate;			/* bytes/s inside DATA */

	/* what an account may send in an hour; 0: any number */
	uint64_t outbound_messages_hour, outbound_recipients_hour;

	uint64_t queue_lifetime, delay_notice;
	uint64_t lifetime_transactional, lifetime_lists, lifetime_bulk;
	uint64_t retry_first, retry_max;
	uint64_t queue_free_min;		/* bytes kept free on the disk */
	uint64_t workers_max;			/* malle-local at a time */
	uint64_t worker_idle;			/* kept for so long */
	uint64_t restart_pause_max;		/* before what died starts */
	char resolver[64];			/* ADDRESS[:PORT]; "" the machine's */
	char authorities[1024];			/* file of CA certificates; or "" */
	uint64_t remote_port;			/* of MX hosts: 25 */
	uint64_t connect_timeout;
	char providers[1024], routes[1024];	/* tables, absolute paths */
	uint64_t reply_timeout;			/* of other servers */
	uint64_t sts_port;			/* of MTA-STS policies: 443 */
	char hooks[1024];			/* folder of programs; absolute */
	uint64_t hook_time;			/* that one of them may take */
	uint64_t password_cache;
	uint64_t password_min;			/* characters */
	uint64_t catch_all_days;		/* its mail is kept; 0: for ever */
};

/*
 * Reads path (NULL: CONF_PATH) over the defaults. Every mistake is written to
 * err as "PATH:LINE: what is wrong, what to do"; all of the file is looked at.
 * 0, or -1 with *c not to be used.
 */
int conf_load(struct conf *c, const char *path, FILE *err)
    __attribute__((warn_unused_result));
/* The same from an open file; path is what mistakes are told of. */
int conf_read(struct conf *c, FILE *f, const char *path, FILE *err)
    __attribute__((warn_unused_result));

/* Who gets what nobody else can be told, in out[cap]; "" and false: nobody. */
bool conf_postmaster(const struct conf *c, char *out, size_t cap);

/* base/name in out. 0, or -1 with errno ENAMETOOLONG. */
int conf_path(const struct conf *c, const char *name, char *out, size_t cap)
    __attribute__((warn_unused_result));

/* The table of settings on out, for the man page and malle check: name,
 * default, one line of explanation. */
void conf_describe(FILE *out);
/* The settings in force, as lines of the file. */
void conf_print(const struct conf *c, FILE *out);

/* True when ip is in one of the nets. */
bool conf_nets_match(const struct conf_nets *n, const struct ip *ip);

#endif
