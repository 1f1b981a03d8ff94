/* reply.c - answers and refusals. */
/* SPDX-License-Identifier: ISC */

#include <stdarg.h>
#include <stdio.h>

#include "lib/log.h"
#include "smtpd/session.h"

#define TEXT_MAX 1200

/* Limits: an answer is one line, whatever its text was made of. */

static void
keep_one_line(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

void
reply(struct session *s, const char *code, const char *fmt, ...)
{
	char text[TEXT_MAX] = "";
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	keep_one_line(text);
	buf_printf(&s->io, "%s %s\r\n", code, text);
}

void
refuse(struct session *s, const char *stage, const char *to, const char *code,
    const char *fmt, ...)
{
	char text[TEXT_MAX] = "", from[ADDR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	keep_one_line(text);
	addr_text(&s->transaction.mail.sender, from, sizeof(from));
	log_info(NULL, "reject",
	    "session=%s stage=%s client=%s from=%s to=%s code=%.3s text=%s",
	    s->id, stage, s->client, LOGS(from), LOGS(to), code,
	    LOGS(text));
	if (code[0] == '5')
		s->errors++;
	buf_printf(&s->io, "%s %s\r\n", code, text);
}

#define TOO_LONG "the address is too long: 64 bytes before the @, 254 in all"
#define NOT_UTF8 "the address has bytes that are not UTF-8"

/* RFC 3463 3.2: X.1.3 is of a recipient, X.1.7 of a sender. */
/* clang-format off */
static const struct {
	const char *code, *text;
} faults[] = {
	[PARAMS_OK] = { "", "" },
	[PARAMS_SYNTAX] = { "501 5.5.4",
	    "the argument does not have the form that this command needs" },
	[PARAMS_SENDER] = { "501 5.1.7",
	    "this is no sender address: write MAIL FROM:<name@domain>" },
	[PARAMS_SENDER_LONG] = { "501 5.1.7", TOO_LONG },
	[PARAMS_SENDER_UTF8] = { "501 5.1.7", NOT_UTF8 },
	[PARAMS_RECIPIENT] = { "501 5.1.3",
	    "this is no recipient address: write RCPT TO:<name@domain>" },
	[PARAMS_RECIPIENT_LONG] = { "501 5.1.3", TOO_LONG },
	[PARAMS_RECIPIENT_UTF8] = { "501 5.1.3", NOT_UTF8 },
	[PARAMS_NEEDS_SMTPUTF8] = { "553 5.6.7",
	    "an address that is not ASCII needs SMTPUTF8 in MAIL" },
	[PARAMS_UNKNOWN] = { "555 5.5.4",
	    "a parameter is unknown here: use what EHLO lists" },
	[PARAMS_VALUE] = { "501 5.5.4",
	    "the value of a parameter is missing or wrong" },
	[PARAMS_TWICE] = { "501 5.5.4",
	    "a parameter is given twice" },
};
/* clang-format on */

void
refuse_params(struct session *s, const char *stage, enum params_status status)
{
	refuse(s, stage, "", faults[status].code, "%s", faults[status].text);
}
