/* mailbox.c - the POP3 session after login: one client, one Maildir. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the mailbox's uid, in a child of malle-spawn: root folder
 * mail/DOMAIN, Landlock on the Maildir, sandbox role SANDBOX_MAILBOX.
 * Trusts: malle-spawn for who has logged in; neither the client nor the files.
 * Order: the Maildir is listed before the client hears +OK. DELE only marks;
 * QUIT alone removes, and answers after the removals are durable. No lock:
 * sessions side by side find moved files again and tolerate removed ones.
 * RETR changes nothing: a message stays in new/ or cur/ with its flags.
 * Limits: one command line of COMMAND_MAX bytes, errors_max wrong commands,
 * no wait longer than the time-out, MAILDROP_MAX messages.
 */

#include "pop3d/mailbox.h"

#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cmd.h"
#include "lib/log.h"
#include "lib/num.h"
#include "pop3d/capa.h"
#include "pop3d/maildrop.h"
#include "pop3d/reply.h"
#include "pop3d/retrieve.h"
#include "pop3d/update.h"

#define COMMAND_MAX 512		/* RFC 2449 section 4 asks for 255 */
#define TIMEOUT_MIN 600		/* RFC 1939 section 3 */
#define TIMEOUT_MAX 86400

struct session {
	const struct pop3_mailbox *m;
	struct buf in;
	struct maildrop drop;
	/* the arguments of the command at hand */
	struct message *message;	/* NULL: all of them */
	uint64_t lines;
	/* for the log */
	uint64_t retrieved;
	struct update update;
	const char *end;	/* why the session ends; NULL: it goes on */
	struct reply out;	/* last: most of its pages stay untouched */
};

enum refusal {
	BAD_NUMBER = 1,
	NO_SUCH_MESSAGE,
	IS_DELETED,
	BAD_LINES
};

static const char *const refusals[] = {
	[BAD_NUMBER] = "-ERR a message number is needed\r\n",
	[NO_SUCH_MESSAGE] = "-ERR no such message\r\n",
	[IS_DELETED] = "-ERR this message is marked as deleted\r\n",
	[BAD_LINES] = "-ERR a message number and a number of lines are needed"
	    "\r\n",
};

static bool
is_listed(const struct message *m)
{
	return (m->flags & (MESSAGE_DELETED | MESSAGE_GONE)) == 0;
}

static size_t
number_of(const struct session *s, const struct message *m)
{
	return (size_t)(m - s->drop.messages) + 1;
}

static int
check_message(void *session, struct slice arg)
{
	struct session *s = session;
	uint64_t n;

	if (num_parse(arg, 0, UINT64_MAX, &n) == -1)
		return BAD_NUMBER;
	if (n == 0 || n > s->drop.n)
		return NO_SUCH_MESSAGE;
	s->message = &s->drop.messages[n - 1];
	return (s->message->flags & MESSAGE_DELETED) != 0 ? IS_DELETED : 0;
}

static int
check_message_or_all(void *session, struct slice arg)
{
	struct session *s = session;

	s->message = NULL;
	return arg.len == 0 ? 0 : check_message(session, arg);
}

static int
check_top(void *session, struct slice arg)
{
	struct session *s = session;
	struct slice lines = arg, number = slice_cut(&lines, ' ');

	if (lines.p == NULL ||
	    num_parse(slice_trim(lines), 0, UINT64_MAX, &s->lines) == -1)
		return BAD_LINES;
	return check_message(session, number);
}

/* A message that cannot be read: tells the client why. */
static void
refuse_message(struct session *s, const struct message *m)
{
	if (errno == ENOENT) {
		reply_puts(&s->out, "-ERR [SYS/PERM] this message was removed "
		    "by another program meanwhile\r\n");
		return;
	}
	log_error(NULL, "read-failed", "session=%s name=%s error=%s",
	    LOGS(s->m->who->session), LOGS(maildrop_name(&s->drop, m)),
	    LOGS(strerror(errno)));
	reply_puts(&s->out, "-ERR [SYS/TEMP] this message cannot be read now, "
	    "try again later\r\n");
}

