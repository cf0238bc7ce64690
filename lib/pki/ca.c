/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/secret.h"
#include "crypto/hash.h"
#include "pki/ca_priv.h"

#define SKEW    300 /* [s] clocks of clients may be behind */
#define RSA_MIN 2048
#define PEM_MAX 65536
#define DAY     86400

enum gba_err ca_file_read(TALLOC_CTX *mem_ctx, const char *path, bool secret, gnutls_datum_t *_pem)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum gba_err err = GBA_OK;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return gba_err_from_errno(errno);
	if (fstat(fd, &st) != 0 || st.st_size > PEM_MAX)
		err = GBA_E_IO;
	else if (secret && (st.st_uid != geteuid() || (st.st_mode & 077) != 0))
		err = GBA_E_DENIED;
	_pem->data = err == GBA_OK ? talloc_zero_size(mem_ctx, (size_t)st.st_size + 1) : NULL;
	if (err == GBA_OK && _pem->data == NULL)
		err = GBA_E_NOMEM;
	n = err == GBA_OK ? read(fd, _pem->data, (size_t)st.st_size) : 0;
	close(fd);
	if (err == GBA_OK && n != st.st_size)
		err = GBA_E_IO;
	_pem->size = err == GBA_OK ? (unsigned int)n : 0;
	if (err == GBA_OK && secret)
		secret_guard_chunk(_pem->data);
	return err;
}

static enum gba_err write_all(int fd, struct bytes content)
{
	ssize_t n;

	while (content.n > 0) {
		n = write(fd, content.p, content.n);
		if (n < 0)
			return gba_err_from_errno(errno);
		content = BYTES(content.p + n, content.n - (size_t)n);
	}
	return fsync(fd) == 0 ? GBA_OK : gba_err_from_errno(errno);
}

static void folder_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

enum gba_err ca_file_write(const char *dir, const char *name, struct bytes content, mode_t mode, bool replace)
{
	char path[PATH_MAX], tmp[PATH_MAX + 16];
	enum gba_err err;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	fd = mkostemp(tmp, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return gba_err_from_errno(errno);
	err = fchmod(fd, mode) == 0 ? write_all(fd, content) : gba_err_from_errno(errno);
	close(fd);
	if (err == GBA_OK) {
		rc = replace ? rename(tmp, path) : link(tmp, path);
		err = rc == 0 ? GBA_OK : gba_err_from_errno(errno);
	}
	if (err != GBA_OK || !replace)
		unlink(tmp);
	folder_sync(dir);
	return err;
}

enum gba_err ca_gnutls(int rc)
{
	return rc >= 0 ? GBA_OK : rc == GNUTLS_E_MEMORY_ERROR ? GBA_E_NOMEM : GBA_E_INTERNAL;
}

/* One GnuTLS step after the other; the first that fails decides. */
#define STEP(call)                                                                                                     \
	do {                                                                                                           \
		if (rc >= 0)                                                                                           \
			rc = (call);                                                                                   \
	} while (0)

enum gba_err ca_key_read(const struct ca *ca, gnutls_x509_privkey_t *_key)
{
	char path[PATH_MAX];
	gnutls_datum_t pem;
	enum gba_err err;

	snprintf(path, sizeof(path), "%s/ca.key", ca->dir);
	err = ca_file_read(NULL, path, true, &pem);
	if (err != GBA_OK)
		return err;
	if (gnutls_x509_privkey_init(_key) != 0) {
		talloc_free(pem.data);
		return GBA_E_NOMEM;
	}
	if (gnutls_x509_privkey_import(*_key, &pem, GNUTLS_X509_FMT_PEM) != 0) {
		gnutls_x509_privkey_deinit(*_key);
		err = GBA_E_SYNTAX;
	}
	talloc_free(pem.data);
	return err;
}

static enum gba_err key_make(gnutls_x509_privkey_t *_key)
{
	int rc = gnutls_x509_privkey_init(_key);

	if (rc != 0)
		return GBA_E_NOMEM;
	rc = gnutls_x509_privkey_generate(*_key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (rc == 0)
		return GBA_OK;
	gnutls_x509_privkey_deinit(*_key);
	return ca_gnutls(rc);
}

static char *key_pem(TALLOC_CTX *mem_ctx, gnutls_x509_privkey_t key)
{
	gnutls_datum_t out;
	char *pem;

	if (gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &out) != 0)
		return NULL;
	pem = talloc_strndup(mem_ctx, (const char *)out.data, out.size);
	if (pem != NULL)
		secret_guard_chunk(pem);
	secret_wipe(out.data, out.size);
	gnutls_free(out.data);
	return pem;
}

static char *crt_pem(TALLOC_CTX *mem_ctx, gnutls_x509_crt_t crt)
{
	gnutls_datum_t out;
	char *pem;

	if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out) != 0)
		return NULL;
	pem = talloc_strndup(mem_ctx, (const char *)out.data, out.size);
	gnutls_free(out.data);
	return pem;
}

