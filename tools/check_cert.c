/* check_cert.c - is a certificate fit for use? */
/* SPDX-License-Identifier: ISC */

#include "tools/check_cert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static enum cert_verdict
judge(X509 *cert, EVP_PKEY *key, const char *hostname, int *days, char *why,
    size_t cap)
{
	int seconds, left;

	if (X509_check_private_key(cert, key) != 1) {
		snprintf(why, cap, "the key is not the certificate's");
		return CERT_WRONG;
	}
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
		snprintf(why, cap, "the certificate is not valid yet");
		return CERT_WRONG;
	}
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0 ||
	    ASN1_TIME_diff(&left, &seconds, NULL,
	        X509_get0_notAfter(cert)) != 1) {
		snprintf(why, cap, "the certificate has expired");
		return CERT_WRONG;
	}
	if (X509_check_host(cert, hostname, strlen(hostname), 0, NULL) != 1) {
		snprintf(why, cap, "the certificate is not for %s", hostname);
		return CERT_WRONG;
	}
	*days = left;
	return CERT_FINE;
}

/* NULL with *v and why. */
static FILE *
open_pem(const char *path, enum cert_verdict *v, char *why, size_t cap)
{
	FILE *f = fopen(path, "re");

	if (f == NULL) {
		*v = errno == EACCES ? CERT_UNSEEN : CERT_WRONG;
		snprintf(why, cap, "%s: %s", path, strerror(errno));
	}
	return f;
}

/* A key with a passphrase is of no use to a service: nobody types it. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

enum cert_verdict
check_cert(const char *cert_path, const char *key_path, const char *hostname,
    int *days, char *why, size_t cap)
{
	enum cert_verdict v = CERT_WRONG;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	FILE *f;

	if ((f = open_pem(cert_path, &v, why, cap)) == NULL)
		return v;
	cert = PEM_read_X509(f, NULL, no_passphrase, NULL);
	fclose(f);
	if ((f = open_pem(key_path, &v, why, cap)) == NULL) {
		X509_free(cert);
		return v;
	}
	key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
	fclose(f);
	if (cert == NULL)
		snprintf(why, cap, "%s holds no certificate", cert_path);
	else if (key == NULL)
		snprintf(why, cap, "%s holds no key without a passphrase",
		    key_path);
	else
		v = judge(cert, key, hostname, days, why, cap);
	EVP_PKEY_free(key);
	X509_free(cert);
	return v;
}
