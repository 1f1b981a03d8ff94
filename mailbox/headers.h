/* headers.h - what a message says of itself, made fit for a list. */
#ifndef MAILBOX_HEADERS_H
#define MAILBOX_HEADERS_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_mailbox.h"
#include "lib/str.h"

#define HEADERS_READ 16384	/* of a message; more is not looked at */

/* Date, From and Subject of a message's beginning; text (replaced) holds what
 * *out points to. */
void headers_parse(struct slice beginning, struct str *text,
    struct box_headers *out);
/* The same of a file. */
void headers_read(int fd, struct str *text, struct box_headers *out);

#endif
