/* proto_queue.c - how to hand a message to malle-queued. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_queue.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define QUEUE_TIMEOUT 300	/* seconds for any one answer */
/* Answers are short, and a session keeps little memory of its own. */
#define ANSWER_MAX 4096

int
queue_connect(const char *path)
{
	int fd = ipc_connect(path, SOCK_SEQPACKET);

	if (fd != -1)
		ipc_timeout(fd, QUEUE_TIMEOUT);
	return fd;
}

void
queue_mail_pack(struct packer *k, const struct queue_mail *m)
{
	pack_u16(k, QUEUE_PROTOCOL);
	pack_u8(k, (uint8_t)m->lane);
	pack_u32(k, m->flags);
	pack_bytes(k, slice_of(m->sender));
	pack_bytes(k, slice_of(m->envid));
	pack_bytes(k, slice_of(m->account));
	pack_bytes(k, slice_of(m->client));
	pack_bytes(k, slice_of(m->session));
	pack_bytes(k, slice_of(m->trace));
	pack_bytes(k, slice_of(m->protocol));
	pack_u64(k, m->size);
}

int
queue_mail(int fd, const struct queue_mail *m)
{
	unsigned char space[4096];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	queue_mail_pack(&k, m);
	return ipc_send(fd, Q_MAIL, &k, NULL, 0);
}

/* The trace may be folded: LF only before a tab, nothing else below a space. */
static bool
is_trace(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\n' ? i + 1 == s.len || s.p[i + 1] != '\t' :
		    (c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

int
queue_mail_unpack(struct unpacker *u, struct queue_mail *out)
{
	struct queue_mail m;
	struct slice trace;
	uint8_t lane;

	if (unpack_u16(u) != QUEUE_PROTOCOL)
		return -1;
	lane = unpack_u8(u);
	m.lane = (enum queue_lane)lane;
	m.flags = unpack_u32(u);
	unpack_cstr(u, m.sender, sizeof(m.sender));
	unpack_cstr(u, m.envid, sizeof(m.envid));
	unpack_cstr(u, m.account, sizeof(m.account));
	unpack_cstr(u, m.client, sizeof(m.client));
	unpack_cstr(u, m.session, sizeof(m.session));
	trace = unpack_bytes(u, QUEUE_TRACE_MAX);
	unpack_cstr(u, m.protocol, sizeof(m.protocol));
	m.size = unpack_u64(u);
	if (!unpack_end(u) || lane > LANE_BULK || !is_trace(trace) ||
	    slice_to_cstr(trace, m.trace, sizeof(m.trace)) == -1)
		return -1;
	*out = m;
	return 0;
}

int
queue_rcpt(int fd, const char *address, unsigned notify, struct slice orcpt)
{
	unsigned char space[2048];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(address));
	pack_u8(&k, (uint8_t)notify);
	pack_bytes(&k, orcpt);
	return ipc_send(fd, Q_RCPT, &k, NULL, 0);
}

/* Content travels without a copy. */
static int
send_raw(int fd, enum queue_type type, struct slice content)
{
	struct packer k = {
		(unsigned char *)(uintptr_t)content.p, content.len,
		content.len, false
	};

	return ipc_send(fd, (uint16_t)type, &k, NULL, 0);
}

int
queue_data(int fd, struct slice content)
{
	while (content.len > 0) {
		size_t n = content.len < QUEUE_PIECE ? content.len :
		    QUEUE_PIECE;

		if (send_raw(fd, Q_DATA, slice_make(content.p, n)) == -1)
			return -1;
		content = slice_skip(content, n);
	}
	return 0;
}

/* The answer of type; space is ANSWER_MAX bytes. */
static int
receive(int fd, enum queue_type type, struct ipc_msg *m, void *space)
{
	int r = ipc_recv_short(fd, space, ANSWER_MAX, m);

	if (r == -1)
		return -1;
	if (r == 1)
		ipc_close_fds(m);
	if (r == 0 || m->type != type) {
		errno = r == 0 ? ECONNRESET : EBADMSG;
		return -1;
	}
	return 0;
}

static int
take_answer(struct unpacker *u, bool has_id, struct queue_answer *out)
{
	struct queue_answer a = { .id = "" };
	uint8_t result = unpack_u8(u);

	if (has_id)
		unpack_cstr(u, a.id, sizeof(a.id));
	unpack_cstr(u, a.enhanced, sizeof(a.enhanced));
	unpack_cstr(u, a.text, sizeof(a.text));
	if (!unpack_end(u) || result > QUEUE_PERMANENT) {
		errno = EBADMSG;
		return -1;
	}
	a.result = (enum queue_result)result;
	*out = a;
	return 0;
}

int
queue_commit(int fd, struct slice last, struct queue_answer *out)
{
	unsigned char space[ANSWER_MAX];
	struct ipc_msg m;

	if (last.len > QUEUE_PIECE) {
		errno = EMSGSIZE;
		return -1;
	}
	if (send_raw(fd, Q_COMMIT, last) == -1 ||
	    receive(fd, Q_DONE, &m, space) == -1)
		return -1;
	return take_answer(&m.body, true, out);
}

int
queue_reset(int fd)
{
	return ipc_send(fd, Q_RESET, NULL, NULL, 0);
}

int
queue_check(int fd, const char *mailbox, uint64_t size,
    struct queue_answer *out)
{
	unsigned char space[ANSWER_MAX];
	struct packer k;
	struct ipc_msg m;

	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(mailbox));
	pack_u64(&k, size);
	if (ipc_send(fd, Q_CHECK, &k, NULL, 0) == -1 ||
	    receive(fd, Q_CHECKED, &m, space) == -1)
		return -1;
	return take_answer(&m.body, false, out);
}
