/* proto_registry.c - how anybody asks malle-registryd for anything. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_registry.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void
registry_fields_pack(struct packer *k, const struct registry_fields *f)
{
	pack_u16(k, (uint16_t)f->n);
	for (size_t i = 0; i < f->n; i++) {
		pack_bytes(k, f->v[i].name);
		pack_bytes(k, f->v[i].value);
	}
}

int
registry_fields_unpack(struct unpacker *u, struct registry_fields *out)
{
	size_t n = unpack_u16(u);

	if (n > REGISTRY_FIELDS_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		out->v[i].name = unpack_text(u, REGISTRY_NAME_MAX);
		out->v[i].value = unpack_bytes(u, REGISTRY_VALUE_MAX);
	}
	out->n = u->bad ? 0 : n;
	return u->bad ? -1 : 0;
}

struct slice
registry_field(const struct registry_fields *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (slice_eq(f->v[i].name, slice_of(name)))
			return f->v[i].value;
	return (struct slice){ NULL, 0 };
}

bool
registry_add(struct registry_fields *f, const char *name, struct slice value)
{
	if (f->n == REGISTRY_FIELDS_MAX)
		return false;
	f->v[f->n++] = (struct registry_field){ slice_of(name), value };
	return true;
}

/* One message; operation is NULL in all but the first of a request. */
static int
send_fields(int fd, enum registry_type type, const char *operation,
    const struct registry_fields *f)
{
	void *space = malloc(IPC_MAX);
	struct packer k;
	int r, saved;

	if (space == NULL)
		return -1;
	pack_init(&k, space, IPC_MAX);
	if (operation != NULL) {
		pack_u16(&k, REGISTRY_PROTOCOL);
		pack_bytes(&k, slice_of(operation));
	}
	registry_fields_pack(&k, f);
	r = ipc_send(fd, (uint16_t)type, &k, NULL, 0);
	saved = errno;
	explicit_bzero(space, k.len);
	free(space);
	errno = saved;
	return r;
}

int
registry_begin(int fd, const char *operation, const struct registry_fields *f)
{
	return send_fields(fd, REG_REQUEST, operation, f);
}

int
registry_more(int fd, const struct registry_fields *object)
{
	return send_fields(fd, REG_MORE, NULL, object);
}

/* The end of an answer: its verdict, or -1. */
static int
take_end(struct ipc_msg *m, char *text, size_t cap)
{
	uint8_t verdict = unpack_u8(&m->body);
	struct slice sentence = unpack_bytes(&m->body, REGISTRY_VALUE_MAX);

	if (!unpack_end(&m->body) || verdict > REGISTRY_TEMPORARY) {
		errno = EBADMSG;
		return -1;
	}
	if (sentence.len >= cap)
		sentence.len = cap - 1;
	if (slice_to_cstr(sentence, text, cap) == -1)
		text[0] = '\0';
	return verdict;
}

/* Rows until the end. */
static int
read_rows(int fd, void *space,
    void (*row)(void *arg, const struct registry_fields *row), void *arg,
    char *text, size_t cap, int *given)
{
	struct registry_fields f;
	struct ipc_msg m;
	int r;

	while ((r = ipc_recv(fd, space, &m)) == 1) {
		if (m.type == REG_END)
			*given = ipc_take_fd(&m, 0);
		ipc_close_fds(&m);
		if (m.type == REG_END)
			return take_end(&m, text, cap);
		if (m.type != REG_ROW ||
		    registry_fields_unpack(&m.body, &f) == -1 ||
		    !unpack_end(&m.body)) {
			errno = EBADMSG;
			return -1;
		}
		if (row != NULL)
			row(arg, &f);
	}
	if (r == 0)
		errno = ECONNRESET;
	return -1;
}

static int
read_answer(int fd, void (*row)(void *arg, const struct registry_fields *row),
    void *arg, char *text, size_t cap, int *given)
{
	void *space = malloc(IPC_MAX);
	int r, saved;

	if (space == NULL)
		return -1;
	r = read_rows(fd, space, row, arg, text, cap, given);
	saved = errno;
	if (r != REGISTRY_OK && *given != -1) {
		close(*given);
		*given = -1;
	}
	explicit_bzero(space, IPC_MAX);
	free(space);
	errno = saved;
	return r;
}

int
registry_end(int fd, void (*row)(void *arg, const struct registry_fields *row),
    void *arg, char *text, size_t cap)
{
	int given = -1, r;

	if (ipc_send(fd, REG_LAST, NULL, NULL, 0) == -1)
		return -1;
	r = read_answer(fd, row, arg, text, cap, &given);
	if (given != -1)
		close(given);
	return r;
}

int
registry_call_fd(int fd, const char *operation,
    const struct registry_fields *f,
    void (*row)(void *arg, const struct registry_fields *row), void *arg,
    char *text, size_t cap, int *given)
{
	*given = -1;
	if (registry_begin(fd, operation, f) == -1)
		return -1;
	return read_answer(fd, row, arg, text, cap, given);
}

int
registry_call(int fd, const char *operation, const struct registry_fields *f,
    void (*row)(void *arg, const struct registry_fields *row), void *arg,
    char *text, size_t cap)
{
	int given, r;

	r = registry_call_fd(fd, operation, f, row, arg, text, cap, &given);
	if (given != -1)
		close(given);
	return r;
}
