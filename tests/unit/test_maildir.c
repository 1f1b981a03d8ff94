/* test_maildir.c - names, maildirsize, counting. */
/* SPDX-License-Identifier: ISC */

#include "lib/maildir.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/tap.h"

#define NONE UINT64_MAX

static const struct {
	const char *name;
	int want;
	const char *unique;
	uint64_t size, wire;
	const char *flags;
	bool is_stray;
} names[] = {
	{ "1.M2R0.host,S=10,W=12", 0, "1.M2R0.host", 10, 12, "", false },
	{ "1.M2R0.host,S=10,W=12:2,FS", 0, "1.M2R0.host", 10, 12, "FS", false },
	{ "1.M2R0.host,W=12,S=10:2,", 0, "1.M2R0.host", 10, 12, "", false },
	{ "1.a.b", 0, "1.a.b", NONE, NONE, "", false },
	{ "1.a,S=10,W=12,C=1", 0, "1.a", 10, 12, "", true },
	{ "1.a,C=1,S=10:2,S", 0, "1.a", 10, NONE, "S", true },
	{ "1.a,C=1", 0, "1.a", NONE, NONE, "", true },
	{ "1.a,S=1,C=", 0, "1.a", 1, NONE, "", false },
	{ "1.a,S=1,C=11", 0, "1.a", 1, NONE, "", false },
	{ "1.a,S=1:2,S,C=1", 0, "1.a", 1, NONE, "S,C=1", false },
	{ "1.C=1,S=1", 0, "1.C=1", 1, NONE, "", false },
	{ "1.a.b:2,S", 0, "1.a.b", NONE, NONE, "S", false },
	{ "1.a.b:2,S,S=9", 0, "1.a.b", NONE, NONE, "S,S=9", false },
	{ "1.a.b:1,X", 0, "1.a.b", NONE, NONE, "", false },
	{ "1.a,S=,W=-1", 0, "1.a", NONE, NONE, "", false },
	{ "1.a,S=18446744073709551615", 0, "1.a", NONE, NONE, "", false },
	{ "1.a,S=9223372036854775807", 0, "1.a", INT64_MAX, NONE, "", false },
	{ "1.a,S=5x,X=3,S", 0, "1.a", NONE, NONE, "", false },
	{ "", -1, "", 0, 0, "", false },
	{ ".", -1, "", 0, 0, "", false },
	{ ".hidden", -1, "", 0, 0, "", false },
	{ "a/b", -1, "", 0, 0, "", false },
	{ ",S=3", -1, "", 0, 0, "", false },
	{ ":2,S", -1, "", 0, 0, "", false },
};

static void
test_names(void)
{
	char name[MAILDIR_NAME_MAX + 1], longname[300];
	struct maildir_name m;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int r;

		m = (struct maildir_name){ SLICE("untouched"), 42, 42,
		    SLICE("untouched"), false };
		r = maildir_name_parse(slice_of(names[i].name), &m);
		if (names[i].want == -1)
			ok(r == -1 && m.size == 42, "no name: \"%s\"",
			    names[i].name);
		else
			ok(r == 0 && m.size == names[i].size &&
			    m.wire_size == names[i].wire &&
			    slice_eq(m.unique, slice_of(names[i].unique)) &&
			    slice_eq(m.flags, slice_of(names[i].flags)) &&
			    m.is_stray == names[i].is_stray,
			    "name: \"%s\"", names[i].name);
	}
	ok(maildir_name_parse(slice_make("a\0b", 3), &m) == -1, "NUL");
	memset(longname, 'a', sizeof(longname));
	ok(maildir_name_parse(slice_make(longname, 255), &m) == 0, "255 bytes");
	ok(maildir_name_parse(slice_make(longname, 256), &m) == -1,
	    "256 bytes");
	ok(maildir_name_make("1.MxR0.h", 5, 7, name) == 0 &&
	    strcmp(name, "1.MxR0.h,S=5,W=7") == 0, "make");
	ok(maildir_name_mark_stray(name) == 0 &&
	    strcmp(name, "1.MxR0.h,S=5,W=7,C=1") == 0, "mark");
	longname[252] = '\0';
	memcpy(name, longname, 253);
	ok(maildir_name_mark_stray(name) == -1 && strlen(name) == 252,
	    "mark: too long");
	name[251] = '\0';
	ok(maildir_name_mark_stray(name) == 0 && strlen(name) == 255,
	    "mark: just not");
	longname[250] = '\0';
	ok(maildir_name_make(longname, 5, 7, name) == -1, "make: too long");
}

