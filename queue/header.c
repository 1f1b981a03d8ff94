/* header.c - the fixed-length parts of a queue file: malle-queue(5). No I/O. */
/* SPDX-License-Identifier: ISC */
#include "queue/header.h"

#include <string.h>
#include <zlib.h>

#include "lib/pack.h"

#define MARK 0x454e4f44u
#define HELD 1u			/* flags of a message's state */
#define OWES_NOTICE 0x100u

static const char magic[8] = "malleq1\n";

uint32_t
crc_add(uint32_t crc, const void *p, size_t len)
{
	/* zlib begins anew when it is given NULL, even with no bytes. */
	return len == 0 ? crc : (uint32_t)crc32_z(crc, p, len);
}

/* Fills up with zeros to the fixed length. */
static void
pad(struct packer *k)
{
	memset(k->p + k->len, 0, k->cap - k->len);
}

static void
put_crc(unsigned char *at, uint32_t crc)
{
	struct packer k;

	pack_init(&k, at, 4);
	pack_u32(&k, crc);
}

void
header_encode(const struct header *h, unsigned char out[HEADER_LEN])
{
	struct packer k;

	pack_init(&k, out, HEADER_LEN);
	pack_raw(&k, slice_make(magic, sizeof(magic)));
	pack_u32(&k, h->complete ? MARK : 0);
	pack_u32(&k, 0);
	pack_u32(&k, h->flags);
	pack_u8(&k, (uint8_t)h->lane);
	pack_u8(&k, h->notice);
	pack_u16(&k, 0);
	pack_u32(&k, h->recipients);
	pack_u32(&k, h->originals);
	pack_u64(&k, h->envelope_offset);
	pack_u32(&k, h->envelope_length);
	pack_u32(&k, h->envelope_crc);
	pack_u64(&k, h->content_offset);
	pack_u64(&k, h->content_length);
	pack_u32(&k, h->content_crc);
	pack_u32(&k, 0);
	pack_u64(&k, (uint64_t)h->arrival);
	pack_u64(&k, (uint64_t)h->arrival_boot);
	pack_raw(&k, slice_make(h->boot_id, BOOT_ID_LEN));
	pad(&k);
	put_crc(out + 12, crc_add(0, out + 16, HEADER_LEN - 16));
}

/* What the numbers in a header must satisfy for the rest to be read. */
static bool
header_is_sane(const struct header *h, uint64_t file_size)
{
	return (unsigned)h->lane <= LANE_BULK &&
	    h->recipients > 0 && h->recipients <= RECIPIENTS_MAX &&
	    h->originals > 0 && h->originals <= RECIPIENTS_MAX &&
	    h->envelope_offset == recipient_offset(h->recipients) &&
	    h->envelope_length <= ENVELOPE_MAX &&
	    h->content_offset == h->envelope_offset + h->envelope_length &&
	    h->content_offset <= file_size &&
	    h->content_length <= file_size - h->content_offset;
}

enum header_verdict
header_decode(const unsigned char in[HEADER_LEN], uint64_t file_size,
    struct header *out)
{
	struct unpacker u;
	struct header h;
	uint32_t crc;

	if (memcmp(in, magic, sizeof(magic)) != 0)
		return in[0] == 0 ? HEADER_INCOMPLETE : HEADER_DAMAGED;
	unpack_init(&u, slice_make(in + 8, HEADER_LEN - 8));
	if (unpack_u32(&u) != MARK)
		return HEADER_INCOMPLETE;
	crc = unpack_u32(&u);
	if (crc != crc_add(0, in + 16, HEADER_LEN - 16))
		return HEADER_DAMAGED;
	h.complete = true;
	h.flags = unpack_u32(&u);
	h.lane = (enum queue_lane)unpack_u8(&u);
	h.notice = unpack_u8(&u);
	(void)unpack_u16(&u);
	h.recipients = unpack_u32(&u);
	h.originals = unpack_u32(&u);
	h.envelope_offset = unpack_u64(&u);
	h.envelope_length = unpack_u32(&u);
	h.envelope_crc = unpack_u32(&u);
	h.content_offset = unpack_u64(&u);
	h.content_length = unpack_u64(&u);
	h.content_crc = unpack_u32(&u);
	(void)unpack_u32(&u);
	h.arrival = (int64_t)unpack_u64(&u);
	h.arrival_boot = (int64_t)unpack_u64(&u);
	memcpy(h.boot_id, u.p, BOOT_ID_LEN);
	if (!header_is_sane(&h, file_size))
		return HEADER_DAMAGED;
	*out = h;
	return HEADER_OK;
}

