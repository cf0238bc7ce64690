/* SPDX-License-Identifier: Apache-2.0 */
/* What was issued and revoked: a file each, so that no index can be out of step with them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/codec.h"
#include "pki/ca_priv.h"

#define CRL_LIFE  (30 * 86400) /* [s] */
#define CRL_FRESH 3600         /* [s] */

static bool serial_of(const char *name, const char *tail, char serial[2 * CA_SERIAL_LEN + 1])
{
	uint8_t octets[CA_SERIAL_LEN];

	if (strlen(name) != 2 * CA_SERIAL_LEN + strlen(tail) || strcmp(name + 2 * CA_SERIAL_LEN, tail) != 0 ||
	    hex_decode(BYTES(name, 2 * CA_SERIAL_LEN), octets, sizeof(octets)) != GBA_OK)
		return false;
	hex_encode(BYTES(octets, sizeof(octets)), serial);
	return true;
}

/* Time in the file, 0: not revoked. */
static time_t revoked_at(const struct ca *ca, const char *serial)
{
	char path[PATH_MAX];
	long long at = 0;
	FILE *in;

	snprintf(path, sizeof(path), "%s/revoked/%s", ca->dir, serial);
	in = fopen(path, "re");
	if (in == NULL)
		return 0;
	if (fscanf(in, "%lld", &at) != 1 || at <= 0)
		at = 1; /* revoked for certain, only not known when */
	fclose(in);
	return (time_t)at;
}

static enum gba_err entry_read(const struct ca *ca, TALLOC_CTX *mem_ctx, struct ca_entry *entry)
{
	char path[PATH_MAX], subject[512] = "";
	size_t n = sizeof(subject);
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	enum gba_err err;

	snprintf(path, sizeof(path), "%s/issued/%s.pem", ca->dir, entry->serial);
	err = ca_file_read(mem_ctx, path, false, &pem);
	if (err == GBA_OK)
		err = ca_gnutls(gnutls_x509_crt_init(&crt));
	if (err != GBA_OK)
		return err;
	if (gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) != 0 ||
	    gnutls_x509_crt_get_dn(crt, subject, &n) != 0)
		err = GBA_E_CORRUPT;
	if (err == GBA_OK)
		err = ca_print(crt, entry->fingerprint);
	entry->not_before = gnutls_x509_crt_get_activation_time(crt);
	entry->not_after = gnutls_x509_crt_get_expiration_time(crt);
	entry->revoked = revoked_at(ca, entry->serial);
	entry->subject = talloc_strdup(mem_ctx, subject);
	gnutls_x509_crt_deinit(crt);
	talloc_free(pem.data);
	return err == GBA_OK && entry->subject == NULL ? GBA_E_NOMEM : err;
}

static int by_serial(const void *a, const void *b)
{
	return strcmp(((const struct ca_entry *)a)->serial, ((const struct ca_entry *)b)->serial);
}

enum gba_err ca_list(struct ca *ca, TALLOC_CTX *mem_ctx, struct ca_entry **_entries, size_t *_count)
{
	struct ca_entry *entries = talloc_array(mem_ctx, struct ca_entry, 0), *more;
	char path[PATH_MAX], serial[2 * CA_SERIAL_LEN + 1];
	enum gba_err err = GBA_OK;
	struct dirent *file;
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/issued", ca->dir);
	dir = opendir(path);
	if (dir == NULL)
		return gba_err_from_errno(errno);
	while (err == GBA_OK && (file = readdir(dir)) != NULL) {
		if (!serial_of(file->d_name, ".pem", serial))
			continue;
		more = talloc_realloc(mem_ctx, entries, struct ca_entry, count + 1);
		if (more == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
		entries = more;
		memset(&entries[count], 0, sizeof(entries[count]));
		memcpy(entries[count].serial, serial, sizeof(serial));
		err = entry_read(ca, entries, &entries[count]);
		count++;
	}
	closedir(dir);
	if (err != GBA_OK) {
		talloc_free(entries);
		return err;
	}
	qsort(entries, count, sizeof(*entries), by_serial);
	*_entries = entries;
	*_count = count;
	return GBA_OK;
}

/* Two that revoke at once would each write a list without the other's. */
static int list_lock(const struct ca *ca)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/lock", ca->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static enum gba_err crl_fill(const struct ca *ca, gnutls_x509_crl_t crl)
{
	char path[PATH_MAX], serial[2 * CA_SERIAL_LEN + 1];
	uint8_t octets[CA_SERIAL_LEN];
	enum gba_err err = GBA_OK;
	struct dirent *file;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/revoked", ca->dir);
	dir = opendir(path);
	if (dir == NULL)
		return gba_err_from_errno(errno);
	while (err == GBA_OK && (file = readdir(dir)) != NULL) {
		if (!serial_of(file->d_name, "", serial))
			continue;
		err = hex_decode(bytes_of(serial), octets, sizeof(octets));
		if (err == GBA_OK)
			err = ca_gnutls(
				gnutls_x509_crl_set_crt_serial(crl, octets, sizeof(octets), revoked_at(ca, serial)));
	}
	closedir(dir);
	return err;
}

static enum gba_err crl_sign(struct ca *ca, gnutls_x509_crl_t crl, time_t now)
{
	uint8_t number[8];
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem;
	enum gba_err err;
	size_t i;

