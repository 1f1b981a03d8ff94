/* backup.c - malle mailbox backup: mail and settings in one archive. */
/* SPDX-License-Identifier: ISC */

/*
 * Format: POSIX tar (pax), gzip when the name ends in ".gz": settings.txt, then
 * mail/FOLDER/new|cur/NAME for each message, with the time when it came.
 * Order: written as FILE.part, synced, renamed: what has the name is whole.
 * Runs as: the caller, who owns what is written; the mail comes in descriptors
 * from malle-mailbox, which has verified whose it is.
 */

#include "tools/backup.h"

#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/fsx.h"
#include "lib/str.h"
#include "tools/member.h"

#define PROGRESS_MS 500

void
progress_add(struct progress *p, uint64_t bytes)
{
	int64_t now;

	p->messages++;
	p->bytes += bytes;
	if (!isatty(STDERR_FILENO) || (now = clock_ms()) < p->shown +
	    PROGRESS_MS)
		return;
	p->shown = now;
	fprintf(stderr, tr(p->m, "\r%llu messages, %llu MiB ",
	    "\r%llu messages, %llu Mio "), (unsigned long long)p->messages,
	    (unsigned long long)(p->bytes >> 20));
}

void
progress_end(const struct progress *p)
{
	if (p->shown != 0)
		fputc('\n', stderr);
}

struct backup {
	const struct malle *m;
	struct archive *a;
	struct archive_entry *entry;
	struct str settings;
	struct progress progress;
	const char *failed;	/* why, or NULL */
};

/* The header of a file in the archive. 0 or -1. */
static int
put_header(struct backup *b, const char *path, uint64_t size, int64_t when)
{
	int r;

	archive_entry_clear(b->entry);
	archive_entry_set_pathname(b->entry, path);
	archive_entry_set_filetype(b->entry, AE_IFREG);
	archive_entry_set_perm(b->entry, 0600);
	archive_entry_set_size(b->entry, (int64_t)size);
	archive_entry_set_mtime(b->entry, (time_t)when, 0);
	/* A warning: the name of the folder is not ASCII, and was written byte
	 * for byte. */
	r = archive_write_header(b->a, b->entry);
	if (r == ARCHIVE_OK || r == ARCHIVE_WARN)
		return 0;
	b->failed = archive_error_string(b->a);
	return -1;
}

static int
put_data(struct backup *b, const void *p, size_t len)
{
	if (archive_write_data(b->a, p, len) == (la_ssize_t)len)
		return 0;
	b->failed = archive_error_string(b->a);
	return -1;
}

/* All of a message; its size was told by who has opened it. */
static int
put_content(struct backup *b, int fd, uint64_t size)
{
	char piece[BOX_PIECE];
	ssize_t n;

	while (size > 0) {
		n = read(fd, piece, size < sizeof(piece) ? (size_t)size :
		    sizeof(piece));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			b->failed = n == 0 ? "a message is shorter than its "
			    "size" : strerror(errno);
			return -1;
		}
		if (put_data(b, piece, (size_t)n) == -1)
			return -1;
		size -= (uint64_t)n;
	}
	return 0;
}

static int
put_message(void *arg, struct ipc_msg *m)
{
	struct backup *b = arg;
	struct box_message message;
	struct box_headers h;
	char path[MEMBER_PATH_MAX];
	int fd, r = -1;

	if (m->type != BOX_MESSAGE || m->nfds != 1 ||
	    box_message_unpack(&m->body, &message) == -1)
		return -1;
	box_headers_unpack(&m->body, &h);
	if (!unpack_end(&m->body))
		return -1;
	fd = ipc_take_fd(m, 0);
	member_path(&message, path);
	if (put_header(b, path, message.size, message.time) == 0)
		r = put_content(b, fd, message.size);
	close(fd);
	if (r == 0)
		progress_add(&b->progress, message.size);
	return r;
}

/* A row of user.show: the registry sends no hash. */
static void
take_settings(void *arg, const struct registry_fields *row)
{
	struct backup *b = arg;

	settings_write(&b->settings, row);
}

static int
put_settings(struct backup *b)
{
	struct slice s = str_slice(&b->settings);

	return put_header(b, MEMBER_SETTINGS, s.len, (int64_t)time(NULL)) == -1
	    ? -1 : put_data(b, s.p, s.len);
}