void
message_state_encode(const struct message_state *s,
    unsigned char out[MESSAGE_STATE_LEN])
{
	struct packer k;

	pack_init(&k, out, MESSAGE_STATE_LEN);
	pack_u32(&k, 0);
	pack_u32(&k, (s->held ? HELD : 0) |
	    (s->owes_notice ? OWES_NOTICE : 0));
	pack_u64(&k, (uint64_t)s->due);
	pack_u64(&k, s->lived);
	pack_raw(&k, slice_make(s->boot_id, BOOT_ID_LEN));
	pack_u64(&k, (uint64_t)s->boottime);
	pack_u32(&k, s->kills);
	pack_u64(&k, s->reason);
	pad(&k);
	put_crc(out, crc_add(0, out + 4, MESSAGE_STATE_LEN - 4));
}

int
message_state_decode(const unsigned char in[MESSAGE_STATE_LEN],
    struct message_state *out)
{
	struct unpacker u;
	uint32_t flags;

	unpack_init(&u, slice_make(in, MESSAGE_STATE_LEN));
	if (unpack_u32(&u) != crc_add(0, in + 4, MESSAGE_STATE_LEN - 4))
		return -1;
	flags = unpack_u32(&u);
	out->held = flags != 0;
	out->owes_notice = (flags & OWES_NOTICE) != 0;
	out->due = (int64_t)unpack_u64(&u);
	out->lived = unpack_u64(&u);
	memcpy(out->boot_id, in + 24, BOOT_ID_LEN);
	unpack_init(&u, slice_make(in + 40, MESSAGE_STATE_LEN - 40));
	out->boottime = (int64_t)unpack_u64(&u);
	out->kills = unpack_u32(&u);
	out->reason = unpack_u64(&u);
	return 0;
}

void
recipient_state_encode(const struct recipient_state *s,
    unsigned char out[RECIPIENT_STATE_LEN])
{
	struct packer k;

	pack_init(&k, out, RECIPIENT_STATE_LEN);
	pack_u32(&k, 0);
	pack_u8(&k, (uint8_t)s->status);
	pack_u8(&k, s->flags);
	pack_u16(&k, s->attempts);
	pack_u64(&k, (uint64_t)s->due);
	pack_u64(&k, s->reply);
	pack_u64(&k, (uint64_t)s->last);
	put_crc(out, crc_add(0, out + 4, RECIPIENT_STATE_LEN - 4));
}

int
recipient_state_decode(const unsigned char in[RECIPIENT_STATE_LEN],
    struct recipient_state *out)
{
	struct recipient_state s;
	struct unpacker u;
	uint8_t status;

	unpack_init(&u, slice_make(in, RECIPIENT_STATE_LEN));
	if (unpack_u32(&u) != crc_add(0, in + 4, RECIPIENT_STATE_LEN - 4))
		return -1;
	status = unpack_u8(&u);
	s.flags = unpack_u8(&u);
	s.attempts = unpack_u16(&u);
	s.due = (int64_t)unpack_u64(&u);
	s.reply = unpack_u64(&u);
	s.last = (int64_t)unpack_u64(&u);
	if (status >= RCPT_STATUS_END)
		return -1;
	s.status = (enum recipient_status)status;
	*out = s;
	return 0;
}
