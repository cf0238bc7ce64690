/* SPDX-License-Identifier: Apache-2.0 */
/* Many records from CSV or JSON lines: each row added, or, when its key stands already, compared and changed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/progress.h"
#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "record/csv.h"
#include "record/job.h"
#include "record/rules.h"
#include "store/db.h"
#include "tools/gba-ctl/rec.h"

#define BATCH      2000 /* rows per commit */
#define BATCH_MS   200	/* and not longer: less than who waits for a vector has patience */
#define PAUSE_US   2000 /* between batches: a running hss-stub gets the write lock */
#define ROW_OCTETS 65536
#define NAMES_MAX  64 /* references remembered by their text */

struct importing {
	struct rec r;
	const char *path;
	struct progress progress;
	uint64_t rows, fresh, same, changed, rejected, in_batch, batch_at;
	char job[RECORD_JOB_NAME]; /* "": none is kept */
	FILE *report;		   /* of --report; NULL: none */
	uint64_t skip;		   /* rows done before an interruption */
	TALLOC_CTX *row_ctx;
	struct {
		const struct field *field;
		char text[128];
		int64_t id;
	} name[NAMES_MAX]; /* most rows refer to few records */
};

/* As with --json, a line each: a file of any length. */
static void report_row(struct importing *imp, uint64_t line, const char *member, const char *why)
{
	json_t *row = json_pack("{s:I, s:s, s:s?, s:s}", "line", (json_int_t)line, "result", "rejected", "member",
				member[0] != '\0' ? member : NULL, "reason", why);

	(void)json_dumpf(row, imp->report, JSON_COMPACT | JSON_PRESERVE_ORDER); /* ferror() tells at the end */
	putc('\n', imp->report);
	json_decref(row);
}

static void reject(struct importing *imp, uint64_t line, const char *member, const char *why)
{
	struct writer *out = imp->r.ctl->cli.out;

	imp->rejected++;
	if (imp->report != NULL) {
		report_row(imp, line, member, why);
		return;
	}
	if (!imp->r.ctl->cli.json) {
		progress_end(&imp->progress);
		fprintf(stderr, "%s:%llu: rejected: %s%s%s\n", imp->path, (unsigned long long)line, member,
			member[0] != '\0' ? ": " : "", why);
		return;
	}
	writer_int(out, "line", (int64_t)line);
	writer_text(out, "result", bytes_of("rejected"));
	writer_text(out, "member", member[0] != '\0' ? bytes_of(member) : BYTES_NONE);
	writer_text(out, "reason", bytes_of(why));
	writer_end(out);
}

/* Is it the row's fault, and nothing written? */
static bool row_fault(enum gba_err err)
{
	switch (err) {
	case GBA_E_SYNTAX:
	case GBA_E_RANGE:
	case GBA_E_TOO_LONG:
	case GBA_E_DENIED:
	case GBA_E_NOT_FOUND:
	case GBA_E_EXISTS:
	case GBA_E_STATE:
	case GBA_E_STALE:
	case GBA_E_IMPI_SYNTAX: return true;
	default: return false;
	}
}

/* Only members that differ from what stands; those that cannot be changed must not. */
static json_t *difference(const struct record *old, int role, json_t *values)
{
	json_t *stands = record_json(old, role), *differ = json_object(), *value;
	const char *name;

	json_object_foreach(values, name, value)
	{
		if (!json_equal(value, json_object_get(stands, name)))
			json_object_set(differ, name, value);
	}
	json_decref(stands);
	return differ;
}

static enum gba_err change_row(struct importing *imp, json_t *values)
{
	struct record *old = NULL;
	json_t *differ;
	enum gba_err err = records_find(imp->r.m, &imp->r.call, imp->r.kind->id, values, &old);

	if (err != GBA_OK)
		return err;
	differ = difference(old, imp->r.actor.role, values);
	if (json_object_size(differ) == 0) {
		imp->same++;
	} else {
		err = records_set(imp->r.m, &imp->r.call, old, differ, NULL);
		imp->changed += err == GBA_OK;
	}
	json_decref(differ);
	return err;
}

