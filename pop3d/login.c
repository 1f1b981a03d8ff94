/* login.c - one POP3 connection up to the login: RFC 1939, 2595, 5034. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: user_net, in a child of malle-pop3d, root folder public/, sandbox
 * role SANDBOX_POP3D.
 * Trusts: nobody. What a password is worth, malle-authd says; TLS is spoken by
 * malle-tls.
 * Order: the client's descriptor goes to malle-authd with the login; after
 * AUTH_TAKEN another process owns the client, and this one only ends. What was
 * read but not obeyed goes along.
 * Limits: LOGIN_TIME for all of it, COMMAND_MAX bytes a line (AUTH_LINE_MAX in
 * AUTH), errors_max wrong commands, FAILURES_MAX failed logins.
 */

#include "pop3d/login.h"

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/cmd.h"
#include "lib/log.h"
#include "lib/proto_auth.h"
#include "lib/proto_tls.h"
#include "pop3d/capa.h"

#define AUTH_SOCKET "auth.sock"	/* in public/, the root folder */
#define TLS_SOCKET "tls.sock"
#define COMMAND_MAX 512		/* RFC 2449 section 4 asks for 255 */
#define AUTH_LINE_MAX BUF_IN
#define LOGIN_TIME 600		/* seconds; RFC 1939 section 3 */
#define TLS_TIME 60
#define AUTH_TIME 60
#define FAILURES_MAX 5

#define ST_CLEAR 1u
#define ST_TLS 2u
#define ST_ANY (ST_CLEAR | ST_TLS)

struct login {
	const struct conf *conf;
	const struct login_client *client;
	bool tls, utf8, has_user;
	struct tls_info info;
	char user[COMMAND_MAX];
	unsigned failures;
	const char *end;	/* why it ends; NULL: it goes on */
	/* the command at hand */
	struct slice line, arg;
	struct buf io;
	char space[IPC_MAX];	/* of the dialogue with malle-authd */
	char message[AUTH_MESSAGE_MAX];	/* decoded */
	size_t message_used;
	char text[BASE64_LEN(AUTH_MESSAGE_MAX) + 1];
};

enum refusal { BAD_ARGUMENT = 1, NEEDS_TLS, NEEDS_USER };

static const char *const refusals[] = {
	[BAD_ARGUMENT] = "-ERR this argument is not understood\r\n",
	/* RFC 3206 section 4 */
	[NEEDS_TLS] = "-ERR [AUTH] a password may be sent under TLS only: "
	    "use STLS, or port 995\r\n",
	[NEEDS_USER] = "-ERR the name comes first: USER\r\n",
};

/* RFC 8314 section 3: no password in the clear. */
static bool
may_login(const struct login *l)
{
	return l->tls || (l->conf->auth_clear_on_loopback &&
	    ip_is_loopback(&l->client->ip));
}

static bool
has_binding(const struct login *l)
{
	return l->tls &&
	    (l->info.exporter_len > 0 || l->info.endpoint_len > 0);
}

/* What was read of the client and not obeyed. */
static struct slice
leftover(const struct login *l)
{
	return slice_make(l->io.in + l->io.start, l->io.len);
}

/* Wipes what was obeyed: there may be a password in it. No more than that:
 * each page touched is one to be made and freed. */
static void
forget_input(struct login *l)
{
	explicit_bzero(l->io.in, l->io.len == 0 ? l->io.high : l->io.start);
	explicit_bzero(l->message, l->message_used);
	l->message_used = 0;
	l->line = l->arg = SLICE_EMPTY;
}

/* Base64 into l->message. Its length, or -1. */
static ssize_t
decode(struct login *l, struct slice text)
{
	ssize_t len = base64_decode(text, l->message, sizeof(l->message));
	size_t used = len == -1 ? sizeof(l->message) : (size_t)len;

	if (used > l->message_used)
		l->message_used = used;
	return len;
}

static void
put(struct login *l, const char *text)
{
	buf_puts(&l->io, text);
}

static void
act_capa(void *session)
{
	struct login *l = session;
	struct capa c = { .tls = l->tls, .login = may_login(l),
	    .binding = has_binding(l),
	    .keeps = l->conf->catch_all_days == 0 };
	char text[CAPA_MAX];

	buf_put(&l->io, capa_text(&c, text));
}

/* RFC 6856 section 2.1: from now on UTF-8 is understood, as it always is. */
static void
act_utf8(void *session)
{
	struct login *l = session;

	l->utf8 = true;
	put(l, "+OK\r\n");
}

