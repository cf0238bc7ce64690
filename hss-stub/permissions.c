/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/permissions.h"

#include <pthread.h>

#include "core/clock.h"

#define HANDLES 4 /* as many threads read at once; the next one waits */

struct handle {
	pthread_mutex_t lock;
	struct records *mapping;
};

struct permissions {
	struct handle handles[HANDLES];
};

static int permissions_destroy(struct permissions *permissions)
{
	size_t i;

	for (i = 0; i < HANDLES; i++)
		pthread_mutex_destroy(&permissions->handles[i].lock);
	return 0;
}

enum gba_err permissions_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct permissions **_permissions,
			      const char **_error)
{
	struct permissions *permissions = talloc_zero(mem_ctx, struct permissions);
	enum gba_err err = GBA_OK;
	size_t i;

	*_error = "out of memory";
	if (permissions == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < HANDLES; i++)
		pthread_mutex_init(&permissions->handles[i].lock, NULL);
	talloc_set_destructor(permissions, permissions_destroy);
	for (i = 0; i < HANDLES && err == GBA_OK; i++)
		err = mapping_open(permissions, database, kek, &permissions->handles[i].mapping, _error);
	if (err == GBA_OK)
		*_permissions = permissions;
	return err; /* the text is below it, too: it goes with mem_ctx */
}

/* One that nobody uses; else wait for the first. */
static struct handle *handle_take(struct permissions *permissions)
{
	size_t i;

	for (i = 0; i < HANDLES; i++) {
		if (pthread_mutex_trylock(&permissions->handles[i].lock) == 0)
			return &permissions->handles[i];
	}
	pthread_mutex_lock(&permissions->handles[0].lock);
	return &permissions->handles[0];
}

enum gba_err permissions_find(struct permissions *permissions, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes fqdn,
			      struct grant **_grant)
{
	struct handle *handle = handle_take(permissions);
	enum gba_err err;

	err = grant_find(handle->mapping, mem_ctx, impi, fqdn, clock_now(), _grant);
	pthread_mutex_unlock(&handle->lock);
	return err;
}
