/* test_queue_file.c - the format of a queue file, and the small pure parts. */
/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "queue/draft.h"
#include "queue/hops.h"
#include "queue/id.h"
#include "queue/index.h"
#include "queue/proto_bounce.h"
#include "queue/retry.h"
#include "tests/unit/tap.h"

static void
test_id(void)
{
	char a[ID_LEN + 1], b[ID_LEN + 1];
	bool grows = true;

	id_make(a);
	for (int i = 0; i < 10000; i++) {
		id_make(b);
		grows = grows && strcmp(a, b) < 0 && id_valid(slice_of(b)) &&
		    id_shard(b) < ID_SHARDS;
		memcpy(a, b, sizeof(a));
	}
	ok(grows, "10,000 ids, each later than the one before");
	ok(!id_valid(SLICE("")) && !id_valid(SLICE("../../../../etc/passwd")) &&
	    !id_valid(SLICE("1lg49nsf39p-0009r1ca64w")) &&
	    !id_valid(SLICE("1lg49nsf39px0009r1ca64h")), "what is no id");
}

static struct header
a_header(void)
{
	struct header h = {
		.complete = true, .flags = QM_UTF8, .lane = LANE_LIST,
		.recipients = 2, .originals = 1,
		.envelope_offset = recipient_offset(2), .envelope_length = 100,
		.envelope_crc = 7, .content_length = 1000, .content_crc = 9,
		.arrival = 1234567890123, .arrival_boot = 42,
	};

	h.content_offset = h.envelope_offset + h.envelope_length;
	return h;
}

static void
test_crc(void)
{
	uint32_t one = crc_add(crc_add(0, "abc", 3), "def", 3);

	ok(crc_add(0, "abcdef", 6) == one, "a checksum in two pieces");
	ok(crc_add(one, NULL, 0) == one, "a checksum and nothing more");
}

static void
test_header(void)
{
	static const struct {
		size_t at;
		unsigned char xor;
		uint64_t cut;
		enum header_verdict want;
		const char *name;
	} rows[] = {
		{ 0, 0, 0, HEADER_OK, "whole" },
		{ 0, 0, 1, HEADER_DAMAGED, "a byte of the content is missing" },
		{ 8, 0x44, 0, HEADER_INCOMPLETE, "no mark" },
		{ 0, 0x6d, 0, HEADER_INCOMPLETE, "nothing written" },
		{ 0, 1, 0, HEADER_DAMAGED, "another magic" },
		{ 6, 3, 0, HEADER_DAMAGED, "another version" },
		{ 12, 1, 0, HEADER_DAMAGED, "checksum" },
		{ 24, 1, 0, HEADER_DAMAGED, "a field" },
		{ 127, 1, 0, HEADER_DAMAGED, "the last byte" },
	};
	struct header h = a_header(), out;
	unsigned char bytes[HEADER_LEN];
	uint64_t size = h.content_offset + h.content_length;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		header_encode(&h, bytes);
		bytes[rows[i].at] ^= rows[i].xor;
		memset(&out, 42, sizeof(out));
		ok(header_decode(bytes, size - rows[i].cut, &out) ==
		    rows[i].want, "header: %s", rows[i].name);
		ok(rows[i].want == HEADER_OK ? out.arrival == h.arrival &&
		    out.content_crc == 9 && out.lane == LANE_LIST :
		    out.flags == 0x2a2a2a2a, "header: %s: output",
		    rows[i].name);
	}
	h.recipients = RECIPIENTS_MAX + 1;
	h.envelope_offset = recipient_offset(h.recipients);
	h.content_offset = h.envelope_offset + h.envelope_length;
	header_encode(&h, bytes);
	ok(header_decode(bytes, UINT64_MAX, &out) == HEADER_DAMAGED,
	    "header: more recipients than there can be");
	h = a_header();
	h.content_length = UINT64_MAX - 10;
	header_encode(&h, bytes);
	ok(header_decode(bytes, size, &out) == HEADER_DAMAGED,
	    "header: a length that overflows");
}

