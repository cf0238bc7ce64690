/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk import: one JSON object per line, each held against the same table as a single write; every bad row is reported.
 * All or nothing is one transaction, and short, since the AuC waits for the same lock; row by row commits as it goes.
 */
#include <stdio.h>

#include "core/clock.h"
#include "rest/rest_priv.h"
#include "http/json.h"

#define BATCH        4000  /* rows of one transaction, row by row */
#define BATCH_MS     200   /* and not longer: less than who waits for a vector has patience */
#define BAD_ROWS_MAX 10000 /* then the rest is not looked at */

enum existing { EXISTING_REJECT, EXISTING_KEEP, EXISTING_UPDATE, EXISTING_BAD };

struct import {
	struct rest_call *call;
	const struct rest_schema *schema;
	bool atomic;
	enum existing existing;
	json_t *bad; /* reports of rejected rows */
	int64_t rows, added, updated, kept;
	size_t in_batch;
	uint64_t batch_at; /* [ms, monotonic] its beginning */
};

/* All members of a row's problem, with its number. */
static void reject(struct import *im, const struct problem *p)
{
	json_t *report = p != NULL ? problem_json(p, NULL) : json_object();

	json_object_set_new(report, "row", json_integer(im->rows));
	json_array_append_new(im->bad, report);
}

static void reject_err(struct import *im, enum gba_err err)
{
	struct record_call *rc = &im->call->rc;
	struct problem *p =
		problem_new(im->call, err == GBA_E_EXISTS || err == GBA_E_STATE ? PROBLEM_CONFLICT : PROBLEM_FIELDS);
	char pointer[64] = "";

	if (rc->field[0] != '\0')
		json_pointer_add(pointer, sizeof(pointer), rc->field);
	problem_field(p, pointer, "%s", rc->why[0] != '\0' ? rc->why : gba_strerror(err));
	reject(im, p);
	talloc_free(p);
}

/* Rows at fault by themselves; after anything else the transaction is gone. */
static bool is_row_fault(enum gba_err err)
{
	switch (err) {
	case GBA_E_NOT_FOUND:
	case GBA_E_EXISTS:
	case GBA_E_SYNTAX:
	case GBA_E_RANGE:
	case GBA_E_TOO_LONG:
	case GBA_E_STALE:
	case GBA_E_STATE:
	case GBA_E_IMPI_UNKNOWN:
	case GBA_E_IMPI_SYNTAX:
	case GBA_E_DENIED: return true;
	default: return false;
	}
}

static enum gba_err update(struct import *im, json_t *values)
{
	struct record *old = NULL;
	enum gba_err err = records_find(im->call->r, &im->call->rc, im->schema->kind->id, values, &old);
	size_t i;

	if (err != GBA_OK)
		return err;
	for (i = 0; i < im->schema->count; i++) {
		if (im->schema->fields[i].flags & (FIELD_KEY | FIELD_FIXED))
			json_object_del(values, im->schema->fields[i].name);
	}
	if (json_object_size(values) > 0)
		err = records_set(im->call->r, &im->call->rc, old, values, NULL);
	talloc_free(old);
	if (err == GBA_OK)
		im->updated++;
	return err;
}

static enum gba_err put(struct import *im, json_t *values)
{
	enum gba_err err;

	im->call->rc.field[0] = im->call->rc.why[0] = '\0';
	err = records_add(im->call->r, &im->call->rc, im->schema->kind->id, values, NULL);
	if (err == GBA_OK)
		im->added++;
	if (err != GBA_E_EXISTS || im->existing == EXISTING_REJECT)
		return err;
	if (im->existing == EXISTING_UPDATE)
		return update(im, values);
	im->kept++;
	return GBA_OK;
}

static enum gba_err row_do(struct import *im, json_t *values)
{
	struct problem *p = problem_new(im->call, PROBLEM_FIELDS);
	enum gba_err err = GBA_OK;

	if (p == NULL)
		return GBA_E_NOMEM;
	if (json_is_object(values))
		rest_check(p, im->schema, rest_role(im->call), values);
	else
		problem_field(p, "", "an object is expected");
	if (problem_fields(p) > 0)
		reject(im, p);
	else
		err = put(im, values);
	talloc_free(p);
	if (!is_row_fault(err))
		return err;
	reject_err(im, err);
	return GBA_OK;
}

static enum gba_err line_do(struct import *im, struct bytes line)
{
	struct json_fault fault = { 0 };
	json_t *values = NULL;
	struct problem *p;
	enum gba_err err;

