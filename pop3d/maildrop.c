/* maildrop.c - the messages of a Maildir as one POP3 session sees them. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the mailbox's uid, inside malle-spawn's child.
 * Trusts: no file of the Maildir: its owner, or a program of an earlier mail
 * system, may have put anything there. Links, folders and devices are not
 * messages; a size in a name is only what LIST says.
 * Order: new/ is listed before cur/, because other programs move messages that
 * way: one that moves meanwhile is seen twice, never missed.
 * Limits: MAILDROP_MAX messages, 4 GiB of names.
 */

#include "pop3d/maildrop.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/num.h"
#include "lib/wire.h"

#define LISTING 16384		/* bytes of a folder read at a time */
#define PIECE 32768

const char *
maildrop_name(const struct maildrop *d, const struct message *m)
{
	return d->names + m->name;
}

int
maildrop_folder(const struct maildrop *d, const struct message *m)
{
	return d->folder[(m->flags & MESSAGE_CUR) != 0];
}

static struct slice
unique_of(const struct maildrop *d, const struct message *m)
{
	return slice_make(maildrop_name(d, m), m->unique_len);
}

/* The array, grown to hold at least want elements; NULL with errno: as it was. */
static void *
grow(void *array, size_t *cap, size_t want, size_t element)
{
	size_t n = *cap == 0 ? 512 / element : *cap;
	void *p;

	if (want <= *cap)
		return array;
	while (n < want)
		n *= 2;
	if ((p = reallocarray(array, n, element)) != NULL)
		*cap = n;
	return p;
}

/* Keeps a name with its NUL; *at is where. 0, or -1 with errno. */
static int
keep_name(struct maildrop *d, struct slice name, uint32_t *at)
{
	char *names;

	if (d->names_len > UINT32_MAX - MAILDIR_NAME_MAX - 1) {
		errno = EFBIG;
		return -1;
	}
	names = grow(d->names, &d->names_cap, d->names_len + name.len + 1, 1);
	if (names == NULL)
		return -1;
	d->names = names;
	*at = (uint32_t)d->names_len;
	memcpy(names + d->names_len, name.p, name.len);
	names[d->names_len + name.len] = '\0';
	d->names_len += name.len + 1;
	return 0;
}

/* "1700000000.": names of Maildirs begin with the time. Others come last. */
static uint64_t
arrival_of(struct slice unique)
{
	const char *dot = memchr(unique.p, '.', unique.len);
	uint64_t seconds;

	if (dot == NULL || num_parse(slice_make(unique.p,
	    (size_t)(dot - unique.p)), 0, UINT32_MAX, &seconds) == -1)
		return UINT64_MAX;
	return seconds;
}

static int
add_name(struct maildrop *d, struct slice name, unsigned flags)
{
	struct message m, *messages;
	struct maildir_name parts;

	if (maildir_name_parse(name, &parts) == -1)
		return 0;	/* no message */
	if (d->n == MAILDROP_MAX) {
		errno = EFBIG;
		return -1;
	}
	m = (struct message){
		.arrival = arrival_of(parts.unique),
		.size = parts.size, .wire = parts.wire_size,
		.len = (uint8_t)name.len,
		.unique_len = (uint8_t)parts.unique.len,
		.flags = (uint8_t)flags
	};
	if ((messages = grow(d->messages, &d->cap, d->n + 1, sizeof(m))) ==
	    NULL)
		return -1;
	d->messages = messages;
	if (keep_name(d, name, &m.name) == -1)
		return -1;
	messages[d->n++] = m;
	return 0;
}

/* Adds what one read of a folder gave. 0, or -1 with errno. */
static int
add_entries(struct maildrop *d, const char *p, size_t len, unsigned flags)
{
	while (len > 0) {
		const struct dirent64 *e = (const void *)p;

		if ((e->d_type == DT_REG || e->d_type == DT_UNKNOWN) &&
		    e->d_name[0] != '.' &&
		    add_name(d, slice_of(e->d_name), flags) == -1)
			return -1;
		p += e->d_reclen;
		len -= e->d_reclen;
	}
	return 0;
}

