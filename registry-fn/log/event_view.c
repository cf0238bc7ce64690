/* SPDX-License-Identifier: Apache-2.0 */
/* What all events together say of a subject. Of several statements the one with the highest (lamport, origin) holds, in
 * whatever order they arrive: all registries come to the same. */
#include "registry-fn/id/regdevid.h"
#include "registry-fn/log/event_priv.h"

/* An IMEI is known by its TAC and SNR: the check digit may be missing, and the IMEISV has the software's version instead
 * (TS 23.003 6.2). */
static void identity_key(const char **type, struct bytes *value)
{
	if (strcmp(*type, "imei") != 0 && strcmp(*type, "imeisv") != 0)
		return;
	*type = "imei";
	value->n = value->n > 14 ? 14 : value->n;
}

/* ---- writing ---- */

static enum gba_err status_write(struct event_log *log, const struct event *event, const char *subject, enum trust_status status)
{
	static const char sql[] =
		"INSERT INTO event_subject (subject, registry, registered, removed, status, lamport, origin, at)"
		" VALUES (?1, '', 0, 0, ?2, ?3, ?4, ?5) ON CONFLICT (subject) DO UPDATE SET status = excluded.status,"
		" lamport = excluded.lamport, origin = excluded.origin, at = excluded.at"
		" WHERE event_subject.lamport < excluded.lamport"
		" OR (event_subject.lamport = excluded.lamport AND event_subject.origin < excluded.origin)";
	struct db_stmt *stmt;
	enum gba_err err = event_status_keep(log, event, subject, status);

	if (err == GBA_OK)
		err = event_stmt(log, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(subject));
	db_bind_int(stmt, 2, status);
	db_bind_int(stmt, 3, event->lamport);
	db_bind_text(stmt, 4, bytes_of(event->origin));
	db_bind_int(stmt, 5, event->at);
	return db_run(stmt, NULL);
}

static enum gba_err list_write(struct event_log *log, const struct event *event)
{
	const json_t *subjects = json_object_get(event->body, "subjects"), *one;
	enum trust_status status = TRUST_GREY;
	enum gba_err err = GBA_OK;
	size_t i;

	if (!event_status_of(event->body, &status))
		return GBA_OK;
	json_array_foreach((json_t *)(uintptr_t)subjects, i, one) {
		err = status_write(log, event, json_string_value(one), status);
		if (err != GBA_OK)
			break;
	}
	return err;
}

static const char *const attributes[] = { "make", "model", "kind", "root_of_trust" };
#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static struct bytes member(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return bytes_of(text != NULL ? text : "");
}

/* What a device is capable of: each on a line, with one before the first and one behind the last, so that a whole one is found. */
static enum gba_err capabilities_of(const json_t *body, char **_lines)
{
	static const char *const lists[] = { "communication", "protocols" };
	const json_t *one;
	size_t i, list;

	*_lines = talloc_strdup(NULL, "");
	for (list = 0; list < 2; list++) {
		json_array_foreach((json_t *)(uintptr_t)json_object_get(body, lists[list]), i, one) {
			if (*_lines != NULL && json_string_length(one) > 0)
				*_lines = talloc_asprintf_append(*_lines, "%s%s\n", **_lines == '\0' ? "\n" : "",
								 json_string_value(one));
		}
	}
	return *_lines != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* Of two registrations of one subject the later holds, as with status. */
static enum gba_err device_write(struct event_log *log, const struct event *event, bool *_holds)
{
#define LAST(column) column " = CASE WHEN excluded.removed = 0 THEN excluded." column " ELSE event_subject." column " END"
	static const char sql[] =
		"INSERT INTO event_subject (subject, registry, registered, removed, status, lamport, origin, at, make, model, kind,"
		" root_of_trust, capabilities) VALUES (?1, ?2, ?3, ?4, 0, 0, '', 0, ?5, ?6, ?7, ?8, ?9)"
		" ON CONFLICT (subject) DO UPDATE SET"
		" registry = excluded.registry, registered = excluded.registered, removed = excluded.removed, " LAST("make") ", "
		LAST("model") ", " LAST("kind") ", " LAST("root_of_trust") ", " LAST("capabilities")
		" WHERE event_subject.registered < excluded.registered"
		" OR (event_subject.registered = excluded.registered AND event_subject.registry < excluded.registry)";
	struct db_stmt *stmt;
	char *lines = NULL;
	enum gba_err err = event_stmt(log, sql, &stmt);
	int changed = 0;
	size_t i;

	*_holds = false;
	if (err == GBA_OK)
		err = capabilities_of(event->body, &lines);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->subject));
	db_bind_text(stmt, 2, bytes_of(event->origin));
	db_bind_int(stmt, 3, event->lamport);
	db_bind_int(stmt, 4, strcmp(event->kind, "device.removed") == 0);
	for (i = 0; i < ATTRIBUTES; i++)
		db_bind_text(stmt, 5 + (int)i, member(event->body, attributes[i]));
	db_bind_text(stmt, 5 + ATTRIBUTES, bytes_of(lines));
	err = db_run(stmt, &changed);
	*_holds = changed > 0;
	talloc_free(lines);
	return err;
}

/* Whose a device is, by the registry that has registered it and by nobody else. */
static enum gba_err owner_write(struct event_log *log, const struct event *event)
{
	static const char sql[] = "INSERT INTO event_owner (subject, registry, account) VALUES (?1, ?2, ?3) ON CONFLICT (subject)"
				  " DO UPDATE SET registry = excluded.registry, account = excluded.account";
	struct regdevid id;
	struct db_stmt *stmt;
	const char *why;
	enum gba_err err;

