/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "tools/gba-ctl/rec.h"

enum gba_err rec_fail(struct rec *r, enum gba_err err, const char *what)
{
	char member[40] = "", *at;

	if (err == GBA_OK)
		return GBA_OK;
	if (r->call.field[0] != '\0')
		snprintf(member, sizeof(member), "--%s: ", r->call.field);
	for (at = member; *at != '\0'; at++)
		*at = *at == '_' ? '-' : *at;
	if (r->call.why[0] == '\0')
		return ctl_fail_err(r->ctl, err, what);
	return why_fail(&r->ctl->cli.why, err, "%s: %s%s", what, member, r->call.why);
}

static enum gba_err role_choose(struct rec *r, const char *word)
{
	const char *const *roles = r->family->set->roles;
	int role;

	r->actor.role = r->family->role;
	for (role = 0; word != NULL && roles[role] != NULL; role++) {
		if (strcmp(roles[role], word) == 0 && (r->family->roles & (1U << role)) != 0) {
			r->actor.role = role;
			return GBA_OK;
		}
	}
	return word == NULL ? GBA_OK : why_fail(&r->ctl->cli.why, GBA_E_SYNTAX, "--role: '%s' is none to act in", word);
}

enum gba_err rec_open(struct rec *r, struct cli *cli, const struct rec_args *args, bool change)
{
	const struct passwd *user = getpwuid(getuid());
	struct ctl *ctl = (struct ctl *)cli;
	enum gba_err err;

	*r = (struct rec){ .ctl = ctl, .args = args, .command = rec_command_of(ctl->cmd) };
	r->family = r->command->family;
	r->kind = r->command->kind;
	err = role_choose(r, args->role);
	if (err != GBA_OK)
		return err;
	r->actor.name = talloc_asprintf(cli->ctx, "%s:%s", r->family->set->roles[r->actor.role],
					user != NULL ? user->pw_name : "unknown");
	r->call = (struct record_call){ .actor = &r->actor, .now = clock_now(), .mem_ctx = cli->ctx };
	return r->family->open(r, change && !args->dry_run);
}

static bool all_digits(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		;
	return text.n > 0 && text.n < 19 && i == text.n;
}

/* The natural key's members, in order. */
static size_t key_members(const struct record_kind *kind, const struct field **members)
{
	size_t i, n = 0;

	for (i = 0; i < kind->count; i++) {
		if ((kind->fields[i].flags & FIELD_KEY) != 0 && n < 2)
			members[n++] = &kind->fields[i];
	}
	return n;
}

static enum gba_err find_by(struct rec *r, const struct record_kind *kind, const struct field *const *member,
			    const struct bytes *text, size_t n, struct record **_rec)
{
	json_t *key = json_object();
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < n; i++)
		err = rec_member(r, member[i], text[i], key);
	if (err == GBA_OK)
		err = records_find(r->m, &r->call, kind->id, key, _rec);
	json_decref(key);
	return err;
}

static enum gba_err find(struct rec *r, const struct record_kind *kind, struct bytes text, const char *second,
			 struct record **_rec)
{
	const struct field *member[2];
	struct bytes part[2] = { text, bytes_of(second) };
	size_t n = key_members(kind, member);
	char id[24] = "";
	enum gba_err err;

	if (second == NULL && all_digits(text)) {
		memcpy(id, text.p, text.n);
		return records_get(r->m, &r->call, kind->id, strtoll(id, NULL, 10), _rec);
	}
	if (n == 2 && second == NULL && !bytes_split(text, ':', &part[0], &part[1])) {
		err = r->family->find != NULL ? r->family->find(r, kind, text, _rec) : GBA_E_UNSUPPORTED;
		if (err != GBA_E_UNSUPPORTED)
			return err;
		snprintf(r->call.why, sizeof(r->call.why), "an id, or %s:%s", member[0]->name, member[1]->name);
		return GBA_E_SYNTAX;
	}
	if (n == 0 || (n == 1 && second != NULL)) {
		snprintf(r->call.why, sizeof(r->call.why), "an id is needed");
		return GBA_E_SYNTAX;
	}
	return find_by(r, kind, member, part, n, _rec);
}

enum gba_err rec_find(struct rec *r, const struct record_kind *kind, const char *text, const char *second,
		      struct record **_rec)
{
	return rec_fail(r, find(r, kind, bytes_of(text), second, _rec), text);
}

enum gba_err rec_member(struct rec *r, const struct field *field, struct bytes text, json_t *object)
{
	struct record *rec = NULL;
	struct field alone = *field;
	struct record_kind kind = { .name = "", .fields = &alone, .count = 1 };
	enum gba_err err;

	if (field->type != FIELD_REF || text.n == 0 || all_digits(text))
		return records_value(&r->call, &kind, field->name, text, object);
	err = find(r, &r->family->set->kinds[field->ref], text, NULL, &rec);
	if (err == GBA_OK)
		json_object_set_new(object, field->name, json_integer(rec->id));
	else
		snprintf(r->call.field, sizeof(r->call.field), "%s", field->name);
	talloc_free(rec);
	return err;
}

enum gba_err rec_values(struct rec *r, json_t **_object)
{
	json_error_t error;
	json_t *object;
	enum gba_err err = GBA_OK;
	size_t i;

	if (r->args->values == NULL)
		object = json_object();
	else if (strcmp(r->args->values, "-") == 0)
		object = json_loadf(stdin, JSON_REJECT_DUPLICATES, &error);
	else
		object = json_load_file(r->args->values, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(object)) {
		json_decref(object);
		return why_fail(&r->ctl->cli.why, GBA_E_SYNTAX, "--values: no JSON object%s%s",
				object == NULL ? ": " : "", object == NULL ? error.text : "");
	}
	for (i = 0; err == GBA_OK && i < r->command->members; i++) {
		if (r->args->value[i] != NULL)
			err = rec_member(r, r->command->member[i], bytes_of(r->args->value[i]), object);
	}
	if (err != GBA_OK) {
		json_decref(object);
		return rec_fail(r, err, r->kind->name);
	}
	*_object = object;
	return GBA_OK;
}

static void value_write(struct writer *out, const struct field *field, const struct value *value)
{
	switch (field->type) {
	case FIELD_INT: writer_int(out, field->name, value->n); break;
	case FIELD_BOOL: writer_bool(out, field->name, value->n != 0); break;
	case FIELD_WORD: writer_text(out, field->name, bytes_of(field->words[value->n])); break;
	case FIELD_TIME: writer_time(out, field->name, value->n); break;
	case FIELD_LIST: writer_list(out, field->name, value->t); break;
	case FIELD_REF:
		if (value->n != 0)
			writer_int(out, field->name, value->n);
		else
			writer_text(out, field->name, BYTES_NONE);
		break;
	default: writer_text(out, field->name, value->t); break;
	}
}

void rec_write(struct rec *r, const struct record *rec)
{
	struct writer *out = r->ctl->cli.out;
	size_t i;

	writer_int(out, "id", rec->id);
	writer_int(out, "rev", rec->rev);
	for (i = 0; i < rec->kind->count; i++) {
		const struct field *field = &rec->kind->fields[i];

		if ((field->read & (1U << r->actor.role)) != 0 && (field->flags & FIELD_HIDDEN) == 0)
			value_write(out, field, &rec->v[i]);
	}
	writer_time(out, "created", rec->created);
	writer_time(out, "changed", rec->changed);
	writer_end(out);
}
