/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/trust.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/clock.h"
#include "crypto/hash.h"
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

struct listed {
	uint8_t mark[TRUST_MARK_LEN];
	bool told;
};

/* What the lists say, sorted; not talloc's: big, and the threads' own trees are not to be touched. */
struct listing {
	struct listed *v;
	size_t n;
};

/* What was read from the files. */
struct lists {
	gnutls_x509_trust_list_t list;
	struct listing revoked;
	time_t stale_at; /* the first of the lists of revoked ones is out of date; 0: never */
};

struct trust {
	pthread_mutex_t lock;
	const char *ca, *crl; /* crl "": none */
	struct version ca_seen, crl_seen;
	struct lists now;
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

#define SERIAL_MAX 64 /* [octets]; RFC 5280 has 20 */

static void mark_of(const gnutls_datum_t *issuer, const uint8_t *serial, size_t n, uint8_t out[TRUST_MARK_LEN])
{
	const uint8_t length[2] = { (uint8_t)(issuer->size >> 8), (uint8_t)issuer->size };
	struct bytes pieces[3];
	uint8_t digest[HASH_MAX];

	while (n > 1 && serial[0] == 0) {
		serial++;
		n--;
	}
	pieces[0] = BYTES(length, sizeof(length));
	pieces[1] = BYTES(issuer->data, issuer->size);
	pieces[2] = BYTES(serial, n);
	hash_pieces(HASH_SHA256, pieces, 3, digest);
	memcpy(out, digest, TRUST_MARK_LEN);
}

static int by_mark(const void *a, const void *b)
{
	return memcmp(a, b, TRUST_MARK_LEN); /* the mark comes first */
}

static struct listed *listed_find(const struct listing *listing, const uint8_t mark[TRUST_MARK_LEN])
{
	return listing->n > 0 ? bsearch(mark, listing->v, listing->n, sizeof(listing->v[0]), by_mark) : NULL;
}

static bool listed_add(struct listing *listing, const uint8_t mark[TRUST_MARK_LEN])
{
	struct listed *grown = listing->v;

	if ((listing->n & (listing->n - 1)) == 0) { /* doubles at powers of two */
		grown = realloc(grown, (listing->n > 0 ? 2 * listing->n : 1) * sizeof(*grown));
		if (grown == NULL)
			return false;
		listing->v = grown;
	}
	memcpy(grown[listing->n].mark, mark, TRUST_MARK_LEN);
	grown[listing->n++].told = false;
	return true;
}

/* Each serial of one list. */
static enum gba_err crl_walk(gnutls_x509_crl_t crl, struct listing *listing)
{
	uint8_t serial[SERIAL_MAX], mark[TRUST_MARK_LEN];
	gnutls_x509_crl_iter_t iter = NULL;
	gnutls_datum_t issuer = { NULL, 0 };
	size_t n = sizeof(serial);
	enum gba_err err = GBA_OK;

	if (gnutls_x509_crl_get_raw_issuer_dn(crl, &issuer) < 0)
		return GBA_E_SYNTAX;
	while (err == GBA_OK && gnutls_x509_crl_iter_crt_serial(crl, &iter, serial, &n, NULL) == 0) {
		mark_of(&issuer, serial, n, mark);
		err = listed_add(listing, mark) ? GBA_OK : GBA_E_NOMEM;
		n = sizeof(serial);
	}
	gnutls_x509_crl_iter_deinit(iter);
	gnutls_free(issuer.data);
	return err;
}

/* The lists, and until when all of them hold. */
static enum gba_err crls_take(gnutls_x509_crl_t *crls, unsigned int n, const gnutls_datum_t *ca, struct lists *lists)
{
	gnutls_x509_crt_t *cas = NULL;
	unsigned int ca_n = 0, good, i;
	enum gba_err err = GBA_OK;

