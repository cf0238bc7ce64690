/* SPDX-License-Identifier: Apache-2.0 */
/* Report (Y.3059 7-iv-c, 9.3-ii-a, 9.3-iv): what the device says of itself, each time kept with its time. */
#include <stdlib.h>

#include "core/codec.h"
#include "crypto/hash.h"
#include "registry-fn/device/device.h"
#include "registry-fn/id/virtual.h"
#include "registry-fn/id/regdevid.h"

#define SWEEP_MAX   500
#define HISTORY_MAX 100

const char *const report_cause_words[] = { "initial", "periodic", "change", NULL };

char *device_canonical(TALLOC_CTX *mem_ctx, json_t *body)
{
	char *text = json_dumps(body, JSON_SORT_KEYS | JSON_COMPACT),
	     *copy = text != NULL ? talloc_strdup(mem_ctx, text) : NULL;

	free(text);
	return copy;
}

static void digest_of(const char *text, char out[HEX_LEN(HASH_MAX) + 1])
{
	struct bytes octets = bytes_of(text);
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &octets, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), out);
}

enum gba_err device_last_report(struct device_call *call, int64_t device, int64_t *_seq, struct bytes *_digest)
{
	struct db_stmt *stmt = NULL;
	bool row = false;
	enum gba_err err;

