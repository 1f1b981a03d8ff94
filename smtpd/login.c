/* login.c - AUTH: base64 and lines here, the mechanism in malle-authd. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base64.h"
#include "lib/log.h"
#include "lib/proto_auth.h"
#include "smtpd/session.h"

/*
 * Trusts: malle-authd says who has logged in; its answers are bounded by
 * proto_auth. Nothing of a password is kept, nor written anywhere.
 * Limits: a line of BUF_IN bytes, LOGINS_MAX failures a session.
 */

#define LOGINS_MAX 5
#define LOGIN_TIMEOUT 120	/* malle-authd slows guessing down */
#define PART_MAX 512		/* a name or a password of LOGIN */

/* Room for one exchange, there only while it lasts. */
struct exchange {
	char space[IPC_MAX];
	char raw[BUF_IN];	/* a decoded response */
	struct slice response;
	bool given_up;		/* malle-authd has not waited for it */
};

enum line_result {
	GOT_RESPONSE, GOT_CANCEL, GOT_NONSENSE, GOT_TOO_LONG, GOT_END
};

/* clang-format off */
static const struct {
	const char *name;
	bool needs_binding;
} mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", true },
	{ "SCRAM-SHA-256", false },
	{ "PLAIN", false },
	{ "LOGIN", false },
};
/* clang-format on */

/* Is there something of the TLS connection that a login can be bound to? */
static bool
has_binding(const struct session *s)
{
	return s->has_tls &&
	    (s->tls.exporter_len > 0 || s->tls.endpoint_len > 0);
}

const char *
login_mechanisms(const struct session *s)
{
	if (!session_may_auth(s))
		return "";
	return has_binding(s) ? "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" :
	    "SCRAM-SHA-256 PLAIN LOGIN";
}

static bool
is_offered(const struct session *s, const char *name)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (strcmp(mechanisms[i].name, name) == 0)
			return has_binding(s) || !mechanisms[i].needs_binding;
	return false;
}

static enum line_result
decode(struct exchange *x, struct slice line)
{
	ssize_t n = base64_decode(line, x->raw, sizeof(x->raw));

	if (n == -1)
		return GOT_NONSENSE;
	x->response = slice_make(x->raw, (size_t)n);
	return GOT_RESPONSE;
}

/* Sends a challenge in base64 and reads the client's line. */
static enum line_result
ask(struct session *s, struct exchange *x, struct slice challenge)
{
	char text[BASE64_LEN(4096) + 1];
	enum line_result result;
	struct slice line;

	if (challenge.len > 4096)
		return GOT_END;
	base64_encode(challenge, text);
	buf_printf(&s->io, "334 ");
	buf_puts(&s->io, text);
	buf_puts(&s->io, "\r\n");
	session_deadline(s, s->conf->smtp_timeout);
	switch (buf_getline(&s->io, BUF_IN, &line)) {
	case BUF_LINE:
		break;
	case BUF_TOO_LONG:
		return GOT_TOO_LONG;
	case BUF_BARE:
		return GOT_NONSENSE;
	case BUF_EOF:
	case BUF_TIMEOUT:
	case BUF_ERROR:
		return GOT_END;
	}
	if (slice_eq(line, SLICE("*")))
		return GOT_CANCEL;
	result = decode(x, line);
	/* The line stays in the buffer behind us. */
	explicit_bzero(s->io.in, (size_t)(line.p + line.len - s->io.in));
	return result;
}

/* LOGIN asks for name and password one by one: made into PLAIN (RFC 4616). */
static enum line_result
ask_login(struct session *s, struct exchange *x, bool has_name)
{
	char plain[2 * PART_MAX + 2];
	size_t len = 0;
	enum line_result r = GOT_RESPONSE;

	plain[len++] = '\0';
	for (int part = 0; part < 2 && r == GOT_RESPONSE; part++) {
		if (part == 1 || !has_name)
			r = ask(s, x, part == 0 ? SLICE("Username:") :
			    SLICE("Password:"));
		if (r == GOT_RESPONSE && (x->response.len > PART_MAX ||
		    memchr(x->response.p, '\0', x->response.len) != NULL))
			r = GOT_NONSENSE;
		if (r != GOT_RESPONSE)
			break;
		memcpy(plain + len, x->response.p, x->response.len);
		len += x->response.len;
		if (part == 0)
			plain[len++] = '\0';
	}
	if (r == GOT_RESPONSE) {
		memcpy(x->raw, plain, len);
		x->response = slice_make(x->raw, len);
	}
	explicit_bzero(plain, sizeof(plain));
	return r;
}