/* Makes a message's size known. False: it is not listed. */
static bool
has_size(struct session *s, struct message *m)
{
	return is_listed(m) && (m->wire != UINT64_MAX ||
	    maildrop_measure(&s->drop, m) == 0);
}

static void
act_stat(void *session)
{
	struct session *s = session;
	uint64_t n = 0, bytes = 0;

	for (size_t i = 0; i < s->drop.n; i++)
		if (has_size(s, &s->drop.messages[i])) {
			n++;
			bytes += s->drop.messages[i].wire;
		}
	reply_puts(&s->out, "+OK ");
	reply_number(&s->out, n);
	reply_puts(&s->out, " ");
	reply_number(&s->out, bytes);
	reply_puts(&s->out, "\r\n");
}

static void
put_size_line(struct session *s, const struct message *m)
{
	reply_number(&s->out, number_of(s, m));
	reply_puts(&s->out, " ");
	reply_number(&s->out, m->wire);
	reply_puts(&s->out, "\r\n");
}

static void
act_list(void *session)
{
	struct session *s = session;

	if (s->message != NULL) {
		if (maildrop_measure(&s->drop, s->message) == -1) {
			refuse_message(s, s->message);
			return;
		}
		reply_puts(&s->out, "+OK ");
		put_size_line(s, s->message);
		return;
	}
	reply_puts(&s->out, "+OK\r\n");
	for (size_t i = 0; i < s->drop.n; i++)
		if (has_size(s, &s->drop.messages[i]))
			put_size_line(s, &s->drop.messages[i]);
	reply_puts(&s->out, ".\r\n");
}

static void
put_uid_line(struct session *s, const struct message *m)
{
	char uid[MAILDROP_UID_MAX + 1];

	reply_number(&s->out, number_of(s, m));
	reply_puts(&s->out, " ");
	reply_puts(&s->out, maildrop_uid(&s->drop, m, uid));
	reply_puts(&s->out, "\r\n");
}

static void
act_uidl(void *session)
{
	struct session *s = session;

	if (s->message != NULL) {
		reply_puts(&s->out, "+OK ");
		put_uid_line(s, s->message);
		return;
	}
	reply_puts(&s->out, "+OK\r\n");
	for (size_t i = 0; i < s->drop.n; i++)
		if (is_listed(&s->drop.messages[i]))
			put_uid_line(s, &s->drop.messages[i]);
	reply_puts(&s->out, ".\r\n");
}

static void
send_message(struct session *s, struct wire_top *top)
{
	struct message *m = s->message;

	switch (retrieve(&s->drop, m, top, s->m->who->utf8, &s->out)) {
	case 0:
		s->retrieved += top == NULL;
		break;
	case -1:
		refuse_message(s, m);
		break;
	default:
		log_error(NULL, "read-failed", "session=%s name=%s error=%s",
		    LOGS(s->m->who->session),
		    LOGS(maildrop_name(&s->drop, m)), LOGS(strerror(errno)));
		/* Not even what is pending: half a message is none. */
		s->out.error = EIO;
		s->end = "read-failed";
	}
}

static void
act_retr(void *session)
{
	send_message(session, NULL);
}

static void
act_top(void *session)
{
	struct session *s = session;
	struct wire_top top = wire_top_init(s->lines);

	send_message(s, &top);
}

static void
act_dele(void *session)
{
	struct session *s = session;

	s->message->flags |= MESSAGE_DELETED;
	reply_puts(&s->out, "+OK\r\n");
}

static void
act_rset(void *session)
{
	struct session *s = session;

	for (size_t i = 0; i < s->drop.n; i++)
		s->drop.messages[i].flags &= (uint8_t)~MESSAGE_DELETED;
	reply_puts(&s->out, "+OK\r\n");
}

static void
act_noop(void *session)
{
	struct session *s = session;

	reply_puts(&s->out, "+OK\r\n");
}

static void
act_capa(void *session)
{
	struct session *s = session;
	struct capa c = { .tls = s->m->tls, .login = true,
	    .binding = s->m->tls, .keeps = s->m->keeps };
	char text[CAPA_MAX];

	reply_put(&s->out, capa_text(&c, text));
}