	*_seq = 0;
	err = records_stmt(call->desk->records,
			   "SELECT seq, digest FROM report WHERE device = ?1 ORDER BY seq DESC LIMIT 1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	err = db_step(stmt, &row);
	if (err != GBA_OK || !row)
		return err;
	*_seq = db_col_int(stmt, 0);
	if (_digest != NULL)
		err = records_keep(call->record.mem_ctx, db_col_text(stmt, 1), _digest);
	db_reset(stmt);
	return err;
}

enum gba_err device_keep_report(struct device_call *call, int64_t device, int64_t seq, enum report_cause cause,
				json_t *body, const char *changed)
{
	char *text = device_canonical(call->record.mem_ctx, body), digest[HEX_LEN(HASH_MAX) + 1];
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	if (text == NULL)
		return GBA_E_NOMEM;
	err = records_stmt(call->desk->records,
			   "INSERT INTO report (device, seq, at, cause, body, digest, changed)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			   &stmt);
	if (err != GBA_OK)
		return err;
	digest_of(text, digest);
	db_bind_int(stmt, 1, device);
	db_bind_int(stmt, 2, seq);
	db_bind_int(stmt, 3, call->record.now);
	db_bind_int(stmt, 4, cause);
	db_bind_text(stmt, 5, bytes_of(text));
	db_bind_text(stmt, 6, bytes_of(digest));
	db_bind_text(stmt, 7, bytes_of(changed));
	records_written(call->desk->records);
	return db_run(stmt, NULL);
}

static enum gba_err cause_of(struct device_call *call, json_t *body, enum report_cause *_cause)
{
	const char *word;
	enum gba_err err = device_text(call, body, "cause", &word);
	int i;

	for (i = 0; err == GBA_OK && i < REPORT_CAUSES; i++) {
		if (strcmp(word, report_cause_words[i]) == 0) {
			*_cause = (enum report_cause)i;
			return GBA_OK;
		}
	}
	return record_refuse(&call->record, GBA_E_SYNTAX, "cause", "initial, periodic or change");
}

/* What of the record differs, as JSON: member -> [before, after]. NULL: nothing. */
static const char *difference(TALLOC_CTX *ctx, const struct record *old, const struct record *now)
{
	json_t *before = record_json(old, REG_ROLE_SYSTEM), *after = record_json(now, REG_ROLE_SYSTEM),
	       *diff = json_object(), *value;
	char *text = NULL;
	const char *name;

	json_object_foreach(after, name, value)
	{
		if (!json_equal(value, json_object_get(before, name)))
			json_object_set_new(diff, name, json_pack("[O, O]", json_object_get(before, name), value));
	}
	if (json_object_size(diff) > 0)
		text = device_canonical(ctx, diff);
	json_decref(before);
	json_decref(after);
	json_decref(diff);
	return text;
}

static enum gba_err accept_report(struct device_call *call, json_t *body, int64_t seq, const struct record *old)
{
	struct record *rec = record_copy(call->record.mem_ctx, old);
	enum report_cause cause = REPORT_PERIODIC;
	const char *changed = NULL;
	size_t count = 0;
	enum gba_err err;

	if (rec == NULL)
		return GBA_E_NOMEM;
	err = cause_of(call, body, &cause);
	if (err == GBA_OK)
		err = device_take(call, rec, body, &count);
	if (err == GBA_OK && json_object_size(body) != count + 3)
		err = record_refuse(&call->record, GBA_E_SYNTAX, NULL, "Report has no such member");
	if (err != GBA_OK)
		return err;
	if (rec->v[DEVICE_ROOT].n == ROOT_NONE && old->v[DEVICE_ROOT].n != ROOT_NONE &&
	    call->desk->registry->conf->root_policy != ROOT_POLICY_GREY)
		return record_refuse(&call->record, GBA_E_NOT_AUTHORIZED, "root_of_trust",
				     "a root of trust does not go away");
	changed = difference(call->record.mem_ctx, old, rec);
	rec->v[DEVICE_REPORTED].n = call->record.now;
	rec->v[DEVICE_REPORT_DUE].n = call->record.now + call->desk->registry->conf->report_interval;
	rec->v[DEVICE_OVERDUE].n = 0;
	err = device_keep_report(call, rec->id, seq, cause, body, changed);
	if (err == GBA_OK)
		err = record_set_by_rules(call->desk->records, &call->record, old, rec, "report");
	if (err == GBA_OK)
		err = device_note(call, "device.report", rec,
				  json_pack("{s:I, s:s}", "seq", (json_int_t)seq, "cause", report_cause_words[cause]));
	call->fresh = true;
	return err;
}

static enum gba_err report(struct device_call *call, json_t *body)
{
	char digest[HEX_LEN(HASH_MAX) + 1];
	struct bytes last_digest = BYTES_NONE;
	struct record *old = NULL;
	int64_t seq = 0, last = 0;
	size_t waiting = 0;
	const char *text;
	enum gba_err err;

	err = device_number(call, body, "seq", &seq);
	if (err == GBA_OK)
		err = device_own(call, body, &old);
	if (err == GBA_OK && old->v[DEVICE_STATE].n != DEVICE_REGISTERED)
		err = record_refuse(&call->record, GBA_E_STATE, NULL, "not registered: Register and Set go before");
	if (err == GBA_OK)
		err = device_last_report(call, old->id, &last, &last_digest);
	if (err != GBA_OK)
		return err;
	if (seq < last)
		return record_refuse(&call->record, GBA_E_REPLAY, "seq", "older than report %lld", (long long)last);
	if (seq > last + 1)
		return record_refuse(&call->record, GBA_E_RANGE, "seq", "the next report is %lld", (long long)last + 1);
	text = device_canonical(call->record.mem_ctx, body);
	if (text == NULL)
		return GBA_E_NOMEM;
	digest_of(text, digest);
	if (seq == last && !bytes_eq_str(last_digest, digest))
		return record_refuse(&call->record, GBA_E_EXISTS, "seq", "another report had this number");
	if (seq > last)
		err = accept_report(call, body, seq, old);
	if (err == GBA_OK)
		call->answer = json_pack("{s:I, s:I}", "seq", (json_int_t)seq, "report_every",
					 (json_int_t)call->desk->registry->conf->report_interval);
	if (err == GBA_OK)
		err = device_asked(call, old->id, &waiting);
	if (waiting > 0)
		json_object_set_new(call->answer, "challenges", json_integer((json_int_t)waiting));
	return err == GBA_OK && call->answer == NULL ? GBA_E_NOMEM : err;
}

enum gba_err device_report(struct device_call *call, json_t *body)
{
	enum gba_err err = device_begin(call);

	return err == GBA_OK ? device_end(call, report(call, body)) : err;
}

static enum gba_err reports_json(struct device_call *call, int64_t device, json_t *list)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = false;

	err = records_stmt(call->desk->records,
			   "SELECT seq, at, cause, body FROM report WHERE device = ?1 ORDER BY seq DESC LIMIT ?2",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	db_bind_int(stmt, 2, HISTORY_MAX);
	while ((err = db_step(stmt, &row)) == GBA_OK && row) {
		struct bytes body = db_col_text(stmt, 3);

		json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:o}", "seq", (json_int_t)db_col_int(stmt, 0),
						      "at", (json_int_t)db_col_int(stmt, 1), "cause",
						      report_cause_words[db_col_int(stmt, 2)], "body",
						      json_loadb((const char *)body.p, body.n, 0, NULL)));
	}
	return err;
}

