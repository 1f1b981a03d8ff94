/* proto_registry.h - how anybody asks malle-registryd for anything. */
#ifndef LIB_PROTO_REGISTRY_H
#define LIB_PROTO_REGISTRY_H
/* SPDX-License-Identifier: ISC */

#include "lib/ipc.h"

/*
 * On public/registry.sock. A request is an operation and a list of names and
 * values; the answer is any number of rows of names and values, and an end with
 * a verdict. The same shape serves the shell, the pages and JSON: see
 * malle-registry-protocol(7) for the operations. Nobody may assume that the
 * answer comes at once: the writer may be another machine one day.
 */
#define REGISTRY_PROTOCOL 1
#define REGISTRY_FIELDS_MAX 64
#define REGISTRY_NAME_MAX 64
#define REGISTRY_VALUE_MAX 60000
#define REGISTRY_LINES_MAX 500	/* in one user.import, and */
#define REGISTRY_LINES_BYTES 250000	/* of all their fields */

enum registry_type {
	REG_REQUEST = 1,	/* u16 version, text operation, fields */
	REG_MORE,		/* fields: one more object of a long request */
	REG_LAST,		/* end of a long request */
	/* malle-registryd to malle-queued, on their pair, with a descriptor */
	REG_NOTICE = 16,	/* text key; one message comes on it as on
				 * public/queue.sock, unless that key was
				 * taken lately, which is answered at once */
	REG_SENT,		/* text name in the counters: one Q_ROW with
				 * them comes on the descriptor */
	REG_ROW = 32,		/* fields */
	REG_END			/* u8 registry_result, bytes sentence; with a
				 * descriptor when the operation gives one */
};

enum registry_result {
	REGISTRY_OK,
	REGISTRY_REFUSED,	/* not allowed to this caller */
	REGISTRY_INVALID,	/* a value is wrong: the sentence says which and why */
	REGISTRY_NOT_FOUND,
	REGISTRY_EXISTS,
	REGISTRY_TEMPORARY	/* nothing was changed; try again */
};

#define REGISTRY_SENT_MAX 400		/* of REG_SENT: an address, "@domain",
					 * "=customer" */
#define REGISTRY_NOTICE_KEY_MAX 40	/* of REG_NOTICE: [0-9a-f] */

/* How a sentence begins that is to be shown though all went well. */
#define SAY_WARNING "Warning: "
#define SAY_ATTENTION "Attention : "

struct registry_field {
	struct slice name, value;
};

struct registry_fields {
	struct registry_field v[REGISTRY_FIELDS_MAX];
	size_t n;
};

/* u16 count, then name and value of each. */
void registry_fields_pack(struct packer *k, const struct registry_fields *f);
int registry_fields_unpack(struct unpacker *u, struct registry_fields *out)
    __attribute__((warn_unused_result));
/* The value of a field, or NULL in .p when there is none of that name. */
struct slice registry_field(const struct registry_fields *f, const char *name);
/* Adds one; what it points to must outlive f. False when f is full. */
bool registry_add(struct registry_fields *f, const char *name,
    struct slice value);

/*
 * One request, all of its answer. row is called for each row (may be NULL).
 * Returns the verdict with its sentence in text[cap], or -1 with errno when
 * the connection is lost: what became of the request is then unknown.
 */
int registry_call(int fd, const char *operation,
    const struct registry_fields *f,
    void (*row)(void *arg, const struct registry_fields *row), void *arg,
    char *text, size_t cap) __attribute__((warn_unused_result));
/* The same for an operation that gives a descriptor: *given is the caller's,
 * or -1. */
int registry_call_fd(int fd, const char *operation,
    const struct registry_fields *f,
    void (*row)(void *arg, const struct registry_fields *row), void *arg,
    char *text, size_t cap, int *given) __attribute__((warn_unused_result));

/*
 * A long request: its begin, one object after the other, its end. The first two
 * return 0 or -1 with errno (EMSGSIZE: too large, and not sent); the last one
 * is registry_call(). Before it nothing is done.
 */
int registry_begin(int fd, const char *operation,
    const struct registry_fields *f) __attribute__((warn_unused_result));
int registry_more(int fd, const struct registry_fields *object)
    __attribute__((warn_unused_result));
int registry_end(int fd,
    void (*row)(void *arg, const struct registry_fields *row), void *arg,
    char *text, size_t cap) __attribute__((warn_unused_result));

#endif
