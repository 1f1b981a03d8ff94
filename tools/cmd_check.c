/* cmd_check.c - malle check: what is wrong here, and how to mend it. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the caller. What only root may see is left out for others, and
 * said to be so.
 * Order: the configuration first: everything else hangs on it.
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/account.h"
#include "lib/fsx.h"
#include "lib/proc.h"
#include "lib/proto_registry.h"
#include "lib/providers.h"
#include "lib/routes.h"
#include "tools/check_cert.h"
#include "tools/json.h"
#include "tools/malle.h"

#define WRONG_FOUND 1
#define CERT_DAYS_WARN 14
#define GREETING_SECONDS 5

struct check {
	struct malle *m;
	size_t wrong;		/* what must be mended */
	size_t unseen;		/* what the caller may not see */
	int base;		/* the data folder */
	uid_t root_uid;		/* owner of base: not 0 without separation */
};

enum verdict { FINE, WRONG, UNSEEN };

/* The text in the caller's language. */
#define T(k, en, fr) ((k)->m->french ? (fr) : (en))

/* One row of the report. mend says what to do; NULL when it is fine. */
__attribute__((format(printf, 4, 5))) static void
report(struct check *k, enum verdict v, const char *mend, const char *fmt, ...)
{
	const char *words[] = { T(k, "fine", "bon"), T(k, "WRONG", "ERREUR"),
		T(k, "unseen", "non vu") };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	k->wrong += v == WRONG;
	k->unseen += v == UNSEEN;
	if (k->m->json) {
		static const char *names[] = { "fine", "wrong", "unseen" };

		printf("{\"verdict\":\"%s\",\"text\":", names[v]);
		json_put_string(stdout, slice_of(text));
		fputs(",\"mend\":", stdout);
		json_put_string(stdout, slice_of(mend != NULL ? mend : ""));
		puts("}");
		return;
	}
	printf("%-7s %s\n", words[v], text);
	if (mend != NULL)
		printf("        %s\n", mend);
}

static const char *
mend_start(const struct check *k)
{
	return T(k, "Start the service: systemctl start malleposte, or \"make "
	    "up\" in a checkout; its log says why it does not run.",
	    "Démarrez le service : systemctl start malleposte, ou « make up » "
	    "dans un dépôt ; son journal dit pourquoi il ne marche pas.");
}

static const char *
mend_restart(const struct check *k)
{
	return T(k, "Restart the service: malle-start repairs owners and modes.",
	    "Redémarrez le service : malle-start répare propriétaires et "
	    "droits.");
}

/* A folder below base, as ARCHITECTURE.md lists them. */
struct folder {
	const char *name;
	size_t user;		/* offset in struct conf of the user; 0: root */
	mode_t mode;
};

#define USER(who) offsetof(struct conf, user_##who)

/* clang-format off */
static const struct folder folders[] = {
	{ "public",        0,              0755 },
	{ "public/tables", USER(registry), 0755 },
	{ "registry",      USER(registry), 0700 },
	{ "auth",          USER(registry), 02750 },
	{ "tls",           0,              0750 },
	{ "queue",         USER(queue),    0700 },
	{ "mail",          0,              0711 },
	{ "empty",         0,              0555 },
};
/* clang-format on */

