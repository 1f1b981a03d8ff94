/* fuzz_record.c - any bytes as a record of a table. */
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"

#include "lib/pack.h"
#include "tests/fuzz/must.h"

static unsigned char space[1 << 20];

static void
check_inside(struct slice part, struct slice whole)
{
	must(part.len == 0 || (part.p >= whole.p &&
	    part.p + part.len <= whole.p + whole.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice value = slice_make(data, size);
	struct domain_record d, d2;
	struct address_record a;
	struct secret_record s;
	struct access_record x;
	struct packer k;

	if (domain_record_unpack(value, &d) == 0) {
		must(d.state <= ACCOUNT_DISABLED && strlen(d.language) == 2);
		must(strchr(d.alias_of, '/') == NULL);
		pack_init(&k, space, sizeof(space));
		domain_record_pack(&k, &d);
		must(!k.bad && domain_record_unpack(pack_slice(&k), &d2) == 0);
		must(d.uid == d2.uid && strcmp(d.alias_of, d2.alias_of) == 0);
	}
	if (address_record_unpack(value, &a) == 0) {
		must(a.state <= ACCOUNT_DISABLED && a.kind <= ADDRESS_ALIAS);
		must(a.kind != ADDRESS_ALIAS || a.targets.len > 0);
		check_inside(a.targets, value);
	}
	if (secret_record_unpack(value, &s) == 0) {
		check_inside(s.hash, value);
		check_inside(s.scram_salt, value);
		must(s.scram_iterations == 0 || (s.scram_stored.len == 32 &&
		    s.scram_server.len == 32));
	}
	(void)!access_record_unpack(value, &x);
	return 0;
}
