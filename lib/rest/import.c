/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk import: one JSON object per line, or CSV, each row held against the same table as a single write; every bad row
 * is reported. All or nothing is one transaction, which other changes of records wait for; row by row commits as it goes, and
 * under the name of a job how far it has come is committed with the rows. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "http/json.h"
#include "ident/idrule.h"
#include "record/csv.h"
#include "record/job.h"
#include "record/rules.h"
#include "rest/report.h"
#include "rest/rest_priv.h"
#include "store/db.h"

#define BULK_OCTETS  1048576 /* a body that is worth db_bulk() */
#define BATCH        4000  /* rows of one transaction, row by row */
#define BATCH_MS     200   /* and not longer: less than who waits for a vector has patience */
#define CSV_ROW      65536 /* [octets] */
#define JOB_MAX      48    /* [octets] of a job's name */
#define JOB_LIFE     (7 * 86400) /* [s] after its last row */

enum existing { EXISTING_REJECT, EXISTING_KEEP, EXISTING_UPDATE, EXISTING_BAD };

struct import {
	struct rest_call *call;
	const struct rest_schema *schema;
	bool atomic;
	enum existing existing;
	struct report *report; /* of rejected rows */
	int64_t rows, added, updated, kept;
	int64_t done, stored; /* rows that the job had done, and written, before */
	size_t in_batch;
	uint64_t batch_at; /* [ms, monotonic] its beginning */
	char job[RECORD_JOB_NAME]; /* "": none */
	enum gba_err unkept;       /* a rejection could not be kept, or reported */
};

static const char *job_path(struct rest_call *call, const struct record_kind *kind, const char *job,
			    char name[RECORD_JOB_NAME])
{
	snprintf(name, RECORD_JOB_NAME, "%.80s/%s/%s", call->actor->name, job, kind->path);
	return name;
}

