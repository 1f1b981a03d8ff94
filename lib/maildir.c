/* maildir.c - Maildir++: names, folders, quota. */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nobody's file. Other programs of the same owner write here too, so
 * a maildirsize that does not add up is counted anew, never believed.
 * Order: a new maildirsize is written in tmp and renamed. When new or cur have
 * changed meanwhile it is removed again, so a change that was appended to its
 * predecessor is never lost for long. It is never synced: after a crash it is
 * whole, old, or damaged, and damaged means counting anew.
 * Limits: names of 255 bytes, a maildirsize of 5120 bytes, folders one level
 * deep.
 */

#include "lib/maildir.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/num.h"

#define SIZEFILE "maildirsize"
#define SIZEFILE_MAX 5120	/* the limit of the Maildir++ convention */
#define STALE_AFTER (15 * 60)
#define FOLDERS_MAX 10000
#define CLEAN_MAX 10000
#define STRAY "C=1"

/* What one maildirsize says. */
struct sizefile {
	uint64_t quota_bytes, quota_messages;
	int64_t bytes, messages;
};

/* A count in progress. */
struct count {
	uint64_t bytes, messages;
	uint64_t stamp;		/* changes when a folder changes */
	bool names;		/* count messages, not only the stamp */
};

int
maildir_name_parse(struct slice name, struct maildir_name *out)
{
	struct maildir_name m = { SLICE_EMPTY, UINT64_MAX, UINT64_MAX,
	    SLICE_EMPTY, false };
	struct slice rest, field;
	const char *colon;

	if (name.len == 0 || name.len > MAILDIR_NAME_MAX || name.p[0] == '.' ||
	    memchr(name.p, '/', name.len) != NULL ||
	    memchr(name.p, '\0', name.len) != NULL)
		return -1;
	rest = name;
	if ((colon = memchr(name.p, ':', name.len)) != NULL) {
		struct slice info = slice_skip(name, (size_t)(colon - name.p));

		if (info.len > 3 && memcmp(info.p, ":2,", 3) == 0)
			m.flags = slice_skip(info, 3);
		rest.len = (size_t)(colon - name.p);
	}
	m.unique = slice_cut(&rest, ',');
	if (m.unique.len == 0)
		return -1;
	while (rest.p != NULL) {
		field = slice_cut(&rest, ',');
		if (field.len < 3 || field.p[1] != '=')
			continue;
		/* A number that is none leaves "unknown". */
		if (field.p[0] == 'S')
			(void)!num_parse(slice_skip(field, 2), 0, INT64_MAX,
			    &m.size);
		else if (field.p[0] == 'W')
			(void)!num_parse(slice_skip(field, 2), 0, INT64_MAX,
			    &m.wire_size);
		else if (slice_eq(field, SLICE(STRAY)))
			m.is_stray = true;
	}
	*out = m;
	return 0;
}

int
maildir_name_make(const char *unique, uint64_t size, uint64_t wire_size,
    char *out)
{
	int n = snprintf(out, MAILDIR_NAME_MAX + 1, "%s,S=%llu,W=%llu", unique,
	    (unsigned long long)size, (unsigned long long)wire_size);

	return n > 0 && n <= MAILDIR_NAME_MAX ? 0 : -1;
}

int
maildir_name_mark_stray(char name[MAILDIR_NAME_MAX + 1])
{
	size_t len = strlen(name);

	if (len + sizeof(STRAY) > MAILDIR_NAME_MAX)
		return -1;
	snprintf(name + len, sizeof("," STRAY), "," STRAY);
	return 0;
}

int
maildir_open(int dirfd, const char *name, bool create)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	int fd, saved;

	if (create && fsx_make_dir(dirfd, name, 0700) == -1)
		return -1;
	if ((fd = fsx_open_dir(dirfd, name)) == -1 || !create)
		return fd;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (fsx_make_dir(fd, parts[i], 0700) == -1) {
			saved = errno;
			close(fd);
			errno = saved;
			return -1;
		}
	}
	return fd;
}

