/* tables.c - where the tables are, and of what generation they are. */
/* SPDX-License-Identifier: ISC */

/*
 * A table tells its generation under the key "\0generation": version of this
 * compiler, id of the registry, count of its compilations. The store keeps the
 * same under "generation/TABLE".
 */

#include "registry/tables.h"

#include <stdio.h>

#define COMPILER_VERSION 4

/* clang-format off */
const struct table_place table_places[TABLE_NAMES] = {
	[TABLE_ADDRESSES] = { STALE_ADDRESSES, "generation/addresses/", 0644 },
	[TABLE_SECRETS] =   { STALE_SECRETS,   "generation/secrets/",   0640 },
	[TABLE_DOMAINS] =   { STALE_DOMAINS,   "generation/domains",    0644 },
	[TABLE_MAINS] =     { STALE_DOMAINS,   "generation/mains",      0640 },
	[TABLE_ACCESS] =    { STALE_ACCESS,    "generation/access",     0644 },
};
/* clang-format on */

int
table_folder(const struct registry *r, enum table_name t)
{
	if (t == TABLE_ADDRESSES)
		return r->domains_fd;
	return t == TABLE_SECRETS || t == TABLE_MAINS ? r->auth_fd :
	    r->tables_fd;
}

const char *
table_file(enum table_name t, const char *domain, const char *suffix,
    char *out)
{
	if (t == TABLE_ADDRESSES || t == TABLE_SECRETS)
		snprintf(out, TABLE_FILE_MAX, "%s.cdb%s", domain, suffix);
	else
		snprintf(out, TABLE_FILE_MAX, "%s.cdb%s",
		    t == TABLE_ACCESS ? "access" : "domains", suffix);
	return out;
}

size_t
generation_key(enum table_name t, const char *domain, char *key)
{
	bool own = t == TABLE_ADDRESSES || t == TABLE_SECRETS;

	return (size_t)snprintf(key, STORE_KEY_MAX, "%s%s",
	    table_places[t].generation, own ? domain : "");
}

struct slice
generation_value(const struct registry *r, uint64_t n, unsigned char *space)
{
	struct packer k;

	pack_init(&k, space, GENERATION_MAX);
	pack_u8(&k, COMPILER_VERSION);
	pack_bytes(&k, slice_of(r->id));
	pack_u64(&k, n);
	return pack_slice(&k);
}

uint64_t
generation_number(const struct registry *r, struct slice value)
{
	struct unpacker u;
	uint64_t n;
	bool ours;

	unpack_init(&u, value);
	ours = unpack_u8(&u) == COMPILER_VERSION;
	ours = slice_eq(unpack_text(&u, 64), slice_of(r->id)) && ours;
	n = unpack_u64(&u);
	return ours && unpack_end(&u) ? n : 0;
}

int
has_tables(struct registry *r, const char *domain)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object d;
	int found;

	found = registry_domain(r, domain, &bytes, &d);
	if (found == 1 && object_get(&d, "alias-of").p != NULL)
		found = 0;
	str_free(&bytes);
	return found;
}