/* All members of a row's problem, with its number. */
static void reject(struct import *im, const struct problem *p)
{
	json_t *root = p != NULL ? problem_json(p, NULL) : json_object();
	char *text;

	json_object_set_new(root, "row", json_integer(im->rows));
	text = json_dumps(root, REST_JSON_FLAGS);
	json_decref(root);
	if (im->unkept == GBA_OK)
		im->unkept = text != NULL ? report_row(im->report, bytes_of(text)) : GBA_E_NOMEM;
	if (im->unkept == GBA_OK && im->job[0] != '\0')
		im->unkept = record_job_reject(im->call->r, im->job, text);
	free(text);
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

/* Takes values. Thousands of rows: nothing of one stays. */
static enum gba_err values_do(struct import *im, json_t *values)
{
	enum gba_err err;

	im->call->rc.mem_ctx = talloc_new(im->call);
	err = im->call->rc.mem_ctx != NULL ? row_do(im, values) : GBA_E_NOMEM;
	talloc_free(im->call->rc.mem_ctx);
	im->call->rc.mem_ctx = im->call;
	json_decref(values);
	return err == GBA_OK ? im->unkept : err;
}

static enum gba_err line_do(struct import *im, struct bytes line)
{
	struct json_fault fault = { 0 };
	json_t *values = NULL;
	struct problem *p;
	enum gba_err err;

	err = json_read(line, &values, &fault);
	if (err == GBA_E_NOMEM)
		return err;
	if (err != GBA_OK) {
		p = problem_detail(problem_new(im->call, PROBLEM_JSON), "column %d: %s", fault.column, fault.text);
		reject(im, p);
		talloc_free(p);
		return GBA_OK;
	}
	return values_do(im, values);
}

static enum gba_err job_note(struct import *im, bool done)
{
	const struct record_job job = {
		im->rows, im->added, im->updated, im->kept, report_rows(im->report), im->call->rc.now, done
	};

	return im->job[0] != '\0' ? record_job_write(im->call->r, im->job, &job) : GBA_OK;
}

/* Row by row: other writers get their turn between batches. */
static enum gba_err batch_turn(struct import *im)
{
	enum gba_err err;

	if (im->atomic || (++im->in_batch < BATCH && clock_mono_ms() - im->batch_at < BATCH_MS))
		return GBA_OK;
	im->in_batch = 0;
	im->batch_at = clock_mono_ms();
	err = job_note(im, false);
	if (err == GBA_OK)
		err = records_commit(im->call->r);
	return err == GBA_OK ? records_begin(im->call->r) : err;
}

/* May the next row be done? _skip: the job has done it before. */
static enum gba_err row_begin(struct import *im, bool *_skip)
{
	int64_t most = im->call->rest->conf->import_rows;

	if (im->atomic && im->rows == most) {
		im->call->rc.field[0] = '\0';
		snprintf(im->call->rc.why, sizeof(im->call->rc.why), "all or nothing takes at most %lld rows at a time",
			 (long long)most);
		return GBA_E_TOO_LONG;
	}
	*_skip = im->rows++ < im->done;
	return GBA_OK;
}

static enum gba_err lines_do(struct import *im, struct bytes body)
{
	struct bytes line, rest;
	enum gba_err err = GBA_OK;
	bool skip = false;

	im->batch_at = clock_mono_ms();
	for (; err == GBA_OK && body.n > 0 && !report_full(im->report); body = rest) {
		rest = BYTES_NONE;
		line = body;
		bytes_split(body, '\n', &line, &rest);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			continue;
		err = row_begin(im, &skip);
		if (err != GBA_OK || skip)
			continue;
		err = line_do(im, line);
		if (err == GBA_OK)
			err = batch_turn(im);
	}
	return err;
}

struct columns {
	const struct field *field[CSV_COLUMNS_MAX];
	size_t n;
};

/* The name as it came is told only when it is text. */
static enum gba_err heading_refuse(struct import *im, struct bytes name, size_t column, const char *what)
{
	struct record_call *rc = &im->call->rc;
	const char *why;

	if (name.n > 0 && name.n < sizeof(rc->field) && id_text(name, &why) == GBA_OK)
		snprintf(rc->field, sizeof(rc->field), "%.*s", BYTES_FMT(name));
	snprintf(rc->why, sizeof(rc->why), "in the heading, column %zu: %s", column + 1, what);
	return GBA_E_SYNTAX;
}

static const struct field *column_find(const struct import *im, struct bytes name)
{
	size_t i;

	for (i = 0; i < im->schema->kind->count; i++) {
		if (bytes_eq_str(name, im->schema->kind->fields[i].name) &&
		    (im->schema->kind->fields[i].flags & FIELD_HIDDEN) == 0)
			return &im->schema->kind->fields[i];
	}
	return NULL;
}

static enum gba_err heading_read(struct import *im, struct csv *csv, struct columns *columns)
{
	struct bytes name;
	size_t i, k;

	im->call->rc.field[0] = '\0';
	if (!csv_next(csv) || csv->fault != NULL)
		return heading_refuse(im, BYTES_NONE, csv->fields, csv->fault != NULL ? csv->fault : "there is none");
	columns->n = csv->fields;
	for (i = 0; i < columns->n; i++) {
		name = i == 0 ? csv_name(csv->field[i]) : csv->field[i];
		columns->field[i] = column_find(im, name);
		if (columns->field[i] == NULL)
			return heading_refuse(im, name, i, "no such member");
		for (k = 0; k < i; k++) {
			if (columns->field[k] == columns->field[i])
				return heading_refuse(im, name, i, "the same again");
		}
	}
	return GBA_OK;
}

/* A list's entries stand apart by blanks, as in what is exported. */
static struct bytes list_commas(TALLOC_CTX *ctx, struct bytes text)
{
	char *copy = talloc_strndup(ctx, (const char *)text.p, text.n), *at;

	for (at = copy; at != NULL && *at != '\0'; at++)
		*at = *at == ' ' ? ',' : *at;
	return bytes_of(copy);
}

static enum gba_err csv_row(struct import *im, struct csv *csv, const struct columns *columns)
{
	TALLOC_CTX *tmp = talloc_new(im->call);
	json_t *values = json_object();
	enum gba_err err = GBA_OK;
	struct bytes text;
	size_t i;

	im->call->rc.field[0] = '\0';
	if (csv->fault != NULL || csv->fields != columns->n) {
		snprintf(im->call->rc.why, sizeof(im->call->rc.why), "%s",
			 csv->fault != NULL ? csv->fault : "another number of fields than the heading");
		err = GBA_E_SYNTAX;
	}
	for (i = 0; err == GBA_OK && i < columns->n; i++) {
		text = csv->field[i];
		if (text.p == NULL)
			continue;
		if (columns->field[i]->type == FIELD_LIST)
			text = list_commas(tmp, text);
		err = records_value(&im->call->rc, im->schema->kind, columns->field[i]->name, text, values);
	}
	talloc_free(tmp);
	if (err == GBA_OK)
		return values_do(im, values);
	json_decref(values);
	if (!is_row_fault(err))
		return err;
	reject_err(im, err);
	return im->unkept;
}

static enum gba_err csv_do(struct import *im, struct bytes body)
{
	FILE *in = body.n > 0 ? fmemopen((void *)(uintptr_t)body.p, body.n, "rb") : NULL;
	struct columns columns = { 0 };
	enum gba_err err;
	struct csv csv;
	bool skip = false;

	if (in == NULL)
		return body.n == 0 ? heading_refuse(im, BYTES_NONE, 0, "there is none") : GBA_E_NOMEM;
	if (!csv_from(&csv, im->call, in, CSV_ROW)) {
		fclose(in);
		return GBA_E_NOMEM;
	}
	im->batch_at = clock_mono_ms();
	err = heading_read(im, &csv, &columns);
	while (err == GBA_OK && !report_full(im->report) && csv_next(&csv)) {
		if (csv.fields == 1 && csv.field[0].p == NULL)
			continue; /* empty line */
		err = row_begin(im, &skip);
		if (err == GBA_OK && !skip)
			err = csv_row(im, &csv, &columns);
		if (err == GBA_OK && !skip)
			err = batch_turn(im);
	}
	csv_close(&csv);
	return err;
}

static enum gba_err rows_do(struct import *im, struct bytes body)
{
	return content_type_is(bytes_of(im->call->content_type), REST_CSV) ? csv_do(im, body) : lines_do(im, body);
}

static void rejection_take(void *arg, struct bytes report)
{
	struct import *im = arg;

	if (im->unkept == GBA_OK)
		im->unkept = report_row(im->report, report);
}

/* In the transaction: what the job has done before. */
static enum gba_err job_begin(struct import *im)
{
	struct record_job job = { 0 };
	enum gba_err err;

	if (im->job[0] == '\0')
		return GBA_OK;
	err = record_jobs_expire(im->call->r, im->call->rc.now - JOB_LIFE);
	if (err == GBA_OK)
		err = record_job_read(im->call->r, im->job, &job);
	if (err != GBA_OK)
		return err == GBA_E_NOT_FOUND ? job_note(im, false) : err;
	im->done = job.rows;
	im->added = job.added;
	im->updated = job.changed;
	im->kept = job.kept;
	im->stored = job.added + job.changed;
	err = record_job_rejections(im->call->r, im->job, rejection_take, im);
	return err == GBA_OK ? im->unkept : err;
}

void rest_import_job(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	const struct record_set *set = call->rest->setup->set;
	char name[RECORD_JOB_NAME], at[TIME_TEXT_LEN + 1];
	enum gba_err err = GBA_E_NOT_FOUND;
	struct record_job job;
	const char *why;
	size_t i, n = id_text(bytes_of(route->param[0]), &why) == GBA_OK ? set->count : 0;

	for (i = 0; err == GBA_E_NOT_FOUND && i < n; i++)
		err = record_job_read(call->r, job_path(call, &set->kinds[i], route->param[0], name), &job);
	if (err != GBA_OK) {
		rest_fail(call, err == GBA_E_UNSUPPORTED ? GBA_E_NOT_FOUND : err);
		return;
	}
	time_format(job.at, at);
	rest_json(call, 200,
		  json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "kind", set->kinds[i - 1].name, "rows",
			    (json_int_t)job.rows, "added", (json_int_t)job.added, "updated", (json_int_t)job.changed,
			    "kept", (json_int_t)job.kept, "rejected", (json_int_t)job.rejected, "done", job.done, "at",
			    at));
}

