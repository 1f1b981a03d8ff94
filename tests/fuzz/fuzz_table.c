/* fuzz_table.c - any bytes as a compiled table. */
/* SPDX-License-Identifier: ISC */

#include "lib/table.h"

#include "tests/fuzz/must.h"
#include "tests/unit/scratch.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir = -1;
	struct table t = { .impl = NULL };
	struct slice key, value;
	unsigned pos = 0, n = 0;
	size_t sum = 0;

	if (dir == -1)
		dir = scratch_open();
	scratch_write(dir, "x.cdb", data, size);
	if (table_open(&t, dir, "x.cdb") == -1)
		return 0;
	/* Reads every byte it is given: outside of the file it would die. */
	if (table_get(&t, SLICE("bob"), &value) == 1)
		for (size_t i = 0; i < value.len; i++)
			sum += (unsigned char)value.p[i];
	while (n++ < 10000 && table_next(&t, &pos, &key, &value) == 1)
		for (size_t i = 0; i < value.len; i++)
			sum += (unsigned char)value.p[i];
	must(sum < SIZE_MAX);
	table_close(&t);
	return 0;
}
