/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/record/announce.h"

#include "registry-fn/trust/trust.h"

bool announce_is_told(const struct scheme *scheme)
{
	return !scheme->personal && (scheme->code != NULL || strcmp(scheme->word, "imeisv") == 0);
}

static bool identity_put(json_t *list, int64_t scheme, struct bytes value)
{
	json_t *one = json_pack("{s:s, s:s%}", "type", schemes[scheme].word, "value", (const char *)value.p, value.n);

	return one != NULL && json_array_append_new(list, one) == 0;
}

/* Both IMEIs of a device with two SIMs. */
static enum gba_err further_put(struct records *r, int64_t device, json_t *list)
{
	struct db_stmt *stmt;
	bool row = true;
	enum gba_err err;

	err = records_stmt(r, "SELECT scheme, value FROM device_identity WHERE device = ?1 AND personal = 0 ORDER BY id", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	while ((err = db_step(stmt, &row)) == GBA_OK && row) {
		if (announce_is_told(&schemes[db_col_int(stmt, 0)]) &&
		    !identity_put(list, db_col_int(stmt, 0), db_col_text(stmt, 1))) {
			err = GBA_E_NOMEM;
			break;
		}
	}
	db_reset(stmt);
	return err;
}

static enum gba_err identities_put(struct records *r, const struct record *device, json_t *body)
{
	json_t *list = json_array();
	enum gba_err err = GBA_E_NOMEM;

	if (list != NULL && identity_put(list, device->v[DEVICE_SCHEME].n, device->v[DEVICE_IDENTITY].t))
		err = further_put(r, device->id, list);
	return json_object_set_new(body, "identities", list) == 0 ? err : GBA_E_NOMEM;
}

enum gba_err announce_device(struct records *r, struct record_call *call, const struct record *device, const char *kind)
{
	const struct registry_handle *handle = registry_handle_of(r);
	json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "make", device->v[DEVICE_MAKE].t.p, "model", device->v[DEVICE_MODEL].t.p,
				 "kind", reg_device_kind_words[device->v[DEVICE_KIND].n], "root_of_trust",
				 reg_root_words[device->v[DEVICE_ROOT].n]);
	enum gba_err err = body != NULL ? GBA_OK : GBA_E_NOMEM;

	if (err == GBA_OK && !handle->registry.conf->hide_identity)
		err = identities_put(r, device, body);
	if (err == GBA_OK)
		err = event_append(handle->events, kind, (const char *)device->v[DEVICE_REGDEVID].t.p, body, call->now, NULL);
	json_decref(body);
	return err;
}

enum gba_err announce_removed(struct records *r, struct record_call *call, const struct record *device)
{
	json_t *body = json_object();
	enum gba_err err = GBA_E_NOMEM;

	if (body != NULL)
		err = event_append(registry_handle_of(r)->events, "device.removed",
				   (const char *)device->v[DEVICE_REGDEVID].t.p, body, call->now, NULL);
	json_decref(body);
	return err;
}

enum gba_err announce_identity(struct records *r, struct record_call *call, const struct record *identity)
{
	struct record *device = NULL;
	enum gba_err err;

	if (registry_handle_of(r)->registry.conf->hide_identity ||
	    !announce_is_told(&schemes[identity->v[DEVICE_IDENTITY_SCHEME].n]))
		return GBA_OK;
	err = record_load(r, call->mem_ctx, REG_DEVICE, identity->v[DEVICE_IDENTITY_DEVICE].n, &device);
	if (err == GBA_OK && device->v[DEVICE_STATE].n == DEVICE_REGISTERED) /* else it is told when it registers */
		err = announce_device(r, call, device, "device.changed");
	talloc_free(device);
	return err;
}
