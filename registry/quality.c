/* quality.c - whether a password is good enough, and why not. */
/* SPDX-License-Identifier: ISC */

/*
 * Length counts most; what everybody tries first is refused: the account's own
 * name, its domain's and little else, one character again and again, walks over
 * a keyboard or an alphabet, and the commonest words, backwards and two in a row
 * too, however digits and signs are put around them or in the place of letters.
 */

#include "registry/quality.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistr.h>

#include "auth/password.h"
#include "registry/object.h"
#include "registry/valid.h"
#include "registry/worst.h"

#define NAME_COUNTS 3		/* shorter names are in everything */
#define DOMAIN_COUNTS 4
#define LETTERS_BESIDES 6	/* make a word of one's own */
#define PART_MIN 3		/* letters of a word of two */

/* Lower case, in out[PASSWORD_MAX + 1]. */
static void
lower(struct slice s, char *out)
{
	size_t i;

	for (i = 0; i < s.len && i < PASSWORD_MAX; i++)
		out[i] = (char)tolower((unsigned char)s.p[i]);
	out[i] = '\0';
}

/* The letters that digits and signs stand for. */
static char
letter_of(char c)
{
	const char *signs = "013457@$!", *letters = "oleastasi";
	const char *at = strchr(signs, c);

	return c != '\0' && at != NULL ? letters[at - signs] : c;
}

/* Letters of other alphabets count as letters. */
static bool
is_letter(char c)
{
	return isalpha((unsigned char)c) || ((unsigned char)c & 0x80);
}

static int
by_word(const void *key, const void *word)
{
	return strcmp(key, *(const char *const *)word);
}

static bool
is_word(const char *s)
{
	return bsearch(s, worst_words, worst_count, sizeof(*worst_words),
	    by_word) != NULL;
}

static bool
is_backwards(const char *s)
{
	size_t len = strlen(s);
	char word[PASSWORD_MAX + 1];
	bool found;

	for (size_t i = 0; i < len; i++)
		word[i] = s[len - 1 - i];
	word[len] = '\0';
	found = is_word(word);
	explicit_bzero(word, sizeof(word));
	return found;
}

/* Two of them in a row; with more it is length that counts. */
static bool
is_pair(const char *s)
{
	size_t len = strlen(s);
	char word[PASSWORD_MAX + 1];
	bool found = false;

	for (size_t i = PART_MIN; !found && i + PART_MIN <= len; i++) {
		memcpy(word, s, i);
		word[i] = '\0';
		found = is_word(s + i) && is_word(word);
	}
	explicit_bzero(word, sizeof(word));
	return found;
}

/* True when nothing but a worst word is left without what surrounds it. */
static bool
is_worst(const char *password, bool translate)
{
	char word[PASSWORD_MAX + 1];
	size_t start = 0, end = strlen(password), n = 0, half;

	while (start < end && !is_letter(password[start]))
		start++;
	while (end > start && !is_letter(password[end - 1]))
		end--;
	for (size_t i = start; i < end; i++)
		word[n++] = translate ? letter_of(password[i]) : password[i];
	word[n] = '\0';
	if (n == 0)
		return true;	/* digits and signs only */
	if (is_word(word) || is_backwards(word) || is_pair(word))
		return true;
	half = n / 2;		/* twice the same */
	if (n % 2 == 0 && memcmp(word, word + half, half) == 0) {
		word[half] = '\0';
		return is_word(word);
	}
	return false;
}

/* True when most steps from one character to the next are the same small one:
 * aaaa, 1234, abcd, 4321. */
static bool
is_row(const char *s)
{
	size_t len = strlen(s), best = 0, n;

	for (int step = -1; step <= 1; step++) {
		n = 0;
		for (size_t i = 1; i < len; i++)
			if (s[i] - s[i - 1] == step)
				n++;
		if (n > best)
			best = n;
	}
	return len > 1 && best * 3 >= (len - 1) * 2;
}

/* True when most steps are to a key beside or to the same one, in a row or down
 * a column of a French, English or German keyboard. */
