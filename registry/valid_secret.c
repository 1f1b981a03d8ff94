/* valid_secret.c - judges of what opens an account, pure functions. */
/* SPDX-License-Identifier: ISC */

#include "auth/password.h"
#include "lib/app_password.h"
#include "lib/num.h"
#include "registry/valid.h"

int
valid_hash(struct slice in, struct str *out, struct text *why)
{
	if (in.len >= PASSWORD_HASH_MAX || !is_line(in) ||
	    !password_hash_is_known(in))
		return why_not(why,
		    "must be a crypt(3) string of a known method ($y$, $6$, $5$, "
		    "$2y$, $1$, DES), or begin with ! (locked)",
		    "doit être une empreinte crypt(3) d'une méthode connue ($y$, "
		    "$6$, $5$, $2y$, $1$, DES), ou commencer par ! (verrouillé)");
	str_put(out, in);
	return 0;
}

int
valid_scram(struct slice in, struct str *out, struct text *why)
{
	struct scram_keys keys;

	if (scram_keys_parse(in, &keys) == -1)
		return why_not(why, "must be SCRAM-SHA-256 keys (RFC 5803)",
		    "doit être des clés SCRAM-SHA-256 (RFC 5803)");
	explicit_bzero(&keys, sizeof(keys));
	str_put(out, in);
	return 0;
}

int
valid_apps(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "allowed", "required", "off", NULL };

	return valid_word(in, words, out) ? 0 : why_not(why,
	    "must be allowed, required or off",
	    "doit être allowed (permis), required (obligatoires) ou off "
	    "(aucun)");
}

int
valid_app_hashes(struct slice in, struct str *out, struct text *why)
{
	struct slice rest = in;

	while (rest.p != NULL)
		if (!is_line(slice_cut(&rest, '\n')))
			goto bad;
	if (!app_passwords_are_valid(in))
		goto bad;
	str_put(out, in);
	return 0;
bad:
	return why_not(why, "must be application passwords as a dump has them",
	    "doit être des mots de passe d'application comme dans un dump");
}

int
valid_app_used(struct slice in, struct str *out, struct text *why)
{
	struct slice rest = in, line;
	uint64_t n;

	while (rest.p != NULL) {
		line = slice_cut(&rest, '\n');
		if (num_parse(slice_cut(&line, ' '), 0, INT64_MAX, &n) == -1 ||
		    line.p == NULL || line.len == 0 ||
		    line.len > APP_NAME_MAX || !is_line(line))
			return why_not(why, "must be lines of seconds and a name",
			    "doit être des lignes : secondes et un nom");
	}
	str_put(out, in);
	return 0;
}