static void
fill_start(const struct session *s, const struct auth_params *arg,
    struct auth_start *out)
{
	memset(out, 0, sizeof(*out));
	out->service = AUTH_SMTP;
	memcpy(out->mechanism, arg->mechanism, sizeof(out->mechanism));
	memcpy(out->client, s->client, sizeof(out->client));
	memcpy(out->session, s->id, strlen(s->id) + 1);
	out->tls = s->has_tls;
	out->tls_exporter = slice_make(s->tls.exporter, s->tls.exporter_len);
	out->tls_endpoint = slice_make(s->tls.endpoint, s->tls.endpoint_len);
	out->initial = SLICE_EMPTY;
	out->leftover = SLICE_EMPTY;
}

/* The dialogue with malle-authd up to its verdict. */
static enum line_result
converse(struct session *s, int fd, struct exchange *x,
    struct auth_start *start, struct auth_reply *verdict, bool *lost)
{
	enum line_result r = GOT_RESPONSE;

	*lost = auth_begin(fd, start, -1, x->space, verdict) == -1;
	while (!*lost && verdict->type == AUTH_CONTINUE) {
		if ((r = ask(s, x, verdict->challenge)) != GOT_RESPONSE)
			return r;
		*lost = auth_respond(fd, x->response, SLICE_EMPTY, x->space,
		    verdict) == -1;
		x->given_up = *lost && errno == EPIPE;
	}
	return r;
}

/* "local@domain" as malle-authd gave it; it must be an address all the same. */
static int
take_account(struct session *s, const char *account)
{
	struct addr a;

	if (addr_parse(slice_of(account), &a) != ADDR_OK ||
	    a.local[0] == '\0' || a.domain[0] == '\0')
		return -1;
	memcpy(s->account_local, a.local, sizeof(s->account_local));
	memcpy(s->account_domain, a.domain, sizeof(s->account_domain));
	return 0;
}

/* No verdict. That a client is slow is no fault of ours. */
static void
log_lost(const struct session *s, const struct exchange *x)
{
	log_event(x->given_up ? LOG_NOTICE_ : LOG_ERROR_, NULL, "auth",
	    "session=%s client=%s result=no-service text=%s", s->id, s->client,
	    LOGS(x->given_up ? "malle-authd has given up a login half-way: the "
	    "client took too long, or malle-authd ends" :
	    "malle-authd does not answer on " AUTH_SOCKET));
}

static void
log_login(const struct session *s, const char *account, const char *result)
{
	log_info(NULL, "auth",
	    "session=%s client=%s account=%s mechanism=%s result=%s", s->id,
	    s->client, LOGS(account), s->arg.auth.mechanism, result);
}

static void
login_failed(struct session *s, const struct auth_reply *verdict)
{
	log_login(s, "", verdict->reason == AUTH_TEMPORARY ? "temporary" :
	    "refused");
	switch (verdict->reason) {
	case AUTH_BAD:
		reply(s, "535 5.7.8",
		    "wrong address or password, or no right to send mail");
		break;
	case AUTH_TEMPORARY:
		reply(s, "454 4.7.0", "%s", verdict->text[0] != '\0' ?
		    verdict->text : "the login cannot be checked now, "
		    "try again later");
		return;
	case AUTH_SYNTAX:
		reply(s, "501 5.5.2", "not a message of that mechanism");
		break;
	case AUTH_NO_MECHANISM:
		reply(s, "504 5.5.4", "the mechanism is not known");
		break;
	}
	s->errors++;
	if (++s->logins_failed >= LOGINS_MAX) {
		reply(s, "421 4.7.0", "%s too many failed logins",
		    s->conf->hostname);
		session_close(s, "logins");
	}
}