static void
test_states(void)
{
	struct recipient_state r = { .status = RCPT_FAILED, .flags = 1,
	    .attempts = 65535, .due = -5, .reply = 1ull << 40, .last = 77 };
	struct recipient_state got = { .attempts = 42 };
	struct message_state m = { .held = true, .due = 99, .lived = 100,
	    .boottime = 101, .kills = 3 }, mgot;
	unsigned char a[RECIPIENT_STATE_LEN], b[MESSAGE_STATE_LEN];
	bool noticed = true;

	recipient_state_encode(&r, a);
	ok(recipient_state_decode(a, &got) == 0 && got.due == -5 &&
	    got.reply == 1ull << 40 && got.status == RCPT_FAILED &&
	    got.attempts == 65535 && got.last == 77, "a recipient's state");
	for (size_t i = 0; i < sizeof(a); i++) {
		a[i] ^= 0x10;
		got.attempts = 42;
		noticed = noticed && recipient_state_decode(a, &got) == -1 &&
		    got.attempts == 42;
		a[i] ^= 0x10;
	}
	ok(noticed, "any changed byte of it is noticed");
	message_state_encode(&m, b);
	ok(message_state_decode(b, &mgot) == 0 && mgot.held &&
	    mgot.lived == 100 && mgot.boottime == 101 && mgot.kills == 3,
	    "a message's state");
	b[63] ^= 1;
	ok(message_state_decode(b, &mgot) == -1, "its last byte counts");
}

static void
test_envelope(void)
{
	struct draft d;
	struct envelope *e;
	struct slice all;
	struct reply why = { .result = QUEUE_PERMANENT, .enhanced = "5.1.1",
	    .text = "no" }, got;
	size_t bad = 0;

	draft_init(&d);
	record_text(&d.records, RECORD_SENDER, SLICE("a@x.test"));
	ok(draft_original(&d, SLICE("team@x.test"), 0, SLICE("")) == 0 &&
	    draft_add(&d, RCPT_MAILBOX, SLICE("x.test"), SLICE("bob"),
	    SLICE(""), false) == 0 && draft_add(&d, RCPT_MAILBOX,
	    SLICE("x.test"), SLICE("carol"), SLICE(""), false) == 0,
	    "an alias of two");
	ok(draft_original(&d, SLICE("bob+x@x.test"), QN_SUCCESS,
	    SLICE("rfc822;b")) == 0 && draft_add(&d, RCPT_MAILBOX,
	    SLICE("x.test"), SLICE("bob"), SLICE("x"), false) == 0 && d.n == 2,
	    "the same mailbox again collapses");
	ok(draft_original(&d, SLICE("no@x.test"), 0, SLICE("")) == 0 &&
	    draft_refuse(&d, SLICE("x.test"), SLICE("no"), &why) == 0 &&
	    d.n == 3, "one that is refused");
	all = str_slice(&d.records);
	e = envelope_parse(all, 3, 3);
	ok(e != NULL && slice_eq(e->sender, SLICE("a@x.test")) &&
	    slice_eq(e->recipients[1].local, SLICE("carol")) &&
	    e->n_alsos == 1 && e->alsos[0].original == 1, "parsed again");
	ok(e != NULL && e->recipients[0].wants ==
	    (QN_SUCCESS | QN_FAILURE | QN_DELAY) &&
	    e->recipients[1].wants == (QN_FAILURE | QN_DELAY),
	    "what each recipient's senders want");
	envelope_free(e);
	ok(envelope_parse(all, 2, 3) == NULL &&
	    envelope_parse(all, 3, 2) == NULL, "wrong counts");
	for (size_t i = 0; i < all.len; i++) {
		e = envelope_parse(slice_make(all.p, i), 3, 3);
		bad += e != NULL;
		envelope_free(e);
	}
	ok(bad == 0, "cut anywhere: refused");
	ok(reply_decode(str_slice(&d.replies), &got) == d.replies.len &&
	    strcmp(got.text, "no") == 0 && got.recipient == 2, "the reply");
	d.replies.p[d.replies.len - 1] ^= 1;
	ok(reply_decode(str_slice(&d.replies), &got) == 0, "a damaged reply");
	draft_free(&d);
}

