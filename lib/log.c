/* log.c - one line, one event: key=value, message id first. */
/* SPDX-License-Identifier: ISC */

#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_ 4096
#define VALUE_MAX 500
#define SYSLOG_MAIL (2 << 3)

static struct {
	const char *program;
	enum log_level level;
	bool syslog;
} state = { "malle", LOG_INFO_, false };

void
log_open(const char *program)
{
	const char *to = getenv("MALLE_LOG");

	state.program = program;
	state.syslog = to != NULL && strcmp(to, "syslog") == 0;
}

void
log_level(enum log_level level)
{
	state.level = level;
}

/* The beginning of a line, up to the id. Returns its length. */
static size_t
put_head(char *line, size_t cap, enum log_level level)
{
	static const int priority[] = { 3, 5, 6, 7 };
	struct timespec ts;
	struct tm tm;
	int n;

	if (state.syslog)
		n = snprintf(line, cap, "<%d>%s[%d]: ",
		    SYSLOG_MAIL | priority[level], state.program, getpid());
	else {
		clock_gettime(CLOCK_REALTIME, &ts);
		gmtime_r(&ts.tv_sec, &tm);
		n = snprintf(line, cap,
		    "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ %s[%d] ",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000, state.program,
		    getpid());
	}
	return n < 0 ? 0 : (size_t)n;
}

/* Whatever a caller forgot to quote: a line stays one line. */
static void
blank_controls(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
			p[i] = ' ';
}

void
log_event(enum log_level level, const char *id, const char *event,
    const char *fmt, ...)
{
	char line[LINE_MAX_];
	size_t len;
	va_list ap;
	int n;

	if (level > state.level)
		return;
	len = put_head(line, sizeof(line) - 1, level);
	n = snprintf(line + len, sizeof(line) - 1 - len, "%s %s%s",
	    id != NULL ? id : "-", event, *fmt != '\0' ? " " : "");
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - 1 - len, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	blank_controls(line, len);
	if (!state.syslog)
		line[len++] = '\n';
	/* A log that cannot be written has nowhere to complain. */
	if (write(STDERR_FILENO, line, len) == -1)
		return;
}

static bool
is_plain(unsigned char c)
{
	return c > ' ' && c != '"' && c != '\\' && c != '=' && c != 0x7f;
}

/* "\\xNN"; returns 4. */
static size_t
put_hex(char *out, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = 'x';
	out[2] = digits[c >> 4];
	out[3] = digits[c & 15];
	return 4;
}

const char *
log_quote(struct slice value)
{
	static char space[8][VALUE_MAX * 4 + 8];
	static unsigned turn;
	char *out = space[turn++ % 8];
	const unsigned char *p = (const unsigned char *)value.p;
	size_t n = 0, len = value.len < VALUE_MAX ? value.len : VALUE_MAX;
	bool quote = value.len == 0;

	for (size_t i = 0; i < len && !quote; i++)
		quote = !is_plain(p[i]) || p[i] >= 0x80;
	if (quote)
		out[n++] = '"';
	for (size_t i = 0; i < len; ) {
		size_t seq = p[i] >= 0x80 ?
		    slice_utf8(slice_make(p + i, len - i)) : (is_plain(p[i]) ||
		    p[i] == ' ' || p[i] == '=') ? 1 : 0;

		if (seq == 0) {
			n += put_hex(out + n, p[i]);
			seq = 1;
		} else {
			memcpy(out + n, p + i, seq);
			n += seq;
		}
		i += seq;
	}
	if (quote)
		out[n++] = '"';
	out[n] = '\0';
	return out;
}
