/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/trust.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/clock.h"
#include "pki/ca_priv.h"

#define LOOK_MS 200 /* how often the files are looked at */

#define TRUST_WORD(id, word) word,
const char *const trust_words[] = { TRUST_VERDICTS(TRUST_WORD) };
#undef TRUST_WORD

/* What tells one content of a file from the next. */
struct version {
	struct timespec time;
	off_t size;
	ino_t inode;
};

struct trust {
	pthread_mutex_t lock;
	const char *ca, *crl; /* crl "": none */
	struct version ca_seen, crl_seen;
	gnutls_x509_trust_list_t list;
	time_t stale_at; /* the first of the lists of revoked ones is out of date; 0: never */
	uint64_t looked_ms;
};

static struct version version_of(const char *path)
{
	struct version version = { .size = -1 };
	struct stat st;

	if (path[0] != '\0' && stat(path, &st) == 0)
		version = (struct version){ st.st_mtim, st.st_size, st.st_ino };
	return version;
}

static bool same(const struct version *a, const struct version *b)
{
	return a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec && a->size == b->size &&
	       a->inode == b->inode;
}

/* Signed by one of the CAs? Whether it is out of date is asked with each certificate. */
static bool crl_signed(gnutls_x509_crl_t crl, const gnutls_x509_crt_t *cas, unsigned int n)
{
	const unsigned int about_time = GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE;
	unsigned int status = GNUTLS_CERT_SIGNATURE_FAILURE;

	if (gnutls_x509_crl_verify(crl, cas, n, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status) != 0)
		return false;
	return (status & ~(about_time | GNUTLS_CERT_INVALID)) == 0 && (status == 0 || (status & about_time) != 0);
}

/* The lists, and until when all of them hold. */
static enum gba_err crls_take(gnutls_x509_crl_t *crls, unsigned int n, const gnutls_datum_t *ca, gnutls_x509_trust_list_t list,
			      time_t *_stale_at)
{
	gnutls_x509_crt_t *cas = NULL;
	unsigned int ca_n = 0, good, i;

	if (gnutls_x509_crt_list_import2(&cas, &ca_n, ca, GNUTLS_X509_FMT_PEM, 0) < 0)
		return GBA_E_SYNTAX;
	for (good = 0; good < n && crl_signed(crls[good], cas, ca_n); good++) {
		time_t until = gnutls_x509_crl_get_next_update(crls[good]);

		if (until > 0 && (*_stale_at == 0 || until < *_stale_at))
			*_stale_at = until;
	}
	for (i = 0; i < ca_n; i++)
		gnutls_x509_crt_deinit(cas[i]);
	gnutls_free(cas);
	if (good < n)
		return GBA_E_SYNTAX;
	return gnutls_x509_trust_list_add_crls(list, crls, n, 0, 0) == (int)n ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err crls_read(TALLOC_CTX *tmp, const char *path, const gnutls_datum_t *ca, gnutls_x509_trust_list_t list,
			      time_t *_stale_at)
{
	gnutls_x509_crl_t *crls = NULL;
	unsigned int n = 0, i;
	gnutls_datum_t pem;
	enum gba_err err;

	*_stale_at = 0;
	if (path[0] == '\0')
		return GBA_OK;
	err = ca_file_read(tmp, path, false, &pem);
	if (err != GBA_OK)
		return err;
	if (gnutls_x509_crl_list_import2(&crls, &n, &pem, GNUTLS_X509_FMT_PEM, 0) < 0 || n == 0)
		return GBA_E_SYNTAX;
	err = crls_take(crls, n, ca, list, _stale_at);
	for (i = 0; err == GBA_E_SYNTAX && i < n; i++) /* else they are the list's */
		gnutls_x509_crl_deinit(crls[i]);
	gnutls_free(crls);
	return err;
}

static enum gba_err list_read(const char *ca, const char *crl, gnutls_x509_trust_list_t *_list, time_t *_stale_at)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	gnutls_x509_trust_list_t list;
	gnutls_datum_t pem;
	enum gba_err err;

	if (tmp == NULL || gnutls_x509_trust_list_init(&list, 0) != 0) {
		talloc_free(tmp);
		return GBA_E_NOMEM;
	}
	err = ca_file_read(tmp, ca, false, &pem);
	if (err == GBA_OK && gnutls_x509_trust_list_add_trust_mem(list, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0) <= 0)
		err = GBA_E_SYNTAX;
	if (err == GBA_OK)
		err = crls_read(tmp, crl, &pem, list, _stale_at);
	talloc_free(tmp);
	if (err == GBA_OK)
		*_list = list;
	else
		gnutls_x509_trust_list_deinit(list, 1);
	return err;
}

