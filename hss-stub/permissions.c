/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/permissions.h"

#include <pthread.h>

#include "core/clock.h"

struct permissions {
	pthread_mutex_t lock;
	struct mapping *mapping;
};

static int permissions_destroy(struct permissions *permissions)
{
	pthread_mutex_destroy(&permissions->lock);
	return 0;
}

enum gba_err permissions_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct permissions **_permissions,
			      const char **_error)
{
	struct permissions *permissions = talloc_zero(mem_ctx, struct permissions);
	enum gba_err err;

	*_error = "out of memory";
	if (permissions == NULL)
		return GBA_E_NOMEM;
	pthread_mutex_init(&permissions->lock, NULL);
	talloc_set_destructor(permissions, permissions_destroy);
	err = mapping_open(permissions, database, kek, &permissions->mapping, _error);
	if (err == GBA_OK)
		*_permissions = permissions;
	return err; /* the text is below it, too: it goes with mem_ctx */
}

enum gba_err permissions_find(struct permissions *permissions, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes fqdn,
			      struct grant **_grant)
{
	enum gba_err err;

	pthread_mutex_lock(&permissions->lock);
	err = grant_find(permissions->mapping, mem_ctx, impi, fqdn, clock_now(), _grant);
	pthread_mutex_unlock(&permissions->lock);
	return err;
}
