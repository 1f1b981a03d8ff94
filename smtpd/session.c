/* session.c - one SMTP session from its greeting to its end. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "smtpd/proxy.h"

/*
 * Runs as: a fork of the listener, with its uid, root and sandbox; plain,
 * blocking, from top to bottom.
 * Trusts: nobody. A crash or a fault costs this one session.
 * Limits: every wait has a deadline (smtp_timeout for a whole line), the
 * session has one (session_time_max); errors_max, commands_idle_max,
 * messages_per_session.
 */

#define LINGER 2		/* seconds for a client to read our last word */

volatile sig_atomic_t session_stopping;
/* The socket of a session that waits for a command; -1 otherwise. */
static volatile sig_atomic_t waiting_fd = -1;

void
session_stop(int signal)
{
	(void)signal;
	session_stopping = 1;
	/* The wait ends as if the client had closed; we can still answer. */
	if (waiting_fd != -1)
		(void)shutdown((int)waiting_fd, SHUT_RD);
}

bool
session_may_auth(const struct session *s)
{
	return session_is_submission(s) && (s->has_tls ||
	    (s->conf->auth_clear_on_loopback && ip_is_loopback(&s->ip)));
}

bool
session_may_starttls(const struct session *s)
{
	return !s->has_tls && s->service != SERVICE_SUBMISSIONS;
}

void
session_deadline(struct session *s, uint64_t seconds)
{
	int64_t end = clock_ms() + (int64_t)seconds * 1000;

	s->io.end = end < s->end ? end : s->end;
}

void
session_reset(struct session *s)
{
	transaction_clear(s);
	if (s->state != ST_START)
		s->state = ST_READY;
}

void
session_close(struct session *s, const char *reason)
{
	if (!s->over)
		s->reason = reason;
	s->over = true;
}

/* 421: the server ends the session (RFC 5321 3.8). */
static void
shut_down(struct session *s, const char *code, const char *text,
    const char *reason)
{
	reply(s, code, "%s %s", s->conf->hostname, text);
	session_close(s, reason);
}

static int
helo_check(void *session, struct slice arg)
{
	struct session *s = session;

	return (int)params_helo(arg, s->arg.helo);
}

static void
take_helo(struct session *s, bool esmtp)
{
	session_reset(s);
	s->state = ST_READY;
	s->esmtp = esmtp;
	memcpy(s->helo, s->arg.helo, sizeof(s->helo));
}

static void
helo_act(void *session)
{
	struct session *s = session;

	take_helo(s, false);
	buf_printf(&s->io, "250 %s\r\n", s->conf->hostname);
}

/* A number of LIMITS: six digits at most (RFC 9422 4.1, 4.2). */
static unsigned
limit(uint64_t max)
{
	return max > 999999 ? 999999 : (unsigned)max;
}

static void
ehlo_act(void *session)
{
	struct session *s = session;
	const char *mechanisms = login_mechanisms(s);

	take_helo(s, true);
	buf_printf(&s->io, "250-%s\r\n"
	    "250-PIPELINING\r\n"
	    "250-SIZE %llu\r\n"
	    "250-8BITMIME\r\n"
	    "250-SMTPUTF8\r\n"
	    "250-CHUNKING\r\n"
	    "250-DSN\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n", s->conf->hostname,
	    (unsigned long long)s->conf->message_max);
	if (session_may_starttls(s))
		buf_puts(&s->io, "250-STARTTLS\r\n");
	/* RFC 8689 2: offered under TLS only. */
	if (s->has_tls)
		buf_puts(&s->io, "250-REQUIRETLS\r\n");
	if (mechanisms[0] != '\0')
		buf_printf(&s->io, "250-AUTH %s\r\n", mechanisms);
	/* RFC 9422 */
	if (session_has_login(s) || s->may_relay)
		buf_puts(&s->io, "250-XVERP\r\n");
	buf_printf(&s->io, "250 LIMITS MAILMAX=%u RCPTMAX=%u\r\n",
	    limit(s->conf->messages_per_session),
	    limit(s->conf->recipients_max));
}

