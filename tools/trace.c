/* trace.c - finds the lines of a message in a log, in one pass. */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nothing; a log is a file like any other.
 * Order: a message is known from its first line that fits; what was logged of
 * it just before is looked up behind.
 * Limits: only the lines that fit are kept in memory.
 */

#include "tools/trace.h"

#include <stdlib.h>

#define HEAD_MAX 160	/* bytes before the id: time, host, program */

/* Finds "malle...[pid]" or "...]:" in the head of a line: the program, and
 * where the id begins. */
static bool
find_program(struct slice line, struct slice *program, struct slice *behind)
{
	struct slice head = line;
	const char *end, *open, *start;

	if (head.len > HEAD_MAX)
		head.len = HEAD_MAX;
	if ((end = memchr(head.p, ']', head.len)) == NULL)
		return false;
	if ((open = memrchr(head.p, '[', (size_t)(end - head.p))) == NULL)
		return false;
	for (start = open; start > head.p && start[-1] != ' '; start--)
		;
	*program = slice_make(start, (size_t)(open - start));
	if (!slice_starts_nocase(*program, SLICE("malle")))
		return false;
	*behind = slice_skip(line, (size_t)(end - line.p) + 1);
	if (behind->len > 0 && behind->p[0] == ':')
		*behind = slice_skip(*behind, 1);
	if (behind->len == 0 || behind->p[0] != ' ')
		return false;
	*behind = slice_skip(*behind, 1);
	return true;
}

/* The next key=value or key="value" of *rest. */
static bool
next_field(struct slice *rest, struct slice *key, struct slice *value)
{
	struct slice s;

	while (rest->len > 0 && rest->p[0] == ' ')
		*rest = slice_skip(*rest, 1);
	s = *rest;
	*key = slice_cut(&s, '=');
	if (s.p == NULL || key->len == 0 ||
	    memchr(key->p, ' ', key->len) != NULL)
		return false;
	if (s.len > 0 && s.p[0] == '"') {
		s = slice_skip(s, 1);
		*value = slice_cut(&s, '"');
	} else
		*value = slice_cut(&s, ' ');
	*rest = s.p != NULL ? s : SLICE_EMPTY;
	return true;
}

int
trace_parse(struct slice line, struct trace_line *out)
{
	struct slice program, rest, key, value;
	struct trace_line l = { .n = 0 };

	if (!find_program(line, &program, &rest))
		return -1;
	l.time = slice_trim(slice_make(line.p,
	    (size_t)(program.p - line.p)));
	l.program = program;
	l.id = slice_cut(&rest, ' ');
	if (rest.p == NULL || l.id.len == 0)
		return -1;
	l.event = slice_cut(&rest, ' ');
	while (rest.p != NULL && l.n < TRACE_FIELDS_MAX &&
	    next_field(&rest, &key, &value)) {
		l.fields[l.n].key = key;
		l.fields[l.n++].value = value;
	}
	*out = l;
	return 0;
}

struct slice
trace_field(const struct trace_line *l, const char *key)
{
	for (size_t i = 0; i < l->n; i++)
		if (slice_eq(l->fields[i].key, slice_of(key)))
			return l->fields[i].value;
	return SLICE_EMPTY;
}

int
trace_begin(struct trace *t, const char *query)
{
	struct addr a;

	memset(t, 0, sizeof(*t));
	if (strchr(query, '@') != NULL) {
		if (addr_parse(slice_of(query), &a) != ADDR_OK)
			return -1;
		addr_text(&a, t->address, sizeof(t->address));
		return 0;
	}
	if (*query == '\0' || strpbrk(query, " \"=") != NULL)
		return -1;
	return slice_to_cstr(slice_of(query), t->id, sizeof(t->id));
}

