/* test_scram.c - the server's side of SCRAM-SHA-256 and -PLUS. */
/* SPDX-License-Identifier: ISC */

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/scram.h"
#include "lib/base64.h"
#include "tests/unit/tap.h"

/* RFC 7677 section 3. */
#define KEYS "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==" \
	"$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define OURS "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SERVER "r=rOprNGfwEbeRWgbNEkqO" OURS \
	",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL "c=biws,r=rOprNGfwEbeRWgbNEkqO" OURS
#define PROOF ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const struct scram_binding none = { { "", 0 }, { "", 0 } };
static const struct scram_binding both = {
	{ "exporterexporterexporterexporter", 32 },
	{ "endpoint", 8 }
};

static struct scram s;
static struct scram_keys keys;

/* clang-format off */
static const struct {
	const char *message;
	bool plus, tls;
	enum scram_status want;
	const char *name;
} firsts[] = {
	{ FIRST, false, false, SCRAM_OK, "user" },
	{ FIRST, false, true, SCRAM_OK, "user" },
	{ "y,,n=user,r=abc", false, false, SCRAM_OK, "user" },
	{ "n,a=user,n=user,r=abc", false, false, SCRAM_OK, "user" },
	{ "n,,n=a=2Cb=3Dc,r=abc", false, false, SCRAM_OK, "a,b=c" },
	{ "n,,n=user,r=abc,x=1", false, false, SCRAM_OK, "user" },
	{ "p=tls-exporter,,n=user,r=abc", true, true, SCRAM_OK, "user" },
	{ "p=tls-server-end-point,,n=user,r=abc", true, true, SCRAM_OK, "user" },
	/* RFC 5802 section 6: a downgrade */
	{ "y,,n=user,r=abc", false, true, SCRAM_REFUSED, NULL },
	{ "p=tls-unique,,n=user,r=abc", true, true, SCRAM_REFUSED, NULL },
	{ "p=tls-exporter,,n=user,r=abc", true, false, SCRAM_REFUSED, NULL },
	{ "p=tls-exporter,,n=user,r=abc", false, true, SCRAM_SYNTAX, NULL },
	{ "n,,n=user,r=abc", true, true, SCRAM_SYNTAX, NULL },
	{ "y,,n=user,r=abc", true, true, SCRAM_SYNTAX, NULL },
	{ "p=,,n=user,r=abc", true, true, SCRAM_SYNTAX, NULL },
	{ "", false, false, SCRAM_SYNTAX, NULL },
	{ "n", false, false, SCRAM_SYNTAX, NULL },
	{ "n,", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,", false, false, SCRAM_SYNTAX, NULL },
	{ "q,,n=user,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "nn,,n=user,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,user,n=user,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,a=,n=user,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,m=ext,n=user,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,r=abc,n=user", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=user", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=user,r=", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=us=er,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=user=,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=user=2,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=user=2c,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=us\xe9r,r=abc", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=user,r=a c", false, false, SCRAM_SYNTAX, NULL },
	{ "n,,n=user,r=a\x7f", false, false, SCRAM_SYNTAX, NULL },
};

/* After FIRST and SERVER. */
static const struct {
	const char *message;
	enum scram_status want;
} finals[] = {
	{ FINAL PROOF, SCRAM_OK },
	{ FINAL ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED },
	{ FINAL ",x=1" PROOF, SCRAM_REFUSED },		/* signed, too */
	{ "c=eSws,r=rOprNGfwEbeRWgbNEkqO" OURS PROOF, SCRAM_REFUSED },
	{ "c=biwsAA==,r=rOprNGfwEbeRWgbNEkqO" OURS PROOF, SCRAM_REFUSED },
	{ "c=biws,r=rOprNGfwEbeRWgbNEkqO" PROOF, SCRAM_REFUSED },
	{ "c=biws,r=xOprNGfwEbeRWgbNEkqO" OURS PROOF, SCRAM_REFUSED },
	{ FINAL, SCRAM_SYNTAX },
	{ FINAL ",p=", SCRAM_SYNTAX },
	{ FINAL ",p=AAAA", SCRAM_SYNTAX },
	{ FINAL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ", SCRAM_SYNTAX },
	{ FINAL PROOF ",x=1", SCRAM_SYNTAX },
	{ "r=rOprNGfwEbeRWgbNEkqO" OURS ",c=biws" PROOF, SCRAM_SYNTAX },
	{ PROOF, SCRAM_SYNTAX },
	{ "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_SYNTAX },
	{ "", SCRAM_SYNTAX },
};
/* clang-format on */

static void
test_firsts(void)
{
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		enum scram_status status = scram_begin(&s, firsts[i].plus,
		    firsts[i].tls ? &both : &none, slice_of(firsts[i].message));

		ok(status == firsts[i].want && (status != SCRAM_OK ||
		    strcmp(s.name, firsts[i].name) == 0), "first %s (%s)",
		    firsts[i].message, status == SCRAM_OK ? "ok" : s.why);
	}
}

static void
test_finals(void)
{
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		char out[SCRAM_SERVER_MAX] = "42";
		enum scram_status status;

		if (scram_begin(&s, false, &none, SLICE(FIRST)) != SCRAM_OK)
			ok(false, "begin");
		ok(slice_eq(scram_challenge(&s, &keys, OURS), SLICE(SERVER)),
		    "server-first");
		status = scram_finish(&s, slice_of(finals[i].message), out);
		ok(status == finals[i].want && strcmp(out,
		    status == SCRAM_OK ? SIGNATURE : "42") == 0,
		    "final %s", finals[i].message);
	}
}

/* The proof of a client that knows pencil, for any messages. */
static void
prove(const char *bare, const char *without, char *out, size_t cap)
{
	static const unsigned char salt[] = { 0x5b, 0x6d, 0x99, 0x68, 0x9d,
		0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa,
		0x81 };
	uint8_t salted[32], client[32], stored[32], signature[32];
	char message[1024], text[64];

	PKCS5_PBKDF2_HMAC("pencil", 6, salt, sizeof(salt), 4096, EVP_sha256(),
	    32, salted);
	HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Client Key", 10,
	    client, NULL);
	EVP_Digest(client, 32, stored, NULL, EVP_sha256(), NULL);
	snprintf(message, sizeof(message), "%s,%.*s,%s", bare,
	    (int)s.server_len, s.server, without);
	HMAC(EVP_sha256(), stored, 32, (unsigned char *)message,
	    strlen(message), signature, NULL);
	for (int i = 0; i < 32; i++)
		client[i] ^= signature[i];
	base64_encode(slice_make(client, 32), text);
	snprintf(out, cap, "%s,p=%s", without, text);
}

/* A whole exchange with a binding that the client sees as seen. */
static enum scram_status
bound(const char *type, const char *seen)
{
	static const char bare[] = "n=user,r=abc";
	char first[256], header[256], c[512], without[700], final[900];
	char out[SCRAM_SERVER_MAX];

	snprintf(first, sizeof(first), "p=%s,,%s", type, bare);
	if (scram_begin(&s, true, &both, slice_of(first)) != SCRAM_OK)
		return SCRAM_SYNTAX;
	(void)scram_challenge(&s, &keys, "123");
	snprintf(header, sizeof(header), "p=%s,,%s", type, seen);
	base64_encode(slice_of(header), c);
	snprintf(without, sizeof(without), "c=%s,r=abc123", c);
	prove(bare, without, final, sizeof(final));
	return scram_finish(&s, slice_of(final), out);
}

static void
test_binding(void)
{
	ok(bound("tls-exporter", "exporterexporterexporterexporter") ==
	    SCRAM_OK, "tls-exporter");
	ok(bound("tls-server-end-point", "endpoint") == SCRAM_OK,
	    "tls-server-end-point");
	ok(bound("tls-exporter", "exporterexporterexporterexporteX") ==
	    SCRAM_REFUSED, "somebody is between: another exporter");
	ok(bound("tls-exporter", "") == SCRAM_REFUSED, "no exporter");
	ok(bound("tls-server-end-point",
	    "exporterexporterexporterexporter") == SCRAM_REFUSED,
	    "the other binding's bytes");
}

static void
put(char *out, struct slice text)
{
	memcpy(out, text.p, text.len);
}

static void
test_limits(void)
{
	char message[SCRAM_FIRST_MAX + 2], out[SCRAM_SERVER_MAX];

	memset(message, 'a', sizeof(message));
	ok(scram_begin(&s, false, &none, slice_make(message,
	    SCRAM_FIRST_MAX + 1)) == SCRAM_SYNTAX, "too long a first");
	put(message, SLICE("n,,n="));
	ok(scram_begin(&s, false, &none, slice_make(message,
	    SCRAM_FIRST_MAX)) == SCRAM_SYNTAX, "too long a name");
	put(message, SLICE("n,,n=u,r="));
	ok(scram_begin(&s, false, &none, slice_make(message,
	    9 + SCRAM_NONCE_MAX + 1)) == SCRAM_SYNTAX, "too long a nonce");
	ok(scram_begin(&s, false, &none, slice_make(message,
	    9 + SCRAM_NONCE_MAX)) == SCRAM_OK, "the longest nonce");
	keys.salt_len = SCRAM_SALT_MAX;
	keys.iterations = SCRAM_ITERATIONS_MAX;
	ok(scram_challenge(&s, &keys,
	    "12345678901234567890123456789012").len < SCRAM_SERVER_MAX,
	    "the longest challenge fits");
	ok(scram_begin(&s, false, &none, SLICE("n,,n=a\0b,r=abc")) ==
	    SCRAM_SYNTAX, "a NUL in a name");
	ok(scram_begin(&s, false, &none, SLICE(FIRST)) == SCRAM_OK &&
	    scram_challenge(&s, &keys, "1").len > 0 &&
	    scram_finish(&s, slice_make(message, SCRAM_FIRST_MAX), out) ==
	    SCRAM_SYNTAX, "a long final");
}

int
main(void)
{
	ok(scram_keys_parse(SLICE(KEYS), &keys) == 0, "keys");
	test_firsts();
	test_finals();
	test_binding();
	test_limits();
	return done();
}
