/* scram.c - the server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS. */
/* SPDX-License-Identifier: ISC */

#include "auth/scram.h"

#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/saslprep.h"
#include "lib/base64.h"

/* The gs2 header and the binding's bytes, in base64. */
#define BOUND_MAX (SCRAM_FIRST_MAX + SCRAM_BINDING_MAX)

static enum scram_status
fail(struct scram *s, enum scram_status status, const char *why)
{
	s->why = why;
	return status;
}

/* The next comma-separated part of *rest, without its "x=". A NULL pointer
 * when it is another one or there is none. */
static struct slice
attribute(struct slice *rest, char letter)
{
	struct slice part = { NULL, 0 };

	if (rest->p == NULL || rest->len < 2 || rest->p[0] != letter ||
	    rest->p[1] != '=')
		return part;
	part = slice_cut(rest, ',');
	return slice_skip(part, 2);
}

/* saslname (RFC 5802 section 7): UTF-8, with =2C for a comma, =3D for '='. */
static int
decode_name(struct slice s, char *out)
{
	size_t len = 0;

	if (s.len == 0 || !utf8_is_valid(s))
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '=') {
			if (s.len - i < 3)
				return -1;
			if (memcmp(s.p + i, "=2C", 3) == 0)
				c = ',';
			else if (memcmp(s.p + i, "=3D", 3) != 0)
				return -1;
			i += 2;
		}
		if (len == SCRAM_NAME_MAX)
			return -1;
		out[len++] = c;
	}
	out[len] = '\0';
	return 0;
}

/* "p=name": the client binds to the channel with this binding. */
static enum scram_status
choose_binding(struct scram *s, struct slice name,
    const struct scram_binding *b)
{
	struct slice bytes = SLICE_EMPTY;

	if (!s->plus)
		return fail(s, SCRAM_SYNTAX, "binding-without-plus");
	if (slice_eq(name, SLICE("tls-exporter")))
		bytes = b->exporter;
	else if (slice_eq(name, SLICE("tls-server-end-point")))
		bytes = b->endpoint;
	if (bytes.len == 0 || bytes.len > sizeof(s->binding))
		return fail(s, SCRAM_REFUSED, "binding-not-supported");
	memcpy(s->binding, bytes.p, bytes.len);
	s->binding_len = bytes.len;
	return SCRAM_OK;
}

/* gs2-cbind-flag (RFC 5802 section 7): what the client thinks of bindings. */
static enum scram_status
read_flag(struct scram *s, struct slice flag, const struct scram_binding *b)
{
	if (flag.len > 2 && memcmp(flag.p, "p=", 2) == 0)
		return choose_binding(s, slice_skip(flag, 2), b);
	if (s->plus)
		return fail(s, SCRAM_SYNTAX, "plus-without-binding");
	if (slice_eq(flag, SLICE("n")))
		return SCRAM_OK;
	if (!slice_eq(flag, SLICE("y")))
		return fail(s, SCRAM_SYNTAX, "bad-flag");
	/*
	 * "y": the client could bind and has not seen us offer it. When we do
	 * offer it, somebody between has cut it out (RFC 5802 section 6).
	 */
	if (b->exporter.len > 0 || b->endpoint.len > 0)
		return fail(s, SCRAM_REFUSED, "downgrade");
	return SCRAM_OK;
}

