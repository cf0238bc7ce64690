/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a device itself (Y.3059 7, 9.1-iv). A device that is off, or is none, lets the time pass: the enquirer sees the same. */
#include "registry-fn/live/live.h"

#include "core/codec.h"
#include "http/json.h"
#include "registry-fn/ask/ask.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/id/virtual.h"

/* Who is meant; 0: nobody who could answer. */
static enum gba_err device_of(struct rest_call *call, bool stands_in, const char *value, int64_t *_device)
{
	struct bytes text = regdevid_from_urn(bytes_of(value), ask_registry(call)->conf->urn_namespace);
	struct record *rec = NULL;
	enum gba_err err;

	*_device = 0;
	if (stands_in)
		err = virtual_resolve(call->r, text, call->actor->name, call->rc.now, _device);
	else
		err = reg_device_by_regdevid(call->r, text, _device);
	if (err == GBA_OK && *_device != 0)
		err = record_load(call->r, call, REG_DEVICE, *_device, &rec);
	if (err == GBA_OK && rec != NULL && rec->v[DEVICE_STATE].n == DEVICE_REGISTERED)
		return GBA_OK;
	*_device = 0;
	return err == GBA_E_NOT_FOUND || err == GBA_E_SYNTAX || err == GBA_E_RANGE || err == GBA_E_TOO_LONG ? GBA_OK : err;
}

static enum gba_err interrogate(struct rest_call *call, json_t *body, struct live *live)
{
	const char *by = json_string_value(json_object_get(body, "by"));
	bool stands_in = by != NULL && strcmp(by, "virtual") == 0;
	struct entry entry = { .act = "ask.device", .by = call->actor->name };
	json_t *detail;
	enum gba_err err;

	if (!ask_has_right(call, RIGHT_DEVICE) || (stands_in && !ask_has_right(call, RIGHT_VIRTUAL)))
		return record_refuse(&call->rc, GBA_E_DENIED, NULL, "not among your rights");
	*live = (struct live){ .by = call->actor->name, .subject = json_string_value(json_object_get(body, "value")),
			       .nonce = json_string_value(json_object_get(body, "nonce")), .asked = call->rc.now,
			       .expires = call->rc.now + ask_registry(call)->conf->interrogation_life };
	err = device_of(call, stands_in, live->subject, &live->device);
	if (err == GBA_OK)
		err = live_ask(call->r, call, live);
	if (err == GBA_E_BUSY)
		return record_refuse(&call->rc, GBA_E_STATE, NULL, "%d questions of yours wait already", LIVE_OPEN_MAX);
	if (err == GBA_E_EXISTS)
		return record_refuse(&call->rc, err, "nonce", "used before");
	if (err != GBA_OK)
		return err;
	detail = json_pack("{s:s}", "interrogation", live->ref);
	entry.detail = detail;
	err = detail != NULL ? entry_append(registry_handle_of(call->r)->entries, &entry, call->rc.now, NULL) : GBA_E_NOMEM;
	json_decref(detail);
	return err;
}

void ask_device(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call);
	struct live live;
	enum gba_err err;

	if (body == NULL)
		return;
	err = records_begin(call->r);
	if (err == GBA_OK)
		err = ask_finish(call, interrogate(call, body, &live));
	if (err == GBA_OK)
		rest_json(call, 201,
			  json_pack("{s:s, s:s, s:I}", "id", live.ref, "state", live_state_words[live.state], "expires",
				    (json_int_t)live.expires));
	else
		rest_fail(call, err);
	json_decref(body);
}

/* The key an enquirer has registered. @retval GBA_E_STATE  none */
static enum gba_err own_key(struct rest_call *call, uint8_t key[SIGN_PUBLIC_LEN])
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(call->r, "SELECT coalesce(public_key, '') FROM enquirer WHERE id = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, call->actor->id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && (!row || hex_decode(db_col_text(stmt, 0), key, SIGN_PUBLIC_LEN) != GBA_OK))
		err = record_refuse(&call->rc, GBA_E_STATE, NULL, "an enquirer without a key cannot be proved");
	db_reset(stmt);
	return err;
}

/* What the device has put, signed with the enquirer's key? */
static enum gba_err proof_good(struct rest_call *call, const struct live *live, const char *signature_hex)
{
	uint8_t key[SIGN_PUBLIC_LEN], signature[SIGN_LEN];
	enum gba_err err = own_key(call, key);
	char *said;

