/* answer_rules.h - whether a message may be answered by a program, pure. */
#ifndef DELIVER_ANSWER_RULES_H
#define DELIVER_ANSWER_RULES_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

/* All that the decision looks at. */
struct answer_facts {
	struct slice header;	/* of the message, up to its empty line */
	const char *sender;	/* the return path; "" is null */
	struct slice addresses;	/* that are the account's; LF between */
	const char *hostname;	/* whose Authentication-Results count */
	bool only_addressed;	/* an absence: the account must be named */
	bool is_sender_known;	/* had logged in: nothing to be proven */
};

/*
 * RFC 3834 section 2, RFC 5230 section 4.5, and what real mail needs beyond
 * them. NULL when an answer may go out, else one word that says why not; those
 * words stand in malle-local(8).
 */
const char *answer_refusal(const struct answer_facts *f);

/* True when both are the same account's: case, "+detail" do not count. */
bool answer_same_address(struct slice a, struct slice b);

#endif
