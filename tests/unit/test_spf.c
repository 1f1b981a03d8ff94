/* test_spf.c - what an SPF record says of an address (RFC 7208). */
/* SPDX-License-Identifier: ISC */

#include "tools/spf.h"

#include "tests/unit/tap.h"

/* A DNS of its own: the functions of lib/dns.c that spf.c asks. */
static const struct {
	const char *name;
	char type;		/* T, A, M; '?': the server does not answer */
	const char *data;
} zone[] = {
	{ "yes.test", 'T', "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all" },
	{ "no.test", 'T', "v=spf1 -all" },
	{ "any.test", 'T', "v=spf1 +all" },
	{ "two.test", 'T', "v=spf1 -all" },
	{ "two.test", 'T', "v=spf1 +all" },
	{ "bad.test", 'T', "v=spf1 ip4:192.0.2.1 nonsense -all" },
	{ "ring.test", 'T', "v=spf1 include:ring.test -all" },
	{ "down.test", '?', "" },
	{ "mail.test", 'A', "192.0.2.1" },
	{ "mail.test", 'A', "2001:db8::1" },
	{ "near.test", 'A', "192.0.2.200" },
	{ "mx.test", 'M', "mail.test" },
	{ "many.test", 'M', "m1.test" }, { "many.test", 'M', "m2.test" },
	{ "many.test", 'M', "m3.test" }, { "many.test", 'M', "m4.test" },
	{ "many.test", 'M', "m5.test" }, { "many.test", 'M', "m6.test" },
	{ "many.test", 'M', "m7.test" }, { "many.test", 'M', "m8.test" },
	{ "many.test", 'M', "m9.test" }, { "many.test", 'M', "m10.test" },
	{ "many.test", 'M', "mail.test" },
};
#define ZONE (sizeof(zone) / sizeof(zone[0]))

static const char *record_here;	/* of here.test */

/* The next row of name, from *i on. NULL: there is no more. */
static const char *
next(const char *name, char type, size_t *i)
{
	for (; *i < ZONE; (*i)++)
		if (strcmp(zone[*i].name, name) == 0 && zone[*i].type == type)
			return zone[(*i)++].data;
	return NULL;
}

static bool
is_down(const char *name)
{
	size_t i = 0;

	return next(name, '?', &i) != NULL;
}

enum dns_status
dns_texts(struct dns *d, const char *name,
    void (*text)(void *arg, const char *text), void *arg)
{
	const char *data;
	size_t i = 0;

	(void)d;
	if (is_down(name))
		return DNS_TEMPORARY;
	text(arg, "something else");
	if (strcmp(name, "here.test") == 0)
		text(arg, record_here);
	while ((data = next(name, 'T', &i)) != NULL)
		text(arg, data);
	return DNS_OK;
}

enum dns_status
dns_addresses(struct dns *d, const char *host, struct dns_addresses *out)
{
	const char *data;
	size_t i = 0;

	(void)d;
	out->n = 0;
	if (is_down(host))
		return DNS_TEMPORARY;
	while ((data = next(host, 'A', &i)) != NULL)
		if (ip_parse(slice_of(data), &out->v[out->n]) == 0)
			out->n++;
	return out->n > 0 ? DNS_OK : DNS_NO_NAME;
}

enum dns_status
dns_mx(struct dns *d, const char *domain, struct dns_mx *out)
{
	const char *data;
	size_t i = 0;

	(void)d;
	out->n = 0;
	if (is_down(domain))
		return DNS_TEMPORARY;
	while ((data = next(domain, 'M', &i)) != NULL)
		memcpy(out->v[out->n++].host, data, strlen(data) + 1);
	return out->n > 0 ? DNS_OK : DNS_NO_DATA;
}

#define V4 "192.0.2.1"
#define V6 "2001:db8::1"