static void
act_quit(void *session)
{
	struct session *s = session;
	sigset_t term;

	/* malle-spawn's SIGTERM waits until the Maildir is in order. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	update_maildir(&s->drop, s->m->maildir, &s->update);
	s->end = "quit";
	if (s->update.error == 0) {
		reply_puts(&s->out, "+OK\r\n");
		return;
	}
	log_error(NULL, "update-failed", "session=%s left=%llu error=%s",
	    LOGS(s->m->who->session), (unsigned long long)s->update.failed,
	    LOGS(strerror(s->update.error)));
	/* RFC 1939 section 6 */
	reply_puts(&s->out, "-ERR [SYS/TEMP] some deleted messages were not "
	    "removed, they will be listed again\r\n");
}

#define ST_TRANSACTION 1u

/* clang-format off */
static const struct cmd commands[] = {
	/* verb   states          flags      check                 act */
	{ "STAT", ST_TRANSACTION, CMD_NOARG, NULL,                 act_stat },
	{ "LIST", ST_TRANSACTION, 0,         check_message_or_all, act_list },
	{ "UIDL", ST_TRANSACTION, 0,         check_message_or_all, act_uidl },
	{ "RETR", ST_TRANSACTION, CMD_ARG,   check_message,        act_retr },
	{ "TOP",  ST_TRANSACTION, CMD_ARG,   check_top,            act_top },
	{ "DELE", ST_TRANSACTION, CMD_ARG,   check_message,        act_dele },
	{ "RSET", ST_TRANSACTION, CMD_NOARG, NULL,                 act_rset },
	{ "NOOP", ST_TRANSACTION, CMD_NOARG, NULL,                 act_noop },
	{ "CAPA", ST_TRANSACTION, CMD_NOARG, NULL,                 act_capa },
	{ "QUIT", ST_TRANSACTION, CMD_NOARG, NULL,                 act_quit },
	/* of the state before: known, and refused as such */
	{ "USER", 0,              0,         NULL,                 act_noop },
	{ "PASS", 0,              CMD_SECRET, NULL,                act_noop },
	{ "AUTH", 0,              CMD_SECRET, NULL,                act_noop },
	{ "STLS", 0,              0,         NULL,                 act_noop },
	{ "UTF8", 0,              0,         NULL,                 act_noop },
	{ NULL,   0,              0,         NULL,                 NULL },
};
/* clang-format on */

static const char *const answers[] = {
	[CMD_UNKNOWN] = "-ERR unknown command\r\n",
	[CMD_WRONG_STATE] = "-ERR only before login\r\n",
	[CMD_NO_ARG] = "-ERR an argument is missing\r\n",
	[CMD_HAS_ARG] = "-ERR no argument is allowed here\r\n",
	[CMD_NOT_LAST] = "-ERR nothing may follow this command\r\n",
};

/* One command; false when it was wrong. */
static bool
obey(struct session *s, struct slice line)
{
	const struct cmd *found;
	enum cmd_status status;
	int code;

	status = cmd_dispatch(commands, s, ST_TRANSACTION, false, line,
	    &found, &code);
	if (status == CMD_OK)
		return true;
	reply_puts(&s->out, status == CMD_REFUSED ? refusals[code] :
	    answers[status]);
	return false;
}

/* Reads one command line; sends the answers so far before it waits. NULL in
 * .p when there is none: s->end says why, or the client was told. */
static struct slice
next_line(struct session *s)
{
	struct slice line = { NULL, 0 };

	/* RFC 2449 6.8: behind a pipelined command nobody waits. */
	if (memmem(s->in.in + s->in.start, s->in.len, "\r\n", 2) == NULL &&
	    reply_flush(&s->out) == -1) {
		s->end = errno == ETIMEDOUT ? "timeout" : "lost";
		return line;
	}
	switch (buf_getline(&s->in, COMMAND_MAX, &line)) {
	case BUF_LINE:
		return line;
	case BUF_TOO_LONG:
		reply_puts(&s->out, "-ERR line too long\r\n");
		break;
	case BUF_BARE:
		reply_puts(&s->out, "-ERR lines end in CRLF\r\n");
		break;
	case BUF_EOF:
		s->end = "closed";
		break;
	case BUF_TIMEOUT:
		/* RFC 1939 section 3: without a word, nothing is removed. */
		s->end = "timeout";
		break;
	case BUF_ERROR:
		s->end = "lost";
		break;
	}
	return (struct slice){ NULL, 0 };
}

