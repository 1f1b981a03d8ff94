/* fuzz_addr.c - any bytes as an address, a path, a domain, a network. */
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"

#include "tests/fuzz/must.h"

/* What was taken has a canonical text that is taken again, as the same. */
static void
check_address(const struct addr *a)
{
	char text[ADDR_TEXT_MAX], again_text[ADDR_TEXT_MAX];
	struct addr again;

	addr_text(a, text, sizeof(text));
	for (const char *p = text; *p != '\0'; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
	must(addr_parse(slice_of(text), &again) == ADDR_OK);
	must(strcmp(addr_text(&again, again_text, sizeof(again_text)), text) ==
	    0);
}

static void
check_account(struct slice s)
{
	char out[ADDR_LOCAL_MAX + 1], local[ADDR_LOCAL_MAX + 1];
	struct slice detail;

	if (addr_account(s, out) == 0) {
		must(out[0] != '.' && out[0] != '\0');
		must(strstr(out, "..") == NULL && strchr(out, '/') == NULL);
	}
	if (slice_to_cstr(s, local, sizeof(local)) == 0 &&
	    addr_account_of(local, out, &detail) == 0) {
		must(out[0] != '.' && strchr(out, '/') == NULL);
		must(detail.len == 0 || (detail.p >= local &&
		    detail.p + detail.len == local + strlen(local)));
	}
}

static void
check_domain(struct slice s)
{
	char out[ADDR_DOMAIN_MAX + 1], again[ADDR_DOMAIN_MAX + 1];

	if (addr_domain(s, out) == -1)
		return;
	must(out[0] != '.' && strchr(out, '/') == NULL);
	must(addr_domain(slice_of(out), again) == 0);
	must(strcmp(out, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size), rest = s;
	char text[IP_TEXT_MAX];
	unsigned bits;
	struct addr a;
	struct ip ip, again;

	if (addr_parse(s, &a) == ADDR_OK)
		check_address(&a);
	if (addr_parse_path(&rest, true, &a) == ADDR_OK) {
		must(rest.p >= s.p && rest.p + rest.len == s.p + s.len);
		if (a.local[0] != '\0' && a.domain[0] != '\0')
			check_address(&a);
	}
	check_account(s);
	check_domain(s);
	if (ip_parse_net(s, &ip, &bits) == 0)
		must(bits <= 128);
	if (ip_parse(s, &ip) == 0) {
		must(ip_parse(slice_of(ip_text(&ip, text)), &again) == 0);
		must(memcmp(&ip, &again, sizeof(ip)) == 0);
	}
	return 0;
}
