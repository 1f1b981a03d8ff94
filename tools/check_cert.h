/* check_cert.h - is a certificate fit for use? */
#ifndef TOOLS_CHECK_CERT_H
#define TOOLS_CHECK_CERT_H
/* SPDX-License-Identifier: ISC */

#include <stddef.h>

enum cert_verdict {
	CERT_FINE,		/* *days it is still valid */
	CERT_UNSEEN,		/* the caller may not read it */
	CERT_WRONG		/* why[cap] says what is wrong */
};

/* Reads both PEM files: dates, whether the key is the certificate's, and
 * whether the certificate is for hostname. */
enum cert_verdict check_cert(const char *cert_path, const char *key_path,
    const char *hostname, int *days, char *why, size_t cap);

#endif
