/* retrieve.h - sends one message to a POP3 client: RETR and TOP. */
#ifndef POP3D_RETRIEVE_H
#define POP3D_RETRIEVE_H
/* SPDX-License-Identifier: ISC */

#include "pop3d/maildrop.h"
#include "pop3d/reply.h"

/*
 * utf8: the client has said UTF8; if not, a message that came by SMTPUTF8 is
 * sent as its surrogate (pop3d/surrogate.h), whose size nobody has told.
 * The status line, the message (top: NULL, or where to stop) and the final dot
 * go to r. 0; -1 with errno when nothing was said yet (ENOENT: it is gone);
 * 1 with errno when a read failed in the middle: the connection must be closed
 * at once, for a final dot would make half a message a whole one.
 */
int retrieve(struct maildrop *d, struct message *m, struct wire_top *top,
    bool utf8, struct reply *r) __attribute__((warn_unused_result));

#endif