static void
act_quit(void *session)
{
	struct login *l = session;

	put(l, "+OK\r\n");
	l->end = "quit";
}

/* Goes on in TLS. False: the client is gone. */
static bool
start_tls(struct login *l)
{
	int64_t end = l->io.end;
	int fd = tls_take_over(TLS_SOCKET, l->io.fd, TLS_TIME, &l->info);

	if (fd == -1) {
		log_info(NULL, "tls-failed", "session=%s client=%s error=%s",
		    l->client->session, ip_text(&l->client->ip, l->text),
		    LOGS(strerror(errno)));
		l->end = "tls-failed";
		l->io.fd = -1;
		return false;
	}
	/* RFC 2595 section 4: nothing said in the clear counts any more. */
	buf_init(&l->io, fd, l->io.timeout);
	l->io.end = end;
	l->tls = true;
	l->has_user = l->utf8 = false;
	explicit_bzero(l->user, sizeof(l->user));
	return true;
}

static void
act_stls(void *session)
{
	struct login *l = session;

	/* RFC 6856 section 2.1 */
	if (l->utf8) {
		put(l, "-ERR STLS comes before UTF8\r\n");
		return;
	}
	put(l, "+OK\r\n");
	if (buf_flush(&l->io) == -1)
		l->end = "lost";
	else
		(void)start_tls(l);
}

/* An argument that may be anything but NUL: it is the rest of the line, its
 * spaces included (RFC 1939 section 7, PASS). */
static int
check_rest(struct login *l, struct slice arg)
{
	if (!may_login(l))
		return NEEDS_TLS;
	l->arg = slice_skip(l->line, 5);
	return arg.len == 0 || memchr(l->arg.p, '\0', l->arg.len) != NULL ?
	    BAD_ARGUMENT : 0;
}

static int
check_user(void *session, struct slice arg)
{
	struct login *l = session;
	int code = check_rest(l, arg);

	l->arg = arg;
	return code;
}

static int
check_pass(void *session, struct slice arg)
{
	struct login *l = session;
	int code = check_rest(l, arg);

	return code == 0 && !l->has_user ? NEEDS_USER : code;
}

static int
check_auth(void *session, struct slice arg)
{
	struct login *l = session;

	l->arg = arg;
	return may_login(l) ? 0 : NEEDS_TLS;
}

static void
act_user(void *session)
{
	struct login *l = session;

	/* A line is shorter than l->user: it always fits. */
	if (slice_to_cstr(l->arg, l->user, sizeof(l->user)) == -1)
		return;
	l->has_user = true;
	put(l, "+OK\r\n");	/* whether it exists is not told */
}

static void
answer_no(struct login *l, const struct auth_reply *reply)
{
	const char *code = reply->reason == AUTH_BAD ? "[AUTH] " :
	    reply->reason == AUTH_TEMPORARY ? "[SYS/TEMP] " : "";

	buf_printf(&l->io, "-ERR %s%s\r\n", code, *reply->text != '\0' ?
	    reply->text : "the login failed");
	if (reply->reason == AUTH_BAD && ++l->failures >= FAILURES_MAX)
		l->end = "failures";
}

/* malle-authd or malle-spawn is away, or said what cannot be. Who owns the
 * client is not sure: the connection ends. */
static void
answer_lost(struct login *l)
{
	log_error(NULL, "auth-lost", "session=%s error=%s", l->client->session,
	    LOGS(strerror(errno)));
	put(l, "-ERR [SYS/TEMP] the login service does not answer, try again "
	    "later\r\n");
	l->end = "auth-lost";
}

/* Sends a challenge, reads the response into *out. False: answered already. */
static bool
challenge(struct login *l, struct slice bytes, struct slice *out)
{
	size_t n = base64_encode(bytes, l->text);
	enum buf_line got;
	struct slice line;
	ssize_t len;

	put(l, "+ ");
	buf_put(&l->io, slice_make(l->text, n));
	put(l, "\r\n");
	got = buf_getline(&l->io, AUTH_LINE_MAX, &line);
	if (got == BUF_EOF || got == BUF_TIMEOUT || got == BUF_ERROR) {
		l->end = got == BUF_TIMEOUT ? "timeout" : "closed";
		return false;
	}
	if (got == BUF_LINE && slice_eq(line, SLICE("*"))) {
		put(l, "-ERR the login was cancelled\r\n");
		return false;
	}
	len = got != BUF_LINE ? -1 : decode(l, line);
	if (len == -1) {
		put(l, "-ERR this is not base64\r\n");
		return false;
	}
	*out = slice_make(l->message, (size_t)len);
	return true;
}

