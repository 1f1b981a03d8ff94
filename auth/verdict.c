/* verdict.c - what becomes of a login: answers, the log, who else is told. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "auth/authd.h"
#include "lib/log.h"
#include "lib/proto_registry.h"
#include "lib/proto_spawn.h"

#define TELL_INTERVAL 60000	/* ms between two notes of one account's login */

static const char *
text_of(enum auth_reason reason)
{
	switch (reason) {
	case AUTH_BAD:
		return "wrong name or password";
	case AUTH_TEMPORARY:
		return "the password cannot be checked now, "
		    "please try again later";
	case AUTH_SYNTAX:
		return "not a message of this mechanism";
	case AUTH_NO_MECHANISM:
		return "this mechanism is not possible here";
	}
	return "";
}

static const char *
mechanism_name(const struct login *l)
{
	switch (l->mechanism) {
	case MECHANISM_PLAIN:
		return "PLAIN";
	case MECHANISM_SCRAM:
		return "SCRAM-SHA-256";
	case MECHANISM_SCRAM_PLUS:
		return "SCRAM-SHA-256-PLUS";
	}
	return "";
}

/* " app=NAME", or nothing: it was the main password. */
#define APP_TEXT_MAX (4 * APP_NAME_MAX + 16)
static const char *
app_text(const struct login *l, char *out)
{
	*out = '\0';
	if (l->app.name[0] != '\0')
		snprintf(out, APP_TEXT_MAX, " app=%s", LOGS(l->app.name));
	return out;
}

static const char *
service_name(const struct login *l)
{
	return l->service == AUTH_POP3 ? "pop3" : "smtp";
}

/* One line that fail2ban reads: client first, then what a stranger chose. */
static void
log_failure(const struct login *l, const char *why)
{
	char app[APP_TEXT_MAX];

	log_notice(NULL, "auth-failed",
	    "client=%s account=%s service=%s%s mechanism=%s reason=%s tls=%s "
	    "session=%s", l->client, LOGS(l->name), service_name(l),
	    app_text(l, app), mechanism_name(l), why, l->tls ? "yes" : "no",
	    LOGS(l->session));
}

static void
answer(struct login *l, uint16_t type, struct packer *body)
{
	/* A session that is gone or does not read loses its answer. */
	if (ipc_send(l->fd, type, body, NULL, 0) == -1 && errno != EPIPE)
		log_debug(NULL, "answer-lost", "error=%s", strerror(errno));
}

static void
answer_no(struct authd *a, struct login *l, enum auth_reason reason,
    const char *text)
{
	struct packer k;

	pack_init(&k, a->answer, sizeof(a->answer));
	pack_u8(&k, (uint8_t)reason);
	pack_bytes(&k, slice_of(text));
	answer(l, AUTH_NO, &k);
	l->state = LOGIN_DONE;
}

void
verdict_continue(struct authd *a, struct login *l, struct slice challenge,
    enum login_state state)
{
	struct packer k;

	pack_init(&k, a->answer, sizeof(a->answer));
	pack_bytes(&k, challenge);
	answer(l, AUTH_CONTINUE, &k);
	l->state = state;
}

/* A service that ends does not let anybody wait. */
static void
delay(const struct authd *a, struct login *l, int64_t due)
{
	l->state = LOGIN_DELAYED;
	l->due = a->is_ending ? a->now : due;
}

void
verdict_other(struct authd *a, struct login *l, enum auth_reason reason,
    const char *why)
{
	throttle_undone(&a->throttle, &l->guess);
	if (reason == AUTH_TEMPORARY)
		log_error(NULL, "auth-error", "client=%s account=%s reason=%s",
		    l->client, LOGS(l->name), why);
	else
		log_failure(l, why);
	if (reason == AUTH_BAD)
		delay(a, l, a->now + THROTTLE_DELAY_MIN);
	else
		answer_no(a, l, reason, text_of(reason));
}

void
verdict_wrong(struct authd *a, struct login *l, const char *why)
{
	log_failure(l, why);
	delay(a, l, l->looked +
	    throttle_wrong(&a->throttle, &l->guess, a->now));
}

void
verdict_due(struct authd *a, struct login *l)
{
	answer_no(a, l, AUTH_BAD, text_of(AUTH_BAD));
}

void
verdict_too_many(struct authd *a, struct login *l)
{
	log_failure(l, "too-many");
	answer_no(a, l, AUTH_TEMPORARY,
	    "too many failed attempts, please wait some minutes");
}

/* REG_REQUEST on the pair, one way. What does not fit now is dropped. */
static void
tell(struct authd *a, const struct registry_fields *f)
{
	struct packer k;

	if (a->registry_fd == -1)
		return;
	pack_init(&k, a->answer, sizeof(a->answer));
	pack_u16(&k, REGISTRY_PROTOCOL);
	pack_bytes(&k, SLICE(PASSWORD_LOGIN_OPERATION));
	registry_fields_pack(&k, f);
	if (ipc_send(a->registry_fd, REG_REQUEST, &k, NULL, 0) == -1)
		log_debug(NULL, "registry-not-told", "error=%s",
		    strerror(errno));
	explicit_bzero(a->answer, k.len);
}