static void
rset_act(void *session)
{
	struct session *s = session;

	session_reset(s);
	reply(s, "250 2.0.0", "forgotten");
}

static void
noop_act(void *session)
{
	reply(session, "250 2.0.0", "ok");
}

static void
vrfy_act(void *session)
{
	/* RFC 5321 3.5.3: it neither confirms nor denies. */
	reply(session, "252 2.5.0",
	    "send the message: RCPT tells whether the address is good");
}

static void
expn_act(void *session)
{
	refuse(session, "expn", "", "502 5.5.1", "lists are not expanded here");
}

static void
help_act(void *session)
{
	reply(session, "214 2.0.0", "see RFC 5321, and malle-smtpd(8)");
}

static void
quit_act(void *session)
{
	struct session *s = session;

	shut_down(s, "221 2.0.0", "goodbye", "quit");
}

/* A web browser that was sent here by somebody's page: its lines are not to
 * be obeyed, whatever follows. */
static void
http_act(void *session)
{
	struct session *s = session;

	refuse(s, "command", "", "502 5.5.1", "this is a mail server");
	session_close(s, "http");
}

/* clang-format off */
static const struct cmd commands[] = {
	/* verb       states                flags                check       act */
	{ "EHLO",     ST_ANY,               CMD_ARG | CMD_LAST,  helo_check, ehlo_act },
	{ "HELO",     ST_ANY,               CMD_ARG | CMD_LAST,  helo_check, helo_act },
	{ "MAIL",     ST_READY,             CMD_ARG,             mail_check, mail_act },
	{ "RCPT",     ST_MAIL | ST_RCPT,    CMD_ARG,             rcpt_check, rcpt_act },
	{ "DATA",     ST_RCPT,              CMD_NOARG | CMD_LAST, NULL,      data_act },
	{ "BDAT",     ST_ANY,               CMD_ARG,             bdat_check, bdat_act },
	{ "RSET",     ST_ANY,               CMD_NOARG,           NULL,       rset_act },
	{ "NOOP",     ST_ANY,               0,                   NULL,       noop_act },
	{ "QUIT",     ST_ANY,               CMD_NOARG,           NULL,       quit_act },
	{ "STARTTLS", ST_START | ST_READY,  CMD_NOARG,           NULL,       starttls_act },
	{ "AUTH",     ST_READY,             CMD_ARG | CMD_LAST | CMD_SECRET,
	                                                         auth_check, auth_act },
	{ "VRFY",     ST_ANY,               CMD_ARG,             NULL,       vrfy_act },
	{ "EXPN",     ST_ANY,               CMD_ARG,             NULL,       expn_act },
	{ "HELP",     ST_ANY,               0,                   NULL,       help_act },
	{ "GET",      ST_ANY,               0,                   NULL,       http_act },
	{ "POST",     ST_ANY,               0,                   NULL,       http_act },
	{ "PUT",      ST_ANY,               0,                   NULL,       http_act },
	{ "CONNECT",  ST_ANY,               0,                   NULL,       http_act },
	{ "OPTIONS",  ST_ANY,               0,                   NULL,       http_act },
	{ NULL,       0,                    0,                   NULL,       NULL },
};
/* clang-format on */

static void
wrong_state(struct session *s, const struct cmd *c)
{
	if (c->act == data_act && s->state == ST_MAIL)
		refuse(s, "data", "", "554 5.5.1", "no valid recipient");
	else if (s->state == ST_START)
		refuse(s, "command", "", "503 5.5.1", "say EHLO first");
	else if (s->state == ST_READY)
		refuse(s, "command", "", "503 5.5.1", "MAIL comes first");
	else
		refuse(s, "command", "", "503 5.5.1",
		    "not in the middle of a message: RSET ends it");
}

