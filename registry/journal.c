/* journal.c - who changed what, when, before and after. */
/* SPDX-License-Identifier: ISC */

/*
 * An entry is written to the store in the transaction of its change, with all
 * of both objects; the text journal gets a line without secrets after the
 * commit. A crash between the two leaves the text short, which the next start
 * mends from the store: the store decides.
 * Format of an entry: version (8 bits), id, id of the first entry of the same
 * request (not in version 1), time (64 bits each), uid (32), account,
 * operation, from (since version 3), object before, object after (empty: none).
 */

#include "registry/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/date.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/num.h"
#include "lib/pack.h"

#define JOURNAL_FILE "journal"
#define JOURNAL_VERSION 3
#define JOURNAL_PREFIX "journal/"
#define JOURNAL_KEY (sizeof(JOURNAL_PREFIX) - 1 + 16)
#define TAIL_BYTES (1024 * 1024)	/* longer than any line */

/* Hexadecimal of one length: the order of keys is the order of ids. */
static struct slice
key_of(uint64_t id, char *key)
{
	snprintf(key, JOURNAL_KEY + 1, JOURNAL_PREFIX "%016" PRIx64, id);
	return slice_make(key, JOURNAL_KEY);
}

void
json_string(struct str *out, struct slice value)
{
	str_putc(out, '"');
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c == '"' || c == '\\')
			str_printf(out, "\\%c", c);
		else if (c == '\n')
			str_puts(out, "\\n");
		else if (c < ' ' || c == 0x7f)
			str_printf(out, "\\u%04x", c);
		else
			str_putc(out, (char)c);
	}
	str_putc(out, '"');
}

static void
json_object(struct str *out, const struct object *o)
{
	const struct attribute *a = o->kind->attributes;
	const char *comma = "";

	str_putc(out, '{');
	for (size_t i = 0; a[i].name != NULL; i++) {
		if (o->value[i].p == NULL)
			continue;
		str_printf(out, "%s\"%s\":", comma, a[i].name);
		json_string(out, a[i].flags & ATTR_SECRET ?
		    SLICE("(secret)") : o->value[i]);
		comma = ",";
	}
	str_putc(out, '}');
}

void
journal_line(const struct journal_entry *e, struct str *out)
{
	const struct object *o = e->has_after ? &e->after : &e->before;
	char date[DATE_MAX];

	str_printf(out, "{\"id\":%" PRIu64 ",\"request\":%" PRIu64
	    ",\"time\":\"%s\",\"uid\":%u,", e->id, e->request,
	    date_iso((time_t)e->time, date), e->uid);
	str_puts(out, "\"account\":");
	json_string(out, e->account);
	str_puts(out, ",\"operation\":");
	json_string(out, e->operation);
	if (e->from.len > 0) {
		str_puts(out, ",\"from\":");
		json_string(out, e->from);
	}
	str_printf(out, ",\"kind\":\"%s\",\"name\":", o->kind->name);
	json_string(out, slice_of(o->name));
	str_puts(out, ",\"before\":");
	if (e->has_before)
		json_object(out, &e->before);
	else
		str_puts(out, "null");
	str_puts(out, ",\"after\":");
	if (e->has_after)
		json_object(out, &e->after);
	else
		str_puts(out, "null");
	str_puts(out, "}\n");
}

static void
pack_object(struct packer *k, const struct object *o, struct str *space)
{
	if (o == NULL) {
		pack_bytes(k, SLICE_EMPTY);
		return;
	}
	if (object_encode(o, space) == -1)
		k->bad = true;
	else
		pack_bytes(k, str_slice(space));
	if (space->p != NULL)
		explicit_bzero(space->p, space->len);
}