/* "1000000S,500C" in any order, either missing; unknown letters are skipped. */
static int
quota_parse(struct slice line, struct sizefile *out)
{
	uint64_t v;

	while (line.p != NULL && line.len > 0) {
		struct slice item = slice_trim(slice_cut(&line, ','));
		struct slice digits = { item.p, item.len - 1 };

		if (item.len == 0)
			continue;
		if (num_parse(digits, 0, INT64_MAX, &v) == -1)
			return -1;
		if (item.p[item.len - 1] == 'S')
			out->quota_bytes = v;
		else if (item.p[item.len - 1] == 'C')
			out->quota_messages = v;
	}
	return 0;
}

/* One number with its sign, moved over; spaces before it are allowed. */
static int
signed_parse(struct slice *s, int64_t *out)
{
	size_t i = 0, start;
	bool negative = false;
	uint64_t v;

	while (i < s->len && s->p[i] == ' ')
		i++;
	if (i < s->len && (s->p[i] == '-' || s->p[i] == '+'))
		negative = s->p[i++] == '-';
	start = i;
	while (i < s->len && s->p[i] >= '0' && s->p[i] <= '9')
		i++;
	if (num_parse(slice_make(s->p + start, i - start), 0, INT64_MAX,
	    &v) == -1)
		return -1;
	*out = negative ? -(int64_t)v : (int64_t)v;
	*s = slice_skip(*s, i);
	return 0;
}

/* All of a maildirsize; -1 when any of it is not understood. */
static int
sizefile_parse(struct slice text, struct sizefile *out)
{
	struct sizefile f = { 0, 0, 0, 0 };
	int64_t bytes, messages;

	if (text.len == 0 || text.p[text.len - 1] != '\n' ||
	    quota_parse(slice_cut(&text, '\n'), &f) == -1)
		return -1;
	while (text.len > 0) {
		struct slice line = slice_cut(&text, '\n');

		if (signed_parse(&line, &bytes) == -1 ||
		    signed_parse(&line, &messages) == -1 ||
		    slice_trim(line).len != 0 ||
		    __builtin_add_overflow(f.bytes, bytes, &f.bytes) ||
		    __builtin_add_overflow(f.messages, messages, &f.messages))
			return -1;
	}
	if (f.bytes < 0 || f.messages < 0)
		return -1;
	*out = f;
	return 0;
}

/* Of what cannot be opened: it is not there, or nobody's to believe. */
static bool
is_no_file(int error)
{
	return error == ENOENT || error == ELOOP || error == EACCES ||
	    error == ENXIO;
}

/* Reads maildirsize. 1 when it is sound, 0 when it must be counted anew, -1. */
static int
sizefile_read(int maildirfd, struct sizefile *out, bool *stale)
{
	char text[SIZEFILE_MAX + 1];
	struct stat st;
	time_t age;
	ssize_t n;
	int fd;

	fd = openat(maildirfd, SIZEFILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    O_NONBLOCK);
	if (fd == -1)
		return is_no_file(errno) ? 0 : -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (n = pread(fd, text, sizeof(text), 0)) == -1) {
		close(fd);
		return 0;
	}
	close(fd);
	if (n > SIZEFILE_MAX ||
	    sizefile_parse(slice_make(text, (size_t)n), out) == -1)
		return 0;
	age = time(NULL) - st.st_mtim.tv_sec;
	*stale = age < 0 || age >= STALE_AFTER;
	return 1;
}

static void
saturate(uint64_t *sum, uint64_t v)
{
	if (__builtin_add_overflow(*sum, v, sum) || *sum > INT64_MAX)
		*sum = INT64_MAX;
}

/* Adds one name of new or cur to the count. */
static void
count_name(struct count *c, int dirfd, const char *text)
{
	struct maildir_name name;
	struct stat st;

	if (maildir_name_parse(slice_of(text), &name) == -1)
		return;
	if (name.size == UINT64_MAX) {
		if (fstatat(dirfd, text, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode))
			return;	/* gone meanwhile, or no message */
		name.size = (uint64_t)st.st_size;
	}
	saturate(&c->bytes, name.size);
	saturate(&c->messages, 1);
}