/* FNV-1a */
static size_t
hash(struct slice s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static struct trace_story *
find_story(const struct trace *t, struct slice id)
{
	size_t i;

	if (t->nslots == 0)
		return NULL;
	for (i = hash(id) & (t->nslots - 1); t->slots[i] != 0;
	     i = (i + 1) & (t->nslots - 1))
		if (slice_eq(slice_of(t->stories[t->slots[i] - 1].id), id))
			return &t->stories[t->slots[i] - 1];
	return NULL;
}

static void
put_slot(struct trace *t, size_t story)
{
	size_t i = hash(slice_of(t->stories[story].id)) & (t->nslots - 1);

	while (t->slots[i] != 0)
		i = (i + 1) & (t->nslots - 1);
	t->slots[i] = story + 1;
}

/* Makes room for one more story, and keeps the hash at most half full. */
static bool
grow(struct trace *t)
{
	size_t cap = t->cap == 0 ? 16 : t->cap * 2;
	struct trace_story *stories;
	size_t *slots;

	if (t->n < t->cap)
		return true;
	slots = calloc(cap * 2, sizeof(*slots));
	stories = reallocarray(t->stories, cap, sizeof(*stories));
	if (stories != NULL)
		t->stories = stories;
	if (slots == NULL || stories == NULL) {
		free(slots);
		t->no_memory = true;
		return false;
	}
	free(t->slots);
	t->slots = slots;
	t->nslots = cap * 2;
	t->cap = cap;
	for (size_t i = 0; i < t->n; i++)
		put_slot(t, i);
	return true;
}

static struct trace_story *
add_story(struct trace *t, struct slice id)
{
	struct trace_story *s;
	char *copy;

	if (!grow(t))
		return NULL;
	if ((copy = strndup(id.p, id.len)) == NULL) {
		t->no_memory = true;
		return NULL;
	}
	s = &t->stories[t->n];
	*s = (struct trace_story){ .id = copy };
	put_slot(t, t->n++);
	return s;
}

static void
add_line(struct trace *t, struct trace_story *s, struct slice line)
{
	size_t cap = s->cap == 0 ? 8 : s->cap * 2;
	char **lines;

	if (s->n == s->cap) {
		lines = reallocarray(s->lines, cap, sizeof(*lines));
		if (lines == NULL) {
			t->no_memory = true;
			return;
		}
		s->lines = lines;
		s->cap = cap;
	}
	if ((s->lines[s->n] = strndup(line.p, line.len)) == NULL)
		t->no_memory = true;
	else
		s->n++;
}

/* True when a field of the line is the address. */
static bool
names_address(const struct trace *t, const struct trace_line *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (slice_eq_nocase(l->fields[i].value, slice_of(t->address)))
			return true;
	return false;
}

/* True when the line tells of the mailbox that the address goes to: of two
 * addresses that share one only the first is named in what becomes of it. */
static bool
same_mailbox(struct trace *t, struct trace_story *s,
    const struct trace_line *l, bool names)
{
	struct slice mailbox = trace_field(l, "mailbox");

	if (mailbox.len == 0 || slice_eq(l->event, SLICE("recipient")) !=
	    (s->mailbox == NULL))
		return false;
	if (s->mailbox != NULL)
		return slice_eq(mailbox, slice_of(s->mailbox));
	if (names && (s->mailbox = strndup(mailbox.p, mailbox.len)) == NULL)
		t->no_memory = true;
	return false;
}

/* Keeps the line, unless it is about a recipient that was not asked for. */
static void
keep(struct trace *t, struct trace_story *s, struct slice line,
    const struct trace_line *l)
{
	bool names = *t->address == '\0' || names_address(t, l);

	names |= same_mailbox(t, s, l, names);
	if (slice_eq(l->event, SLICE("accepted")) && names)
		s->whole = true;
	if (s->whole || names || trace_field(l, "to").len == 0)
		add_line(t, s, line);
}

/* The line that ends before end, without its line end. */
static struct slice
line_before(struct slice text, size_t end)
{
	const char *lf;
	size_t start;

	end--; /* the line end itself */
	lf = memrchr(text.p, '\n', end);
	start = lf == NULL ? 0 : (size_t)(lf - text.p) + 1;
	return slice_make(text.p + start, end - start);
}

/*
 * Finds where a message begins that was noticed at position here: goes back to
 * its "accepted", then keeps its lines from there to here.
 */
static void
look_back(struct trace *t, struct trace_story *s, struct slice text,
    size_t here)
{
	struct slice id = slice_of(s->id), line, rest;
	struct trace_line l;
	size_t at = here, first = here;
	size_t stop = here > TRACE_LOOK_BACK ? here - TRACE_LOOK_BACK : 0;

	while (at > stop) {
		line = line_before(text, at);
		at = (size_t)(line.p - text.p);
		if (trace_parse(line, &l) == -1 || !slice_eq(l.id, id))
			continue;
		first = at;
		if (slice_eq(l.event, SLICE("accepted")))
			break;
	}
	rest = slice_make(text.p + first, here - first);
	while (rest.p != NULL && rest.len > 0) {
		line = slice_cut(&rest, '\n');
		if (trace_parse(line, &l) == 0 && slice_eq(l.id, id))
			keep(t, s, line, &l);
	}
}

/* The notice of a bounce belongs to the story of its message. */
static void
follow_notice(struct trace *t, const struct trace_line *l, struct slice text,
    size_t here)
{
	struct slice notice = trace_field(l, "notice");
	struct trace_story *s;

	if (notice.len == 0 || find_story(t, notice) != NULL ||
	    (s = add_story(t, notice)) == NULL)
		return;
	find_story(t, l->id)->has_notice = true;
	s->whole = true;
	s->notice_of = strndup(l->id.p, l->id.len);
	if (s->notice_of == NULL)
		t->no_memory = true;
	look_back(t, s, text, here);
}

/* A cheap look, so that most lines need no parsing: is the part of the address
 * behind the "@" in the line? */
static bool
may_name_address(const struct trace *t, struct slice line)
{
	const char *domain = strrchr(t->address, '@');

	return domain != NULL &&
	    memmem(line.p, line.len, domain, strlen(domain)) != NULL;
}

static void
scan_line(struct trace *t, struct slice text, struct slice line)
{
	struct slice program, id;
	struct trace_story *s;
	struct trace_line l;
	bool asked;

	if (!find_program(line, &program, &id))
		return;
	id = slice_cut(&id, ' ');
	if ((s = find_story(t, id)) == NULL || slice_eq(id, SLICE("-"))) {
		asked = *t->address == '\0' ? slice_eq(id, slice_of(t->id)) :
		    may_name_address(t, line);
		if (!asked || trace_parse(line, &l) == -1 ||
		    (*t->address != '\0' && !names_address(t, &l)))
			return;
		if (s == NULL && (s = add_story(t, id)) == NULL)
			return;
		if (s->n == 0 && !slice_eq(id, SLICE("-")) &&
		    !slice_eq(l.event, SLICE("accepted")))
			look_back(t, s, text, (size_t)(line.p - text.p));
	} else if (trace_parse(line, &l) == -1)
		return;
	if (*t->address == '\0')
		s->whole = true;
	keep(t, s, line, &l);
	if (slice_eq(l.event, SLICE("bounced")) ||
	    slice_eq(l.event, SLICE("answered")))
		follow_notice(t, &l, text, (size_t)(line.p - text.p));
}

size_t
trace_scan(struct trace *t, struct slice text, size_t seen)
{
	const char *lf;
	size_t at = seen, end;

	while (at < text.len && (lf = memchr(text.p + at, '\n',
	    text.len - at)) != NULL) {
		end = (size_t)(lf - text.p);
		scan_line(t, text, slice_make(text.p + at, end - at));
		at = end + 1;
	}
	return at;
}

void
trace_free(struct trace *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (size_t j = 0; j < t->stories[i].n; j++)
			free(t->stories[i].lines[j]);
		free(t->stories[i].lines);
		free(t->stories[i].id);
		free(t->stories[i].notice_of);
		free(t->stories[i].mailbox);
	}
	free(t->stories);
	free(t->slots);
	memset(t, 0, sizeof(*t));
}
