/* test_password.c - password hashes and SCRAM keys: made, verified, judged. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/password.h"
#include "tests/unit/tap.h"

#define HORSE "correct horse"

/* clang-format off */
static const struct {
	const char *hash;
	bool known, right, current;
} hashes[] = {
	{ "$1$saltsalt$NuzA7WTAelpl95xgBGWN60", true, true, false },
	{ "$5$saltsaltsaltsalt$vzxOvVGSAthqKsVBFh1uWPorUBPL5g6mz42rSF1xpk5", true, true, false },
	{ "$6$saltsaltsaltsalt$GkzgkzVbauGAKXpOTbypQEKy/9yJWVjcvXvDw7CxoJjnJ1.w.g1rV8bhCVTpHrRrO/h6b3DAwPN3y5qmHXZ1R1", true, true, false },
	{ "$6$rounds=5000$salt$pfWEh40/jW3sybE9zOQ9fIpZ9F6fyy/jogzYisHAyINpuc9icJd187oNK8pukepHV.QSHFtNVGUeWCRJCE9G4/", true, true, false },
	{ "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", true, true, false },
	{ "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2", true, true, false },
	{ "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", true, true, false },
	{ "$y$j9T$abcdefghijklmnopqrstu0$P4/kaBYQZGwBMOYrdOYgTY4O7wvcf3Wpgrqnuat3NBD", true, true, true },
	{ "$y$j75$abcdefghijklmnopqrstu0$NrDLxdh8RZsWZGjPgaTyFYpgfjnLrvMdBZJ3EMKXds7", true, true, false },
	{ "$y$jAT$abcdefghijklmnopqrstu0$p54F9CzdLh9PKAXBokkMDIUXCi9JGp6zWIvkIRm8WL8", true, true, true },
	/* another password's */
	{ "$1$saltsalt$NuzA7WTAelpl95xgBGWN61", true, false, false },
	{ "$y$j9T$abcdefghijklmnopqrstu0$Q4/kaBYQZGwBMOYrdOYgTY4O7wvcf3Wpgrqnuat3NBD", true, false, true },
	/* locked */
	{ "", true, false, false },
	{ "*", true, false, false },
	{ "!", true, false, false },
	{ "!$1$saltsalt$NuzA7WTAelpl95xgBGWN60", true, false, false },
	{ "!!", true, false, false },
	/* damaged, or of another method */
	{ "$1$saltsalt$", false, false, false },
	{ "$1$saltsalt", false, false, false },
	{ "$1$", false, false, false },
	{ "$1$saltsaltx$NuzA7WTAelpl95xgBGWN60", false, false, false },
	{ "$1$saltsalt$NuzA7WTAelpl95xgBGWN6", false, false, false },
	{ "$1$saltsalt$NuzA7WTAelpl95xgBGWN60x", false, false, false },
	{ "$6$saltsaltsaltsalt$", false, false, false },
	{ "$6$rounds=999999999$salt$pfWEh40/jW3sybE9zOQ9fIpZ9F6fyy/jogzYisHAyINpuc9icJd187oNK8pukepHV.QSHFtNVGUeWCRJCE9G4/", false, false, false },
	{ "$2y$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", false, false, false },
	{ "$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", false, false, false },
	{ "$y$j9T$", false, false, false },
	{ "$y$j9T$abcdefghijklmnopqrstu0", false, false, false },
	{ "$y$j9T$abcdefghijklmnopqrstu0$", false, false, false },
	{ "$y$jFT$abcdefghijklmnopqrstu0$P4/kaBYQZGwBMOYrdOYgTY4O7wvcf3Wpgrqnuat3NBD", false, false, false },
	{ "$7$CU..../....abcdefg$fpIT.DgPe4uM14R13K8U3c4xBxmapxwJPHTbb0K55KA", false, false, false },
	{ "$3$$cfc43211ba8dc470832267827cac1407", false, false, false },
	{ "abhfCpXqd4Gr", false, false, false },
	{ "abhfCpXqd4GrIx", false, false, false },
	{ "ab$fCpXqd4GrI", false, false, false },
	{ HORSE, false, false, false },
	{ "*0", false, false, false },
	{ "$", false, false, false },
	{ "$y", false, false, false },
};
/* clang-format on */

