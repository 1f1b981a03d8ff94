/* letter.c - what the service itself writes to one of its users. */
/* SPDX-License-Identifier: ISC */

#include "lib/letter.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/addr.h"
#include "lib/encode.h"

void
letter_paragraph(struct str *text, const char *fmt, ...)
{
	char words[LETTER_PARAGRAPH];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	if (text->len > 0)
		str_putc(text, '\n');
	encode_paragraph(text, 0, words);
}

void
letter_greet(struct str *text, bool is_french)
{
	letter_paragraph(text, "%s", is_french ? "Bonjour," : "Hello,");
}

static void
put_from(struct str *out, const struct letter *l)
{
	char address[ADDR_TEXT_MAX + sizeof(" <MAILER-DAEMON@>")];

	if (l->from != NULL)
		snprintf(address, sizeof(address), " <%s>", l->from);
	else
		snprintf(address, sizeof(address), " <MAILER-DAEMON@%s>",
		    l->hostname);
	encode_field_text(out, "From", slice_of(l->is_french ?
	    "Service de messagerie" : "Mail Delivery System"), address);
}

void
letter_write(struct str *out, const struct letter *l, struct slice text)
{
	str_printf(out, "Date: %s\n", l->date);
	put_from(out, l);
	str_printf(out, "To: <%s>\n", l->to);
	if (l->cc != NULL)
		str_printf(out, "Cc: <%s>\n", l->cc);
	encode_field_text(out, "Subject", slice_of(l->subject), "");
	str_printf(out, "Message-ID: <%s>\n", l->message_id);
	str_puts(out, "Auto-Submitted: auto-generated\n"
	    "X-Auto-Response-Suppress: All\n");
	str_printf(out, "Content-Language: %s\n", l->is_french ? "fr" : "en");
	str_puts(out, "MIME-Version: 1.0\n"
	    "Content-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n");
	encode_quoted_printable(out, text);
}

void
letter_deliver(struct str *out, const struct letter *l, struct slice text)
{
	str_printf(out, "Return-Path: <>\nDelivered-To: %s\n", l->to);
	letter_write(out, l, text);
}
