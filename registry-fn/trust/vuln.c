/* SPDX-License-Identifier: Apache-2.0 */
/* Vulnerabilities: what a report must have, who may move it where, until when, and which devices it is about (Y.3059
 * 9.3-ii, TEC 31188 3.1, 3.2.1). Matched when either side comes or changes. */
#include <stdio.h>

#include "registry-fn/trust/cvss.h"
#include "registry-fn/trust/mass.h"
#include "registry-fn/trust/version.h"
#include "registry-fn/trust/vuln_priv.h"

#define DAY 86400

static bool counts(int64_t state)
{
	return state >= VULNERABILITY_CONFIRMED && state <= VULNERABILITY_FIXED;
}

/* ---- matching ---- */

/* Ids, grown as needed; ends with 0. */
struct ids {
	int64_t *v;
	size_t n;
};

static enum gba_err ids_add(TALLOC_CTX *ctx, struct ids *ids, int64_t id)
{
	if (ids->n % 256 == 0)
		ids->v = talloc_realloc(ctx, ids->v, int64_t, ids->n + 257);
	if (ids->v == NULL)
		return GBA_E_NOMEM;
	ids->v[ids->n++] = id;
	ids->v[ids->n] = 0;
	return GBA_OK;
}

enum gba_err vuln_link(struct records *r, struct record_call *call, int64_t device, int64_t vulnerability, bool has,
		       bool *_changed)
{
	struct db_stmt *stmt;
	int changed = 0;
	enum gba_err err;

	err = records_stmt(r,
			   has ? "INSERT INTO vulnerable (device, vulnerability, since) VALUES (?1, ?2, ?3)"
				 " ON CONFLICT (device, vulnerability) DO NOTHING"
			       : "DELETE FROM vulnerable WHERE device = ?1 AND vulnerability = ?2",
			   &stmt);
	if (err != GBA_OK)
		return err;
	records_written(r);
	db_bind_int(stmt, 1, device);
	db_bind_int(stmt, 2, vulnerability);
	if (has)
		db_bind_int(stmt, 3, call->now);
	err = db_run(stmt, &changed);
	*_changed = changed > 0;
	return err;
}

/* Vulnerabilities of this make and model that its firmware has. */
static enum gba_err device_candidates(struct records *r, TALLOC_CTX *ctx, const struct record *device, struct ids *ids)
{
	struct db_stmt *stmt;
	enum gba_err err;
	bool row = true;

	err = records_stmt(r, "SELECT id, versions FROM vulnerability WHERE make = ?1 AND model IN (?2, '*')", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, device->v[DEVICE_MAKE].t);
	db_bind_text(stmt, 2, device->v[DEVICE_MODEL].t);
	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row) {
		if (version_in_any(device->v[DEVICE_FIRMWARE].t, db_col_text(stmt, 1)))
			err = ids_add(ctx, ids, db_col_int(stmt, 0));
	}
	db_reset(stmt);
	return err;
}

enum gba_err vuln_match_device(struct records *r, struct record_call *call, const struct record *device, bool fresh, size_t *_n)
{
	struct ids ids = { NULL, 0 };
	bool changed;
	enum gba_err err;
	size_t i;

	err = device_candidates(r, call->mem_ctx, device, &ids);
	if (err == GBA_OK && !fresh)
		err = records_run(r, "DELETE FROM vulnerable WHERE device = ?1", device->id);
	for (i = 0; err == GBA_OK && i < ids.n; i++)
		err = vuln_link(r, call, device->id, ids.v[i], true, &changed);
	talloc_free(ids.v);
	*_n = ids.n;
	return err;
}

static enum gba_err vuln_candidates(struct records *r, TALLOC_CTX *ctx, const struct record *vuln, struct ids *ids)
{
	bool all = bytes_eq_str(vuln->v[VULNERABILITY_MODEL].t, "*");
	struct db_stmt *stmt;
	enum gba_err err;
	bool row = true;

	err = records_stmt(r, all ? "SELECT id, firmware FROM device WHERE make = ?1" :
				    "SELECT id, firmware FROM device WHERE make = ?1 AND model = ?2", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, vuln->v[VULNERABILITY_MAKE].t);
	if (!all)
		db_bind_text(stmt, 2, vuln->v[VULNERABILITY_MODEL].t);
	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row) {
		if (version_in_any(db_col_text(stmt, 1), vuln->v[VULNERABILITY_VERSIONS].t))
			err = ids_add(ctx, ids, db_col_int(stmt, 0));
	}
	db_reset(stmt);
	return err;
}

