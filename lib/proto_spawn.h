/* proto_spawn.h - what other programs ask of malle-spawn. */
#ifndef LIB_PROTO_SPAWN_H
#define LIB_PROTO_SPAWN_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/ipc.h"

/*
 * SOCK_SEQPACKET pairs made by malle-start, one from each of malle-queued,
 * malle-authd and malle-registryd. Requests are not answered: whoever asks
 * sends a descriptor along, and sees it closed when nothing came of it. So
 * either side may die and come back at any time.
 *
 * malle-spawn takes the uid from the owner of mail/<domain>, which must be in
 * the range of the configuration; the uid in a request must be the same one,
 * and is used only to make the folder of a new domain.
 */
enum spawn_type {
	/* from malle-queued, with the worker's end of a pair for proto_local.h */
	SPAWN_LOCAL = 1,	/* text domain, u32 uid */
	/* from malle-authd, with two descriptors: the client, and the
	 * connection on which the login process waits for AUTH_TAKEN */
	SPAWN_POP3,		/* struct spawn_pop3 */
	/* from malle-registryd, with the end of a pair for proto_mailbox.h */
	SPAWN_MAILBOX,		/* struct spawn_mailbox */
	/* from malle-registryd, without a descriptor: the folder of a domain
	 * that was purged goes, if it is empty */
	SPAWN_FORGET		/* text domain */
};

#define SPAWN_LEFTOVER_MAX 8192

struct spawn_pop3 {
	char domain[ADDR_DOMAIN_MAX + 1];
	uint32_t uid;
	char mailbox[ADDR_LOCAL_MAX + 1];	/* the account, for the log */
	char folder[ADDR_LOCAL_MAX + 1];	/* below the domain's */
	char session[48];	/* for the log */
	char client[IP_TEXT_MAX];
	bool utf8;		/* UTF8 was asked for before login */
	struct slice leftover;	/* input read but not yet obeyed */
};

struct spawn_mailbox {
	char domain[ADDR_DOMAIN_MAX + 1];
	uint32_t uid;
	char mailbox[ADDR_LOCAL_MAX + 1];	/* "": all, to be measured or purged */
	uint32_t rights;	/* enum box_right */
	uint64_t quota_bytes, quota_messages;	/* for what is written; 0: any */
};

void spawn_mailbox_pack(struct packer *k, const struct spawn_mailbox *s);
int spawn_mailbox_unpack(struct unpacker *u, struct spawn_mailbox *out)
    __attribute__((warn_unused_result));
void spawn_pop3_pack(struct packer *k, const struct spawn_pop3 *s);
int spawn_pop3_unpack(struct unpacker *u, struct spawn_pop3 *out)
    __attribute__((warn_unused_result));

#endif
