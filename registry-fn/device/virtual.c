/* SPDX-License-Identifier: Apache-2.0 */
/* A device asks for a stand-in (Y.3059 9.2-i-f). */
#include "ident/idrule.h"
#include "registry-fn/device/device.h"
#include "registry-fn/id/virtual.h"

/* Those who may resolve one at all, as the API calls them: what is made out to a name of another form would be nobody's. */
static bool is_caller(struct bytes audience)
{
	static const enum reg_role who[] = { REG_ROLE_ENQUIRER, REG_ROLE_AGENCY, REG_ROLE_ADMIN };
	struct bytes role, name;
	size_t i;

	if (!bytes_split(audience, ':', &role, &name) || name.n == 0)
		return false;
	for (i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		if (bytes_eq_str(role, reg_roles[who[i]]))
			return true;
	}
	return false;
}

static enum gba_err ask_of(struct device_call *call, json_t *body, struct virtual_ask *ask)
{
	const json_t *audience;
	const char *kind, *why = "";
	enum gba_err err = device_text(call, body, "kind", &kind);

	if (err != GBA_OK)
		return err;
	if (strcmp(kind, "timed") != 0 && strcmp(kind, "single") != 0)
		return record_refuse(&call->record, GBA_E_SYNTAX, "kind", "timed or single");
	ask->single = strcmp(kind, "single") == 0;
	audience = json_object_get(body, "audience");
	if (audience != NULL && !json_is_string(audience)) /* what is meant for one must not become everybody's */
		return record_refuse(&call->record, GBA_E_SYNTAX, "audience", "a text is needed");
	ask->audience = audience != NULL ? json_string_value(audience) : "";
	if (ask->audience[0] != '\0' && id_text(bytes_of(ask->audience), &why) != GBA_OK)
		return record_refuse(&call->record, GBA_E_RANGE, "audience", "%s", why);
	if (ask->audience[0] != '\0' && !is_caller(bytes_of(ask->audience)))
		return record_refuse(&call->record, GBA_E_RANGE, "audience", "a caller of the API, such as enquirer:5");
	err = device_number(call, body, "seconds", &ask->seconds);
	if (err == GBA_OK && (ask->seconds == 0 || ask->seconds > VIRTUAL_SECONDS_MAX))
		err = record_refuse(&call->record, GBA_E_RANGE, "seconds", "1 to %d", VIRTUAL_SECONDS_MAX);
	return err;
}

static enum gba_err issue(struct device_call *call, json_t *body)
{
	struct virtual_ask ask = { 0 };
	char text[REGDEVID_MAX + 1];
	struct record *rec = NULL;
	enum gba_err err;

	err = ask_of(call, body, &ask);
	if (err == GBA_OK)
		err = device_own(call, body, &rec);
	if (err == GBA_OK && rec->v[DEVICE_STATE].n != DEVICE_REGISTERED)
		err = record_refuse(&call->record, GBA_E_STATE, NULL, "not registered: Register and Set go before");
	if (err != GBA_OK)
		return err;
	ask.device = rec->id;
	err = virtual_issue(call->desk->records, &ask, call->desk->registry->conf->reg_id, call->record.now, text);
	if (err == GBA_E_TOO_LONG)
		return record_refuse(&call->record, err, "audience", "at most %d octets", VIRTUAL_AUDIENCE_MAX);
	if (err == GBA_OK)
		err = device_note(call, "device.virtual", rec,
				  json_pack("{s:s}", "kind", ask.single ? "single" : "timed"));
	if (err != GBA_OK)
		return err;
	call->fresh = true;
	call->answer =
		json_pack("{s:s, s:I}", "regdevid", text, "expires", (json_int_t)(call->record.now + ask.seconds));
	return call->answer != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err device_virtual(struct device_call *call, json_t *body)
{
	static const char *const members[] = { "regdevid", "kind", "seconds", "audience", NULL };
	enum gba_err err = device_members(call, body, members);

	if (err == GBA_OK)
		err = device_begin(call);
	return err == GBA_OK ? device_end(call, issue(call, body)) : err;
}
