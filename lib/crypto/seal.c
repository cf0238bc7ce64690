/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/seal.h"

#include <gcrypt.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "core/secret.h"
#include "crypto/key_file.h"

#define NONCE_LEN 12
#define TAG_LEN	  16
#define IDLE_MAX  16 /* keyed ciphers kept for the next caller; more than that at once is rare */

/* A keyed cipher, used by one thread at a time. Its nonces count up from a random start of 96 bits: within one cipher
 * none comes twice, and two ciphers meet only if their starts are nearer than they ever count. Purely random nonces
 * would wear the key out after 2^32 records (NIST SP 800-38D 8.3), which a busy BSF reaches within days. */
struct gcm {
	gcry_cipher_hd_t cipher;
	uint8_t nonce[NONCE_LEN];
	unsigned int forks; /* when the nonce was started */
	unsigned int ring;  /* which reading of the file its key is of */
};

struct kek {
	const char *path;
	_Atomic uint64_t look_at_ms; /* when to look at the file again */
	pthread_mutex_t lock;	     /* all below */
	struct secret *keys;	     /* n of them, the top one first */
	size_t n;
	unsigned int ring;
	struct stat stamp;
	struct gcm *idle[IDLE_MAX]; /* under the top key */
	unsigned int n_idle;
};

/* A forked child must not go on counting beside its parent. */
static _Atomic unsigned int forks;

