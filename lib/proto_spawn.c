/* proto_spawn.c - what other programs ask of malle-spawn. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_spawn.h"

#include "lib/proto_mailbox.h"

void
spawn_pop3_pack(struct packer *k, const struct spawn_pop3 *s)
{
	pack_bytes(k, slice_of(s->domain));
	pack_u32(k, s->uid);
	pack_bytes(k, slice_of(s->mailbox));
	pack_bytes(k, slice_of(s->folder));
	pack_bytes(k, slice_of(s->session));
	pack_bytes(k, slice_of(s->client));
	pack_u8(k, s->utf8);
	pack_bytes(k, s->leftover);
}

int
spawn_pop3_unpack(struct unpacker *u, struct spawn_pop3 *out)
{
	struct slice domain, mailbox, folder, session, client;
	struct spawn_pop3 s;
	uint8_t utf8;

	domain = unpack_text(u, ADDR_DOMAIN_MAX);
	s.uid = unpack_u32(u);
	mailbox = unpack_text(u, ADDR_LOCAL_MAX);
	folder = unpack_text(u, ADDR_LOCAL_MAX);
	session = unpack_text(u, sizeof(s.session) - 1);
	client = unpack_text(u, sizeof(s.client) - 1);
	utf8 = unpack_u8(u);
	s.leftover = unpack_bytes(u, SPAWN_LEFTOVER_MAX);
	/* Domain and folder become paths: only canonical names pass. */
	if (!unpack_end(u) || utf8 > 1 ||
	    addr_domain(domain, s.domain) == -1 ||
	    addr_account(mailbox, s.mailbox) == -1 ||
	    addr_account(folder, s.folder) == -1 ||
	    !slice_eq(domain, slice_of(s.domain)) ||
	    !slice_eq(mailbox, slice_of(s.mailbox)) ||
	    !slice_eq(folder, slice_of(s.folder)) ||
	    slice_to_cstr(session, s.session, sizeof(s.session)) == -1 ||
	    slice_to_cstr(client, s.client, sizeof(s.client)) == -1)
		return -1;
	s.utf8 = utf8 == 1;
	*out = s;
	return 0;
}

void
spawn_mailbox_pack(struct packer *k, const struct spawn_mailbox *s)
{
	pack_bytes(k, slice_of(s->domain));
	pack_u32(k, s->uid);
	pack_bytes(k, slice_of(s->mailbox));
	pack_u32(k, s->rights);
	pack_u64(k, s->quota_bytes);
	pack_u64(k, s->quota_messages);
}

int
spawn_mailbox_unpack(struct unpacker *u, struct spawn_mailbox *out)
{
	struct slice domain, mailbox;
	struct spawn_mailbox s;

	domain = unpack_text(u, ADDR_DOMAIN_MAX);
	s.uid = unpack_u32(u);
	mailbox = unpack_text(u, ADDR_LOCAL_MAX);
	s.rights = unpack_u32(u);
	s.quota_bytes = unpack_u64(u);
	s.quota_messages = unpack_u64(u);
	s.mailbox[0] = '\0';
	/* Both become paths: only canonical names pass. */
	if (!unpack_end(u) || addr_domain(domain, s.domain) == -1 ||
	    !slice_eq(domain, slice_of(s.domain)) ||
	    (mailbox.len > 0 && addr_account(mailbox, s.mailbox) == -1) ||
	    !slice_eq(mailbox, slice_of(s.mailbox)) || s.rights == 0 ||
	    s.rights > BOX_RIGHTS || s.quota_bytes > INT64_MAX ||
	    s.quota_messages > INT64_MAX ||
	    (mailbox.len == 0 && s.rights != BOX_MAY_PURGE &&
	    s.rights != BOX_MAY_MEASURE))
		return -1;
	*out = s;
	return 0;
}
