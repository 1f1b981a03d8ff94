/* inject.c - malle-inject: takes mail from local programs, as sendmail(8). */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the caller; malle-queued knows who it is by SO_PEERCRED.
 * Trusts: nothing; what it reads is checked again by malle-queued.
 * Order: options, the header from standard input, then the queue: a message
 * is handed over only when its beginning is known to be good, and is accepted
 * only when the last byte of it was read.
 * Limits: the header is kept in memory, the body goes through.
 */

#include <sys/random.h>

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "lib/conf.h"
#include "lib/date.h"
#include "lib/proto_queue.h"
#include "tools/submission.h"

#define PIECE 32768

enum mode { MODE_DELIVER, MODE_LIST_QUEUE, MODE_ALIASES, MODE_REFUSED };

struct inject {
	const char *program;
	const char *conf_path;
	struct conf conf;
	enum mode mode;
	char refused;		/* the letter of -b that is not done here */
	bool extract;		/* -t */
	bool verbose;		/* -v */
	bool sender_given;	/* -f */
	unsigned notify;	/* -N */
	const char *full_name;	/* -F */
	char user[ADDR_LOCAL_MAX + 1];
	char from[ADDR_TEXT_MAX]; /* for a missing From */
	struct queue_mail mail;
	struct recipients recipients;
	struct submission_input input;
	struct str text;	/* read, not yet handed over */
	struct str header;
};

static struct inject inject = {
	.text = STR_INIT(SUBMISSION_HEADER_MAX + 3 * PIECE),
	.header = STR_INIT(SUBMISSION_HEADER_MAX),
};