static int
store_entry(struct registry *r, const struct journal_entry *e,
    const struct object *before, const struct object *after)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct str space = STR_INIT(STORE_VALUE_MAX);
	char key[JOURNAL_KEY + 1];
	struct packer k;
	char *room;
	int result = -1;

	if ((room = str_room(&bytes, 2 * OBJECT_BYTES_MAX + 1024)) == NULL)
		goto out;
	pack_init(&k, room, 2 * OBJECT_BYTES_MAX + 1024);
	pack_u8(&k, JOURNAL_VERSION);
	pack_u64(&k, e->id);
	pack_u64(&k, e->request);
	pack_u64(&k, (uint64_t)e->time);
	pack_u32(&k, e->uid);
	pack_bytes(&k, e->account);
	pack_bytes(&k, e->operation);
	pack_bytes(&k, e->from);
	pack_object(&k, before, &space);
	pack_object(&k, after, &space);
	errno = EMSGSIZE;
	if (!k.bad)
		result = store_put(r->store, key_of(e->id, key),
		    pack_slice(&k));
	explicit_bzero(room, k.len);
out:
	str_free(&bytes);
	str_free(&space);
	return result;
}

int
journal_write(struct registry *r, const struct actor *who,
    const struct object *before, const struct object *after)
{
	struct journal_entry e = {
		.id = r->journal_next,
		.request = r->journal_request,
		.time = time(NULL),
		.uid = who->uid,
		.account = slice_of(who->account),
		.operation = slice_of(who->operation),
		.from = who->from.p != NULL ? who->from : SLICE_EMPTY,
		.has_before = before != NULL,
		.has_after = after != NULL,
	};

	if (before == NULL && after == NULL)
		return 0;	/* nothing was there, nothing is */
	if (store_entry(r, &e, before, after) == -1)
		return -1;
	/* Borrowed for the line only: nobody frees e's objects. */
	if (before != NULL)
		e.before = *before;
	if (after != NULL)
		e.after = *after;
	journal_line(&e, &r->journal_text);
	r->journal_next++;
	return 0;
}

void
journal_forget(struct registry *r, uint64_t next, size_t text_len)
{
	r->journal_next = next;
	if (r->journal_text.p != NULL && text_len < r->journal_text.len) {
		r->journal_text.len = text_len;
		r->journal_text.p[text_len] = '\0';
	}
	r->journal_text.bad = false;
}

static int
entry_unpack(struct slice bytes, struct journal_entry *out)
{
	struct journal_entry e = { 0 };
	struct slice before, after;
	struct unpacker u;
	unsigned version;

	unpack_init(&u, bytes);
	version = unpack_u8(&u);
	if (version < 1 || version > JOURNAL_VERSION)
		goto bad;
	e.id = unpack_u64(&u);
	e.request = version == 1 ? e.id : unpack_u64(&u);
	e.time = (int64_t)unpack_u64(&u);
	e.uid = unpack_u32(&u);
	e.account = unpack_text(&u, ADDR_TEXT_MAX);
	e.operation = unpack_text(&u, 64);
	e.from = version < 3 ? SLICE_EMPTY : unpack_text(&u, JOURNAL_FROM_MAX);
	before = unpack_bytes(&u, OBJECT_BYTES_MAX);
	after = unpack_bytes(&u, OBJECT_BYTES_MAX);
	if (!unpack_end(&u) || before.len + after.len == 0)
		goto bad;
	e.has_before = before.len > 0;
	e.has_after = after.len > 0;
	if ((e.has_before && object_decode(before, &e.before) == -1) ||
	    (e.has_after && object_decode(after, &e.after) == -1))
		goto bad;
	*out = e;
	return 0;
bad:
	errno = EBADMSG;
	return -1;
}

struct each_entry {
	int (*each)(void *arg, const struct journal_entry *e);
	void *arg;
};

static int
unpack_each(void *arg, struct slice key, struct slice value)
{
	struct each_entry *w = arg;
	struct journal_entry e;

	(void)key;
	if (entry_unpack(value, &e) == -1)
		return -1;
	return w->each(w->arg, &e);
}

int
journal_each(struct registry *r, uint64_t after,
    int (*each)(void *arg, const struct journal_entry *e), void *arg)
{
	struct each_entry w = { each, arg };
	char key[JOURNAL_KEY + 1];

	return store_each(r->store, SLICE(JOURNAL_PREFIX), key_of(after, key),
	    unpack_each, &w);
}

