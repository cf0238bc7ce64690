/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/handles.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/secret.h"

#define HASH_ALGS (HASH_SHA256 + 1)

struct handles {
	gcry_md_hd_t md[HASH_ALGS][2]; /* plain, HMAC */
	gcry_cipher_hd_t aes;
};

static _Thread_local struct handles *mine;
static pthread_key_t at_thread_end;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void handles_close(void *p)
{
	struct handles *h = p;

	for (int alg = 0; alg < HASH_ALGS; alg++) {
		gcry_md_close(h->md[alg][0]);
		gcry_md_close(h->md[alg][1]);
	}
	gcry_cipher_close(h->aes);
	free(h);
	mine = NULL;
}

static void make_key(void)
{
	secret_init();
	if (pthread_key_create(&at_thread_end, handles_close) != 0)
		abort();
}

static void no_memory(const char *what)
{
	fprintf(stderr, "crypto: no memory for %s\n", what);
	abort();
}

static struct handles *handles(void)
{
	if (mine != NULL)
		return mine;
	pthread_once(&key_once, make_key);
	mine = calloc(1, sizeof(*mine));
	if (mine == NULL || pthread_setspecific(at_thread_end, mine) != 0)
		no_memory("a thread's handles");
	return mine;
}

gcry_md_hd_t handle_md(enum hash_alg alg, bool hmac)
{
	static const int ids[HASH_ALGS] = { [HASH_MD5] = GCRY_MD_MD5, [HASH_SHA1] = GCRY_MD_SHA1,
					    [HASH_SHA256] = GCRY_MD_SHA256 };
	gcry_md_hd_t *md = &handles()->md[alg][hmac];
	unsigned int flags = hmac ? GCRY_MD_FLAG_HMAC : 0;

	if (*md != NULL)
		return *md;
	if (gcry_md_open(md, ids[alg], flags | GCRY_MD_FLAG_SECURE) != 0 && gcry_md_open(md, ids[alg], flags) != 0)
		no_memory("a hash");
	return *md;
}

static gcry_cipher_hd_t aes_handle(void)
{
	gcry_cipher_hd_t *aes = &handles()->aes;

	if (*aes != NULL)
		return *aes;
	if (gcry_cipher_open(aes, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_ECB, GCRY_CIPHER_SECURE) != 0 &&
	    gcry_cipher_open(aes, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_ECB, 0) != 0)
		no_memory("AES");
	return *aes;
}

gcry_cipher_hd_t handle_aes128(const uint8_t key[16])
{
	gcry_cipher_hd_t aes = aes_handle();

	if (gcry_cipher_setkey(aes, key, 16) != 0)
		abort();
	return aes;
}

void handle_aes128_encrypt(gcry_cipher_hd_t aes, uint8_t *blocks, size_t count)
{
	if (gcry_cipher_encrypt(aes, blocks, 16 * count, NULL, 0) != 0)
		abort();
}

void handle_aes128_done(gcry_cipher_hd_t aes)
{
	static const uint8_t nobody[16];

	gcry_cipher_setkey(aes, nobody, sizeof(nobody));
}