/* A Maildir of our own. */
static char folder[] = "/tmp/test_maildir.XXXXXX";
static int top, box;

static void
put(const char *path, const char *text)
{
	int fd = openat(box, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) !=
	    (ssize_t)strlen(text)) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static const char *
get(const char *path)
{
	static char text[8192];
	int fd = openat(box, path, O_RDONLY);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd != -1)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "(none)" : text;
}

/* Rows of maildirsize; INBOX holds 30 bytes in 2 messages, quota 1000S,10C. */
static const struct {
	const char *what, *text;
	uint64_t bytes, messages;
	const char *after;	/* NULL: as it was */
} sizefiles[] = {
	{ "sound", "1000S,10C\n100 3\n-20 -1\n", 80, 2, NULL },
	{ "other order", "10C,1000S\n7 1\n", 7, 1, NULL },
	{ "padded as others write it", "1000S,10C\n         100     3\n", 100,
	    3, NULL },
	{ "header alone", "1000S,10C\n", 0, 0, NULL },
	{ "unknown letter", "1000S,10C,5X\n7 1\n", 7, 1, NULL },
	{ "plus sign", "1000S,10C\n+7 +1\n", 7, 1, NULL },
	{ "other quota", "2000S,10C\n7 1\n", 30, 2, "1000S,10C\n30 2\n" },
	{ "no count", "1000S\n7 1\n", 30, 2, "1000S,10C\n30 2\n" },
	{ "empty", "", 30, 2, "1000S,10C\n30 2\n" },
	{ "zeros after a crash", "1000S,10C\n7 x\n", 30, 2,
	    "1000S,10C\n30 2\n" },
	{ "cut", "1000S,10C\n7 1", 30, 2, "1000S,10C\n30 2\n" },
	{ "three numbers", "1000S,10C\n7 1 1\n", 30, 2, "1000S,10C\n30 2\n" },
	{ "below nothing", "1000S,10C\n7 1\n-8 0\n", 30, 2,
	    "1000S,10C\n30 2\n" },
	{ "overflow", "1000S,10C\n9223372036854775807 1\n"
	    "9223372036854775807 1\n", 30, 2, "1000S,10C\n30 2\n" },
};

static void
test_sizefiles(void)
{
	struct maildir_usage u;

	for (size_t i = 0; i < sizeof(sizefiles) / sizeof(sizefiles[0]); i++) {
		const char *want = sizefiles[i].after != NULL ?
		    sizefiles[i].after : sizefiles[i].text;

		put("maildirsize", sizefiles[i].text);
		ok(maildir_usage(box, 1000, 10, &u) == 0 &&
		    u.bytes == sizefiles[i].bytes &&
		    u.messages == sizefiles[i].messages && !u.stale,
		    "maildirsize: %s: %llu %llu", sizefiles[i].what,
		    (unsigned long long)u.bytes,
		    (unsigned long long)u.messages);
		ok(strcmp(get("maildirsize"), want) == 0,
		    "maildirsize: %s: the file afterwards",
		    sizefiles[i].what);
	}
}