/* The whole dialogue on a connection to malle-authd. */
static void
converse_auth(struct login *l, int fd, const struct auth_start *start)
{
	struct auth_reply reply;
	struct slice response;
	int r = auth_begin(fd, start, l->io.fd, l->space, &reply);

	while (r == 0 && reply.type == AUTH_CONTINUE) {
		if (!challenge(l, reply.challenge, &response))
			return;
		r = auth_respond(fd, response, leftover(l), l->space, &reply);
	}
	if (r == 0 && reply.type == AUTH_TAKEN)
		l->end = "taken";
	else if (r == 0 && reply.type == AUTH_NO)
		answer_no(l, &reply);
	else
		answer_lost(l);
}

/* Begins a login with a mechanism that was offered. */
static void
authenticate(struct login *l, const char *mechanism, bool has_initial,
    struct slice initial)
{
	struct auth_start start = {
		.service = AUTH_POP3, .tls = l->tls, .utf8 = l->utf8,
		.has_initial = has_initial, .initial = initial,
		.tls_exporter = slice_make(l->info.exporter,
		    l->info.exporter_len),
		.tls_endpoint = slice_make(l->info.endpoint,
		    l->info.endpoint_len),
		.leftover = leftover(l)
	};
	sigset_t term;
	int fd;

	memcpy(start.mechanism, mechanism, strlen(mechanism) + 1);
	memcpy(start.session, l->client->session, sizeof(start.session));
	ip_text(&l->client->ip, start.client);
	/* The other side may write to the client next: nothing may be behind. */
	if (buf_flush(&l->io) == -1) {
		l->end = "lost";
		return;
	}
	if ((fd = ipc_connect(AUTH_SOCKET, SOCK_SEQPACKET)) == -1) {
		answer_lost(l);
		return;
	}
	ipc_timeout(fd, AUTH_TIME);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	converse_auth(l, fd, &start);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	close(fd);
}

/* USER and PASS become SASL PLAIN (RFC 4616). */
static void
act_pass(void *session)
{
	struct login *l = session;
	char plain[2 * COMMAND_MAX];
	size_t user = strlen(l->user), len = user + l->arg.len + 2;

	plain[0] = '\0';
	memcpy(plain + 1, l->user, user + 1);
	memcpy(plain + user + 2, l->arg.p, l->arg.len);
	l->has_user = false;
	authenticate(l, "PLAIN", true, slice_make(plain, len));
	explicit_bzero(plain, sizeof(plain));
	forget_input(l);
}

/* The mechanism of that name, as malle-authd spells it; NULL: not offered. */
static const char *
find_mechanism(const struct login *l, struct slice name)
{
	static const char *const names[] = {
		"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
	};
	size_t n = has_binding(l) ? 3 : 2;

	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(name, slice_of(names[i])))
			return names[i];
	return NULL;
}

/* RFC 5034 section 4 */
static void
act_auth(void *session)
{
	struct login *l = session;
	struct slice initial = l->arg, name = slice_cut(&initial, ' ');
	const char *mechanism = find_mechanism(l, name);
	bool has_initial = initial.p != NULL;
	ssize_t len = 0;

	if (mechanism == NULL) {
		put(l, "-ERR this mechanism is not offered\r\n");
		return;
	}
	/* "=" is an initial response that is empty. */
	if (has_initial && !slice_eq(initial, SLICE("=")))
		len = decode(l, initial);
	if (len == -1) {
		put(l, "-ERR this is not base64\r\n");
		return;
	}
	authenticate(l, mechanism, has_initial,
	    slice_make(l->message, (size_t)len));
	forget_input(l);
}

