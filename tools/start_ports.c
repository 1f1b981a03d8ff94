/* start_ports.c - listens on TCP ports; says who holds a taken one. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/num.h"

#define TCP_LISTENING 0x0A	/* the state in /proc/net/tcp */

/*
 * The inode of a socket that listens on a port: column 10 of /proc/net/tcp,
 * where column 2 is ADDRESS:PORT in hexadecimal and column 4 the state.
 */
static bool
listening_inode(const char *table, uint16_t port, unsigned long *inode)
{
	char line[512];
	unsigned local, state;
	bool found = false;
	FILE *f = fopen(table, "re");

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s "
		    "%*s %*s %*s %lu", &local, &state, inode) == 3 &&
		    local == port && state == TCP_LISTENING;
	if (f != NULL)
		fclose(f);
	return found;
}

/* True when the process whose folder is proc_pid has that socket open. */
static bool
has_socket(int proc_pid, unsigned long inode)
{
	char want[64], link[64];
	struct dirent *e;
	bool found = false;
	ssize_t len;
	DIR *d = fsx_open_list(proc_pid, "fd");

	if (d == NULL)
		return false;
	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	while (!found && (e = readdir(d)) != NULL) {
		len = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		if (len == -1)
			continue;
		link[len] = '\0';
		found = strcmp(link, want) == 0;
	}
	closedir(d);
	return found;
}

static void
read_name(int proc_pid, char *name, size_t cap)
{
	int fd = openat(proc_pid, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd == -1 ? -1 : read(fd, name, cap - 1);

	name[len > 0 ? len : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (fd != -1)
		close(fd);
}

/* "pid 12 (postfix)" of whoever has the socket open; false: not to be seen. */
static bool
find_holder(unsigned long inode, char *out, size_t cap)
{
	struct dirent *e;
	bool found = false;
	uint64_t pid;
	char name[64];
	DIR *d = opendir("/proc");

	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		int fd;

		if (num_parse(slice_of(e->d_name), 1, INT32_MAX, &pid) == -1)
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);
		if (fd == -1)
			continue;
		found = has_socket(fd, inode);
		if (found) {
			read_name(fd, name, sizeof(name));
			snprintf(out, cap, "pid %" PRIu64 " (%s)", pid, name);
		}
		close(fd);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static void
say_taken(const struct conf_listen *l, const char *setting)
{
	char who[128] = "another program";
	unsigned long inode;

	if (listening_inode("/proc/net/tcp", l->port, &inode) ||
	    listening_inode("/proc/net/tcp6", l->port, &inode)) {
		if (!find_holder(inode, who, sizeof(who)))
			snprintf(who, sizeof(who),
			    "a process that cannot be seen from here");
	}
	warnx("port %u (%s) is taken by %s: stop that program or set another "
	    "port in the configuration", l->port, setting, who);
}

static int
bind_address(int family, const struct conf_listen *l)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a;
	socklen_t len;
	int fd, on = 1, off = 0;

	memset(&a, 0, sizeof(a));
	a.any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		len = sizeof(a.in);
		a.in.sin_port = htons(l->port);
		if (l->host[0] != '\0')
			(void)inet_pton(AF_INET, l->host, &a.in.sin_addr);
	} else {
		len = sizeof(a.in6);
		a.in6.sin6_port = htons(l->port);
		if (l->host[0] != '\0')
			(void)inet_pton(AF_INET6, l->host, &a.in6.sin6_addr);
	}
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    /* every address: of both families with one socket */
	    (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
	    l->host[0] == '\0' ? &off : &on, sizeof(on)) == -1) ||
	    bind(fd, &a.any, len) == -1 || listen(fd, SOMAXCONN) == -1) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
port_listen(const struct conf_listen *l, const char *setting)
{
	int family = l->host[0] == '\0' || strchr(l->host, ':') != NULL ?
	    AF_INET6 : AF_INET;
	int fd = bind_address(family, l);

	/* A kernel without IPv6 still has every address of IPv4. */
	if (fd == -1 && l->host[0] == '\0' && errno != EADDRINUSE)
		fd = bind_address(AF_INET, l);
	if (fd != -1)
		return fd;
	if (errno == EADDRINUSE)
		say_taken(l, setting);
	else
		warn("port %u (%s) of address %s cannot be opened%s", l->port,
		    setting, l->host[0] == '\0' ? "*" : l->host,
		    errno == EACCES ?
		    "; start as root, or set a port above 1023" : "");
	return -1;
}
