/* accounts.c - from the name of a login to the account's secrets. */
/* SPDX-License-Identifier: ISC */

#include "auth/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "auth/memory.h"
#include "lib/fsx.h"

#define DOMAINS_TABLE "domains.cdb"

static int
load_secret(struct accounts *a, bool *lasting)
{
	char *bytes = NULL;
	size_t len;

	*lasting = true;
	if (fsx_read_file(a->dirfd, PASSWORD_SECRET_FILE, PASSWORD_SECRET,
	    &bytes, &len) == 0 && len == PASSWORD_SECRET) {
		memcpy(a->secret, bytes, len);
		explicit_bzero(bytes, len);
		free(bytes);
		return 0;
	}
	free(bytes);
	*lasting = false;
	if (RAND_bytes(a->secret, sizeof(a->secret)) == 1)
		return 0;
	errno = EIO;
	return -1;
}

int
accounts_open(struct accounts *a, const char *path,
    const char *default_domain, bool *lasting)
{
	memset(a, 0, sizeof(*a));
	if ((a->dirfd = fsx_open_dir(AT_FDCWD, path)) == -1)
		return -1;
	if (slice_to_cstr(slice_of(default_domain), a->default_domain,
	    sizeof(a->default_domain)) == -1 || load_secret(a, lasting) == -1) {
		close(a->dirfd);
		return -1;
	}
	return 0;
}

void
accounts_close(struct accounts *a)
{
	table_close(&a->domains);
	for (size_t i = 0; i < ACCOUNTS_KEPT; i++)
		table_close(&a->kept[i].table);
	close(a->dirfd);
	explicit_bzero(a, sizeof(*a));
}

/* Splits at the last '@' and folds: "Bob@Exemple.TEST" is bob@exemple.test. */
static int
parse_name(const struct accounts *a, struct slice name,
    struct credentials *out)
{
	const char *at = memrchr(name.p, '@', name.len);
	struct slice local = name, domain = slice_of(a->default_domain);

	if (at != NULL) {
		local.len = (size_t)(at - name.p);
		domain = slice_skip(name, local.len + 1);
	}
	if (addr_account(local, out->local) == -1)
		return -1;
	return addr_domain(domain, out->domain);
}

/* Puts the main domain in the place of an alias. 0, or -1 with errno. */
static int
follow_alias(struct accounts *a, char *domain)
{
	struct slice value;
	int r;

	if (table_refresh(&a->domains, a->dirfd, DOMAINS_TABLE) == -1)
		return errno == ENOENT ? 0 : -1;
	if ((r = table_get(&a->domains, slice_of(domain), &value)) != 1)
		return r;
	if (addr_domain(value, domain) == -1) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

/* The table of domain, open and new, or NULL with errno (ENOENT: not ours). */
static const struct table *
table_of(struct accounts *a, const char *domain)
{
	char file[ADDR_DOMAIN_MAX + sizeof(".cdb")];
	size_t slot = 0;
	struct table *t;

	snprintf(file, sizeof(file), "%s.cdb", domain);
	if (strcmp(file, DOMAINS_TABLE) == 0) {
		errno = ENOENT;
		return NULL;
	}
	for (size_t i = 0; i < ACCOUNTS_KEPT; i++) {
		if (strcmp(a->kept[i].domain, domain) == 0) {
			slot = i;
			break;
		}
		if (a->kept[i].used < a->kept[slot].used)
			slot = i;
	}
	t = &a->kept[slot].table;
	if (strcmp(a->kept[slot].domain, domain) != 0) {
		table_close(t);
		memset(t, 0, sizeof(*t));
		a->kept[slot].domain[0] = '\0';
	}
	if (table_refresh(t, a->dirfd, file) == -1)
		return NULL;
	snprintf(a->kept[slot].domain, sizeof(a->kept[slot].domain), "%s",
	    domain);
	a->kept[slot].used = ++a->clock;
	return t;
}

/* True when the keys are whole and within our limits. */
static bool
take_scram(const struct secret_record *s, struct scram_keys *keys)
{
	if (s->scram_iterations < SCRAM_ITERATIONS_MIN ||
	    s->scram_iterations > SCRAM_ITERATIONS_MAX ||
	    s->scram_salt.len == 0 || s->scram_salt.len > SCRAM_SALT_MAX ||
	    s->scram_stored.len != SCRAM_KEY ||
	    s->scram_server.len != SCRAM_KEY)
		return false;
	keys->iterations = s->scram_iterations;
	keys->salt_len = s->scram_salt.len;
	memcpy(keys->salt, s->scram_salt.p, s->scram_salt.len);
	memcpy(keys->stored, s->scram_stored.p, SCRAM_KEY);
	memcpy(keys->server, s->scram_server.p, SCRAM_KEY);
	return true;
}

static int
take_record(struct slice value, struct credentials *out)
{
	struct secret_record s;

	if (secret_record_unpack(value, &s) == -1)
		return -1;
	if (slice_to_cstr(s.hash, out->hash, sizeof(out->hash)) == -1) {
		errno = EBADMSG;
		return -1;
	}
	if (s.folder.len == 0)
		memcpy(out->folder, out->local, sizeof(out->folder));
	else if (addr_account(s.folder, out->folder) == -1) {
		errno = EBADMSG;
		return -1;
	}
	out->uid = s.uid;
	out->state = s.state;
	out->may_pop3 = s.may_pop3;
	out->may_smtp = s.may_smtp;
	out->app_only = s.app_only;
	out->apps = s.apps;
	/* A client that tries SCRAM first then goes on to PLAIN. */
	out->has_scram = !s.app_only && take_scram(&s, &out->scram);
	return 0;
}

enum account_found
accounts_find(struct accounts *a, struct slice name, struct credentials *out)
{
	const struct table *t;
	struct slice value;
	int r;

	memset(out, 0, sizeof(*out));
	out->apps = SLICE_EMPTY;
	if (parse_name(a, name, out) == -1)
		return ACCOUNT_UNKNOWN;
	if (follow_alias(a, out->domain) == -1)
		return ACCOUNT_UNREADABLE;
	snprintf(out->address, sizeof(out->address), "%s@%s", out->local,
	    out->domain);
	if ((t = table_of(a, out->domain)) == NULL)
		return errno == ENOENT || errno == ENAMETOOLONG ?
		    ACCOUNT_UNKNOWN : ACCOUNT_UNREADABLE;
	if ((r = table_get(t, slice_of(out->local), &value)) == 0)
		return ACCOUNT_UNKNOWN;
	if (r == -1 || take_record(value, out) == -1)
		return ACCOUNT_UNREADABLE;
	return ACCOUNT_FOUND;
}

void
accounts_fake_keys(const struct accounts *a, struct slice name,
    struct scram_keys *out)
{
	struct memory_key salt, stored, server;

	memory_digest(a->secret, 's', &name, 1, &salt);
	memory_digest(a->secret, 'k', &name, 1, &stored);
	memory_digest(a->secret, 'v', &name, 1, &server);
	memset(out, 0, sizeof(*out));
	out->iterations = SCRAM_ITERATIONS;
	out->salt_len = SCRAM_SALT;
	memcpy(out->salt, salt.b, SCRAM_SALT);
	memcpy(out->stored, stored.b, SCRAM_KEY);
	memcpy(out->server, server.b, SCRAM_KEY);
}