	if (err != GBA_OK)
		return err;
	said = talloc_asprintf(call, LIVE_PROOF_SAID " %s %s %s", live->subject, live->nonce, live->demand);
	if (said == NULL)
		return GBA_E_NOMEM;
	if (hex_decode(bytes_of(signature_hex), signature, sizeof(signature)) != GBA_OK ||
	    sign_verify(key, bytes_of(said), signature) != GBA_OK)
		return record_refuse(&call->rc, GBA_E_DENIED, NULL, "not this device's challenge, signed with your key");
	return GBA_OK;
}

static enum gba_err prove(struct rest_call *call, const char *ref, const char *signature_hex)
{
	struct entry entry = { .act = "ask.device.proof", .by = call->actor->name };
	struct live live;
	json_t *detail;
	enum gba_err err;

	if (!ask_has_right(call, RIGHT_DEVICE))
		return record_refuse(&call->rc, GBA_E_DENIED, NULL, "not among your rights");
	err = live_read(call->r, call, ref, call->actor->name, call->rc.now, &live);
	if (err == GBA_OK && live.state != LIVE_CHALLENGED)
		err = record_refuse(&call->rc, GBA_E_STATE, NULL, "it is %s", live_state_words[live.state]);
	if (err == GBA_OK)
		err = proof_good(call, &live, signature_hex);
	if (err == GBA_OK)
		err = live_prove(call->r, ref, call->actor->name, signature_hex, call->rc.now);
	if (err != GBA_OK)
		return err;
	detail = json_pack("{s:s, s:s}", "interrogation", ref, "demand", live.demand);
	entry.detail = detail;
	err = detail != NULL ? entry_append(registry_handle_of(call->r)->entries, &entry, call->rc.now, NULL) : GBA_E_NOMEM;
	json_decref(detail);
	return err;
}

void ask_device_proof(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call);
	enum gba_err err;

	if (body == NULL)
		return;
	err = records_begin(call->r);
	if (err == GBA_OK)
		err = ask_finish(call, prove(call, route->param[0], json_string_value(json_object_get(body, "signature"))));
	if (err == GBA_OK)
		rest_json(call, 200, json_pack("{s:s, s:s}", "id", route->param[0], "state", live_state_words[LIVE_WAITING]));
	else
		rest_fail(call, err);
	json_decref(body);
}

/* "proof": the device answered in a session keyed from its token; nothing in it is signed by the device. */
static json_t *payload_of(const struct live *live)
{
	json_t *payload = json_pack("{s:s, s:s, s:s, s:s, s:I}", "interrogation", live->ref, "subject", live->subject, "nonce",
				    live->nonce, "state", live_state_words[live->state], "asked", (json_int_t)live->asked);
	json_t *answer = NULL;

	if (payload == NULL || live->state != LIVE_ANSWERED)
		return payload;
	if (json_read(bytes_of(live->answer), &answer, NULL) != GBA_OK || json_object_update(payload, answer) != 0 ||
	    json_object_set_new(payload, "challenge", json_string(live->challenge)) != 0 ||
	    json_object_set_new(payload, "answered", json_integer(live->answered)) != 0 ||
	    json_object_set_new(payload, "proof", json_string("rpd-session")) != 0 ||
	    (live->proof != NULL &&
	     json_object_set_new(payload, "enquirer_proved",
				 json_pack("{s:s, s:s}", "demand", live->demand, "signature", live->proof)) != 0)) {
		json_decref(payload);
		payload = NULL;
	}
	json_decref(answer);
	return payload;
}

void ask_device_answer(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct live live = { .state = LIVE_WAITING };
	enum gba_err err = records_begin(call->r);

	if (err == GBA_OK) {
		if (!ask_has_right(call, RIGHT_DEVICE))
			err = record_refuse(&call->rc, GBA_E_DENIED, NULL, "not among your rights");
		else
			err = live_read(call->r, call, route->param[0], call->actor->name, call->rc.now, &live);
		if (err == GBA_OK && (live.state == LIVE_ANSWERED || live.state == LIVE_EXPIRED)) {
			ask_answer(call, "ask.device.answer", GBA_OK, payload_of(&live));
			return;
		}
		records_rollback(call->r);
	}
	if (err == GBA_OK && live.state == LIVE_CHALLENGED)
		rest_json(call, 200,
			  json_pack("{s:s, s:s, s:I, s:s}", "id", live.ref, "state", live_state_words[live.state], "expires",
				    (json_int_t)live.expires, "demand", live.demand));
	else if (err == GBA_OK)
		rest_json(call, 200,
			  json_pack("{s:s, s:s, s:I}", "id", live.ref, "state", live_state_words[live.state], "expires",
				    (json_int_t)live.expires));
	else
		rest_fail(call, err);
}
