/* conf_pass.c - hands the configuration to programs that cannot read it. */
/* SPDX-License-Identifier: ISC */
#include "lib/conf_pass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/ipc.h"
#include "lib/proc.h"

int
conf_pair(int fd[2])
{
	if (ipc_pair(fd) == -1)
		return -1;
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	close(fd[0]);
	close(fd[1]);
	return -1;
}

int
conf_send(int fd, const struct conf *c)
{
	unsigned char *space = malloc(IPC_MAX);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct packer k;
	int r = -1;

	if (space == NULL || f == NULL)
		goto out;
	conf_print(c, f);
	r = fclose(f);
	f = NULL;
	if (r == -1)
		goto out;
	pack_init(&k, space, IPC_MAX - sizeof(uint16_t));
	pack_bytes(&k, slice_make(text, len));
	pack_u32(&k, proc_group(c->admin_group));
	r = ipc_send(fd, CONF_SETTINGS, &k, NULL, 0);
out:
	if (f != NULL)
		fclose(f);
	free(text);
	free(space);
	return r;
}

/* One message. 0, or -1 with errno EBADMSG. */
static int
take(struct ipc_msg *m, struct conf *c, gid_t *admins)
{
	struct slice text = unpack_bytes(&m->body, IPC_MAX);
	gid_t group = unpack_u32(&m->body);
	FILE *f = NULL;
	int r = -1;

	ipc_close_fds(m);
	if (m->type == CONF_SETTINGS && unpack_end(&m->body) && text.len > 0)
		f = fmemopen((void *)(uintptr_t)text.p, text.len, "r");
	if (f != NULL) {
		r = conf_read(c, f, "malle-start", stderr);
		fclose(f);
	}
	if (r == -1)
		errno = EBADMSG;
	else if (admins != NULL)
		*admins = group;
	return r;
}

int
conf_receive(int fd, struct conf *c, gid_t *admins)
{
	unsigned char *space;
	struct ipc_msg m;
	int r, got = 0;

	if (fd == -1)
		return 0;
	if ((space = malloc(IPC_MAX)) == NULL)
		return -1;
	while ((r = ipc_recv(fd, space, &m)) == 1)
		got = take(&m, c, admins) == 0 ? 1 : -1;
	/* What has come is complete, even when nobody is there any more. */
	if (r == -1 && errno != EAGAIN)
		got = -1;
	free(space);
	return got;
}
