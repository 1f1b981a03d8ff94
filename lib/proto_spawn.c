/* proto_spawn.c - what malle-queued and malle-authd ask of malle-spawn. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_spawn.h"

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
