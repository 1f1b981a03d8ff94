/* fill_queue.c - fills a queue with messages, to measure it when it is long. */
/* SPDX-License-Identifier: ISC */

/*
 * Writes queue files as malle-queued leaves them (malle-queue(5)), without
 * syncs: some seconds instead of the hour that a million acceptances take.
 * Message i goes to as many destinations as it has recipients, in turn, out of
 * dest0.test, dest1.test ...
 */

#include <sys/stat.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/num.h"
#include "queue/draft.h"
#include "queue/id.h"

#define CONTENT "Subject: scale\n\nA letter of a long queue.\n"
#define FILE_MAX 65536

struct plan {
	int shards[ID_SHARDS];
	uint64_t messages, recipients, destinations;
	int64_t due;
	uid_t uid;
	gid_t gid;
};

static uint64_t
number(const char *text, uint64_t max)
{
	uint64_t n;

	if (num_parse(slice_of(text), 0, max, &n) == -1)
		errx(EX_USAGE, "%s: not a number up to %ju", text,
		    (uintmax_t)max);
	return n;
}

/* The folders belong to whom the queue belongs to. */
static void
open_shards(struct plan *p, const char *queue)
{
	int dirfd = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC), mess;
	struct stat st;

	if (dirfd == -1 || fstat(dirfd, &st) == -1)
		err(EX_NOINPUT, "%s", queue);
	p->uid = st.st_uid;
	p->gid = st.st_gid;
	if (fsx_make_dir(dirfd, "mess", 0700) == -1 ||
	    (mess = fsx_open_dir(dirfd, "mess")) == -1 ||
	    fchown(mess, p->uid, p->gid) == -1)
		err(EX_CANTCREAT, "%s/mess", queue);
	for (unsigned i = 0; i < ID_SHARDS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%02x", i);
		if (fsx_make_dir(mess, name, 0700) == -1 ||
		    (p->shards[i] = fsx_open_dir(mess, name)) == -1 ||
		    fchown(p->shards[i], p->uid, p->gid) == -1)
			err(EX_CANTCREAT, "%s/mess/%s", queue, name);
	}
}

static void
add_recipient(struct draft *d, uint64_t message, uint64_t n,
    uint64_t destinations)
{
	uint64_t dest = (message + n) % destinations;
	char local[64], domain[64], address[160];

	snprintf(local, sizeof(local), "user%ju-%ju", (uintmax_t)message,
	    (uintmax_t)n);
	snprintf(domain, sizeof(domain), "dest%ju.test", (uintmax_t)dest);
	snprintf(address, sizeof(address), "%s@%s", local, domain);
	if (draft_original(d, slice_of(address), 0, SLICE_EMPTY) == -1 ||
	    draft_add(d, RCPT_REMOTE, slice_of(domain), slice_of(local),
	    SLICE_EMPTY, false) == -1)
		err(EX_OSERR, "an envelope");
}

/* The bytes of one message's file. Their number. */
static size_t
compose(const struct plan *p, struct draft *d, unsigned char *out)
{
	struct slice content = SLICE(CONTENT);
	struct header h = {
		.complete = true, .lane = LANE_BULK,
		.recipients = d->n, .originals = d->n_originals,
		.envelope_offset = recipient_offset(d->n),
		.envelope_length = (uint32_t)d->records.len,
		.envelope_crc = crc_add(0, d->records.p, d->records.len),
		.content_length = content.len,
		.content_crc = crc_add(0, content.p, content.len),
		.arrival = time(NULL)
	};
	struct message_state state = { .due = p->due };

	h.content_offset = h.envelope_offset + h.envelope_length;
	if (h.content_offset + content.len > FILE_MAX)
		errx(EX_USAGE, "too many recipients for one message");
	header_encode(&h, out);
	message_state_encode(&state, out + HEADER_LEN);
	draft_states(d, h.content_offset + content.len, p->due, out + HEAD_LEN);
	memcpy(out + h.envelope_offset, d->records.p, d->records.len);
	memcpy(out + h.content_offset, content.p, content.len);
	return (size_t)h.content_offset + content.len;
}

static void
write_message(const struct plan *p, uint64_t n)
{
	static unsigned char bytes[FILE_MAX];
	char id[ID_LEN + 1];
	struct draft d;
	size_t len;
	int fd;

	draft_init(&d);
	record_text(&d.records, RECORD_SENDER, SLICE("mailing@client.test"));
	for (uint64_t i = 0; i < p->recipients; i++)
		add_recipient(&d, n, i, p->destinations);
	len = compose(p, &d, bytes);
	id_make(id);
	fd = openat(p->shards[id_shard(id)], id, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0600);
	if (fd == -1 || fsx_write_all(fd, bytes, len) == -1 ||
	    fchown(fd, p->uid, p->gid) == -1)
		err(EX_IOERR, "%s", id);
	close(fd);
	draft_free(&d);
}

int
main(int argc, char **argv)
{
	struct plan p;

	if (argc != 6) {
		fputs("usage: fill_queue QUEUE-FOLDER MESSAGES RECIPIENTS "
		    "DESTINATIONS DUE-IN-SECONDS\n", stderr);
		return EX_USAGE;
	}
	p.messages = number(argv[2], 10000000);
	p.recipients = number(argv[3], 500);
	p.destinations = number(argv[4], 10000000);
	p.due = time(NULL) + (int64_t)number(argv[5], 31536000);
	if (p.recipients == 0 || p.destinations == 0)
		errx(EX_USAGE, "recipients and destinations begin at 1");
	open_shards(&p, argv[1]);
	for (uint64_t i = 0; i < p.messages; i++)
		write_message(&p, i);
	return EX_OK;
}
