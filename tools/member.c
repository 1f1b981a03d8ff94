/* member.c - the names and the settings in the archive of a mailbox. */
/* SPDX-License-Identifier: ISC */

#include "tools/member.h"

#include <stdio.h>
#include <string.h>

void
member_path(const struct box_message *m, char *out)
{
	snprintf(out, MEMBER_PATH_MAX, "mail/%s/%s/%s,S=%llu%s%s",
	    *m->folder == '\0' ? "INBOX" : m->folder,
	    m->is_new ? "new" : "cur", m->unique, (unsigned long long)m->size,
	    m->is_new ? "" : ":2,", m->is_new ? "" : m->flags);
}

int
member_parse(struct slice path, struct box_message *out)
{
	struct maildir_name name;
	struct box_message m = *out;
	struct slice folder, part;

	if (path.len >= 2 && memcmp(path.p, "./", 2) == 0)
		path = slice_skip(path, 2);
	if (!slice_eq(slice_cut(&path, '/'), SLICE("mail")) || path.p == NULL)
		return -1;
	folder = slice_cut(&path, '/');
	if (path.p == NULL)
		return -1;
	part = slice_cut(&path, '/');
	/* What is left has no '/' in it, or it is no message's name. */
	if (path.p == NULL || maildir_name_parse(path, &name) == -1 ||
	    !box_is_unique(name.unique) || !box_is_flags(name.flags))
		return -1;
	if (slice_eq(folder, SLICE("INBOX")))
		folder = SLICE_EMPTY;
	else if (folder.len == 0 || !box_is_folder(folder))
		return -1;
	m.is_new = slice_eq(part, SLICE("new"));
	if ((!m.is_new && !slice_eq(part, SLICE("cur"))) ||
	    slice_to_cstr(folder, m.folder, sizeof(m.folder)) == -1 ||
	    slice_to_cstr(name.unique, m.unique, sizeof(m.unique)) == -1 ||
	    slice_to_cstr(name.flags, m.flags, sizeof(m.flags)) == -1)
		return -1;
	*out = m;
	return 0;
}

void
settings_write(struct str *out, const struct registry_fields *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct slice value = f->v[i].value;

		str_put(out, f->v[i].name);
		str_puts(out, ": ");
		for (size_t k = 0; k < value.len; k++) {
			str_putc(out, value.p[k]);
			if (value.p[k] == '\n')
				str_putc(out, '\t');
		}
		str_putc(out, '\n');
	}
}

/* What goes back into an account: what its owner may set there. */
static const char *
setting_name(struct slice name)
{
	static const char *const names[] = { "full-name", "forward", "keep",
		"discard", "vacation", "vacation-start", "vacation-end",
		"vacation-subject", "vacation-text", "vacation-days" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (slice_eq(name, slice_of(names[i])))
			return names[i];
	return NULL;
}

/* The value that begins at from; *next is behind its last line. Its lines are
 * moved together, without the tabs. */
static struct slice
unfold(char *from, char *end, char **next)
{
	char *to = from, *p = from;

	while (p < end) {
		if (*p == '\n') {
			p++;
			if (p == end || *p != '\t')
				break;
			*to++ = '\n';
			p++;
			continue;
		}
		*to++ = *p++;
	}
	*next = p;
	return slice_make(from, (size_t)(to - from));
}

int
settings_parse(char *text, size_t len, struct registry_fields *f)
{
	char *p = text, *end = text + len, *colon;
	struct slice value;
	const char *name;

	while (p < end) {
		colon = memchr(p, ':', (size_t)(end - p));
		if (colon == NULL || end - colon < 2 || colon[1] != ' ' ||
		    memchr(p, '\n', (size_t)(colon - p)) != NULL)
			return -1;
		name = setting_name(slice_make(p, (size_t)(colon - p)));
		value = unfold(colon + 2, end, &p);
		if (name != NULL && !registry_add(f, name, value))
			return -1;
	}
	return 0;
}