static void
test_big_and_old(void)
{
	struct timespec old[2] = { { .tv_sec = time(NULL) - 1000 },
	    { .tv_sec = time(NULL) - 1000 } };
	struct timespec ahead[2] = { { .tv_sec = time(NULL) + 86400 },
	    { .tv_sec = time(NULL) + 86400 } };
	struct maildir_usage u;
	char big[6000] = "1000S,10C\n";

	for (size_t n = strlen(big); n < 5200; n += 4)
		memcpy(big + n, "1 1\n", 5);
	put("maildirsize", big);
	ok(maildir_usage(box, 1000, 10, &u) == 0 && u.bytes == 30,
	    "more than 5120 bytes are counted anew");
	put("maildirsize", big);
	ok(maildir_usage_add(box, 5, 1) == 0 &&
	    strcmp(get("maildirsize"), "(none)") == 0,
	    "an append to more than 5120 bytes removes it");
	ok(maildir_usage_add(box, 5, 1) == 0 &&
	    strcmp(get("maildirsize"), "(none)") == 0,
	    "an append does not make it");
	ok(maildir_usage(box, 1000, 10, &u) == 0 && u.bytes == 30 &&
	    strcmp(get("maildirsize"), "1000S,10C\n30 2\n") == 0,
	    "a missing one is made");
	ok(maildir_usage_add(box, -5, -1) == 0 &&
	    strcmp(get("maildirsize"), "1000S,10C\n30 2\n-5 -1\n") == 0,
	    "an append");
	utimensat(box, "maildirsize", old, 0);
	ok(maildir_usage(box, 1000, 10, &u) == 0 && u.bytes == 25 && u.stale,
	    "what is old says so");
	utimensat(box, "maildirsize", ahead, 0);
	ok(maildir_usage(box, 1000, 10, &u) == 0 && u.bytes == 25 && u.stale,
	    "what a wrong clock has dated is not believed for years");
	ok(maildir_recount(box, 1000, 10, &u) == 0 && u.bytes == 30 &&
	    !u.stale, "recount");
}

static void
test_links(void)
{
	struct maildir_usage u;

	unlinkat(box, "maildirsize", 0);
	put("tmp/victim", "1000S,10C\n7 7\n");
	if (symlinkat("tmp/victim", box, "maildirsize") == -1)
		exit(1);
	ok(maildir_usage_add(box, 1, 1) == 0 &&
	    strcmp(get("tmp/victim"), "1000S,10C\n7 7\n") == 0 &&
	    strcmp(get("maildirsize"), "(none)") == 0,
	    "a link is not appended to, but removed");
	if (symlinkat("tmp/victim", box, "maildirsize") == -1)
		exit(1);
	ok(maildir_usage(box, 1000, 10, &u) == 0 && u.bytes == 30 &&
	    strcmp(get("tmp/victim"), "1000S,10C\n7 7\n") == 0 &&
	    strcmp(get("maildirsize"), "1000S,10C\n30 2\n") == 0,
	    "a link is not read, but replaced");
	unlinkat(box, "maildirsize", 0);
	if (mknodat(box, "maildirsize", S_IFSOCK | 0600, 0) == -1)
		exit(1);
	ok(maildir_usage(box, 1000, 10, &u) == 0 && u.bytes == 30 &&
	    strcmp(get("maildirsize"), "1000S,10C\n30 2\n") == 0,
	    "nor is a socket: it is replaced");
	put("maildirsize", "1000S,10C\n7 7\n");
	if (fchmodat(box, "maildirsize", 0, 0) == -1)
		exit(1);
	ok(maildir_usage(box, 1000, 10, &u) == 0 &&
	    (u.bytes == 30 || geteuid() == 0),
	    "nor what may not be read");
	unlinkat(box, "maildirsize", 0);
	if (renameat(box, "tmp", box, "aside") == -1 ||
	    symlinkat("aside", box, "tmp") == -1)
		exit(1);
	ok(maildir_recount(box, 1000, 10, &u) == 0 && u.bytes == 30 &&
	    strcmp(get("maildirsize"), "(none)") == 0,
	    "nothing is written through a link in place of tmp");
	unlinkat(box, "tmp", 0);
	(void)!renameat(box, "aside", box, "tmp");
}