static enum gba_err linked(struct records *r, TALLOC_CTX *ctx, int64_t vulnerability, struct ids *ids)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "SELECT device FROM vulnerable WHERE vulnerability = ?1", &stmt);
	bool row = true;

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, vulnerability);
	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row)
		err = ids_add(ctx, ids, db_col_int(stmt, 0));
	db_reset(stmt);
	return err;
}

enum gba_err vuln_count(struct records *r, int64_t vulnerability, int64_t n)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "UPDATE vulnerability SET devices = ?1 WHERE id = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, n);
	db_bind_int(stmt, 2, vulnerability);
	return db_run(stmt, NULL);
}

static bool ids_have(const struct ids *ids, int64_t id)
{
	size_t i;

	for (i = 0; i < ids->n; i++) {
		if (ids->v[i] == id)
			return true;
	}
	return false;
}

/* Those it was about may be rid of it, those it is about now have it: all are judged, each once. */
static enum gba_err match_few(struct records *r, struct record_call *call, const struct record *vuln)
{
	struct ids before = { NULL, 0 }, after = { NULL, 0 };
	bool changed;
	enum gba_err err;
	size_t i;

	err = linked(r, call->mem_ctx, vuln->id, &before);
	if (err == GBA_OK)
		err = vuln_candidates(r, call->mem_ctx, vuln, &after);
	if (err == GBA_OK)
		err = records_run(r, "DELETE FROM vulnerable WHERE vulnerability = ?1", vuln->id);
	for (i = 0; err == GBA_OK && i < after.n; i++)
		err = vuln_link(r, call, after.v[i], vuln->id, true, &changed);
	if (err == GBA_OK)
		err = vuln_count(r, vuln->id, (int64_t)after.n);
	for (i = 0; err == GBA_OK && i < before.n; i++) {
		if (!ids_have(&after, before.v[i]))
			err = trust_judge(r, call, before.v[i], false);
	}
	for (i = 0; err == GBA_OK && i < after.n; i++)
		err = trust_judge(r, call, after.v[i], false);
	talloc_free(before.v);
	talloc_free(after.v);
	return err;
}

static enum gba_err match(struct records *r, struct record_call *call, const struct record *vuln)
{
	bool later = false;
	enum gba_err err = mass_order(r, call, vuln, &later);

	return err == GBA_OK && !later ? match_few(r, call, vuln) : err;
}

enum gba_err vuln_facts(struct records *r, int64_t device, time_t now, struct trust_facts *facts)
{
	struct db_stmt *stmt;
	int64_t due;
	enum gba_err err;
	bool row = false;

	err = records_stmt(r, "SELECT count(*), coalesce(max(v.severity), 0),"
			      " coalesce(min(CASE WHEN v.due > 0 AND v.state < ?4 THEN v.due END), 0)"
			      " FROM vulnerable AS x JOIN vulnerability AS v ON v.id = x.vulnerability"
			      " WHERE x.device = ?1 AND v.state >= ?2 AND v.state <= ?3", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	db_bind_int(stmt, 2, VULNERABILITY_CONFIRMED);
	db_bind_int(stmt, 3, VULNERABILITY_FIXED);
	db_bind_int(stmt, 4, VULNERABILITY_FIXED);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		facts->fact[FACT_VULNERABILITIES] = db_col_int(stmt, 0);
		facts->fact[FACT_SEVERITY] = db_col_int(stmt, 1);
		due = db_col_int(stmt, 2);
		facts->fact[FACT_FIX_OVERDUE] = due > 0 && due < now ? (now - due) / DAY + 1 : 0;
	}
	db_reset(stmt);
	return err;
}

/* ---- the record ---- */

/* The score of a vector is computed; without a vector it is told. */
static enum gba_err score(struct record_call *call, const struct record *old, struct record *now)
{
	struct bytes vector = now->v[VULNERABILITY_CVSS].t;
	const char *why = "";
	int computed = 0;

