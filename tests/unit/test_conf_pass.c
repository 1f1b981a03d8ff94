/* test_conf_pass.c - settings handed to a program that cannot read the file. */
/* SPDX-License-Identifier: ISC */

#include "lib/conf_pass.h"

#include <errno.h>
#include <string.h>

#include "lib/ipc.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static const char text[] =
    "hostname = mail.exemple.test\n"
    "message_max = 20M\n"
    "retry_first = 90s\n"
    "smtp = 127.0.0.1:25, [::1]:25\n"
    "pop3 = none\n"
    "proxy_hosts = 192.0.2.0/24, 2001:db8::/32\n"
    "auth_clear_on_loopback = yes\n"
    "postmaster = chef@exemple.test\n";

static void
load(struct conf *c, int dir)
{
	char path[300];

	scratch_write(dir, "x.conf", text, strlen(text));
	snprintf(path, sizeof(path), "%s/x.conf", scratch_path);
	if (conf_load(c, path, stderr) == -1)
		errx(1, "x.conf");
}

static bool
is_same(const struct conf *a, const struct conf *b)
{
	char *one = NULL, *two = NULL;
	size_t len;
	FILE *f = open_memstream(&one, &len);
	bool same;

	conf_print(a, f);
	fclose(f);
	f = open_memstream(&two, &len);
	conf_print(b, f);
	fclose(f);
	same = strcmp(one, two) == 0;
	free(one);
	free(two);
	return same;
}

static void
test_pass(int dir)
{
	struct conf c, first, got;
	gid_t admins = 7;
	int fd[2], n = 0;

	load(&c, dir);
	snprintf(c.admin_group, sizeof(c.admin_group), "root");
	first = c;
	if (conf_pair(fd) == -1)
		err(1, "conf_pair");
	memset(&got, 0, sizeof(got));
	ok(conf_receive(-1, &got, &admins) == 0, "no descriptor: nothing");
	ok(conf_receive(fd[1], &got, &admins) == 0 && got.hostname[0] == '\0',
	    "nothing has come: nothing changes, nobody waits");
	ok(admins == 7 && conf_send(fd[0], &c) == 0 &&
	    conf_receive(fd[1], &got, &admins) == 1 && is_same(&c, &got),
	    "all settings arrive");
	ok(admins == 0, "and the number of the group that administers");
	snprintf(c.admin_group, sizeof(c.admin_group), "no:such:group");
	ok(conf_send(fd[0], &c) == 0 &&
	    conf_receive(fd[1], &got, &admins) == 1 && admins == (gid_t)-1,
	    "no such group, no number");
	c.retry_first = 7;
	ok(conf_send(fd[0], &first) == 0 && conf_send(fd[0], &c) == 0 &&
	    conf_receive(fd[1], &got, &admins) == 1 && got.retry_first == 7,
	    "of two the last one counts");
	ok(conf_receive(fd[1], &got, &admins) == 0, "and both are taken");
	while (n < 100000 && conf_send(fd[0], &c) == 0)
		n++;
	ok(n > 0 && n < 100000 && errno == EAGAIN,
	    "nobody waits for one that does not read");
	close(fd[0]);
	ok(conf_receive(fd[1], &got, &admins) == 1 && is_same(&c, &got),
	    "what was sent by somebody who is gone counts");
	close(fd[1]);
}

/* clang-format off */
static const struct {
	const char *what;
	uint16_t type;
	const char *body;
	bool packed;		/* as bytes with their length, a group behind */
} hostile[] = {
	{ "another type", 2, "hostname = a.test\n", true },
	{ "no length", CONF_SETTINGS, "hostname = a.test\n", false },
	{ "nothing", CONF_SETTINGS, "", true },
	{ "no body", CONF_SETTINGS, "", false },
	{ "no setting", CONF_SETTINGS, "colour = red\n", true },
	{ "a wrong value", CONF_SETTINGS, "message_max = lots\n", true },
};
/* clang-format on */

static void
test_hostile(int dir)
{
	unsigned char space[256];
	struct conf c, before;
	struct packer k;
	gid_t admins = 7;
	int fd[2];

	load(&c, dir);
	before = c;
	if (conf_pair(fd) == -1)
		err(1, "conf_pair");
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		pack_init(&k, space, sizeof(space));
		if (hostile[i].packed) {
			pack_bytes(&k, slice_of(hostile[i].body));
			pack_u32(&k, 0);
		} else
			pack_raw(&k, slice_of(hostile[i].body));
		if (ipc_send(fd[0], hostile[i].type, &k, NULL, 0) == -1)
			err(1, "ipc_send");
		ok(conf_receive(fd[1], &c, &admins) == -1 && admins == 7 &&
		    is_same(&c, &before),
		    "refused: %s", hostile[i].what);
	}
	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, SLICE("hostname = a.test\n"));
	if (ipc_send(fd[0], CONF_SETTINGS, &k, NULL, 0) == -1)
		err(1, "ipc_send");
	ok(conf_receive(fd[1], &c, &admins) == -1 && is_same(&c, &before),
	    "refused: no group");
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	int dir = scratch_open();

	test_pass(dir);
	test_hostile(dir);
	return done();
}
