/* account.h - what the compiled tables hold: domains, addresses, secrets. */
#ifndef LIB_ACCOUNT_H
#define LIB_ACCOUNT_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <sys/types.h>

#include "lib/addr.h"
#include "lib/table.h"
#include "lib/zone.h"

/*
 * A record is one version byte and then fields: tag (8 bits), length (32 bits),
 * bytes. A reader skips tags that it does not know and refuses another version.
 * Values read back are trusted no more than the network: the decoders check
 * every length, range and name.
 */
#define ACCOUNT_VERSION 1
#define TARGETS_MAX 1000
#define QUOTA_WARNING 90	/* percent, where a record does not say */

enum account_state {
	ACCOUNT_ACTIVE,
	ACCOUNT_SUSPENDED,	/* try later: 4yz */
	ACCOUNT_DISABLED	/* refused: 5yz */
};

/* tables/domains.cdb: key: the domain, canonical. */
struct domain_record {
	enum account_state state;
	uid_t uid;		/* owner of its mailboxes */
	char language[3];	/* "fr" or "en" */
	char alias_of[ADDR_DOMAIN_MAX + 1];	/* "" or the main domain */
	/* Mail to names that do not exist: "" is refused, "discard" thrown away,
	 * "name@domain" goes there, "@domain" to the same name there. */
	char catch_all[ADDR_TEXT_MAX];
	/* Suspended: from then on senders are refused (wall clock, s); 0: never */
	int64_t refuse_from;
	/* Messages that all of its accounts together may send in a day; 0: any */
	uint64_t messages_day;
	/* The customer that owns it ("": none), and the same for all it owns */
	char client[ADDR_LOCAL_MAX + 1];
	uint64_t client_messages_day;
	/* Percent of a quota above which its owner is warned; 0: never */
	uint8_t quota_warning;
	/* The rule of its clocks (lib/zone.h); "": those of this machine */
	char zone[ZONE_RULE_MAX];
};

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_ALIAS,		/* goes to its targets, nothing is kept */
	ADDRESS_ROBOT		/* answers; its targets, if any, get a copy */
};

/* tables/domains/<domain>.cdb: key: the account's local part, canonical. */
struct address_record {
	enum address_kind kind;
	enum account_state state;
	uint64_t quota_bytes;	/* 0: no limit */
	uint64_t quota_messages;
	/* Full addresses, one after the other, LF between: where an alias leads,
	 * a mailbox forwards to, or a robot's copies go. */
	struct slice targets;
	bool keep;		/* mailbox: a copy of what is forwarded stays */
	bool discard;		/* mailbox: nothing is kept */
	struct slice folder;	/* mailbox: its folder, when not its name */
	/* Who may write to it: empty is everybody, "domain" its own domain, else
	 * addresses and "@domain"s, LF between */
	struct slice senders;
	/* It answers (a robot, a vacation) from then until then (wall clock, s;
	 * until 0: for ever); what it says is tables_answer()'s. */
	bool answers;
	int64_t answer_from, answer_until;
	/* What its owner may send in an hour; 0: as malleposte.conf says */
	uint64_t messages_hour, recipients_hour;
};

/* tables/domains/<domain>.cdb: key: "answer/" and the account's local part. */
struct answer_record {
	struct slice subject, text;	/* UTF-8; text with LF line ends */
	struct slice full_name;		/* of the person; or empty */
	uint32_t days;		/* before a sender is answered again; 0: once */
};
#define ANSWER_KEY "answer/"

/* auth/<domain>.cdb: key as above. Only malle-authd can read it. */
struct secret_record {
	uid_t uid;
	enum account_state state;
	bool may_pop3, may_smtp;
	struct slice folder;		/* of its mailbox, when not its name */
	struct slice hash;		/* crypt(3) string; empty: no password */
	uint32_t scram_iterations;	/* 0: no SCRAM keys */
	struct slice scram_salt, scram_stored, scram_server; /* 32-byte keys */
	struct slice apps;		/* lib/app_password.h; or empty */
	bool app_only;			/* hash and SCRAM keys open no service */
};

/* tables/access.cdb: key: "A/BITS" as ip_text gives it, BITS in the 128-bit
 * form; the value says what such a host may do. */
struct access_record {
	bool may_relay;
	struct slice owner;	/* who answers for the host; or empty */
	uint64_t messages_hour;	/* that it may send; 0: any number */
	/* The same of an owner that is a customer, in a day */
	uint64_t owner_messages_day;
	unsigned bits;		/* not stored: of the key that matched */
};

struct packer;
/* Encode; the packer's sticky error tells of lack of room. */
void domain_record_pack(struct packer *k, const struct domain_record *d);
void address_record_pack(struct packer *k, const struct address_record *a);
void secret_record_pack(struct packer *k, const struct secret_record *s);
void answer_record_pack(struct packer *k, const struct answer_record *a);
void access_record_pack(struct packer *k, const struct access_record *a);
/* Decode; slices point into value. 0, or -1 (EBADMSG), *out untouched. */
int domain_record_unpack(struct slice value, struct domain_record *out)
    __attribute__((warn_unused_result));
int address_record_unpack(struct slice value, struct address_record *out)
    __attribute__((warn_unused_result));
int secret_record_unpack(struct slice value, struct secret_record *out)
    __attribute__((warn_unused_result));
int answer_record_unpack(struct slice value, struct answer_record *out)
    __attribute__((warn_unused_result));
int access_record_unpack(struct slice value, struct access_record *out)
    __attribute__((warn_unused_result));

/*
 * The tables below public/tables as a session or the queue sees them. Tables
 * of domains are opened when first asked for, a few are kept.
 */
#define TABLES_KEPT 16
struct tables {
	int dirfd;		/* public/tables; borrowed */
	struct table domains;
	struct table access;
	struct {
		char domain[ADDR_DOMAIN_MAX + 1];
		struct table addresses;
		uint64_t used;	/* clock of last use */
	} kept[TABLES_KEPT];
	uint64_t clock;
};

/* Opens domains.cdb and access.cdb below dirfd, which must outlive t. 0 or -1. */
int tables_open(struct tables *t, int dirfd) __attribute__((warn_unused_result));
/* Notices tables that were replaced. Cheap (a stat each): call it when a
 * session or a message begins. 0, or -1 with errno: what is open stays in use. */
int tables_refresh(struct tables *t) __attribute__((warn_unused_result));
void tables_close(struct tables *t);

/* 1 found, 0 not ours, -1 with errno. alias_of is not followed. */
int tables_domain(struct tables *t, const char *domain,
    struct domain_record *out) __attribute__((warn_unused_result));
/* domain must be a main domain. Slices in *out are valid until the next call. */
int tables_address(struct tables *t, const char *domain, const char *account,
    struct address_record *out) __attribute__((warn_unused_result));
/* What an account answers; as above. */
int tables_answer(struct tables *t, const char *domain, const char *account,
    struct answer_record *out) __attribute__((warn_unused_result));
/* The most specific record that matches ip: 1, 0, -1. Slices as above. */
int tables_access(struct tables *t, const struct ip *ip,
    struct access_record *out) __attribute__((warn_unused_result));

#endif
