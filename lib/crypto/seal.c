/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/seal.h"

#include <gcrypt.h>
#include <pthread.h>

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
};

struct kek {
	struct secret *key;
	pthread_mutex_t lock; /* idle, n_idle */
	struct gcm *idle[IDLE_MAX];
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

static enum gba_err gcm_open(const struct kek *kek, struct gcm **_gcm)
{
	struct gcm *gcm = talloc_zero(NULL, struct gcm); /* below no context: those belong to threads */

	if (gcm == NULL)
		return GBA_E_NOMEM;
	if (gcry_cipher_open(&gcm->cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE) != 0 ||
	    gcry_cipher_setkey(gcm->cipher, kek->key->p, kek->key->n) != 0) {
		gcm_close(gcm);
		return GBA_E_NOMEM;
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
		return gcm_open(kek, _gcm);
	*_gcm = gcm;
	return GBA_OK;
}

static void gcm_give(struct kek *kek, struct gcm *gcm)
{
	pthread_mutex_lock(&kek->lock);
	if (kek->n_idle < IDLE_MAX) {
		kek->idle[kek->n_idle++] = gcm;
		gcm = NULL;
	}
	pthread_mutex_unlock(&kek->lock);
	if (gcm != NULL)
		gcm_close(gcm);
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
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct kek *kek;
	enum gba_err err;

	pthread_once(&once, watch_forks);
	secret_init();
	kek = talloc_zero(mem_ctx, struct kek);
	if (kek == NULL)
		return GBA_E_NOMEM;
	pthread_mutex_init(&kek->lock, NULL);
	talloc_set_destructor(kek, kek_destroy);
	kek->key = secret_new(kek, KEY_FILE_LEN);
	err = kek->key != NULL ? key_file_read(path, create, kek->key->p) : GBA_E_NOMEM;
	if (err != GBA_OK) {
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
	enum gba_err err = gcm_take(kek, &gcm);
	bool good;

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

enum gba_err unseal(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out)
{
	const uint8_t *text;
	struct gcm *gcm;
	enum gba_err err;
	bool good;
	size_t n;

	if (sealed.n < SEAL_OVERHEAD)
		return GBA_E_CORRUPT;
	err = gcm_take(kek, &gcm);
	if (err != GBA_OK)
		return err;
	text = sealed.p + NONCE_LEN;
	n = sealed.n - SEAL_OVERHEAD;
	good = begin(gcm, sealed.p, about) && (n == 0 || gcry_cipher_decrypt(gcm->cipher, out, n, text, n) == 0) &&
	       gcry_cipher_checktag(gcm->cipher, text + n, TAG_LEN) == 0;
	gcm_give(kek, gcm);
	if (good)
		return GBA_OK;
	secret_wipe(out, n);
	return GBA_E_CORRUPT;
}
