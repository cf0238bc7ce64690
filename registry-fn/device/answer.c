/* SPDX-License-Identifier: Apache-2.0 */
/* A device is asked itself, through its registry (Y.3059 7, 9.1-iv): what waits for it, and its answer. That it is the device is
 * shown by the session the answer comes in: keyed from its token, and the challenge has been given in such a session only. */
#include <stdlib.h>

#include "core/codec.h"
#include "registry-fn/device/device.h"
#include "registry-fn/live/live.h"

static enum gba_err asked_device(struct device_call *call, json_t *body, struct record **_rec)
{
	enum gba_err err = device_own(call, body, _rec);

	if (err == GBA_OK && (*_rec)->v[DEVICE_STATE].n != DEVICE_REGISTERED)
		return record_refuse(&call->record, GBA_E_STATE, NULL, "not registered: Register and Set go before");
	return err;
}

enum gba_err device_asked(struct device_call *call, int64_t device, size_t *_n)
{
	struct live list[LIVE_OPEN_MAX];

	return live_waiting(call->desk->records, call->record.mem_ctx, device, call->record.now, list, _n);
}

/* The key an enquirer is approved with; "": it has none, or is not approved any more. */
static struct bytes enquirer_key(struct device_call *call, const char *by)
{
	struct records *r = call->desk->records;
	struct bytes key = BYTES("", 0);
	struct db_stmt *stmt;
	bool row = false;

	if (strncmp(by, "enquirer:", strlen("enquirer:")) != 0 ||
	    records_stmt(r, "SELECT public_key FROM enquirer WHERE id = ?1 AND state = ?2", &stmt) != GBA_OK)
		return key;
	db_bind_int(stmt, 1, strtoll(by + strlen("enquirer:"), NULL, 10));
	db_bind_int(stmt, 2, ENQUIRER_APPROVED);
	if (db_step(stmt, &row) == GBA_OK && row && db_col_text(stmt, 0).p != NULL)
		(void)records_keep(call->record.mem_ctx, db_col_text(stmt, 0), &key);
	db_reset(stmt);
	return key;
}

static json_t *waiting_json(struct device_call *call, const struct live *live)
{
	json_t *one = json_pack("{s:s, s:s, s:s, s:I}", "challenge", live->challenge, "nonce", live->nonce, "subject",
				live->subject, "expires", (json_int_t)live->expires);
	struct bytes key;

	if (live->demand != NULL)
		json_object_set_new(one, "demand", json_string(live->demand));
	if (live->proof != NULL) {
		key = enquirer_key(call, live->by);
		json_object_set_new(one, "public_key", json_stringn((const char *)key.p, key.n));
		json_object_set_new(one, "signature", json_string(live->proof));
	}
	return one;
}

static enum gba_err challenges_json(struct device_call *call, int64_t device)
{
	struct live list[LIVE_OPEN_MAX];
	json_t *array;
	size_t n = 0, i;
	enum gba_err err = live_waiting(call->desk->records, call->record.mem_ctx, device, call->record.now, list, &n);

	if (err != GBA_OK)
		return err;
	array = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(array, waiting_json(call, &list[i]));
	call->answer = json_pack("{s:o}", "challenges", array);
	return call->answer != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err device_challenges(struct device_call *call, const char *regdevid)
{
	json_t *body = json_pack("{s:s}", "regdevid", regdevid);
	struct record *rec = NULL;
	enum gba_err err;

	if (body == NULL)
		return record_refuse(&call->record, GBA_E_SYNTAX, "regdevid", "a RegDevID is needed");
	err = device_begin(call);
	if (err == GBA_OK) {
		err = asked_device(call, body, &rec);
		if (err == GBA_OK)
			err = challenges_json(call, rec->id);
		device_leave(call);
	}
	json_decref(body);
	return err;
}

/* Names of what the device says otherwise than it has reported. */
static json_t *differing(const struct record *known, const struct record *said)
{
	json_t *before = record_json(known, REG_ROLE_SYSTEM), *now = record_json(said, REG_ROLE_SYSTEM), *names = json_array(),
	       *value;
	const char *name;

	json_object_foreach(now, name, value)
	{
		if (!json_equal(value, json_object_get(before, name)))
			json_array_append_new(names, json_string(name));
	}
	json_decref(before);
	json_decref(now);
	return names;
}

/* The members but those that say whose answer to what it is; checked as those of a Report are. */
static enum gba_err answer_text(struct device_call *call, json_t *body, const struct record *known, char **_text)
{
	struct record *said = record_copy(call->record.mem_ctx, known);
	json_t *parameters, *answer;
	size_t count = 0;
	enum gba_err err;