/* Commands that bring a message forward are no idling. */
static bool
is_idle(const struct session *s, const struct cmd *c, enum cmd_status status)
{
	const struct transaction *t = &s->transaction;

	if (status != CMD_OK)
		return true;
	return !(c->act == rcpt_act && t->refused < t->count) &&
	    !(c->act == bdat_act && s->state == ST_CHUNKS &&
	    s->arg.bdat.size > 0);
}

/* What is answered to a command that is not obeyed. */
static void
refuse_command(struct session *s, const struct cmd *c, enum cmd_status status,
    int code)
{
	switch (status) {
	case CMD_OK:
	case CMD_UNKNOWN:
		break;
	case CMD_WRONG_STATE:
		wrong_state(s, c);
		break;
	case CMD_NO_ARG:
		refuse(s, "command", "", "501 5.5.4", "an argument is missing");
		break;
	case CMD_HAS_ARG:
		refuse(s, "command", "", "501 5.5.4", "no argument is allowed");
		break;
	case CMD_NOT_LAST:
		refuse(s, "command", "", "503 5.5.0",
		    "nothing may be sent behind %s before its answer", c->verb);
		break;
	case CMD_REFUSED:
		refuse_params(s, "command", (enum params_status)code);
		break;
	}
	/* What follows is content, and would be taken for commands. */
	if ((c->act == data_act && status == CMD_NOT_LAST) ||
	    (c->act == bdat_act && status != CMD_OK))
		session_close(s, "protocol");
}

static void
obey(struct session *s, struct slice line)
{
	const struct cmd *c;
	enum cmd_status status;
	int code;

	status = cmd_dispatch(commands, s, s->state, s->io.len > 0, line, &c,
	    &code);
	if (c == NULL) {
		refuse(s, "command", "", "500 5.5.1", "unknown command");
		s->idle_commands++;
		return;
	}
	refuse_command(s, c, status, code);
	if (is_idle(s, c, status))
		s->idle_commands++;
}

static void
check_counters(struct session *s)
{
	if (s->over)
		return;
	if (s->errors > s->conf->errors_max)
		shut_down(s, "421 4.7.0", "too many errors", "errors");
	else if (s->idle_commands > s->conf->commands_idle_max)
		shut_down(s, "421 4.7.0", "too many commands without a message",
		    "idle");
}

/* A message half-way, which may be between two chunks, is finished first. */
static bool
has_to_stop(const struct session *s)
{
	return session_stopping && s->state != ST_CHUNKS;
}

/* Waits for a command, ready to be told of the end of the service. */
static enum buf_line
next_line(struct session *s, struct slice *line)
{
	enum buf_line r;

	session_deadline(s, s->conf->smtp_timeout);
	waiting_fd = s->state == ST_CHUNKS ? -1 : s->io.fd;
	r = has_to_stop(s) ? BUF_EOF :
	    buf_getline(&s->io, COMMAND_LINE_MAX, line);
	waiting_fd = -1;
	return r;
}

static void
step(struct session *s)
{
	struct slice line = SLICE_EMPTY;
	enum buf_line r = next_line(s, &line);

	if (has_to_stop(s)) {
		s->io.end = clock_ms() + LINGER * 1000;
		shut_down(s, "421 4.3.2", "the service stops, try again later",
		    "stop");
		return;
	}
	switch (r) {
	case BUF_LINE:
		obey(s, line);
		break;
	case BUF_TOO_LONG:
		refuse(s, "command", "", "500 5.5.2", "the line is too long");
		break;
	case BUF_BARE:
		refuse(s, "command", "", "500 5.5.2",
		    "a CR or an LF stands alone: lines must end in CR LF");
		break;
	case BUF_TIMEOUT:
		s->io.end = clock_ms() + LINGER * 1000;
		shut_down(s, "421 4.4.2", "no command for too long", "timeout");
		return;
	case BUF_EOF:
	case BUF_ERROR:
		session_close(s, "lost");
		return;
	}
	check_counters(s);
}