enum gba_err device_show(struct device_call *call, struct bytes regdevid)
{
	json_t *body = json_pack("{s:s%}", "regdevid", (const char *)regdevid.p, regdevid.n), *list;
	struct record *rec = NULL;
	enum gba_err err = body != NULL ? device_begin(call) : GBA_E_SYNTAX;

	if (err != GBA_OK) {
		json_decref(body);
		return err == GBA_E_SYNTAX ? record_refuse(&call->record, err, "regdevid", "a RegDevID is needed")
					   : err;
	}
	err = device_own(call, body, &rec);
	if (err == GBA_OK) {
		list = json_array();
		call->answer = record_json(rec, REG_ROLE_DEVICE);
		err = call->answer != NULL && list != NULL ? reports_json(call, rec->id, list) : GBA_E_NOMEM;
		json_object_set_new(call->answer, "reports", list);
	}
	device_leave(call);
	json_decref(body);
	return err;
}

static enum gba_err late_ids(struct device_desk *desk, time_t before, int64_t *ids, size_t *_n)
{
	struct db_stmt *stmt = NULL;
	bool row = false;
	enum gba_err err;

	*_n = 0;
	err = records_stmt(desk->records,
			   "SELECT id FROM device WHERE report_due > 0 AND report_due < ?1 AND overdue = 0 LIMIT ?2",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, before);
	db_bind_int(stmt, 2, SWEEP_MAX);
	while ((err = db_step(stmt, &row)) == GBA_OK && row)
		ids[(*_n)++] = db_col_int(stmt, 0);
	return err;
}

static enum gba_err flag(struct device_call *call, int64_t id)
{
	struct record *old = NULL, *rec;
	enum gba_err err = record_load(call->desk->records, call->record.mem_ctx, REG_DEVICE, id, &old);

	if (err != GBA_OK)
		return err;
	rec = record_copy(call->record.mem_ctx, old);
	if (rec == NULL)
		return GBA_E_NOMEM;
	rec->v[DEVICE_OVERDUE].n = 1;
	err = record_set_by_rules(call->desk->records, &call->record, old, rec, "overdue");
	return err == GBA_OK ? device_note(call, "device.overdue", rec,
					   json_pack("{s:I}", "due", (json_int_t)rec->v[DEVICE_REPORT_DUE].n))
			     : err;
}

/* What stood for a device, once its time is over. */
static enum gba_err virtual_sweep(struct device_desk *desk, time_t now)
{
	bool some;
	enum gba_err err = virtual_expired(desk->records, now, &some);

	if (err != GBA_OK || !some)
		return err;
	err = records_begin(desk->records);
	if (err != GBA_OK)
		return err;
	err = virtual_forget(desk->records, now);
	if (err == GBA_OK)
		return records_commit(desk->records);
	records_rollback(desk->records);
	return err;
}

enum gba_err device_sweep(struct device_desk *desk, TALLOC_CTX *mem_ctx, time_t now, size_t *_flagged)
{
	int64_t ids[SWEEP_MAX];
	struct device_call call;
	enum gba_err err;
	size_t i, n = 0;

	*_flagged = 0;
	err = virtual_sweep(desk, now);
	if (err != GBA_OK)
		return err;
	device_call_init(&call, desk, mem_ctx, "", now);
	err = late_ids(desk, now - desk->registry->conf->report_grace, ids, &n);
	if (err != GBA_OK || n == 0)
		return err;
	err = records_begin(desk->records);
	if (err != GBA_OK)
		return err;
	for (i = 0; err == GBA_OK && i < n; i++)
		err = flag(&call, ids[i]);
	if (err != GBA_OK) {
		records_rollback(desk->records);
		return err;
	}
	*_flagged = n;
	return records_commit(desk->records);
}
