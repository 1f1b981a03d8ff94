/* proto_local.c - between malle-queued and malle-local: batches of deliveries. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_local.h"

void
local_job_pack(struct packer *k, const struct local_job *j)
{
	pack_u64(k, j->tag);
	pack_u64(k, j->offset);
	pack_u64(k, j->length);
	pack_bytes(k, slice_of(j->id));
	pack_u32(k, j->recipient);
	pack_bytes(k, slice_of(j->sender));
	pack_bytes(k, slice_of(j->delivered_to));
	pack_bytes(k, slice_of(j->mailbox));
	pack_bytes(k, slice_of(j->detail));
	pack_u64(k, j->quota_bytes);
	pack_u64(k, j->quota_messages);
	pack_u8(k, j->warning);
	pack_bytes(k, slice_of(j->language));
	pack_bytes(k, slice_of(j->account));
	pack_u8(k, j->is_stray);
}

int
local_job_unpack(struct unpacker *u, struct local_job *out)
{
	struct local_job j;
	uint8_t is_stray;

	j.tag = unpack_u64(u);
	j.offset = unpack_u64(u);
	j.length = unpack_u64(u);
	unpack_cstr(u, j.id, sizeof(j.id));
	j.recipient = unpack_u32(u);
	unpack_cstr(u, j.sender, sizeof(j.sender));
	unpack_cstr(u, j.delivered_to, sizeof(j.delivered_to));
	unpack_cstr(u, j.mailbox, sizeof(j.mailbox));
	unpack_cstr(u, j.detail, sizeof(j.detail));
	j.quota_bytes = unpack_u64(u);
	j.quota_messages = unpack_u64(u);
	j.warning = unpack_u8(u);
	unpack_cstr(u, j.language, sizeof(j.language));
	unpack_cstr(u, j.account, sizeof(j.account));
	is_stray = unpack_u8(u);
	if (u->bad || j.warning > 100 || is_stray > 1)
		return -1;
	j.is_stray = is_stray == 1;
	*out = j;
	return 0;
}

void
local_result_pack(struct packer *k, const struct local_result *r)
{
	pack_u64(k, r->tag);
	pack_u8(k, (uint8_t)r->result);
	pack_bytes(k, slice_of(r->enhanced));
	pack_bytes(k, slice_of(r->text));
	pack_u64(k, r->used_bytes);
	pack_u64(k, r->used_messages);
}

int
local_result_unpack(struct unpacker *u, struct local_result *out)
{
	struct local_result r;
	uint8_t result;

	r.tag = unpack_u64(u);
	result = unpack_u8(u);
	r.result = (enum queue_result)result;
	unpack_cstr(u, r.enhanced, sizeof(r.enhanced));
	unpack_cstr(u, r.text, sizeof(r.text));
	r.used_bytes = unpack_u64(u);
	r.used_messages = unpack_u64(u);
	if (u->bad || result > QUEUE_PERMANENT)
		return -1;
	*out = r;
	return 0;
}

void
answer_job_pack(struct packer *k, const struct answer_job *j)
{
	pack_u64(k, j->tag);
	pack_u64(k, j->offset);
	pack_u64(k, j->length);
	pack_bytes(k, slice_of(j->id));
	pack_u32(k, j->recipient);
	pack_u8(k, j->flags);
	pack_bytes(k, slice_of(j->sender));
	pack_bytes(k, slice_of(j->account));
	pack_bytes(k, slice_of(j->from));
	pack_bytes(k, j->addresses);
	pack_u64(k, (uint64_t)j->since);
	pack_u32(k, j->days);
	pack_bytes(k, slice_of(j->language));
	pack_bytes(k, slice_of(j->zone));
	pack_bytes(k, j->subject);
	pack_bytes(k, j->text);
	pack_bytes(k, j->full_name);
}

int
answer_job_unpack(struct unpacker *u, struct answer_job *out)
{
	struct answer_job j;

	j.tag = unpack_u64(u);
	j.offset = unpack_u64(u);
	j.length = unpack_u64(u);
	unpack_cstr(u, j.id, sizeof(j.id));
	j.recipient = unpack_u32(u);
	j.flags = unpack_u8(u);
	unpack_cstr(u, j.sender, sizeof(j.sender));
	unpack_cstr(u, j.account, sizeof(j.account));
	unpack_cstr(u, j.from, sizeof(j.from));
	j.addresses = unpack_bytes(u, ANSWER_ADDRESSES_MAX);
	j.since = (int64_t)unpack_u64(u);
	j.days = unpack_u32(u);
	unpack_cstr(u, j.language, sizeof(j.language));
	unpack_cstr(u, j.zone, sizeof(j.zone));
	j.subject = unpack_text(u, ANSWER_LINE_MAX);
	j.text = unpack_bytes(u, ANSWER_TEXT_MAX);
	j.full_name = unpack_text(u, ANSWER_LINE_MAX);
	if (!unpack_end(u))
		return -1;
	*out = j;
	return 0;
}

void
answer_result_pack(struct packer *k, const struct answer_result *r)
{
	pack_u64(k, r->tag);
	pack_u8(k, (uint8_t)r->verdict);
	pack_bytes(k, slice_of(r->why));
	pack_bytes(k, r->content);
}

/* What is to be logged is a word of ours, whoever says so. */
static bool
is_word(const char *why)
{
	return why[strspn(why, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

int
answer_result_unpack(struct unpacker *u, struct answer_result *out)
{
	struct answer_result r;
	uint8_t verdict;

	r.tag = unpack_u64(u);
	verdict = unpack_u8(u);
	r.verdict = (enum answer_verdict)verdict;
	unpack_cstr(u, r.why, sizeof(r.why));
	r.content = unpack_bytes(u, ANSWER_CONTENT_MAX);
	if (!unpack_end(u) || verdict > ANSWER_LATER || !is_word(r.why) ||
	    (r.verdict == ANSWER_GIVEN) != (r.content.len > 0))
		return -1;
	*out = r;
	return 0;
}
