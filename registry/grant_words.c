/* grant_words.c - what an owner may do, in words: pure functions. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>

#include "registry/schema.h"
#include "registry/valid.h"

static const struct {
	unsigned bit;
	const char *word;
} grant_words[] = {
	{ GRANT_NAME, "name" },
	{ GRANT_PASSWORD, "password" },
	{ GRANT_FORWARD, "forward" },
	{ GRANT_VACATION, "vacation" },
	{ GRANT_ALIAS_CREATE, "alias-create" },
	{ GRANT_ALIAS_DELETE, "alias-delete" },
	{ GRANT_BACKUP, "backup" },
	{ GRANT_RESTORE, "restore" },
	{ GRANT_REMOVE, "remove" },
};

#define N_GRANT_WORDS (sizeof(grant_words) / sizeof(*grant_words))

static unsigned
bit_of(struct slice word)
{
	for (size_t i = 0; i < N_GRANT_WORDS; i++)
		if (slice_eq_nocase(word, slice_of(grant_words[i].word)))
			return grant_words[i].bit;
	return 0;
}

int
grants_mask(struct slice list, unsigned *out)
{
	unsigned mask = 0, bit;
	struct slice one;
	size_t n = 0;

	for (; (one = target_next(&list)).p != NULL; n++) {
		bool less = one.len > 0 && one.p[0] == '-';

		if (less)
			one = slice_skip(one, 1);
		bit = bit_of(one);
		if (!less && slice_eq_nocase(one, SLICE("all")))
			mask = GRANT_ALL;
		else if (!less && n == 0 && slice_eq_nocase(one, SLICE("none")))
			mask = 0;
		else if (bit == 0)
			return -1;
		else
			mask = less ? mask & ~bit : mask | bit;
	}
	if (n == 0)
		return -1;
	*out = mask;
	return 0;
}

void
grants_words(unsigned mask, char separator, char *out)
{
	struct str words = STR_INIT(GRANTS_TEXT_MAX - 1);

	for (size_t i = 0; i < N_GRANT_WORDS; i++) {
		if (!(mask & grant_words[i].bit))
			continue;
		if (words.len > 0)
			str_putc(&words, separator);
		str_puts(&words, grant_words[i].word);
	}
	snprintf(out, GRANTS_TEXT_MAX, "%s", words.len > 0 ? str_c(&words) :
	    "none");
	str_free(&words);
}

/* What began with "all" stays so: what is added to the table is granted, too. */
int
valid_grants(struct slice in, struct str *out, struct text *why)
{
	struct slice rest = in, first = target_next(&rest);
	bool all = first.p != NULL && slice_eq_nocase(first, SLICE("all"));
	char words[GRANTS_TEXT_MAX];
	unsigned mask;

	if (grants_mask(in, &mask) == -1) {
		*why = (struct text){
		    "must be all, none, or some of: name password forward "
		    "vacation alias-create alias-delete backup restore remove; "
		    "\"all -password\" is all but one",
		    "doit être all (tout), none (rien), ou un choix de : name "
		    "password forward vacation alias-create alias-delete backup "
		    "restore remove ; « all -password » est tout sauf un" };
		return -1;
	}
	if (!all) {
		grants_words(mask, ' ', words);
		str_puts(out, words);
		return 0;
	}
	str_puts(out, "all");
	for (size_t i = 0; i < N_GRANT_WORDS; i++)
		if (!(mask & grant_words[i].bit))
			str_printf(out, " -%s", grant_words[i].word);
	return 0;
}