static const struct {
	const char *record, *ip;
	enum spf_result want;
} rows[] = {
	/* RFC 7208 4.5 */
	{ "v=spf10 +all", V4, SPF_NONE },
	{ "V=SPF1", V4, SPF_NEUTRAL },
	/* 5.6 */
	{ "v=spf1 ip4:192.0.2.1 -all", V4, SPF_PASS },
	{ "v=spf1 ip4:192.0.2.0/24 -all", V4, SPF_PASS },
	{ "v=spf1 ip4:192.0.3.0/24 -all", V4, SPF_FAIL },
	{ "v=spf1 ip4:192.0.2.1 -all", V6, SPF_FAIL },
	{ "v=spf1 ip4:0.0.0.0/0 -all", V6, SPF_FAIL },
	{ "v=spf1 ip6:2001:db8::/32 ~all", V6, SPF_PASS },
	{ "v=spf1 ip6::/0 -all", V4, SPF_SYNTAX },
	{ "v=spf1 ip6:::/0 -all", V4, SPF_FAIL },
	{ "v=spf1 ip4:2001:db8::1 -all", V6, SPF_SYNTAX },
	{ "v=spf1 ip4 -all", V4, SPF_SYNTAX },
	{ "v=spf1 ip4/8 -all", V4, SPF_SYNTAX },
	{ "v=spf1 ip4:192.0.2.1/33 -all", V4, SPF_SYNTAX },
	/* 4.6.2, 5.1 */
	{ "v=spf1 ?all", V4, SPF_NEUTRAL },
	{ "v=spf1 ~all", V4, SPF_SOFTFAIL },
	{ "v=spf1 -ip4:192.0.2.1 +all", V4, SPF_FAIL },
	{ "v=spf1 all", V4, SPF_ANYBODY },
	{ "v=spf1  -ALL  ", V4, SPF_FAIL },
	{ "v=spf1 all:x.test", V4, SPF_SYNTAX },
	{ "v=spf1 - all", V4, SPF_SYNTAX },
	/* 5.3, 5.4 */
	{ "v=spf1 a:mail.test -all", V4, SPF_PASS },
	{ "v=spf1 a:mail.test -all", V6, SPF_PASS },
	{ "v=spf1 a:near.test -all", V4, SPF_FAIL },
	{ "v=spf1 a:near.test/24 -all", V4, SPF_PASS },
	{ "v=spf1 a:near.test/24//64 -all", V4, SPF_PASS },
	{ "v=spf1 a:near.test//24 -all", V4, SPF_FAIL },
	{ "v=spf1 a:mail.test//64 -all", "2001:db8::2", SPF_PASS },
	{ "v=spf1 a:mail.test/33 -all", V4, SPF_SYNTAX },
	{ "v=spf1 a:mail.test/24/64 -all", V4, SPF_SYNTAX },
	{ "v=spf1 a:mail.test/ -all", V4, SPF_SYNTAX },
	{ "v=spf1 a:mail.test//129 -all", V4, SPF_SYNTAX },
	{ "v=spf1 a: -all", V4, SPF_SYNTAX },
	{ "v=spf1 a:down.test -all", V4, SPF_TEMPORARY },
	{ "v=spf1 mx:mx.test -all", V4, SPF_PASS },
	{ "v=spf1 mx:many.test -all", V4, SPF_LOOKUPS },
	/* 5.2 */
	{ "v=spf1 include:yes.test -all", V4, SPF_PASS },
	{ "v=spf1 include:no.test ~all", V4, SPF_SOFTFAIL },
	{ "v=spf1 ~include:any.test -all", V4, SPF_SOFTFAIL },
	{ "v=spf1 include:none.test -all", V4, SPF_SYNTAX },
	{ "v=spf1 include:two.test -all", V4, SPF_SYNTAX },
	{ "v=spf1 include:bad.test -all", V4, SPF_SYNTAX },
	{ "v=spf1 include:down.test -all", V4, SPF_TEMPORARY },
	{ "v=spf1 include:ring.test -all", V4, SPF_LOOKUPS },
	{ "v=spf1 include:yes.test/24 -all", V4, SPF_SYNTAX },
	{ "v=spf1 include -all", V4, SPF_SYNTAX },
	/* 4.6.4 */
	{ "v=spf1 a:x.test a:y.test -all", V4, SPF_FAIL },
	{ "v=spf1 a:x.test a:y.test a:z.test -all", V4, SPF_LOOKUPS },
	/* 4.6: a mistake anywhere counts, also behind what matches */
	{ "v=spf1 ip4:192.0.2.1 nonsense", V4, SPF_SYNTAX },
	{ "v=spf1 ip4:192.0.2.1 -al", V4, SPF_SYNTAX },
	{ "v=spf1 ip4:192.0.2.1 a:mail.test/99", V4, SPF_SYNTAX },
	/* 6: modifiers */
	{ "v=spf1 redirect=yes.test", V4, SPF_PASS },
	{ "v=spf1 redirect=no.test ip4:192.0.2.1", V4, SPF_PASS },
	{ "v=spf1 redirect=none.test", V4, SPF_SYNTAX },
	{ "v=spf1 redirect=", V4, SPF_SYNTAX },
	{ "v=spf1 redirect=%{d2}", V4, SPF_UNSURE },
	{ "v=spf1 redirect=yes.test redirect=yes.test", V4, SPF_SYNTAX },
	{ "v=spf1 exp=a.test exp=b.test -all", V4, SPF_SYNTAX },
	{ "v=spf1 exp=a.test -all", V4, SPF_FAIL },
	{ "v=spf1 new-one=x:y/z -all", V4, SPF_FAIL },
	{ "v=spf1 =x -all", V4, SPF_SYNTAX },
	{ "v=spf1 -redirect=yes.test", V4, SPF_SYNTAX },
	/* 7: what depends on the letter */
	{ "v=spf1 exists:%{ir}.list.test -all", V4, SPF_UNSURE },
	{ "v=spf1 a:%{l/}.x.test/24 -all", V4, SPF_UNSURE },
	{ "v=spf1 include:%{d}.x.test -all", V4, SPF_UNSURE },
	{ "v=spf1 ptr -all", V4, SPF_UNSURE },
	{ "v=spf1 ip4:192.0.2.1 ptr -all", V4, SPF_PASS },
};

int
main(void)
{
	char record[DNS_TEXT_MAX];
	struct ip ip;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum spf_result got;

		record_here = rows[i].record;
		ok(ip_parse(slice_of(rows[i].ip), &ip) == 0, "an address");
		got = spf_check(NULL, "here.test", &ip, INT64_MAX, record);
		ok(got == rows[i].want, "\"%s\" of %s: %d", rows[i].record,
		    rows[i].ip, (int)got);
	}
	record_here = "v=spf1 a:mail.test -all";
	ok(spf_check(NULL, "here.test", &ip, 0, record) == SPF_TEMPORARY &&
	    strcmp(record, record_here) == 0, "the time is over");
	ok(spf_check(NULL, "none.test", &ip, INT64_MAX, record) == SPF_NONE &&
	    record[0] == '\0', "a domain without a record");
	return done();
}