/* Settings and mail into the archive that writes to fd. The exit status. */
static int
write_archive(struct backup *b, struct box_link *l, int fd, bool gzip)
{
	unsigned char space[8];
	struct packer k;
	int result = BOX_OK, status = EX_IOERR;

	b->a = archive_write_new();
	b->entry = archive_entry_new();
	pack_init(&k, space, sizeof(space));
	pack_u32(&k, 0);
	pack_u8(&k, BOX_CONTENTS);
	if (b->a == NULL || b->entry == NULL ||
	    archive_write_set_format_pax_restricted(b->a) != ARCHIVE_OK ||
	    (gzip && archive_write_add_filter_gzip(b->a) != ARCHIVE_OK) ||
	    archive_write_open_fd(b->a, fd) != ARCHIVE_OK)
		b->failed = b->a == NULL ? strerror(errno) :
		    archive_error_string(b->a);
	else if (put_settings(b) == 0) {
		result = box_ask(l, BOX_LIST, &k, put_message, b);
		if (result == BOX_OK && archive_write_close(b->a) != ARCHIVE_OK)
			b->failed = archive_error_string(b->a);
	}
	progress_end(&b->progress);
	if (b->failed != NULL)
		fprintf(stderr, tr(b->m, "malle: the archive cannot be written: "
		    "%s\n", "malle : l'archive ne peut pas être écrite : %s\n"),
		    b->failed);
	else
		status = result == BOX_OK ? EX_OK : box_lost(l, result);
	archive_entry_free(b->entry);
	archive_write_free(b->a);
	return status;
}

static bool
ends_in(const char *s, const char *end)
{
	size_t a = strlen(s), b = strlen(end);

	return a >= b && strcmp(s + a - b, end) == 0;
}

static int
cannot(const struct malle *m, const char *path)
{
	fprintf(stderr, "malle%s%s: %s\n", tr(m, ": ", " : "), path,
	    strerror(errno));
	return EX_CANTCREAT;
}

static int
not_ours(const struct malle *m, const char *part)
{
	fprintf(stderr, tr(m, "malle: %s is there and not yours alone: remove "
	    "it, or write to a folder of your own\n", "malle : %s existe et "
	    "n'est pas à vous seul : supprimez-le, ou écrivez dans un dossier "
	    "à vous\n"), part);
	return EX_CANTCREAT;
}

/* What an interrupted backup has left is begun anew. Who has laid something else
 * there, in a folder that is not the caller's alone, would read the mail. The
 * descriptor or -1. */
static int
open_part(const char *part)
{
	struct stat st;
	int fd = open(part, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC, 0600);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    st.st_uid == geteuid() && (st.st_mode & 077) == 0 &&
	    ftruncate(fd, 0) == 0)
		return fd;
	close(fd);
	errno = EEXIST;
	return -1;
}

/* FILE.part, then FILE. The exit status. */
static int
write_file(struct backup *b, struct box_link *l, const char *path)
{
	char part[4096];
	int fd, status;

	if (strcmp(path, "-") == 0)
		return write_archive(b, l, STDOUT_FILENO, false);
	if (access(path, F_OK) == 0) {
		errno = EEXIST;
		return cannot(b->m, path);
	}
	if ((size_t)snprintf(part, sizeof(part), "%s.part", path) >=
	    sizeof(part)) {
		errno = ENAMETOOLONG;
		return cannot(b->m, path);
	}
	if ((fd = open_part(part)) == -1)
		return errno == EEXIST ? not_ours(b->m, part) :
		    cannot(b->m, part);
	status = write_archive(b, l, fd, ends_in(path, ".gz"));
	if (status == EX_OK && (fsync(fd) == -1 ||
	    fsx_rename_new(AT_FDCWD, part, AT_FDCWD, path) == -1))
		status = cannot(b->m, path);
	close(fd);
	if (status != EX_OK)
		unlink(part);
	return status;
}

int
mailbox_backup(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	static struct box_link l;
	struct backup b = { .m = m, .progress = { .m = m },
		.settings = STR_INIT(MEMBER_SETTINGS_MAX) };
	struct registry_fields f = { .n = 0 };
	char secret[SECRET_MAX + 1], text[1024] = "";
	int status = EX_NOINPUT, fd, verdict;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 || a.n != 2)
		return arguments_wrong(m, "mailbox backup ADDRESS "
		    "FILE.tar[.gz]|-");
	registry_add(&f, "want", SLICE("backup"));
	if (box_owner(m, a.positional[0], secret, &f) == 0)
		status = box_open(&l, m, "mailbox.open", &f, false);
	if (status == EX_OK &&
	    (fd = malle_connect(m, "registry.sock")) != -1) {
		verdict = registry_call(fd, "user.show", &f, take_settings, &b,
		    text, sizeof(text));
		status = registry_verdict(m, verdict, text);
		close(fd);
		if (status == EX_OK)
			status = write_file(&b, &l, a.positional[1]);
		box_close(&l);
	}
	explicit_bzero(secret, sizeof(secret));
	str_free(&b.settings);
	if (status == EX_OK)
		fprintf(stderr, tr(m, "%llu messages, %llu bytes in %s\n",
		    "%llu messages, %llu octets dans %s\n"),
		    (unsigned long long)b.progress.messages,
		    (unsigned long long)b.progress.bytes, a.positional[1]);
	return status;
}
