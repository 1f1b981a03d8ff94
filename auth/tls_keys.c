/* tls_keys.c - certificates and private keys of malle-tls. */
/* SPDX-License-Identifier: ISC */

#include "auth/tls.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/fsx.h"
#include "lib/log.h"

#define PEM_MAX (1024 * 1024)
#define WARN_DAYS 7

/* Mozilla's "intermediate" without its finite field Diffie-Hellman. All are
 * good; we choose, as SHA-256 makes a handshake cheaper than SHA-384. */
static const char suites[] = "TLS_AES_128_GCM_SHA256:"
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";

const char *
tls_error(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(e);

	if (ERR_SYSTEM_ERROR(e))
		reason = strerror(ERR_GET_REASON(e));
	return reason != NULL ? reason : "unknown";
}

/*
 * All of a file in *bio, in locked memory of OpenSSL. Links are followed, as
 * tools that fetch certificates make them; the folder is root's.
 */
static BIO *
read_pem(int dirfd, const char *name, mode_t *mode)
{
	struct stat st;
	unsigned char *bytes = NULL;
	BIO *bio = NULL;
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return NULL;
	errno = EINVAL;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > PEM_MAX)
		goto out;
	*mode = st.st_mode;
	errno = ENOMEM;
	if ((bio = BIO_new(BIO_s_secmem())) == NULL ||
	    (bytes = malloc((size_t)st.st_size)) == NULL ||
	    fsx_pread_all(fd, bytes, (size_t)st.st_size, 0) == -1 ||
	    BIO_write(bio, bytes, (int)st.st_size) != (int)st.st_size) {
		BIO_free(bio);
		bio = NULL;
	}
	if (bytes != NULL)
		explicit_bzero(bytes, (size_t)st.st_size);
	free(bytes);
out:
	close(fd);
	return bio;
}

/* An encrypted key would ask for its pass phrase at the terminal. */
static int
no_pass_phrase(char *space, int size, int writing, void *arg)
{
	(void)space;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* RFC 5929 section 4.1: the hash of the certificate's signature, but SHA-256
 * in the place of MD5 and SHA-1; none where the signature names no hash. */
static void
make_endpoint(struct tls_key *key, const X509 *cert)
{
	int hash = NID_undef;
	const EVP_MD *md;

	if (X509_get_signature_info((X509 *)cert, &hash, NULL, NULL,
	    NULL) != 1 || hash == NID_undef)
		return;
	if (hash == NID_md5 || hash == NID_sha1)
		hash = NID_sha256;
	md = EVP_get_digestbynid(hash);
	if (md == NULL || EVP_MD_get_size(md) > (int)sizeof(key->endpoint) ||
	    X509_digest(cert, md, key->endpoint, &key->endpoint_len) != 1)
		key->endpoint_len = 0;
}

static void
log_certificate(const char *name, const X509 *cert)
{
	struct tm tm;
	char until[32] = "unknown";
	int days = 0, seconds = 0;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
		strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert));
	if (days < 0 || (days == 0 && seconds <= 0))
		log_error(NULL, "certificate-expired", "name=%s until=%s",
		    LOGS(name), until);
	else if (days < WARN_DAYS)
		log_notice(NULL, "certificate-expires", "name=%s until=%s",
		    LOGS(name), until);
	else
		log_info(NULL, "certificate", "name=%s until=%s", LOGS(name),
		    until);
}

/* The first certificate is ours, those after it lead to a known authority. */
static int
use_certificates(struct tls_key *key, BIO *bio)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, no_pass_phrase, NULL);
	int r = -1;

	if (cert == NULL || SSL_CTX_use_certificate(key->ctx, cert) != 1)
		goto out;
	make_endpoint(key, cert);
	log_certificate(key->name[0] != '\0' ? key->name : "default", cert);
	for (;;) {
		X509 *next = PEM_read_bio_X509(bio, NULL, no_pass_phrase,
		    NULL);

		if (next == NULL)
			break;
		if (SSL_CTX_add0_chain_cert(key->ctx, next) != 1) {
			X509_free(next);
			goto out;
		}
	}
	ERR_clear_error();
	r = 0;
out:
	X509_free(cert);
	return r;
}

static int
use_private_key(struct tls_key *key, BIO *bio)
{
	EVP_PKEY *private = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase,
	    NULL);
	int r = private != NULL &&
	    SSL_CTX_use_PrivateKey(key->ctx, private) == 1 &&
	    SSL_CTX_check_private_key(key->ctx) == 1 ? 0 : -1;

	EVP_PKEY_free(private);
	return r;
}

