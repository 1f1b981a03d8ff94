/* params.h - the arguments of SMTP commands. */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/proto_queue.h"

/* Why an argument is refused; reply.c has code and sentence for each. */
enum params_status {
	PARAMS_OK,
	PARAMS_SYNTAX,		/* not the form of that command */
	PARAMS_SENDER,		/* no address, or not in brackets */
	PARAMS_SENDER_LONG,
	PARAMS_SENDER_UTF8,	/* bytes that are not UTF-8 */
	PARAMS_RECIPIENT,
	PARAMS_RECIPIENT_LONG,
	PARAMS_RECIPIENT_UTF8,
	PARAMS_NEEDS_SMTPUTF8,
	PARAMS_UNKNOWN,		/* a parameter that we never offered */
	PARAMS_VALUE,		/* a parameter's value is wrong or missing */
	PARAMS_TWICE
};

struct mail_params {
	struct addr sender;
	uint64_t size;		/* SIZE; 0: not given */
	uint32_t flags;		/* QM_8BIT, QM_UTF8, QM_RET_..., QM_REQUIRETLS,
				 * QM_VERP */
	char envid[QUEUE_ENVID_MAX + 1];	/* decoded */
};

struct rcpt_params {
	struct addr recipient;
	unsigned notify;	/* QN_...; 0: not given */
	char orcpt[QUEUE_ORCPT_MAX + 1];	/* "type;address", decoded */
};

struct bdat_params {
	uint64_t size;
	bool is_last;
};

struct auth_params {
	char mechanism[24];	/* upper case */
	bool has_initial;
	struct slice initial;	/* base64, inside the argument */
};

/*
 * Each judges what stands behind the verb ("FROM:<a@b> SIZE=1"). *out is set
 * when the return value is PARAMS_OK, else it is undefined.
 */
enum params_status params_mail(struct slice arg, struct mail_params *out);
enum params_status params_rcpt(struct slice arg, bool smtputf8,
    struct rcpt_params *out);
enum params_status params_bdat(struct slice arg, struct bdat_params *out);
enum params_status params_auth(struct slice arg, struct auth_params *out);

/*
 * The name in EHLO or HELO as it may stand in a Received line: whatever is not
 * part of a name or an address literal becomes '?'. out[ADDR_DOMAIN_MAX + 1].
 */
enum params_status params_helo(struct slice arg, char *out);

/* xtext (RFC 3461 4): decodes to printable ASCII in out[cap]. 0, or -1. */
int params_xtext(struct slice in, char *out, size_t cap)
    __attribute__((warn_unused_result));

#endif
