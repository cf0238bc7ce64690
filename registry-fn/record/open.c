/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/log/event.h"
#include "registry-fn/record/rules.h"
#include "registry-fn/trust/trust.h"

/* What the hooks need besides: both logs over the same handle of the store. */
static enum gba_err handle_new(TALLOC_CTX *mem_ctx, const struct registry *registry, struct db *db,
			       struct registry_handle **_handle)
{
	const struct event_self self = { registry->conf->reg_id, (enum registry_type)registry->conf->reg_type,
					 registry->key };
	struct registry_handle *handle = talloc_zero(mem_ctx, struct registry_handle);
	enum gba_err err;

	if (handle == NULL)
		return GBA_E_NOMEM;
	handle->registry = *registry;
	err = entry_log_open(handle, db, registry->conf->reg_id, registry->key, &handle->entries);
	if (err == GBA_OK)
		err = event_log_open(handle, db, &self, &handle->events);
	if (err != GBA_OK)
		talloc_free(handle);
	else
		*_handle = handle;
	return err;
}

enum gba_err registry_records(TALLOC_CTX *mem_ctx, const struct registry *registry, struct records **_r, const char **_why)
{
	struct registry_handle *handle = NULL;
	struct db *db = NULL;
	enum gba_err err = registry_store(mem_ctx, registry->conf, &db, _why);

	if (err != GBA_OK)
		return err;
	*_why = "log of transactions or events";
	err = handle_new(db, registry, db, &handle);
	if (err == GBA_OK)
		err = records_open(mem_ctx, &registry_set, db, registry->kek, handle, _r, _why);
	if (err != GBA_OK)
		talloc_free(db);
	else
		talloc_steal(*_r, db);
	return err;
}

static enum gba_err id_of(struct db_stmt *stmt, int64_t *_id)
{
	enum gba_err err = records_int(stmt, _id);

	if (err == GBA_E_NOT_FOUND) {
		*_id = 0;
		return GBA_OK;
	}
	return err;
}

enum gba_err reg_device_by_regdevid(struct records *r, struct bytes regdevid, int64_t *_id)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(r, "SELECT id FROM device WHERE regdevid = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, regdevid);
	return id_of(stmt, _id);
}

enum gba_err reg_device_by_identity(struct records *r, const struct scheme *scheme, const char *identity, int64_t *_id)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(r, "SELECT id FROM device WHERE scheme = ?1 AND identity = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, scheme - schemes);
	db_bind_text(stmt, 2, bytes_of(identity));
	return id_of(stmt, _id);
}
