/* app_secret.c - application passwords: made, and recognised. */
/* SPDX-License-Identifier: ISC */

#include "auth/app_secret.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define GROUP 4

/* Without i, l, o, which are read as 1 and 0, and u. */
static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
_Static_assert(sizeof(letters) == 32 + 1, "five bits a letter");

static int
digest(const uint8_t *salt, const char *secret, uint8_t *out)
{
	return HMAC(EVP_sha256(), salt, APP_SALT, (const unsigned char *)secret,
	    APP_SECRET_LETTERS, out, NULL) != NULL ? 0 : -1;
}

int
app_secret_make(struct app_password *p, char *out)
{
	uint8_t random[APP_SECRET_LETTERS];
	char secret[APP_SECRET_LETTERS];
	size_t n = 0;
	int r = -1;

	errno = EIO;
	if (RAND_bytes(random, sizeof(random)) == 1 &&
	    RAND_bytes(p->salt, APP_SALT) == 1) {
		for (size_t i = 0; i < sizeof(secret); i++) {
			secret[i] = letters[random[i] % 32];
			if (i > 0 && i % GROUP == 0)
				out[n++] = '-';
			out[n++] = secret[i];
		}
		out[n] = '\0';
		r = digest(p->salt, secret, p->digest);
	}
	explicit_bzero(random, sizeof(random));
	explicit_bzero(secret, sizeof(secret));
	return r;
}

/* The letter that was meant, or NUL. */
static char
meant(char typed)
{
	char c = (char)tolower((unsigned char)typed);

	if (c == 'o')
		return '0';
	if (c == 'i' || c == 'l')
		return '1';
	return memchr(letters, c, sizeof(letters) - 1) != NULL ? c : '\0';
}

/* True when it has the form of one, which secret is then. */
static bool
canonical(struct slice typed, char *secret)
{
	size_t n = 0;

	for (size_t i = 0; i < typed.len; i++) {
		if (typed.p[i] == ' ' || typed.p[i] == '-')
			continue;
		if (n == APP_SECRET_LETTERS ||
		    (secret[n++] = meant(typed.p[i])) == '\0')
			return false;
	}
	return n == APP_SECRET_LETTERS;
}

bool
app_secret_find(struct slice list, struct slice typed,
    struct app_password *out)
{
	char secret[APP_SECRET_LETTERS];
	bool formed = canonical(typed, secret), found = false, there;
	uint8_t mine[APP_DIGEST];
	struct app_password p;

	/* What has another form costs nothing, which tells only what was typed;
	 * else as many rounds for everybody: those too many are of a list's
	 * end. */
	for (int i = 0; formed && i < APP_PASSWORDS_MAX; i++) {
		memset(&p, 0, sizeof(p));
		there = app_password_next(&list, &p) == 1;
		if (digest(p.salt, secret, mine) == 0 &&
		    CRYPTO_memcmp(mine, p.digest, APP_DIGEST) == 0 && there) {
			*out = p;
			found = true;
		}
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(mine, sizeof(mine));
	return found;
}