/* What every certificate has: version, serial (RFC 5280 4.1.2.2: positive), times, common name, key identifier. */
static int crt_begin(gnutls_x509_crt_t crt, const char *cn, const uint8_t serial[CA_SERIAL_LEN], time_t from,
		     time_t until)
{
	uint8_t id[HASH_MAX];
	size_t n = sizeof(id);
	int rc = gnutls_x509_crt_set_version(crt, 3);

	STEP(gnutls_x509_crt_set_serial(crt, serial, CA_SERIAL_LEN));
	STEP(gnutls_x509_crt_set_activation_time(crt, from));
	STEP(gnutls_x509_crt_set_expiration_time(crt, until));
	STEP(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn, (unsigned int)strlen(cn)));
	STEP(gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &n));
	STEP(gnutls_x509_crt_set_subject_key_id(crt, id, n));
	return rc;
}

static void serial_make(uint8_t serial[CA_SERIAL_LEN])
{
	rand_bytes(serial, CA_SERIAL_LEN);
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always of this length */
}

static int self_sign(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name, time_t now, unsigned int days)
{
	uint8_t serial[CA_SERIAL_LEN];
	int rc = gnutls_x509_crt_set_key(crt, key);

	serial_make(serial);
	STEP(crt_begin(crt, name, serial, now - SKEW, now + (time_t)days * DAY));
	STEP(gnutls_x509_crt_set_basic_constraints(crt, 1, 0));
	STEP(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
	STEP(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0));
	return rc;
}

static bool name_good(const char *cn, unsigned int days)
{
	size_t i, n = strlen(cn);

	for (i = 0; i < n; i++) {
		if ((uint8_t)cn[i] < 0x20 || cn[i] == 0x7f)
			return false;
	}
	return n > 0 && n <= CA_CN_MAX && days > 0 && days <= CA_DAYS_MAX;
}

static enum gba_err init_files(TALLOC_CTX *ctx, const char *dir, const char *name, unsigned int days, time_t now)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	char *secret, *pem;
	enum gba_err err = key_make(&key);

	if (err != GBA_OK)
		return err;
	err = ca_gnutls(gnutls_x509_crt_init(&crt));
	if (err == GBA_OK) {
		err = ca_gnutls(self_sign(crt, key, name, now, days));
		secret = key_pem(ctx, key);
		pem = crt_pem(ctx, crt);
		if (err == GBA_OK && (secret == NULL || pem == NULL))
			err = GBA_E_NOMEM;
		if (err == GBA_OK)
			err = ca_file_write(dir, "ca.key", bytes_of(secret), 0600,
					    false); /* decides between two inits */
		if (err == GBA_OK)
			err = ca_file_write(dir, "ca.pem", bytes_of(pem), 0644, true);
		gnutls_x509_crt_deinit(crt);
	}
	gnutls_x509_privkey_deinit(key);
	return err;
}

static bool folder_make(const char *dir, const char *below)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s", dir, below[0] != '\0' ? "/" : "", below);
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

enum gba_err ca_init(TALLOC_CTX *mem_ctx, const char *dir, const char *name, unsigned int days, time_t now,
		     const char **_error)
{
	TALLOC_CTX *ctx;
	struct ca *ca;
	enum gba_err err;

	*_error = "a name of 1 to 64 characters and 1 to 3650 days are expected";
	if (!name_good(name, days))
		return GBA_E_RANGE;
	if (!folder_make(dir, "") || !folder_make(dir, "issued") || !folder_make(dir, "revoked")) {
		*_error = talloc_asprintf(mem_ctx, "%s: %s", dir, strerror(errno));
		return gba_err_from_errno(errno);
	}
	ctx = talloc_new(NULL);
	err = ctx != NULL ? init_files(ctx, dir, name, days, now) : GBA_E_NOMEM;
	talloc_free(ctx);
	if (err == GBA_OK) {
		err = ca_open(mem_ctx, dir, &ca, _error);
		if (err == GBA_OK)
			err = ca_crl_write(ca, now);
		if (err == GBA_OK)
			talloc_free(ca);
	}
	if (err != GBA_OK)
		*_error = talloc_asprintf(mem_ctx, "%s: %s", dir,
					  err == GBA_E_EXISTS ? "there is a CA already" : gba_strerror(err));
	return err;
}

