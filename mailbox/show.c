/* show.c - measures, lists and reads. */
/* SPDX-License-Identifier: ISC */

#include "mailbox/box.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mailbox/headers.h"

#define BIGGEST_MAX 1000
#define WALKS_MAX 10		/* through a mailbox that never rests */

/* Measuring. */

struct measuring {
	struct box *b;
	char folder[BOX_FOLDER_MAX + 1];
	uint64_t messages, bytes;
	bool begun;
};

/* The row of the folder that is done. */
static int
send_folder(struct measuring *m)
{
	struct packer k;

	pack_init(&k, m->b->out, sizeof(m->b->out));
	pack_bytes(&k, slice_of(m->folder));
	pack_u64(&k, m->messages);
	pack_u64(&k, m->bytes);
	return box_send(m->b, BOX_FOLDER, &k, -1);
}

static int
measure_folder(void *arg, const char *name)
{
	struct measuring *m = arg;

	if (m->begun && send_folder(m) == -1)
		return 1;
	m->begun = true;
	m->messages = m->bytes = 0;
	return slice_to_cstr(slice_of(name), m->folder, sizeof(m->folder));
}

static int
measure_file(void *arg, const struct box_file *f)
{
	struct measuring *m = arg;
	uint64_t size;

	if (box_size(f, &size) == -1)
		return 0;	/* gone meanwhile, or no message */
	m->messages++;
	if (__builtin_add_overflow(m->bytes, size, &m->bytes))
		m->bytes = UINT64_MAX;
	return 0;
}

int
box_measure(struct box *b, struct ipc_msg *request)
{
	struct measuring m = { .b = b };
	int r;

	if (!unpack_end(&request->body)) {
		errno = EBADMSG;
		return -1;
	}
	if ((r = box_walk(b, measure_file, measure_folder, &m)) == -1)
		return box_failed(b);
	if (r == 1 || (m.begun && send_folder(&m) == -1))
		return -1;
	return box_done(b, BOX_OK, "");
}

/* Listing. */

struct listing {
	struct box *b;
	enum box_detail detail;
	size_t most, n;
	struct found {
		struct box_message m;
		char name[MAILDIR_NAME_MAX + 1];
	} *v;			/* the biggest so far, sorted */
	struct str text;
	struct known sent;
};

/* A message's row. 0, 1 when the asker is gone, or -1. */
static int
send_message(struct listing *l, const struct box_message *m, int dirfd,
    const char *name)
{
	struct box_headers h = { SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY };
	struct packer k;
	int fd = -1, r;

	if (l->detail != BOX_PLACES && (fd = openat(dirfd, name, O_RDONLY |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) == -1 && errno == ENOENT)
		return 0;	/* gone meanwhile */
	if (l->detail == BOX_CONTENTS && fd == -1)
		return -1;
	if (l->detail == BOX_HEADERS && fd != -1)
		headers_read(fd, &l->text, &h);
	pack_init(&k, l->b->out, sizeof(l->b->out));
	box_message_pack(&k, m);
	box_headers_pack(&k, &h);
	r = box_send(l->b, BOX_MESSAGE, &k,
	    l->detail == BOX_CONTENTS ? fd : -1);
	if (fd != -1)
		close(fd);
	return r == -1 ? 1 : known_add(&l->sent, m->folder,
	    slice_of(m->unique));
}

/* 0, or -1: gone meanwhile, or no message. */
static int
describe(const struct box_file *f, struct box_message *out)
{
	struct stat st;

	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode))
		return -1;
	*out = (struct box_message){ .is_new = f->is_new,
		.size = (uint64_t)st.st_size };
	if (st.st_mtim.tv_sec > 0)
		out->time = st.st_mtim.tv_sec;
	if (out->size > BOX_SIZE_MAX ||
	    slice_to_cstr(slice_of(f->folder), out->folder,
	    sizeof(out->folder)) == -1 ||
	    slice_to_cstr(f->parts.unique, out->unique,
	    sizeof(out->unique)) == -1)
		return -1;
	if (box_is_flags(f->parts.flags))
		(void)!slice_to_cstr(f->parts.flags, out->flags,
		    sizeof(out->flags));
	return 0;
}

static int
list_file(void *arg, const struct box_file *f)
{
	struct listing *l = arg;
	struct box_message m;

	if (known_has(&l->sent, f->folder, f->parts.unique) ||
	    describe(f, &m) == -1)
		return 0;
	return send_message(l, &m, f->dirfd, f->name);
}