static enum gba_err job_note(struct importing *imp)
{
	const struct record_job job = { (int64_t)imp->rows,	(int64_t)imp->fresh, (int64_t)imp->changed, (int64_t)imp->same,
					(int64_t)imp->rejected, clock_now(),	     false };

	return imp->job[0] != '\0' ? record_job_write(imp->r.m, imp->job, &job) : GBA_OK;
}

/* Other processes' vectors go on beside one that is all or nothing. */
static enum gba_err long_write(struct importing *imp, bool begun)
{
	const struct rec_family *family = imp->r.family;

	return imp->r.args->atomic && family->long_write != NULL ? family->long_write(&imp->r, begun) : GBA_OK;
}

static enum gba_err batch_end(struct importing *imp)
{
	enum gba_err err;

	if (imp->in_batch == 0)
		return GBA_OK;
	imp->in_batch = 0;
	if (imp->r.args->dry_run) {
		records_rollback(imp->r.m);
		(void)long_write(imp, false);
		return GBA_OK;
	}
	err = job_note(imp);
	if (err == GBA_OK)
		err = records_commit(imp->r.m);
	else
		records_rollback(imp->r.m);
	(void)long_write(imp, false);
	usleep(PAUSE_US);
	return err;
}

static bool batch_full(const struct importing *imp)
{
	return imp->in_batch >= BATCH || (imp->in_batch > 0 && clock_mono_ms() - imp->batch_at >= BATCH_MS);
}

/* @param values  NULL: records_value has said what is wrong with the row */
static enum gba_err row_store(struct importing *imp, uint64_t line, json_t *values, enum gba_err err)
{
	char why[sizeof(imp->r.call.why)], field[sizeof(imp->r.call.field)];

	imp->rows++;
	if (err == GBA_OK && imp->in_batch++ == 0) {
		err = records_begin(imp->r.m);
		imp->batch_at = clock_mono_ms();
		if (err != GBA_OK)
			imp->in_batch = 0;
		else
			err = long_write(imp, true);
	}
	if (err == GBA_OK) {
		err = records_add(imp->r.m, &imp->r.call, imp->r.kind->id, values, NULL);
		imp->fresh += err == GBA_OK;
		if (err == GBA_E_EXISTS) {
			snprintf(why, sizeof(why), "%s", imp->r.call.why);
			snprintf(field, sizeof(field), "%s", imp->r.call.field);
			err = change_row(imp, values);
			if (err == GBA_E_NOT_FOUND || err == GBA_E_UNSUPPORTED) { /* it was not the key that exists */
				snprintf(imp->r.call.why, sizeof(imp->r.call.why), "%s", why);
				snprintf(imp->r.call.field, sizeof(imp->r.call.field), "%s", field);
				err = GBA_E_EXISTS;
			}
		}
	}
	if (err != GBA_OK && row_fault(err)) {
		reject(imp, line, imp->r.call.field, imp->r.call.why);
		err = GBA_OK;
	}
	if (err == GBA_OK && batch_full(imp) && !imp->r.args->atomic)
		err = batch_end(imp);
	talloc_free_children(imp->row_ctx);
	return err == GBA_OK ? GBA_OK : rec_fail(&imp->r, err, imp->path);
}

/* A reference by its key, looked up once for all rows that name it. */
static enum gba_err reference(struct importing *imp, const struct field *field, struct bytes text, json_t *object)
{
	size_t i, slot = 0;
	enum gba_err err;