	if (said == NULL)
		return GBA_E_NOMEM;
	err = device_take(call, said, body, &count);
	if (err == GBA_OK && json_object_size(body) != count + 2)
		err = record_refuse(&call->record, GBA_E_SYNTAX, NULL, "an answer has no such member");
	if (err == GBA_OK && count == 0)
		err = record_refuse(&call->record, GBA_E_SYNTAX, NULL, "an answer says something");
	if (err != GBA_OK)
		return err;
	parameters = json_copy(body);
	json_object_del(parameters, "regdevid");
	json_object_del(parameters, "challenge");
	answer = json_pack("{s:o, s:o}", "parameters", parameters, "differs", differing(known, said));
	*_text = answer != NULL ? device_canonical(call->record.mem_ctx, answer) : NULL;
	json_decref(answer);
	return *_text != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err answer_refuse(struct device_call *call, enum gba_err err)
{
	switch (err) {
	case GBA_E_REPLAY: return record_refuse(&call->record, err, "challenge", "answered already");
	case GBA_E_STATE: return record_refuse(&call->record, err, "challenge", "its time is over");
	case GBA_E_NOT_FOUND: return record_refuse(&call->record, err, "challenge", "no challenge to this device");
	default: return err;
	}
}

static enum gba_err take_answer(struct device_call *call, json_t *body)
{
	struct record *known = NULL;
	const char *challenge;
	char *text = NULL;
	enum gba_err err = device_text(call, body, "challenge", &challenge);

	if (err == GBA_OK)
		err = asked_device(call, body, &known);
	if (err == GBA_OK)
		err = answer_text(call, body, known, &text);
	if (err != GBA_OK)
		return err;
	err = live_answer(call->desk->records, known->id, challenge, text, call->record.now);
	if (err != GBA_OK)
		return answer_refuse(call, err);
	call->fresh = true;
	call->answer = json_pack("{s:s}", "state", live_state_words[LIVE_ANSWERED]);
	if (call->answer == NULL)
		return GBA_E_NOMEM;
	return device_note(call, "device.answer", known, json_pack("{s:s}", "challenge", challenge));
}

/* 9.3-iii: before it answers, the device may want to know that it is the enquirer who asks, now. */
static enum gba_err take_demand(struct device_call *call, json_t *body)
{
	const char *challenge, *demand;
	struct record *rec = NULL;
	uint8_t octets[LIVE_CHALLENGE_LEN];
	enum gba_err err = device_text(call, body, "challenge", &challenge);

	if (err == GBA_OK)
		err = device_text(call, body, "demand", &demand);
	if (err == GBA_OK && hex_decode(bytes_of(demand), octets, sizeof(octets)) != GBA_OK)
		err = record_refuse(&call->record, GBA_E_SYNTAX, "demand", "%d octets in hex", LIVE_CHALLENGE_LEN);
	if (err == GBA_OK && json_object_size(body) != 3)
		err = record_refuse(&call->record, GBA_E_SYNTAX, NULL, "no such member");
	if (err == GBA_OK)
		err = asked_device(call, body, &rec);
	if (err != GBA_OK)
		return err;
	err = live_demand(call->desk->records, rec->id, challenge, demand, call->record.now);
	if (err != GBA_OK)
		return answer_refuse(call, err);
	call->fresh = true;
	call->answer = json_pack("{s:s}", "state", live_state_words[LIVE_CHALLENGED]);
	if (call->answer == NULL)
		return GBA_E_NOMEM;
	return device_note(call, "device.challenge", rec, json_pack("{s:s, s:s}", "challenge", challenge, "demand", demand));
}

enum gba_err device_challenge(struct device_call *call, json_t *body)
{
	enum gba_err err = device_begin(call);

	return err == GBA_OK ? device_end(call, take_demand(call, body)) : err;
}

enum gba_err device_answer(struct device_call *call, json_t *body)
{
	enum gba_err err = device_begin(call);

	return err == GBA_OK ? device_end(call, take_answer(call, body)) : err;
}
