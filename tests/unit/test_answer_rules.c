/* test_answer_rules.c - to which messages a program may answer. */
/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "deliver/answer_rules.h"
#include "tests/unit/tap.h"

#define BOB "bob@exemple.test"
#define TO "To: Bob <bob@exemple.test>\n"
#define OURS "Authentication-Results: mail.exemple.test;"

/* What a message of this header from this sender meets; NULL: an answer. */
struct row {
	const char *name, *sender, *header, *want;
};

/* clang-format off */
static const struct row vacation[] = {
	{ "8.0: a letter to the person", "zoe@free.test",
	  "From: zoe@free.test\n" TO "Subject: Bonjour\n\n", NULL },
	{ "8.1: the null sender", "", TO "\n", "null-sender" },
	{ "8.1: the account itself", BOB, TO "\n", "own-address" },
	{ "8.1: with a detail, in capitals", "Bob+x@EXEMPLE.test", TO "\n",
	  "own-address" },
	{ "8.1: an alias of it", "direction@exemple.test", TO "\n",
	  "own-address" },
	{ "8.1: MAILER-DAEMON", "MAILER-DAEMON@free.test", TO "\n",
	  "robot-sender" },
	{ "8.1: LISTSERV", "LISTSERV@free.test", TO "\n", "robot-sender" },
	{ "8.1: majordomo", "Majordomo@free.test", TO "\n", "robot-sender" },
	{ "8.1: -request", "club-request@free.test", TO "\n",
	  "robot-sender" },
	{ "8.1: owner-", "owner-club@free.test", TO "\n", "robot-sender" },
	{ "8.1: noreply", "NoReply@free.test", TO "\n", "robot-sender" },
	{ "8.1: no-reply", "no-reply@free.test", TO "\n", "robot-sender" },
	{ "8.1: ne-pas-repondre", "ne-pas-repondre@free.test", TO "\n",
	  "robot-sender" },
	{ "8.1: bounces+tag", "bounces+a=b@free.test", TO "\n",
	  "robot-sender" },
	{ "8.1: ezmlm's return path", "club-return-12-bob=x.test@free.test",
	  TO "\n", "robot-sender" },
	{ "8.1: postmaster is answered", "postmaster@free.test", TO "\n",
	  NULL },
	{ "8.1: requestor is a name", "requestor@free.test", TO "\n", NULL },
	{ "8.1: a person named Owner", "owner@free.test", TO "\n", NULL },
	{ "8.1: no address", "\"unfinished@free.test", TO "\n",
	  "robot-sender" },
	{ "8.1: a null Return-Path inside", "zoe@free.test",
	  "Return-Path: <>\n" TO "\n", "null-sender" },

	{ "8.2: List-Id", "zoe@free.test",
	  TO "List-Id: Le club <club.free.test>\n\n", "list" },
	{ "8.2: List-Help", "zoe@free.test", TO "List-Help: <x>\n\n", "list" },
	{ "8.2: List-Subscribe", "zoe@free.test", "LIST-SUBSCRIBE: <x>\n" TO
	  "\n", "list" },
	{ "8.2: List-Unsubscribe", "zoe@free.test",
	  TO "list-unsubscribe : <mailto:x>\n\n", "list" },
	{ "8.2: List-Post", "zoe@free.test", TO "List-Post: NO\n\n", "list" },
	{ "8.2: List-Owner", "zoe@free.test", TO "List-Owner: x\n\n", "list" },
	{ "8.2: List-Archive", "zoe@free.test", TO "List-Archive: x\n\n",
	  "list" },
	{ "8.2: Mailing-List", "zoe@free.test",
	  TO "Mailing-List: contact club-help@free.test; run by ezmlm\n\n",
	  "list" },
	{ "8.2: X-Mailing-List", "zoe@free.test", TO "X-Mailing-List: x\n\n",
	  "list" },
	{ "8.2: X-BeenThere", "zoe@free.test", TO "X-BeenThere: x\n\n",
	  "list" },
	{ "8.2: List-Id in the body only", "zoe@free.test",
	  TO "\nList-Id: x\n", NULL },
	{ "8.2: auto-replied", "zoe@free.test",
	  TO "Auto-Submitted: auto-replied\n\n", "auto-submitted" },
	{ "8.2: auto-generated, with a parameter", "zoe@free.test",
	  TO "Auto-Submitted: auto-generated; type=cron\n\n",
	  "auto-submitted" },
	{ "8.2: auto-notified, folded", "zoe@free.test",
	  TO "Auto-Submitted:\n\tauto-notified\n\n", "auto-submitted" },
	{ "8.2: Auto-Submitted: no", "zoe@free.test",
	  TO "Auto-Submitted: No (a person)\n\n", NULL },
	{ "8.2: no-one is not no", "zoe@free.test",
	  TO "Auto-Submitted: no-one\n\n", "auto-submitted" },
	{ "8.2: empty", "zoe@free.test", TO "Auto-Submitted:\n\n",
	  "auto-submitted" },
	{ "8.2: behind a line that is no field", "zoe@free.test",
	  TO ">From zoe Mon Nov  2 08:00:00 2026\n"
	  "Auto-Submitted: auto-replied\n\n", "auto-submitted" },
	{ "8.2: all lines are none", "zoe@free.test",
	  TO "a\nb\n\nAuto-Submitted: auto-replied\n", NULL },
	{ "8.2: X-Autoreply", "zoe@free.test", TO "X-Autoreply: yes\n\n",
	  "auto-submitted" },
	{ "8.2: Precedence: bulk", "zoe@free.test", TO "Precedence: bulk\n\n",
	  "precedence" },
	{ "8.2: Precedence: junk", "zoe@free.test", TO "Precedence: JUNK\n\n",
	  "precedence" },
	{ "8.2: Precedence: list", "zoe@free.test", TO "Precedence: list\n\n",
	  "precedence" },
	{ "8.2: first-class", "zoe@free.test",
	  TO "Precedence: first-class\n\n", NULL },
	{ "8.2: suppress All", "zoe@free.test",
	  TO "X-Auto-Response-Suppress: All\n\n", "suppressed" },
	{ "8.2: suppress DR, OOF", "zoe@free.test",
	  TO "X-Auto-Response-Suppress: DR, OOF\n\n", "suppressed" },
	{ "8.2: suppress AutoReply", "zoe@free.test",
	  TO "X-Auto-Response-Suppress: DR,RN, autoreply\n\n", "suppressed" },
	{ "8.2: suppress only receipts", "zoe@free.test",
	  TO "X-Auto-Response-Suppress: DR, RN, NRN\n\n", NULL },
	{ "8.2: our own Delivered-To", "zoe@free.test",
	  "Delivered-To: bob@exemple.test\n" TO "\n", "loop" },
	{ "8.2: by another of his names", "zoe@free.test",
	  "Delivered-To: Direction@exemple.test\n" TO "\n", "loop" },
	{ "8.2: delivered to somebody else before", "zoe@free.test",
	  "Delivered-To: carol@free.test\n" TO "\n", NULL },
	{ "8.2: autorespond's mark", "zoe@free.test",
	  "Delivered-To: Autoresponder\n" TO "\n", "loop" },
	{ "8.2: ezmlm's mark", "zoe@free.test",
	  "Delivered-To: mailing list club@free.test\n" TO "\n", "loop" },
	{ "8.2: spam by SpamAssassin", "zoe@free.test",
	  TO "X-Spam-Status: Yes, score=9.1 required=5.0\n\n", "spam" },
	{ "8.2: spam by its flag", "zoe@free.test", TO "X-Spam-Flag: YES\n\n",
	  "spam" },
	{ "8.2: spam by rspamd", "zoe@free.test", TO "X-Spam: Yes\n\n",
	  "spam" },
	{ "8.2: no spam", "zoe@free.test",
	  TO "X-Spam-Status: No, score=-1\nX-Spam-Flag: NO\n\n", NULL },
	{ "RFC 3834 2: a delivery report", "zoe@free.test",
	  TO "Content-Type: multipart/report;\n report-type=delivery-status\n"
	  "\n", "report" },

	{ "8.3: in Cc, with others", "zoe@free.test",
	  "To: carol@free.test,\n dave@free.test\nCc: X <x@y.test>, "
	  "\"Bob, le\" <Bob@Exemple.TEST>\n\n", NULL },
	{ "8.3: in Bcc", "zoe@free.test", "Bcc: bob@exemple.test\n\n", NULL },
	{ "8.3: in Resent-To", "zoe@free.test",
	  "To: x@y.test\nResent-To: bob@exemple.test\n\n", NULL },
	{ "8.3: in Resent-Cc", "zoe@free.test",
	  "To: x@y.test\nResent-Cc: bob@exemple.test\n\n", NULL },
	{ "8.3: by an alias", "zoe@free.test",
	  "To: la direction <direction@exemple.test>\n\n", NULL },
	{ "8.3: by a sub-address", "zoe@free.test",
	  "To: bob+achats@exemple.test\n\n", NULL },
	{ "8.3: in a group", "zoe@free.test",
	  "To: equipe: carol@x.test, bob@exemple.test;\n\n", NULL },
	{ "8.3: not named", "zoe@free.test", "To: carol@free.test\n\n",
	  "not-addressed" },
	{ "8.3: undisclosed", "zoe@free.test",
	  "To: undisclosed-recipients:;\n\n", "not-addressed" },
	{ "8.3: no To at all", "zoe@free.test", "Subject: x\n\n",
	  "not-addressed" },
	{ "8.3: a name alone is no address", "zoe@free.test",
	  "To: \"bob@exemple.test\" <x@y.test>\n\n", "not-addressed" },
	{ "8.3: in a comment", "zoe@free.test",
	  "To: x@y.test (bob@exemple.test)\n\n", "not-addressed" },
	{ "8.3: another domain", "zoe@free.test", "To: bob@autre.test\n\n",
	  "not-addressed" },
	{ "8.3: before what is broken", "zoe@free.test",
	  "To: bob@exemple.test, <<<\n\n", NULL },

	{ "8.6: spf=pass", "zoe@free.test",
	  TO OURS " spf=pass smtp.mailfrom=free.test\n\n", NULL },
	{ "8.6: spf=fail", "zoe@free.test",
	  TO OURS "\n spf=fail smtp.mailfrom=free.test\n\n", "unverified" },
	{ "8.6: nothing passes", "zoe@free.test",
	  TO OURS " spf=none; dkim=none\n\n", "unverified" },
	{ "8.6: dkim of the sender's domain", "zoe@free.test",
	  TO OURS " spf=softfail;\n dkim=pass header.d=free.test\n\n", NULL },
	{ "8.6: dkim of a domain above", "zoe@paris.free.test",
	  TO OURS " dkim=pass (ok) header.d=FREE.test header.s=a\n\n", NULL },
	{ "8.6: dkim of another domain", "zoe@free.test",
	  TO OURS " dkim=pass header.d=evil.test\n\n", "unverified" },
	{ "8.6: dkim of an end of the name", "zoe@free.test",
	  TO OURS " dkim=pass header.d=ree.test\n\n", "unverified" },
	{ "8.6: dkim of all of a country", "zoe@free.test",
	  TO OURS " dkim=pass header.d=test\n\n", "unverified" },
	{ "8.6: dmarc=pass", "zoe@free.test",
	  TO OURS " dmarc=pass header.from=free.test\n\n", NULL },
	{ "8.6: what somebody else says", "zoe@free.test",
	  TO "Authentication-Results: mail.free.test; spf=fail\n\n", NULL },
	{ "8.6: Received-SPF: fail", "zoe@free.test",
	  "Received-SPF: Fail (x)\n" TO "\n", "unverified" },
	{ "8.6: the first Received-SPF counts", "zoe@free.test",
	  "Received-SPF: pass\n" TO "Received-SPF: fail\n\n", NULL },
	{ "8.6: Received-SPF: neutral", "zoe@free.test",
	  "Received-SPF: neutral\n" TO "\n", NULL },
};

