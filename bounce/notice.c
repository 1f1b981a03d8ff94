/* notice.c - composes a delivery status notification (RFC 3464), pure. */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nobody's bytes. Every text of a stranger passes encode_clean() or is
 * returned as a part whose boundary does not occur in it; what could not travel
 * as it is (NUL, CR, lines over 998 bytes) is returned encoded or as header.
 * Limits: 64 KiB of header, 512 KiB of original, 4 MiB in all.
 */

#include "bounce/notice.h"

#include <stdio.h>
#include <string.h>

#include "bounce/words.h"
#include "lib/date.h"
#include "lib/encode.h"
#include "lib/hdr.h"

#define LINE_LIMIT 998		/* RFC 5322 2.1.1 */
#define SHOWN_MAX 200		/* of a subject */

/* How the original is returned. */
enum original_form {
	ORIGINAL_FULL,		/* message/rfc822 or message/global */
	ORIGINAL_HEADER,	/* text/rfc822-headers, message/global-headers */
	ORIGINAL_HEADER_QP	/* the same, quoted-printable */
};

struct compose {
	const struct notice_input *in;
	const struct bounce_notice *notice;
	const struct words *words;
	struct slice header;	/* of the original */
	enum original_form form;
	bool utf8_addresses;	/* in the report */
	bool utf8_original;	/* header of the original */
	char boundary[64];
	struct str *out;
	struct notice_facts facts;
};

struct slice
notice_header(struct slice original)
{
	struct slice rest = original;
	struct hdr_field field;
	size_t len = 0;

	while (hdr_next(&rest, &field) == HDR_FIELD) {
		size_t end = (size_t)(field.whole.p + field.whole.len -
		    original.p);

		if (end > NOTICE_HEADER_MAX)
			break;
		len = end;
	}
	return slice_make(original.p, len);
}

/* The value of the first field of this name; .p NULL when there is none. */
static struct slice
header_value(struct slice header, const char *name)
{
	struct hdr_field field;

	while (hdr_next(&header, &field) == HDR_FIELD)
		if (hdr_is(&field, name))
			return slice_trim(field.value);
	return slice_make(NULL, 0);
}

/* True when mail can carry these bytes as they are. */
static bool
can_travel(struct slice s)
{
	return memchr(s.p, '\0', s.len) == NULL &&
	    memchr(s.p, '\r', s.len) == NULL &&
	    encode_longest_line(s) <= LINE_LIMIT;
}

static enum original_form
choose_form(const struct compose *c)
{
	struct slice all = c->in->original;

	/* RFC 3461 6.2: RET=FULL is for failures. */
	if (c->notice->kind == BOUNCE_FAILURE &&
	    (c->notice->flags & QM_RET_FULL) != 0 && c->in->original_whole &&
	    all.len <= NOTICE_FULL_MAX && all.len > c->header.len &&
	    can_travel(all) &&
	    (c->utf8_original || encode_is_ascii(c->header)))
		return ORIGINAL_FULL;
	if (can_travel(c->header) &&
	    (c->utf8_original || encode_is_ascii(c->header)))
		return ORIGINAL_HEADER;
	return ORIGINAL_HEADER_QP;
}

/* A boundary that occurs nowhere in what strangers have written. */
static void
choose_boundary(struct compose *c)
{
	unsigned attempt = 0;

	do {
		snprintf(c->boundary, sizeof(c->boundary), "malle-%.32s-%u",
		    c->in->random, attempt++);
	} while (memmem(c->in->original.p, c->in->original.len, c->boundary,
	    strlen(c->boundary)) != NULL);
}

/* The address that the sender knows this recipient by. */
static const char *
known_address(const struct bounce_recipient *r)
{
	return r->original[0] != '\0' ? r->original : r->address;
}

static bool
has_utf8_addresses(const struct notice_input *in)
{
	for (size_t i = 0; i < in->notice->recipients; i++) {
		struct slice address = slice_of(in->recipients[i].address);

		if (!encode_is_ascii(address) && encode_is_utf8(address))
			return true;
	}
	return false;
}

