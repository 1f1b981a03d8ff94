/* registry.c - what malle-registryd asks of the queue. */
/* SPDX-License-Identifier: ISC */
/*
 * Each notice to an account comes by a connection of its own, which comes along
 * with the notice's key on the pair (lib/proto_registry.h). What somebody has
 * sent is told on the descriptor that comes with the question.
 * Trusts: that the pair is malle-registryd's; not what comes on it.
 * Order: the key is kept as soon as the message is durable. Who gives that key
 * again has died before it was told: it is told now.
 * Limits: one notice at a time; BATCH requests in a turn; REGISTRY_TAKEN keys.
 */
#include "queue/registry.h"

#include <sys/epoll.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "queue/sending.h"

#define BATCH 16

/* One that comes in, perhaps from a malle-registryd that has died. */
static bool
is_busy(const struct manager *q)
{
	const struct conn *c;

	TAILQ_FOREACH(c, &q->conns, link)
		if ((c->roles & PEER_REGISTRY) != 0)
			return true;
	TAILQ_FOREACH(c, &q->dead, link)
		if ((c->roles & PEER_REGISTRY) != 0 && c->pending > 0)
			return true;
	return false;
}

static bool
was_taken(const struct manager *q, const char *key)
{
	for (size_t i = 0; i < REGISTRY_TAKEN; i++)
		if (strcmp(q->registry_taken[i], key) == 0)
			return true;
	return false;
}

/* What Q_DONE says of a message that was taken. */
static void
say_taken(int fd)
{
	unsigned char space[64];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_u8(&k, QUEUE_OK);
	pack_bytes(&k, SLICE_EMPTY);
	pack_bytes(&k, SLICE("2.6.0"));
	pack_bytes(&k, SLICE_EMPTY);
	if (ipc_send(fd, Q_DONE, &k, NULL, 0) == -1)
		log_debug(NULL, "registry-not-told", "error=%s",
		    LOGS(strerror(errno)));
}

/* Closes fd, or makes it a peer. A closed one is given again. */
static void
take_notice(struct manager *q, struct slice key, int fd)
{
	char text[REGISTRY_NOTICE_KEY_MAX + 1];

	if (fd == -1)
		return;
	if (key.len == 0 || slice_to_cstr(key, text, sizeof(text)) == -1 ||
	    is_busy(q) || fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
		close(fd);
	} else if (was_taken(q, text)) {
		say_taken(fd);
		close(fd);
	} else {
		memcpy(q->registry_key, text, sizeof(text));
		(void)peer_new(q, fd, PEER_REGISTRY, q->own_uid);
	}
}

/* Who may know was decided there; what was sent is told here. */
static void
tell_sent(struct manager *q, struct slice key, int fd)
{
	char text[REGISTRY_SENT_MAX + 1];

	if (fd == -1)
		return;
	if (key.len > 0 && slice_to_cstr(key, text, sizeof(text)) == 0 &&
	    fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		sending_tell(q, text, fd);
	close(fd);
}

static void
on_registry(struct manager *q, struct watch *w, uint32_t events)
{
	unsigned char space[REGISTRY_SENT_MAX + 64];
	struct ipc_msg m;
	struct slice key;
	int r = 1;

	(void)events;
	for (int i = 0; i < BATCH && r == 1; i++) {
		r = ipc_recv_short(w->fd, space, sizeof(space), &m);
		if (r == 0 || (r == -1 && errno != EAGAIN &&
		    errno != EINTR && errno != EBADMSG))
			manager_unwatch(q, w);
		if (r != 1)
			return;
		key = unpack_text(&m.body, REGISTRY_SENT_MAX);
		if (m.type == REG_NOTICE && unpack_end(&m.body))
			take_notice(q, key, ipc_take_fd(&m, 0));
		else if (m.type == REG_SENT && unpack_end(&m.body))
			tell_sent(q, key, ipc_take_fd(&m, 0));
		else
			log_notice(NULL, "peer", "closed=%s",
			    LOGS("request of malle-registryd not understood"));
		ipc_close_fds(&m);
	}
}

int
registry_watch(struct manager *q)
{
	if (q->registry_fd == -1)
		return 0;
	q->registry = (struct watch){ q->registry_fd, on_registry, false };
	return manager_watch(q, &q->registry, EPOLLIN);
}

void
registry_submitted(struct manager *q, struct conn *c,
    enum queue_result result)
{
	if (result != QUEUE_TEMPORARY)
		memcpy(q->registry_taken[q->registry_n++ % REGISTRY_TAKEN],
		    q->registry_key, sizeof(q->registry_key));
	peer_close(q, c);
}
