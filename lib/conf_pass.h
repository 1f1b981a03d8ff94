/* conf_pass.h - hands the configuration to programs that cannot read it. */
#ifndef LIB_CONF_PASS_H
#define LIB_CONF_PASS_H
/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include "lib/conf.h"

/*
 * A program in its root folder does not see the file any more. malle-start has
 * read it and found it right; it sends the settings in force on a pair, the
 * program's end of which is named "conf", and then SIGHUP: what a program finds
 * there at SIGHUP is what counts.
 */
#define CONF_SETTINGS 1		/* bytes: the lines of conf_print();
				 * u32: the number of admin_group, or -1 */

/* A pair, neither end of which waits. 0, or -1 with errno. */
int conf_pair(int fd[2]) __attribute__((warn_unused_result));

/* 0, or -1 with errno: EAGAIN when the other side has not read for long. */
int conf_send(int fd, const struct conf *c)
    __attribute__((warn_unused_result));

/*
 * Takes all that has come on fd (-1: none); the last one counts. 1 with *c and,
 * unless admins is NULL, *admins set, 0 when nothing is there, -1 with errno
 * when what came cannot be used.
 */
int conf_receive(int fd, struct conf *c, gid_t *admins)
    __attribute__((warn_unused_result));

#endif