/* Reads all of one folder. */
static int
add_folder(struct maildrop *d, int fd, unsigned flags)
{
	char space[LISTING] __attribute__((aligned(8)));
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) == -1)
		return -1;
	while ((n = getdents64(fd, space, LISTING)) > 0)
		if (add_entries(d, space, (size_t)n, flags) == -1)
			return -1;
	return n == 0 ? 0 : -1;
}

static int
compare_messages(const struct maildrop *da, const struct message *a,
    const struct maildrop *db, const struct message *b)
{
	struct slice ua, ub;
	int r;

	if (a->arrival != b->arrival)
		return a->arrival < b->arrival ? -1 : 1;
	ua = unique_of(da, a);
	ub = unique_of(db, b);
	r = memcmp(ua.p, ub.p, ua.len < ub.len ? ua.len : ub.len);
	if (r != 0 || ua.len == ub.len)
		return r;
	return ua.len < ub.len ? -1 : 1;
}

/* Order of arrival; of files with one unique part, in cur/ before in new/. */
static int
by_arrival(const void *pa, const void *pb, void *arg)
{
	const struct maildrop *d = arg;
	const struct message *a = pa, *b = pb;
	int r = compare_messages(d, a, d, b);

	if (r == 0)
		r = (int)(b->flags & MESSAGE_CUR) -
		    (int)(a->flags & MESSAGE_CUR);
	if (r == 0)
		r = strcmp(maildrop_name(d, a), maildrop_name(d, b));
	return r;
}

/* True when both names are files, and not the same one. */
static bool
are_two_files(const struct maildrop *d, const struct message *a,
    const struct message *b)
{
	struct stat sa, sb;

	return fstatat(maildrop_folder(d, a), maildrop_name(d, a), &sa,
	    AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(maildrop_folder(d, b), maildrop_name(d, b), &sb,
	    AT_SYMLINK_NOFOLLOW) == 0 &&
	    (sa.st_ino != sb.st_ino || sa.st_dev != sb.st_dev);
}

/*
 * A message that was moved while the folders were read is listed twice: one
 * of them is dropped. Two real files with one unique part, which no sound
 * program makes, are both kept; the second gets a UID of its own.
 */
static void
settle_twins(struct maildrop *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n; i++) {
		struct message *m = &d->messages[i];

		if (kept > 0 && compare_messages(d, &d->messages[kept - 1], d,
		    m) == 0) {
			if (!are_two_files(d, &d->messages[kept - 1], m))
				continue;
			m->flags |= MESSAGE_TWIN;
		}
		d->messages[kept++] = *m;
	}
	d->n = kept;
}

static void
forget(struct maildrop *d)
{
	free(d->messages);
	free(d->names);
	d->messages = NULL;
	d->names = NULL;
	d->n = d->cap = d->names_len = d->names_cap = 0;
}

/* Lists both folders of d, which is empty, in order. 0, or -1 with errno. */
static int
list(struct maildrop *d)
{
	int saved;

	if (add_folder(d, d->folder[0], 0) == -1 ||
	    add_folder(d, d->folder[1], MESSAGE_CUR) == -1) {
		saved = errno;
		forget(d);
		errno = saved;
		return -1;
	}
	if (d->n > 0)
		qsort_r(d->messages, d->n, sizeof(*d->messages), by_arrival,
		    d);
	settle_twins(d);
	return 0;
}

int
maildrop_open(struct maildrop *d, int maildirfd)
{
	int saved;

	*d = (struct maildrop){ .folder = { -1, -1 } };
	if ((d->folder[0] = fsx_open_dir(maildirfd, "new")) == -1 ||
	    (d->folder[1] = fsx_open_dir(maildirfd, "cur")) == -1 ||
	    list(d) == -1) {
		saved = errno;
		maildrop_close(d);
		errno = saved;
		return -1;
	}
	return 0;
}

void
maildrop_close(struct maildrop *d)
{
	forget(d);
	for (size_t i = 0; i < 2; i++) {
		if (d->folder[i] != -1)
			close(d->folder[i]);
		d->folder[i] = -1;
	}
}

