/* password.c - password hashes and SCRAM keys: made, verified, judged. */
/* SPDX-License-Identifier: ISC */

#include "auth/password.h"

#include <sys/stat.h>

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "auth/saslprep.h"
#include "lib/base64.h"
#include "lib/fsx.h"
#include "lib/num.h"

_Static_assert(PASSWORD_HASH_MAX == CRYPT_OUTPUT_SIZE, "as crypt(5) says");
_Static_assert(PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "as crypt(5) says");

/*
 * The cost of new hashes: 4096 blocks of 4 KiB, 16 MiB, as libxcrypt has it by
 * default. What a stored hash may cost at most is bounded too: nobody's import
 * shall keep a worker busy for minutes or pass the limit on memory.
 */
#define YESCRYPT_COST 5
#define YESCRYPT_NOW '9'	/* the cost above, as crypt(5) writes it */
#define YESCRYPT_MOST 'B'	/* 64 MiB */
#define SHA_ROUNDS_MOST 1000000
#define BCRYPT_COST_MOST 14

/* A hash that no password has: to spend the time on a name without one. */
#define NOBODY_SETTING "$y$j9T$......................"

static const char crypt_letters[] =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Cuts "text" off the front of *s when it is there. */
static bool
take(struct slice *s, const char *text)
{
	size_t n = strlen(text);

	if (s->len < n || memcmp(s->p, text, n) != 0)
		return false;
	*s = slice_skip(*s, n);
	return true;
}

/* True when s is lo to hi letters of crypt's base 64. */
static bool
is_letters(struct slice s, size_t lo, size_t hi)
{
	if (s.len < lo || s.len > hi)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr(crypt_letters, s.p[i]) == NULL)
			return false;
	return true;
}

/* "salt$hash" with a salt of any printable text, as crypt(3) takes it. */
static bool
is_salt_and_hash(struct slice s, size_t salt_most, size_t hash_len)
{
	struct slice rest = s, salt = slice_cut(&rest, '$');

	if (rest.p == NULL || salt.len > salt_most ||
	    !is_letters(rest, hash_len, hash_len))
		return false;
	for (size_t i = 0; i < salt.len; i++)
		if (salt.p[i] < '!' || salt.p[i] > '~' || salt.p[i] == ':')
			return false;
	return true;
}

static bool
is_yescrypt(struct slice s)
{
	struct slice cost, salt;

	if (!take(&s, "$y$"))
		return false;
	cost = slice_cut(&s, '$');
	if (s.p == NULL)
		return false;
	salt = slice_cut(&s, '$');
	return cost.len == 3 && cost.p[0] == 'j' && cost.p[1] >= '7' &&
	    (cost.p[1] <= '9' || cost.p[1] >= 'A') &&
	    cost.p[1] <= YESCRYPT_MOST &&
	    (cost.p[2] == '5' || cost.p[2] == 'T') && s.p != NULL &&
	    is_letters(salt, 0, 86) && is_letters(s, 43, 43);
}

static bool
is_bcrypt(struct slice s)
{
	uint64_t cost;

	return (take(&s, "$2a$") || take(&s, "$2b$") || take(&s, "$2y$")) &&
	    s.len == 56 && s.p[2] == '$' &&
	    num_parse(slice_make(s.p, 2), 4, BCRYPT_COST_MOST, &cost) == 0 &&
	    is_letters(slice_skip(s, 3), 53, 53);
}

static bool
is_sha(struct slice s, const char *prefix, size_t hash_len)
{
	struct slice rounds;
	uint64_t n;

	if (!take(&s, prefix))
		return false;
	if (take(&s, "rounds=")) {
		rounds = slice_cut(&s, '$');
		if (s.p == NULL ||
		    num_parse(rounds, 1000, SHA_ROUNDS_MOST, &n) == -1)
			return false;
	}
	return is_salt_and_hash(s, 16, hash_len);
}

/* As UNIX had it from 1979 on: two letters of salt, eleven of hash, of the
 * first eight bytes of the password. Old systems are full of them; the next
 * login replaces them. */
static bool
is_des(struct slice s)
{
	return is_letters(s, 13, 13);
}

/* True when some password could match. */
static bool
is_usable(struct slice s)
{
	if (s.len >= PASSWORD_HASH_MAX || memchr(s.p, '\0', s.len) != NULL)
		return false;
	if (is_yescrypt(s) || is_bcrypt(s) || is_sha(s, "$5$", 43) ||
	    is_sha(s, "$6$", 86))
		return true;
	return is_des(s) || (take(&s, "$1$") && is_salt_and_hash(s, 8, 22));
}

