/* password.h - password hashes and SCRAM keys: made, verified, judged. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

/*
 * Linked by malle-authd, which verifies, and by malle-registryd and malle,
 * which make hashes (auth/password.c auth/saslprep.c, -lcrypto -lcrypt). One
 * takes some ten milliseconds and 16 MiB: never in a loop that others wait for. All
 * functions may be called from several threads.
 *
 * Passwords are at most PASSWORD_MAX bytes, without NUL. One that SASLprep
 * (RFC 4013) accepts is hashed in its prepared form, so that the same letters
 * typed on another keyboard match; another one is hashed as it is and gets no
 * SCRAM keys.
 */
#define PASSWORD_MAX 511	/* bytes; crypt(3) takes no more */
#define PASSWORD_HASH_MAX 384	/* with its NUL */
#define SCRAM_KEY 32		/* bytes of SHA-256 */
#define SCRAM_SALT 16		/* bytes of the salts made here */
#define SCRAM_SALT_MAX 64	/* bytes of a salt that is accepted */
#define SCRAM_ITERATIONS 10000	/* of the keys made here (RFC 7677: 4096+) */
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 10000000
#define SCRAM_TEXT_MAX 256	/* of scram_keys_text(), with its NUL */

/*
 * What malle-authd tells malle-registryd on their pair: REG_REQUEST, operation
 * "login", never answered; fields, all text:
 *   address  the account, canonical "local@domain" of the main domain
 *   time     of the login, seconds since 1970, decimal
 * and sometimes also
 *   app      the name of the application password that was given
 *   or these three
 *   old      the hash that the password was checked against
 *   hash     a better hash of the same password, or old again
 *   scram    scram_keys_text() of the same password; missing: it can have none
 * hash and scram may be taken only while the account's hash is still equal to
 * old: or else a password changed meanwhile would be undone.
 */
#define PASSWORD_LOGIN_OPERATION "login"

/*
 * 32 random bytes in the auth folder, made once by malle-registryd, from which
 * malle-authd derives the salts it shows for accounts that do not exist.
 * password_secret_make() makes the file if it is not there, mode 0640. 0, or
 * -1 with errno.
 */
#define PASSWORD_SECRET_FILE "salt.key"
#define PASSWORD_SECRET 32
int password_secret_make(int auth_dirfd) __attribute__((warn_unused_result));

/* SCRAM-SHA-256 keys as they are kept (RFC 5802 section 3). */
struct scram_keys {
	uint32_t iterations;
	size_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored[SCRAM_KEY];
	uint8_t server[SCRAM_KEY];
};

/*
 * A new yescrypt hash with a random salt in out[PASSWORD_HASH_MAX]. 0, or -1
 * with errno (EINVAL: empty, too long or a NUL inside) and out untouched.
 */
int password_hash(struct slice password, char *out)
    __attribute__((warn_unused_result));

/*
 * True when password is the one of hash: yescrypt, $1$, $2a$ $2b$ $2y$, $5$,
 * $6$, or DES, which knows no more than its first eight bytes. False for
 * anything else: a wrong password, an empty or locked hash ("", "*", "!..."),
 * another method, a damaged hash. What it costs does not tell a wrong password
 * from a hash that cannot match. With errno ENOMEM nobody knows: there was no
 * memory to find out; else errno is another one than that.
 */
bool password_verify(struct slice password, struct slice hash);

/* True when hash is one that may be kept or imported: a method that
 * password_verify() knows, well formed; or one that never matches ("", "*",
 * or beginning with '!'). */
bool password_hash_is_known(struct slice hash);

/* True when hash is as good as password_hash() makes them now. */
bool password_hash_is_current(struct slice hash);

/*
 * New keys with a random salt. 0, or -1 with errno (EILSEQ: SASLprep does not
 * allow this password, so that it can have none) and *out untouched.
 */
int scram_keys_make(struct slice password, struct scram_keys *out)
    __attribute__((warn_unused_result));

/* True when keys are of this password. */
bool scram_keys_match(const struct scram_keys *keys, struct slice password);

/*
 * What is kept of a new password: password_hash() in hash, and its keys as
 * text in scram[SCRAM_TEXT_MAX], "" when it can have none.
 */
int password_make(struct slice password, char *hash, char *scram)
    __attribute__((warn_unused_result));

/*
 * Keys as text, as in RFC 5803: "SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER",
 * base64. Returns out[SCRAM_TEXT_MAX].
 */
char *scram_keys_text(const struct scram_keys *keys, char *out);
/* 0, or -1 with *out untouched: not such a text, or out of range. */
int scram_keys_parse(struct slice text, struct scram_keys *out)
    __attribute__((warn_unused_result));

#endif
