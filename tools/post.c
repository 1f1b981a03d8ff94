/* post.c - a letter that a command has written goes into the queue. */
/* SPDX-License-Identifier: ISC */

#include "tools/post.h"

#include <sys/random.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/encode.h"

#define QUEUE_SECONDS 60	/* for one answer of the queue */

int
post(const struct malle *m, const char *sender, const char *to,
    unsigned notify, struct slice message, char *id, char *why)
{
	struct queue_mail mail = { .lane = LANE_TRANSACTIONAL,
		.flags = encode_is_ascii(message) ? 0 : QM_8BIT | QM_UTF8,
		.protocol = "local", .size = message.len };
	struct queue_answer answer = { .result = QUEUE_TEMPORARY };
	char path[sizeof(m->conf.base) + 64];
	int fd = -1, r = -1;

	snprintf(mail.sender, sizeof(mail.sender), "%s", sender);
	snprintf(mail.trace, sizeof(mail.trace), "from malle (local uid %u)",
	    (unsigned)getuid());
	if (conf_path(&m->conf, "public/queue.sock", path, sizeof(path)) == 0 &&
	    (fd = queue_connect(path)) != -1 &&
	    ipc_timeout(fd, QUEUE_SECONDS) == 0 &&
	    queue_mail(fd, &mail) == 0 &&
	    queue_rcpt(fd, to, notify, SLICE_EMPTY) == 0 &&
	    queue_data(fd, message) == 0)
		r = queue_commit(fd, SLICE_EMPTY, &answer);
	if (r == -1)
		snprintf(why, POST_WHY_MAX + 1, "%s", strerror(errno));
	else if (answer.result != QUEUE_OK)
		snprintf(why, POST_WHY_MAX + 1, "%s %s", answer.enhanced,
		    answer.text);
	else
		memcpy(id, answer.id, sizeof(answer.id));
	if (fd != -1)
		close(fd);
	return r == 0 && answer.result == QUEUE_OK ? 0 : -1;
}

int
post_make_id(const struct malle *m, char *out)
{
	uint64_t noise;

	if (getrandom(&noise, sizeof(noise), 0) != sizeof(noise))
		return -1;
	snprintf(out, POST_ID_MAX, "%jx.%016" PRIx64 "@%s",
	    (uintmax_t)time(NULL), noise, m->conf.hostname);
	return 0;
}