/* Says why on standard error and ends with a status of sysexits(3). */
__attribute__((format(printf, 2, 3), noreturn)) static void
fail(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", inject.program);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static void
usage(FILE *out)
{
	fputs("usage: malle-inject [-htiv] [-B TYPE] [-b MODE] [-C FILE] "
	      "[-F NAME] [-f SENDER]\n"
	      "           [-N NOTIFY] [-o OPTION] [-R RETURN] [-V ENVID] "
	      "[--] [RECIPIENT ...]\n"
	      "       mailq\n"
	      "       newaliases\n\n"
	      "Hands the message on standard input to the queue.\n"
	      "See also: man malle-inject\n",
	    out);
}

static void
set_mode(struct inject *j, const char *argument)
{
	if (strcmp(argument, "m") == 0)
		j->mode = MODE_DELIVER;
	else if (strcmp(argument, "p") == 0)
		j->mode = MODE_LIST_QUEUE;
	else if (strcmp(argument, "i") == 0)
		j->mode = MODE_ALIASES;
	else {
		j->mode = MODE_REFUSED;
		j->refused = argument[0];
	}
}

static void
set_notify(struct inject *j, const char *argument)
{
	static const struct {
		struct slice word;
		unsigned bit;
	} words[] = {
		{ SLICE("success"), QN_SUCCESS },
		{ SLICE("failure"), QN_FAILURE },
		{ SLICE("delay"), QN_DELAY },
		{ SLICE("never"), QN_NEVER },
	};
	struct slice rest = slice_of(argument), word;
	size_t i;

	j->notify = 0;
	while (rest.p != NULL) {
		word = slice_trim(slice_cut(&rest, ','));
		for (i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (slice_eq_nocase(word, words[i].word))
				break;
		if (i == sizeof(words) / sizeof(*words))
			fail(EX_USAGE, "-N %s: use never, or some of "
			    "success,failure,delay", argument);
		j->notify |= words[i].bit;
	}
	if ((j->notify & QN_NEVER) && j->notify != QN_NEVER)
		fail(EX_USAGE, "-N %s: never stands alone", argument);
}

static void
set_return(struct inject *j, const char *argument)
{
	j->mail.flags &= ~(QM_RET_FULL | QM_RET_HDRS);
	if (strcasecmp(argument, "full") == 0)
		j->mail.flags |= QM_RET_FULL;
	else if (strcasecmp(argument, "hdrs") == 0)
		j->mail.flags |= QM_RET_HDRS;
	else
		fail(EX_USAGE, "-R %s: use full or hdrs", argument);
}

/* RFC 3461 4.4: an envelope id is printable ASCII. */
static void
set_envid(struct inject *j, const char *argument)
{
	for (const char *p = argument; *p != '\0'; p++)
		if (*p < '!' || *p > '~')
			fail(EX_USAGE, "-V %s: printable ASCII without spaces "
			    "only", argument);
	if (strlen(argument) > 100)
		fail(EX_USAGE, "-V: more than 100 characters");
	strlcpy(j->mail.envid, argument, sizeof(j->mail.envid));
}

static void
set_body_type(struct inject *j, const char *argument)
{
	if (strcasecmp(argument, "8BITMIME") == 0)
		j->mail.flags |= QM_8BIT;
	else if (strcasecmp(argument, "7BIT") != 0)
		fail(EX_USAGE, "-B %s: use 7BIT or 8BITMIME", argument);
}

static void
set_sender(struct inject *j, const char *argument)
{
	j->sender_given = true;
	if (strcmp(argument, "") == 0 || strcmp(argument, "<>") == 0) {
		j->mail.sender[0] = '\0';
		return;
	}
	if (strlcpy(j->mail.sender, argument, sizeof(j->mail.sender)) >=
	    sizeof(j->mail.sender))
		fail(EX_USAGE, "-f: the address is too long");
}

/* -oi is the only one of sendmail's many that means something here. */
static void
set_old_option(struct inject *j, const char *argument)
{
	if (strcmp(argument, "i") == 0)
		j->input.ignore_dots = true;
}

static void
parse_options(struct inject *j, int argc, char **argv)
{
	int ch;

	while ((ch = getopt(argc, argv,
	            "+A:B:b:C:c:F:f:GhIiL:mN:nO:o:p:q::R:r:tUV:vX:")) != -1) {
		switch (ch) {
		case 'B':
			set_body_type(j, optarg);
			break;
		case 'b':
			set_mode(j, optarg);
			break;
		case 'C':
		case 'c':
			j->conf_path = optarg;
			break;
		case 'F':
			j->full_name = optarg;
			break;
		case 'f':
		case 'r':
			set_sender(j, optarg);
			break;
		case 'h':
			usage(stdout);
			exit(EX_OK);
		case 'I':
			j->mode = MODE_ALIASES;
			break;
		case 'i':
			j->input.ignore_dots = true;
			break;
		case 'N':
			set_notify(j, optarg);
			break;
		case 'o':
			set_old_option(j, optarg);
			break;
		case 'q':
			j->mode = MODE_REFUSED;
			j->refused = 'q';
			break;
		case 'R':
			set_return(j, optarg);
			break;
		case 't':
			j->extract = true;
			break;
		case 'V':
			set_envid(j, optarg);
			break;
		case 'v':
			j->verbose = true;
			break;
		case '?':
			usage(stderr);
			exit(EX_USAGE);
		default:
			break; /* taken for the sake of old callers */
		}
	}
}

/* mailq: the folder of this program has malle in it. */
__attribute__((noreturn)) static void
list_queue(const struct inject *j)
{
	char path[4096], *slash;
	const char *argv[8] = { "malle" };
	size_t n = 1;
	ssize_t len;

	if (j->conf_path != NULL) {
		argv[n++] = "-c";
		argv[n++] = j->conf_path;
	}
	argv[n++] = "queue";
	argv[n++] = "list";
	len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("malle"));
	if (len > 0) {
		path[len] = '\0';
		slash = strrchr(path, '/');
		strlcpy(slash + 1, "malle", sizeof("malle"));
		execv(path, (char *const *)argv);
	}
	execvp("malle", (char *const *)argv);
	fail(EX_OSFILE, "cannot run malle: %s", strerror(errno));
}

__attribute__((noreturn)) static void
refuse(const struct inject *j)
{
	switch (j->refused) {
	case 'd':
	case 'D':
		fail(EX_USAGE, "-b%c: the service is started by malle-start(8)",
		    j->refused);
	case 'q':
		fail(EX_USAGE, "-q: the queue runs by itself; see \"malle queue "
		    "retry\" and malle-queue-run(8)");
	case 's':
		fail(EX_USAGE, "-bs: SMTP is spoken on the service's ports, not "
		    "here; give the message on standard input");
	case 'v':
	case 't':
		fail(EX_USAGE, "-b%c: ask \"malle user list\" and \"malle alias "
		    "list\"", j->refused);
	default:
		fail(EX_USAGE, "-b%c: known are -bm, -bp and -bi", j->refused);
	}
}

/* The domain of addresses that have none. */
static const char *
own_domain(const struct inject *j)
{
	return *j->conf.default_domain != '\0' ? j->conf.default_domain :
	    j->conf.hostname;
}

/* local@own domain in canonical form. 0, or -1: that is no local part. */
static int
own_address(const struct inject *j, const char *local, char *out, size_t cap)
{
	struct addr a;
	char text[ADDR_TEXT_MAX];

	snprintf(text, sizeof(text), "%s@%s", local, own_domain(j));
	if (addr_parse(slice_of(text), &a) != ADDR_OK)
		return -1;
	addr_text(&a, out, cap);
	return 0;
}

/* The caller's login and name, from the password file. */
static void
learn_caller(struct inject *j)
{
	static char name[256];
	const struct passwd *pw = getpwuid(getuid());
	const char *gecos;

	snprintf(j->user, sizeof(j->user), "uid-%u", (unsigned)getuid());
	if (pw != NULL && strlen(pw->pw_name) < sizeof(j->user) &&
	    own_address(j, pw->pw_name, j->from, sizeof(j->from)) == 0)
		strlcpy(j->user, pw->pw_name, sizeof(j->user));
	else if (own_address(j, j->user, j->from, sizeof(j->from)) == -1)
		fail(EX_CONFIG, "%s: no address can be made of it; set hostname "
		    "in the configuration", own_domain(j));
	if (j->full_name == NULL)
		j->full_name = getenv("NAME");
	if (j->full_name == NULL && pw != NULL && pw->pw_gecos != NULL) {
		gecos = pw->pw_gecos;
		snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(gecos, ","), gecos);
		j->full_name = name;
	}
	if (j->full_name == NULL ||
	    strpbrk(j->full_name, "\r\n") != NULL)
		j->full_name = "";
}

