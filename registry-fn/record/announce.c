/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/record/announce.h"

#include "http/json.h"
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

/* What it is, and what others may ask by. */
static json_t *traits_of(const struct value *v)
{
	return json_pack("{s:s%, s:s%, s:s, s:s, s:s, s:o, s:o}", "make", v[DEVICE_MAKE].t.p, v[DEVICE_MAKE].t.n, "model",
			 v[DEVICE_MODEL].t.p, v[DEVICE_MODEL].t.n, "kind", reg_device_kind_words[v[DEVICE_KIND].n], "root_of_trust",
			 reg_root_words[v[DEVICE_ROOT].n], "power", reg_power_words[v[DEVICE_POWER].n], "communication",
			 json_split(v[DEVICE_COMMUNICATION].t, '\n'), "protocols", json_split(v[DEVICE_PROTOCOLS].t, '\n'));
}

static enum gba_err account_of(struct records *r, TALLOC_CTX *ctx, int64_t custodian, const char **_account)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, "SELECT account FROM custodian WHERE id = ?1", &stmt);

	*_account = "";
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, custodian);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_account = talloc_strndup(ctx, (const char *)db_col_text(stmt, 0).p, db_col_text(stmt, 0).n);
	db_reset(stmt);
	return err == GBA_OK && *_account == NULL ? GBA_E_NOMEM : err;
}

/* Nobody's: account "". */
static enum gba_err tell_owner(struct records *r, struct record_call *call, const struct record *device, int64_t custodian)
{
	const struct registry_handle *handle = registry_handle_of(r);
	const char *account;
	json_t *body;
	enum gba_err err;

	if (!handle->registry.conf->tell_custodians)
		return GBA_OK;
	err = account_of(r, call->mem_ctx, custodian, &account);
	if (err != GBA_OK)
		return err;
	body = json_pack("{s:s}", "account", account);
	err = body == NULL ? GBA_E_NOMEM
			   : event_append(handle->events, "custodian.owns", (const char *)device->v[DEVICE_REGDEVID].t.p, body,
					  call->now, NULL);
	json_decref(body);
	return err;
}

enum gba_err announce_device(struct records *r, struct record_call *call, const struct record *device, const char *kind)
{
	const struct registry_handle *handle = registry_handle_of(r);
	json_t *body = traits_of(device->v);
	enum gba_err err = body != NULL ? GBA_OK : GBA_E_NOMEM;

	if (err == GBA_OK && !handle->registry.conf->hide_identity)
		err = identities_put(r, device, body);
	if (err == GBA_OK)
		err = event_append(handle->events, kind, (const char *)device->v[DEVICE_REGDEVID].t.p, body, call->now, NULL);
	json_decref(body);
	if (err == GBA_OK && strcmp(kind, "device.registered") == 0 && device->v[DEVICE_CUSTODIAN].n != 0)
		err = tell_owner(r, call, device, device->v[DEVICE_CUSTODIAN].n);
	return err;
}

enum gba_err announce_change(struct records *r, struct record_call *call, const struct record *old, const struct record *now)
{
	static const int told[] = { DEVICE_MAKE, DEVICE_MODEL, DEVICE_KIND, DEVICE_ROOT, DEVICE_POWER, DEVICE_COMMUNICATION,
				    DEVICE_PROTOCOLS };
	const struct field *fields = registry_set.kinds[REG_DEVICE].fields;
	bool same = true;
	enum gba_err err = GBA_OK;
	size_t i;

	if (old == NULL || now == NULL || old->v[DEVICE_STATE].n != DEVICE_REGISTERED ||
	    now->v[DEVICE_STATE].n != DEVICE_REGISTERED)
		return GBA_OK; /* others do not know of it yet, or not any more */
	for (i = 0; same && i < sizeof(told) / sizeof(told[0]); i++) {
		const struct value *a = &old->v[told[i]], *b = &now->v[told[i]];

		same = fields[told[i]].type == FIELD_WORD ? a->n == b->n : bytes_eq(a->t, b->t);
	}
	if (!same)
		err = announce_device(r, call, now, "device.changed");
	if (err == GBA_OK && old->v[DEVICE_CUSTODIAN].n != now->v[DEVICE_CUSTODIAN].n)
		err = tell_owner(r, call, now, now->v[DEVICE_CUSTODIAN].n);
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
	if (err == GBA_OK && device->v[DEVICE_CUSTODIAN].n != 0)
		err = tell_owner(r, call, device, 0);
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
