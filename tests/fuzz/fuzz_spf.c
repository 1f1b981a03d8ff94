/* fuzz_spf.c - any texts, addresses and hosts as what a DNS answers to SPF. */
/* SPDX-License-Identifier: ISC */

#include "tools/spf.h"

#include "tests/fuzz/must.h"

#define ASKED_MAX 200		/* 10 look-ups, each of 10 hosts, and some */

/* Every answer is taken from the input, piece after piece. */
static struct slice rest;
static unsigned asked;

static unsigned char
take_byte(void)
{
	unsigned char c;

	if (rest.len == 0)
		return 0;
	c = (unsigned char)rest.p[0];
	rest = slice_skip(rest, 1);
	return c;
}

static enum dns_status
take_status(void)
{
	unsigned char c = take_byte();

	must(++asked < ASKED_MAX);
	return c < 240 ? DNS_OK : c < 250 ? DNS_NO_NAME : DNS_TEMPORARY;
}

enum dns_status
dns_texts(struct dns *d, const char *name,
    void (*text)(void *arg, const char *text), void *arg)
{
	enum dns_status status = take_status();
	char line[DNS_TEXT_MAX];

	(void)d;
	must(strlen(name) <= ADDR_DOMAIN_MAX);
	/* Two lines at most, so that several records come, too. */
	for (unsigned n = 1 + (take_byte() & 1); status == DNS_OK &&
	    rest.p != NULL && n > 0; n--)
		if (slice_to_cstr(slice_cut(&rest, '\n'), line,
		    sizeof(line)) == 0)
			text(arg, line);
	return status;
}

enum dns_status
dns_addresses(struct dns *d, const char *host, struct dns_addresses *out)
{
	enum dns_status status = take_status();

	(void)d;
	must(host[0] != '\0' && strlen(host) <= ADDR_DOMAIN_MAX);
	out->n = 0;
	if (status == DNS_OK && ip_parse(take_byte() & 1 ? SLICE("192.0.2.1") :
	    SLICE("2001:db8::1"), &out->v[0]) == 0)
		out->n = 1;
	return status;
}

enum dns_status
dns_mx(struct dns *d, const char *domain, struct dns_mx *out)
{
	enum dns_status status = take_status();
	size_t n = take_byte() % 12;

	(void)d;
	must(strlen(domain) <= ADDR_DOMAIN_MAX);
	for (out->n = 0; out->n < n; out->n++)
		memcpy(out->v[out->n].host, "mx.test", sizeof("mx.test"));
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char record[DNS_TEXT_MAX];
	enum spf_result result;
	struct ip ip;

	rest = slice_make(data, size);
	asked = 0;
	must(ip_parse(take_byte() & 1 ? SLICE("192.0.2.1") :
	    SLICE("2001:db8::1"), &ip) == 0);
	result = spf_check(NULL, "here.test", &ip, INT64_MAX, record);
	must(result >= SPF_NONE && result <= SPF_TEMPORARY);
	must(strlen(record) < DNS_TEXT_MAX);
	must(result != SPF_PASS || record[0] != '\0');
	return 0;
}