static void
settle_sender(struct inject *j)
{
	struct addr a;

	if (!j->sender_given)
		strlcpy(j->mail.sender, j->from, sizeof(j->mail.sender));
	if (j->mail.sender[0] == '\0') {
		j->mail.lane = LANE_TRANSACTIONAL;
		return;
	}
	if (strchr(j->mail.sender, '@') == NULL) {
		char local[ADDR_TEXT_MAX];

		strlcpy(local, j->mail.sender, sizeof(local));
		if (own_address(j, local, j->mail.sender,
		        sizeof(j->mail.sender)) == -1)
			fail(EX_USAGE, "-f %s: no address", local);
	}
	if (addr_parse(slice_of(j->mail.sender), &a) != ADDR_OK)
		fail(EX_USAGE, "-f %s: no address", j->mail.sender);
	addr_text(&a, j->mail.sender, sizeof(j->mail.sender));
	strlcpy(j->from, j->mail.sender, sizeof(j->from));
	if (a.utf8)
		j->mail.flags |= QM_UTF8;
}

static void
take_recipients(struct inject *j, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		switch (recipients_add(&j->recipients, slice_of(argv[i]),
		    own_domain(j))) {
		case RECIPIENTS_OK:
			break;
		case RECIPIENTS_BAD:
			fail(EX_USAGE, "\"%s\" is no address", argv[i]);
		case RECIPIENTS_TOO_MANY:
			fail(EX_USAGE, "more than %d recipients",
			    SUBMISSION_RECIPIENTS_MAX);
		}
	}
}

/* Reads on until the text has at least want bytes or the message ends. */
static void
read_text(struct inject *j, size_t want)
{
	static char piece[PIECE];
	ssize_t n;

	while (!j->input.ended && j->text.len < want) {
		n = read(STDIN_FILENO, piece, sizeof(piece));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			fail(EX_IOERR, "standard input: %s; nothing was sent",
			    strerror(errno));
		if (n == 0)
			submission_finish(&j->input, &j->text);
		else
			submission_feed(&j->input,
			    slice_make(piece, (size_t)n), &j->text);
	}
	if (!str_ok(&j->text))
		fail(EX_TEMPFAIL, "out of memory; nothing was sent");
}

static bool
has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] & 0x80)
			return true;
	return false;
}

/* Reads the beginning of the message and completes its header. */
static struct slice
take_header(struct inject *j)
{
	char date[DATE_MAX], id[sizeof(j->conf.hostname) + 64], why[300];
	struct submission_defaults d = { j->from, j->full_name, own_domain(j),
		date, id };
	struct slice body;
	uint64_t noise;

	if (getrandom(&noise, sizeof(noise), 0) != sizeof(noise))
		fail(EX_TEMPFAIL, "getrandom: %s", strerror(errno));
	snprintf(id, sizeof(id), "<%llx.%x.%016llx@%s>",
	    (unsigned long long)time(NULL), (unsigned)getpid(),
	    (unsigned long long)noise, j->conf.hostname);
	date_rfc5322(time(NULL), date);

	read_text(j, SUBMISSION_HEADER_MAX);
	if (submission_header(str_slice(&j->text), &d, j->extract,
	        &j->recipients, &j->header, &body, why, sizeof(why)) == -1)
		fail(EX_DATAERR, "%s; nothing was sent", why);
	if (body.len == 0 && !j->input.ended)
		fail(EX_DATAERR, "the header is over %d bytes; nothing was sent",
		    SUBMISSION_HEADER_MAX);
	if (!j->input.ended || has_8bit(str_slice(&j->text)))
		j->mail.flags |= QM_8BIT; /* of a long one it is not known yet */
	return body;
}

