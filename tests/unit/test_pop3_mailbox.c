/* test_pop3_mailbox.c - listing a Maildir; and a session on a socket. */
/* SPDX-License-Identifier: ISC */

/*
 * Without arguments: unit tests of the listing. With -s: serves the Maildir
 * that is named on descriptor 0, a socket, as malle-spawn's child would, for
 * tests/system/pop3d-mailbox.t:
 *   test_pop3_mailbox -s [-l LEFTOVER] [-e ERRORS_MAX] [-t] MAILDIR
 */

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/maildir.h"
#include "lib/num.h"
#include "lib/sandbox.h"
#include "pop3d/mailbox.h"
#include "pop3d/maildrop.h"
#include "pop3d/update.h"
#include "tests/unit/tap.h"

static int maildir;
static char folder[] = "/tmp/test_pop3_mailbox.XXXXXX";

static void
put_file(const char *name, const char *text)
{
	int fd = openat(maildir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) == -1)
		err(1, "%s", name);
	close(fd);
}

static bool
exists(const char *name)
{
	return faccessat(maildir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
clean(void)
{
	struct maildrop d;

	if (maildrop_open(&d, maildir) == -1)
		err(1, "%s", folder);
	for (size_t i = 0; i < d.n; i++)
		unlinkat(maildrop_folder(&d, &d.messages[i]),
		    maildrop_name(&d, &d.messages[i]), 0);
	maildrop_close(&d);
}

static bool
uid_is(const struct maildrop *d, size_t i, const char *want)
{
	char uid[MAILDROP_UID_MAX + 1];

	return i < d->n && strcmp(maildrop_uid(d, &d->messages[i], uid),
	    want) == 0;
}

static void
test_listing(void)
{
	struct maildrop d;
	uint64_t size;

	put_file("new/1000.b.h,S=3,W=4", "b\n\n");
	put_file("cur/999.z.h,S=2,W=3:2,S", "z\n");
	put_file("new/1000.a.h", "a\n");
	put_file("new/.hidden", "x");
	put_file("cur/odd", "no time");
	if (mkdirat(maildir, "cur/2.folder", 0700) == -1 ||
	    symlinkat("odd", maildir, "cur/3.link") == -1 ||
	    mkfifoat(maildir, "new/4.fifo", 0600) == -1)
		err(1, "mkdir");
	ok(maildrop_open(&d, maildir) == 0 && d.n == 4,
	    "no folder, link, FIFO or dot file is a message");
	ok(uid_is(&d, 0, "999.z.h") && uid_is(&d, 1, "1000.a.h") &&
	    uid_is(&d, 2, "1000.b.h") && uid_is(&d, 3, "odd"),
	    "order of arrival, then of names");
	ok(d.messages[0].wire == 3 && d.messages[1].wire == UINT64_MAX,
	    "sizes come from names");
	ok(maildrop_measure(&d, &d.messages[1]) == 0 &&
	    d.messages[1].wire == 3 && d.messages[1].size == 2,
	    "a name without sizes is measured");
	unlinkat(maildir, "cur/odd", 0);
	unlinkat(maildir, "new/1000.a.h", 0);
	if (mkfifoat(maildir, "cur/odd", 0600) == -1 ||
	    symlinkat("1000.b.h,S=3,W=4", maildir, "new/1000.a.h") == -1)
		err(1, "mkfifo");
	ok(maildrop_read(&d, &d.messages[3], &size) == -1 &&
	    maildrop_read(&d, &d.messages[1], &size) == -1,
	    "nor what became one of them since");
	unlinkat(maildir, "new/1000.a.h", 0);
	unlinkat(maildir, "cur/odd", 0);
	maildrop_close(&d);
	unlinkat(maildir, "cur/2.folder", AT_REMOVEDIR);
	unlinkat(maildir, "cur/3.link", 0);
	unlinkat(maildir, "new/4.fifo", 0);
	clean();
}

static void
test_uids(void)
{
	char name[200], uid[MAILDROP_UID_MAX + 1], again[sizeof(uid)];
	struct maildrop d;

	snprintf(name, sizeof(name), "new/5.%.68s",
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
	    "abcdefghijklmnopqrstuvwxyz");
	put_file(name, "x");
	snprintf(name + strlen(name), sizeof(name) - strlen(name), "y");
	put_file(name, "x");
	put_file("new/6.caf\xc3\xa9", "x");
	put_file("new/7.a b", "x");
	ok(maildrop_open(&d, maildir) == 0 && d.n == 4, "four odd names");
	maildrop_uid(&d, &d.messages[0], uid);
	ok(strlen(uid) == 70 && strncmp(uid, "5.abc", 5) == 0,
	    "70 characters are a UID");
	maildrop_uid(&d, &d.messages[1], uid);
	ok(strlen(uid) == 66 && strncmp(uid, "h.", 2) == 0,
	    "71 characters are hashed");
	maildrop_uid(&d, &d.messages[2], uid);
	maildrop_uid(&d, &d.messages[3], again);
	ok(strncmp(uid, "h.", 2) == 0 && strncmp(again, "h.", 2) == 0 &&
	    strcmp(uid, again) != 0, "so is what is not printable ASCII");
	maildrop_close(&d);
	clean();
	put_file("cur/7.a b,S=1,W=3:2,RS", "x");
	ok(maildrop_open(&d, maildir) == 0 && d.n == 1 &&
	    uid_is(&d, 0, again), "the hash stays with flags and sizes");
	maildrop_close(&d);
	clean();
}

static void
test_twins(void)
{
	char uid[MAILDROP_UID_MAX + 1];
	struct maildrop d;

	put_file("new/8.t", "one");
	put_file("cur/8.t:2,S", "two");
	ok(maildrop_open(&d, maildir) == 0 && d.n == 2 &&
	    uid_is(&d, 0, "8.t") && !uid_is(&d, 1, "8.t") &&
	    strncmp(maildrop_uid(&d, &d.messages[1], uid), "h.", 2) == 0,
	    "two files with one unique part have two UIDs");
	maildrop_close(&d);
	clean();
	put_file("new/9.t", "one");
	if (linkat(maildir, "new/9.t", maildir, "cur/9.t:2,S", 0) == -1)
		err(1, "link");
	ok(maildrop_open(&d, maildir) == 0 && d.n == 1,
	    "one file with two names is one message");
	maildrop_close(&d);
	unlinkat(maildir, "new/9.t", 0);
	clean();
}

static void
test_moves(void)
{
	struct maildrop d;
	uint64_t size;
	int fd;

	put_file("new/10.a", "a");
	put_file("new/11.b", "bb");
	put_file("new/12.c", "ccc");
	ok(maildrop_open(&d, maildir) == 0 && d.n == 3, "three messages");
	renameat(maildir, "new/11.b", maildir, "cur/11.b,S=2,W=4:2,S");
	unlinkat(maildir, "new/12.c", 0);
	put_file("new/10.0", "newer");
	fd = maildrop_read(&d, &d.messages[1], &size);
	ok(fd != -1 && size == 2, "a moved file is found");
	close(fd);
	ok(d.messages[1].wire == 4, "and its sizes are learnt");
	ok((d.messages[2].flags & MESSAGE_GONE) != 0 && errno == ENOENT &&
	    maildrop_read(&d, &d.messages[2], &size) == -1,
	    "a removed one is gone");
	ok(d.n == 3 && uid_is(&d, 0, "10.a"), "numbers stay");
	maildrop_close(&d);
	clean();
}

static void
test_update(void)
{
	struct maildrop d;
	struct update u;
	char text[100] = "";
	int fd;

	put_file("maildirsize", "0S,0C\n10 4\n");
	put_file("new/20.a,S=4,W=5", "aaaa");
	put_file("cur/21.b:2,S", "b\n");
	put_file("new/22.c", "cc\n");
	put_file("new/23.d", "d");
	ok(maildrop_open(&d, maildir) == 0 && d.n == 4, "four messages");
	d.messages[0].flags |= MESSAGE_DELETED;
	d.messages[1].flags |= MESSAGE_DELETED;
	d.messages[3].flags |= MESSAGE_DELETED;
	renameat(maildir, "cur/21.b:2,S", maildir, "cur/21.b:2,FS");
	unlinkat(maildir, "new/23.d", 0);
	ok(maildrop_measure(&d, &d.messages[2]) == 0, "measured");
	update_maildir(&d, maildir, &u);
	ok(u.deleted == 2 && u.bytes == 6 && u.failed == 0 && u.error == 0,
	    "two removed, one renamed meanwhile, one gone: no failure");
	ok(!exists("new/20.a,S=4,W=5") && !exists("cur/21.b:2,FS"),
	    "the files are gone");
	ok(exists("new/22.c,S=3,W=4"), "the one that stays got its sizes");
	maildrop_close(&d);
	if ((fd = openat(maildir, "maildirsize", O_RDONLY)) == -1 ||
	    read(fd, text, sizeof(text) - 1) == -1)
		err(1, "maildirsize");
	close(fd);
	ok(strcmp(text, "0S,0C\n10 4\n-6 -2\n") == 0, "maildirsize");
	clean();
}

static int
run_tests(void)
{
	if (mkdtemp(folder) == NULL ||
	    (maildir = maildir_open(AT_FDCWD, folder, true)) == -1)
		err(1, "%s", folder);
	test_listing();
	test_uids();
	test_twins();
	test_moves();
	test_update();
	unlinkat(maildir, "maildirsize", 0);
	unlinkat(maildir, "new", AT_REMOVEDIR);
	unlinkat(maildir, "cur", AT_REMOVEDIR);
	unlinkat(maildir, "tmp", AT_REMOVEDIR);
	rmdir(folder);
	return done();
}

static int
serve(struct pop3_mailbox *m, const char *path)
{
	struct sandbox_path place = { .may_write = true };
	struct sandbox_got got;

	log_open("test_pop3_mailbox");
	if ((m->maildir = maildir_open(AT_FDCWD, path, false)) == -1)
		err(1, "%s", path);
	place.dirfd = m->maildir;
	if (sandbox_enter(SANDBOX_MAILBOX, &place, 1, &got) == -1)
		err(1, "sandbox");
	return pop3_session(m);
}

int
main(int argc, char **argv)
{
	static struct spawn_pop3 who = {
		.domain = "exemple.test", .mailbox = "alice",
		.session = "p1-2-3", .client = "192.0.2.7", .leftover = { "", 0 }
	};
	struct pop3_mailbox m = { .client = 0, .who = &who, .timeout = 600,
	    .errors_max = 20, .keeps = true };
	int o;

	if (argc == 1)
		return run_tests();
	while ((o = getopt(argc, argv, "sl:e:n:t")) != -1)
		switch (o) {
		case 'l':
			who.leftover = slice_of(optarg);
			break;
		case 'e':
			if (num_parse(slice_of(optarg), 0, 1000000,
			    &m.errors_max) == -1)
				return 64;
			break;
		case 'n':
			(void)!slice_to_cstr(slice_of(optarg), who.session,
			    sizeof(who.session));
			break;
		case 't':
			m.tls = true;
			break;
		case 's':
			break;
		default:
			return 64;
		}
	if (optind + 1 != argc)
		return 64;
	return serve(&m, argv[optind]);
}