	for (i = 0; i < text.n; i++)
		slot = slot * 31 + text.p[i];
	slot %= NAMES_MAX;
	if (imp->name[slot].field == field && bytes_eq_str(text, imp->name[slot].text)) {
		json_object_set_new(object, field->name, json_integer(imp->name[slot].id));
		return GBA_OK;
	}
	err = rec_member(&imp->r, field, text, object);
	if (err == GBA_OK && text.n < sizeof(imp->name[slot].text)) {
		imp->name[slot].field = field;
		imp->name[slot].id = json_integer_value(json_object_get(object, field->name));
		memcpy(imp->name[slot].text, text.p, text.n);
		imp->name[slot].text[text.n] = '\0';
	}
	return err;
}

static enum gba_err member(struct importing *imp, const struct field *field, struct bytes text, json_t *object)
{
	return field->type == FIELD_REF && text.n > 0 ? reference(imp, field, text, object)
						      : rec_member(&imp->r, field, text, object);
}

/* Done before the interruption? */
static bool skipped(struct importing *imp)
{
	if (imp->skip == 0)
		return false;
	imp->skip--;
	return true;
}

struct columns {
	const struct field *field[CSV_COLUMNS_MAX]; /* NULL: id, rev, created, changed of an export */
	size_t n;
};

static enum gba_err heading_read(struct importing *imp, struct csv *csv, struct columns *columns)
{
	char name[64];
	size_t i, k;

	if (!csv_next(csv))
		return why_fail(&imp->r.ctl->cli.why, GBA_E_SYNTAX, "%s:1: a heading with the members' names is needed",
				imp->path);
	for (i = 0; i < csv->fields; i++) {
		struct bytes text = i == 0 ? csv_name(csv->field[i]) : csv->field[i];

		snprintf(name, sizeof(name), "%.*s", BYTES_FMT(text));
		columns->field[i] = text.n == strlen(name) ? field_find(imp->r.kind, name) : NULL;
		if (columns->field[i] == NULL)
			return why_fail(&imp->r.ctl->cli.why, GBA_E_SYNTAX, "%s:1: %s records have no member '%s'",
					imp->path, imp->r.kind->name, name);
		for (k = 0; k < i; k++) {
			if (columns->field[k] == columns->field[i])
				return why_fail(&imp->r.ctl->cli.why, GBA_E_SYNTAX, "%s:1: '%s' is there twice", imp->path, name);
		}
	}
	columns->n = csv->fields;
	return GBA_OK;
}

static enum gba_err csv_row(struct importing *imp, struct csv *csv, const struct columns *columns, uint64_t line)
{
	json_t *values;
	enum gba_err err = GBA_OK;
	size_t i;

	if (csv->fields == 1 && csv->field[0].p == NULL)
		return GBA_OK; /* empty line */
	if (skipped(imp))
		return GBA_OK;
	if (csv->fault != NULL || csv->fields != columns->n) {
		imp->rows++;
		reject(imp, line, "", csv->fault != NULL ? csv->fault : "number of fields differs from the heading");
		return GBA_OK;
	}
	values = json_object();
	for (i = 0; err == GBA_OK && i < columns->n; i++) {
		if (csv->field[i].p != NULL)
			err = member(imp, columns->field[i], csv->field[i], values);
	}
	err = row_store(imp, line, values, err);
	json_decref(values);
	return err;
}

static void show(struct importing *imp, FILE *in)
{
	if (imp->rows % 256 == 0)
		progress_show(&imp->progress, (uint64_t)ftello(in), imp->rows);
}

static enum gba_err unreadable(struct importing *imp)
{
	return why_fail(&imp->r.ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", imp->path, strerror(errno));
}

static void progress_open(struct importing *imp, FILE *in)
{
	struct stat st = { 0 };

	if (fstat(fileno(in), &st) == 0)
		progress_start(&imp->progress, (uint64_t)st.st_size);
}

static enum gba_err import_csv_rows(struct importing *imp)
{
	struct columns columns = { .n = 0 };
	struct csv csv;
	uint64_t line;
	enum gba_err err;

