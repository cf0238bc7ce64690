/* SPDX-License-Identifier: Apache-2.0 */
/* list, show, add, set, remove, a kind's own verbs; history. */
#include <stdlib.h>
#include <unistd.h>

#include "tools/gba-ctl/rec.h"

#define PAGE 500

static enum gba_err start(struct rec *r, struct cli *cli, void *args, bool change)
{
	return rec_open(r, cli, args, change);
}

static enum gba_err number(struct rec *r, const char *name, const char *text, int64_t min, int64_t *_n)
{
	char *end = NULL;

	if (text == NULL)
		return GBA_OK;
	*_n = strtoll(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || *_n < min)
		return why_fail(&r->ctl->cli.why, GBA_E_SYNTAX, "%s: '%s' is not a number of %lld or more", name, text,
				(long long)min);
	return GBA_OK;
}

/* A reference may be given by its key: filters want ids. */
static enum gba_err filter_add(struct rec *r, struct record_query *query, const struct field *field, const char *text)
{
	json_t *object = json_object();
	enum gba_err err = GBA_OK;

	if (query->filters == RECORD_FILTERS_MAX)
		err = why_fail(&r->ctl->cli.why, GBA_E_SYNTAX, "at most %d filters", RECORD_FILTERS_MAX);
	else if (field->type == FIELD_REF)
		err = rec_fail(r, rec_member(r, field, bytes_of(text), object), r->kind->name);
	if (err == GBA_OK && field->type == FIELD_REF)
		text = talloc_asprintf(r->ctl->cli.ctx, "%lld",
				       (long long)json_integer_value(json_object_get(object, field->name)));
	json_decref(object);
	if (err != GBA_OK)
		return err;
	query->filter[query->filters].field = field->name;
	query->filter[query->filters++].value = text;
	return GBA_OK;
}

enum gba_err cmd_rec_list(struct cli *cli, void *args)
{
	struct record_query query = { .limit = PAGE };
	struct record_page *page = NULL;
	struct rec r;
	int64_t left = INT64_MAX;
	enum gba_err err = start(&r, cli, args, false);
	size_t i;

	writer_prefer(cli->out, WRITER_TABLE);
	query.kind = r.kind->id;
	if (err == GBA_OK)
		err = number(&r, "--after", r.args->after, 0, &query.after);
	if (err == GBA_OK)
		err = number(&r, "--limit", r.args->limit, 1, &left);
	for (i = 0; err == GBA_OK && i < r.command->members; i++) {
		if (r.args->value[i] != NULL)
			err = filter_add(&r, &query, r.command->member[i], r.args->value[i]);
	}
	while (err == GBA_OK && left > 0) {
		query.limit = left < PAGE ? (size_t)left : PAGE;
		err = rec_fail(&r, records_list(r.m, &r.call, &query, &page), r.kind->name);
		for (i = 0; err == GBA_OK && i < page->count; i++)
			rec_write(&r, page->rec[i]);
		if (err != GBA_OK || page->next == 0)
			break;
		left -= (int64_t)page->count;
		query.after = page->next;
		TALLOC_FREE(page);
	}
	return err;
}

enum gba_err cmd_rec_show(struct cli *cli, void *args)
{
	struct record *rec = NULL;
	struct rec r;
	enum gba_err err = start(&r, cli, args, false);

	if (err == GBA_OK)
		err = rec_find(&r, r.kind, cli->operands[0], cli->operands[1], &rec);
	if (err == GBA_OK)
		rec_write(&r, rec);
	return err;
}

/* A dry run goes all the way, then takes it back. */
static enum gba_err finish(struct rec *r, enum gba_err err, const char *what, struct record *const *rec)
{
	err = rec_fail(r, err, what);
	if (r->args->dry_run)
		records_rollback(r->m);
	if (err == GBA_OK && rec != NULL)
		rec_write(r, *rec);
	return err;
}

static enum gba_err begin(struct rec *r)
{
	return r->args->dry_run ? rec_fail(r, records_begin(r->m), r->ctl->db) : GBA_OK;
}

enum gba_err cmd_rec_add(struct cli *cli, void *args)
{
	struct record *rec = NULL;
	json_t *values = NULL;
	struct rec r;
	enum gba_err err = start(&r, cli, args, true);

	if (err == GBA_OK)
		err = rec_values(&r, &values);
	if (err == GBA_OK)
		err = begin(&r);
	if (err == GBA_OK)
		err = finish(&r, records_add(r.m, &r.call, r.kind->id, values, &rec), r.kind->name, &rec);
	json_decref(values);
	return err;
}

/* The operand's record, with the revision --rev names. */
static enum gba_err named(struct rec *r, struct cli *cli, struct record **_rec)
{
	enum gba_err err = rec_find(r, r->kind, cli->operands[0], cli->operands[1], _rec);

	if (err == GBA_OK) {
		(*_rec)->rev = 0;
		err = number(r, "--rev", r->args->rev, 1, &(*_rec)->rev);
	}
	return err;
}