/* Adds new or cur; one that is not there counts nothing. 0 or -1. */
static int
count_dir(struct count *c, int folderfd, const char *name)
{
	struct dirent *e;
	struct stat st;
	DIR *d;
	int fd;

	if ((fd = fsx_open_dir(folderfd, name)) == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	if (fstat(fd, &st) == -1) {
		close(fd);
		return -1;
	}
	c->stamp = c->stamp * 1000003u + (uint64_t)st.st_ino;
	c->stamp = c->stamp * 1000003u + (uint64_t)st.st_mtim.tv_sec;
	c->stamp = c->stamp * 1000003u + (uint64_t)st.st_mtim.tv_nsec;
	if (!c->names) {
		close(fd);
		return 0;
	}
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while ((e = fsx_next(d)) != NULL)
		count_name(c, fd, e->d_name);
	fsx_close_list(d);
	return errno == 0 ? 0 : -1;
}

static int
count_folder(struct count *c, int folderfd)
{
	return count_dir(c, folderfd, "new") == -1 ||
	    count_dir(c, folderfd, "cur") == -1 ? -1 : 0;
}

/* The folder ".Name" of a Maildir++; what is none counts nothing. */
static int
count_subfolder(struct count *c, int maildirfd, const char *name)
{
	int fd, r, saved;

	if ((fd = fsx_open_dir(maildirfd, name)) == -1)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ?
		    0 : -1;
	r = count_folder(c, fd);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* The whole Maildir: INBOX and each folder, Trash too: it takes room. */
static int
count_maildir(int maildirfd, bool names, struct count *c)
{
	struct dirent *e;
	size_t folders = 0;
	int r = -1;
	DIR *d;

	*c = (struct count){ .names = names };
	if (count_folder(c, maildirfd) == -1)
		return -1;
	if ((d = fsx_open_list(maildirfd, ".")) == NULL)
		return -1;
	while ((e = fsx_next(d)) != NULL) {
		if (e->d_name[0] != '.' || e->d_name[1] == '\0' ||
		    (e->d_name[1] == '.' && e->d_name[2] == '\0'))
			continue;
		if (++folders > FOLDERS_MAX)
			break;
		if (count_subfolder(c, maildirfd, e->d_name) == -1)
			goto out;
	}
	r = errno == 0 ? 0 : -1;
out:
	fsx_close_list(d);
	return r;
}

/* Writes it in tmp and renames it. 0, or -1 with errno and nothing left. */
static int
sizefile_put(int maildirfd, int tmp, struct slice text)
{
	char name[64];
	struct timespec now;
	int fd, saved;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, sizeof(name), SIZEFILE ".%ld.%lld%09ld",
	    (long)getpid(), (long long)now.tv_sec, now.tv_nsec);
	fd = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (fsx_write_all(fd, text.p, text.len) == -1 ||
	    renameat(tmp, name, maildirfd, SIZEFILE) == -1) {
		saved = errno;
		close(fd);
		unlinkat(tmp, name, 0);
		errno = saved;
		return -1;
	}
	close(fd);
	return 0;
}

/* Puts a new maildirsize in place: quota, then one line with the count. */
static int
sizefile_write(int maildirfd, uint64_t quota_bytes, uint64_t quota_messages,
    const struct count *c)
{
	char text[128];
	int tmp = fsx_open_dir(maildirfd, "tmp"), n, r, saved;

	if (tmp == -1)
		return -1;
	n = snprintf(text, sizeof(text), "%lluS,%lluC\n%llu %llu\n",
	    (unsigned long long)quota_bytes, (unsigned long long)quota_messages,
	    (unsigned long long)c->bytes, (unsigned long long)c->messages);
	r = sizefile_put(maildirfd, tmp, slice_make(text, (size_t)n));
	saved = errno;
	close(tmp);
	errno = saved;
	return r;
}

int
maildir_recount(int maildirfd, uint64_t quota_bytes, uint64_t quota_messages,
    struct maildir_usage *out)
{
	struct count c, again;

	if (count_maildir(maildirfd, true, &c) == -1)
		return -1;
	/*
	 * A full disk must not make the count unusable: it is right, only the
	 * next question will count again.
	 */
	if (sizefile_write(maildirfd, quota_bytes, quota_messages, &c) == -1 ||
	    count_maildir(maildirfd, false, &again) == -1 ||
	    again.stamp != c.stamp)
		unlinkat(maildirfd, SIZEFILE, 0);
	*out = (struct maildir_usage){ c.bytes, c.messages, false };
	return 0;
}

bool
maildir_has_room(const struct maildir_usage *u, uint64_t quota_bytes,
    uint64_t quota_messages, uint64_t size)
{
	if (quota_bytes != 0 && (u->bytes > quota_bytes ||
	    size > quota_bytes - u->bytes))
		return false;
	return quota_messages == 0 || u->messages < quota_messages;
}

int
maildir_usage(int maildirfd, uint64_t quota_bytes, uint64_t quota_messages,
    struct maildir_usage *out)
{
	struct sizefile f;
	bool stale = false;
	int r = sizefile_read(maildirfd, &f, &stale);

	if (r == -1)
		return -1;
	if (r == 0 || f.quota_bytes != quota_bytes ||
	    f.quota_messages != quota_messages)
		return maildir_recount(maildirfd, quota_bytes, quota_messages,
		    out);
	*out = (struct maildir_usage){ (uint64_t)f.bytes, (uint64_t)f.messages,
	    stale };
	return 0;
}

int
maildir_peek(int maildirfd, struct maildir_usage *out)
{
	struct sizefile f;
	struct count c;
	bool stale = false;

	switch (sizefile_read(maildirfd, &f, &stale)) {
	case 1:
		*out = (struct maildir_usage){ (uint64_t)f.bytes,
			(uint64_t)f.messages, stale };
		return 0;
	case 0:
		if (count_maildir(maildirfd, true, &c) == -1)
			return -1;
		*out = (struct maildir_usage){ c.bytes, c.messages, false };
		return 0;
	default:
		return -1;
	}
}

int
maildir_usage_add(int maildirfd, int64_t bytes, int64_t messages)
{
	char line[64];
	struct stat st;
	int fd, n, r = 0, saved;

	fd = openat(maildirfd, SIZEFILE, O_WRONLY | O_APPEND | O_NOFOLLOW |
	    O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return errno == ENOENT ? 0 : unlinkat(maildirfd, SIZEFILE, 0);
	n = snprintf(line, sizeof(line), "%lld %lld\n", (long long)bytes,
	    (long long)messages);
	/* One write: lines of several programs do not mix. */
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size > SIZEFILE_MAX || write(fd, line, (size_t)n) != n)
		r = unlinkat(maildirfd, SIZEFILE, 0);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* Writes a file, synced. 0, or -1 with errno and nothing left. */
static int
write_synced(int dirfd, const char *name, struct slice text)
{
	int saved, fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1)
		return -1;
	if (fsx_write_all(fd, text.p, text.len) == 0 && fsync(fd) == 0)
		return close(fd);
	saved = errno;
	close(fd);
	unlinkat(dirfd, name, 0);
	errno = saved;
	return -1;
}

/* From tmp to new. 0, or -1 with errno. */
static int
put_between(int tmp, int new, const char *name, struct slice text)
{
	char aside[64];
	int saved;

	snprintf(aside, sizeof(aside), "put.%lld.%ld", (long long)time(NULL),
	    (long)getpid());
	if (write_synced(tmp, aside, text) == -1)
		return -1;
	if (fsx_rename_new(tmp, aside, new, name) == -1) {
		saved = errno;
		unlinkat(tmp, aside, 0);
		errno = saved;
		return -1;
	}
	return fsx_sync_dir(new);
}

int
maildir_put(int maildirfd, const char *name, struct slice text)
{
	int tmp = fsx_open_dir(maildirfd, "tmp"), new = -1, r = -1, saved;

	if (tmp != -1 && (new = fsx_open_dir(maildirfd, "new")) != -1)
		r = put_between(tmp, new, name, text);
	saved = errno;
	if (new != -1)
		close(new);
	if (tmp != -1)
		close(tmp);
	if (r == 0)
		(void)!maildir_usage_add(maildirfd, (int64_t)text.len, 1);
	errno = saved;
	return r;
}

void
maildir_clean_tmp(int tmpfd, time_t now)
{
	struct dirent *e;
	struct stat st;
	size_t looked = 0;
	DIR *d;

	if ((d = fsx_open_list(tmpfd, ".")) == NULL)
		return;
	while ((e = readdir(d)) != NULL && looked < CLEAN_MAX) {
		if (e->d_name[0] == '.')
			continue;
		looked++;
		if (fstatat(tmpfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISDIR(st.st_mode) &&
		    now - st.st_mtim.tv_sec > MAILDIR_TMP_AGE &&
		    now - st.st_ctim.tv_sec > MAILDIR_TMP_AGE)
			unlinkat(tmpfd, e->d_name, 0);
	}
	closedir(d);
}