static enum gba_err report(struct import *im, bool applied)
{
	json_t *summary = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:b}", "applied", applied, "rows",
				    (json_int_t)im->rows, "added", (json_int_t)(applied ? im->added : 0), "updated",
				    (json_int_t)(applied ? im->updated : 0), "kept", (json_int_t)im->kept, "rejected",
				    (json_int_t)report_rows(im->report), "complete", !report_full(im->report));
	enum gba_err err = summary != NULL ? report_reply(im->report, im->call, summary) : GBA_E_NOMEM;

	json_decref(summary);
	return err;
}

static bool asked(struct rest_call *call, struct import *im)
{
	const char *mode = route_query_value(&call->route, "mode"),
		   *existing = route_query_value(&call->route, "existing");
	static const char *const words[] = { "reject", "keep", "update" };
	const char *job = route_query_value(&call->route, "job"), *why = "";

	im->atomic = mode == NULL || strcmp(mode, "all") == 0;
	if (!im->atomic && strcmp(mode, "rows") != 0) {
		rest_refuse(call, PROBLEM_QUERY, "mode: all or rows");
		return false;
	}
	if (job != NULL && (im->atomic || strlen(job) > JOB_MAX || id_token(bytes_of(job), &why) != GBA_OK)) {
		rest_refuse(call, PROBLEM_QUERY, "job: 1 to %d letters, digits, '.', '_', '-'; with mode=rows",
			    JOB_MAX);
		return false;
	}
	if (job != NULL)
		job_path(call, im->schema->kind, job, im->job);
	for (im->existing = EXISTING_REJECT; existing != NULL && im->existing < EXISTING_BAD; im->existing++) {
		if (strcmp(existing, words[im->existing]) == 0)
			break;
	}
	if (im->existing != EXISTING_BAD)
		return true;
	rest_refuse(call, PROBLEM_QUERY, "existing: reject, keep or update");
	return false;
}

