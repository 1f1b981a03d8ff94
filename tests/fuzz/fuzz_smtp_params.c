/* fuzz_smtp_params.c - any bytes as the argument of a command. */
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <stdlib.h>

#include "smtpd/params.h"
#include "smtpd/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing that is kept may break a line of a protocol, a log or a report. */
static void
check_text(const char *s, size_t cap)
{
	size_t len = strnlen(s, cap);

	if (len == cap)
		abort();
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			abort();
}

static void
check_address(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct addr again;

	check_text(addr_text(a, text, sizeof(text)), sizeof(text));
	if (a->domain[0] != '\0' && addr_parse(slice_of(text), &again) !=
	    ADDR_OK)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	char helo[ADDR_DOMAIN_MAX + 1];
	struct mail_params m;
	struct rcpt_params r;
	struct bdat_params b;
	struct auth_params a;
	struct ip ip;

	if (params_mail(in, &m) == PARAMS_OK) {
		check_address(&m.sender);
		check_text(m.envid, sizeof(m.envid));
	}
	if (params_rcpt(in, size % 2 == 0, &r) == PARAMS_OK) {
		check_address(&r.recipient);
		check_text(r.orcpt, sizeof(r.orcpt));
	}
	if (params_helo(in, helo) == PARAMS_OK)
		check_text(helo, sizeof(helo));
	(void)params_bdat(in, &b);
	if (params_auth(in, &a) == PARAMS_OK && a.initial.len > size)
		abort();
	(void)proxy_parse(in, &ip);
	return 0;
}
