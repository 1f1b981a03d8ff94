/* proto_remote.c - between malle-queued and malle-remote: look-ups, deliveries. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_remote.h"

static bool
take_bool(struct unpacker *u)
{
	uint8_t v = unpack_u8(u);

	if (v > 1)
		u->bad = true;
	return v == 1;
}

/* An enumerator that must not pass last. */
static unsigned
take_enum(struct unpacker *u, unsigned last)
{
	uint8_t v = unpack_u8(u);

	if (v > last) {
		u->bad = true;
		return 0;
	}
	return v;
}

/* Patterns are text with LF between them. */
static void
sts_mx_unpack(struct unpacker *u, char *out)
{
	struct slice s = unpack_bytes(u, STS_MX_MAX);

	if (slice_to_cstr(s, out, STS_MX_MAX + 1) == -1)
		u->bad = true;
}

static void
hosts_pack(struct packer *k, const struct remote_host *hosts, uint16_t n)
{
	pack_u16(k, n);
	for (uint16_t i = 0; i < n; i++) {
		pack_u16(k, hosts[i].preference);
		pack_u16(k, hosts[i].port);
		pack_bytes(k, slice_of(hosts[i].name));
	}
}

static uint16_t
hosts_unpack(struct unpacker *u, struct remote_host *hosts)
{
	uint16_t n = unpack_u16(u);

	if (n > REMOTE_HOSTS_MAX) {
		u->bad = true;
		return 0;
	}
	for (uint16_t i = 0; i < n; i++) {
		hosts[i].preference = unpack_u16(u);
		hosts[i].port = unpack_u16(u);
		unpack_cstr(u, hosts[i].name, sizeof(hosts[i].name));
	}
	return n;
}

void
remote_found_pack(struct packer *k, const struct remote_found *f)
{
	pack_u64(k, f->tag);
	pack_u8(k, (uint8_t)f->outcome);
	pack_u32(k, f->ttl);
	pack_u8(k, f->authentic);
	pack_u8(k, (uint8_t)f->sts);
	pack_bytes(k, slice_of(f->sts_mx));
	hosts_pack(k, f->hosts, f->n);
}

int
remote_found_unpack(struct unpacker *u, struct remote_found *out)
{
	out->tag = unpack_u64(u);
	out->outcome = (enum remote_lookup)take_enum(u, LOOKUP_TEMPORARY);
	out->ttl = unpack_u32(u);
	out->authentic = take_bool(u);
	out->sts = (enum sts_mode)take_enum(u, STS_ENFORCE);
	sts_mx_unpack(u, out->sts_mx);
	out->n = hosts_unpack(u, out->hosts);
	return u->bad ? -1 : 0;
}

void
remote_route_pack(struct packer *k, const struct remote_route *r)
{
	pack_bytes(k, slice_of(r->domain));
	pack_bytes(k, slice_of(r->helo));
	pack_bytes(k, slice_of(r->user));
	pack_bytes(k, slice_of(r->password));
	pack_u8(k, (uint8_t)r->tls);
	pack_u8(k, r->implicit_tls);
	pack_u8(k, r->authentic);
	pack_u8(k, r->tls_broken);
	pack_u32(k, r->timeout_connect);
	pack_u8(k, (uint8_t)r->sts);
	pack_bytes(k, slice_of(r->sts_mx));
	hosts_pack(k, r->hosts, r->n);
	pack_bytes(k, slice_make(r->ticket, r->ticket_len));
}

int
remote_route_unpack(struct unpacker *u, struct remote_route *out)
{
	struct slice ticket;

	unpack_cstr(u, out->domain, sizeof(out->domain));
	unpack_cstr(u, out->helo, sizeof(out->helo));
	unpack_cstr(u, out->user, sizeof(out->user));
	unpack_cstr(u, out->password, sizeof(out->password));
	out->tls = (enum remote_tls)take_enum(u, TLS_VERIFY);
	out->implicit_tls = take_bool(u);
	out->authentic = take_bool(u);
	out->tls_broken = take_bool(u);
	out->timeout_connect = unpack_u32(u);
	out->sts = (enum sts_mode)take_enum(u, STS_ENFORCE);
	sts_mx_unpack(u, out->sts_mx);
	out->n = hosts_unpack(u, out->hosts);
	ticket = unpack_bytes(u, sizeof(out->ticket));
	if (ticket.len > 0)
		memcpy(out->ticket, ticket.p, ticket.len);
	out->ticket_len = (uint16_t)ticket.len;
	return u->bad ? -1 : 0;
}