	if (gnutls_x509_crt_list_import2(&cas, &ca_n, ca, GNUTLS_X509_FMT_PEM, 0) < 0)
		return GBA_E_SYNTAX;
	for (good = 0; good < n && crl_signed(crls[good], cas, ca_n); good++) {
		time_t until = gnutls_x509_crl_get_next_update(crls[good]);

		if (until > 0 && (lists->stale_at == 0 || until < lists->stale_at))
			lists->stale_at = until;
	}
	for (i = 0; err == GBA_OK && good == n && i < n; i++)
		err = crl_walk(crls[i], &lists->revoked);
	for (i = 0; i < ca_n; i++)
		gnutls_x509_crt_deinit(cas[i]);
	gnutls_free(cas);
	if (good < n || err != GBA_OK)
		return GBA_E_SYNTAX; /* whoever asked frees them */
	return gnutls_x509_trust_list_add_crls(lists->list, crls, n, 0, 0) == (int)n ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err crls_read(TALLOC_CTX *tmp, const char *path, const gnutls_datum_t *ca, struct lists *lists)
{
	gnutls_x509_crl_t *crls = NULL;
	unsigned int n = 0, i;
	gnutls_datum_t pem;
	enum gba_err err;

	if (path[0] == '\0')
		return GBA_OK;
	err = ca_file_read(tmp, path, false, &pem);
	if (err != GBA_OK)
		return err;
	if (gnutls_x509_crl_list_import2(&crls, &n, &pem, GNUTLS_X509_FMT_PEM, 0) < 0 || n == 0)
		return GBA_E_SYNTAX;
	err = crls_take(crls, n, ca, lists);
	for (i = 0; err == GBA_E_SYNTAX && i < n; i++) /* else they are the list's */
		gnutls_x509_crl_deinit(crls[i]);
	gnutls_free(crls);
	return err;
}

static void lists_free(struct lists *lists)
{
	if (lists->list != NULL)
		gnutls_x509_trust_list_deinit(lists->list, 1);
	free(lists->revoked.v);
}

static enum gba_err lists_read(const char *ca, const char *crl, struct lists *_lists)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct lists lists = { .stale_at = 0 };
	gnutls_datum_t pem;
	enum gba_err err;

	if (tmp == NULL || gnutls_x509_trust_list_init(&lists.list, 0) != 0) {
		talloc_free(tmp);
		return GBA_E_NOMEM;
	}
	err = ca_file_read(tmp, ca, false, &pem);
	if (err == GBA_OK && gnutls_x509_trust_list_add_trust_mem(lists.list, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0) <= 0)
		err = GBA_E_SYNTAX;
	if (err == GBA_OK)
		err = crls_read(tmp, crl, &pem, &lists);
	talloc_free(tmp);
	if (lists.revoked.n > 0)
		qsort(lists.revoked.v, lists.revoked.n, sizeof(lists.revoked.v[0]), by_mark);
	if (err == GBA_OK)
		*_lists = lists;
	else
		lists_free(&lists);
	return err;
}

/* What was told already need not be told again. */
static void told_keep(const struct listing *old, struct listing *now)
{
	const struct listed *before;
	size_t i;

	for (i = 0; i < now->n; i++) {
		before = listed_find(old, now->v[i].mark);
		now->v[i].told = before != NULL && before->told;
	}
}

/* A file that is being replaced, or is spoiled, leaves what was read before in force. */
static enum gba_err look(struct trust *trust)
{
	struct version ca = version_of(trust->ca), crl = version_of(trust->crl);
	struct lists lists;
	enum gba_err err;

