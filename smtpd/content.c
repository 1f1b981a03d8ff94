/* content.c - DATA and BDAT: the content goes from the client to the queue. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/date.h"
#include "lib/log.h"
#include "smtpd/data.h"
#include "smtpd/header.h"
#include "smtpd/session.h"

/*
 * Trusts: nothing that the client sends; the queue's answer decides.
 * Order: everything is read to the real end of the message before it is
 * answered, also when it is refused, so that no byte of it is ever taken for a
 * command. What is refused is not sent on any further.
 * Limits: message_max, line_max, min_rate, the end of the session, HOPS_MAX;
 * of a message that is too big DROP_TIMES message_max are read at most.
 */

#define FIELDS_MAX 1024		/* Date, From, Message-ID that we add */
#define HOPS_MAX 100		/* RFC 5321 6.3 */
#define DROP_TIMES 4

enum fault {
	FAULT_NONE,
	FAULT_BARE,
	FAULT_SIZE,
	FAULT_LINE,
	FAULT_HOPS,
	FAULT_QUEUE
};

/* clang-format off */
static const struct {
	const char *code, *text;
} faults[] = {
	[FAULT_NONE] = { "", "" },
	[FAULT_BARE] = { "550 5.6.0", "the message has a CR or an LF that "
	    "stands alone: lines must end in CR LF" },
	[FAULT_SIZE] = { "552 5.3.4", "the message is too big" },
	[FAULT_LINE] = { "554 5.6.0", "a line of the message is too long" },
	[FAULT_HOPS] = { "554 5.4.6", "the message goes round in circles: "
	    "it has too many Received lines" },
	[FAULT_QUEUE] = { "451 4.3.0", "the queue does not answer, "
	    "try again later" },
};
/* clang-format on */

/* A message on its way. It exists only as long as its content comes in. */
struct content {
	struct data data;
	struct header header;
	enum fault fault;
	int64_t began;
	uint64_t read;			/* bytes from the wire */
	bool repair, complete, committed;
	size_t len;			/* in piece */
	size_t scanned;			/* of it, what header_scan() decided */
	char piece[QUEUE_PIECE];
};

void
content_free(struct session *s)
{
	struct content *c = s->transaction.content;

	/* The queue still waits for the rest of a message that is given up. */
	if (c != NULL && !c->committed && c->fault == FAULT_NONE &&
	    s->queue != -1 && queue_reset(s->queue) == -1)
		transaction_drop_queue(s);
	free(c);
	s->transaction.content = NULL;
}

/* Tells the queue of a message, and makes room for it. 0, or -1: answered. */
static int
content_begin(struct session *s, bool is_chunk)
{
	struct content *c = malloc(sizeof(*c));

	if (c == NULL || transaction_begin(s) == -1) {
		free(c);
		refuse(s, "data", "", faults[FAULT_QUEUE].code, "%s",
		    faults[FAULT_QUEUE].text);
		return -1;
	}
	memset(c, 0, offsetof(struct content, piece));
	data_init(&c->data, is_chunk);
	c->began = clock_ms();
	c->repair = conf_nets_match(&s->conf->repair_hosts, &s->ip);
	/* RFC 6409 8; RFC 5321 6.4 for hosts of ours that may relay. */
	c->complete = session_has_login(s) || s->may_relay;
	s->transaction.content = c;
	return 0;
}

/* From now on the message is read, but goes nowhere. */
static void
give_up(struct session *s, struct content *c, enum fault fault)
{
	if (c->fault != FAULT_NONE)
		return;
	c->fault = fault;
	c->len = c->scanned = 0;
	if (fault == FAULT_QUEUE ||
	    (s->queue != -1 && queue_reset(s->queue) == -1))
		transaction_drop_queue(s);
}

/* Sends what is settled; an undecided line of the header stays. */
static void
send_piece(struct session *s, struct content *c)
{
	size_t n = c->header.ended ? c->len : c->scanned;

	if (c->fault != FAULT_NONE)
		return;
	if (queue_data(s->queue, slice_make(c->piece, n)) == -1) {
		give_up(s, c, FAULT_QUEUE);
		return;
	}
	c->len -= n;
	memmove(c->piece, c->piece + n, c->len);
	c->scanned = 0;
}

static void
add_from(const struct session *s, struct str *out)
{
	struct addr from = s->transaction.mail.sender;
	char text[ADDR_TEXT_MAX];

	if (from.local[0] == '\0') {
		memcpy(from.local, s->account_local, sizeof(from.local));
		memcpy(from.domain, s->account_domain,
		    sizeof(from.domain));
	}
	if (from.local[0] != '\0')
		str_printf(out, "From: <%s>\n",
		    addr_text(&from, text, sizeof(text)));
}