static bool
is_walk(const char *s)
{
	static const char *const rows[] = { "1234567890", "azertyuiop",
		"qsdfghjklm", "wxcvbn", "qwertyuiop", "asdfghjkl", "zxcvbnm",
		"qwertzuiop", "yxcvbnm", "1aqw2zsx3edc4rfv5tgb6yhn7ujk8iol9opm",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ikl9olp" };
	size_t steps = 0, near = 0;
	const char *at;
	bool is_near;

	for (; s[0] != '\0' && s[1] != '\0'; s++, steps++) {
		is_near = s[0] == s[1];
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			if ((at = strchr(rows[i], s[0])) == NULL)
				continue;
			is_near = is_near || at[1] == s[1] ||
			    (at > rows[i] && at[-1] == s[1]);
		}
		near += is_near;
	}
	return steps > 0 && near * 4 >= steps * 3;
}

/* The name of its domain, and few letters besides. */
static bool
is_domain(const char *password, const char *address)
{
	const char *domain = strchr(address, '@'), *end;
	char label[ADDR_DOMAIN_MAX + 1];
	size_t letters = 0;

	if (domain == NULL)
		return false;
	end = domain + 1 + strcspn(domain + 1, ".");
	if (end - domain - 1 < DOMAIN_COUNTS || slice_to_cstr(slice_make(
	    domain + 1, (size_t)(end - domain - 1)), label,
	    sizeof(label)) == -1 ||
	    strstr(password, label) == NULL)
		return false;
	for (size_t i = 0; password[i] != '\0'; i++)
		letters += is_letter(password[i]);
	return letters < strlen(label) + LETTERS_BESIDES;
}

static size_t
different(const char *s)
{
	bool seen[256] = { false };
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (!seen[(unsigned char)*s])
			n++;
		seen[(unsigned char)*s] = true;
	}
	return n;
}

static bool
has_name(const char *password, const char *address)
{
	struct slice local = address_local(address);
	char name[ADDR_LOCAL_MAX + 1];

	return local.len >= NAME_COUNTS &&
	    slice_to_cstr(local, name, sizeof(name)) == 0 &&
	    strstr(password, name) != NULL;
}

static int
judge(const char *s, const char *address, struct text *why)
{
	if (has_name(s, address))
		return why_not(why, "contains the name of the account",
		    "contient le nom du compte");
	if (different(s) < 5)
		return why_not(why, "repeats too few different characters",
		    "répète trop peu de caractères différents");
	if (is_domain(s, address))
		return why_not(why, "is the name of the domain and little else",
		    "est le nom du domaine, à peu de chose près");
	if (is_row(s) || is_walk(s))
		return why_not(why, "is a row of neighbouring characters",
		    "est une suite de caractères voisins");
	if (is_worst(s, false) || is_worst(s, true))
		return why_not(why, "is one of those that everybody tries first: "
		    "take several words that do not belong together",
		    "fait partie de ceux que l'on essaie en premier : "
		    "prenez plusieurs mots sans rapport entre eux");
	return 0;
}

int
quality_check(struct slice password, const char *address, uint64_t min,
    struct text *why)
{
	char s[PASSWORD_MAX + 1];
	int r;

	if (password.len > PASSWORD_MAX)
		return why_not(why, "is longer than 512 bytes",
		    "dépasse 512 octets");
	if (!is_line(password))
		return why_not(why, "must be UTF-8 text without control characters",
		    "doit être du texte UTF-8 sans caractère de contrôle");
	if (u8_mbsnlen((const uint8_t *)password.p, password.len) < min)
		return why_not(why, "is too short", "est trop court");
	lower(password, s);
	r = judge(s, address, why);
	explicit_bzero(s, sizeof(s));
	return r;
}

int
quality_names(struct slice password, const char *full_name, struct text *why)
{
	char s[PASSWORD_MAX + 1], words[PASSWORD_MAX + 1], *at, *word;
	int r = 0;

	if (password.len > PASSWORD_MAX)
		return 0;	/* refused before */
	lower(password, s);
	lower(slice_of(full_name), words);
	for (word = strtok_r(words, " .,-'", &at); word != NULL && r == 0;
	    word = strtok_r(NULL, " .,-'", &at))
		if (strlen(word) > NAME_COUNTS && strstr(s, word) != NULL)
			r = why_not(why, "contains the name of the person",
			    "contient le nom de la personne");
	explicit_bzero(s, sizeof(s));
	return r;
}
