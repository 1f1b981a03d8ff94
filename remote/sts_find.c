/* sts_find.c - the resolver's way to a domain's MTA-STS policy (RFC 8461). */
/* SPDX-License-Identifier: ISC */

#include "remote/carrier.h"

#include <unistd.h>

#include "remote/proto_sts.h"

/* What the TXT records come to: one counts, of several none (RFC 8461 3.1). */
struct record {
	unsigned n;
	char id[STS_ID_MAX + 1];	/* "": there is none */
};

/* "id=20160831085700Z;" among others: the id. 0, or -1. */
static int
find_id(struct slice rest, char id[STS_ID_MAX + 1])
{
	bool has_id = false;

	while (rest.p != NULL) {
		struct slice value = slice_trim(slice_cut(&rest, ';'));
		struct slice name = slice_trim(slice_cut(&value, '='));

		if (value.p == NULL || !slice_eq(name, SLICE("id")))
			continue;
		value = slice_trim(value);
		if (value.len == 0 || has_id ||
		    slice_to_cstr(value, id, STS_ID_MAX + 1) == -1)
			return -1;
		has_id = true;
	}
	return has_id ? 0 : -1;
}

static void
take_record(void *arg, const char *text)
{
	struct slice rest = slice_of(text);
	struct record *r = arg;

	if (slice_eq(slice_trim(slice_cut(&rest, ';')), SLICE("v=STSv1")) &&
	    (++r->n > 1 || find_id(rest, r->id) == -1))
		r->id[0] = '\0';
}

/* Sends the question. The pair to wait on, or -1. */
static int
ask(int sts, const char *domain, const char *id)
{
	unsigned char space[512];
	struct packer k;
	int fd;

	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, slice_of(domain));
	pack_bytes(&k, slice_of(id));
	fd = ipc_send_pair(sts, STS_FETCH, &k);
	if (fd != -1 && ipc_timeout(fd, STS_WAIT) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

void
sts_find(struct remote *r, int sts, const char *domain, struct remote_found *f)
{
	static unsigned char space[IPC_MAX];
	char name[ADDR_DOMAIN_MAX + 16] = "_mta-sts.";
	struct record record = { .n = 0 };
	struct slice patterns;
	struct ipc_msg m;
	uint8_t mode;
	int fd;

	memcpy(name + 9, domain, strlen(domain) + 1);
	/* Without a record a policy that was fetched before counts: whoever
	 * keeps the record from us gains nothing (RFC 8461 5.1). */
	if (dns_texts(&r->dns, name, take_record, &record) != DNS_OK)
		record.id[0] = '\0';
	if ((fd = ask(sts, domain, record.id)) == -1)
		return;
	if (ipc_recv(fd, space, &m) == 1) {
		ipc_close_fds(&m);
		mode = unpack_u8(&m.body);
		patterns = unpack_bytes(&m.body, STS_MX_MAX);
		if (m.type == STS_POLICY && unpack_end(&m.body) &&
		    mode <= STS_ENFORCE && slice_to_cstr(patterns, f->sts_mx,
		    sizeof(f->sts_mx)) == 0)
			f->sts = (enum sts_mode)mode;
	}
	close(fd);
}
