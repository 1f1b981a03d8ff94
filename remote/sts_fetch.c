/* sts_fetch.c - gets an MTA-STS policy over HTTPS. */
/* SPDX-License-Identifier: ISC */

#include "remote/sts.h"

#include <stdarg.h>
#include <stdio.h>

#include <curl/curl.h>

#define BODY_MAX 65536		/* RFC 8461 3.3 lets us choose; that is theirs */
#define TIME_CONNECT 10		/* s */
#define TIME_ALL 15

static int
fail(char *why, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, cap, fmt, ap);
	va_end(ap);
	return -1;
}

/* Less than n bytes taken makes libcurl give up. */
static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct str *body = arg;

	str_put(body, slice_make(p, size * n));
	return str_ok(body) ? size * n : 0;
}

/* "HOST:PORT:IP,IP": libcurl does not look up anything itself. */
static struct curl_slist *
resolve(struct sts_web *w, const char *host, char *why, size_t cap)
{
	struct str s = STR_INIT(4096);
	struct curl_slist *list = NULL;
	struct dns_addresses a;
	char text[IP_TEXT_MAX];

	if (dns_addresses(&w->dns, host, &a) != DNS_OK) {
		fail(why, cap, "%s has no address now", host);
		return NULL;
	}
	str_printf(&s, "%s:%u", host, w->port);
	for (size_t i = 0; i < a.n; i++)
		str_printf(&s, ip_is_v4(&a.v[i]) ? "%c%s" : "%c[%s]",
		    i == 0 ? ':' : ',', ip_text(&a.v[i], text));
	if (str_ok(&s))
		list = curl_slist_append(NULL, str_c(&s));
	str_free(&s);
	return list;
}

static CURLcode
prepare(CURL *c, const struct sts_web *w, const char *host,
    struct curl_slist *addresses, struct str *body)
{
	struct curl_blob blob = {
		.data = (void *)(uintptr_t)str_c(&w->authorities),
		.len = w->authorities.len, .flags = CURL_BLOB_NOCOPY
	};
	char url[ADDR_DOMAIN_MAX + 64];
	CURLcode r = CURLE_OK;

	snprintf(url, sizeof(url), "https://%s:%u/.well-known/mta-sts.txt",
	    host, w->port);
#define SET(option, value) \
	do { \
		if (r == CURLE_OK) \
			r = curl_easy_setopt(c, option, value); \
	} while (0)
	SET(CURLOPT_URL, url);
	SET(CURLOPT_RESOLVE, addresses);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_FOLLOWLOCATION, 0L);	/* RFC 8461 3.3 */
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_CAINFO_BLOB, &blob);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)TIME_CONNECT);
	SET(CURLOPT_TIMEOUT, (long)TIME_ALL);
	SET(CURLOPT_MAXFILESIZE, (long)BODY_MAX);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, body);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#undef SET
	return r;
}

/* "text/plain", with parameters or without (RFC 9110 8.3.1). */
static bool
is_plain_text(const char *type)
{
	struct slice rest = slice_of(type), name = slice_cut(&rest, ';');

	return slice_eq_nocase(slice_trim(name), SLICE("text/plain"));
}

/* What came is a policy. */
static int
judge(CURL *c, const struct str *body, struct sts_policy *out, char *why,
    size_t cap)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	if (status != 200)
		return fail(why, cap, "HTTP status %ld", status);
	if (type == NULL || !is_plain_text(type))
		return fail(why, cap, "it is not text/plain");
	if (sts_policy_parse(str_slice(body), out) == -1)
		return fail(why, cap, "it is no policy (RFC 8461 3.2)");
	return 0;
}

int
sts_fetch(struct sts_web *w, const char *domain, struct sts_policy *out,
    char *why, size_t cap)
{
	char host[ADDR_DOMAIN_MAX + 16];
	struct str body = STR_INIT(BODY_MAX);
	struct curl_slist *addresses;
	CURL *c;
	CURLcode got;
	int r = -1;

	snprintf(host, sizeof(host), "mta-sts.%s", domain);
	if ((addresses = resolve(w, host, why, cap)) == NULL)
		return -1;
	if ((c = curl_easy_init()) == NULL ||
	    prepare(c, w, host, addresses, &body) != CURLE_OK)
		fail(why, cap, "libcurl cannot do what is asked of it");
	else if ((got = curl_easy_perform(c)) != CURLE_OK)
		fail(why, cap, "%s", curl_easy_strerror(got));
	else
		r = judge(c, &body, out, why, cap);
	if (c != NULL)
		curl_easy_cleanup(c);
	curl_slist_free_all(addresses);
	str_free(&body);
	return r;
}