static bool
is_nonce(struct slice s)
{
	if (s.len == 0 || s.len > SCRAM_NONCE_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return true;
}

/* client-first-message-bare: "n=name,r=nonce[,extensions]". */
static enum scram_status
read_bare(struct scram *s)
{
	struct slice rest = s->bare, name, nonce;

	if (rest.len >= 2 && rest.p[0] == 'm')
		return fail(s, SCRAM_SYNTAX, "unknown-extension");
	name = attribute(&rest, 'n');
	if (name.p == NULL || decode_name(name, s->name) == -1)
		return fail(s, SCRAM_SYNTAX, "bad-name");
	nonce = attribute(&rest, 'r');
	if (nonce.p == NULL || !is_nonce(nonce) ||
	    slice_to_cstr(nonce, s->nonce, sizeof(s->nonce)) == -1)
		return fail(s, SCRAM_SYNTAX, "bad-nonce");
	return SCRAM_OK;
}

enum scram_status
scram_begin(struct scram *s, bool plus, const struct scram_binding *binding,
    struct slice message)
{
	struct slice rest, flag, authzid;
	enum scram_status status;

	memset(s, 0, sizeof(*s));
	s->plus = plus;
	if (message.len == 0 || message.len > sizeof(s->first))
		return fail(s, SCRAM_SYNTAX, "bad-length");
	memcpy(s->first, message.p, message.len);
	rest = slice_make(s->first, message.len);
	flag = slice_cut(&rest, ',');
	if ((status = read_flag(s, flag, binding)) != SCRAM_OK)
		return status;
	if (rest.p == NULL)
		return fail(s, SCRAM_SYNTAX, "bad-header");
	authzid = slice_cut(&rest, ',');
	if (rest.p == NULL)
		return fail(s, SCRAM_SYNTAX, "bad-header");
	if (authzid.len > 0 && (authzid.len < 2 ||
	    memcmp(authzid.p, "a=", 2) != 0 ||
	    decode_name(slice_skip(authzid, 2), s->authzid) == -1))
		return fail(s, SCRAM_SYNTAX, "bad-authzid");
	s->bare = rest;
	s->gs2 = slice_make(s->first, (size_t)(rest.p - s->first));
	return read_bare(s);
}

struct slice
scram_challenge(struct scram *s, const struct scram_keys *keys,
    const char *nonce)
{
	char salt[BASE64_LEN(SCRAM_SALT_MAX) + 1];
	size_t len = strlen(s->nonce);
	int n;

	s->keys = *keys;
	snprintf(s->nonce + len, sizeof(s->nonce) - len, "%.*s",
	    SCRAM_OWN_NONCE, nonce);
	base64_encode(slice_make(keys->salt, keys->salt_len), salt);
	n = snprintf(s->server, sizeof(s->server), "r=%s,s=%s,i=%u", s->nonce,
	    salt, keys->iterations);
	s->server_len = (size_t)n;
	return slice_make(s->server, s->server_len);
}

/* True when c= holds the header as it came and the binding as we see it. */
static bool
is_bound(const struct scram *s, struct slice c)
{
	char want[BOUND_MAX], text[BASE64_LEN(BOUND_MAX) + 1];
	size_t len = s->gs2.len + s->binding_len;

	memcpy(want, s->gs2.p, s->gs2.len);
	memcpy(want + s->gs2.len, s->binding, s->binding_len);
	len = base64_encode(slice_make(want, len), text);
	return c.len == len && CRYPTO_memcmp(c.p, text, len) == 0;
}

/* AuthMessage (RFC 5802 section 3). Its longest fits. */
static struct slice
auth_message(const struct scram *s, struct slice without_proof, char *out)
{
	size_t len = 0;

	memcpy(out, s->bare.p, s->bare.len);
	len += s->bare.len;
	out[len++] = ',';
	memcpy(out + len, s->server, s->server_len);
	len += s->server_len;
	out[len++] = ',';
	memcpy(out + len, without_proof.p, without_proof.len);
	return slice_make(out, len + without_proof.len);
}

static bool
sign(const uint8_t *key, struct slice message, uint8_t out[SCRAM_KEY])
{
	return HMAC(EVP_sha256(), key, SCRAM_KEY,
	    (const unsigned char *)message.p, message.len, out, NULL) != NULL;
}

/* StoredKey = H(ClientProof XOR HMAC(StoredKey, AuthMessage))? */
static bool
is_proof(const struct scram *s, struct slice message, const uint8_t *proof)
{
	uint8_t key[SCRAM_KEY], hash[SCRAM_KEY];
	bool right;

	if (!sign(s->keys.stored, message, key))
		return false;
	for (size_t i = 0; i < SCRAM_KEY; i++)
		key[i] ^= proof[i];
	right = EVP_Digest(key, sizeof(key), hash, NULL, EVP_sha256(),
	    NULL) == 1 && CRYPTO_memcmp(hash, s->keys.stored, SCRAM_KEY) == 0;
	explicit_bzero(key, sizeof(key));
	return right;
}

/* Cuts ",p=proof" off the end of *message. */
static int
cut_proof(struct slice *message, uint8_t proof[SCRAM_KEY])
{
	const char *p = memrchr(message->p, ',', message->len);
	struct slice last;

	if (p == NULL)
		return -1;
	last = slice_skip(*message, (size_t)(p - message->p) + 1);
	if (last.len < 2 || memcmp(last.p, "p=", 2) != 0 ||
	    base64_decode(slice_skip(last, 2), proof, SCRAM_KEY) != SCRAM_KEY)
		return -1;
	message->len = (size_t)(p - message->p);
	return 0;
}

enum scram_status
scram_finish(struct scram *s, struct slice message, char *out)
{
	char whole[SCRAM_FIRST_MAX + SCRAM_SERVER_MAX + SCRAM_FINAL_MAX + 2];
	char text[BASE64_LEN(SCRAM_KEY) + 1];
	uint8_t proof[SCRAM_KEY], signature[SCRAM_KEY];
	struct slice rest, bound, nonce;

	if (message.len == 0 || message.len > SCRAM_FINAL_MAX)
		return fail(s, SCRAM_SYNTAX, "bad-length");
	if (cut_proof(&message, proof) == -1)
		return fail(s, SCRAM_SYNTAX, "bad-proof-text");
	rest = message;
	bound = attribute(&rest, 'c');
	nonce = attribute(&rest, 'r');
	if (bound.p == NULL || nonce.p == NULL)
		return fail(s, SCRAM_SYNTAX, "bad-final");
	if (!is_bound(s, bound))
		return fail(s, SCRAM_REFUSED, "wrong-binding");
	if (!slice_eq(nonce, slice_of(s->nonce)))
		return fail(s, SCRAM_REFUSED, "wrong-nonce");
	message = auth_message(s, message, whole);
	if (!is_proof(s, message, proof) ||
	    !sign(s->keys.server, message, signature))
		return fail(s, SCRAM_REFUSED, "wrong-password");
	base64_encode(slice_make(signature, SCRAM_KEY), text);
	snprintf(out, SCRAM_SERVER_MAX, "v=%s", text);
	return SCRAM_OK;
}