/*
 * No renegotiation, no compression, no resumption: a ticket would save the
 * signature of a handshake but makes past traffic of TLS 1.2 depend on one key.
 */
static SSL_CTX *
new_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
	    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, ciphers) == 1 &&
	    SSL_CTX_set_ciphersuites(ctx, suites) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	    SSL_CTX_set_num_tickets(ctx, 0) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static int
complain(const char *folder, const char *file, const char *error)
{
	log_error(NULL, "certificate-unusable",
	    "folder=%s file=%s error=%s hint=%s", LOGS(folder), file,
	    LOGS(error),
	    LOGS("put the PEM chain into cert.pem and its key into key.pem"));
	return -1;
}

static int
load_key(struct tls_key *key, int dirfd, const char *folder)
{
	BIO *cert = NULL, *private = NULL;
	mode_t mode = 0;
	int r = -1;

	ERR_clear_error();
	if ((key->ctx = new_context()) == NULL)
		return complain(folder, "cert.pem", tls_error());
	SSL_CTX_set_app_data(key->ctx, key->name);
	if ((cert = read_pem(dirfd, "cert.pem", &mode)) == NULL)
		complain(folder, "cert.pem", strerror(errno));
	else if ((private = read_pem(dirfd, "key.pem", &mode)) == NULL)
		complain(folder, "key.pem", strerror(errno));
	else if (use_certificates(key, cert) == -1)
		complain(folder, "cert.pem", tls_error());
	else if (use_private_key(key, private) == -1)
		complain(folder, "key.pem", tls_error());
	else
		r = 0;
	if (r == 0 && (mode & 007) != 0)
		log_notice(NULL, "key-readable-by-all", "folder=%s file=key.pem "
		    "hint=%s", LOGS(folder), LOGS("chmod 640 key.pem"));
	BIO_free(cert);
	BIO_free(private);
	if (r == -1) {
		SSL_CTX_free(key->ctx);
		key->ctx = NULL;
	}
	return r;
}

/* SNI (RFC 6066 section 3): a name without a folder gets the default. */
static int
choose_key(SSL *ssl, int *alert, void *arg)
{
	const struct tls_keys *keys = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char wanted[ADDR_DOMAIN_MAX + 1];

	(void)alert;
	if (name == NULL || addr_domain(slice_of(name), wanted) == -1)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 1; i < keys->n; i++)
		if (strcmp(keys->v[i].name, wanted) == 0) {
			SSL_set_SSL_CTX(ssl, keys->v[i].ctx);
			break;
		}
	return SSL_TLSEXT_ERR_OK;
}

/* The folders that are named as a domain. What is broken there is left out. */
static void
load_named(struct tls_keys *keys, int dirfd)
{
	DIR *d = fsx_open_list(dirfd, ".");
	struct dirent *e;

	while (d != NULL && keys->n < TLS_NAMES_MAX + 1 &&
	    (e = readdir(d)) != NULL) {
		struct tls_key *key = &keys->v[keys->n];
		int fd;

		if (e->d_name[0] == '.' ||
		    addr_domain(slice_of(e->d_name), key->name) == -1 ||
		    (fd = fsx_open_dir(dirfd, e->d_name)) == -1)
			continue;
		if (load_key(key, fd, key->name) == 0)
			keys->n++;
		close(fd);
	}
	if (d != NULL)
		closedir(d);
}

int
tls_keys_load(struct tls_keys *keys, int dirfd)
{
	keys->n = 0;
	keys->v = calloc(TLS_NAMES_MAX + 1, sizeof(*keys->v));
	if (keys->v == NULL || load_key(&keys->v[0], dirfd, "tls") == -1)
		return -1;
	keys->n = 1;
	load_named(keys, dirfd);
	SSL_CTX_set_tlsext_servername_callback(keys->v[0].ctx, choose_key);
	SSL_CTX_set_tlsext_servername_arg(keys->v[0].ctx, keys);
	return 0;
}

static bool
step(SSL *ssl)
{
	int r = SSL_do_handshake(ssl);
	int e = SSL_get_error(ssl, r);

	return r == 1 || e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

int
tls_keys_warm_up(const struct tls_keys *keys)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = ctx == NULL ? NULL : SSL_new(ctx);
	SSL *server = SSL_new(keys->v[0].ctx);
	BIO *a = NULL, *b = NULL;
	int r = -1;

	if (client == NULL || server == NULL ||
	    BIO_new_bio_pair(&a, 0, &b, 0) != 1)
		goto out;
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 10 && step(client) && step(server); i++)
		;
	if (SSL_is_init_finished(client) && SSL_is_init_finished(server))
		r = 0;
	else
		complain("tls", "key.pem", tls_error());
out:
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return r;
}
