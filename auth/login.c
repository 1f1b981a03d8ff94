/* login.c - the SASL exchanges of malle-authd: PLAIN and SCRAM. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "auth/authd.h"
#include "auth/saslprep.h"
#include "lib/base64.h"
#include "lib/log.h"
#include "lib/proto_spawn.h"

static const struct {
	const char *name;
	enum mechanism mechanism;
} mechanisms[] = {
	{ "PLAIN", MECHANISM_PLAIN },
	{ "SCRAM-SHA-256", MECHANISM_SCRAM },
	{ "SCRAM-SHA-256-PLUS", MECHANISM_SCRAM_PLUS },
};

/* A message that no session of ours sends: that connection ends, no other. */
static void
bad_peer(struct login *l, const char *what)
{
	log_notice(NULL, "bad-peer", "peer=session reason=%s", what);
	l->state = LOGIN_DONE;
}

/* RFC 4616: [authzid] NUL authcid NUL passwd. */
static int
split_plain(struct slice message, struct slice *authzid, struct slice *authcid,
    struct slice *password)
{
	struct slice rest = message;

	*authzid = slice_cut(&rest, '\0');
	if (rest.p == NULL)
		return -1;
	*authcid = slice_cut(&rest, '\0');
	if (rest.p == NULL)
		return -1;
	*password = rest;
	return authcid->len > 0 && password->len > 0 &&
	    password->len <= PASSWORD_MAX &&
	    memchr(password->p, '\0', password->len) == NULL ? 0 : -1;
}

/*
 * True when authzid is nobody else than who logs in. Whether there is such an
 * account does not matter here: answered before its password is looked at, it
 * would tell which names exist.
 */
static bool
is_self(struct authd *a, struct slice authzid, struct slice authcid)
{
	struct credentials one, other;

	if (authzid.len == 0 || slice_eq(authzid, authcid))
		return true;
	(void)accounts_find(&a->accounts, authzid, &one);
	(void)accounts_find(&a->accounts, authcid, &other);
	return one.address[0] != '\0' && strcmp(one.address, other.address) == 0;
}

static void
plain_message(struct authd *a, struct login *l, struct slice message)
{
	struct slice authzid, authcid, password;

	if (split_plain(message, &authzid, &authcid, &password) == -1 ||
	    !utf8_is_valid(authcid) ||
	    slice_to_cstr(authcid, l->name, sizeof(l->name)) == -1) {
		verdict_other(a, l, AUTH_SYNTAX, "syntax");
		return;
	}
	if (!is_self(a, authzid, authcid)) {
		verdict_other(a, l, AUTH_BAD, "other-authzid");
		return;
	}
	check_password(a, l, password);
}

static void
scram_error(struct authd *a, struct login *l, enum scram_status status)
{
	verdict_other(a, l, status == SCRAM_SYNTAX ? AUTH_SYNTAX : AUTH_BAD,
	    l->scram->why);
}

/* client-first: the salt of an account that does not exist looks like any. */
static void
scram_first(struct authd *a, struct login *l, struct slice message)
{
	struct scram_binding binding = {
		slice_make(l->exporter, l->exporter_len),
		slice_make(l->endpoint, l->endpoint_len)
	};
	char nonce[SCRAM_OWN_NONCE + 1];
	uint8_t random[SCRAM_OWN_NONCE / 4 * 3];
	enum scram_status status;
	enum account_found found;
	struct scram_keys keys;

	if ((l->scram = malloc(sizeof(*l->scram))) == NULL ||
	    RAND_bytes(random, sizeof(random)) != 1) {
		verdict_other(a, l, AUTH_TEMPORARY, "out-of-memory");
		return;
	}
	status = scram_begin(l->scram, l->mechanism == MECHANISM_SCRAM_PLUS,
	    &binding, message);
	snprintf(l->name, sizeof(l->name), "%s", l->scram->name);
	if (status != SCRAM_OK) {
		scram_error(a, l, status);
		return;
	}
	if (!is_self(a, slice_of(l->scram->authzid), slice_of(l->name))) {
		verdict_other(a, l, AUTH_BAD, "other-authzid");
		return;
	}
	found = accounts_find(&a->accounts, slice_of(l->name), &l->who);
	if (found == ACCOUNT_UNREADABLE) {
		verdict_other(a, l, AUTH_TEMPORARY, "unreadable-table");
		return;
	}
	l->exists = found == ACCOUNT_FOUND;
	if (l->exists && l->who.has_scram)
		keys = l->who.scram;
	else
		accounts_fake_keys(&a->accounts,
		    slice_of(l->who.address[0] != '\0' ? l->who.address :
		    l->name), &keys);
	base64_encode(slice_make(random, sizeof(random)), nonce);
	verdict_continue(a, l, scram_challenge(l->scram, &keys, nonce),
	    LOGIN_PROOF);
	explicit_bzero(&keys, sizeof(keys));
}