	if (!csv_open(&csv, imp->r.ctl->cli.ctx, imp->path, ROW_OCTETS))
		return unreadable(imp);
	progress_open(imp, csv.in);
	err = heading_read(imp, &csv, &columns);
	for (line = csv.line; err == GBA_OK && csv_next(&csv); line = csv.line) {
		err = csv_row(imp, &csv, &columns, line);
		show(imp, csv.in);
	}
	if (err == GBA_OK && ferror(csv.in))
		err = unreadable(imp);
	csv_close(&csv);
	return err;
}

/* References may be keys here, too. */
static enum gba_err references_resolve(struct importing *imp, json_t *values)
{
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < imp->r.kind->count; i++) {
		const struct field *field = &imp->r.kind->fields[i];
		json_t *value = json_object_get(values, field->name);

		if (field->type == FIELD_REF && json_is_string(value)) {
			char *copy = talloc_strdup(imp->row_ctx, json_string_value(value));

			err = copy != NULL ? reference(imp, field, bytes_of(copy), values) : GBA_E_NOMEM;
		}
	}
	return err;
}

static enum gba_err json_row(struct importing *imp, const char *text, size_t n, uint64_t line)
{
	json_error_t error;
	json_t *values;
	enum gba_err err;

	if (n == 0 || strspn(text, " \t\r\n") == n || skipped(imp))
		return GBA_OK;
	values = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(values)) {
		imp->rows++;
		reject(imp, line, "", values == NULL ? error.text : "not an object");
		json_decref(values);
		return GBA_OK;
	}
	err = references_resolve(imp, values);
	err = row_store(imp, line, values, err);
	json_decref(values);
	return err;
}

static enum gba_err import_json_rows(struct importing *imp)
{
	FILE *in = fopen(imp->path, "rb");
	enum gba_err err = GBA_OK;
	uint64_t line = 0;
	char *text = NULL;
	size_t room = 0;
	ssize_t n;

	if (in == NULL)
		return unreadable(imp);
	progress_open(imp, in);
	while (err == GBA_OK && (n = getline(&text, &room, in)) >= 0) {
		err = json_row(imp, text, (size_t)n, ++line);
		show(imp, in);
	}
	if (err == GBA_OK && ferror(in))
		err = unreadable(imp);
	free(text);
	fclose(in);
	return err;
}

static void summary(struct importing *imp, bool stored)
{
	struct writer *out = imp->r.ctl->cli.out;

	writer_int(out, "new", (int64_t)imp->fresh);
	writer_int(out, "same", (int64_t)imp->same);
	writer_int(out, "changed", (int64_t)imp->changed);
	writer_int(out, "rejected", (int64_t)imp->rejected);
	writer_text(out, "stored",
		    bytes_of(stored                 ? "yes"
			     : imp->r.args->dry_run ? "no (dry run)"
						    : "no (rows rejected)"));
	writer_end(out);
}

/* The file by what is in it: renamed it is the same, changed it is another. */
static enum gba_err job_name(struct importing *imp)
{
	int fd = open(imp->path, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };
	uint8_t digest[HASH_MAX];
	char hex[2 * HASH_MAX + 1];
	struct bytes whole;
	void *map;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? unreadable(imp) : GBA_OK; /* a pipe cannot be read again */
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return unreadable(imp);
	whole = BYTES(map, (size_t)st.st_size);
	hash_pieces(HASH_SHA256, &whole, 1, digest);
	munmap(map, (size_t)st.st_size);
	hex_encode(BYTES(digest, hash_len(HASH_SHA256)), hex);
	snprintf(imp->job, sizeof(imp->job), "file:%s:%s", imp->r.kind->name, hex);
	return GBA_OK;
}

/* Go on where an import of this file was interrupted. */
static enum gba_err job_resume(struct importing *imp)
{
	struct record_job job = { 0 };
	enum gba_err err;