/* RFC 5321 4.3.1: the client waits for our greeting. */
static void
greet(struct session *s)
{
	if (buf_has_input(&s->io)) {
		refuse(s, "connect", "", "554 5.5.0",
		    "%s you talk before the greeting", s->conf->hostname);
		session_close(s, "early");
		return;
	}
	buf_printf(&s->io, "220 %s ESMTP Malleposte\r\n", s->conf->hostname);
}

static void
start_service(struct session *s)
{
	if (s->service == SERVICE_SUBMISSIONS && starttls_begin(s) == -1)
		return;
	transaction_access(s);
	log_info(NULL, "connect", "session=%s client=%s port=%u tls=%s", s->id,
	    s->client, s->port, s->has_tls ? s->tls.version : "no");
	greet(s);
	while (!s->over)
		step(s);
}

/* The last words must not be lost in a reset because the client's own are
 * unread: reads them for a moment. */
static void
linger(struct session *s)
{
	struct slice in;

	if (s->io.fd == -1 || strcmp(s->reason, "lost") == 0 ||
	    buf_flush(&s->io) == -1)
		return;
	if (strcmp(s->reason, "quit") == 0)
		return;
	(void)shutdown(s->io.fd, SHUT_WR);
	s->io.end = clock_ms() + LINGER * 1000;
	buf_consume(&s->io, s->io.len);
	for (size_t n = 0; n < 1 << 20 && buf_peek(&s->io, &in) > 0; ) {
		n += in.len;
		buf_consume(&s->io, in.len);
	}
}

/* Time and process number, in base 36: unique on this machine. */
static void
make_id(char out[QUEUE_ID_MAX + 1])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct timespec ts;
	uint64_t parts[2];
	size_t n = QUEUE_ID_MAX;
	char text[QUEUE_ID_MAX + 1] = "";

	clock_gettime(CLOCK_REALTIME, &ts);
	parts[0] = (uint64_t)getpid();
	parts[1] = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	for (int i = 0; i < 2; i++) {
		if (i == 1)
			text[--n] = '-';
		do
			text[--n] = digits[parts[i] % 36];
		while ((parts[i] /= 36) != 0);
	}
	memcpy(out, text + n, QUEUE_ID_MAX - n + 1);
}

/* The address of the client, from a proxy where one stands in between. */
static int
find_client(struct session *s, const struct ip *peer)
{
	s->ip = *peer;
	ip_text(&s->ip, s->client);
	if (!conf_nets_match(&s->conf->proxy_hosts, peer))
		return 0;
	if (proxy_read(s->io.fd, s->io.timeout, &s->ip) == PROXY_BAD) {
		log_notice(NULL, "proxy", "session=%s client=%s text=%s",
		    s->id, s->client,
		    LOGS("no PROXY header of version 2 from a proxy host"));
		return -1;
	}
	ip_text(&s->ip, s->client);
	return 0;
}

void
session_run(const struct conf *conf, struct tables *tables,
    enum service service, uint16_t port, int fd, const struct ip *client)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return;
	s->conf = conf;
	s->tables = tables;
	s->service = service;
	s->port = port;
	s->queue = -1;
	s->state = ST_START;
	s->reason = "";
	s->began = s->tables_fresh = clock_ms();
	s->end = s->began + (int64_t)conf->session_time_max * 1000;
	buf_init(&s->io, fd, (int)conf->smtp_timeout);
	transaction_clear(s);
	make_id(s->id);
	if (find_client(s, client) == 0) {
		start_service(s);
		linger(s);
		log_info(NULL, "disconnect",
		    "session=%s client=%s messages=%llu reason=%s seconds=%lld",
		    s->id, s->client, (unsigned long long)s->messages,
		    s->reason, (long long)(clock_ms() - s->began) / 1000);
	}
	transaction_clear(s);
	transaction_drop_queue(s);
	if (s->io.fd != -1)
		close(s->io.fd);
	free(s);
}