static const char *
scram_why(const struct login *l)
{
	if (!l->exists)
		return "unknown-account";
	return l->who.has_scram ? l->scram->why : "no-scram-keys";
}

static void
scram_final(struct authd *a, struct login *l, struct slice message)
{
	char server_final[SCRAM_SERVER_MAX];
	enum scram_status status;

	l->looked = a->now;
	if (!throttle_begin(&a->throttle, &l->guess, &l->ip,
	    slice_of(l->who.address[0] != '\0' ? l->who.address : l->name),
	    l->exists, a->now)) {
		verdict_too_many(a, l);
		return;
	}
	status = scram_finish(l->scram, message, server_final);
	if (status == SCRAM_SYNTAX)
		scram_error(a, l, status);
	else if (status == SCRAM_REFUSED || !l->exists || !l->who.has_scram)
		verdict_wrong(a, l, scram_why(l));
	else
		verdict_continue(a, l, slice_of(server_final), LOGIN_LAST);
}

static void
client_message(struct authd *a, struct login *l, struct slice message)
{
	switch (l->state) {
	case LOGIN_RESPONSE:
		if (l->mechanism == MECHANISM_PLAIN)
			plain_message(a, l, message);
		else
			scram_first(a, l, message);
		break;
	case LOGIN_PROOF:
		scram_final(a, l, message);
		break;
	case LOGIN_LAST:
		if (message.len == 0)
			verdict_right(a, l);
		else
			verdict_other(a, l, AUTH_SYNTAX, "syntax");
		break;
	default:
		bad_peer(l, "message-out-of-order");
	}
}

static int
keep_leftover(struct login *l, struct slice bytes)
{
	char *copy;

	if (l->leftover_len > 0)
		explicit_bzero(l->leftover, l->leftover_len);
	free(l->leftover);
	l->leftover = NULL;
	l->leftover_len = 0;
	if (bytes.len == 0)
		return 0;
	if ((copy = malloc(bytes.len)) == NULL)
		return -1;
	memcpy(copy, bytes.p, bytes.len);
	l->leftover = copy;
	l->leftover_len = bytes.len;
	return 0;
}

static int
find_mechanism(const char *name, enum mechanism *out)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (strcasecmp(name, mechanisms[i].name) == 0) {
			*out = mechanisms[i].mechanism;
			return 0;
		}
	return -1;
}

/* The facts of AUTH_START. 0, or -1: no session of ours says such a thing. */
static int
take_start(struct login *l, const struct auth_start *s)
{
	if (ip_parse(slice_of(s->client), &l->ip) == -1 ||
	    s->tls_endpoint.len > sizeof(l->endpoint) ||
	    s->tls_exporter.len > sizeof(l->exporter) ||
	    keep_leftover(l, s->leftover) == -1)
		return -1;
	ip_text(&l->ip, l->client);
	l->service = s->service;
	l->tls = s->tls;
	l->utf8 = s->utf8;
	snprintf(l->session, sizeof(l->session), "%s", s->session);
	memcpy(l->exporter, s->tls_exporter.p, s->tls_exporter.len);
	memcpy(l->endpoint, s->tls_endpoint.p, s->tls_endpoint.len);
	l->exporter_len = s->tls_exporter.len;
	l->endpoint_len = s->tls_endpoint.len;
	return 0;
}

static void
start(struct authd *a, struct login *l, struct ipc_msg *m)
{
	struct auth_start s;

	if (auth_start_unpack(&m->body, &s) == -1 || take_start(l, &s) == -1) {
		bad_peer(l, "bad-start");
		return;
	}
	l->client_fd = ipc_take_fd(m, 0);
	l->due = a->now + EXCHANGE_TIME;
	l->state = LOGIN_RESPONSE;
	if (find_mechanism(s.mechanism, &l->mechanism) == -1)
		verdict_other(a, l, AUTH_NO_MECHANISM, "mechanism");
	else if (!l->tls && !(a->clear_on_loopback && ip_is_loopback(&l->ip)))
		verdict_other(a, l, AUTH_NO_MECHANISM, "no-tls");
	else if (l->service == AUTH_POP3 && l->client_fd == -1)
		bad_peer(l, "no-client");
	else if (s.has_initial)
		client_message(a, l, s.initial);
	else
		verdict_continue(a, l, SLICE_EMPTY, LOGIN_RESPONSE);
}

void
login_message(struct authd *a, struct login *l, struct ipc_msg *m)
{
	struct slice response, leftover;

	if (l->state == LOGIN_NEW && m->type == AUTH_START) {
		start(a, l, m);
		return;
	}
	if (m->type != AUTH_RESPONSE) {
		bad_peer(l, "unknown-message");
		return;
	}
	response = unpack_bytes(&m->body, AUTH_MESSAGE_MAX);
	leftover = unpack_bytes(&m->body, SPAWN_LEFTOVER_MAX);
	if (!unpack_end(&m->body) || keep_leftover(l, leftover) == -1)
		bad_peer(l, "bad-response");
	else
		client_message(a, l, response);
}