/* What the clocks of whom it goes to are ahead of UTC: one notice, one clock,
 * the report (RFC 3464 2.2.5: dates with their offset) too. */
static int
east_at(const struct compose *c, int64_t when)
{
	return zone_clock(c->notice->zone, (time_t)when);
}

/* --- the header of the notice --- */

static const char *
subject_of(const struct compose *c)
{
	if (c->notice->is_double)
		return c->words->subject_double;
	switch (c->notice->kind) {
	case BOUNCE_FAILURE:
		return c->words->subject_failure;
	case BOUNCE_DELAY:
		return c->words->subject_delay;
	case BOUNCE_SUCCESS:
		return c->words->subject_success;
	}
	return c->words->subject_failure;
}

static void
put_header(struct compose *c)
{
	struct slice id = header_value(c->header, "Message-ID");
	char date[DATE_MAX], tail[ADDR_DOMAIN_MAX + 32];
	struct str *out = c->out;

	snprintf(tail, sizeof(tail), " <MAILER-DAEMON@%s>", c->in->hostname);
	encode_field_text(out, "From", slice_of(c->words->from), tail);
	str_printf(out, "To: <%s>\n", c->notice->to);
	encode_field_text(out, "Subject", slice_of(subject_of(c)), "");
	str_printf(out, "Date: %s\n", date_rfc5322_at(c->in->now,
	    east_at(c, c->in->now), date));
	str_printf(out, "Message-ID: <%.32s@%s>\n", c->in->random,
	    c->in->hostname);
	if (id.p != NULL && hdr_is_message_id(id)) {
		str_printf(out, "In-Reply-To: %.*s\n", SLICE_FMT(id));
		str_printf(out, "References: %.*s\n", SLICE_FMT(id));
	}
	/* RFC 3834 section 5: nobody may answer this automatically. */
	str_puts(out, "Auto-Submitted: auto-replied\n");
	str_puts(out, "MIME-Version: 1.0\n");
	str_printf(out, "Content-Type: multipart/report; "
	    "report-type=%s;\n\tboundary=\"%s\"\n", c->utf8_addresses ?
	    "global-delivery-status" : "delivery-status", c->boundary);
	if (c->facts.has_8bit)
		str_puts(out, "Content-Transfer-Encoding: 8bit\n");
	str_puts(out, "\nThis is a delivery status notification in MIME "
	    "format.\n");
}

static void
put_part(struct compose *c, const char *type, const char *encoding)
{
	str_printf(c->out, "\n--%s\nContent-Type: %s\n", c->boundary, type);
	if (encoding != NULL)
		str_printf(c->out, "Content-Transfer-Encoding: %s\n", encoding);
}

/* --- the text for people --- */

/* A paragraph from a format of the words and foreign texts, cleaned here. */
static void
put_line(struct str *text, unsigned indent, const char *fmt, const char *a,
    const char *b)
{
	char line[2 * QUEUE_TEXT_MAX + 1024];

	/* The formats are ours: words.c. */
	snprintf(line, sizeof(line), fmt, a, b);
	encode_paragraph(text, indent, line);
}

/* "3 days": how long the recipient was tried. "" for less than two hours. */
static void
put_retried(const struct compose *c, struct str *text,
    const struct bounce_recipient *r)
{
	long long seconds = (long long)(r->last_attempt - c->notice->arrival);
	char how_long[64];

	if (r->last_attempt == 0 || seconds < 2 * 3600)
		return;
	if (seconds < 48 * 3600)
		snprintf(how_long, sizeof(how_long), c->words->hours,
		    seconds / 3600);
	else
		snprintf(how_long, sizeof(how_long), c->words->days,
		    seconds / 86400);
	put_line(text, 4, c->words->retried, how_long, NULL);
}

