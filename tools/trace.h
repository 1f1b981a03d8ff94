/* trace.h - finds in a log what became of a message, and tells it. */
#ifndef TOOLS_TRACE_H
#define TOOLS_TRACE_H
/* SPDX-License-Identifier: ISC */

#include <stdio.h>

#include "lib/addr.h"

#define TRACE_FIELDS_MAX 32
#define TRACE_LOOK_BACK 65536	/* bytes kept of the text before a line */

/* One line of the log, see malle-log(5). Slices point into the line. */
struct trace_line {
	struct slice time;	/* as it stands there */
	struct slice program;
	struct slice id;	/* "-" when it belongs to no message */
	struct slice event;
	struct {
		struct slice key, value; /* without quotes, still escaped */
	} fields[TRACE_FIELDS_MAX];
	size_t n;
};

/* 0, or -1: no line of ours. Lines of syslog, with a host name and a colon
 * behind the program, are understood as well. */
int trace_parse(struct slice line, struct trace_line *out)
    __attribute__((warn_unused_result));
/* The value of a field; empty when it has none. */
struct slice trace_field(const struct trace_line *l, const char *key);

/* The lines of one message; or of none, whose id is "-". */
struct trace_story {
	char *id;
	char *notice_of;	/* the message that it tells about, or NULL */
	char **lines;
	size_t n, cap;
	char *mailbox;		/* where the address that is asked for goes, or NULL */
	bool whole;		/* every recipient is of interest */
	bool has_notice;	/* another story is a notice about it */
};

struct trace {
	/* what is looked for: one of the two */
	char id[256];
	char address[ADDR_TEXT_MAX];
	struct trace_story *stories; /* in the order of their first line */
	size_t n, cap;
	size_t *slots;		/* hash of the ids: number in stories + 1, or 0 */
	size_t nslots;
	bool no_memory;
};

/*
 * Begins a search; query is an address when it has an "@", else an id. 0, or
 * -1: it is neither.
 */
int trace_begin(struct trace *t, const char *query)
    __attribute__((warn_unused_result));
/*
 * Looks at the whole lines of text behind its first seen bytes, which were
 * looked at before and are there so that the beginning of a message can be
 * found. Returns how much of text was used: all up to its last line end.
 */
size_t trace_scan(struct trace *t, struct slice text, size_t seen);
void trace_free(struct trace *t);

/* The line in plain words on out, hostile bytes escaped. */
void trace_tell_line(FILE *out, const struct trace_line *l, bool french);
/* All of it. Returns the number of lines told. */
size_t trace_tell(FILE *out, const struct trace *t, bool french);
/* The same as one JSON object a line. */
size_t trace_tell_json(FILE *out, const struct trace *t, bool french);

#endif
