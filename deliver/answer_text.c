/* answer_text.c - composes what an account answers (RFC 3834), pure. */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nobody's bytes. What comes from the header of a stranger is cleaned,
 * cut and encoded; a message id that is none is left out.
 */

#include "deliver/answer_text.h"

#include <stdio.h>

#include "lib/date.h"
#include "lib/encode.h"
#include "lib/hdr.h"

#define SUBJECT_SHOWN 200	/* bytes of a stranger's subject */
#define LINE_MAX_ASCII 76	/* longer lines are encoded */
#define REFERENCES_MAX 10

/* What of the message that is answered goes into the answer. */
struct thread {
	struct slice subject, message_id;
	struct slice references;	/* or In-Reply-To */
};

static void
read_thread(struct slice header, struct thread *t)
{
	struct slice in_reply_to = SLICE_EMPTY;
	struct hdr_field field;

	*t = (struct thread){ SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY };
	while (hdr_next(&header, &field) == HDR_FIELD) {
		if (hdr_is(&field, "Subject") && t->subject.len == 0)
			t->subject = field.value;
		else if (hdr_is(&field, "Message-ID") &&
		    t->message_id.len == 0)
			t->message_id = field.value;
		else if (hdr_is(&field, "References") &&
		    t->references.len == 0)
			t->references = field.value;
		else if (hdr_is(&field, "In-Reply-To") && in_reply_to.len == 0)
			in_reply_to = field.value;
	}
	if (t->references.len == 0)
		t->references = in_reply_to;
}

/* The next message id of a list; .p NULL at its end. */
static struct slice
next_id(struct slice *rest)
{
	const char *end;
	size_t n;

	while (rest->len > 0 && rest->p[0] != '<')
		*rest = slice_skip(*rest, 1);
	if (rest->len == 0 ||
	    (end = memchr(rest->p, '>', rest->len)) == NULL)
		return slice_make(NULL, 0);
	n = (size_t)(end - rest->p) + 1;
	*rest = slice_skip(*rest, n);
	return slice_make(end + 1 - n, n);
}

/* RFC 5322 3.6.4: what it refers to, the newest last. */
static void
put_references(struct str *out, const struct thread *t)
{
	struct slice ids[REFERENCES_MAX], rest = t->references, id;
	size_t n = 0;

	if (!hdr_is_message_id(t->message_id))
		return;
	while ((id = next_id(&rest)).p != NULL) {
		if (!hdr_is_message_id(id))
			continue;
		/* The first tells where it began, the last what it is about. */
		if (n == REFERENCES_MAX)
			memmove(&ids[1], &ids[2],
			    (--n - 1) * sizeof(ids[0]));
		ids[n++] = id;
	}
	str_printf(out, "In-Reply-To: %.*s\nReferences:",
	    SLICE_FMT(t->message_id));
	for (size_t i = 0; i < n; i++)
		str_printf(out, "%s%.*s\n", i == 0 ? " " : "\t",
		    SLICE_FMT(ids[i]));
	str_printf(out, "%s%.*s\n", n == 0 ? " " : "\t",
	    SLICE_FMT(t->message_id));
}

static bool
is_french(const struct answer_job *j)
{
	return strcmp(j->language, "fr") == 0;
}

static void
put_subject(struct str *out, const struct answer_job *j,
    struct slice subject)
{
	struct str text = STR_INIT(ANSWER_LINE_MAX);
	char line[ANSWER_LINE_MAX + 1], shown[SUBJECT_SHOWN + 1];

	if (j->subject.len == 0) {
		struct str decoded = STR_INIT(ANSWER_LINE_MAX);

		encode_decode_words(&decoded, slice_make(subject.p,
		    subject.len < 4 * SUBJECT_SHOWN ? subject.len :
		    4 * SUBJECT_SHOWN));
		encode_clean(str_slice(&decoded), false, shown, sizeof(shown));
		/* RFC 3834 3.1.5 asks for a prefix that tells. */
		str_puts(&text, is_french(j) ? "Réponse automatique\u00a0: " :
		    "Auto: ");
		str_puts(&text, shown);
		str_free(&decoded);
	} else {
		str_put(&text, j->subject);
	}
	encode_clean(str_slice(&text), false, line, sizeof(line));
	if (encode_is_ascii(slice_of(line)))
		encode_field(out, "Subject", slice_of(line));
	else
		encode_field_text(out, "Subject", slice_of(line), "");
	str_free(&text);
}

/* RFC 5322 3.4: "a name" <address>, in as few lines as it takes. */
static void
put_from(struct str *out, const struct answer_job *j)
{
	char name[SUBJECT_SHOWN + 1], tail[ADDR_TEXT_MAX + 8];

	encode_clean(j->full_name, false, name, sizeof(name));
	if (name[0] == '\0') {
		str_printf(out, "From: %s\n", j->from);
		return;
	}
	if (!encode_is_ascii(slice_of(name))) {
		snprintf(tail, sizeof(tail), "\n <%s>", j->from);
		encode_field_text(out, "From", slice_of(name), tail);
		return;
	}
	str_puts(out, "From: \"");
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			str_putc(out, '\\');
		str_putc(out, *p);
	}
	str_printf(out, "\"\n <%s>\n", j->from);
}

/* True when the text may travel as it is. */
static bool
is_plain(struct slice text)
{
	if (!encode_is_ascii(text) ||
	    encode_longest_line(text) > LINE_MAX_ASCII)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((text.p[i] < ' ' && text.p[i] != '\n' &&
		    text.p[i] != '\t') || text.p[i] == 0x7f)
			return false;
	return true;
}

static void
put_body(struct str *out, const struct answer_job *j)
{
	str_puts(out, "MIME-Version: 1.0\n"
	    "Content-Type: text/plain; charset=utf-8\n");
	if (is_plain(j->text)) {
		str_puts(out, "Content-Transfer-Encoding: 7bit\n\n");
		str_put(out, j->text);
		if (j->text.len == 0 || j->text.p[j->text.len - 1] != '\n')
			str_putc(out, '\n');
		return;
	}
	str_puts(out, "Content-Transfer-Encoding: quoted-printable\n\n");
	encode_quoted_printable(out, j->text);
}

void
answer_compose(struct str *out, const struct answer_job *j,
    struct slice header, const char *hostname, time_t now)
{
	char date[DATE_MAX];
	struct thread t;

	read_thread(header, &t);
	str_printf(out, "Date: %s\n", date_rfc5322_at(now,
	    zone_clock(j->zone, now), date));
	put_from(out, j);
	str_printf(out, "To: <%s>\n", j->sender);
	put_subject(out, j, t.subject);
	/* Given anew after a crash, it is the same letter. */
	str_printf(out, "Message-ID: <%s.%u.answer@%s>\n", j->id,
	    (unsigned)j->recipient, hostname);
	put_references(out, &t);
	/* RFC 3834 3.1.7, and what programs know that do not know it. */
	str_puts(out, "Auto-Submitted: auto-replied\nPrecedence: bulk\n"
	    "X-Auto-Response-Suppress: All\n");
	str_printf(out, "Content-Language: %s\n",
	    is_french(j) ? "fr" : "en");
	put_body(out, j);
}
