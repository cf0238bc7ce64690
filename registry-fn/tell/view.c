/* SPDX-License-Identifier: Apache-2.0 */
/* Which events a subscriber wants, and which of them it may see (Y.3059 9.4-i-a). */
#include "jose/jws.h"
#include "registry-fn/tell/tell.h"
#include "registry-fn/trust/trust.h"

#define LOOK 64 /* [events] at a time */
#define WIDE (FOR_ADMIN | FOR_AGENCY)

/* What is known here of an event's subject. Absent texts are "". */
struct about {
	int64_t device, custodian, kind; /* device 0: none of ours; kind -1: unknown */
	const char *make, *model;
};

static bool list_has(struct bytes list, const char *word)
{
	size_t n = strlen(word), i, start = 0;

	for (i = 0; i <= list.n; i++) {
		if (i < list.n && list.p[i] != '\n')
			continue;
		if (i - start == n && memcmp(list.p + start, word, n) == 0)
			return true;
		start = i + 1;
	}
	return false;
}

static const char *member(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text != NULL ? text : "";
}

static int64_t kind_of(const char *word)
{
	int64_t i;

	for (i = 0; reg_device_kind_words[i] != NULL; i++) {
		if (strcmp(word, reg_device_kind_words[i]) == 0)
			return i;
	}
	return -1;
}

static enum gba_err about_read(struct records *r, TALLOC_CTX *ctx, const struct event *event, struct about *_about)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, "SELECT id, custodian, kind, make, model FROM device WHERE regdevid = ?1", &stmt);

	*_about = (struct about){ .kind = kind_of(member(event->body, "kind")), .make = member(event->body, "make"),
				  .model = member(event->body, "model") };
	if (err != GBA_OK || (event->class != EVENT_DEVICE && event->class != EVENT_STATUS))
		return err;
	db_bind_text(stmt, 1, bytes_of(event->subject));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_about = (struct about){ db_col_int(stmt, 0), db_col_int(stmt, 1), db_col_int(stmt, 2),
					  talloc_asprintf(ctx, "%.*s", BYTES_FMT(db_col_text(stmt, 3))),
					  talloc_asprintf(ctx, "%.*s", BYTES_FMT(db_col_text(stmt, 4))) };
	db_reset(stmt);
	return err == GBA_OK && (_about->make == NULL || _about->model == NULL) ? GBA_E_NOMEM : err;
}

static bool text_fits(struct bytes wanted, const char *text)
{
	return wanted.p == NULL || bytes_eq_str(wanted, text);
}

static bool wants(const struct tell_sub *sub, const struct event *event, const struct about *about)
{
	const struct value *v = sub->rec->v;
	enum trust_status status;

	if (v[SUBSCRIPTION_EVENTS].t.n > 0 && !list_has(v[SUBSCRIPTION_EVENTS].t, event_class_names[event->class]))
		return false;
	if (v[SUBSCRIPTION_SUBJECTS].t.n > 0 && !list_has(v[SUBSCRIPTION_SUBJECTS].t, event->subject))
		return false;
	if (v[SUBSCRIPTION_STATUSES].t.n > 0 && event_status_of(event->body, &status) &&
	    !list_has(v[SUBSCRIPTION_STATUSES].t, trust_status_names[status]))
		return false;
	if (!text_fits(v[SUBSCRIPTION_MAKE].t, about->make) || !text_fits(v[SUBSCRIPTION_MODEL].t, about->model))
		return false;
	return v[SUBSCRIPTION_USE_CASES].t.n == 0 ||
	       (about->kind >= 0 && list_has(v[SUBSCRIPTION_USE_CASES].t, reg_device_kind_words[about->kind]));
}

static enum gba_err one_row(struct records *r, const char *sql, int64_t id, const char *text, int64_t *_found)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, sql, &stmt);

	*_found = 0;
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(text));
	if (id != 0)
		db_bind_int(stmt, 2, id);
	err = records_int(stmt, _found);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* By disclosure: who may read the record may be told of it. What other registries say of theirs has no record here. */
static enum gba_err vulnerability_may(struct records *r, TALLOC_CTX *ctx, const struct tell_sub *sub, const struct event *event,
				      bool *_may)
{
	struct record_call call = { .actor = &sub->actor, .mem_ctx = ctx };
	int64_t id = 0;
	enum gba_err err = GBA_OK;

	if (strcmp(event->origin, registry_handle_of(r)->registry.conf->reg_id) != 0)
		return GBA_OK;
	err = one_row(r, "SELECT id FROM vulnerability WHERE reference = ?1", 0, event->subject, &id);
	if (err != GBA_OK || id == 0)
		return err;
	err = record_visible(r, &call, REG_VULNERABILITY, id);
	*_may = err == GBA_OK;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* An enquirer is told of what it may ask by: of devices it names, or of all with the right to ask by model. */
static enum gba_err enquirer_may(struct records *r, const struct tell_sub *sub, bool *_may)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, "SELECT rights FROM enquirer WHERE id = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->actor.id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row && db_col_text(stmt, 0).p != NULL)
		*_may = list_has(db_col_text(stmt, 0), reg_right_words[RIGHT_MODEL]) ||
			(sub->rec->v[SUBSCRIPTION_SUBJECTS].t.n > 0 &&
			 list_has(db_col_text(stmt, 0), reg_right_words[RIGHT_REGDEVID]));
	db_reset(stmt);
	return err;
}

