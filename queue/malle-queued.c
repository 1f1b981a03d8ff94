/* malle-queued.c - owns the queue: accepts, schedules, retries, removes. */
/* SPDX-License-Identifier: ISC */
/*
 * Runs as: malle-queue, chrooted to queue/, which is all that it can write;
 * public/tables stays open for reading.
 * Trusts: malle-start for its descriptors. Peers, workers, malle-bounce and
 * what is read back from the disk are checked.
 * Order: descriptors, folders, rights, lock, sandbox, queue, ready, loop.
 * Limits: see peer.c, submit.c, begin.c, local.c, dispatch.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/conf_pass.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "queue/start.h"

static struct manager manager;

static int
usage(FILE *out)
{
	fputs("usage: malle-queued [-h] [-c FILE]\n"
	    "Owns the queue. malle-start runs it; it needs descriptors from "
	    "there.\nSee malle-queued(8).\n", out);
	return out == stdout ? EX_OK : EX_USAGE;
}

/* The descriptors of malle-start. 0, or -1. */
static int
take_fds(struct manager *q)
{
	q->listener.fd = proc_fd("queue");
	q->spawn = proc_fd("spawn");
	q->bounce = proc_fd("bounce");
	q->remote_fd = proc_fd("remote");
	q->registry_fd = proc_fd("registry");
	q->conf_fd = proc_fd("conf");
	if (q->listener.fd == -1 || q->spawn == -1) {
		fputs("malle-queued: no descriptors named queue and spawn in "
		    "MALLE_FDS: start it with malle-start\n", stderr);
		return -1;
	}
	if (fcntl(q->listener.fd, F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(q->spawn, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	if (q->remote_fd != -1 &&
	    fcntl(q->remote_fd, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	if (q->registry_fd != -1 &&
	    fcntl(q->registry_fd, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	return q->bounce == -1 ? 0 : fcntl(q->bounce, F_SETFL, O_NONBLOCK);
}

int
main(int argc, char **argv)
{
	const char *conf = NULL;
	int c, r;

	log_open("malle-queued");
	while ((c = getopt(argc, argv, "hc:")) != -1)
		switch (c) {
		case 'c':
			conf = optarg;
			break;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	if (optind != argc)
		return usage(stderr);
	if (take_fds(&manager) == -1)
		return EX_USAGE;
	/* What was sent to one that has died is older than the file. */
	(void)!conf_receive(manager.conf_fd, &manager.conf, NULL);
	if (conf_load(&manager.conf, conf, stderr) == -1)
		return EX_CONFIG;
	if ((r = start_open(&manager)) != 0)
		return r;
	if ((r = start_confined(&manager, NULL, 0)) != 0) {
		if (r == START_BUSY)
			log_error(NULL, "error", "what=lock hint=%s",
			    LOGS("another malle-queued or malle-queue-run "
			    "works on this queue"));
		return r;
	}
	proc_ready();
	manager_loop(&manager);
	return EX_OK;
}