/* As on a full disk. */
static void
test_no_room(void)
{
	struct rlimit was, none;

	put("maildirsize", "1000S,10C\n30 2\n");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	none = (struct rlimit){ 20, was.rlim_max };
	setrlimit(RLIMIT_FSIZE, &none);
	ok(maildir_usage_add(box, -5, -1) == 0 &&
	    strcmp(get("maildirsize"), "(none)") == 0,
	    "a change that cannot be noted, or half of it: it is removed");
	setrlimit(RLIMIT_FSIZE, &was);
	if (mkdirat(box, "maildirsize", 0700) == -1)
		exit(1);
	ok(maildir_usage_add(box, -5, -1) == -1, "a folder in its place");
	unlinkat(box, "maildirsize", AT_REMOVEDIR);
}

static void
test_folders(void)
{
	struct maildir_usage u;
	int fd;

	fd = maildir_open(box, ".Sent", true);
	ok(fd != -1, "a folder");
	close(fd);
	put(".Sent/cur/2.x,S=1000:2,S", "");
	put(".Sent/new/2.y,S=1", "");
	mkdirat(box, ".NoMaildir", 0700);
	put(".afile", "x");
	ok(symlinkat("/etc", box, ".Link") == 0, "a link among the folders");
	put("tmp/3.z,S=50", "");
	ok(maildir_recount(box, 0, 0, &u) == 0 && u.bytes == 1031 &&
	    u.messages == 4, "folders count, tmp does not: %llu %llu",
	    (unsigned long long)u.bytes, (unsigned long long)u.messages);
	ok(strcmp(get("maildirsize"), "0S,0C\n1031 4\n") == 0, "without quota");
}

static void
test_open(void)
{
	struct stat st;
	int fd;

	ok(maildir_open(top, "nobody", false) == -1 && errno == ENOENT,
	    "a missing one is not made unless asked");
	fd = maildir_open(top, "Maildir", true);
	ok(fd != -1 && fstatat(fd, "cur", &st, 0) == 0 &&
	    (st.st_mode & 0777) == 0700, "made, mode 0700");
	close(fd);
	ok(symlinkat("Maildir", top, "link") == 0 &&
	    maildir_open(top, "link", true) == -1 &&
	    maildir_open(top, "link", false) == -1, "a link is no Maildir");
	unlinkat(box, "tmp", AT_REMOVEDIR);
	fd = maildir_open(top, "Maildir", true);
	ok(fd != -1 && fstatat(fd, "tmp", &st, 0) == 0, "parts are mended");
	close(fd);
}

static void
test_clean(void)
{
	time_t now = time(NULL);
	int fd = openat(box, "tmp", O_RDONLY | O_DIRECTORY);

	put("tmp/a", "x");
	maildir_clean_tmp(fd, now + MAILDIR_TMP_AGE - 100);
	ok(strcmp(get("tmp/a"), "x") == 0, "younger than 36 hours stays");
	maildir_clean_tmp(fd, now + MAILDIR_TMP_AGE + 100);
	ok(strcmp(get("tmp/a"), "(none)") == 0, "older than 36 hours goes");
	close(fd);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

int
main(void)
{
	umask(022);
	if (mkdtemp(folder) == NULL ||
	    (top = open(folder, O_RDONLY | O_DIRECTORY)) == -1 ||
	    (box = maildir_open(top, "Maildir", true)) == -1) {
		perror(folder);
		return 1;
	}
	test_names();
	test_open();
	put("new/1.a,S=10,W=11", "not ten bytes: the name counts");
	put("cur/1.b:2,S", "twenty bytes by stat");
	test_sizefiles();
	test_big_and_old();
	test_links();
	test_no_room();
	test_folders();
	test_clean();
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done();
}