/* The clocks of who writes: those of his domain when it is ours. */
static int
clock_of(const struct session *s, time_t now)
{
	struct domain_record d = { .zone = "" };

	(void)!tables_domain(s->tables, session_has_login(s) ?
	    s->account_domain : s->transaction.mail.sender.domain, &d);
	return zone_clock(d.zone, now);
}

/* The fields that a message must have (RFC 5322 3.6) and this one lacks. */
static void
missing_fields(const struct session *s, unsigned seen, struct str *out)
{
	time_t now = time(NULL);
	char date[DATE_MAX];

	if ((seen & HEADER_DATE) == 0)
		str_printf(out, "Date: %s\n", date_rfc5322_at(now,
		    clock_of(s, now), date));
	if ((seen & HEADER_FROM) == 0)
		add_from(s, out);
	if ((seen & HEADER_MESSAGE_ID) == 0)
		str_printf(out, "Message-ID: <%s.%llu@%s>\n", s->id,
		    (unsigned long long)s->messages, s->conf->hostname);
}

/* Puts them where the header ends, at c->scanned. There is room. */
static void
complete_header(const struct session *s, struct content *c)
{
	struct str fields = STR_INIT(FIELDS_MAX - 2);
	char *at = c->piece + c->scanned;

	if (!c->complete)
		return;
	missing_fields(s, c->header.seen, &fields);
	/* A body without a header gets its empty line, too. */
	if (fields.len > 0 && !c->header.blank && c->scanned < c->len)
		str_putc(&fields, '\n');
	if (str_ok(&fields) && fields.len > 0) {
		memmove(at + fields.len, at, c->len - c->scanned);
		memcpy(at, fields.p, fields.len);
		c->len += fields.len;
	}
	str_free(&fields);
}

static void
look_at_header(struct session *s, struct content *c)
{
	struct slice fresh = slice_make(c->piece + c->scanned,
	    c->len - c->scanned);

	c->scanned += header_scan(&c->header, fresh);
	if (c->header.received > HOPS_MAX)
		give_up(s, c, FAULT_HOPS);
	else if (c->header.ended)
		complete_header(s, c);
}

static void
judge(struct session *s, struct content *c)
{
	if (c->data.bare && !c->repair)
		give_up(s, c, FAULT_BARE);
	else if (c->data.size > s->conf->message_max)
		give_up(s, c, FAULT_SIZE);
	else if (c->data.line_longest > s->conf->line_max)
		give_up(s, c, FAULT_LINE);
}

/* Takes bytes from the wire. Returns how many belong to the message. */
static size_t
take(struct session *s, struct content *c, struct slice in)
{
	size_t used, n = 0;

	if (c->len + in.len + 1 + FIELDS_MAX > QUEUE_PIECE)
		send_piece(s, c);
	used = data_feed(&c->data, in, c->piece + c->len, &n);
	c->read += used;
	judge(s, c);
	if (c->fault != FAULT_NONE)
		return used;
	c->len += n;
	if (!c->header.ended)
		look_at_header(s, c);
	return used;
}

/*
 * The next bytes of the message, at most max. A client has smtp_timeout for
 * the first of them and then must keep to min_rate. 0, or -1: the client is
 * gone, too slow, or sends without an end; the session is over.
 */
static int
content_read(struct session *s, int64_t began, uint64_t have, uint64_t max,
    struct slice *bytes)
{
	int64_t end = s->end;
	uint64_t rate = s->conf->min_rate;
	int n;

	if (rate > 0 && have / rate < s->conf->session_time_max) {
		end = began + (int64_t)(s->conf->smtp_timeout +
		    have / rate) * 1000;
		if (end > s->end)
			end = s->end;
	}
	s->io.end = end;
	n = buf_peek(&s->io, bytes);
	if (n > 0) {
		if (bytes->len > max)
			bytes->len = (size_t)max;
		return 0;
	}
	if (n == -1 && errno == ETIMEDOUT) {
		s->io.end = clock_ms() + 1000;
		refuse(s, "data", "", "421 4.4.2",
		    "%s the message comes too slowly", s->conf->hostname);
		session_close(s, "slow");
	} else
		session_close(s, "lost");
	return -1;
}

/* More than anybody should have to read before he may say no. */
static bool
is_endless(struct session *s, uint64_t size)
{
	if (size / DROP_TIMES <= s->conf->message_max)
		return false;
	refuse(s, "data", "", faults[FAULT_SIZE].code, "%s",
	    faults[FAULT_SIZE].text);
	session_close(s, "size");
	return true;
}