void
remote_reply_pack(struct packer *k, const struct remote_reply *r)
{
	pack_u8(k, (uint8_t)r->result);
	pack_u8(k, (uint8_t)r->cause);
	pack_u16(k, r->code);
	pack_bytes(k, slice_of(r->enhanced));
	pack_bytes(k, slice_of(r->text));
	pack_bytes(k, slice_of(r->host));
	pack_bytes(k, slice_of(r->ip));
	pack_bytes(k, slice_of(r->tls));
	pack_u8(k, r->tls_failed);
}

int
remote_reply_unpack(struct unpacker *u, struct remote_reply *out)
{
	out->result = (enum queue_result)take_enum(u, QUEUE_PERMANENT);
	out->cause = (enum remote_cause)take_enum(u, CAUSE_UNSUPPORTED);
	out->code = unpack_u16(u);
	unpack_cstr(u, out->enhanced, sizeof(out->enhanced));
	unpack_cstr(u, out->text, sizeof(out->text));
	unpack_cstr(u, out->host, sizeof(out->host));
	unpack_cstr(u, out->ip, sizeof(out->ip));
	unpack_cstr(u, out->tls, sizeof(out->tls));
	out->tls_failed = take_bool(u);
	return u->bad ? -1 : 0;
}

void
remote_job_pack(struct packer *k, const struct remote_job *j)
{
	pack_u64(k, j->tag);
	pack_bytes(k, slice_of(j->id));
	pack_u64(k, j->offset);
	pack_u64(k, j->length);
	pack_u32(k, j->flags);
	pack_bytes(k, slice_of(j->sender));
	pack_bytes(k, slice_of(j->forwarder));
	pack_u8(k, j->verp);
	pack_u8(k, j->is_patient);
	pack_bytes(k, slice_of(j->envid));
	pack_u16(k, j->n);
}

int
remote_job_unpack(struct unpacker *u, struct remote_job *out)
{
	out->tag = unpack_u64(u);
	unpack_cstr(u, out->id, sizeof(out->id));
	out->offset = unpack_u64(u);
	out->length = unpack_u64(u);
	out->flags = unpack_u32(u);
	unpack_cstr(u, out->sender, sizeof(out->sender));
	unpack_cstr(u, out->forwarder, sizeof(out->forwarder));
	out->verp = take_bool(u);
	out->is_patient = take_bool(u);
	unpack_cstr(u, out->envid, sizeof(out->envid));
	out->n = unpack_u16(u);
	if (out->n == 0 || out->n > REMOTE_RECIPIENTS_MAX)
		u->bad = true;
	return u->bad ? -1 : 0;
}

void
remote_recipient_pack(struct packer *k, const struct remote_recipient *r)
{
	pack_u32(k, r->number);
	pack_bytes(k, slice_of(r->address));
	pack_u8(k, r->notify);
	pack_bytes(k, slice_of(r->orcpt));
}

int
remote_recipient_unpack(struct unpacker *u, struct remote_recipient *out)
{
	out->number = unpack_u32(u);
	unpack_cstr(u, out->address, sizeof(out->address));
	out->notify = unpack_u8(u);
	unpack_cstr(u, out->orcpt, sizeof(out->orcpt));
	return u->bad ? -1 : 0;
}

void
remote_result_pack(struct packer *k, const struct remote_result *r)
{
	pack_u32(k, r->number);
	pack_u8(k, r->dsn_passed);
	remote_reply_pack(k, &r->reply);
}

int
remote_result_unpack(struct unpacker *u, struct remote_result *out)
{
	out->number = unpack_u32(u);
	out->dsn_passed = take_bool(u);
	return remote_reply_unpack(u, &out->reply);
}