	if (strcmp(event->kind, "custodian.owns") != 0 || regdevid_parse(bytes_of(event->subject), &id, &why) != GBA_OK ||
	    strcmp(id.reg_id, event->origin) != 0)
		return GBA_OK;
	err = event_stmt(log, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->subject));
	db_bind_text(stmt, 2, bytes_of(event->origin));
	db_bind_text(stmt, 3, member(event->body, "account"));
	return db_run(stmt, NULL);
}

static enum gba_err identity_write(struct event_log *log, const struct event *event, const json_t *identity)
{
	static const char sql[] = "INSERT INTO event_identity (type, value, subject, lamport) VALUES (?1, ?2, ?3, ?4)"
				  " ON CONFLICT (type, value, subject) DO UPDATE SET lamport = excluded.lamport";
	struct bytes value = bytes_of(json_string_value(json_object_get(identity, "value")));
	const char *type = json_string_value(json_object_get(identity, "type"));
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	identity_key(&type, &value);
	db_bind_text(stmt, 1, bytes_of(type));
	db_bind_text(stmt, 2, value);
	db_bind_text(stmt, 3, bytes_of(event->subject));
	db_bind_int(stmt, 4, event->lamport);
	return db_run(stmt, NULL);
}

/* Its identities are those of the registration that holds. */
static enum gba_err device_update(struct event_log *log, const struct event *event)
{
	const json_t *identities = json_object_get(event->body, "identities"), *one;
	bool holds;
	enum gba_err err = device_write(log, event, &holds);
	size_t i;

	if (err != GBA_OK || !holds)
		return err;
	json_array_foreach((json_t *)(uintptr_t)identities, i, one) {
		if (err == GBA_OK)
			err = identity_write(log, event, one);
	}
	return err;
}

enum gba_err event_view_update(struct event_log *log, const struct event *event)
{
	enum trust_status status;

	switch (event->class) {
	case EVENT_DEVICE:
		return device_update(log, event);
	case EVENT_STATUS: case EVENT_BLACK:
		return event_status_of(event->body, &status) ? status_write(log, event, event->subject, status) : GBA_OK;
	case EVENT_LIST:
		return list_write(log, event);
	case EVENT_CUSTODIAN:
		return owner_write(log, event);
	default:
		return GBA_OK;
	}
}

/* ---- reading ---- */

#define VIEW_COLUMNS "s.registry, s.removed, s.status, s.lamport, s.origin, s.at"

static void view_read(struct db_stmt *stmt, struct event_view *view)
{
	view->known = true;
	event_copy(view->registry, sizeof(view->registry), db_col_text(stmt, 0));
	view->removed = db_col_int(stmt, 1) != 0;
	view->status = (enum trust_status)db_col_int(stmt, 2);
	view->status_lamport = db_col_int(stmt, 3);
	event_copy(view->status_origin, sizeof(view->status_origin), db_col_text(stmt, 4));
	view->status_at = (time_t)db_col_int(stmt, 5);
}

/* What is said since then does not count. */
static enum gba_err as_of(struct event_log *log, const char *subject, time_t at, struct event_view *view)
{
	struct event_statement said;
	TALLOC_CTX *tmp;
	enum gba_err err;

	if (view->status_at <= at)
		return GBA_OK;
	tmp = talloc_new(NULL);
	err = tmp != NULL ? event_status_at(log, tmp, subject, at, &said) : GBA_E_NOMEM;
	if (err == GBA_OK) {
		view->status = said.status;
		view->status_lamport = said.lamport;
		view->status_at = said.at;
		event_copy(view->status_origin, sizeof(view->status_origin), bytes_of(said.origin));
	}
	talloc_free(tmp);
	return err;
}

enum gba_err event_view_subject(struct event_log *log, const char *subject, time_t at, struct event_view *_view)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, "SELECT " VIEW_COLUMNS " FROM event_subject s WHERE s.subject = ?1", &stmt);

	memset(_view, 0, sizeof(*_view));
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(subject));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		view_read(stmt, _view);
	db_reset(stmt);
	return err == GBA_OK ? as_of(log, subject, at, _view) : err;
}

/* Black is worse than Grey, Grey than White. */
static unsigned int badness(enum trust_status status)
{
	return status == TRUST_BLACK ? 2 : status == TRUST_GREY;
}

enum gba_err event_view_identity(struct event_log *log, const char *type, struct bytes value, time_t at,
				 struct event_view *_view)
{
	static const char sql[] = "SELECT " VIEW_COLUMNS ", s.subject FROM event_identity i"
				  " JOIN event_subject s ON s.subject = i.subject"
				  " WHERE i.type = ?1 AND i.value = ?2 AND s.removed = 0"
				  " AND (i.lamport = s.registered OR i.lamport = 0)"; /* 0: of before they were told apart */
	char subject[EVENT_SUBJECT_MAX + 1];
	struct event_view one;
	struct db_stmt *stmt;
	bool row = true;
	enum gba_err err = event_stmt(log, sql, &stmt);

	memset(_view, 0, sizeof(*_view));
	if (err != GBA_OK)
		return err;
	identity_key(&type, &value);
	db_bind_text(stmt, 1, bytes_of(type));
	db_bind_text(stmt, 2, value);
	while (err == GBA_OK) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		memset(&one, 0, sizeof(one));
		view_read(stmt, &one);
		event_copy(subject, sizeof(subject), db_col_text(stmt, 6));
		err = as_of(log, subject, at, &one);
		if (!_view->known || badness(one.status) > badness(_view->status))
			*_view = one;
	}
	db_reset(stmt);
	return err;
}
