/* proto_sts.h - how malle-remote asks malle-sts for an MTA-STS policy. */
#ifndef REMOTE_PROTO_STS_H
#define REMOTE_PROTO_STS_H
/* SPDX-License-Identifier: ISC */

#include "lib/ipc.h"
#include "lib/proto_remote.h"

/*
 * On the pair "remote" of malle-sts ("sts" of malle-remote): STS_FETCH with one
 * end of a pair, on which STS_POLICY comes back; a pair that closes without a
 * word means that there is no policy now. malle-sts keeps policies for their
 * max_age and fetches again when the id of the DNS record has changed. The id is
 * "" when there is no record: then only a policy that is kept is told of.
 */
enum sts_type {
	STS_FETCH = 1,	/* text domain, text id of the _mta-sts record */
	STS_POLICY	/* u8 sts_mode, bytes mx patterns (LF between); from a
			 * child of malle-sts also u32 max_age */
};
#define STS_ID_MAX 32	/* RFC 8461 3.1 */
#define STS_WAIT 20	/* seconds that an answer may take */

#endif
