/* warning.h - tells the owners of mailboxes that fill up. */
#ifndef DELIVER_WARNING_H
#define DELIVER_WARNING_H
/* SPDX-License-Identifier: ISC */

#include "deliver/mailbox.h"

/*
 * A warning takes some two kilobytes and is one message more: in a mailbox
 * smaller than this it would itself take the room that is left.
 */
#define WARNING_LEAST_BYTES (64 * 1024)
#define WARNING_LEAST_MESSAGES 10

/*
 * Puts a warning into each mailbox of the group at work that is fuller than its
 * domain allows without one. Call it when the group's results are reported: no
 * letter waits for it. What fails is logged, and tried with the next letter.
 * Dated by clocks that are so many seconds to the east of UTC.
 */
void warning_tell(struct mailboxes *m, const char *domain,
    const char *hostname, int east);

#endif