static void
check_folder(struct check *k, const struct folder *f)
{
	const char *user = (const char *)&k->m->conf + f->user;
	uid_t uid = k->root_uid;
	struct stat st;
	gid_t gid;

	if (k->root_uid == 0 && f->user != 0 &&
	    proc_user(user, &uid, &gid) == -1) {
		report(k, WRONG, T(k, "Make the user with systemd-sysusers, or "
		    "name another in the configuration.", "Créez l'utilisateur "
		    "avec systemd-sysusers, ou nommez-en un autre dans la "
		    "configuration."), T(k, "user %s: %s",
		    "utilisateur %s : %s"), user, strerror(errno));
		return;
	}
	if (fstatat(k->base, f->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		report(k, errno == EACCES ? UNSEEN : WRONG, mend_restart(k),
		    "%s/%s: %s", k->m->conf.base, f->name, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		report(k, WRONG, T(k, "Move it away, then restart the service.",
		    "Déplacez-le, puis redémarrez le service."),
		    T(k, "%s/%s is no folder", "%s/%s n'est pas un dossier"),
		    k->m->conf.base, f->name);
	else if (st.st_uid != uid || (st.st_mode & 07777) != f->mode)
		report(k, WRONG, mend_restart(k),
		    T(k, "%s/%s: owner %u and mode %04o instead of %u and %04o",
		    "%s/%s : propriétaire %u et droits %04o au lieu de %u et "
		    "%04o"), k->m->conf.base, f->name, st.st_uid,
		    st.st_mode & 07777, uid, f->mode);
}

static void
check_folders(struct check *k)
{
	size_t before = k->wrong + k->unseen;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		check_folder(k, &folders[i]);
	if (k->wrong + k->unseen == before)
		report(k, FINE, NULL, T(k, "the folders in %s",
		    "les dossiers de %s"), k->m->conf.base);
	if (k->root_uid != 0)
		report(k, FINE, T(k, "Every program runs under one uid: start "
		    "it as root for real use.", "Tous les programmes ont le "
		    "même uid : pour un vrai usage, démarrez-le en root."),
		    T(k, "no separation", "pas de séparation"));
}

static void
check_space(struct check *k)
{
	const char *base = k->m->conf.base;
	struct statvfs vfs;
	uint64_t free_bytes;

	if (fstatvfs(k->base, &vfs) == -1) {
		report(k, WRONG, NULL, "%s: %s", base, strerror(errno));
		return;
	}
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (free_bytes < k->m->conf.queue_free_min)
		report(k, WRONG, T(k, "Make room: new mail is told to try later "
		    "below queue_free_min.", "Faites de la place : sous "
		    "queue_free_min, le nouveau courrier est remis à plus "
		    "tard."), T(k, "%s: %ju MiB free", "%s : %ju Mio libres"),
		    base, (uintmax_t)(free_bytes >> 20));
	else if (vfs.f_files != 0 && vfs.f_favail < vfs.f_files / 100)
		report(k, WRONG, T(k, "Remove files, or make a file system with "
		    "more inodes.", "Supprimez des fichiers, ou créez un "
		    "système de fichiers avec plus d'inodes."),
		    T(k, "%s: less than 1 %% of the inodes are free",
		    "%s : moins de 1 %% d'inodes libres"), base);
	else
		report(k, FINE, NULL, T(k, "%ju MiB free in %s",
		    "%ju Mio libres dans %s"), (uintmax_t)(free_bytes >> 20),
		    base);
}

static void
check_socket(struct check *k, const char *name)
{
	char path[2048], relative[64];
	int fd;

	snprintf(relative, sizeof(relative), "public/%s", name);
	if (conf_path(&k->m->conf, relative, path, sizeof(path)) == -1)
		return;
	fd = ipc_connect(path, strcmp(name, "tls.sock") == 0 ? SOCK_STREAM :
	    SOCK_SEQPACKET);
	if (fd != -1) {
		report(k, FINE, NULL, T(k, "%s answers", "%s répond"), name);
		close(fd);
	} else if (errno == EACCES)
		report(k, UNSEEN, NULL, T(k, "%s: only root may look",
		    "%s : seul root peut regarder"), name);
	else
		report(k, WRONG, mend_start(k), "%s: %s", path, strerror(errno));
}

/* A key that begins with NUL is the registry's own note, no name. */
static bool
is_note(struct slice key)
{
	return key.len > 0 && key.p[0] == '\0';
}

/* Every record of a table of addresses. */
static void
check_addresses(struct check *k, int tables, const char *domain)
{
	char name[ADDR_DOMAIN_MAX + sizeof("domains/.cdb")];
	struct address_record a;
	struct slice key, value;
	struct table t = { .impl = NULL };
	unsigned pos = 0;
	int r = -1;

	snprintf(name, sizeof(name), "domains/%s.cdb", domain);
	if (table_open(&t, tables, name) == 0)
		while ((r = table_next(&t, &pos, &key, &value)) == 1)
			if (!is_note(key) &&
			    address_record_unpack(value, &a) == -1) {
				r = -1;
				break;
			}
	if (r == -1)
		report(k, WRONG, T(k, "Compile all tables again: malle "
		    "recompile", "Recompilez toutes les tables : malle "
		    "recompile"), T(k, "the table of %s: %s",
		    "la table de %s : %s"), domain, strerror(errno));
	table_close(&t);
}

static void
check_tables(struct check *k)
{
	struct table t = { .impl = NULL };
	struct domain_record d;
	struct slice key, value;
	char domain[ADDR_DOMAIN_MAX + 1];
	unsigned pos = 0;
	size_t count = 0, before = k->wrong;
	int fd, r = -1;

	if ((fd = fsx_open_dir(k->base, "public/tables")) != -1 &&
	    table_open(&t, fd, "domains.cdb") == 0) {
		while ((r = table_next(&t, &pos, &key, &value)) == 1) {
			if (is_note(key))
				continue;
			if (addr_domain(key, domain) == -1 ||
			    domain_record_unpack(value, &d) == -1) {
				errno = EBADMSG;
				r = -1;
				break;
			}
			count++;
			if (d.alias_of[0] == '\0')
				check_addresses(k, fd, domain);
		}
	}
	if (r == -1)
		report(k, WRONG, mend_start(k), T(k, "the table of domains: %s",
		    "la table des domaines : %s"), strerror(errno));
	else if (k->wrong == before)
		report(k, FINE, NULL, T(k, "the tables of %zu domain(s)",
		    "les tables de %zu domaine(s)"), count);
	table_close(&t);
	if (fd != -1)
		close(fd);
}

static void
check_certificate(struct check *k)
{
	char cert[2048], key[2048], why[256];
	int days = 0;

	if (conf_path(&k->m->conf, "tls/cert.pem", cert, sizeof(cert)) == -1 ||
	    conf_path(&k->m->conf, "tls/key.pem", key, sizeof(key)) == -1)
		return;
	switch (check_cert(cert, key, k->m->conf.hostname, &days, why,
	    sizeof(why))) {
	case CERT_FINE:
		report(k, days < CERT_DAYS_WARN ? WRONG : FINE,
		    days < CERT_DAYS_WARN ? T(k, "Renew it now.",
		    "Renouvelez-le maintenant.") : NULL,
		    T(k, "the certificate is valid for %d more days",
		    "le certificat est valable encore %d jours"), days);
		break;
	case CERT_UNSEEN:
		report(k, UNSEEN, NULL, T(k, "the certificate: only root may "
		    "look", "le certificat : seul root peut regarder"));
		break;
	case CERT_WRONG:
		report(k, WRONG, T(k, "Put a certificate chain and its key at "
		    "these places, then: systemctl reload malleposte.",
		    "Mettez une chaîne de certificats et sa clé à ces endroits, "
		    "puis : systemctl reload malleposte."), "%s, %s: %s", cert,
		    key, why);
		break;
	}
}

/* Connects to a port of ours; greeting NULL: it speaks TLS at once. */
static int
try_port(const struct conf_listen *l, const char *greeting)
{
	struct sockaddr_storage ss = { .ss_family = AF_INET };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct timeval wait = { GREETING_SECONDS, 0 };
	char answer[16] = "";
	int fd, r = -1;

	if (l->host[0] == '\0' || strcmp(l->host, "0.0.0.0") == 0)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, l->host, &in->sin_addr) != 1) {
		ss.ss_family = AF_INET6;
		if (inet_pton(AF_INET6, strcmp(l->host, "::") == 0 ? "::1" :
		    l->host, &in6->sin6_addr) != 1)
			return -1;
		in6->sin6_port = htons(l->port);
	}
	if (ss.ss_family == AF_INET)
		in->sin_port = htons(l->port);
	if ((fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&ss, ss.ss_family == AF_INET ?
	    sizeof(*in) : sizeof(*in6)) == 0) {
		r = 0;
		if (greeting != NULL && (recv(fd, answer, sizeof(answer) - 1,
		    0) <= 0 || strncmp(answer, greeting, 3) != 0)) {
			errno = EPROTO;
			r = -1;
		}
	}
	close(fd);
	return r;
}

static void
check_ports(struct check *k)
{
	const struct conf *c = &k->m->conf;
	const struct {
		const char *name, *greeting;
		const struct conf_listens *listens;
	} services[] = {
		{ "smtp", "220", &c->smtp },
		{ "submission", "220", &c->submission },
		{ "submissions", NULL, &c->submissions },
		{ "pop3", "+OK", &c->pop3 },
		{ "pop3s", NULL, &c->pop3s },
	};

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		for (size_t j = 0; j < services[i].listens->n; j++) {
			const struct conf_listen *l = &services[i].listens->v[j];

			if (try_port(l, services[i].greeting) == 0)
				report(k, FINE, NULL, T(k, "port %u (%s) answers",
				    "le port %u (%s) répond"), l->port,
				    services[i].name);
			else
				report(k, WRONG, mend_start(k), T(k,
				    "port %u (%s): %s", "port %u (%s) : %s"),
				    l->port, services[i].name, strerror(errno));
		}
	}
}