/* Every kind of recipient comes back as what it was; others are refused. */
static void
test_kinds(void)
{
	static const char *const names[] = { "mailbox", "remote", "answer",
		"discard" };
	struct draft d;
	struct envelope *e;

	draft_init(&d);
	ok(draft_original(&d, SLICE("bob@x.test"), 0, SLICE("")) == 0,
	    "an address");
	for (unsigned i = 0; i < RCPT_KIND_END; i++)
		ok(draft_add(&d, (enum recipient_kind)i, SLICE("x.test"),
		    SLICE("bob"), SLICE(""), false) == 0, "goes to a %s", names[i]);
	e = envelope_parse(str_slice(&d.records), 1, RCPT_KIND_END);
	ok(e != NULL && e->n_alsos == 0, "no kind collapses with another");
	for (unsigned i = 0; e != NULL && i < RCPT_KIND_END; i++)
		ok(e->recipients[i].kind == i &&
		    strcmp(recipient_kind_name((uint8_t)i), names[i]) == 0,
		    "%s is read again", names[i]);
	envelope_free(e);
	ok(draft_add(&d, RCPT_KIND_END, SLICE("x.test"), SLICE("bob"),
	    SLICE(""), false) == 0 && envelope_parse(str_slice(&d.records), 1,
	    RCPT_KIND_END + 1) == NULL, "a kind that nobody knows is refused");
	draft_free(&d);
}

/* 0-41: who was addressed once is not stray, whatever else led to him. */
static void
test_strays(void)
{
	static const char *const locals[] = { "all", "first", "then" };
	static const bool ways[][2] = { { true, true }, { false, true },
		{ true, false } };
	struct envelope *e;
	struct draft d;

	draft_init(&d);
	for (size_t way = 0; way < 2; way++)
		for (size_t i = 0; i < 3; i++)
			ok(draft_original(&d, SLICE("no@x.test"), 0,
			    SLICE("")) == 0 && draft_add(&d, RCPT_MAILBOX,
			    SLICE("x.test"), slice_of(locals[i]), SLICE(""),
			    ways[i][way]) == 0, "%s comes by %s", locals[i],
			    ways[i][way] ? "a catch-all" : "his name");
	ok(draft_end(&d) == 0, "recorded");
	e = envelope_parse(str_slice(&d.records), 6, 3);
	ok(e != NULL && e->recipients[0].is_stray &&
	    !e->recipients[1].is_stray && !e->recipients[2].is_stray,
	    "only by catch-alls, and read again");
	envelope_free(e);
	record_stray(&d.records, 3);
	ok(envelope_parse(str_slice(&d.records), 6, 3) == NULL,
	    "one of no recipient is damage");
	draft_free(&d);
}

static void
test_draft_many(void)
{
	struct draft d;
	char local[16];
	bool fine = true;

	draft_init(&d);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 5000; i++) {
			int n = snprintf(local, sizeof(local), "u%d", i);

			fine = fine && draft_original(&d, SLICE("x@y.test"),
			    0, SLICE("")) == 0 && draft_add(&d, RCPT_REMOTE,
			    SLICE("y.test"), slice_make(local, (size_t)n),
			    SLICE(""), false) == 0;
		}
	ok(fine && d.n == 5000 && d.n_originals == 10000,
	    "10,000 recipients, 5,000 of them twice");
	draft_clear(&d);
	ok(d.n == 0 && d.records.len == 0, "cleared");
	draft_free(&d);
}