	if (!imp->r.family->set->jobs || imp->r.args->dry_run || imp->r.args->atomic)
		return GBA_OK;
	err = job_name(imp);
	if (err != GBA_OK || imp->job[0] == '\0')
		return err;
	err = record_job_read(imp->r.m, imp->job, &job);
	if (err != GBA_OK)
		return err == GBA_E_NOT_FOUND ? GBA_OK : ctl_fail_err(imp->r.ctl, err, imp->path);
	imp->skip = imp->rows = (uint64_t)job.rows;
	imp->fresh = (uint64_t)job.added;
	imp->changed = (uint64_t)job.changed;
	imp->same = (uint64_t)job.kept;
	imp->rejected = (uint64_t)job.rejected;
	fprintf(stderr, "%s: %llu rows were done before an interruption: going on behind them\n", imp->path,
		(unsigned long long)job.rows);
	return GBA_OK;
}

/* All rows are done: the next time the file is looked at as a whole again. */
static enum gba_err job_end(struct importing *imp)
{
	enum gba_err err;

	if (imp->job[0] == '\0')
		return GBA_OK;
	err = records_begin(imp->r.m);
	if (err != GBA_OK)
		return err;
	err = record_job_forget(imp->r.m, imp->job);
	if (err == GBA_OK)
		return records_commit(imp->r.m);
	records_rollback(imp->r.m);
	return err;
}

/* What an interrupted import has reported stands before what this one adds. */
static enum gba_err report_open(struct importing *imp)
{
	const char *path = imp->r.args->report;

	if (path == NULL)
		return GBA_OK;
	imp->report = fopen(path, imp->skip > 0 ? "ae" : "we");
	return imp->report != NULL ? GBA_OK : why_fail(&imp->r.ctl->cli.why, GBA_E_IO, "%s: %s", path, strerror(errno));
}

/* Before anything that is all or nothing is committed: rows left out without a word would be lost. */
static enum gba_err report_end(struct importing *imp)
{
	bool bad;

	if (imp->report == NULL)
		return GBA_OK;
	bad = ferror(imp->report) != 0;
	bad = fclose(imp->report) != 0 || bad;
	imp->report = NULL;
	return bad ? why_fail(&imp->r.ctl->cli.why, GBA_E_IO, "%s: not written: %s", imp->r.args->report, strerror(errno)) : GBA_OK;
}

static enum gba_err end(struct importing *imp, enum gba_err err)
{
	bool stored = !imp->r.args->dry_run && !(imp->r.args->atomic && imp->rejected > 0);
	enum gba_err unreported = report_end(imp);

	progress_end(&imp->progress);
	err = err == GBA_OK ? unreported : err;
	if (err == GBA_OK && stored) {
		err = rec_fail(&imp->r, batch_end(imp), imp->path);
	} else if (imp->in_batch > 0) {
		records_rollback(imp->r.m);
		(void)long_write(imp, false);
	}
	if (err == GBA_OK && stored)
		err = rec_fail(&imp->r, job_end(imp), imp->path);
	if (err != GBA_OK)
		return err;
	summary(imp, stored);
	if (imp->rejected > 0)
		imp->r.ctl->cli.exit = CLI_NEGATIVE;
	return GBA_OK;
}

enum gba_err cmd_rec_import(struct cli *cli, void *args)
{
	struct importing imp = { .path = cli->operands[0] };
	bool json;
	enum gba_err err = rec_open(&imp.r, cli, args, true);

	if (err != GBA_OK)
		return err;
	json = imp.r.args->from != NULL && strcmp(imp.r.args->from, "json") == 0;
	if (!json && (imp.r.args->from == NULL || strcmp(imp.r.args->from, "csv") != 0))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--from csv or json is needed");
	imp.row_ctx = talloc_new(cli->ctx);
	db_bulk(records_db(imp.r.m), true);
	imp.r.call.mem_ctx = imp.row_ctx;
	err = job_resume(&imp);
	if (err == GBA_OK)
		err = report_open(&imp);
	if (err != GBA_OK)
		return err;
	return end(&imp, json ? import_json_rows(&imp) : import_csv_rows(&imp));
}
