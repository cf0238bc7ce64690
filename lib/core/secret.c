/* SPDX-License-Identifier: Apache-2.0 */
#include "core/secret.h"

#include <gcrypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define SECRET_POOL_OCTETS (256 * 1024)

static void init_once(void)
{
	const char *dump = getenv("GBA_COREDUMP");

	gcry_check_version(NULL);
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		gcry_control(GCRYCTL_SUSPEND_SECMEM_WARN);
		gcry_control(GCRYCTL_INIT_SECMEM, SECRET_POOL_OCTETS, 0);
		gcry_control(GCRYCTL_RESUME_SECMEM_WARN);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	if (dump == NULL || dump[0] != '1')
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void secret_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_once);
}

static int secret_destroy(struct secret *s)
{
	secret_wipe(s->p, s->n);
	gcry_free(s->p);
	return 0;
}

struct secret *secret_new(TALLOC_CTX *ctx, size_t n)
{
	struct secret *s = talloc(ctx, struct secret);

	if (s == NULL)
		return NULL;
	s->n = n;
	s->p = gcry_calloc_secure(1, n > 0 ? n : 1);
	if (s->p == NULL) {
		talloc_free(s);
		return NULL;
	}
	talloc_set_destructor(s, secret_destroy);
	return s;
}

struct secret *secret_dup(TALLOC_CTX *ctx, struct bytes from)
{
	struct secret *s = secret_new(ctx, from.n);

	if (s != NULL && from.n > 0)
		memcpy(s->p, from.p, from.n);
	return s;
}

void secret_wipe(void *p, size_t n)
{
	if (p != NULL)
		explicit_bzero(p, n);
}

static int chunk_destroy(void *chunk)
{
	secret_wipe(chunk, talloc_get_size(chunk));
	return 0;
}

void secret_guard_chunk(void *talloc_chunk)
{
	talloc_set_destructor(talloc_chunk, chunk_destroy);
}