static void
test_hashes(void)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		struct slice hash = slice_of(hashes[i].hash);

		ok(password_hash_is_known(hash) == hashes[i].known,
		    "known %s", hashes[i].hash);
		ok(password_hash_is_current(hash) == hashes[i].current,
		    "current %s", hashes[i].hash);
		ok(password_verify(SLICE(HORSE), hash) == hashes[i].right,
		    "right password of %s", hashes[i].hash);
		ok(!password_verify(SLICE("correct horsf"), hash),
		    "wrong password of %s", hashes[i].hash);
	}
}

/* The oldest method: eight bytes count. */
static void
test_des(void)
{
	struct slice hash = SLICE("abhfCpXqd4GrI");

	ok(password_hash_is_known(hash), "DES is known");
	ok(!password_hash_is_current(hash), "and to be replaced");
	ok(password_verify(SLICE(HORSE), hash), "its password is right");
	ok(!password_verify(SLICE("correcT horse"), hash) &&
	    !password_verify(SLICE("correct"), hash), "another is wrong");
	ok(!password_verify(SLICE(HORSE), SLICE("abhfCpXqd4GrJ")) &&
	    !password_verify(SLICE(HORSE), SLICE("achfCpXqd4GrI")),
	    "of another hash, too");
}

static void
test_make(void)
{
	char one[PASSWORD_HASH_MAX] = "42", other[PASSWORD_HASH_MAX];
	char big[PASSWORD_MAX + 1];

	memset(big, 'x', sizeof(big));
	ok(password_hash(SLICE(""), one) == -1 && errno == EINVAL &&
	    strcmp(one, "42") == 0, "no hash of an empty password");
	ok(password_hash(slice_make(big, sizeof(big)), one) == -1 &&
	    strcmp(one, "42") == 0, "no hash of one that is too long");
	ok(password_hash(SLICE("a\0b"), one) == -1 && strcmp(one, "42") == 0,
	    "no hash of one with a NUL");
	ok(password_hash(SLICE(HORSE), one) == 0 &&
	    password_hash(SLICE(HORSE), other) == 0 &&
	    strcmp(one, other) != 0, "two hashes of one password differ");
	ok(password_hash_is_current(slice_of(one)), "a new hash is current");
	ok(password_verify(SLICE(HORSE), slice_of(one)), "and verifies");
	ok(!password_verify(SLICE("a\0b"), slice_of(one)) &&
	    !password_verify(SLICE(""), slice_of(one)) &&
	    !password_verify(slice_make(big, sizeof(big)), slice_of(one)),
	    "what can be no password is wrong");
	ok(password_hash(slice_make(big, PASSWORD_MAX), one) == 0 &&
	    password_verify(slice_make(big, PASSWORD_MAX), slice_of(one)) &&
	    !password_verify(slice_make(big, PASSWORD_MAX - 1),
	    slice_of(one)), "the longest password counts to its last byte");
}

/* What is kept of a password: both of it, or the hash alone. */
static void
test_both(void)
{
	char hash[PASSWORD_HASH_MAX] = "42", scram[SCRAM_TEXT_MAX] = "43";
	struct scram_keys keys;

	ok(password_make(SLICE(""), hash, scram) == -1 && errno == EINVAL &&
	    strcmp(hash, "42") == 0 && strcmp(scram, "43") == 0,
	    "nothing of an empty password");
	ok(password_make(SLICE(HORSE), hash, scram) == 0 &&
	    password_verify(SLICE(HORSE), slice_of(hash)) &&
	    scram_keys_parse(slice_of(scram), &keys) == 0 &&
	    scram_keys_match(&keys, SLICE(HORSE)), "a hash and keys");
	ok(password_make(SLICE("\xe9t\xe9"), hash, scram) == 0 &&
	    password_verify(SLICE("\xe9t\xe9"), slice_of(hash)) &&
	    *scram == '\0', "no keys of what has none");
}