/* Takes over where a message is now; what is known of it stays. */
static int
take_place(struct maildrop *d, struct message *m, const struct maildrop *from,
    const struct message *now)
{
	uint32_t at;

	if (strcmp(maildrop_name(d, m), maildrop_name(from, now)) != 0) {
		if (keep_name(d, slice_make(maildrop_name(from, now),
		    now->len), &at) == -1)
			return -1;
		m->name = at;
		m->len = now->len;
	}
	m->flags &= (uint8_t)~(MESSAGE_CUR | MESSAGE_GONE);
	m->flags |= now->flags & MESSAGE_CUR;
	if (m->size == UINT64_MAX)
		m->size = now->size;
	if (m->wire == UINT64_MAX)
		m->wire = now->wire;
	return 0;
}

int
maildrop_refind(struct maildrop *d)
{
	struct maildrop now = { .folder = { d->folder[0], d->folder[1] } };
	size_t i = 0, j = 0;
	int r = 0;

	if (list(&now) == -1)
		return -1;
	while (i < d->n && r == 0) {
		struct message *m = &d->messages[i];
		int c = j == now.n ? -1 :
		    compare_messages(d, m, &now, &now.messages[j]);

		if (c == 0)
			r = take_place(d, m, &now, &now.messages[j]);
		else if (c < 0)
			m->flags |= MESSAGE_GONE;
		i += c <= 0;
		j += c >= 0;
	}
	forget(&now);
	return r;
}

/* Opens a message where it was last seen. */
static int
open_message(const struct maildrop *d, const struct message *m)
{
	/* O_NONBLOCK: should it be a FIFO, nobody waits for its writer. */
	return openat(maildrop_folder(d, m), maildrop_name(d, m),
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int
maildrop_read(struct maildrop *d, struct message *m, uint64_t *size)
{
	struct stat st;
	int fd;

	if ((m->flags & MESSAGE_GONE) != 0) {
		errno = ENOENT;
		return -1;
	}
	fd = open_message(d, m);
	if (fd == -1 && errno == ENOENT && maildrop_refind(d) == 0) {
		fd = -1;
		errno = ENOENT;
		if ((m->flags & MESSAGE_GONE) == 0)
			fd = open_message(d, m);
	}
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

int
maildrop_measure(struct maildrop *d, struct message *m)
{
	struct wire_size s = WIRE_SIZE_INIT;
	char piece[PIECE];
	uint64_t size, done = 0;
	ssize_t n = 1;
	int fd, saved;

	if (m->wire != UINT64_MAX)
		return 0;
	if ((fd = maildrop_read(d, m, &size)) == -1)
		return -1;
	while (done < size && (n = read(fd, piece, sizeof(piece))) > 0) {
		wire_size_feed(&s, slice_make(piece, (size_t)n));
		done += (uint64_t)n;
	}
	saved = errno;
	close(fd);
	if (n == -1) {
		errno = saved;
		return -1;
	}
	if (m->size == UINT64_MAX)
		m->size = done;
	m->wire = wire_size_end(&s);
	m->flags |= MESSAGE_MEASURED;
	return 0;
}

/* "h." and the SHA-256 of the unique part and the number of the twin. */
static void
hashed_uid(struct slice unique, unsigned twin, char *out)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[SHA256_DIGEST_LENGTH], number[2];
	SHA2_CTX context;

	number[0] = (uint8_t)twin;
	number[1] = (uint8_t)(twin >> 8);
	SHA256Init(&context);
	SHA256Update(&context, (const uint8_t *)unique.p, unique.len);
	SHA256Update(&context, number, sizeof(number));
	SHA256Final(digest, &context);
	*out++ = 'h';
	*out++ = '.';
	for (size_t i = 0; i < sizeof(digest); i++) {
		*out++ = hex[digest[i] >> 4];
		*out++ = hex[digest[i] & 15];
	}
	*out = '\0';
}

static bool
is_uid(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.len >= 1 && s.len <= MAILDROP_UID_MAX;
}

char *
maildrop_uid(const struct maildrop *d, const struct message *m,
    char out[MAILDROP_UID_MAX + 1])
{
	struct slice unique = unique_of(d, m);
	const struct message *first = m;

	while ((first->flags & MESSAGE_TWIN) != 0)
		first--;
	if (first == m && is_uid(unique)) {
		memcpy(out, unique.p, unique.len);
		out[unique.len] = '\0';
	} else
		hashed_uid(unique, (unsigned)(m - first), out);
	return out;
}
