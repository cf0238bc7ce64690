/* SPDX-License-Identifier: Apache-2.0 */
/* Which events a subscriber wants, and which of them it may see (Y.3059 9.4-i-a). */
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

static char *text_of(TALLOC_CTX *ctx, struct db_stmt *stmt, int column)
{
	return talloc_asprintf(ctx, "%.*s", BYTES_FMT(db_col_text(stmt, column)));
}

/* A device of another registry: what its registration has said. */
static enum gba_err elsewhere_read(struct records *r, TALLOC_CTX *ctx, const struct event *event, struct about *_about)
{
	struct db_stmt *stmt;
	bool row = false;
	char *kind = NULL;
	enum gba_err err = records_stmt(r, "SELECT make, model, kind FROM event_subject WHERE subject = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->subject));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		kind = text_of(ctx, stmt, 2);
		*_about = (struct about){ .kind = kind_of(kind != NULL ? kind : ""),
					  .make = text_of(ctx, stmt, 0),
					  .model = text_of(ctx, stmt, 1) };
	}
	db_reset(stmt);
	return err == GBA_OK && (_about->make == NULL || _about->model == NULL) ? GBA_E_NOMEM : err;
}

static enum gba_err about_read(struct records *r, TALLOC_CTX *ctx, const struct event *event, struct about *_about)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err =
		records_stmt(r, "SELECT id, custodian, kind, make, model FROM device WHERE regdevid = ?1", &stmt);

	*_about = (struct about){ .kind = kind_of(member(event->body, "kind")),
				  .make = member(event->body, "make"),
				  .model = member(event->body, "model") };
	if (err != GBA_OK || (event->class != EVENT_DEVICE && event->class != EVENT_STATUS))
		return err;
	db_bind_text(stmt, 1, bytes_of(event->subject));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_about = (struct about){ db_col_int(stmt, 0), db_col_int(stmt, 1), db_col_int(stmt, 2),
					  text_of(ctx, stmt, 3), text_of(ctx, stmt, 4) };
	db_reset(stmt);
	if (err == GBA_OK && !row && strcmp(event->kind, "device.registered") != 0)
		return elsewhere_read(r, ctx, event, _about);
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
	if (v[SUBSCRIPTION_KINDS].t.n > 0 && !list_has(v[SUBSCRIPTION_KINDS].t, event->kind))
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
static enum gba_err vulnerability_may(struct records *r, TALLOC_CTX *ctx, const struct tell_sub *sub,
				      const struct event *event, bool *_may)
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

/* Rights of an enquirer, as bits. */
static enum gba_err rights_read(struct records *r, int64_t enquirer, unsigned int *_rights)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, "SELECT rights FROM enquirer WHERE id = ?1", &stmt);
	size_t i;

	*_rights = 0;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, enquirer);
	err = db_step(stmt, &row);
	for (i = 0; err == GBA_OK && row && reg_right_words[i] != NULL; i++) {
		if (db_col_text(stmt, 0).p != NULL && list_has(db_col_text(stmt, 0), reg_right_words[i]))
			*_rights |= 1U << i;
	}
	db_reset(stmt);
	return err;
}

#define BY_ATTRIBUTE (1U << RIGHT_MODEL | 1U << RIGHT_DETAILS)

static bool has_filters(const struct tell_sub *sub)
{
	const struct value *v = sub->rec->v;

	return v[SUBSCRIPTION_MAKE].t.p != NULL || v[SUBSCRIPTION_MODEL].t.p != NULL ||
	       v[SUBSCRIPTION_USE_CASES].t.n > 0;
}

enum gba_err tell_filters_may(struct records *r, const struct tell_sub *sub, bool *_may)
{
	unsigned int rights;
	enum gba_err err;

	*_may = true;
	if (sub->actor.role != REG_ROLE_ENQUIRER || !has_filters(sub))
		return GBA_OK;
	err = rights_read(r, sub->actor.id, &rights);
	*_may = (rights & BY_ATTRIBUTE) != 0;
	return err;
}

/* An enquirer is told of what it may ask by: of devices it names, or of all with the right to ask by model. A filter
 * tells of the attribute it is for. */
static enum gba_err enquirer_may(struct records *r, struct tell_sub *sub, bool *_may)
{
	unsigned int rights;
	enum gba_err err = rights_read(r, sub->actor.id, &rights);

	if (err != GBA_OK)
		return err;
	sub->narrow = (rights & 1U << RIGHT_DETAILS) == 0;
	*_may = (rights & 1U << RIGHT_MODEL) != 0 ||
		(sub->rec->v[SUBSCRIPTION_SUBJECTS].t.n > 0 && (rights & 1U << RIGHT_REGDEVID) != 0);
	if (has_filters(sub) && (rights & BY_ATTRIBUTE) == 0)
		*_may = false;
	return GBA_OK;
}

static enum gba_err device_may(struct records *r, struct tell_sub *sub, const struct about *about, bool *_may)
{
	int64_t found = 0;
	enum gba_err err;

