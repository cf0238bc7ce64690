/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/device/device.h"
#include "registry-fn/id/regdevid.h"

static const struct actor system_actor = { REG_ROLE_SYSTEM, 0, "device" };

enum gba_err device_desk_open(TALLOC_CTX *mem_ctx, const struct registry *registry, struct device_desk **_desk,
			      const char **_why)
{
	const struct event_self self = { registry->conf->reg_id, (enum registry_type)registry->conf->reg_type,
					 registry->key };
	struct device_desk *desk = talloc_zero(mem_ctx, struct device_desk);
	enum gba_err err;

	*_why = gba_strerror(GBA_E_NOMEM);
	if (desk == NULL)
		return GBA_E_NOMEM;
	desk->registry = registry;
	err = registry_records(desk, registry, &desk->records, _why);
	if (err == GBA_OK) {
		*_why = "events";
		err = event_log_open(desk, records_db(desk->records), &self, &desk->events);
	}
	if (err == GBA_OK) {
		*_why = "log of transactions";
		err = entry_log_open(desk, records_db(desk->records), self.reg_id, registry->key, &desk->entries);
	}
	if (err != GBA_OK) {
		*_why = talloc_strdup(mem_ctx, *_why);
		talloc_free(desk);
		return err;
	}
	*_desk = desk;
	return GBA_OK;
}

void device_call_init(struct device_call *call, struct device_desk *desk, TALLOC_CTX *mem_ctx, const char *impi,
		      time_t now)
{
	*call = (struct device_call){ .desk = desk, .impi = impi };
	call->record = (struct record_call){ .actor = &system_actor, .now = now, .mem_ctx = mem_ctx };
}

enum gba_err device_group_begin(struct device_desk *desk)
{
	enum gba_err err = records_begin(desk->records);

	desk->together = err == GBA_OK;
	desk->lost = GBA_OK;
	return err;
}

enum gba_err device_group_end(struct device_desk *desk)
{
	desk->together = false;
	if (desk->lost == GBA_OK)
		return records_commit(desk->records);
	records_rollback(desk->records);
	return desk->lost;
}

enum gba_err device_begin(struct device_call *call)
{
	struct device_desk *desk = call->desk;

	if (!desk->together)
		return records_begin(desk->records);
	return desk->lost != GBA_OK ? desk->lost : records_part(desk->records);
}

enum gba_err device_end(struct device_call *call, enum gba_err err)
{
	struct device_desk *desk = call->desk;

	if (desk->together)
		return records_part_end(desk->records, err, &desk->lost);
	if (err == GBA_OK)
		return records_commit(desk->records);
	records_rollback(desk->records);
	return err;
}

void device_leave(struct device_call *call)
{
	if (call->desk->together)
		records_part_end(call->desk->records, GBA_OK, &call->desk->lost);
	else
		records_rollback(call->desk->records);
}

enum gba_err device_members(struct device_call *call, json_t *body, const char *const *names)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach(body, name, value)
	{
		for (i = 0; names[i] != NULL && strcmp(name, names[i]) != 0; i++)
			;
		if (names[i] == NULL)
			return record_refuse(&call->record, GBA_E_SYNTAX, NULL, "there is no such member here");
	}
	return GBA_OK;
}

enum gba_err device_text(struct device_call *call, json_t *body, const char *name, const char **_text)
{
	*_text = json_string_value(json_object_get(body, name));
	if (*_text == NULL || **_text == '\0')
		return record_refuse(&call->record, GBA_E_SYNTAX, name, "a text is needed");
	return GBA_OK;
}

enum gba_err device_number(struct device_call *call, json_t *body, const char *name, int64_t *_value)
{
	json_t *value = json_object_get(body, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return record_refuse(&call->record, GBA_E_SYNTAX, name, "a whole number is needed");
	*_value = json_integer_value(value);
	return GBA_OK;
}

enum gba_err device_own(struct device_call *call, json_t *body, struct record **_rec)
{
	struct records *r = call->desk->records;
	const char *text;
	struct bytes regdevid;
	struct record *rec = NULL;
	int64_t id = 0;
	enum gba_err err;

	err = device_text(call, body, "regdevid", &text);
	if (err != GBA_OK)
		return err;
	regdevid = regdevid_from_urn(bytes_of(text), call->desk->registry->conf->urn_namespace);
	err = reg_device_by_regdevid(r, regdevid, &id);
	if (err == GBA_OK && id != 0)
		err = record_load(r, call->record.mem_ctx, REG_DEVICE, id, &rec);
	if (err != GBA_OK)
		return err;
	if (rec == NULL || !bytes_eq_str(rec->v[DEVICE_IMPI].t, call->impi)) /* other people's are as good as none */
		return record_refuse(&call->record, GBA_E_NOT_FOUND, "regdevid", "not a RegDevID of this device");
	*_rec = rec;
	return GBA_OK;
}

enum gba_err device_take(struct device_call *call, struct record *rec, json_t *body, size_t *_count)
{
	static const int places[] = { DEVICE_KIND,          DEVICE_ROOT,  DEVICE_FIRMWARE, DEVICE_SOFTWARE,
				      DEVICE_COMMUNICATION, DEVICE_POWER, DEVICE_PROTOCOLS };
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < sizeof(places) / sizeof(places[0]); i++) {
		const struct field *field = &rec->kind->fields[places[i]];
		json_t *value = json_object_get(body, field->name);

		if (value == NULL)
			continue;
		err = value_take(&call->record, rec, field, value, &rec->v[places[i]]);
		(*_count)++;
	}
	return err;
}

enum gba_err device_note(struct device_call *call, const char *act, const struct record *rec, json_t *detail)
{
	const char *name = (const char *)rec->v[DEVICE_REGDEVID].t.p;
	const struct entry entry = { .act = act,
				     .by = talloc_asprintf(call->record.mem_ctx, "device:%s", name),
				     .subject = name,
				     .result = GBA_OK,
				     .detail = detail };
	enum gba_err err = GBA_E_NOMEM;

	if (entry.by != NULL && detail != NULL)
		err = entry_append(call->desk->entries, &entry, call->record.now, NULL);
	json_decref(detail);
	return err;
}
