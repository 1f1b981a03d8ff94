/* proto_auth.c - how a session asks malle-authd about a login. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_auth.h"

#include <errno.h>

#include "lib/proto_spawn.h"

void
auth_start_pack(struct packer *k, const struct auth_start *s)
{
	pack_u16(k, AUTH_PROTOCOL);
	pack_u8(k, (uint8_t)s->service);
	pack_bytes(k, slice_of(s->mechanism));
	pack_bytes(k, slice_of(s->client));
	pack_bytes(k, slice_of(s->session));
	pack_u8(k, s->tls);
	pack_u8(k, s->has_initial);
	pack_bytes(k, s->initial);
	pack_bytes(k, s->tls_exporter);
	pack_bytes(k, s->tls_endpoint);
	pack_u8(k, s->utf8);
	pack_bytes(k, s->leftover);
}

static bool
take_bool(struct unpacker *u)
{
	uint8_t v = unpack_u8(u);

	if (v > 1)
		u->bad = true;
	return v == 1;
}

int
auth_start_unpack(struct unpacker *u, struct auth_start *out)
{
	struct auth_start s;
	uint8_t service;

	if (unpack_u16(u) != AUTH_PROTOCOL)
		return -1;
	service = unpack_u8(u);
	s.service = (enum auth_service)service;
	unpack_cstr(u, s.mechanism, sizeof(s.mechanism));
	unpack_cstr(u, s.client, sizeof(s.client));
	unpack_cstr(u, s.session, sizeof(s.session));
	s.tls = take_bool(u);
	s.has_initial = take_bool(u);
	s.initial = unpack_bytes(u, AUTH_MESSAGE_MAX);
	s.tls_exporter = unpack_bytes(u, 32);
	s.tls_endpoint = unpack_bytes(u, 64);
	s.utf8 = take_bool(u);
	s.leftover = unpack_bytes(u, SPAWN_LEFTOVER_MAX);
	if (!unpack_end(u) || (service != AUTH_SMTP && service != AUTH_POP3) ||
	    (s.tls_exporter.len != 0 && s.tls_exporter.len != 32))
		return -1;
	*out = s;
	return 0;
}

static int
take_reply(struct ipc_msg *m, struct auth_reply *out)
{
	uint8_t reason;

	switch (m->type) {
	case AUTH_CONTINUE:
		out->challenge = unpack_bytes(&m->body, AUTH_MESSAGE_MAX);
		break;
	case AUTH_OK:
		unpack_cstr(&m->body, out->account, sizeof(out->account));
		break;
	case AUTH_NO:
		reason = unpack_u8(&m->body);
		if (reason > AUTH_NO_MECHANISM)
			m->body.bad = true;
		out->reason = (enum auth_reason)reason;
		unpack_cstr(&m->body, out->text, sizeof(out->text));
		break;
	case AUTH_TAKEN:
		break;
	default:
		m->body.bad = true;
	}
	out->type = (enum auth_type)m->type;
	if (unpack_end(&m->body))
		return 0;
	errno = EBADMSG;
	return -1;
}

static int
receive(int fd, void *space, struct auth_reply *out)
{
	struct ipc_msg m;
	int r = ipc_recv(fd, space, &m);

	if (r == 0)
		errno = ECONNRESET;
	if (r != 1)
		return -1;
	ipc_close_fds(&m);
	return take_reply(&m, out);
}

int
auth_begin(int fd, const struct auth_start *s, int client_fd, void *space,
    struct auth_reply *out)
{
	struct packer k;

	pack_init(&k, space, IPC_MAX);
	auth_start_pack(&k, s);
	if (ipc_send(fd, AUTH_START, &k, &client_fd, client_fd != -1) == -1)
		return -1;
	explicit_bzero(space, k.len);
	return receive(fd, space, out);
}

int
auth_respond(int fd, struct slice response, struct slice leftover, void *space,
    struct auth_reply *out)
{
	struct packer k;

	pack_init(&k, space, IPC_MAX);
	pack_bytes(&k, response);
	pack_bytes(&k, leftover);
	if (ipc_send(fd, AUTH_RESPONSE, &k, NULL, 0) == -1)
		return -1;
	explicit_bzero(space, k.len);
	return receive(fd, space, out);
}