	im->rows++;
	err = json_read(line, &values, &fault);
	if (err == GBA_E_NOMEM)
		return err;
	if (err != GBA_OK) {
		p = problem_detail(problem_new(im->call, PROBLEM_JSON), "column %d: %s", fault.column, fault.text);
		reject(im, p);
		talloc_free(p);
		return GBA_OK;
	}
	im->call->rc.mem_ctx = talloc_new(im->call); /* thousands of rows: nothing of one stays */
	err = im->call->rc.mem_ctx != NULL ? row_do(im, values) : GBA_E_NOMEM;
	talloc_free(im->call->rc.mem_ctx);
	im->call->rc.mem_ctx = im->call;
	json_decref(values);
	return err;
}

/* Row by row: other writers get their turn between batches. */
static enum gba_err batch_turn(struct import *im)
{
	enum gba_err err;

	if (im->atomic || (++im->in_batch < BATCH && clock_mono_ms() - im->batch_at < BATCH_MS))
		return GBA_OK;
	im->in_batch = 0;
	im->batch_at = clock_mono_ms();
	err = records_commit(im->call->r);
	return err == GBA_OK ? records_begin(im->call->r) : err;
}

static enum gba_err rows_do(struct import *im, struct bytes body)
{
	int64_t most = im->call->rest->conf->import_rows;
	struct bytes line, rest;
	enum gba_err err = GBA_OK;

	im->batch_at = clock_mono_ms();
	for (; err == GBA_OK && body.n > 0 && json_array_size(im->bad) < BAD_ROWS_MAX; body = rest) {
		rest = BYTES_NONE;
		line = body;
		bytes_split(body, '\n', &line, &rest);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			continue;
		if (im->atomic && im->rows == most) {
			im->call->rc.field[0] = '\0';
			snprintf(im->call->rc.why, sizeof(im->call->rc.why),
				 "all or nothing takes at most %lld rows at a time", (long long)most);
			return GBA_E_TOO_LONG;
		}
		err = line_do(im, line);
		if (err == GBA_OK)
			err = batch_turn(im);
	}
	return err;
}

static void report(struct import *im, bool applied)
{
	size_t bad = json_array_size(im->bad);
	json_t *body = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:b, s:O}", "applied", applied, "rows",
				 (json_int_t)im->rows, "added", (json_int_t)(applied ? im->added : 0), "updated",
				 (json_int_t)(applied ? im->updated : 0), "kept", (json_int_t)im->kept, "rejected",
				 (json_int_t)bad, "complete", bad < BAD_ROWS_MAX, "rejections", im->bad);

	rest_json(im->call, 200, body);
}

static bool asked(struct rest_call *call, struct import *im)
{
	const char *mode = route_query_value(&call->route, "mode"),
		   *existing = route_query_value(&call->route, "existing");
	static const char *const words[] = { "reject", "keep", "update" };

	im->atomic = mode == NULL || strcmp(mode, "all") == 0;
	if (!im->atomic && strcmp(mode, "rows") != 0) {
		rest_refuse(call, PROBLEM_QUERY, "mode: all or rows");
		return false;
	}
	for (im->existing = EXISTING_REJECT; existing != NULL && im->existing < EXISTING_BAD; im->existing++) {
		if (strcmp(existing, words[im->existing]) == 0)
			break;
	}
	if (im->existing != EXISTING_BAD)
		return true;
	rest_refuse(call, PROBLEM_QUERY, "existing: reject, keep or update");
	return false;
}

void rest_import(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct import im = { .call = call, .schema = route->route->request, .bad = json_array() };
	bool applied = true;
	enum gba_err err;

	if (!asked(call, &im))
		goto done;
	/* row by row, some stand before the end */
	err = rest_note(call, GBA_OK, "import-begin", im.schema->kind, NULL);
	if (err == GBA_OK)
		err = records_begin(call->r);
	if (err == GBA_OK)
		err = rows_do(&im, call->body);
	applied = err == GBA_OK && !(im.atomic && json_array_size(im.bad) > 0);
	if (err == GBA_OK)
		report(&im, applied); /* before the commit: it is kept with it */
	if (err == GBA_OK && !applied)
		records_rollback(call->r);
	else
		err = rest_write(call, err, "import", im.schema->kind, NULL);
	if (err != GBA_OK)
		rest_fail(call, err);
	else if (applied)
		metric_add(call->rest->metrics.imported, im.added + im.updated);
done:
	json_decref(im.bad);
}