/* The same letters from another keyboard; hashes of raw bytes. */
static void
test_unicode(void)
{
	char hash[PASSWORD_HASH_MAX];

	ok(password_hash(SLICE("\xc3\xa9t\xc3\xa9"), hash) == 0 &&
	    password_verify(SLICE("e\xcc\x81te\xcc\x81"), slice_of(hash)),
	    "composed or not, it is the same password");
	ok(password_verify(SLICE("\xc3\xa9t\xc3\xa9"),
	    SLICE("$1$saltsalt$6ar7NnJoexrehWw/MhCvJ0")),
	    "a hash from elsewhere");
	ok(password_hash(SLICE("\xe9t\xe9"), hash) == 0 &&
	    password_verify(SLICE("\xe9t\xe9"), slice_of(hash)) &&
	    !password_verify(SLICE("\xc3\xa9t\xc3\xa9"), slice_of(hash)),
	    "Latin-1 bytes are hashed as they are");
}

static bool
same(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->iterations == b->iterations && a->salt_len == b->salt_len &&
	    memcmp(a->salt, b->salt, sizeof(a->salt)) == 0 &&
	    memcmp(a->stored, b->stored, SCRAM_KEY) == 0 &&
	    memcmp(a->server, b->server, SCRAM_KEY) == 0;
}

static void
test_keys(void)
{
	static const char text[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
	    "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
	    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
	static const char *const bad[] = {
		"", "SCRAM-SHA-256", "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA",
		"SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi"
		"4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxS"
		"rmfPwDl2dU=",
		"SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4"
		"qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi"
		"4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:AAAA",
	};
	struct scram_keys keys, other;
	char out[SCRAM_TEXT_MAX];

	if (ok(scram_keys_parse(slice_of(text), &keys) == 0, "parse")) {
		ok(strcmp(scram_keys_text(&keys, out), text) == 0, "text");
		ok(scram_keys_match(&keys, SLICE("pencil")), "RFC 7677 keys");
		ok(!scram_keys_match(&keys, SLICE("pencik")), "other keys");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		other = keys;
		ok(scram_keys_parse(slice_of(bad[i]), &other) == -1 &&
		    same(&other, &keys),
		    "no keys: %s", bad[i]);
	}
	ok(scram_keys_make(SLICE(HORSE), &keys) == 0 &&
	    scram_keys_match(&keys, SLICE(HORSE)) &&
	    keys.iterations == SCRAM_ITERATIONS &&
	    keys.salt_len == SCRAM_SALT, "make");
	ok(scram_keys_parse(slice_of(scram_keys_text(&keys, out)),
	    &other) == 0 && same(&other, &keys),
	    "there and back");
	ok(scram_keys_make(SLICE("\xe9t\xe9"), &other) == -1 &&
	    errno == EILSEQ && same(&other, &keys),
	    "no keys of what is not UTF-8");
	memset(keys.salt, 0xff, SCRAM_SALT_MAX);
	keys.salt_len = SCRAM_SALT_MAX;
	keys.iterations = SCRAM_ITERATIONS_MAX;
	ok(scram_keys_parse(slice_of(scram_keys_text(&keys, out)),
	    &other) == 0, "the longest text fits");
}

static void
test_secret(void)
{
	char folder[] = "/tmp/test_password.XXXXXX";
	int dirfd = mkdtemp(folder) == NULL ? -1 :
	    open(folder, O_RDONLY | O_DIRECTORY);
	char a[64], b[64];
	int fd;

	ok(password_secret_make(dirfd) == 0, "make the secret");
	fd = openat(dirfd, PASSWORD_SECRET_FILE, O_RDONLY);
	ok(read(fd, a, sizeof(a)) == PASSWORD_SECRET, "it has its length");
	close(fd);
	ok(password_secret_make(dirfd) == 0, "make it again");
	fd = openat(dirfd, PASSWORD_SECRET_FILE, O_RDONLY);
	ok(read(fd, b, sizeof(b)) == PASSWORD_SECRET &&
	    memcmp(a, b, PASSWORD_SECRET) == 0, "it stays what it was");
	close(fd);
	unlinkat(dirfd, PASSWORD_SECRET_FILE, 0);
	close(dirfd);
	rmdir(folder);
}

int
main(void)
{
	test_hashes();
	test_des();
	test_make();
	test_both();
	test_unicode();
	test_keys();
	test_secret();
	return done();
}