static void
add_time(struct registry_fields *f, char *text, size_t cap)
{
	snprintf(text, cap, "%" PRId64, (int64_t)time(NULL));
	(void)registry_add(f, "time", slice_of(text));
}

void
tell_upgrade(struct authd *a, const char *address, const struct job *job)
{
	struct registry_fields f = { .n = 0 };
	char when[24], scram[SCRAM_TEXT_MAX];

	if (!job->made && !job->has_scram)
		return;
	(void)registry_add(&f, "address", slice_of(address));
	add_time(&f, when, sizeof(when));
	(void)registry_add(&f, "old", slice_of(job->hash));
	(void)registry_add(&f, "hash", slice_of(job->made ? job->new_hash :
	    job->hash));
	if (job->has_scram)
		(void)registry_add(&f, "scram",
		    slice_of(scram_keys_text(&job->scram, scram)));
	tell(a, &f);
	explicit_bzero(scram, sizeof(scram));
	log_info(NULL, "password-upgraded", "account=%s hash=%s scram=%s",
	    LOGS(address), job->made ? "new" : "kept",
	    job->has_scram ? "new" : "kept");
}

/* When an account has last logged in, and with which application password;
 * of each once a minute at most. */
static void
tell_login(struct authd *a, const struct login *l)
{
	struct registry_fields f = { .n = 0 };
	struct slice address = slice_of(l->who.address);
	struct slice parts[2] = { address, slice_of(l->app.name) };
	struct memory_key key;
	struct told *t;
	char when[24];

	memory_digest(a->secret, 't', parts, parts[1].len > 0 ? 2 : 1, &key);
	t = memory_get(a->told, &key);
	if (t->login != 0 && a->now - t->login < TELL_INTERVAL)
		return;
	t->login = a->now;
	(void)registry_add(&f, "address", address);
	add_time(&f, when, sizeof(when));
	if (l->app.name[0] != '\0')
		(void)registry_add(&f, "app", slice_of(l->app.name));
	tell(a, &f);
}

/* A word for the log, or NULL when this account may use the service. */
static const char *
why_not(const struct login *l)
{
	switch (l->who.state) {
	case ACCOUNT_ACTIVE:
		break;
	case ACCOUNT_SUSPENDED:
		return "suspended";
	case ACCOUNT_DISABLED:
		return "disabled";
	}
	if (!(l->service == AUTH_POP3 ? l->who.may_pop3 : l->who.may_smtp))
		return "service-not-allowed";
	if (l->app.name[0] == '\0')
		return NULL;
	if (!(l->service == AUTH_POP3 ? l->app.pop3 : l->app.smtp))
		return "app-service";
	return l->app.until != 0 && l->app.until < time(NULL) ?
	    "app-expired" : NULL;
}

/* malle-spawn takes both descriptors over and answers in our place. */
static int
spawn_pop3(struct authd *a, const struct login *l)
{
	const int fds[2] = { l->client_fd, l->fd };
	struct spawn_pop3 s = { .uid = (uint32_t)l->who.uid, .utf8 = l->utf8 };
	struct packer k;

	if (a->spawn_fd == -1)
		return -1;
	memcpy(s.domain, l->who.domain, sizeof(s.domain));
	memcpy(s.mailbox, l->who.local, sizeof(s.mailbox));
	memcpy(s.folder, l->who.folder, sizeof(s.folder));
	memcpy(s.session, l->session, sizeof(s.session));
	memcpy(s.client, l->client, sizeof(s.client));
	s.leftover = slice_make(l->leftover != NULL ? l->leftover : "",
	    l->leftover_len);
	pack_init(&k, a->answer, sizeof(a->answer));
	spawn_pop3_pack(&k, &s);
	return ipc_send(a->spawn_fd, SPAWN_POP3, &k, fds, 2);
}

static void
answer_ok(struct authd *a, struct login *l)
{
	struct packer k;

	pack_init(&k, a->answer, sizeof(a->answer));
	pack_bytes(&k, slice_of(l->who.address));
	answer(l, AUTH_OK, &k);
	l->state = LOGIN_DONE;
}

void
verdict_right(struct authd *a, struct login *l)
{
	const char *why = why_not(l);
	char app[APP_TEXT_MAX];

	if (why != NULL) {
		verdict_other(a, l, AUTH_BAD, why);
		return;
	}
	throttle_right(&a->throttle, &l->guess);
	if (l->service == AUTH_POP3 && spawn_pop3(a, l) == -1) {
		verdict_other(a, l, AUTH_TEMPORARY, "malle-spawn-busy");
		return;
	}
	log_info(NULL, "auth-ok",
	    "client=%s account=%s service=%s%s mechanism=%s tls=%s session=%s",
	    l->client, LOGS(l->who.address), service_name(l),
	    app_text(l, app), mechanism_name(l), l->tls ? "yes" : "no",
	    LOGS(l->session));
	tell_login(a, l);
	if (l->service == AUTH_SMTP)
		answer_ok(a, l);
	l->state = LOGIN_DONE;
}
