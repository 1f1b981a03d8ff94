/* tables.h - where the tables are, and of what generation they are. */
#ifndef REGISTRY_TABLES_H
#define REGISTRY_TABLES_H
/* SPDX-License-Identifier: ISC */

#include "registry/build.h"

#define GENERATION_KEY slice_make("\0generation", 11)
#define GENERATION_MAX 64
#define TABLE_FILE_MAX (ADDR_DOMAIN_MAX + 32)

struct table_place {
	unsigned stale;
	const char *generation;	/* counter in the store */
	mode_t mode;
};
extern const struct table_place table_places[TABLE_NAMES];

int table_folder(const struct registry *r, enum table_name t);
/* Its file name, with a suffix, in out[TABLE_FILE_MAX]; returns out. */
const char *table_file(enum table_name t, const char *domain,
    const char *suffix, char *out);
/* True when the domain is there and has tables of its own; -1 on failure. */
int has_tables(struct registry *r, const char *domain);

/* The key of a table's generation in the store, in key[STORE_KEY_MAX]. */
size_t generation_key(enum table_name t, const char *domain, char *key);
/* Its value for the count n, in space[GENERATION_MAX]. */
struct slice generation_value(const struct registry *r, uint64_t n,
    unsigned char *space);
/* The number in a generation's value, 0 when it is another registry's. */
uint64_t generation_number(const struct registry *r, struct slice value);

#endif