	if (vector.p != NULL && cvss_read(vector, &computed, &why) != GBA_OK)
		return record_refuse(call, GBA_E_SYNTAX, "cvss", "%s", why);
	if (vector.p != NULL) {
		if (now->v[VULNERABILITY_SCORE].n != 0 && now->v[VULNERABILITY_SCORE].n != computed &&
		    (old == NULL || old->v[VULNERABILITY_SCORE].n != now->v[VULNERABILITY_SCORE].n))
			return record_refuse(call, GBA_E_RANGE, "score", "the vector's score is %d.%d", computed / 10,
					     computed % 10);
		now->v[VULNERABILITY_SCORE].n = computed;
	}
	now->v[VULNERABILITY_SEVERITY].n = cvss_severity((int)now->v[VULNERABILITY_SCORE].n);
	return GBA_OK;
}

/* TEC 31188 3.2.1-10: the maker of the make, when there is one. */
static enum gba_err maker_find(struct records *r, struct record *now)
{
	struct db_stmt *stmt;
	int64_t id = 0;
	enum gba_err err = records_stmt(r, "SELECT id FROM maker WHERE name = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, now->v[VULNERABILITY_MAKE].t);
	err = records_int(stmt, &id);
	now->v[VULNERABILITY_MAKER].n = id;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err received(struct records *r, struct record_call *call, struct record *now)
{
	int role = call->actor->role;

	now->v[VULNERABILITY_REPORTED].n = call->now;
	now->v[VULNERABILITY_STATE].n = VULNERABILITY_RECEIVED;
	if (role == REG_ROLE_MAKER || role == REG_ROLE_CUSTODIAN) {
		now->v[VULNERABILITY_REPORTER_ID].n = call->actor->id;
		now->v[VULNERABILITY_SOURCE].n = role == REG_ROLE_MAKER ? SOURCE_MAKER : SOURCE_CUSTODIAN;
		if (records_keep(now, bytes_of(call->actor->name), &now->v[VULNERABILITY_REPORTER].t) != GBA_OK)
			return GBA_E_NOMEM;
	}
	if (now->v[VULNERABILITY_REPORTER].t.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "reporter", "who reported it?");
	if (now->v[VULNERABILITY_SOURCE].n == SOURCE_PLATFORM && now->v[VULNERABILITY_DEVICE_TYPE].t.p == NULL)
		return record_refuse(call, GBA_E_SYNTAX, "device_type", "a platform's notice says what type of device it is");
	return maker_find(r, now);
}

/* Who may move it: the maker what was forwarded to it, agencies and administrators everything. */
static enum gba_err moved(struct record_call *call, const struct record *old, const struct record *now)
{
	int64_t from = old->v[VULNERABILITY_STATE].n, to = now->v[VULNERABILITY_STATE].n;

	if (from == to)
		return GBA_OK;
	if (from >= VULNERABILITY_CLOSED)
		return record_refuse(call, GBA_E_STATE, "state", "it is %s", reg_vulnerability_words[from]);
	if (call->actor->role == REG_ROLE_MAKER && (to < from || to > VULNERABILITY_FIXED))
		return record_refuse(call, GBA_E_DENIED, "state", "a maker acknowledges and fixes");
	if (to == VULNERABILITY_RECEIVED)
		return record_refuse(call, GBA_E_STATE, "state", "it has been confirmed");
	return GBA_OK;
}

static void set_due(const struct registry_conf *conf, const struct record_call *call, struct record *now)
{
	const uint32_t days[] = { conf->fix_days_low, conf->fix_days_low, conf->fix_days_medium, conf->fix_days_high,
				  conf->fix_days_critical };

	if (now->v[VULNERABILITY_DUE].n == 0 && counts(now->v[VULNERABILITY_STATE].n))
		now->v[VULNERABILITY_DUE].n = call->now + (int64_t)DAY * days[now->v[VULNERABILITY_SEVERITY].n];
	now->v[VULNERABILITY_OVERDUE].n = now->v[VULNERABILITY_DUE].n != 0 && now->v[VULNERABILITY_DUE].n < call->now &&
					  now->v[VULNERABILITY_STATE].n < VULNERABILITY_FIXED;
}

enum gba_err reg_vulnerability_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	enum gba_err err;

	if (now == NULL)
		return GBA_OK;
	err = score(call, old, now);
	if (err == GBA_OK)
		err = old == NULL ? received(r, call, now) : moved(call, old, now);
	if (err != GBA_OK)
		return err;
	if (now->v[VULNERABILITY_STATE].n == VULNERABILITY_CONFIRMED && now->v[VULNERABILITY_MAKER].n != 0)
		now->v[VULNERABILITY_STATE].n = VULNERABILITY_FORWARDED; /* its maker sees it from now on */
	set_due(registry_handle_of(r)->registry.conf, call, now);
	return GBA_OK;
}

/* For the other registries: nothing that only those who mend it may know. */
static enum gba_err announce(struct records *r, struct record_call *call, const struct record *now)
{
	const struct value *v = now->v;
	json_t *body =
		json_pack("{s:s, s:s, s:I, s:s}", "state", reg_vulnerability_words[v[VULNERABILITY_STATE].n],
			  "severity", cvss_severity_words[v[VULNERABILITY_SEVERITY].n], "score",
			  (json_int_t)v[VULNERABILITY_SCORE].n, "source", reg_source_words[v[VULNERABILITY_SOURCE].n]);
	static const struct {
		const char *name;
		int place;
	} texts[] = {
		{"cve",    VULNERABILITY_CVE  },
                { "make",  VULNERABILITY_MAKE },
                { "model", VULNERABILITY_MODEL}
	};
	char *subject;
	enum gba_err err = GBA_E_NOMEM;
	size_t i;

