/* fields.c - lines of words, as our tables for people have them. */
/* SPDX-License-Identifier: ISC */

#include "lib/fields.h"

/* The part of a line before its comment. */
static struct slice
before_comment(struct slice line)
{
	bool quoted = false;

	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] == '"')
			quoted = !quoted;
		else if (line.p[i] == '#' && !quoted)
			return slice_make(line.p, i);
	}
	return line;
}

bool
fields_line(struct slice *rest, struct slice *line, size_t *number)
{
	while (rest->p != NULL) {
		*line = slice_trim(before_comment(slice_cut(rest, '\n')));
		++*number;
		if (line->len > 0)
			return true;
	}
	return false;
}

int
fields_word(struct slice *line, struct slice *word)
{
	size_t n = 0;

	*line = slice_trim(*line);
	if (line->len == 0)
		return 0;
	if (line->p[0] == '"') {
		const char *end = memchr(line->p + 1, '"', line->len - 1);

		if (end == NULL)
			return -1;
		*word = slice_make(line->p + 1, (size_t)(end - line->p - 1));
		*line = slice_skip(*line, word->len + 2);
		return 1;
	}
	while (n < line->len && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	*word = slice_make(line->p, n);
	*line = slice_skip(*line, n);
	return 1;
}