int
journal_get(struct registry *r, uint64_t id, struct str *bytes,
    struct journal_entry *out)
{
	char key[JOURNAL_KEY + 1];
	int found = store_get(r->store, key_of(id, key), bytes);

	if (found != 1)
		return found;
	return entry_unpack(str_slice(bytes), out) == -1 ? -1 : 1;
}

/*
 * The id of the last whole line in *last, 0 for none; what follows it (a line
 * that a crash cut) is taken away.
 */
static int
last_line(int fd, uint64_t *last)
{
	static char tail[TAIL_BYTES];
	const struct slice mark = SLICE("{\"id\":");
	struct slice text, line = SLICE_EMPTY, digits;
	off_t size, from;
	const char *end;

	if ((size = lseek(fd, 0, SEEK_END)) == -1)
		return -1;
	from = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
	text = slice_make(tail, (size_t)(size - from));
	if (fsx_pread_all(fd, tail, text.len, from) == -1)
		return -1;
	*last = 0;
	if ((end = memrchr(text.p, '\n', text.len)) == NULL)
		return ftruncate(fd, from);
	text.len = (size_t)(end - text.p);
	if (ftruncate(fd, from + (off_t)text.len + 1) == -1)
		return -1;
	while (text.p != NULL)
		line = slice_cut(&text, '\n');
	if (line.len < mark.len || memcmp(line.p, mark.p, mark.len) != 0)
		return 0;
	line = slice_skip(line, mark.len);
	digits = slice_cut(&line, ',');
	if (num_parse(digits, 1, UINT64_MAX, last) == -1)
		*last = 0;
	return 0;
}

/* The pending lines, all or none: half a line would spoil the next. */
static int
write_text(struct registry *r)
{
	off_t size = lseek(r->journal_fd, 0, SEEK_END);
	struct slice text = str_slice(&r->journal_text);
	int saved, result = -1;

	errno = ENOBUFS;
	if (size != -1 && str_ok(&r->journal_text))
		result = fsx_write_all(r->journal_fd, text.p, text.len);
	saved = errno;
	if (result == -1 && size != -1 && ftruncate(r->journal_fd, size) == -1)
		log_error(NULL, "journal", "error=%s", LOGS(strerror(errno)));
	str_free(&r->journal_text);
	errno = saved;
	return result;
}

static int
append_line(void *arg, const struct journal_entry *e)
{
	struct registry *r = arg;

	journal_line(e, &r->journal_text);
	return r->journal_text.len > TAIL_BYTES ? write_text(r) : 0;
}

/* Gives the text journal the entries of the store that it lacks. */
static int
complete(struct registry *r)
{
	uint64_t last;

	if (last_line(r->journal_fd, &last) == -1)
		return -1;
	if (last + 1 >= r->journal_next)
		return 0;
	if (journal_each(r, last, append_line, r) == -1 ||
	    write_text(r) == -1)
		return -1;
	log_notice(NULL, "journal", "completed=%" PRIu64,
	    r->journal_next - 1 - last);
	return 0;
}

void
journal_flush(struct registry *r)
{
	if (r->journal_behind) {
		str_free(&r->journal_text);
		r->journal_behind = complete(r) == -1;
	} else {
		r->journal_behind = write_text(r) == -1;
	}
	if (r->journal_behind)
		log_error(NULL, "journal", "error=%s remedy=%s",
		    LOGS(strerror(errno)),
		    LOGS("it is completed with the next change"));
}

int
journal_open(struct registry *r)
{
	struct str key = STR_INIT(STORE_KEY_MAX);
	uint64_t stored = 0;
	int result;

	r->journal_fd = open(JOURNAL_FILE,
	    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->journal_fd == -1)
		return -1;
	result = store_last(r->store, SLICE(JOURNAL_PREFIX), &key);
	if (result == 1)
		for (size_t i = sizeof(JOURNAL_PREFIX) - 1; i < key.len; i++)
			stored = stored * 16 + (uint64_t)(key.p[i] <= '9' ?
			    key.p[i] - '0' : key.p[i] - 'a' + 10);
	str_free(&key);
	if (result == -1)
		return -1;
	r->journal_next = stored + 1;
	return complete(r);
}