/* Robots are the addressee (8.3), by whatever way a letter has come. */
static const struct row robots[] = {
	{ "8.3: a robot that is not named", "zoe@free.test",
	  "To: carol@free.test\n\n", NULL },
	{ "8.2: a robot and a list", "zoe@free.test", "List-Id: x\n\n",
	  "list" },
	{ "8.1: a robot and nobody", "", "To: x@y.test\n\n", "null-sender" },
	{ "8.2: a robot and a robot", "zoe@free.test",
	  "Auto-Submitted: auto-replied\n\n", "auto-submitted" },
	{ "no header at all", "zoe@free.test", "\nbody\n", NULL },
	{ "not even a field", "zoe@free.test", "no field\nList-Id: x\n", NULL },
};
/* clang-format on */

static void
run(const struct row *row, bool only_addressed, bool known, const char *want)
{
	struct answer_facts facts = {
		.header = slice_of(row->header),
		.sender = row->sender,
		.addresses = SLICE(BOB "\ndirection@exemple.test"),
		.hostname = "mail.exemple.test",
		.only_addressed = only_addressed,
		.is_sender_known = known
	};
	const char *got = answer_refusal(&facts);

	ok(got == want || (got != NULL && want != NULL &&
	    strcmp(got, want) == 0), "%s%s: %s", row->name,
	    known ? " (logged in)" : "", got != NULL ? got : "answered");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(vacation) / sizeof(vacation[0]); i++)
		run(&vacation[i], true, false, vacation[i].want);
	for (size_t i = 0; i < sizeof(robots) / sizeof(robots[0]); i++)
		run(&robots[i], false, false, robots[i].want);
	/* Who has logged in need not be proven by anything else. */
	for (size_t i = 0; i < sizeof(vacation) / sizeof(vacation[0]); i++)
		if (vacation[i].want != NULL &&
		    strcmp(vacation[i].want, "unverified") == 0)
			run(&vacation[i], true, true, NULL);
	ok(answer_same_address(SLICE("a+b@X.test"), SLICE("A@x.test")) &&
	    !answer_same_address(SLICE("a@x.test"), SLICE("a@y.test")) &&
	    !answer_same_address(SLICE("a@x.test"), SLICE("b@x.test")) &&
	    !answer_same_address(SLICE(""), SLICE("b@x.test")),
	    "what one address is");
	return done();
}
