/* fuzz_ipc.c - any bytes as a message between our own programs. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_auth.h"
#include "lib/proto_local.h"
#include "lib/proto_mailbox.h"
#include "lib/proto_queue.h"
#include "lib/proto_registry.h"
#include "lib/proto_spawn.h"

#include "tests/fuzz/must.h"

static unsigned char space[IPC_MAX];

/* Text that came over as one line is one line. */
static void
check_line(const char *s)
{
	must(strpbrk(s, "\r\n") == NULL);
}

static void
try_queue(struct unpacker *u)
{
	struct queue_mail m;

	if (queue_mail_unpack(u, &m) == -1)
		return;
	must(m.lane <= LANE_BULK);
	check_line(m.sender);
	check_line(m.envid);
	check_line(m.account);
	for (const char *p = m.trace; *p != '\0'; p++)
		must(*p != '\n' || p[1] == '\t');
}

static void
try_local(struct unpacker *u, struct packer *k)
{
	struct unpacker again_u, copy = *u;
	struct local_result r;
	struct local_job j, again;

	if (local_job_unpack(u, &j) == 0) {
		check_line(j.delivered_to);
		check_line(j.mailbox); /* a path only after addr_account() */
		local_job_pack(k, &j);
		unpack_init(&again_u, pack_slice(k));
		must(!k->bad && local_job_unpack(&again_u, &again) == 0);
		must(strcmp(j.mailbox, again.mailbox) == 0);
	}
	if (local_result_unpack(&copy, &r) == 0) {
		must(r.result <= QUEUE_PERMANENT);
		check_line(r.text);
	}
}

static void
try_auth(struct unpacker *u)
{
	struct auth_start s;

	if (auth_start_unpack(u, &s) == -1)
		return;
	check_line(s.mechanism);
	check_line(s.session);
	must(s.initial.len <= AUTH_MESSAGE_MAX);
}

static void
try_spawn(struct unpacker *u)
{
	struct unpacker copy = *u;
	struct spawn_mailbox m;
	struct spawn_pop3 s;

	if (spawn_mailbox_unpack(&copy, &m) == 0) {
		must(strchr(m.domain, '/') == NULL && m.domain[0] != '.');
		must(strchr(m.mailbox, '/') == NULL && m.mailbox[0] != '.');
		must(m.rights != 0 && m.rights <= BOX_RIGHTS);
		/* A whole domain is purged, or its numbers are asked for. */
		must(m.mailbox[0] != '\0' || m.rights == BOX_MAY_PURGE ||
		    m.rights == BOX_MAY_MEASURE);
	}
	if (spawn_pop3_unpack(u, &s) == -1)
		return;
	must(strchr(s.domain, '/') == NULL && s.domain[0] != '.');
	must(strchr(s.mailbox, '/') == NULL && s.mailbox[0] != '.');
	must(strchr(s.folder, '/') == NULL && s.folder[0] != '.');
	must(s.leftover.len <= SPAWN_LEFTOVER_MAX);
}

static void
try_registry(struct unpacker *u, struct packer *k)
{
	static struct registry_fields f, again;
	struct unpacker v;

	if (registry_fields_unpack(u, &f) == -1)
		return;
	must(f.n <= REGISTRY_FIELDS_MAX);
	registry_fields_pack(k, &f);
	unpack_init(&v, pack_slice(k));
	must(!k->bad && registry_fields_unpack(&v, &again) == 0);
	must(again.n == f.n);
	for (size_t i = 0; i < f.n; i++)
		must(slice_eq(f.v[i].value, again.v[i].value));
}

static void
try_strays(struct unpacker u, struct packer *k)
{
	struct box_strays s, again;
	struct unpacker v;

	if (box_strays_unpack(&u, &s) == -1)
		return;
	check_line(s.address);
	check_line(s.hostname);
	must(s.days != 0);
	box_strays_pack(k, &s);
	unpack_init(&v, pack_slice(k));
	must(!k->bad && box_strays_unpack(&v, &again) == 0);
	must(again.days == s.days && strcmp(again.zone, s.zone) == 0);
}

static void
try_mailbox(struct unpacker *u, struct packer *k)
{
	struct packer own = *k;
	struct box_message m, again;
	struct box_headers h;
	struct unpacker v;

	try_strays(*u, &own);
	if (box_message_unpack(u, &m) == -1)
		return;
	must(strchr(m.folder, '/') == NULL && strstr(m.folder, "..") == NULL);
	must(m.folder[0] == '\0' || m.folder[0] == '.');
	must(strpbrk(m.unique, "/:,\n ") == NULL && m.unique[0] != '.');
	must(strspn(m.flags, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz") == strlen(m.flags));
	must(m.size <= BOX_SIZE_MAX && m.time >= 0);
	box_message_pack(k, &m);
	unpack_init(&v, pack_slice(k));
	must(!k->bad && box_message_unpack(&v, &again) == 0);
	must(strcmp(m.unique, again.unique) == 0 && m.time == again.time);
	box_headers_unpack(u, &h);
	must(h.subject.len <= BOX_HEADER_MAX);
}

/* The first byte chooses the protocol. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpacker u;
	struct packer k;

	if (size == 0)
		return 0;
	unpack_init(&u, slice_make(data + 1, size - 1));
	pack_init(&k, space, sizeof(space));
	switch (data[0] % 6) {
	case 0:
		try_queue(&u);
		break;
	case 1:
		try_local(&u, &k);
		break;
	case 2:
		try_auth(&u);
		break;
	case 3:
		try_spawn(&u);
		break;
	case 4:
		try_registry(&u, &k);
		break;
	case 5:
		try_mailbox(&u, &k);
		break;
	}
	return 0;
}