bool
password_hash_is_known(struct slice hash)
{
	if (hash.len == 0 || (hash.len == 1 && hash.p[0] == '*'))
		return true;
	if (hash.p[0] == '!')
		return hash.len < PASSWORD_HASH_MAX &&
		    memchr(hash.p, '\0', hash.len) == NULL &&
		    memchr(hash.p, '\n', hash.len) == NULL;
	return is_usable(hash);
}

bool
password_hash_is_current(struct slice hash)
{
	return is_yescrypt(hash) && hash.p[4] >= YESCRYPT_NOW &&
	    hash.p[5] == 'T';
}

static bool
is_password(struct slice password)
{
	return password.len > 0 && password.len <= PASSWORD_MAX &&
	    memchr(password.p, '\0', password.len) == NULL;
}

/* The form that is hashed: prepared if possible, with a NUL. */
static void
canonical(struct slice password, char out[PASSWORD_MAX + 1])
{
	size_t len;

	if (saslprep(password, out, PASSWORD_MAX, &len) == -1) {
		memcpy(out, password.p, password.len);
		len = password.len;
	}
	out[len] = '\0';
}

int
password_hash(struct slice password, char *out)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], phrase[PASSWORD_MAX + 1];
	struct crypt_data *data = NULL;
	const char *hash;
	int r = -1;

	if (!is_password(password)) {
		errno = EINVAL;
		return -1;
	}
	canonical(password, phrase);
	if (crypt_gensalt_rn("$y$", YESCRYPT_COST, NULL, 0, setting,
	    sizeof(setting)) == NULL ||
	    (data = calloc(1, sizeof(*data))) == NULL)
		goto out;
	hash = crypt_rn(phrase, setting, data, sizeof(*data));
	if (hash != NULL &&
	    slice_to_cstr(slice_of(hash), out, PASSWORD_HASH_MAX) == 0)
		r = 0;
out:
	explicit_bzero(phrase, sizeof(phrase));
	if (data != NULL)
		explicit_bzero(data, sizeof(*data));
	free(data);
	return r;
}

/* One try of one form of the password. */
static bool
matches(const char *phrase, const char *hash, bool usable,
    struct crypt_data *data)
{
	const char *result = crypt_rn(phrase, usable ? hash : NOBODY_SETTING,
	    data, sizeof(*data));
	size_t len = strlen(hash);

	/* It says EINVAL where it had no memory, and leaves ENOMEM where it
	 * was refused huge pages and has taken others. */
	errno = result == NULL ? ENOMEM : 0;
	return result != NULL && usable && strlen(result) == len &&
	    CRYPTO_memcmp(result, hash, len) == 0;
}

bool
password_verify(struct slice password, struct slice hash)
{
	char phrase[PASSWORD_MAX + 1], stored[PASSWORD_HASH_MAX] = "";
	struct crypt_data *data;
	bool usable, right = false;

	errno = 0;
	if (!is_password(password) ||
	    (data = calloc(1, sizeof(*data))) == NULL)
		return false;
	usable = is_usable(hash) &&
	    slice_to_cstr(hash, stored, sizeof(stored)) == 0;
	canonical(password, phrase);
	right = matches(phrase, stored, usable, data);
	if (!right && errno == 0 && !slice_eq(slice_of(phrase), password)) {
		/* Hashes that came from elsewhere are of the raw bytes. */
		memcpy(phrase, password.p, password.len);
		phrase[password.len] = '\0';
		right = matches(phrase, stored, usable, data);
	}
	explicit_bzero(phrase, sizeof(phrase));
	explicit_bzero(data, sizeof(*data));
	free(data);
	return right;
}

static int
hmac(const uint8_t *key, const char *text, uint8_t out[SCRAM_KEY])
{
	return HMAC(EVP_sha256(), key, SCRAM_KEY, (const unsigned char *)text,
	    strlen(text), out, NULL) != NULL ? 0 : -1;
}

