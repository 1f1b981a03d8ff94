/* authorities.h - the certificates that vouch for other servers. */
#ifndef REMOTE_AUTHORITIES_H
#define REMOTE_AUTHORITIES_H
/* SPDX-License-Identifier: ISC */

/* The file that the configuration names, or, when that is "", the one of the
 * machine; NULL when it has none. In one file: a folder would be read when it
 * is needed, and then it is out of reach. */
const char *authorities_file(const char *configured);

#endif