	for (i = 0; body != NULL && i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bytes text = v[texts[i].place].t;

		if (text.p != NULL)
			json_object_set_new(body, texts[i].name, json_stringn((const char *)text.p, text.n));
	}
	subject = talloc_asprintf(call->mem_ctx, "%.*s", BYTES_FMT(v[VULNERABILITY_REFERENCE].t));
	if (body != NULL && subject != NULL)
		err = event_append(registry_handle_of(r)->events, "vulnerability.set", subject, body, call->now, NULL);
	json_decref(body);
	return err;
}

/* What devices are judged by is as it was: a reply of the maker judges nobody. */
static bool same_for_devices(const struct record *old, const struct record *now)
{
	const struct value *a = old->v, *b = now->v;

	return bytes_eq(a[VULNERABILITY_VERSIONS].t, b[VULNERABILITY_VERSIONS].t) &&
	       a[VULNERABILITY_SEVERITY].n == b[VULNERABILITY_SEVERITY].n && a[VULNERABILITY_DUE].n == b[VULNERABILITY_DUE].n &&
	       a[VULNERABILITY_OVERDUE].n == b[VULNERABILITY_OVERDUE].n &&
	       counts(a[VULNERABILITY_STATE].n) == counts(b[VULNERABILITY_STATE].n) &&
	       (a[VULNERABILITY_STATE].n < VULNERABILITY_FIXED) == (b[VULNERABILITY_STATE].n < VULNERABILITY_FIXED);
}

enum gba_err reg_vulnerability_after(struct records *r, struct record_call *call, const struct record *old,
				     const struct record *now)
{
	enum gba_err err = GBA_OK;

	if (now == NULL)
		return GBA_OK;
	if (old == NULL || !same_for_devices(old, now))
		err = match(r, call, now);
	if (err == GBA_OK && now->v[VULNERABILITY_STATE].n >= VULNERABILITY_CONFIRMED)
		err = announce(r, call, now);
	return err;
}

/* Deadlines that have passed: said in the record, which judges its devices. */
enum gba_err vuln_sweep(struct records *r, TALLOC_CTX *mem_ctx, time_t now)
{
	const struct actor node = { REG_ROLE_SYSTEM, 0, "system" };
	struct record_call call = { .actor = &node, .now = now, .mem_ctx = mem_ctx };
	struct ids ids = { NULL, 0 };
	struct db_stmt *stmt;
	enum gba_err err;
	bool row = true;
	size_t i;

	err = records_stmt(r, "SELECT id FROM vulnerability WHERE overdue = 0 AND due > 0 AND due < ?1 AND state < ?2", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now);
	db_bind_int(stmt, 2, VULNERABILITY_FIXED);
	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row)
		err = ids_add(mem_ctx, &ids, db_col_int(stmt, 0));
	db_reset(stmt);
	for (i = 0; err == GBA_OK && i < ids.n; i++) {
		const struct record old = { .kind = &registry_set.kinds[REG_VULNERABILITY], .id = ids.v[i] };
		json_t *nothing = json_object();

		err = nothing != NULL ? records_set(r, &call, &old, nothing, NULL) : GBA_E_NOMEM;
		json_decref(nothing);
	}
	return err;
}
