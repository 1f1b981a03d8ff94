/* index.h - all messages that wait, in little memory, by id and by due time. */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/id.h"

struct active;

/* What is kept of a message that waits; the rest is in its file. */
struct message {
	char id[ID_LEN + 1];
	uint32_t slot;		/* its own number */
	uint32_t next;		/* hash chain or free list: slot + 1, 0 the end */
	uint32_t heap;		/* place in the heap + 1; 0: not in it */
	uint32_t size;		/* of the content in KiB, for stat */
	int64_t due;		/* boottime, ms */
	int64_t arrival;	/* wall clock, s */
	int64_t born;		/* boottime less the time lived, s */
	struct active *active;	/* when it is worked on, else NULL */
	uint16_t recipients;	/* at most 65535 are shown */
	uint8_t lane, notice;
	uint8_t kills;		/* workers that died of it alone */
	bool is_used, is_held;
	bool is_coming;		/* not durable yet: nobody may touch it */
	bool owes_notice;	/* held, and its account is to be told: hold.c */
	bool is_telling;	/* that notice is on its way */
	bool is_verified;	/* its content's checksum was seen to be right */
	bool is_suspect;	/* was with a worker that died */
	bool is_retry;		/* everybody is due, whatever their states say */
};

#define INDEX_CHUNK 4096
#define INDEX_LANES 4

/* Those of one lane that wait for their time, the earliest first. */
struct index_heap {
	struct message **v;
	size_t len, cap;
	size_t messages;	/* of this lane, in the heap or not */
};

struct index {
	struct message **chunks;
	size_t n_chunks;
	uint32_t slots;		/* ever used */
	uint32_t free;		/* slot + 1 */
	uint32_t count;
	uint32_t *table;	/* hash of ids: slot + 1 */
	size_t table_size;
	struct index_heap heaps[INDEX_LANES];
};

/* 0, or -1: no memory. */
int index_init(struct index *x) __attribute__((warn_unused_result));
void index_clear(struct index *x);

/* A new message, zeroed but for id and lane. NULL with errno: no memory, EEXIST. */
struct message *index_add(struct index *x, const char *id, uint8_t lane);
void index_remove(struct index *x, struct message *m);
struct message *index_find(const struct index *x, struct slice id);
/* The message in a slot, or NULL: for walking over all of them. */
struct message *index_slot(const struct index *x, uint32_t slot);

/* Puts m in the heap with this due time, or moves it. Needs no memory when
 * index_add() has succeeded. */
void index_schedule(struct index *x, struct message *m, int64_t due);
void index_unschedule(struct index *x, struct message *m);
/* The one of a lane that is due first, or NULL. */
struct message *index_first(const struct index *x, uint8_t lane);

#endif
