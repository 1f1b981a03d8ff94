/* driver.c - runs a fuzz target over files: its corpus as a regression test. */
/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * usage: fuzz_ENTRY [file ...]
 * Without files: those in tests/fuzz/corpus/ENTRY/, from the top folder. Speaks
 * TAP. The same target linked with a fuzzing engine in place of this file finds
 * new ones.
 */

#define FILE_MAX (16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count, failed;

/* In memory of its own size, so that one byte too far is seen. */
static void
run_file(const char *path)
{
	uint8_t *space = malloc(FILE_MAX), *exact;
	FILE *f = fopen(path, "rb");
	size_t n = 0;

	count++;
	if (f == NULL || space == NULL) {
		failed++;
		printf("not ok %d - %s cannot be read\n", count, path);
	} else {
		n = fread(space, 1, FILE_MAX, f);
		if ((exact = malloc(n + (n == 0))) == NULL)
			exit(1);
		memcpy(exact, space, n);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
		printf("ok %d - %s\n", count, path);
	}
	if (f != NULL)
		fclose(f);
	free(space);
}

static void
run_corpus(const char *program)
{
	const char *name = strrchr(program, '/');
	struct dirent **entries;
	char folder[256], path[600];
	int n;

	name = name != NULL ? name + 1 : program;
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", name);
	if ((n = scandir(folder, &entries, NULL, alphasort)) == -1) {
		count = failed = 1;
		printf("not ok 1 - %s cannot be opened\n", folder);
		return;
	}
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", folder,
			    entries[i]->d_name);
			run_file(path);
		}
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
	else
		run_corpus(argv[0]);
	printf("1..%d\n", count);
	return failed == 0 ? 0 : 1;
}