	if (trust->now.list != NULL && same(&ca, &trust->ca_seen) && same(&crl, &trust->crl_seen))
		return GBA_OK;
	err = lists_read(trust->ca, trust->crl, &lists);
	if (err != GBA_OK)
		return err;
	told_keep(&trust->now.revoked, &lists.revoked);
	lists_free(&trust->now);
	trust->now = lists;
	trust->ca_seen = ca;
	trust->crl_seen = crl;
	return GBA_OK;
}

/* The lock is held. */
static void look_now_and_then(struct trust *trust)
{
	if (clock_mono_ms() - trust->looked_ms < LOOK_MS)
		return;
	(void)look(trust);
	trust->looked_ms = clock_mono_ms();
}

static int trust_destroy(struct trust *trust)
{
	lists_free(&trust->now);
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
	look_now_and_then(trust);
	if (verdict == TRUST_GOOD)
		verdict = verify(trust->now.list, certs, count);
	if (verdict == TRUST_GOOD && trust->now.stale_at != 0 && trust->now.stale_at < clock_now())
		verdict = TRUST_UNSURE;
	pthread_mutex_unlock(&trust->lock);
	while (count > 0)
		gnutls_x509_crt_deinit(certs[--count]);
	return verdict;
}

enum gba_err trust_mark(struct bytes der, uint8_t out[TRUST_MARK_LEN])
{
	const gnutls_datum_t octets = { (uint8_t *)(uintptr_t)der.p, (unsigned int)der.n };
	gnutls_datum_t issuer = { NULL, 0 };
	uint8_t serial[SERIAL_MAX];
	size_t n = sizeof(serial);
	gnutls_x509_crt_t cert;
	bool good;

	if (gnutls_x509_crt_init(&cert) != 0)
		return GBA_E_NOMEM;
	good = gnutls_x509_crt_import(cert, &octets, GNUTLS_X509_FMT_DER) == 0 &&
	       gnutls_x509_crt_get_raw_issuer_dn(cert, &issuer) == 0 && gnutls_x509_crt_get_serial(cert, serial, &n) == 0;
	if (good)
		mark_of(&issuer, serial, n, out);
	gnutls_free(issuer.data);
	gnutls_x509_crt_deinit(cert);
	return good ? GBA_OK : GBA_E_SYNTAX;
}

bool trust_listed(struct trust *trust, const uint8_t mark[TRUST_MARK_LEN])
{
	struct listed *listed;

	pthread_mutex_lock(&trust->lock);
	listed = listed_find(&trust->now.revoked, mark);
	if (listed != NULL)
		listed->told = false;
	pthread_mutex_unlock(&trust->lock);
	return listed != NULL;
}

#define TELL_MAX 64 /* between two looks at the lock */

/* The next that were not told, behind `after`. The lock is held. */
static size_t untold_take(const struct listing *listing, const uint8_t *after, uint8_t (*marks)[TRUST_MARK_LEN])
{
	size_t i, n = 0;

	for (i = 0; i < listing->n && n < TELL_MAX; i++) {
		if (!listing->v[i].told && (after == NULL || memcmp(listing->v[i].mark, after, TRUST_MARK_LEN) > 0))
			memcpy(marks[n++], listing->v[i].mark, TRUST_MARK_LEN);
	}
	return n;
}

void trust_tell(struct trust *trust, trust_each each, void *arg)
{
	uint8_t marks[TELL_MAX][TRUST_MARK_LEN], last[TRUST_MARK_LEN];
	const uint8_t *after = NULL;
	struct listed *listed;
	size_t n, i;

	do {
		pthread_mutex_lock(&trust->lock);
		look_now_and_then(trust);
		n = untold_take(&trust->now.revoked, after, marks);
		for (i = 0; i < n; i++) /* before: who asks meanwhile, trust_listed(), has it told again */
			listed_find(&trust->now.revoked, marks[i])->told = true;
		pthread_mutex_unlock(&trust->lock);
		for (i = 0; i < n; i++) {
			if (each(arg, marks[i]) == GBA_OK)
				continue;
			pthread_mutex_lock(&trust->lock);
			listed = listed_find(&trust->now.revoked, marks[i]);
			if (listed != NULL)
				listed->told = false;
			pthread_mutex_unlock(&trust->lock);
		}
		if (n > 0)
			memcpy(last, marks[n - 1], TRUST_MARK_LEN);
		after = last;
	} while (n == TELL_MAX);
}