	switch (sub->actor.role) {
	case REG_ROLE_CUSTODIAN: *_may = about->device != 0 && about->custodian == sub->actor.id; return GBA_OK;
	case REG_ROLE_MAKER:
		err = one_row(r, "SELECT 1 FROM maker WHERE name = ?1 AND id = ?2", sub->actor.id, about->make, &found);
		*_may = found != 0;
		return err;
	case REG_ROLE_ENQUIRER: return enquirer_may(r, sub, _may);
	default: return GBA_OK;
	}
}

static enum gba_err may_see(struct records *r, TALLOC_CTX *ctx, struct tell_sub *sub, const struct event *event,
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

/* Of a device: its status, and nothing of what it is. */
static void narrow(const struct event *event)
{
	json_t *status = json_incref(json_object_get(event->body, "status"));

	if (event->class == EVENT_DEVICE || event->class == EVENT_STATUS) {
		json_object_clear(event->body);
		if (status != NULL)
			json_object_set(event->body, "status", status);
	}
	json_decref(status);
}

/* Streams of a registry overtake each other: a status that came here after a later one of its subject says so. */
static enum gba_err overtaken(struct records *r, const struct event *event, bool *_is)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r,
					"SELECT 1 FROM event_status AS s JOIN event AS e ON e.origin = s.origin AND"
					" e.class = s.class AND e.number = s.number WHERE s.subject = ?1 AND (s.lamport > ?2 OR"
					" (s.lamport = ?2 AND s.origin > ?3)) AND e.seq < ?4 LIMIT 1",
					&stmt);

	*_is = false;
	if (err != GBA_OK || event->class != EVENT_STATUS)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->subject));
	db_bind_int(stmt, 2, event->lamport);
	db_bind_text(stmt, 3, bytes_of(event->origin));
	db_bind_int(stmt, 4, event->seq);
	err = db_step(stmt, _is);
	db_reset(stmt);
	return err;
}

/* @param _item  of the event when it is for the subscriber; else its event is NULL */
static enum gba_err look_at(struct records *r, TALLOC_CTX *ctx, const struct tell_sub *sub, struct event *event,
			    struct tell_item *_item)
{
	struct tell_sub as = *sub;
	struct about about;
	bool may = false, late = false;
	enum gba_err err;

	if (event->class == EVENT_BLACK) { /* which stream it came by is the registries' own affair */
		event->class = EVENT_STATUS;
		event->kind = "status.set";
	}
	err = about_read(r, ctx, event, &about);
	*_item = (struct tell_item){ NULL, "", "" };
	if (err == GBA_OK && wants(sub, event, &about))
		err = may_see(r, ctx, &as, event, &about, &may);
	if (err == GBA_OK && may)
		err = overtaken(r, event, &late);
	if (err != GBA_OK || !may)
		return err;
	_item->event = event;
	if ((WIDE & 1U << sub->actor.role) == 0)
		json_object_del(event->body, "identities");
	if (as.narrow)
		narrow(event);
	if (late)
		json_object_set_new(event->body, "overtaken", json_true());
	if (as.narrow)
		return GBA_OK;
	_item->make = talloc_strdup(ctx, about.make);
	_item->model = talloc_strdup(ctx, about.model);
	return _item->make != NULL && _item->model != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* One look at the log. Events that nobody wants are not kept. */
static enum gba_err look(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t upto, size_t limit,
			 struct tell_page *page, size_t *_octets)
{
	struct event *events = NULL;
	size_t i, n = 0, before = page->n;
	enum gba_err err = event_next(registry_handle_of(r)->events, mem_ctx, page->seen, LOOK, &events, &n);

	page->end = err == GBA_OK && n < LOOK;
	for (i = 0; err == GBA_OK && i < n; i++) {
		if (upto > 0 && events[i].seq > upto) {
			page->end = true;
			break;
		}
		if (page->n == limit || *_octets >= TELL_OCTETS) {
			page->end = false;
			break;
		}
		err = look_at(r, events, sub, &events[i], &page->items[page->n]);
		if (err == GBA_OK && page->items[page->n].event != NULL) {
			page->n++;
			*_octets += events[i].wire.n;
		}
		page->seen = events[i].seq;
	}
	if (err != GBA_OK || page->n == before)
		talloc_free(events);
	return err;
}

enum gba_err tell_read(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t after, int64_t upto,
		       size_t limit, struct tell_page *_page)
{
	enum gba_err err = GBA_OK;
	size_t octets = 0;
	int looks = 0;

	_page->n = 0;
	_page->seen = after;
	_page->end = false;
	while (err == GBA_OK && !_page->end && looks++ < TELL_LOOKS && _page->n < limit && octets < TELL_OCTETS)
		err = look(r, mem_ctx, sub, upto, limit, _page, &octets);
	return err;
}

enum gba_err tell_at(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq,
		     struct tell_item *_item)
{
	struct event *events = NULL;
	size_t n = 0;
	enum gba_err err = event_next(registry_handle_of(r)->events, mem_ctx, seq - 1, 1, &events, &n);

	*_item = (struct tell_item){ NULL, "", "" };
	if (err != GBA_OK || n == 0 || events[0].seq != seq)
		return err;
	return look_at(r, events, sub, &events[0], _item);
}