	for (i = 0; i < sizeof(number); i++)
		number[i] = (uint8_t)((uint64_t)now >> (8 * (sizeof(number) - 1 - i)));
	if (gnutls_x509_crl_set_version(crl, 2) != 0 || gnutls_x509_crl_set_this_update(crl, now) != 0 ||
	    gnutls_x509_crl_set_next_update(crl, now + CRL_LIFE) != 0 ||
	    gnutls_x509_crl_set_number(crl, number, sizeof(number)) != 0)
		return GBA_E_INTERNAL;
	err = crl_fill(ca, crl);
	if (err == GBA_OK)
		err = ca_key_read(ca, &key);
	if (err != GBA_OK)
		return err;
	err = ca_gnutls(gnutls_x509_crl_sign2(crl, ca->crt, key, GNUTLS_DIG_SHA256, 0));
	gnutls_x509_privkey_deinit(key);
	if (err != GBA_OK || gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &pem) != 0)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	err = ca_file_write(ca->dir, "crl.pem", BYTES(pem.data, pem.size), 0644, true);
	gnutls_free(pem.data);
	return err;
}

enum gba_err ca_crl_write(struct ca *ca, time_t now)
{
	gnutls_x509_crl_t crl;
	enum gba_err err;
	int lock = list_lock(ca);

	if (lock < 0)
		return GBA_E_IO;
	err = ca_gnutls(gnutls_x509_crl_init(&crl));
	if (err == GBA_OK) {
		err = crl_sign(ca, crl, now);
		gnutls_x509_crl_deinit(crl);
	}
	close(lock);
	return err;
}

static enum gba_err find(struct ca *ca, TALLOC_CTX *ctx, const char *which, const struct ca_entry **_entry)
{
	struct ca_entry *entries;
	size_t i, count;
	enum gba_err err = ca_list(ca, ctx, &entries, &count);

	if (err != GBA_OK)
		return err;
	for (i = 0; i < count; i++) {
		if (bytes_eq_nocase(bytes_of(which), bytes_of(entries[i].serial)) ||
		    bytes_eq_nocase(bytes_of(which), bytes_of(entries[i].fingerprint))) {
			*_entry = &entries[i];
			return GBA_OK;
		}
	}
	return GBA_E_NOT_FOUND;
}

enum gba_err ca_certificate_read(TALLOC_CTX *mem_ctx, struct bytes text, struct bytes *_der)
{
	const gnutls_datum_t in = { (unsigned char *)(uintptr_t)text.p, (unsigned int)text.n };
	bool pem = text.n > 10 && memcmp(text.p, "-----BEGIN", 10) == 0;
	enum gba_err err = GBA_E_SYNTAX;
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;

	if (gnutls_x509_crt_init(&crt) != 0)
		return GBA_E_NOMEM;
	if (gnutls_x509_crt_import(crt, &in, pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0) {
		_der->p = talloc_memdup(mem_ctx, der.data, der.size);
		_der->n = der.size;
		err = _der->p != NULL ? GBA_OK : GBA_E_NOMEM;
		gnutls_free(der.data);
	}
	gnutls_x509_crt_deinit(crt);
	return err;
}

enum gba_err ca_der(struct ca *ca, TALLOC_CTX *mem_ctx, const char *which, struct bytes *_der)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	const struct ca_entry *entry;
	char path[PATH_MAX];
	gnutls_datum_t pem;
	enum gba_err err;

	if (ctx == NULL)
		return GBA_E_NOMEM;
	err = find(ca, ctx, which, &entry);
	if (err == GBA_OK) {
		snprintf(path, sizeof(path), "%s/issued/%s.pem", ca->dir, entry->serial);
		err = ca_file_read(ctx, path, false, &pem);
	}
	if (err == GBA_OK)
		err = ca_certificate_read(mem_ctx, BYTES(pem.data, pem.size), _der);
	talloc_free(ctx);
	return err;
}

enum gba_err ca_revoke(struct ca *ca, const char *which, time_t now, char *fingerprint)
{
	char name[sizeof("revoked/") + 2 * CA_SERIAL_LEN], text[32];
	TALLOC_CTX *ctx = talloc_new(NULL);
	const struct ca_entry *entry;
	enum gba_err err;

	if (ctx == NULL)
		return GBA_E_NOMEM;
	err = find(ca, ctx, which, &entry);
	if (err == GBA_OK) {
		snprintf(name, sizeof(name), "revoked/%s", entry->serial);
		snprintf(text, sizeof(text), "%lld\n", (long long)now);
		err = ca_file_write(ca->dir, name, bytes_of(text), 0644, false);
		if (err == GBA_E_EXISTS)
			err = GBA_OK;
		if (err == GBA_OK)
			err = ca_crl_write(ca, now);
		if (err == GBA_OK && fingerprint != NULL)
			memcpy(fingerprint, entry->fingerprint, sizeof(entry->fingerprint));
	}
	talloc_free(ctx);
	return err;
}

enum gba_err ca_crl(struct ca *ca, TALLOC_CTX *mem_ctx, time_t now, const char **_pem)
{
	char path[PATH_MAX];
	gnutls_datum_t pem;
	struct stat st;
	enum gba_err err = GBA_OK;

	snprintf(path, sizeof(path), "%s/crl.pem", ca->dir);
	if (stat(path, &st) != 0 || st.st_mtime + CRL_FRESH < now)
		err = ca_crl_write(ca, now);
	if (err == GBA_OK)
		err = ca_file_read(mem_ctx, path, false, &pem);
	if (err == GBA_OK)
		*_pem = (const char *)pem.data;
	return err;
}
