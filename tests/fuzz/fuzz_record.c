/* fuzz_record.c - any bytes as a record of a table. */
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"
#include "lib/app_password.h"

#include "lib/pack.h"
#include "tests/fuzz/must.h"

static unsigned char space[1 << 20];

static void
check_inside(struct slice part, struct slice whole)
{
	must(part.len == 0 || (part.p >= whole.p &&
	    part.p + part.len <= whole.p + whole.len));
}

/* What was taken is taken again when it is written. */
static void
check_address(struct slice value)
{
	struct address_record a, again;
	struct packer k;

	if (address_record_unpack(value, &a) == -1)
		return;
	must(a.state <= ACCOUNT_DISABLED && a.kind <= ADDRESS_ROBOT);
	must(a.kind != ADDRESS_ALIAS || a.targets.len > 0);
	must(memchr(a.folder.p, '/', a.folder.len) == NULL);
	check_inside(a.targets, value);
	check_inside(a.folder, value);
	check_inside(a.senders, value);
	pack_init(&k, space, sizeof(space));
	address_record_pack(&k, &a);
	must(!k.bad && address_record_unpack(pack_slice(&k), &again) == 0);
	must(a.kind == again.kind && a.keep == again.keep &&
	    slice_eq(a.targets, again.targets) &&
	    slice_eq(a.senders, again.senders));
}

static void
check_answer(struct slice value)
{
	struct answer_record a, again;
	struct packer k;

	if (answer_record_unpack(value, &a) == -1)
		return;
	check_inside(a.subject, value);
	check_inside(a.text, value);
	check_inside(a.full_name, value);
	pack_init(&k, space, sizeof(space));
	answer_record_pack(&k, &a);
	must(!k.bad && answer_record_unpack(pack_slice(&k), &again) == 0);
	must(slice_eq(a.subject, again.subject) &&
	    slice_eq(a.text, again.text) && a.days == again.days);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice value = slice_make(data, size);
	struct domain_record d, d2;
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
		must(strcmp(d.zone, d2.zone) == 0);
		(void)zone_clock(d.zone, 1795300000);
	}
	check_address(value);
	check_answer(value);
	if (secret_record_unpack(value, &s) == 0) {
		check_inside(s.folder, value);
		check_inside(s.hash, value);
		check_inside(s.scram_salt, value);
		check_inside(s.apps, value);
		must(app_passwords_are_valid(s.apps));
		must(s.scram_iterations == 0 || (s.scram_stored.len == 32 &&
		    s.scram_server.len == 32));
	}
	if (access_record_unpack(value, &x) == 0)
		check_inside(x.owner, value);
	return 0;
}