/* What set and the verbs have in common: one record, values, and what becomes of it. */
static enum gba_err change(struct rec *r, struct cli *cli, const struct record_verb *verb)
{
	struct record *old = NULL, *rec = NULL;
	json_t *values = NULL;
	enum gba_err err = named(r, cli, &old);

	if (err == GBA_OK)
		err = rec_values(r, &values);
	if (err == GBA_OK && verb == NULL && json_object_size(values) == 0)
		err = why_fail(&cli->why, GBA_E_SYNTAX, "nothing to change is given");
	if (err == GBA_OK)
		err = begin(r);
	if (err == GBA_OK) {
		err = verb != NULL ? records_do(r->m, &r->call, old, verb->name, values, &rec)
				   : records_set(r->m, &r->call, old, values, &rec);
		err = finish(r, err, cli->operands[0], &rec);
	}
	json_decref(values);
	return err;
}

enum gba_err cmd_rec_set(struct cli *cli, void *args)
{
	struct rec r;
	enum gba_err err = start(&r, cli, args, true);

	return err == GBA_OK ? change(&r, cli, NULL) : err;
}

enum gba_err cmd_rec_verb(struct cli *cli, void *args)
{
	struct rec r;
	enum gba_err err = start(&r, cli, args, true);

	return err == GBA_OK ? change(&r, cli, r.command->verb) : err;
}

static enum gba_err confirm(struct rec *r, const struct record *rec)
{
	char answer[8] = "";

	if (r->args->yes || r->args->dry_run)
		return GBA_OK;
	if (!isatty(STDIN_FILENO))
		return why_fail(&r->ctl->cli.why, GBA_E_DENIED, "removing %s %lld needs --yes", rec->kind->name,
				(long long)rec->id);
	fprintf(stderr, "Remove %s %lld and what hangs on it? [y/N] ", rec->kind->name, (long long)rec->id);
	if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
		return why_fail(&r->ctl->cli.why, GBA_E_DENIED, "nothing removed");
	return GBA_OK;
}

enum gba_err cmd_rec_remove(struct cli *cli, void *args)
{
	struct record *old = NULL;
	struct rec r;
	enum gba_err err = start(&r, cli, args, true);

	if (err == GBA_OK)
		err = named(&r, cli, &old);
	if (err == GBA_OK)
		err = confirm(&r, old);
	if (err == GBA_OK)
		err = begin(&r);
	if (err == GBA_OK)
		err = finish(&r, records_remove(r.m, &r.call, old), cli->operands[0], NULL);
	if (err != GBA_OK)
		return err;
	writer_int(cli->out, "id", old->id);
	writer_text(cli->out, "result", bytes_of(r.args->dry_run ? "would be removed" : "removed"));
	writer_end(cli->out);
	return GBA_OK;
}

static void history_write(struct writer *out, const struct record_set *set, const struct history_row *row)
{
	writer_int(out, "id", row->id);
	writer_time(out, "time", row->at);
	writer_text(out, "kind", bytes_of(set->kinds[row->kind].name));
	writer_int(out, "record", row->record);
	writer_int(out, "rev", row->rev);
	writer_text(out, "who", bytes_of(row->who));
	writer_text(out, "act", bytes_of(row->act));
	writer_text(out, "change", bytes_of(row->change));
	writer_end(out);
}

static enum gba_err history_options(struct rec *r, struct cli *cli, struct history_query *query, int64_t *_left)
{
	const struct record_set *set = r->family->set;
	size_t kind = 0;
	enum gba_err err = number(r, "--after", r->args->after, 0, &query->after);

	if (err == GBA_OK)
		err = number(r, "--limit", r->args->limit, 1, _left);
	if (err != GBA_OK || cli->operand_count == 0)
		return err;
	while (kind < set->count && strcmp(rec_noun(cli->ctx, r->family, &set->kinds[kind]), cli->operands[0]) != 0 &&
	       strcmp(set->kinds[kind].path, cli->operands[0]) != 0)
		kind++;
	if (kind == set->count)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: no kind of record", cli->operands[0]);
	query->kind = (int)kind;
	return number(r, "ID", cli->operands[1], 1, &query->record);
}

enum gba_err cmd_rec_history(struct cli *cli, void *args)
{
	struct history_query query = { .kind = -1, .limit = PAGE };
	struct history_row *rows = NULL;
	struct rec r;
	int64_t left = INT64_MAX, next = 1;
	enum gba_err err = rec_open(&r, cli, args, false);
	size_t n = 0, i;

	writer_prefer(cli->out, WRITER_TABLE);
	if (err == GBA_OK)
		err = history_options(&r, cli, &query, &left);
	while (err == GBA_OK && left > 0 && next > 0) {
		query.limit = left < PAGE ? (size_t)left : PAGE;
		err = rec_fail(&r, records_history(r.m, &r.call, &query, &rows, &n, &next), "history");
		for (i = 0; err == GBA_OK && i < n; i++)
			history_write(cli->out, r.family->set, &rows[i]);
		left -= (int64_t)n;
		query.after = next;
		TALLOC_FREE(rows);
	}
	return err;
}
