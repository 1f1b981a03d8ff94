/* data.h - the content of a message as it comes over the wire. */
#ifndef SMTPD_DATA_H
#define SMTPD_DATA_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

enum data_state {
	DATA_LINE_START,	/* behind a CRLF, or at the very beginning */
	DATA_IN_LINE,
	DATA_CR,		/* a CR is held back: what comes next decides */
	DATA_DOT,		/* a dot at the start of a line is held back */
	DATA_DOT_CR,		/* that dot and a CR */
	DATA_END		/* CRLF.CRLF was seen */
};

/*
 * One message on its way from the wire (CRLF line ends) to the queue (LF). In
 * DATA dots are unstuffed and only CRLF.CRLF ends it (RFC 5321 2.3.8, 4.1.1.4,
 * 4.5.2); in BDAT the chunk's length does (RFC 3030). A CR or an LF alone is
 * remembered in bare, and is written as LF, which repairs the message where
 * its sender may be repaired. Every other byte is kept, NUL included.
 */
struct data {
	enum data_state state;
	bool is_chunk;		/* BDAT: no dots, no end mark */
	bool bare;		/* a bare CR or a bare LF was seen */
	uint64_t size;		/* octets as RFC 1870 counts them */
	size_t line;		/* octets of the line at hand, without its end */
	size_t line_longest;
};

void data_init(struct data *d, bool is_chunk);

/*
 * Takes bytes of in, writes what they mean to out, which has room for
 * in.len + 1 bytes, and adds their number to *len. Returns how many bytes of in
 * were taken: all of them unless the state became DATA_END.
 */
size_t data_feed(struct data *d, struct slice in, char *out, size_t *len);

/* After the last chunk of BDAT: a CR that was held back is a bare one. Writes
 * at most one byte to out and adds it to *len. */
void data_finish(struct data *d, char *out, size_t *len);

#endif
