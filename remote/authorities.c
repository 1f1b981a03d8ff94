/* authorities.c - the certificates that vouch for other servers. */
/* SPDX-License-Identifier: ISC */

#include "remote/authorities.h"

#include <stddef.h>
#include <unistd.h>

const char *
authorities_file(const char *configured)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem"
	};

	if (configured[0] != '\0')
		return configured;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}