static void
registry_row(void *arg, const struct registry_fields *row)
{
	struct check *k = arg;
	char text[800] = "";
	size_t len = 0;

	for (size_t i = 0; i < row->n && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%.*s: %.*s", i > 0 ? ", " : "",
		    SLICE_FMT(row->v[i].name), SLICE_FMT(row->v[i].value));
	report(k, WRONG, T(k, "Compile all tables again: malle recompile",
	    "Recompilez toutes les tables : malle recompile"), "%s", text);
}

static void
check_registry(struct check *k)
{
	struct registry_fields f = { .n = 0 };
	char path[2048], text[512] = "";
	size_t before = k->wrong;
	int fd, r;

	if (conf_path(&k->m->conf, "public/registry.sock", path,
	    sizeof(path)) == -1 ||
	    (fd = ipc_connect(path, SOCK_SEQPACKET)) == -1)
		return; /* told by check_socket() */
	r = registry_call(fd, "check", &f, registry_row, k, text, sizeof(text));
	close(fd);
	if (r == REGISTRY_OK && k->wrong == before)
		report(k, FINE, NULL, T(k, "the registry", "le registre"));
	else if (r == REGISTRY_REFUSED)
		report(k, UNSEEN, NULL, T(k, "the registry: %s",
		    "le registre : %s"), text);
	else if (r != REGISTRY_OK)
		report(k, WRONG, mend_start(k), T(k, "the registry: %s",
		    "le registre : %s"), r == -1 ? strerror(errno) : text);
}