__attribute__((noreturn)) static void
queue_lost(const char *what)
{
	fail(EX_TEMPFAIL, "the queue %s: %s; the message was not accepted, try "
	    "again", what, strerror(errno));
}

static int
connect_queue(const struct inject *j)
{
	char path[sizeof(j->conf.base) + 64];
	int fd;

	if (conf_path(&j->conf, "public/queue.sock", path, sizeof(path)) == -1)
		fail(EX_CONFIG, "%s: the path is too long", j->conf.base);
	if ((fd = queue_connect(path)) == -1)
		fail(EX_TEMPFAIL, "the queue does not answer: %s: %s; the "
		    "message was not accepted, try again (\"malle check\" "
		    "says what is wrong)", path, strerror(errno));
	return fd;
}

static void
send_envelope(struct inject *j, int fd)
{
	snprintf(j->mail.trace, sizeof(j->mail.trace), "from %s (local uid %u)",
	    j->user, (unsigned)getuid());
	strlcpy(j->mail.protocol, "local", sizeof(j->mail.protocol));
	j->mail.size = j->input.ended ? j->header.len + j->text.len : 0;
	if (j->recipients.utf8)
		j->mail.flags |= QM_UTF8;
	if (queue_mail(fd, &j->mail) == -1)
		queue_lost("is lost");
	for (size_t i = 0; i < j->recipients.n; i++)
		if (queue_rcpt(fd, j->recipients.v[i], j->notify,
		        SLICE_EMPTY) == -1)
			queue_lost("is lost");
}

/* Hands over what was read and what is still to come, then commits. */
static void
send_content(struct inject *j, int fd, struct slice body,
    struct queue_answer *answer)
{
	if (queue_data(fd, str_slice(&j->header)) == -1 ||
	    queue_data(fd, body) == -1)
		queue_lost("is lost");
	while (!j->input.ended) {
		str_clear(&j->text);
		read_text(j, PIECE);
		if (queue_data(fd, str_slice(&j->text)) == -1)
			queue_lost("is lost");
	}
	if (queue_commit(fd, SLICE_EMPTY, answer) == -1)
		queue_lost("gave no answer");
}

static int
deliver(struct inject *j, int argc, char **argv)
{
	struct queue_answer answer;
	struct slice body;
	int fd;

	learn_caller(j);
	settle_sender(j);
	take_recipients(j, argc, argv);
	if (j->recipients.n == 0 && !j->extract)
		fail(EX_USAGE, "no recipient; name some, or take them from the "
		    "header with -t");
	body = take_header(j);
	recipients_unique(&j->recipients);
	if (j->recipients.n == 0)
		fail(EX_USAGE, "the header names no recipient; nothing was sent");

	fd = connect_queue(j);
	send_envelope(j, fd);
	send_content(j, fd, body, &answer);
	close(fd);
	switch (answer.result) {
	case QUEUE_OK:
		if (j->verbose)
			printf("%s\n", answer.id);
		return EX_OK;
	case QUEUE_TEMPORARY:
		fail(EX_TEMPFAIL, "%s %s", answer.enhanced, answer.text);
	case QUEUE_PERMANENT:
		fail(EX_UNAVAILABLE, "%s %s", answer.enhanced, answer.text);
	}
	fail(EX_PROTOCOL, "the queue's answer makes no sense");
}

int
main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "malle-inject";
	struct inject *j = &inject;

	if (strrchr(name, '/') != NULL)
		name = strrchr(name, '/') + 1;
	j->program = name;
	signal(SIGPIPE, SIG_IGN);
	parse_options(j, argc, argv);
	if (strcmp(name, "mailq") == 0)
		j->mode = MODE_LIST_QUEUE;
	else if (strcmp(name, "newaliases") == 0)
		j->mode = MODE_ALIASES;

	switch (j->mode) {
	case MODE_LIST_QUEUE:
		list_queue(j);
	case MODE_ALIASES:
		puts("Aliases take effect at once: there is nothing to do. "
		     "See \"malle alias list\".");
		return EX_OK;
	case MODE_REFUSED:
		refuse(j);
	case MODE_DELIVER:
		break;
	}
	if (conf_load(&j->conf, j->conf_path, stderr) == -1)
		fail(EX_CONFIG, "mend the configuration, or name another with "
		    "-C; nothing was sent");
	return deliver(j, argc - optind, argv + optind);
}