/* What the server, or ours, has said about it. */
static void
put_said(const struct compose *c, struct str *text,
    const struct bounce_recipient *r)
{
	char said[QUEUE_TEXT_MAX + 1], server[ADDR_DOMAIN_MAX + 1];

	encode_clean(slice_of(r->text), false, said, sizeof(said));
	encode_clean(slice_of(r->remote), true, server, sizeof(server));
	if (said[0] == '\0')
		return;
	if (server[0] == '\0')
		put_line(text, 4, c->words->detail, said, NULL);
	else
		put_line(text, 4, c->words->server_said, server, said);
}

/* A date for people, with label (its text) or fmt around it; 0 is none. */
static void
put_when(const struct compose *c, struct str *text, unsigned indent,
    const char *fmt, const char *label, int64_t when)
{
	char date[64];

	if (when == 0)
		return;
	date_text((time_t)when, east_at(c, when), c->words->date_format, date,
	    sizeof(date));
	if (label != NULL)
		put_line(text, indent, fmt, label, date);
	else
		put_line(text, indent, fmt, date, NULL);
}

static void
put_failed(const struct compose *c, struct str *text,
    const struct bounce_recipient *r)
{
	const struct words_cause *cause = words_cause(c->words, r->status);

	encode_paragraph(text, 4, cause->what);
	put_retried(c, text, r);
	put_line(text, 4, "%s%s", c->words->advice, cause->advice);
	put_said(c, text, r);
}

static void
put_delayed(const struct compose *c, struct str *text,
    const struct bounce_recipient *r)
{
	encode_paragraph(text, 4, words_cause(c->words, r->status)->what);
	put_said(c, text, r);
	put_when(c, text, 4, c->words->retry_until, NULL, r->retry_until);
}

/* One recipient: the address, and its fate. */
static void
put_recipient(const struct compose *c, struct str *text,
    const struct bounce_recipient *r)
{
	char address[ADDR_TEXT_MAX];

	encode_clean(slice_of(known_address(r)), false, address,
	    sizeof(address));
	str_printf(text, "\n  %s\n", address);
	switch (r->action) {
	case ACTION_FAILED:
		put_failed(c, text, r);
		break;
	case ACTION_DELAYED:
		put_delayed(c, text, r);
		break;
	case ACTION_DELIVERED:
		encode_paragraph(text, 4, c->words->delivered);
		break;
	case ACTION_RELAYED:
		encode_paragraph(text, 4, c->words->relayed);
		break;
	case ACTION_EXPANDED:
		encode_paragraph(text, 4, c->words->expanded);
		break;
	}
}

static void
put_opening(const struct compose *c, struct str *text)
{
	const struct words *w = c->words;
	bool one = c->notice->recipients == 1;

	str_printf(text, "%s\n\n", w->greeting);
	if (c->notice->is_double) {
		encode_paragraph(text, 0, w->is_double);
		return;
	}
	switch (c->notice->kind) {
	case BOUNCE_FAILURE:
		encode_paragraph(text, 0, one ? w->failure_one :
		    w->failure_many);
		break;
	case BOUNCE_DELAY:
		encode_paragraph(text, 0, one ? w->delay_one : w->delay_many);
		break;
	case BOUNCE_SUCCESS:
		encode_paragraph(text, 0, one ? w->success_one :
		    w->success_many);
		break;
	}
}

/* Which message this is about, in the sender's own terms. */
static void
put_about(const struct compose *c, struct str *text)
{
	struct slice subject = header_value(c->header, "Subject");
	struct str decoded = STR_INIT(8192);
	char shown[SHOWN_MAX + 1];

	str_printf(text, "\n%s\n", c->words->your_message);
	if (subject.p != NULL) {
		if (subject.len > 4096)
			subject.len = 4096;
		encode_decode_words(&decoded, subject);
		encode_clean(str_slice(&decoded), false, shown, sizeof(shown));
		put_line(text, 2, "%s%s", c->words->fact_subject, shown);
	}
	put_when(c, text, 2, "%s%s", c->words->fact_date, c->notice->arrival);
	put_line(text, 2, "%s%s", c->words->fact_id, c->notice->id);
	str_putc(text, '\n');
	encode_paragraph(text, 0, c->form == ORIGINAL_FULL ?
	    c->words->original_full : c->words->original_header);
	str_free(&decoded);
}