static enum gba_err long_write(struct import *im, bool begun)
{
	const struct rest_setup *setup = im->call->rest->setup;

	return im->atomic && setup->long_write != NULL ? setup->long_write(im->call, begun) : GBA_OK;
}

void rest_import(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct import im = { .call = call, .schema = route->route->request };
	bool applied = true;
	enum gba_err err;

	if (!asked(call, &im))
		return;
	im.report = report_new(call, strcmp(call->type, REST_NDJSON) == 0);
	if (im.report == NULL) {
		rest_fail(call, GBA_E_NOMEM);
		return;
	}
	db_bulk(records_db(call->r), call->body.n > BULK_OCTETS);
	/* row by row, some stand before the end */
	err = rest_note(call, GBA_OK, "import-begin", im.schema->kind, NULL);
	if (err == GBA_OK)
		err = records_begin(call->r);
	if (err == GBA_OK)
		err = long_write(&im, true);
	if (err == GBA_OK)
		err = job_begin(&im);
	if (err == GBA_OK)
		err = rows_do(&im, call->body);
	if (err == GBA_OK)
		err = job_note(&im, true);
	applied = err == GBA_OK && !(im.atomic && report_rows(im.report) > 0);
	if (err == GBA_OK)
		err = report(&im, applied); /* before the commit: it is kept with it */
	if (err == GBA_OK && !applied)
		records_rollback(call->r);
	else
		err = rest_write(call, err, "import", im.schema->kind, NULL);
	(void)long_write(&im, false);
	if (err != GBA_OK)
		rest_fail(call, err);
	else if (applied)
		metric_add(call->rest->metrics.imported, im.added + im.updated - im.stored);
	db_bulk(records_db(call->r), false);
}