static enum gba_err device_may(struct records *r, const struct tell_sub *sub, const struct about *about, bool *_may)
{
	int64_t found = 0;
	enum gba_err err;

	switch (sub->actor.role) {
	case REG_ROLE_CUSTODIAN:
		*_may = about->device != 0 && about->custodian == sub->actor.id;
		return GBA_OK;
	case REG_ROLE_MAKER:
		err = one_row(r, "SELECT 1 FROM maker WHERE name = ?1 AND id = ?2", sub->actor.id, about->make, &found);
		*_may = found != 0;
		return err;
	case REG_ROLE_ENQUIRER:
		return enquirer_may(r, sub, _may);
	default:
		return GBA_OK;
	}
}

static enum gba_err may_see(struct records *r, TALLOC_CTX *ctx, const struct tell_sub *sub, const struct event *event,
			    const struct about *about, bool *_may)
{
	*_may = false;
	if (event->class == EVENT_CUSTODIAN) /* personal data never leave by this door (9.1-iii) */
		return GBA_OK;
	if ((WIDE & 1U << sub->actor.role) != 0) {
		*_may = true;
		return GBA_OK;
	}
	if (event->class == EVENT_VULNERABILITY)
		return vulnerability_may(r, ctx, sub, event, _may);
	return event->class == EVENT_DEVICE || event->class == EVENT_STATUS ? device_may(r, sub, about, _may) : GBA_OK;
}

static enum gba_err is_for(struct records *r, TALLOC_CTX *ctx, const struct tell_sub *sub, const struct event *event, bool *_for)
{
	struct about about;
	enum gba_err err = about_read(r, ctx, event, &about);

	*_for = false;
	if (err == GBA_OK && wants(sub, event, &about))
		err = may_see(r, ctx, sub, event, &about, _for);
	if (*_for && (WIDE & 1U << sub->actor.role) == 0)
		json_object_del(event->body, "identities");
	return err;
}

enum gba_err tell_next(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t after, struct event **_event,
		       int64_t *_seen)
{
	struct event *events = NULL;
	size_t i, n = 0;
	bool found = false;
	enum gba_err err = event_next(registry_handle_of(r)->events, mem_ctx, after, LOOK, &events, &n);

	*_event = NULL;
	*_seen = after;
	for (i = 0; err == GBA_OK && !found && i < n; i++) {
		err = is_for(r, mem_ctx, sub, &events[i], &found);
		if (err != GBA_OK)
			return err;
		*_seen = events[i].seq;
		if (found)
			*_event = &events[i];
	}
	return err;
}

enum gba_err tell_at(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq, struct event **_event)
{
	struct event *events = NULL;
	size_t n = 0;
	bool found = false;
	enum gba_err err = event_next(registry_handle_of(r)->events, mem_ctx, seq - 1, 1, &events, &n);

	*_event = NULL;
	if (err == GBA_OK && n == 1 && events[0].seq == seq)
		err = is_for(r, mem_ctx, sub, &events[0], &found);
	if (err == GBA_OK && found)
		*_event = &events[0];
	return err;
}

char *tell_jti(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq)
{
	return talloc_asprintf(mem_ctx, "%s-%lld-%lld", registry_handle_of(r)->registry.conf->reg_id, (long long)sub->rec->id,
			       (long long)seq);
}

int64_t tell_place(struct records *r, const struct tell_sub *sub, const char *jti)
{
	const char *last = strrchr(jti, '-');
	int64_t seq = last != NULL && strlen(last) <= 19 ? strtoll(last + 1, NULL, 10) : 0;
	char *same = tell_jti(r, NULL, sub, seq);
	bool ours = seq > 0 && same != NULL && strcmp(same, jti) == 0;

	talloc_free(same);
	return ours ? seq : 0;
}

/* RFC 8417 2.2; the subject as RFC 9493 3.2.7 has it. */
enum gba_err tell_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, const struct event *event,
			char **_text)
{
	const struct registry *registry = &registry_handle_of(r)->registry;
	char *type = talloc_asprintf(mem_ctx, "urn:gba:registry:%s", event->kind);
	char *jti = tell_jti(r, mem_ctx, sub, event->seq);
	json_t *set = NULL;
	enum gba_err err = GBA_E_NOMEM;

	if (type != NULL && jti != NULL)
		set = json_pack("{s:s, s:I, s:I, s:s, s:s, s:{s:s, s:s}, s:{s:{s:s, s:I, s:O}}}", "iss",
				registry->conf->reg_id, "iat", (json_int_t)event->at, "toe", (json_int_t)event->at, "jti", jti,
				"aud", sub->actor.name, "sub_id",
				"format", "opaque", "id", event->subject, "events", type, "origin", event->origin, "number",
				(json_int_t)event->number, "body", event->body);
	if (set != NULL)
		err = jws_sign_json(mem_ctx, registry->key, TELL_TYP, set, _text);
	json_decref(set);
	return err;
}