static void
test_hops(void)
{
	static const struct {
		const char *text;
		unsigned want;
	} rows[] = {
		{ "", 0 }, { "Received: a\n\n", 1 },
		{ "RECEIVED: a\nreceived:b\nReceived : c\n\n", 2 },
		{ "X: a\n\nReceived: a\n", 0 },
		{ "X-Received: a\n Received: b\nReceived: c\n", 1 },
		{ "Received: a", 1 }, { "Receive", 0 },
		{ "\nReceived: a\n", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hops whole = { 0 }, split = { 0 };

		hops_feed(&whole, slice_of(rows[i].text));
		for (const char *p = rows[i].text; *p != '\0'; p++)
			hops_feed(&split, slice_make(p, 1));
		ok(whole.count == rows[i].want && split.count == rows[i].want,
		    "hops, row %zu: %u, %u", i, whole.count, split.count);
	}
}

static void
test_time(void)
{
	static const struct {
		int64_t arrival, now, lived, want;
	} ages[] = {
		{ 1000, 1500, 500, 500 },	/* as it should be */
		{ 1000, 999999, 500, 500 },	/* the clock jumped forward */
		{ 1000, 500, 500, 0 },		/* and back */
		{ 1000, 90000, 60, 60 },	/* the machine was off */
		{ 1000, 1100, 99999, 100 },
		{ INT64_MIN, INT64_MAX, 5, 0 },	/* nonsense is young */
		{ 1000, 1500, -5, 0 },
	};
	uint64_t before = 0;
	bool grows = true, bounded = true;

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
		ok(message_age(ages[i].arrival, ages[i].now, ages[i].lived) ==
		    ages[i].want, "age, row %zu", i);
	for (unsigned n = 1; n < 20; n++) {
		uint64_t v = retry_delay(300, 14400, n, 1800);

		grows = grows && v >= before / 2 && v <= 16200;
		bounded = bounded && retry_delay(300, 14400, n, 0) >= 262;
		before = v;
	}
	ok(grows && bounded, "intervals grow, within their bounds");
	ok(retry_delay(0, 0, 5, 3) >= 1 && retry_delay(1, 1, 65535, 9) == 1,
	    "at least a second");
	ok(retry_remaining(100, 200, 50) == 0 &&
	    retry_remaining(220, 200, 50) == 20 &&
	    retry_remaining(INT64_MAX, INT64_MIN, 50) == 50,
	    "what is left after a restart never exceeds the longest interval");
}

static void
test_index(void)
{
	struct index x;
	char (*ids)[ID_LEN + 1] = calloc(20000, sizeof(*ids));
	int64_t last = -1;
	bool sorted = true;
	struct message *m;
	size_t n = 0;

	if (ids == NULL || index_init(&x) == -1)
		abort();
	for (size_t i = 0; i < 20000; i++) {
		id_make(ids[i]);
		if ((m = index_add(&x, ids[i], (uint8_t)(i % 4))) == NULL)
			abort();
		index_schedule(&x, m, (int64_t)(i * 7919 % 10007));
	}
	ok(index_add(&x, ids[5], 0) == NULL, "an id can be there only once");
	for (size_t i = 0; i < 20000; i += 3)
		index_remove(&x, index_find(&x, slice_of(ids[i])));
	for (size_t i = 1; i < 20000; i += 3)
		index_schedule(&x, index_find(&x, slice_of(ids[i])),
		    (int64_t)(i % 101));
	for (uint8_t lane = 0; lane < 4; lane++, last = -1)
		while ((m = index_first(&x, lane)) != NULL) {
			sorted = sorted && m->due >= last && m->lane == lane;
			last = m->due;
			index_unschedule(&x, m);
			n++;
		}
	ok(sorted && n == 13333 && x.count == 13333,
	    "each lane gives its messages in the order of their times");
	ok(index_find(&x, slice_of(ids[0])) == NULL &&
	    index_find(&x, slice_of(ids[1])) != NULL, "found by id");
	index_clear(&x);
	free(ids);
}

static void
test_bounce(void)
{
	static struct bounce_notice n = { .kind = BOUNCE_DELAY, .id = "i",
	    .to = "a@b", .language = "fr", .zone = "UTC0", .arrival = -1,
	    .recipients = 1 }, got;
	static struct bounce_recipient r = { .address = "x@y",
	    .action = ACTION_DELAYED, .status = "4.2.2", .text = "t" }, rgot;
	unsigned char space[4096];
	struct packer k;
	struct unpacker u;
	size_t bad = 0;

	pack_init(&k, space, sizeof(space));
	bounce_notice_pack(&k, &n);
	bounce_recipient_pack(&k, &r);
	unpack_init(&u, pack_slice(&k));
	ok(bounce_notice_unpack(&u, &got) == 0 &&
	    bounce_recipient_unpack(&u, &rgot) == 0 && unpack_end(&u) &&
	    got.arrival == -1 && strcmp(got.zone, "UTC0") == 0 &&
	    strcmp(rgot.status, "4.2.2") == 0, "a request to malle-bounce");
	for (size_t i = 0; i < k.len; i++) {
		unpack_init(&u, slice_make(space, i));
		bad += bounce_notice_unpack(&u, &got) == 0 &&
		    bounce_recipient_unpack(&u, &rgot) == 0;
	}
	ok(bad == 0, "cut anywhere: refused");
}

int
main(void)
{
	test_id();
	test_crc();
	test_header();
	test_states();
	test_envelope();
	test_kinds();
	test_strays();
	test_draft_many();
	test_hops();
	test_time();
	test_index();
	test_bounce();
	return done();
}
