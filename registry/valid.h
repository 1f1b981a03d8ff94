/* valid.h - judges of attribute values; see attribute_valid in schema.h. */
#ifndef REGISTRY_VALID_H
#define REGISTRY_VALID_H
/* SPDX-License-Identifier: ISC */

#include "registry/schema.h"

/* "active", "suspended" or "disabled". */
attribute_valid valid_state;
/* "fr" or "en". */
attribute_valid valid_language;
/* "yes" or "no". */
attribute_valid valid_switch;
/* Bytes, with k, M or G; kept as digits. */
attribute_valid valid_size;
attribute_valid valid_count;
attribute_valid valid_percent;
/* One line of UTF-8 without control characters. */
attribute_valid valid_line;
attribute_valid valid_domain;
/* Domains, or kinds of objects ("all", "none"), separated as addresses are;
 * kept one a line. */
attribute_valid valid_domains;
attribute_valid valid_kinds;
/* What owners are granted (grant_words.c): words, "all", "none", "all -word". */
attribute_valid valid_grants;
/* The mask of such a list; -1: it has another word, or none at all. */
int grants_mask(struct slice list, unsigned *out);
/* The words of a mask with separators, in out[GRANTS_TEXT_MAX]. */
#define GRANTS_TEXT_MAX 200
void grants_words(unsigned mask, char separator, char *out);
/* "everybody", "domain", or addresses and "@domain"s. */
attribute_valid valid_senders;
/* "refuse", "discard", an address, or "@domain". */
attribute_valid valid_catch_all;
/* A size of a mailbox: at most QUOTA_MAX, so that sums do not overflow. */
#define QUOTA_MAX ((uint64_t)1 << 43)
attribute_valid valid_quota;
/* Lines of UTF-8 text. */
attribute_valid valid_body;
/* As valid_time, or "now". */
attribute_valid valid_moment;
/* Names that a domain must have: postmaster is always the first. */
attribute_valid valid_locals;
/* A name of the time zone database, such as Europe/Paris. */
attribute_valid valid_zone;
/* The name of a policy of the spam filter. */
attribute_valid valid_policy;
/* The name of a manager, a customer, or a mailbox's folder. */
attribute_valid valid_login;
/* A mailbox or a customer. */
attribute_valid valid_owner;
attribute_valid valid_uid;
/* A crypt(3) string that malle-authd can verify, or a locked one. */
attribute_valid valid_hash;
attribute_valid valid_scram;
/* "allowed", "required" or "off". */
attribute_valid valid_apps;
/* Application passwords (lib/app_password.h), and when they were used: lines of
 * seconds and a name. */
attribute_valid valid_app_hashes, valid_app_used;
/* "2026-11-21T22:35:01Z", or a day: "2026-11-21". */
attribute_valid valid_time;
/* Addresses with spaces, commas, semicolons or line ends between them
 * (inventory 8-06); kept one a line, each once. */
attribute_valid valid_targets;

/* True when the line is one of a list that is kept so. */
bool list_has(struct slice list, struct slice line);
/* Puts the word that in is, case aside, to out; false: it is none of them. */
bool valid_word(struct slice in, const char *const *words, struct str *out);

/* The next address of such a list, quotes understood; .p NULL at the end. */
struct slice target_next(struct slice *rest);

/* What valid_time has accepted, as seconds; a day alone is its last one. */
int64_t time_of_text(struct slice text);

/* True for well-formed UTF-8 without control characters. */
bool is_line(struct slice s);

#endif