static void
converse(struct session *s)
{
	uint64_t errors = 0;

	while (s->end == NULL) {
		struct slice line = next_line(s);

		if (s->end != NULL)
			return;
		if (line.p != NULL && obey(s, line))
			continue;
		if (++errors > s->m->errors_max && s->end == NULL) {
			reply_puts(&s->out, "-ERR too many wrong commands, "
			    "nothing was deleted\r\n");
			s->end = "errors";
		}
	}
}

static void
log_login(const struct session *s)
{
	const struct spawn_pop3 *who = s->m->who;
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->drop.n; i++)
		if (s->drop.messages[i].wire != UINT64_MAX)
			bytes += s->drop.messages[i].wire;
	log_info(NULL, "login", "session=%s account=%s@%s client=%s "
	    "messages=%zu bytes=%llu tls=%s", LOGS(who->session), who->mailbox,
	    who->domain, who->client, s->drop.n, (unsigned long long)bytes,
	    s->m->tls ? "yes" : "no");
}

static void
log_logout(const struct session *s)
{
	const struct spawn_pop3 *who = s->m->who;

	log_info(NULL, "logout", "session=%s account=%s@%s retrieved=%llu "
	    "deleted=%llu sent=%llu reason=%s", LOGS(who->session),
	    who->mailbox, who->domain, (unsigned long long)s->retrieved,
	    (unsigned long long)s->update.deleted,
	    (unsigned long long)s->out.sent, s->end);
}

static void
greet(struct session *s)
{
	reply_puts(&s->out, "+OK ");
	reply_puts(&s->out, s->m->who->mailbox);
	reply_puts(&s->out, "@");
	reply_puts(&s->out, s->m->who->domain);
	reply_puts(&s->out, " has ");
	reply_number(&s->out, s->drop.n);
	reply_puts(&s->out, s->drop.n == 1 ? " message\r\n" :
	    " messages\r\n");
}

static void
session_init(struct session *s, const struct pop3_mailbox *m)
{
	uint64_t timeout = m->timeout < TIMEOUT_MIN ? TIMEOUT_MIN :
	    m->timeout > TIMEOUT_MAX ? TIMEOUT_MAX : m->timeout;
	struct slice leftover = m->who->leftover;

	s->m = m;
	s->message = NULL;
	s->lines = s->retrieved = 0;
	s->update = (struct update){ 0, 0, 0, 0 };
	s->end = NULL;
	buf_init(&s->in, m->client, (int)timeout);
	reply_init(&s->out, m->client, (int)timeout);
	/* What came behind PASS or AUTH is obeyed now. */
	if (leftover.len > BUF_IN)
		leftover.len = BUF_IN;
	if (leftover.len > 0)
		memcpy(s->in.in, leftover.p, leftover.len);
	s->in.len = leftover.len;
}

bool
pop3_client_is_tls(int client)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	return getsockname(client, (struct sockaddr *)&ss, &len) == 0 &&
	    ss.ss_family == AF_UNIX;
}

int
pop3_session(const struct pop3_mailbox *m)
{
	/*
	 * One a process. On the stack all of its pages would be touched, and
	 * malloc would tidy up the heap that malle-spawn left.
	 */
	static struct session only;
	struct session *s = &only;

	session_init(s, m);
	if (maildrop_open(&s->drop, m->maildir) == -1) {
		log_error(NULL, "maildir-failed", "session=%s account=%s@%s "
		    "error=%s", LOGS(m->who->session), m->who->mailbox,
		    m->who->domain, LOGS(strerror(errno)));
		reply_puts(&s->out, "-ERR [SYS/TEMP] the mailbox cannot be "
		    "read now, try again later\r\n");
		(void)reply_flush(&s->out);
		return EX_TEMPFAIL;
	}
	log_login(s);
	greet(s);
	converse(s);
	(void)reply_flush(&s->out);
	log_logout(s);
	maildrop_close(&s->drop);
	return 0;
}
