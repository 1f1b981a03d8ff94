/* fuzz_conf.c - any bytes as malleposte.conf. */
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"

#include <unistd.h>

#include "tests/fuzz/must.h"
#include "tests/unit/scratch.h"

/* What was read can be printed and read again. */
static void
check_again(int dir, const char *path, const struct conf *c, FILE *err)
{
	static struct conf again;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	must(f != NULL);
	conf_print(c, f);
	fclose(f);
	scratch_write(dir, "x.conf", text, len);
	free(text);
	must(conf_load(&again, path, err) == 0);
	must(again.message_max == c->message_max &&
	    again.smtp.n == c->smtp.n && strcmp(again.base, c->base) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir = -1;
	static char path[300];
	static FILE *err;
	static struct conf c;

	if (dir == -1) {
		dir = scratch_open();
		snprintf(path, sizeof(path), "%s/x.conf", scratch_path);
		err = fopen("/dev/null", "w");
		must(err != NULL);
	}
	scratch_write(dir, "x.conf", data, size);
	if (conf_load(&c, path, err) == 0)
		check_again(dir, path, &c, err);
	return 0;
}