/* A file that is being replaced, or is spoiled, leaves what was read before in force. */
static enum gba_err look(struct trust *trust)
{
	struct version ca = version_of(trust->ca), crl = version_of(trust->crl);
	gnutls_x509_trust_list_t list;
	time_t stale_at;
	enum gba_err err;

	if (trust->list != NULL && same(&ca, &trust->ca_seen) && same(&crl, &trust->crl_seen))
		return GBA_OK;
	err = list_read(trust->ca, trust->crl, &list, &stale_at);
	if (err != GBA_OK)
		return err;
	if (trust->list != NULL)
		gnutls_x509_trust_list_deinit(trust->list, 1);
	trust->list = list;
	trust->stale_at = stale_at;
	trust->ca_seen = ca;
	trust->crl_seen = crl;
	return GBA_OK;
}

static int trust_destroy(struct trust *trust)
{
	if (trust->list != NULL)
		gnutls_x509_trust_list_deinit(trust->list, 1);
	pthread_mutex_destroy(&trust->lock);
	return 0;
}

enum gba_err trust_open(TALLOC_CTX *mem_ctx, const char *ca, const char *crl, struct trust **_trust, const char **_error)
{
	struct trust *trust = talloc_zero(mem_ctx, struct trust);
	enum gba_err err;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (trust == NULL)
		return GBA_E_NOMEM;
	pthread_mutex_init(&trust->lock, NULL);
	talloc_set_destructor(trust, trust_destroy);
	trust->ca = talloc_strdup(trust, ca);
	trust->crl = talloc_strdup(trust, crl);
	if (trust->ca == NULL || trust->crl == NULL) {
		talloc_free(trust);
		return GBA_E_NOMEM;
	}
	err = look(trust);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "%s%s%s: %s", ca, crl[0] != '\0' ? ", " : "", crl, gba_strerror(err));
		talloc_free(trust);
		return err == GBA_E_NOMEM ? err : GBA_E_CONF;
	}
	*_trust = trust;
	return GBA_OK;
}

static enum trust_verdict verdict_of(unsigned int status)
{
	if (status == 0)
		return TRUST_GOOD;
	if ((status & GNUTLS_CERT_REVOKED) != 0)
		return TRUST_REVOKED;
	if ((status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_CA |
		       GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE)) != 0)
		return TRUST_UNKNOWN;
	if ((status & (GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE)) != 0)
		return TRUST_UNSURE;
	return (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) != 0 ? TRUST_EXPIRED : TRUST_UNFIT;
}

static enum trust_verdict verify(gnutls_x509_trust_list_t list, gnutls_x509_crt_t *certs, unsigned int n)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, (uint8_t *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
	unsigned int status = GNUTLS_CERT_INVALID;

	if (gnutls_x509_trust_list_verify_crt2(list, certs, n, &purpose, 1, GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM),
					       &status, NULL) < 0)
		return TRUST_UNFIT;
	return verdict_of(status);
}

enum trust_verdict trust_check(struct trust *trust, const struct bytes *chain, size_t n)
{
	gnutls_x509_crt_t certs[TRUST_CHAIN_MAX];
	enum trust_verdict verdict = TRUST_GOOD;
	unsigned int count = 0;

	if (n == 0)
		return TRUST_NONE;
	while (verdict == TRUST_GOOD && count < n && count < TRUST_CHAIN_MAX) {
		const gnutls_datum_t der = { (uint8_t *)(uintptr_t)chain[count].p, (unsigned int)chain[count].n };

		if (gnutls_x509_crt_init(&certs[count]) != 0)
			verdict = TRUST_UNFIT;
		else if (gnutls_x509_crt_import(certs[count++], &der, GNUTLS_X509_FMT_DER) != 0)
			verdict = TRUST_UNFIT;
	}
	pthread_mutex_lock(&trust->lock);
	if (clock_mono_ms() - trust->looked_ms >= LOOK_MS) {
		(void)look(trust);
		trust->looked_ms = clock_mono_ms();
	}
	if (verdict == TRUST_GOOD)
		verdict = verify(trust->list, certs, count);
	if (verdict == TRUST_GOOD && trust->stale_at != 0 && trust->stale_at < clock_now())
		verdict = TRUST_UNSURE;
	pthread_mutex_unlock(&trust->lock);
	while (count > 0)
		gnutls_x509_crt_deinit(certs[--count]);
	return verdict;
}