static int ca_destroy(struct ca *ca)
{
	if (ca->crt != NULL)
		gnutls_x509_crt_deinit(ca->crt);
	return 0;
}

enum gba_err ca_open(TALLOC_CTX *mem_ctx, const char *dir, struct ca **_ca, const char **_error)
{
	struct ca *ca = talloc_zero(mem_ctx, struct ca);
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem;
	char path[PATH_MAX];
	enum gba_err err;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (ca == NULL)
		return GBA_E_NOMEM;
	ca->dir = talloc_strdup(ca, dir);
	talloc_set_destructor(ca, ca_destroy);
	snprintf(path, sizeof(path), "%s/ca.pem", dir);
	err = ca_file_read(ca, path, false, &pem);
	if (err == GBA_OK)
		err = ca_gnutls(gnutls_x509_crt_init(&ca->crt));
	if (err == GBA_OK && gnutls_x509_crt_import(ca->crt, &pem, GNUTLS_X509_FMT_PEM) != 0)
		err = GBA_E_SYNTAX;
	if (err == GBA_OK)
		err = ca_key_read(ca, &key);
	if (err == GBA_OK) {
		gnutls_x509_privkey_deinit(key);
		ca->pem = (const char *)pem.data;
		*_ca = ca;
		return GBA_OK;
	}
	*_error = talloc_asprintf(mem_ctx, "%s: %s%s", dir, gba_strerror(err),
				  err == GBA_E_DENIED      ? " (ca.key must be ours, and closed to group and others)"
				  : err == GBA_E_NOT_FOUND ? " (make it with gba-ctl ca init)"
							   : "");
	talloc_free(ca);
	return err;
}

const char *ca_certificate(const struct ca *ca)
{
	return ca->pem;
}

static bool key_strong(gnutls_pubkey_t pub)
{
	unsigned int bits = 0;

	switch (gnutls_pubkey_get_pk_algorithm(pub, &bits)) {
	case GNUTLS_PK_RSA: return bits >= RSA_MIN && bits <= 8192;
	case GNUTLS_PK_ECDSA: return bits >= 256;
	case GNUTLS_PK_EDDSA_ED25519: return true;
	default: return false;
	}
}

/* The public key of a request that was signed with it (RFC 2986 3: proof of possession). */
static enum gba_err request_key(struct bytes csr, gnutls_pubkey_t pub)
{
	const gnutls_datum_t pem = { (unsigned char *)(uintptr_t)csr.p, (unsigned int)csr.n };
	gnutls_x509_crq_t crq;
	enum gba_err err = GBA_OK;

	if (csr.n > CA_CSR_MAX || gnutls_x509_crq_init(&crq) != 0)
		return csr.n > CA_CSR_MAX ? GBA_E_SYNTAX : GBA_E_NOMEM;
	if (gnutls_x509_crq_import(crq, &pem, GNUTLS_X509_FMT_PEM) != 0 || gnutls_x509_crq_verify(crq, 0) != 0 ||
	    gnutls_pubkey_import_x509_crq(pub, crq, 0) != 0)
		err = GBA_E_SYNTAX;
	gnutls_x509_crq_deinit(crq);
	if (err == GBA_OK && !key_strong(pub))
		err = GBA_E_RANGE;
	return err;
}

/* The public key of a certificate whose holder has proved to have the private one. */
static enum gba_err certificate_key(struct bytes der, gnutls_pubkey_t pub)
{
	const gnutls_datum_t raw = { (unsigned char *)(uintptr_t)der.p, (unsigned int)der.n };
	gnutls_x509_crt_t crt;
	enum gba_err err = GBA_OK;

	if (gnutls_x509_crt_init(&crt) != 0)
		return GBA_E_NOMEM;
	if (gnutls_x509_crt_import(crt, &raw, GNUTLS_X509_FMT_DER) != 0 || gnutls_pubkey_import_x509(pub, crt, 0) != 0)
		err = GBA_E_SYNTAX;
	gnutls_x509_crt_deinit(crt);
	if (err == GBA_OK && !key_strong(pub))
		err = GBA_E_RANGE;
	return err;
}