/* A table for people: each of its mistakes is a row. */
static void
report_table(struct check *k, const char *path, int r, struct str *errors)
{
	struct slice rest = str_slice(errors);

	if (r == 0 && access(path, F_OK) == 0)
		report(k, FINE, NULL, "%s", path);
	while (r == -1 && rest.p != NULL) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.len > 0)
			report(k, WRONG, T(k, "Mend it: until then what was "
			    "right before counts.", "Corrigez-le : d'ici là, "
			    "c'est l'ancien qui compte."), "%s:%.*s", path,
			    SLICE_FMT(line));
	}
	str_clear(errors);
}

/* malle-queued reads it under its own uid. */
static void
check_reader(struct check *k, const char *path)
{
	struct stat st;
	uid_t uid;
	gid_t gid;

	if (stat(path, &st) == -1 || k->root_uid != 0 ||
	    proc_user(k->m->conf.user_queue, &uid, &gid) == -1 ||
	    (st.st_mode & 04) != 0 ||
	    (st.st_uid == uid && (st.st_mode & 0400) != 0) ||
	    (st.st_gid == gid && (st.st_mode & 040) != 0))
		return;
	report(k, WRONG, T(k, "Give it to the group of malle-queue, and chmod "
	    "640.", "Donnez-le au groupe de malle-queue, et chmod 640."),
	    T(k, "%s: the queue (user %s) may not read it",
	    "%s : la file d'attente (utilisateur %s) ne peut pas le lire"),
	    path, k->m->conf.user_queue);
}

/* The tables of the remote sender. */
static void
check_sending(struct check *k)
{
	const struct conf *c = &k->m->conf;
	struct str errors = STR_INIT(65536);
	struct providers providers;
	struct routes routes;
	const char *name = "";
	int fd, r;

	fd = fsx_open_parent(c->providers, &name);
	if ((r = providers_load(fd, name, &providers, &errors)) == 0)
		providers_free(&providers);
	report_table(k, c->providers, r, &errors);
	if (fd != -1)
		close(fd);
	fd = fsx_open_parent(c->routes, &name);
	check_reader(k, c->providers);
	check_reader(k, c->routes);
	if (access(c->routes, F_OK) == 0 && access(c->routes, R_OK) == -1)
		report(k, UNSEEN, NULL, "%s: %s", c->routes, strerror(errno));
	else {
		if ((r = routes_load(fd, name, &routes, &errors)) == 0)
			routes_free(&routes);
		report_table(k, c->routes, r, &errors);
	}
	if (fd != -1)
		close(fd);
	str_free(&errors);
}

/* The data folder, which everything but the configuration is in. */
static bool
open_base(struct check *k)
{
	struct stat st;

	k->base = open(k->m->conf.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->base != -1 && fstat(k->base, &st) == 0) {
		k->root_uid = st.st_uid;
		return true;
	}
	report(k, WRONG, mend_start(k), "%s: %s", k->m->conf.base,
	    strerror(errno));
	return false;
}

int
cmd_check(struct malle *m, int argc, char **argv)
{
	static const char *sockets[] = { "queue.sock", "registry.sock",
		"auth.sock", "tls.sock" };
	struct check k = { .m = m, .base = -1 };

	(void)argv;
	if (argc > 1) {
		fputs("usage: malle check [--json]\n", stderr);
		return EX_USAGE;
	}
	if (conf_load(&m->conf, m->conf_path, stderr) == -1) {
		report(&k, WRONG, T(&k, "Mend it as said above; see "
		    "malleposte.conf(5).", "Corrigez-la comme dit ci-dessus ; "
		    "voir malleposte.conf(5)."), T(&k, "the configuration",
		    "la configuration"));
		return EX_CONFIG;
	}
	report(&k, FINE, NULL, T(&k, "the configuration %s",
	    "la configuration %s"), m->conf_path != NULL ? m->conf_path :
	    CONF_PATH);
	if (!open_base(&k))
		return WRONG_FOUND;
	check_sending(&k);
	check_folders(&k);
	check_space(&k);
	check_certificate(&k);
	check_tables(&k);
	for (size_t i = 0; i < sizeof(sockets) / sizeof(*sockets); i++)
		check_socket(&k, sockets[i]);
	check_registry(&k);
	check_ports(&k);
	close(k.base);
	return k.wrong > 0 ? WRONG_FOUND : EX_OK;
}
