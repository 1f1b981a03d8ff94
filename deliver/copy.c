/* copy.c - one message as it lies in a Maildir: name, header lines, content. */
/* SPDX-License-Identifier: ISC */

#include "deliver/copy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/fsx.h"
#include "lib/hdr.h"
#include "lib/maildir.h"
#include "lib/wire.h"

#define ID_TIME_DIGITS 7	/* malle-queue(5): seconds, base 32 */

uint64_t
copy_id_time(const char *id)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	uint64_t v = 0;

	for (size_t i = 0; i < ID_TIME_DIGITS; i++) {
		const char *d;

		if (id[i] == '\0' || (d = strchr(digits, id[i])) == NULL)
			return 0;
		v = v << 5 | (uint64_t)(d - digits);
	}
	return v;
}

static bool
is_id(const char *id)
{
	size_t n = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-");

	return n > 0 && n <= QUEUE_ID_MAX && id[n] == '\0';
}

/* As much of the host name as fits behind n bytes; it only tells machines
 * apart. */
static void
put_host(const char *hostname, int n, char *out)
{
	for (out += n; *hostname != '\0' && n < COPY_UNIQUE_MAX;
	    hostname++, n++)
		*out++ = *hostname > ' ' && *hostname < 0x7f &&
		    strchr("/:,", *hostname) == NULL ? *hostname : '-';
	*out = '\0';
}

int
copy_unique(const char *id, uint32_t recipient, const char *hostname, char *out)
{
	int n;

	if (!is_id(id))
		return -1;
	n = snprintf(out, COPY_UNIQUE_MAX + 1, "%llu.M%sR%u.",
	    (unsigned long long)copy_id_time(id), id, (unsigned)recipient);
	if (n < 0 || n > COPY_UNIQUE_MAX)
		return -1;
	put_host(hostname, n, out);
	return 0;
}

void
copy_unique_of(uint64_t seconds, const char *what, const char *hostname,
    char *out)
{
	int n = snprintf(out, COPY_UNIQUE_MAX + 1, "%llu.%.20s.",
	    (unsigned long long)seconds, what);

	put_host(hostname, n, out);
}

int
copy_name_of(const char *unique, struct slice text, char *name)
{
	struct wire_size wire = WIRE_SIZE_INIT;

	wire_size_feed(&wire, text);
	if (maildir_name_make(unique, text.len, wire_size_end(&wire), name) == 0)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

size_t
copy_prefix(const struct local_job *j, char *out)
{
	int n = snprintf(out, COPY_PREFIX_MAX,
	    "Return-Path: <%s>\nDelivered-To: %s\n", j->sender,
	    j->delivered_to);

	return n < 0 ? 0 : (size_t)n;
}

/*
 * What we send on names the account, whichever of its addresses the mail came
 * by: back by another one (case, +detail, an alias), it is the same letter.
 */
static bool
has_been_here(const struct copier *c, const struct local_job *j,
    struct slice text)
{
	char account[ADDR_TEXT_MAX];

	if (hdr_was_delivered_to(text, slice_of(j->delivered_to)))
		return true;
	snprintf(account, sizeof(account), "%s@%s", j->account, c->domain);
	return hdr_was_delivered_to(text, slice_of(account));
}

enum copy_status
copy_message(struct copier *c, const struct local_job *j, int from, int to,
    uint64_t *size, uint64_t *wire_size)
{
	char prefix[COPY_PREFIX_MAX], *piece = c->space + COPY_PREFIX_MAX;
	size_t head = copy_prefix(j, prefix), part;
	struct wire_size wire = WIRE_SIZE_INIT;
	uint64_t done = 0;

	wire_size_feed(&wire, slice_make(prefix, head));
	do {
		part = j->length - done < COPY_PIECE ?
		    (size_t)(j->length - done) : COPY_PIECE;
		if (fsx_pread_all(from, piece, part,
		    (off_t)(j->offset + done)) == -1)
			return COPY_SOURCE;
		if (done == 0) {
			if (has_been_here(c, j, slice_make(piece, part)))
				return COPY_LOOP;
			memcpy(piece - head, prefix, head);
		}
		/* The prefix lies right before the first piece: one write. */
		if (fsx_write_all(to, done == 0 ? piece - head : piece,
		    done == 0 ? head + part : part) == -1)
			return COPY_TARGET;
		wire_size_feed(&wire, slice_make(piece, part));
		done += part;
	} while (done < j->length);
	*size = head + j->length;
	*wire_size = wire_size_end(&wire);
	return COPY_OK;
}