/*
 * A message that is marked or moved while its folder is read has another name
 * then, and may be passed over: all is read again until nothing has changed
 * since it was read last. What was sent is only a name then.
 */
static int
list_all(struct listing *l)
{
	uint64_t before;
	int r = 0;

	for (int i = 0; r == 0 && i < WALKS_MAX; i++) {
		before = l->b->stamp;
		r = box_walk(l->b, list_file, NULL, l);
		if (i > 0 && l->b->stamp == before)
			break;
	}
	return r;
}

static int
compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->m.size != y->m.size)
		return x->m.size < y->m.size ? 1 : -1;
	return strcmp(x->m.unique, y->m.unique);
}

/* Keeps a message if it is one of the biggest: v is sorted, biggest first. */
static int
keep_biggest(void *arg, const struct box_file *f)
{
	struct listing *l = arg;
	struct found new;
	uint64_t size;
	size_t i;

	if (box_size(f, &size) == -1 ||
	    (l->n == l->most && size <= l->v[l->n - 1].m.size) ||
	    describe(f, &new.m) == -1)
		return 0;
	memcpy(new.name, f->name, strlen(f->name) + 1);
	for (i = l->n < l->most ? l->n++ : l->n - 1;
	    i > 0 && compare_found(&new, &l->v[i - 1]) < 0; i--)
		l->v[i] = l->v[i - 1];
	l->v[i] = new;
	return 0;
}

/* The rows of those that were kept. 0, 1 when the asker is gone, or -1. */
static int
send_biggest(struct listing *l)
{
	int r = 0, folder, part;

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		const struct box_message *m = &l->v[i].m;

		if ((folder = box_open_folder(l->b, m->folder, false)) == -1)
			continue;
		part = openat(folder, m->is_new ? "new" : "cur",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (part != -1) {
			r = send_message(l, m, part, l->v[i].name);
			close(part);
		}
		close(folder);
	}
	return r;
}

static int
list_biggest(struct listing *l)
{
	int r;

	if (l->most > BIGGEST_MAX)
		l->most = BIGGEST_MAX;
	if ((l->v = calloc(l->most, sizeof(*l->v))) == NULL)
		return -1;
	r = box_walk(l->b, keep_biggest, NULL, l);
	if (r == 0)
		r = send_biggest(l);
	free(l->v);
	return r;
}

int
box_list(struct box *b, struct ipc_msg *request)
{
	struct listing l = { .b = b, .text = STR_INIT(4 * BOX_HEADER_MAX) };
	uint8_t detail;
	int r;

	l.most = unpack_u32(&request->body);
	detail = unpack_u8(&request->body);
	if (!unpack_end(&request->body) || detail > BOX_CONTENTS) {
		errno = EBADMSG;
		return -1;
	}
	l.detail = (enum box_detail)detail;
	r = l.most > 0 ? list_biggest(&l) : list_all(&l);
	known_free(&l.sent);
	str_free(&l.text);
	if (r == 1)
		return -1;
	return r == -1 ? box_failed(b) : box_done(b, BOX_OK, "");
}

/* Reading one. */

struct search {
	const char *unique;
	int fd;
};

static int
open_if_same(void *arg, const struct box_file *f)
{
	struct search *s = arg;

	if (!slice_eq(f->parts.unique, slice_of(s->unique)))
		return 0;
	s->fd = openat(f->dirfd, f->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return s->fd == -1 && errno != ENOENT ? -1 : s->fd != -1;
}

int
box_read(struct box *b, struct ipc_msg *request)
{
	struct box_message m;
	struct search s = { m.unique, -1 };
	struct stat st;
	struct packer k;
	int r;

	if (box_place_unpack(&request->body, &m) == -1 ||
	    !unpack_end(&request->body)) {
		errno = EBADMSG;
		return -1;
	}
	if (box_walk_folder(b, m.folder, open_if_same, &s) == -1)
		return box_failed(b);
	if (s.fd == -1 || fstat(s.fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		if (s.fd != -1)
			close(s.fd);
		return box_done(b, BOX_NOT_FOUND, "");
	}
	pack_init(&k, b->out, sizeof(b->out));
	pack_u64(&k, (uint64_t)st.st_size);
	r = box_send(b, BOX_CONTENT, &k, s.fd);
	close(s.fd);
	return r;
}
