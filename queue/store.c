/* store.c - the folders and files of the queue. */
/* SPDX-License-Identifier: ISC */
#include "queue/store.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"

#define VERIFY_PIECE (256 * 1024)

static int
make_and_open(int dirfd, const char *name)
{
	if (fsx_make_dir(dirfd, name, 0700) == -1)
		return -1;
	return fsx_open_dir(dirfd, name);
}

int
store_open(struct store *s, int dirfd)
{
	char name[16];
	int mess;

	*s = (struct store){ .dirfd = dirfd, .corrupt = -1, .dbl = -1 };
	for (size_t i = 0; i < ID_SHARDS; i++)
		s->shards[i] = -1;
	if ((mess = make_and_open(dirfd, "mess")) == -1)
		return -1;
	for (unsigned i = 0; i < ID_SHARDS; i++) {
		snprintf(name, sizeof(name), "%02x", i);
		if ((s->shards[i] = make_and_open(mess, name)) == -1) {
			close(mess);
			return -1;
		}
	}
	/* The shards themselves must be durable before what is in them. */
	if (fsx_sync_dir(mess) == -1) {
		close(mess);
		return -1;
	}
	close(mess);
	if ((s->corrupt = make_and_open(dirfd, "corrupt")) == -1 ||
	    (s->dbl = make_and_open(dirfd, "double")) == -1)
		return -1;
	return fsx_sync_dir(dirfd);
}

void
store_close(struct store *s)
{
	for (size_t i = 0; i < ID_SHARDS; i++)
		if (s->shards[i] != -1)
			close(s->shards[i]);
	if (s->corrupt != -1)
		close(s->corrupt);
	if (s->dbl != -1)
		close(s->dbl);
}

int
store_create(const struct store *s, const char *id)
{
	return openat(s->shards[id_shard(id)], id,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int
store_file(const struct store *s, const char *id, int flags)
{
	return openat(s->shards[id_shard(id)], id,
	    flags | O_NOFOLLOW | O_CLOEXEC);
}

int
store_remove(const struct store *s, const char *id)
{
	return unlinkat(s->shards[id_shard(id)], id, 0);
}

int
store_move(const struct store *s, const char *id, int folder)
{
	int from = s->shards[id_shard(id)];

	/* Linked there before it is gone here: a crash leaves two, never none. */
	if (linkat(from, id, folder, id, 0) == -1 && errno != EEXIST)
		return -1;
	if (fsx_sync_dir(folder) == -1)
		return -1;
	return unlinkat(from, id, 0);
}

/* As after acceptance: due at once, nothing lived but what the clock says. */
static void
state_anew(const struct header *h, struct message_state *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->boot_id, h->boot_id, BOOT_ID_LEN);
	out->boottime = h->arrival_boot;
	out->due = h->arrival;
}

int
store_read_head(int fd, struct store_head *out, enum header_verdict *verdict)
{
	unsigned char head[HEAD_LEN];
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	*verdict = HEADER_INCOMPLETE;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (st.st_size < (off_t)sizeof(head))
		return 0;
	if (fsx_pread_all(fd, head, sizeof(head), 0) == -1)
		return -1;
	out->size = (uint64_t)st.st_size;
	*verdict = header_decode(head, out->size, &out->header);
	if (*verdict == HEADER_OK &&
	    message_state_decode(head + HEADER_LEN, &out->state) == -1)
		state_anew(&out->header, &out->state);
	return 0;
}

static void
decode_states(struct envelope *e, const unsigned char *bytes)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (recipient_state_decode(bytes + (size_t)i *
		    RECIPIENT_STATE_LEN, &e->recipients[i].state) == -1)
			memset(&e->recipients[i].state, 0,
			    sizeof(e->recipients[i].state));
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].state.status == RCPT_FAILED ||
		    e->recipients[i].state.status == RCPT_FAILED_TOLD)
			envelope_failed(e, i);
}

struct envelope *
store_read_envelope(int fd, const struct header *h)
{
	size_t states = (size_t)h->recipients * RECIPIENT_STATE_LEN;
	size_t len = states + h->envelope_length;
	struct envelope *e = NULL;
	unsigned char *bytes = malloc(len);

	if (bytes == NULL ||
	    fsx_pread_all(fd, bytes, len, HEAD_LEN) == -1)
		goto out;
	errno = EBADMSG;
	if (crc_add(0, bytes + states, h->envelope_length) != h->envelope_crc)
		goto out;
	e = envelope_parse(slice_make(bytes + states, h->envelope_length),
	    h->originals, h->recipients);
	if (e != NULL)
		decode_states(e, bytes);
out:
	free(bytes);
	return e;
}

int
store_verify(int fd, const struct header *h)
{
	unsigned char *piece = malloc(VERIFY_PIECE);
	uint64_t done = 0;
	uint32_t crc = 0;
	int r = -1;

	if (piece == NULL)
		return -1;
	while (done < h->content_length) {
		uint64_t left = h->content_length - done;
		size_t n = left < VERIFY_PIECE ? (size_t)left : VERIFY_PIECE;

		if (fsx_pread_all(fd, piece, n,
		    (off_t)(h->content_offset + done)) == -1)
			goto out;
		crc = crc_add(crc, piece, n);
		done += n;
	}
	if (crc == h->content_crc)
		r = 0;
	else
		errno = EBADMSG;
out:
	free(piece);
	return r;
}

int
store_read_reply(int fd, uint64_t offset, struct reply *out)
{
	unsigned char space[TAIL_RECORD_MAX + 8];
	ssize_t n = pread(fd, space, sizeof(space), (off_t)offset);

	if (n == -1)
		return -1;
	if (reply_decode(slice_make(space, (size_t)n), out) == 0) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

int
store_scan(const struct store *s, unsigned shard,
    void (*found)(void *arg, const char *id, const char *name), void *arg)
{
	DIR *dir = fsx_open_list(s->shards[shard], ".");
	struct dirent *entry;

	if (dir == NULL)
		return -1;
	while ((entry = fsx_next(dir)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (id_valid(slice_of(name)) && id_shard(name) == shard)
			found(arg, name, name);
		else
			found(arg, NULL, name);
	}
	fsx_close_list(dir);
	return errno == 0 ? 0 : -1;
}