static int client_sign(const struct ca *ca, gnutls_x509_privkey_t key, gnutls_x509_crt_t crt,
		       const struct ca_order *order, const uint8_t serial[CA_SERIAL_LEN], time_t now)
{
	uint8_t id[HASH_MAX];
	size_t n = sizeof(id);
	int rc = crt_begin(crt, order->cn, serial, now - SKEW, now + (time_t)order->days * DAY);

	STEP(gnutls_x509_crt_set_basic_constraints(crt, 0, -1));
	STEP(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	STEP(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0));
	if (order->dns != NULL) {
		STEP(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
		STEP(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, order->dns,
							  (unsigned int)strlen(order->dns), GNUTLS_FSAN_SET));
	}
	STEP(gnutls_x509_crt_get_subject_key_id(ca->crt, id, &n, NULL));
	STEP(gnutls_x509_crt_set_authority_key_id(crt, id, n));
	STEP(gnutls_x509_crt_sign2(crt, ca->crt, key, GNUTLS_DIG_SHA256, 0));
	return rc;
}

enum gba_err ca_print(gnutls_x509_crt_t crt, char *hex)
{
	uint8_t digest[CA_PRINT_LEN];
	gnutls_datum_t der;
	struct bytes piece;

	if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) != 0)
		return GBA_E_NOMEM;
	piece = BYTES(der.data, der.size);
	hash_pieces(HASH_SHA256, &piece, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), hex);
	gnutls_free(der.data);
	return GBA_OK;
}

static enum gba_err issue(struct ca *ca, const struct ca_order *order, gnutls_pubkey_t pub, time_t now,
			  struct ca_issued *issued)
{
	uint8_t serial[CA_SERIAL_LEN];
	gnutls_x509_privkey_t ca_key;
	char name[sizeof("issued/.pem") + 2 * CA_SERIAL_LEN];
	gnutls_x509_crt_t crt;
	enum gba_err err = ca_key_read(ca, &ca_key);

	if (err != GBA_OK)
		return err;
	err = ca_gnutls(gnutls_x509_crt_init(&crt));
	if (err == GBA_OK) {
		serial_make(serial);
		hex_encode(BYTES(serial, sizeof(serial)), issued->serial);
		err = ca_gnutls(gnutls_x509_crt_set_pubkey(crt, pub));
		if (err == GBA_OK)
			err = ca_gnutls(client_sign(ca, ca_key, crt, order, serial, now));
		if (err == GBA_OK)
			err = ca_print(crt, issued->fingerprint);
		issued->certificate = err == GBA_OK ? crt_pem(issued, crt) : NULL;
		gnutls_x509_crt_deinit(crt);
	}
	gnutls_x509_privkey_deinit(ca_key);
	if (err == GBA_OK && issued->certificate == NULL)
		err = GBA_E_NOMEM;
	snprintf(name, sizeof(name), "issued/%s.pem", issued->serial);
	issued->not_after = now + (time_t)order->days * DAY;
	return err == GBA_OK ? ca_file_write(ca->dir, name, bytes_of(issued->certificate), 0644, false) : err;
}

static enum gba_err made_key(struct ca_issued *issued, gnutls_pubkey_t pub)
{
	gnutls_x509_privkey_t key;
	gnutls_privkey_t abstract;
	enum gba_err err = key_make(&key);

	if (err != GBA_OK)
		return err;
	issued->private_key = key_pem(issued, key);
	err = ca_gnutls(gnutls_privkey_init(&abstract));
	if (err == GBA_OK) {
		err = ca_gnutls(gnutls_privkey_import_x509(abstract, key, 0));
		if (err == GBA_OK)
			err = ca_gnutls(gnutls_pubkey_import_privkey(pub, abstract, 0, 0));
		gnutls_privkey_deinit(abstract);
	}
	gnutls_x509_privkey_deinit(key);
	return err == GBA_OK && issued->private_key == NULL ? GBA_E_NOMEM : err;
}

enum gba_err ca_issue(struct ca *ca, TALLOC_CTX *mem_ctx, const struct ca_order *order, time_t now,
		      struct ca_issued **_issued)
{
	struct ca_issued *issued;
	gnutls_pubkey_t pub;
	enum gba_err err;

	if (!name_good(order->cn, order->days))
		return GBA_E_RANGE;
	issued = talloc_zero(mem_ctx, struct ca_issued);
	if (issued == NULL || gnutls_pubkey_init(&pub) != 0) {
		talloc_free(issued);
		return GBA_E_NOMEM;
	}
	if (order->like.p != NULL)
		err = certificate_key(order->like, pub);
	else
		err = order->csr.p != NULL ? request_key(order->csr, pub) : made_key(issued, pub);
	if (err == GBA_OK)
		err = issue(ca, order, pub, now, issued);
	gnutls_pubkey_deinit(pub);
	if (err == GBA_OK)
		*_issued = issued;
	else
		talloc_free(issued);
	return err;
}
