/* spool.c - a row of messages that may be longer than memory should hold. */
/* SPDX-License-Identifier: ISC */

/*
 * Each message is kept as length (32 bits), type (16 bits), bytes. While all
 * fits into memory there is no file; then memory is the tail, written to the
 * file whenever it is full, and taking reads the file first.
 */

#include "registry/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/pack.h"

#define HEAD 6

static int
to_file(struct spool *s)
{
	struct slice rest = slice_skip(str_slice(&s->memory), s->taken);

	if (s->fd == -1 &&
	    (s->fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) == -1)
		return -1;
	if (s->written + rest.len > SPOOL_MAX) {
		errno = EFBIG;
		return -1;
	}
	if (fsx_pwrite_all(s->fd, rest.p, rest.len, (off_t)s->written) == -1)
		return -1;
	s->written += rest.len;
	explicit_bzero(s->memory.p, s->memory.len);
	str_clear(&s->memory);
	s->taken = 0;
	return 0;
}

void
spool_put(struct spool *s, uint16_t type, struct slice bytes)
{
	unsigned char head[HEAD];
	struct packer k;

	if (s->bad)
		return;
	if (s->memory.len + HEAD + bytes.len > SPOOL_MEMORY &&
	    s->memory.len > 0 && to_file(s) == -1) {
		s->bad = true;
		return;
	}
	pack_init(&k, head, sizeof(head));
	pack_u32(&k, (uint32_t)bytes.len);
	pack_u16(&k, type);
	str_put(&s->memory, pack_slice(&k));
	str_put(&s->memory, bytes);
	if (!str_ok(&s->memory))
		s->bad = true;
}

/* len bytes from the front: of the file, or of memory when it has none. */
static int
front(struct spool *s, void *to, size_t len)
{
	if (s->read < s->written) {
		if (fsx_pread_all(s->fd, to, len, (off_t)s->read) == -1)
			return -1;
		s->read += len;
		return 0;
	}
	if (s->memory.len - s->taken < len) {
		errno = ENODATA;
		return -1;
	}
	memcpy(to, s->memory.p + s->taken, len);
	s->taken += len;
	return 0;
}

int
spool_take(struct spool *s, uint16_t *type, char *space, size_t cap,
    size_t *len)
{
	char head[HEAD];
	struct unpacker u;
	size_t n;

	if (s->bad) {
		errno = EIO;
		return -1;
	}
	if (s->read == s->written && s->taken == s->memory.len)
		return 0;
	if (front(s, head, HEAD) == -1)
		return -1;
	unpack_init(&u, slice_make(head, HEAD));
	n = unpack_u32(&u);
	*type = unpack_u16(&u);
	if (n > cap) {
		errno = EMSGSIZE;
		return -1;
	}
	if (n > 0 && front(s, space, n) == -1)
		return -1;
	*len = n;
	return 1;
}

void
spool_untake(struct spool *s, size_t len)
{
	/* In the file as long as memory was not begun. */
	if (s->taken == 0)
		s->read -= HEAD + len;
	else
		s->taken -= HEAD + len;
}

void
spool_clear(struct spool *s)
{
	str_wipe(&s->memory);
	if (s->fd != -1)
		close(s->fd);
	*s = SPOOL_INIT;
}