/* clang-format off */
static const struct cmd commands[] = {
	/* verb   states    flags                 check       act */
	{ "CAPA", ST_ANY,   CMD_NOARG,            NULL,       act_capa },
	{ "USER", ST_ANY,   CMD_ARG,              check_user, act_user },
	{ "PASS", ST_ANY,   CMD_ARG | CMD_SECRET, check_pass, act_pass },
	{ "AUTH", ST_ANY,   CMD_ARG | CMD_SECRET, check_auth, act_auth },
	{ "STLS", ST_CLEAR, CMD_NOARG,            NULL,       act_stls },
	{ "UTF8", ST_ANY,   CMD_NOARG,            NULL,       act_utf8 },
	{ "QUIT", ST_ANY,   CMD_NOARG,            NULL,       act_quit },
	/* of the state after login: known, and refused as such */
	{ "STAT", 0,        0,                    NULL,       act_quit },
	{ "LIST", 0,        0,                    NULL,       act_quit },
	{ "UIDL", 0,        0,                    NULL,       act_quit },
	{ "RETR", 0,        0,                    NULL,       act_quit },
	{ "TOP",  0,        0,                    NULL,       act_quit },
	{ "DELE", 0,        0,                    NULL,       act_quit },
	{ "RSET", 0,        0,                    NULL,       act_quit },
	{ "NOOP", 0,        0,                    NULL,       act_quit },
	{ NULL,   0,        0,                    NULL,       NULL },
};
/* clang-format on */

static const char *
answer_of(const struct cmd *found, enum cmd_status status, int code)
{
	switch (status) {
	case CMD_WRONG_STATE:
		return found != NULL && found->states == 0 ?
		    "-ERR only after login\r\n" :
		    "-ERR TLS is in use already\r\n";
	case CMD_NO_ARG:
		return "-ERR an argument is missing\r\n";
	case CMD_HAS_ARG:
		return "-ERR no argument is allowed here\r\n";
	case CMD_NOT_LAST:
		return "-ERR nothing may follow this command\r\n";
	case CMD_REFUSED:
		return refusals[code];
	case CMD_UNKNOWN:
	case CMD_OK:
		break;
	}
	return "-ERR unknown command\r\n";
}

/* One command; false when it was wrong. */
static bool
obey(struct login *l)
{
	const struct cmd *found;
	enum cmd_status status;
	int code;

	status = cmd_dispatch(commands, l, l->tls ? ST_TLS : ST_CLEAR, false,
	    l->line, &found, &code);
	if (status == CMD_OK)
		return true;
	if (found != NULL && (found->flags & CMD_SECRET) != 0)
		forget_input(l);
	put(l, answer_of(found, status, code));
	return false;
}

/* Reads a line and obeys it; false when that was wrong. */
static bool
next_command(struct login *l)
{
	/* AUTH may bring a long initial response (RFC 5034 section 4). */
	switch (buf_getline(&l->io, AUTH_LINE_MAX, &l->line)) {
	case BUF_LINE:
		if (l->line.len > COMMAND_MAX - 2 &&
		    !slice_starts_nocase(l->line, SLICE("AUTH ")))
			break;
		return obey(l);
	case BUF_BARE:
		put(l, "-ERR lines end in CRLF\r\n");
		return false;
	case BUF_TOO_LONG:
		break;
	case BUF_EOF:
		l->end = "closed";
		return true;
	case BUF_TIMEOUT:
		l->end = "timeout";
		return true;
	case BUF_ERROR:
		l->end = "lost";
		return true;
	}
	put(l, "-ERR line too long\r\n");
	return false;
}

static void
converse(struct login *l)
{
	uint64_t errors = 0;

	buf_printf(&l->io, "+OK %s Malleposte POP3\r\n", l->conf->hostname);
	while (l->end == NULL)
		if (!next_command(l) && ++errors > l->conf->errors_max &&
		    l->end == NULL) {
			put(l, "-ERR too many wrong commands\r\n");
			l->end = "errors";
		}
}

void
login_serve(const struct conf *conf, const struct login_client *client)
{
	/*
	 * One a process. Not from malloc, which would tidy up the heap that
	 * the listener left, and so copy its pages.
	 */
	static struct login only;
	struct login *l = &only;
	int on = 1;

	l->conf = conf;
	l->client = client;
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on,
	    sizeof(on));
	buf_init(&l->io, client->fd, (int)conf->pop3_timeout);
	l->io.end = clock_ms() + LOGIN_TIME * 1000;
	if (!client->implicit_tls || start_tls(l))
		converse(l);
	if (l->end != NULL && strcmp(l->end, "taken") != 0) {
		(void)buf_flush(&l->io);
		log_info(NULL, "no-login", "session=%s client=%s tls=%s "
		    "failures=%u reason=%s", client->session,
		    ip_text(&client->ip, l->text), l->tls ? "yes" : "no",
		    l->failures, l->end);
	}
	if (l->io.fd != -1)
		close(l->io.fd);
}