/* The header may have had no end, and a chunk no last LF. */
static void
finish(struct session *s, struct content *c)
{
	size_t n = 0;

	if (c->len + 2 + FIELDS_MAX > QUEUE_PIECE)
		send_piece(s, c);
	data_finish(&c->data, c->piece + c->len, &n);
	judge(s, c);
	if (c->fault != FAULT_NONE)
		return;
	c->len += n;
	if (c->header.ended || !c->complete)
		return;
	/* All of it is header, but for one line that may be none. */
	if (c->header.any) {
		if (c->len > 0 && c->piece[c->len - 1] != '\n')
			c->piece[c->len++] = '\n';
		c->scanned = c->len;
	}
	complete_header(s, c);
}

static void
answer_commit(struct session *s, const struct queue_answer *a)
{
	char code[20];

	switch (a->result) {
	case QUEUE_OK:
		s->messages++;
		s->errors = s->idle_commands = 0;
		reply(s, "250 2.0.0", "%s %s", a->id, a->text);
		return;
	case QUEUE_TEMPORARY:
		(void)snprintf(code, sizeof(code), "451 %s",
		    a->enhanced[0] == '4' ? a->enhanced : "4.3.0");
		break;
	case QUEUE_PERMANENT:
		(void)snprintf(code, sizeof(code), "554 %s",
		    a->enhanced[0] == '5' ? a->enhanced : "5.3.0");
		break;
	}
	refuse(s, "data", "", code, "%s", a->text);
}

/* The message is there in full: its verdict, and the next may come. */
static void
content_end(struct session *s, struct content *c)
{
	struct queue_answer answer;

	finish(s, c);
	if (c->fault == FAULT_NONE) {
		c->committed = true;
		if (queue_commit(s->queue, slice_make(c->piece, c->len),
		    &answer) == -1)
			give_up(s, c, FAULT_QUEUE);
	}
	if (c->fault != FAULT_NONE)
		refuse(s, "data", "", faults[c->fault].code, "%s",
		    faults[c->fault].text);
	else
		answer_commit(s, &answer);
	session_reset(s);
}

void
data_act(void *session)
{
	struct session *s = session;
	struct content *c;
	struct slice in;

	if (content_begin(s, false) == -1) {
		session_reset(s);
		return;
	}
	c = s->transaction.content;
	reply(s, "354", "send the message, end it with a dot on its own line");
	while (c->data.state != DATA_END) {
		if (content_read(s, c->began, c->read, UINT64_MAX, &in) == -1 ||
		    is_endless(s, c->read)) {
			transaction_drop_queue(s);
			return;
		}
		buf_consume(&s->io, take(s, c, in));
	}
	content_end(s, c);
}

int
bdat_check(void *session, struct slice arg)
{
	struct session *s = session;

	return (int)params_bdat(arg, &s->arg.bdat);
}

/* RFC 3030 2: the octets of a chunk that is refused are read all the same. */
static int
drop_chunk(struct session *s, uint64_t size)
{
	int64_t began = clock_ms();
	uint64_t have = 0;
	struct slice in;

	while (have < size) {
		if (content_read(s, began, have, size - have, &in) == -1)
			return -1;
		buf_consume(&s->io, in.len);
		have += in.len;
	}
	return 0;
}

/* Whether a chunk may come now; if not it is dropped and answered. */
static bool
chunk_allowed(struct session *s, uint64_t size)
{
	if (s->state == ST_CHUNKS)
		return true;
	if (s->state == ST_RCPT && content_begin(s, true) == 0) {
		s->state = ST_CHUNKS;
		return true;
	}
	if (s->state == ST_RCPT) {
		/* It has been answered; nothing else was written meanwhile. */
		session_reset(s);
		(void)drop_chunk(s, size);
	} else if (drop_chunk(s, size) == 0)
		refuse(s, "data", "", s->state == ST_MAIL ? "554 5.5.1" :
		    "503 5.5.1", "no valid recipient: the chunk is dropped");
	return false;
}

static int
receive_chunk(struct session *s, struct content *c, uint64_t size)
{
	struct slice in;

	for (uint64_t have = 0; have < size; have += in.len) {
		if (content_read(s, c->began, c->read, size - have,
		    &in) == -1 || is_endless(s, c->read)) {
			transaction_drop_queue(s);
			return -1;
		}
		buf_consume(&s->io, take(s, c, in));
	}
	return 0;
}

void
bdat_act(void *session)
{
	struct session *s = session;
	struct bdat_params chunk = s->arg.bdat;
	struct content *c;

	if (is_endless(s, chunk.size) || !chunk_allowed(s, chunk.size))
		return;
	c = s->transaction.content;
	if (receive_chunk(s, c, chunk.size) == -1)
		return;
	if (chunk.is_last)
		content_end(s, c);
	else if (c->fault != FAULT_NONE) {
		refuse(s, "data", "", faults[c->fault].code, "%s",
		    faults[c->fault].text);
		session_reset(s);
	} else
		reply(s, "250 2.0.0", "%llu octets received",
		    (unsigned long long)chunk.size);
}