/* RFC 5802 section 3: fills stored and server from salt and iterations. */
static int
derive(struct slice password, struct scram_keys *keys)
{
	uint8_t salted[SCRAM_KEY], client[SCRAM_KEY];
	char phrase[PASSWORD_MAX];
	size_t len;
	int r = -1;

	if (saslprep(password, phrase, sizeof(phrase), &len) == -1)
		return -1;
	errno = ENOMEM;
	if (PKCS5_PBKDF2_HMAC(phrase, (int)len, keys->salt,
	    (int)keys->salt_len, (int)keys->iterations, EVP_sha256(),
	    sizeof(salted), salted) == 1 &&
	    hmac(salted, "Client Key", client) == 0 &&
	    hmac(salted, "Server Key", keys->server) == 0 &&
	    EVP_Digest(client, sizeof(client), keys->stored, NULL,
	    EVP_sha256(), NULL) == 1)
		r = 0;
	explicit_bzero(phrase, sizeof(phrase));
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return r;
}

int
scram_keys_make(struct slice password, struct scram_keys *out)
{
	struct scram_keys keys = {
		.iterations = SCRAM_ITERATIONS,
		.salt_len = SCRAM_SALT,
	};

	if (!is_password(password)) {
		errno = EINVAL;
		return -1;
	}
	if (RAND_bytes(keys.salt, SCRAM_SALT) != 1) {
		errno = EIO;
		return -1;
	}
	if (derive(password, &keys) == -1)
		return -1;
	*out = keys;
	return 0;
}

bool
scram_keys_match(const struct scram_keys *keys, struct slice password)
{
	struct scram_keys mine = *keys;

	return is_password(password) && derive(password, &mine) == 0 &&
	    CRYPTO_memcmp(mine.stored, keys->stored, SCRAM_KEY) == 0;
}

char *
scram_keys_text(const struct scram_keys *keys, char *out)
{
	char salt[BASE64_LEN(SCRAM_SALT_MAX) + 1];
	char stored[BASE64_LEN(SCRAM_KEY) + 1];
	char server[BASE64_LEN(SCRAM_KEY) + 1];

	base64_encode(slice_make(keys->salt, keys->salt_len), salt);
	base64_encode(slice_make(keys->stored, SCRAM_KEY), stored);
	base64_encode(slice_make(keys->server, SCRAM_KEY), server);
	snprintf(out, SCRAM_TEXT_MAX, "SCRAM-SHA-256$%u:%s$%s:%s",
	    keys->iterations, salt, stored, server);
	return out;
}

int
password_make(struct slice password, char *hash, char *scram)
{
	struct scram_keys keys;

	if (password_hash(password, hash) == -1)
		return -1;
	*scram = '\0';
	if (scram_keys_make(password, &keys) == 0) {
		scram_keys_text(&keys, scram);
		explicit_bzero(&keys, sizeof(keys));
	}
	return 0;
}

int
scram_keys_parse(struct slice text, struct scram_keys *out)
{
	struct slice method = slice_cut(&text, '$');
	struct slice salt = slice_cut(&text, '$'), iterations, stored;
	struct scram_keys keys;
	ssize_t salt_len;
	uint64_t n;

	memset(&keys, 0, sizeof(keys));
	if (text.p == NULL || !slice_eq(method, SLICE("SCRAM-SHA-256")))
		return -1;
	iterations = slice_cut(&salt, ':');
	stored = slice_cut(&text, ':');
	if (salt.p == NULL || text.p == NULL ||
	    num_parse(iterations, SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX,
	    &n) == -1)
		return -1;
	salt_len = base64_decode(salt, keys.salt, sizeof(keys.salt));
	if (salt_len < 1 ||
	    base64_decode(stored, keys.stored, SCRAM_KEY) != SCRAM_KEY ||
	    base64_decode(text, keys.server, SCRAM_KEY) != SCRAM_KEY)
		return -1;
	keys.iterations = (uint32_t)n;
	keys.salt_len = (size_t)salt_len;
	*out = keys;
	return 0;
}

int
password_secret_make(int auth_dirfd)
{
	uint8_t secret[PASSWORD_SECRET];
	struct stat st;
	int r;

	if (fstatat(auth_dirfd, PASSWORD_SECRET_FILE, &st,
	    AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	if (RAND_bytes(secret, sizeof(secret)) != 1) {
		errno = EIO;
		return -1;
	}
	r = fsx_replace(auth_dirfd, PASSWORD_SECRET_FILE, 0640,
	    slice_make(secret, sizeof(secret)));
	explicit_bzero(secret, sizeof(secret));
	return r;
}
