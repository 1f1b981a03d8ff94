/* id.h - names of messages: unique for ever, sorted by time. */
#ifndef QUEUE_ID_H
#define QUEUE_ID_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>

#include "lib/slice.h"

#define ID_LEN 23		/* TTTTTTTUUUU-CCPPPPRRRRR */
#define ID_SHARDS 64

/* A new id in out[ID_LEN + 1]. Later than every earlier one of this process. */
void id_make(char *out);

/* True for what id_make() can have made. */
bool id_valid(struct slice s);

/* 0 to ID_SHARDS - 1. */
unsigned id_shard(const char *id);

#endif