static void
settle(struct session *s, const struct auth_reply *verdict)
{
	if (verdict->type == AUTH_OK &&
	    take_account(s, verdict->account) == 0) {
		log_login(s, verdict->account, "ok");
		reply(s, "235 2.7.0", "welcome");
	} else if (verdict->type == AUTH_NO)
		login_failed(s, verdict);
	else
		reply(s, "454 4.7.0",
		    "the login cannot be checked now, try again later");
}

static enum line_result
first_response(struct session *s, struct exchange *x,
    struct auth_start *start)
{
	const struct auth_params *arg = &s->arg.auth;
	enum line_result r = GOT_RESPONSE;

	if (arg->has_initial)
		r = decode(x, arg->initial);
	if (r == GOT_RESPONSE && strcmp(arg->mechanism, "LOGIN") == 0) {
		r = ask_login(s, x, arg->has_initial);
		memcpy(start->mechanism, "PLAIN", sizeof("PLAIN"));
	} else if (r == GOT_RESPONSE && !arg->has_initial)
		return r;
	start->has_initial = true;
	start->initial = x->response;
	return r;
}

static void
login(struct session *s, struct exchange *x)
{
	struct auth_start start;
	struct auth_reply verdict;
	enum line_result r;
	bool lost = true;
	int fd = -1;

	x->given_up = false;
	fill_start(s, &s->arg.auth, &start);
	r = first_response(s, x, &start);
	if (r == GOT_RESPONSE) {
		fd = ipc_connect(AUTH_SOCKET, SOCK_SEQPACKET);
		if (fd != -1 && ipc_timeout(fd, LOGIN_TIMEOUT) == 0)
			r = converse(s, fd, x, &start, &verdict, &lost);
	}
	if (fd != -1)
		close(fd);
	switch (r) {
	case GOT_END:
		session_close(s, "lost");
		return;
	case GOT_CANCEL:
		refuse(s, "auth", "", "501 5.7.0", "login cancelled");
		return;
	case GOT_NONSENSE:
		refuse(s, "auth", "", "501 5.5.2", "this is not base64");
		return;
	case GOT_TOO_LONG:
		/* RFC 4954 6 */
		refuse(s, "auth", "", "500 5.5.6", "the line is too long");
		return;
	case GOT_RESPONSE:
		break;
	}
	if (lost) {
		log_lost(s, x);
		verdict = (struct auth_reply){ .type = AUTH_TAKEN };
	}
	settle(s, &verdict);
}

int
auth_check(void *session, struct slice arg)
{
	struct session *s = session;

	return (int)params_auth(arg, &s->arg.auth);
}

void
auth_act(void *session)
{
	struct session *s = session;
	struct exchange *x;

	if (!session_is_submission(s)) {
		refuse(s, "auth", "", "502 5.5.1",
		    "no login on this port: use 465 or 587 to send mail");
		return;
	}
	if (session_has_login(s)) {
		refuse(s, "auth", "", "503 5.5.1", "you are logged in");
		return;
	}
	if (!session_may_auth(s)) {
		refuse(s, "auth", "", "538 5.7.11",
		    "no password in the clear: STARTTLS first");
		return;
	}
	if (!is_offered(s, s->arg.auth.mechanism)) {
		refuse(s, "auth", "", "504 5.5.4",
		    "the mechanism is not offered here");
		return;
	}
	if ((x = malloc(sizeof(*x))) == NULL) {
		reply(s, "454 4.7.0", "no memory now, try again later");
		return;
	}
	login(s, x);
	explicit_bzero(x, sizeof(*x));
	free(x);
	(void)malloc_trim(0);	/* not kept by an idle session */
	/* The command line may have brought the password. */
	explicit_bzero(s->io.in, s->io.len == 0 ? BUF_IN : s->io.start);
}