static void count_fork(void)
{
	forks++;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

static void gcm_close(struct gcm *gcm)
{
	gcry_cipher_close(gcm->cipher);
	talloc_free(gcm);
}

/* @param which  0: the top key. GBA_E_NOT_FOUND: there are not so many */
static enum gba_err gcm_open(struct kek *kek, size_t which, struct gcm **_gcm)
{
	struct gcm *gcm = talloc_zero(NULL, struct gcm); /* below no context: those belong to threads */
	enum gba_err err = GBA_E_NOMEM;

	if (gcm == NULL)
		return GBA_E_NOMEM;
	if (gcry_cipher_open(&gcm->cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE) == 0) {
		pthread_mutex_lock(&kek->lock);
		if (which >= kek->n)
			err = GBA_E_NOT_FOUND;
		else if (gcry_cipher_setkey(gcm->cipher, kek->keys->p + which * KEY_FILE_LEN, KEY_FILE_LEN) == 0)
			err = GBA_OK;
		gcm->ring = kek->ring;
		pthread_mutex_unlock(&kek->lock);
	}
	if (err != GBA_OK) {
		gcm_close(gcm);
		return err;
	}
	gcm->forks = forks;
	rand_bytes(gcm->nonce, sizeof(gcm->nonce));
	*_gcm = gcm;
	return GBA_OK;
}

static enum gba_err gcm_take(struct kek *kek, struct gcm **_gcm)
{
	struct gcm *gcm = NULL;

	pthread_mutex_lock(&kek->lock);
	if (kek->n_idle > 0)
		gcm = kek->idle[--kek->n_idle];
	pthread_mutex_unlock(&kek->lock);
	if (gcm == NULL)
		return gcm_open(kek, 0, _gcm);
	*_gcm = gcm;
	return GBA_OK;
}

static void gcm_give(struct kek *kek, struct gcm *gcm)
{
	pthread_mutex_lock(&kek->lock);
	if (kek->n_idle < IDLE_MAX && gcm->ring == kek->ring) {
		kek->idle[kek->n_idle++] = gcm;
		gcm = NULL;
	}
	pthread_mutex_unlock(&kek->lock);
	if (gcm != NULL)
		gcm_close(gcm);
}

/* The file's keys into use. On failure those in use stay. */
static enum gba_err load(struct kek *kek, bool create, TALLOC_CTX *mem_ctx, const char **_why)
{
	struct gcm *stale[IDLE_MAX];
	struct secret *keys = NULL;
	struct key_ring ring;
	unsigned int n = 0;
	enum gba_err err;
	struct stat stamp;

	err = key_file_read_ring(mem_ctx, kek->path, create, &ring, &stamp, _why);
	if (err != GBA_OK)
		return err;
	pthread_mutex_lock(&kek->lock); /* talloc, too, is under it */
	keys = secret_dup(kek, BYTES(ring.keys, ring.n * KEY_FILE_LEN));
	if (keys != NULL) {
		talloc_free(kek->keys);
		kek->keys = keys;
		kek->n = ring.n;
		kek->ring++;
		kek->stamp = stamp;
		n = kek->n_idle;
		memcpy(stale, kek->idle, n * sizeof(stale[0]));
		kek->n_idle = 0;
	}
	pthread_mutex_unlock(&kek->lock);
	SECRET_WIPE(ring);
	while (n > 0)
		gcm_close(stale[--n]);
	return keys != NULL ? GBA_OK : GBA_E_NOMEM;
}

static bool changed(struct kek *kek)
{
	struct stat stamp;

	pthread_mutex_lock(&kek->lock);
	stamp = kek->stamp;
	pthread_mutex_unlock(&kek->lock);
	return key_file_changed(kek->path, &stamp);
}

/* One of the threads that seal looks at the file now and then. */
static void follow(struct kek *kek)
{
	uint64_t now = clock_mono_ms(), due = kek->look_at_ms;

	if (now >= due && atomic_compare_exchange_strong(&kek->look_at_ms, &due, now + KEK_FOLLOW_MS) && changed(kek))
		(void)load(kek, false, NULL, NULL); /* the next look tries again: the stamp is still the old one */
}

static int kek_destroy(struct kek *kek)
{
	while (kek->n_idle > 0)
		gcm_close(kek->idle[--kek->n_idle]);
	pthread_mutex_destroy(&kek->lock);
	return 0;
}

enum gba_err kek_open(TALLOC_CTX *mem_ctx, const char *path, bool create, struct kek **_kek)
{
	const char *why;

	return kek_open_why(mem_ctx, path, create, _kek, &why);
}

enum gba_err kek_open_why(TALLOC_CTX *mem_ctx, const char *path, bool create, struct kek **_kek, const char **_why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct kek *kek;
	enum gba_err err;

	*_why = gba_strerror(GBA_E_NOMEM);
	pthread_once(&once, watch_forks);
	secret_init();
	kek = talloc_zero(mem_ctx, struct kek);
	if (kek == NULL)
		return GBA_E_NOMEM;
	pthread_mutex_init(&kek->lock, NULL);
	talloc_set_destructor(kek, kek_destroy);
	kek->path = talloc_strdup(kek, path);
	err = kek->path != NULL ? load(kek, create, mem_ctx, _why) : GBA_E_NOMEM;
	kek->look_at_ms = clock_mono_ms() + KEK_FOLLOW_MS;
	if (err != GBA_OK) {
		if (*_why == NULL)
			*_why = gba_strerror(err);
		talloc_free(kek);
		return err;
	}
	*_kek = kek;
	return GBA_OK;
}

static void nonce_next(struct gcm *gcm, uint8_t out[NONCE_LEN])
{
	if (gcm->forks != forks) {
		rand_bytes(gcm->nonce, sizeof(gcm->nonce));
		gcm->forks = forks;
	}
	for (int i = NONCE_LEN - 1; i >= 0 && ++gcm->nonce[i] == 0; i--)
		;
	memcpy(out, gcm->nonce, NONCE_LEN);
}

static bool begin(struct gcm *gcm, const uint8_t nonce[NONCE_LEN], struct bytes about)
{
	return gcry_cipher_setiv(gcm->cipher, nonce, NONCE_LEN) == 0 &&
	       (about.n == 0 || gcry_cipher_authenticate(gcm->cipher, about.p, about.n) == 0);
}

enum gba_err seal(struct kek *kek, struct bytes about, struct bytes plain, uint8_t *out)
{
	struct gcm *gcm;
	enum gba_err err;
	bool good;

	follow(kek);
	err = gcm_take(kek, &gcm);
	if (err != GBA_OK)
		return err;
	nonce_next(gcm, out);
	good = begin(gcm, out, about) &&
	       (plain.n == 0 || gcry_cipher_encrypt(gcm->cipher, out + NONCE_LEN, plain.n, plain.p, plain.n) == 0) &&
	       gcry_cipher_gettag(gcm->cipher, out + NONCE_LEN + plain.n, TAG_LEN) == 0;
	gcm_give(kek, gcm);
	if (good)
		return GBA_OK;
	secret_wipe(out, plain.n + SEAL_OVERHEAD);
	return GBA_E_INTERNAL;
}

static bool open_with(struct gcm *gcm, struct bytes about, struct bytes sealed, uint8_t *out)
{
	const uint8_t *text = sealed.p + NONCE_LEN;
	size_t n = sealed.n - SEAL_OVERHEAD;

	if (begin(gcm, sealed.p, about) && (n == 0 || gcry_cipher_decrypt(gcm->cipher, out, n, text, n) == 0) &&
	    gcry_cipher_checktag(gcm->cipher, text + n, TAG_LEN) == 0)
		return true;
	secret_wipe(out, n);
	return false;
}

/* With the keys below the top one: rare, so their ciphers are not kept. */
static enum gba_err open_with_older(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out)
{
	struct gcm *gcm;
	enum gba_err err;
	size_t which;
	bool good;

	for (which = 1; (err = gcm_open(kek, which, &gcm)) == GBA_OK; which++) {
		good = open_with(gcm, about, sealed, out);
		gcm_close(gcm);
		if (good)
			return GBA_OK;
	}
	return err == GBA_E_NOT_FOUND ? GBA_E_CORRUPT : err;
}

static enum gba_err open_with_all(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out, bool *_old)
{
	struct gcm *gcm;
	enum gba_err err = gcm_take(kek, &gcm);
	bool good;

	if (err != GBA_OK)
		return err;
	good = open_with(gcm, about, sealed, out);
	gcm_give(kek, gcm);
	*_old = !good;
	return good ? GBA_OK : open_with_older(kek, about, sealed, out);
}

enum gba_err unseal_old(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out, bool *_old)
{
	enum gba_err err;

	if (sealed.n < SEAL_OVERHEAD)
		return GBA_E_CORRUPT;
	err = open_with_all(kek, about, sealed, out, _old);
	/* Sealed by another process with a key we have not seen yet? */
	if (err == GBA_E_CORRUPT && changed(kek) && load(kek, false, NULL, NULL) == GBA_OK)
		err = open_with_all(kek, about, sealed, out, _old);
	return err;
}

enum gba_err unseal(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out)
{
	bool old;

	return unseal_old(kek, about, sealed, out, &old);
}

enum gba_err kek_rotate(TALLOC_CTX *mem_ctx, const char *path, const char *uri, const char **_why)
{
	secret_init();
	return key_file_rotate(mem_ctx, path, uri, _why);
}

enum gba_err kek_retire(const char *path, size_t *_dropped)
{
	secret_init();
	return key_file_retire(path, _dropped);
}

size_t kek_count(struct kek *kek)
{
	size_t n;

	pthread_mutex_lock(&kek->lock);
	n = kek->n;
	pthread_mutex_unlock(&kek->lock);
	return n;
}
