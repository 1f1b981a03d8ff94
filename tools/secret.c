/* secret.c - passwords from a terminal or standard input, never from argv. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "lib/addr.h"
#include "tools/account.h"

#define PASSWORD_LETTERS 16
#define CODE_LETTERS 28

/* One line of fd without its end, byte by byte: nothing behind it is taken.
 * Its length, or -1: too long, nothing there, or failed. */
static ssize_t
read_line(int fd, char *out)
{
	size_t n = 0;
	ssize_t r;
	char c;

	while ((r = read(fd, &c, 1)) == 1 && c != '\n') {
		if (n == SECRET_MAX)
			return -1;
		out[n++] = c;
	}
	if (r == -1 || (r == 0 && n == 0))
		return -1;
	if (n > 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	return (ssize_t)n;
}

static int
no_secret(const struct malle *m)
{
	fputs(tr(m, "malle: no password (one line, at most 512 bytes)\n",
	    "malle : pas de mot de passe (une ligne de 512 octets au plus)\n"),
	    stderr);
	return -1;
}

int
secret_ask(const struct malle *m, const char *prompt, char *out)
{
	struct termios quiet, before;
	sigset_t held, old;
	ssize_t n;
	int fd;

	if ((fd = open("/dev/tty", O_RDWR | O_CLOEXEC)) == -1 ||
	    tcgetattr(fd, &before) == -1) {
		fputs(tr(m, "malle: no terminal to ask for a password on: give "
		    "it on standard input\n", "malle : pas de terminal pour "
		    "demander un mot de passe : donnez-le sur l'entrée "
		    "standard\n"), stderr);
		if (fd != -1)
			close(fd);
		return -1;
	}
	/* The echo must not stay off when the person gives up. */
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTSTP);
	sigprocmask(SIG_BLOCK, &held, &old);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fd, TCSAFLUSH, &quiet);
	dprintf(fd, "%s", prompt);
	n = read_line(fd, out);
	dprintf(fd, "\n");
	tcsetattr(fd, TCSAFLUSH, &before);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fd);
	return n <= 0 ? no_secret(m) : 0;
}

static int
ask_twice(const struct malle *m, char *out)
{
	char again[SECRET_MAX + 1];
	int r = -1;

	if (secret_ask(m, tr(m, "New password: ", "Nouveau mot de passe : "),
	    out) == 0 && secret_ask(m, tr(m, "Once more: ",
	    "Encore une fois : "), again) == 0) {
		if (strcmp(out, again) == 0)
			r = 0;
		else
			fputs(tr(m, "malle: the two are not the same\n",
			    "malle : les deux saisies diffèrent\n"), stderr);
	}
	explicit_bzero(again, sizeof(again));
	return r;
}

int
secret_new(const struct malle *m, bool from_stdin, char *out)
{
	if (!from_stdin && isatty(STDIN_FILENO))
		return ask_twice(m, out);
	return read_line(STDIN_FILENO, out) <= 0 ? no_secret(m) : 0;
}

int
secret_own(const struct malle *m, char *out)
{
	return isatty(STDIN_FILENO) ? secret_ask(m, tr(m, "Your password: ",
	    "Votre mot de passe : "), out) : secret_new(m, true, out);
}

/* The registry refuses a password with the name in it, of three letters or
 * more; one of chance must not be refused. */
static bool
has_name(const char *secret, const char *name)
{
	char local[ADDR_LOCAL_MAX + 1];
	size_t len = strcspn(name, "@");

	return len >= 3 &&
	    slice_to_cstr(slice_make(name, len), local, sizeof(local)) == 0 &&
	    strcasestr(secret, local) != NULL;
}

/* So many characters of five bits, in groups of four. */
static int
make_random(size_t count, char *out)
{
	/* 32 letters and digits that nobody mixes up. */
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char bytes[CODE_LETTERS];
	size_t n = 0;

	if (getrandom(bytes, count, 0) != (ssize_t)count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && i % 4 == 0)
			out[n++] = '-';
		out[n++] = letters[bytes[i] % 32];
	}
	out[n] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

int
secret_random(const char *name, char *out)
{
	do
		if (make_random(PASSWORD_LETTERS, out) == -1)
			return -1;
	while (has_name(out, name));
	return 0;
}

int
secret_code(char *out)
{
	return make_random(CODE_LETTERS, out);
}

void
secret_tidy_code(char *code)
{
	char letters[SECRET_MAX + 1];
	size_t n = 0, to = 0;

	for (const char *p = code; *p != '\0'; p++)
		if (*p != '-' && *p != ' ' && *p != '\t')
			letters[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p | 32 :
			    *p);
	/* What is too long is none, in whatever form. */
	for (size_t i = 0; i < n && to + 1 < SECRET_MAX; i++) {
		if (i > 0 && i % 4 == 0)
			code[to++] = '-';
		code[to++] = letters[i];
	}
	code[to] = '\0';
	explicit_bzero(letters, sizeof(letters));
}