static void
put_text_part(struct compose *c)
{
	struct str text = STR_INIT(NOTICE_MAX);

	put_opening(c, &text);
	for (size_t i = 0; i < c->notice->recipients; i++)
		put_recipient(c, &text, &c->in->recipients[i]);
	put_about(c, &text);
	str_puts(&text, "\n-- \n");
	put_line(&text, 0, c->words->signature, c->in->hostname, NULL);

	put_part(c, "text/plain; charset=utf-8", "quoted-printable");
	str_printf(c->out, "Content-Language: %s\n\n", c->words->language);
	encode_quoted_printable(c->out, str_slice(&text));
	if (!str_ok(&text))
		c->out->bad = true;
	str_free(&text);
}

/* --- the report for programs --- */

/* A field with a type before its value: "Status: dns; mx.exemple.test". */
static void
put_typed(struct compose *c, const char *name, const char *type,
    struct slice value)
{
	char clean[QUEUE_TEXT_MAX + 1], line[QUEUE_TEXT_MAX + 64];
	int n;

	encode_clean(value, !c->utf8_addresses, clean, sizeof(clean));
	n = snprintf(line, sizeof(line), "%s; %s", type, clean);
	encode_field(c->out, name, slice_make(line, (size_t)n));
}

static void
put_date(struct compose *c, const char *name, int64_t when)
{
	char date[DATE_MAX];

	if (when != 0)
		str_printf(c->out, "%s: %s\n", name,
		    date_rfc5322_at((time_t)when, east_at(c, when), date));
}

/* RFC 3461 4.2: "type;xtext", only when the sender has given it. */
static void
put_orcpt(struct compose *c, const char *orcpt)
{
	struct slice value = slice_of(orcpt), type = slice_cut(&value, ';');
	char decoded[QUEUE_ORCPT_MAX], name[32];

	if (value.p == NULL || type.len == 0 || type.len >= sizeof(name))
		return;
	encode_clean(type, true, name, sizeof(name));
	if (!slice_eq_nocase(type, SLICE("utf-8")))
		value = slice_make(decoded, encode_decode_xtext(value, decoded,
		    sizeof(decoded)));
	put_typed(c, "Original-Recipient", name, value);
}

static const char *
action_name(enum bounce_action action)
{
	switch (action) {
	case ACTION_FAILED:
		return "failed";
	case ACTION_DELAYED:
		return "delayed";
	case ACTION_DELIVERED:
		return "delivered";
	case ACTION_RELAYED:
		return "relayed";
	case ACTION_EXPANDED:
		return "expanded";
	}
	return "failed";
}

/* "5.1.1", or the class alone where the status is none (RFC 3463 section 2). */
static void
put_status(struct compose *c, const struct bounce_recipient *r)
{
	const char *fallback = r->action == ACTION_FAILED ? "5.0.0" :
	    r->action == ACTION_DELAYED ? "4.0.0" : "2.0.0";
	unsigned class, subject, detail;
	int end = 0;

	if (sscanf(r->status, "%1u.%3u.%3u%n", &class, &subject, &detail,
	    &end) != 3 || r->status[end] != '\0' ||
	    (class != 2 && class != 4 && class != 5))
		str_printf(c->out, "Status: %s\n", fallback);
	else
		str_printf(c->out, "Status: %u.%u.%u\n", class, subject,
		    detail);
}

static void
put_report_recipient(struct compose *c, const struct bounce_recipient *r)
{
	struct slice address = slice_of(r->address);
	bool remote = r->remote[0] != '\0';

	str_putc(c->out, '\n');
	if (r->orcpt[0] != '\0')
		put_orcpt(c, r->orcpt);
	put_typed(c, "Final-Recipient", c->utf8_addresses &&
	    !encode_is_ascii(address) ? "utf-8" : "rfc822", address);
	str_printf(c->out, "Action: %s\n", action_name(r->action));
	put_status(c, r);
	if (remote)
		put_typed(c, "Remote-MTA", "dns", slice_of(r->remote));
	if (r->text[0] != '\0')
		put_typed(c, "Diagnostic-Code", remote ? "smtp" :
		    "X-Malleposte", slice_of(r->text));
	put_date(c, "Last-Attempt-Date", r->last_attempt);
	if (r->action == ACTION_DELAYED)
		put_date(c, "Will-Retry-Until", r->retry_until);
}

static void
put_report_part(struct compose *c)
{
	const char *envid = c->notice->envid;
	char decoded[QUEUE_ENVID_MAX], clean[QUEUE_ENVID_MAX + 8];

	put_part(c, c->utf8_addresses ? "message/global-delivery-status" :
	    "message/delivery-status", c->utf8_addresses ? "8bit" : NULL);
	str_putc(c->out, '\n');
	if (envid[0] != '\0') {
		size_t n = encode_decode_xtext(slice_of(envid), decoded,
		    sizeof(decoded));

		n = encode_clean(slice_make(decoded, n), true, clean,
		    sizeof(clean));
		encode_field(c->out, "Original-Envelope-Id",
		    slice_make(clean, n));
	}
	put_typed(c, "Reporting-MTA", "dns", slice_of(c->in->hostname));
	put_date(c, "Arrival-Date", c->notice->arrival);
	for (size_t i = 0; i < c->notice->recipients; i++)
		put_report_recipient(c, &c->in->recipients[i]);
}

/* --- the original --- */

/* Bytes of the original; a last line without its LF gets one. */
static void
put_bytes(struct compose *c, struct slice s)
{
	str_put(c->out, s);
	if (s.len > 0 && s.p[s.len - 1] != '\n')
		str_putc(c->out, '\n');
}

static void
put_original_part(struct compose *c)
{
	struct slice all = c->in->original;
	const char *encoding = NULL;

	switch (c->form) {
	case ORIGINAL_FULL:
		if (!encode_is_ascii(all))
			encoding = "8bit";
		put_part(c, c->utf8_original ? "message/global" :
		    "message/rfc822", encoding);
		str_putc(c->out, '\n');
		put_bytes(c, all);
		break;
	case ORIGINAL_HEADER:
		put_part(c, c->utf8_original ? "message/global-headers" :
		    "text/rfc822-headers", c->utf8_original ? "8bit" : NULL);
		str_putc(c->out, '\n');
		put_bytes(c, c->header);
		break;
	case ORIGINAL_HEADER_QP:
		put_part(c, "text/rfc822-headers", "quoted-printable");
		str_putc(c->out, '\n');
		encode_quoted_printable(c->out, c->header);
		break;
	}
	str_printf(c->out, "\n--%s--\n", c->boundary);
}

int
notice_compose(const struct notice_input *in, struct str *out,
    struct notice_facts *facts)
{
	struct compose c = { .in = in, .notice = in->notice, .out = out };
	struct addr to;

	if (addr_parse(slice_of(in->notice->to), &to) != ADDR_OK) {
		out->bad = true;
		return -1;
	}
	c.words = words_of(in->notice->language);
	c.header = notice_header(in->original);
	/* RFC 6533: message/global is for headers in UTF-8 alone. */
	c.utf8_original = !encode_is_ascii(c.header) &&
	    encode_is_utf8(c.header);
	c.utf8_addresses = has_utf8_addresses(in);
	c.form = choose_form(&c);
	c.facts.has_utf8 = to.utf8;
	c.facts.has_8bit = c.utf8_addresses || to.utf8 ||
	    (c.form == ORIGINAL_FULL && !encode_is_ascii(in->original)) ||
	    (c.form == ORIGINAL_HEADER && c.utf8_original);
	choose_boundary(&c);
	put_header(&c);
	put_text_part(&c);
	put_report_part(&c);
	put_original_part(&c);
	if (!str_ok(out))
		return -1;
	*facts = c.facts;
	return 0;
}
