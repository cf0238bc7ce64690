/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/log/event.h"

#include <stdlib.h>

#include "registry-fn/log/event_priv.h"

enum gba_err event_stmt(struct event_log *log, const char *sql, struct db_stmt **_stmt)
{
	enum gba_err err;
	size_t i;

	for (i = 0; i < log->statements; i++) {
		if (log->statement[i].sql == sql) {
			*_stmt = log->statement[i].stmt;
			return GBA_OK;
		}
	}
	if (log->statements == EVENT_STATEMENTS)
		return GBA_E_INTERNAL;
	err = db_prepare(log->db, sql, _stmt);
	if (err != GBA_OK)
		return err;
	log->statement[i].sql = sql;
	log->statement[i].stmt = *_stmt;
	log->statements++;
	return GBA_OK;
}

enum gba_err event_int(struct db_stmt *stmt, int64_t *_value)
{
	bool row = false;
	enum gba_err err = db_step(stmt, &row);

	*_value = 0;
	if (err == GBA_OK && row)
		*_value = db_col_int(stmt, 0);
	db_reset(stmt);
	return err;
}

enum gba_err event_log_open(TALLOC_CTX *mem_ctx, struct db *db, const struct event_self *self, struct event_log **_log)
{
	struct event_log *log = talloc_zero(mem_ctx, struct event_log);

	if (log == NULL)
		return GBA_E_NOMEM;
	log->db = db;
	log->self = *self;
	event_copy(log->reg_id, sizeof(log->reg_id), bytes_of(self->reg_id));
	log->self.reg_id = log->reg_id;
	*_log = log;
	return GBA_OK;
}

void event_log_listen(struct event_log *log, event_listener listener, void *arg)
{
	log->listener = listener;
	log->listener_arg = arg;
}

/* ---- streams and the clock ---- */

enum gba_err event_stream_read(struct event_log *log, const char *origin, enum event_class class, struct event_stream *_stream)
{
	static const char sql[] = "SELECT number, lamport, digest FROM event_stream WHERE origin = ?1 AND class = ?2";
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, sql, &stmt);

	memset(_stream, 0, sizeof(*_stream));
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(origin));
	db_bind_int(stmt, 2, class);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		_stream->number = db_col_int(stmt, 0);
		_stream->lamport = db_col_int(stmt, 1);
		if (db_col_blob(stmt, 2).n == EVENT_DIGEST_LEN)
			memcpy(_stream->digest, db_col_blob(stmt, 2).p, EVENT_DIGEST_LEN);
		else
			err = GBA_E_CORRUPT;
	}
	db_reset(stmt);
	return err;
}

enum gba_err event_stream_write(struct event_log *log, const struct event *event, const uint8_t digest[EVENT_DIGEST_LEN])
{
	static const char sql[] = "INSERT INTO event_stream (origin, class, number, lamport, digest) VALUES (?1, ?2, ?3, ?4, ?5)"
				  " ON CONFLICT (origin, class) DO UPDATE SET number = excluded.number,"
				  " lamport = excluded.lamport, digest = excluded.digest";
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->origin));
	db_bind_int(stmt, 2, event->class);
	db_bind_int(stmt, 3, event->number);
	db_bind_int(stmt, 4, event->lamport);
	db_bind_blob(stmt, 5, BYTES(digest, EVENT_DIGEST_LEN));
	return db_run(stmt, NULL);
}

static enum gba_err clock_read(struct event_log *log, int64_t *_lamport)
{
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, "SELECT lamport FROM event_clock WHERE id = 1", &stmt);

	return err == GBA_OK ? event_int(stmt, _lamport) : err;
}

static enum gba_err clock_write(struct event_log *log, int64_t lamport)
{
	static const char sql[] = "INSERT INTO event_clock (id, lamport) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET"
				  " lamport = excluded.lamport WHERE event_clock.lamport < excluded.lamport";
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, lamport);
	return db_run(stmt, NULL);
}

/* ---- entering an event ---- */

static enum gba_err row_write(struct event_log *log, struct event *event)
{
	static const char sql[] = "INSERT INTO event (origin, class, number, wire) VALUES (?1, ?2, ?3, ?4) RETURNING seq";
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->origin));
	db_bind_int(stmt, 2, event->class);
	db_bind_int(stmt, 3, event->number);
	db_bind_blob(stmt, 4, event->wire);
	return event_int(stmt, &event->seq);
}

/* What a caller would take for a judgement of the event, and go on. */
static bool is_refusal(enum gba_err err)
{
	switch (err) {
	case GBA_E_TOO_LONG: case GBA_E_SYNTAX: case GBA_E_RANGE: case GBA_E_DENIED: case GBA_E_SIGNATURE: case GBA_E_GAP:
	case GBA_E_FORK: case GBA_E_NOT_FOUND:
		return true;
	default:
		return false;
	}
}

/* Its row, its stream, and what it changes: all in the caller's transaction. */
static enum gba_err enter(struct event_log *log, struct event *event)
{
	uint8_t digest[EVENT_DIGEST_LEN];
	enum gba_err err;

	event_digest(event->wire, digest);
	err = row_write(log, event);
	if (err == GBA_OK)
		err = event_stream_write(log, event, digest);
	if (err == GBA_OK)
		err = clock_write(log, event->lamport);
	if (err == GBA_OK && event->class == EVENT_REGISTRY)
		err = event_registry_heard(log, event);
	if (err == GBA_OK)
		err = event_view_update(log, event);
	if (err == GBA_OK && log->listener != NULL)
		err = log->listener(log->listener_arg, event);
	return is_refusal(err) ? GBA_E_INTERNAL : err; /* what is entered by half must not be committed */
}

/* Sign the event's text and enter it. */
static enum gba_err say(struct event_log *log, struct event *event, const struct event_stream *stream)
{
	char *text = event_text(event, stream->digest);
	size_t n = text != NULL ? strlen(text) : 0;
	uint8_t *wire = NULL;
	enum gba_err err;

	if (text == NULL)
		return GBA_E_NOMEM;
	err = n > EVENT_TEXT_MAX ? GBA_E_TOO_LONG : GBA_OK;
	if (err == GBA_OK) {
		wire = talloc_size(log, SIGN_LEN + n);
		err = wire == NULL ? GBA_E_NOMEM : sign(log->self.key, BYTES(text, n), wire);
	}
	if (err == GBA_OK) {
		memcpy(wire + SIGN_LEN, text, n);
		event->wire = BYTES(wire, SIGN_LEN + n);
		err = enter(log, event);
	}
	talloc_free(wire);
	free(text);
	return err;
}

/* What was said last of a subject in its class; 0: nothing. */
static enum gba_err subject_clock(struct event_log *log, const struct event *event, int64_t *_lamport)
{
	static const char status[] = "SELECT lamport FROM event_subject WHERE subject = ?1";
	static const char device[] = "SELECT registered FROM event_subject WHERE subject = ?1";
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, event->class == EVENT_DEVICE ? device : status, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->subject));
	err = db_step(stmt, &row);
	*_lamport = err == GBA_OK && row ? db_col_int(stmt, 0) : 0;
	db_reset(stmt);
	return err;
}

/* Above all that was seen. More than a thousand events a second would run ahead of the clock, until others refuse them: then those
 * about different devices share a moment, and each is still above all that was seen of its own. */
static enum gba_err clock_next(struct event_log *log, const struct event *event, time_t now, int64_t *_lamport)
{
	int64_t clock, own, ms = (int64_t)now * 1000;
	enum gba_err err = clock_read(log, &clock);

	if (err != GBA_OK)
		return err;
	*_lamport = clock + 1 > ms ? clock + 1 : ms;
	if (clock < ms + EVENT_AHEAD_MS ||
	    (event->class != EVENT_STATUS && event->class != EVENT_BLACK && event->class != EVENT_DEVICE))
		return GBA_OK;
	err = subject_clock(log, event, &own);
	if (err == GBA_OK && own < clock)
		*_lamport = clock;
	return err;
}

enum gba_err event_append(struct event_log *log, const char *kind, const char *subject, const json_t *body, time_t now,
			  int64_t *_seq)
{
	struct event event = { .at = now, .kind = kind, .subject = subject, .body = (json_t *)(uintptr_t)body };
	struct event_stream stream;
	enum gba_err err;

	if (subject[0] == '\0' || strlen(subject) > EVENT_SUBJECT_MAX || !json_is_object(body))
		return GBA_E_RANGE;
	event_copy(event.origin, sizeof(event.origin), bytes_of(log->reg_id));
	err = event_class_of(kind, &event.class);
	if (err == GBA_OK)
		err = event_rules(&event, log->self.type);
	if (err == GBA_OK)
		err = event_stream_read(log, event.origin, event.class, &stream);
	if (err == GBA_OK)
		err = clock_next(log, &event, now, &event.lamport);
	if (err != GBA_OK)
		return err;
	event.number = stream.number + 1;
	err = say(log, &event, &stream);
	if (err == GBA_OK && _seq != NULL)
		*_seq = event.seq;
	return err;
}

/* ---- what others say ---- */

/* A number that is known: the same event again, or another one? */
static enum gba_err compare_known(struct event_log *log, const struct event *event)
{
	static const char sql[] = "SELECT wire FROM event WHERE origin = ?1 AND class = ?2 AND number = ?3";
	uint8_t known[EVENT_DIGEST_LEN], digest[EVENT_DIGEST_LEN];
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(event->origin));
	db_bind_int(stmt, 2, event->class);
	db_bind_int(stmt, 3, event->number);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row && db_col_blob(stmt, 0).n > SIGN_LEN) {
		event_digest(db_col_blob(stmt, 0), known);
		event_digest(event->wire, digest);
		if (memcmp(known, digest, sizeof(known)) != 0)
			err = GBA_E_FORK;
	}
	db_reset(stmt);
	return err;
}

static enum gba_err check_place(struct event_log *log, const struct event *event, const uint8_t previous[EVENT_DIGEST_LEN],
				bool *_known)
{
	struct event_stream stream;
	enum gba_err err = event_stream_read(log, event->origin, event->class, &stream);

	*_known = false;
	if (err != GBA_OK)
		return err;
	if (event->number <= stream.number) {
		*_known = true;
		return compare_known(log, event);
	}
	if (event->number > stream.number + 1)
		return GBA_E_GAP;
	if (memcmp(previous, stream.digest, EVENT_DIGEST_LEN) != 0)
		return GBA_E_FORK;
	return event->lamport >= stream.lamport ? GBA_OK : GBA_E_RANGE;
}

static enum gba_err take_read(struct event_log *log, struct event *event, const uint8_t previous[EVENT_DIGEST_LEN], time_t now,
			      bool *_new)
{
	enum registry_type type;
	bool known = false;
	enum gba_err err;

	err = event_signed(log, event, &type);
	if (err == GBA_OK)
		err = check_place(log, event, previous, &known);
	if (err != GBA_OK || known)
		return err;
	if (event->lamport > (int64_t)now * 1000 + EVENT_SKEW_MS)
		return GBA_E_RANGE;
	err = event_rules(event, type);
	if (err == GBA_OK)
		err = enter(log, event);
	*_new = err == GBA_OK;
	return err;
}

enum gba_err event_take(struct event_log *log, struct bytes wire, unsigned int classes, time_t now, bool *_new)
{
	uint8_t previous[EVENT_DIGEST_LEN];
	struct event event = { 0 };
	json_t *root = NULL;
	enum gba_err err;

	*_new = false;
	err = event_read(wire, &event, previous, &root);
	if (err != GBA_OK)
		return err;
	err = (classes & 1u << event.class) != 0 ? take_read(log, &event, previous, now, _new) : GBA_E_DENIED;
	json_decref(root);
	return err;
}

/* ---- reading ---- */

static int root_free(json_t **root)
{
	json_decref(*root);
	return 0;
}

static enum gba_err row_read(TALLOC_CTX *ctx, struct db_stmt *stmt, void *_row)
{
	struct bytes wire = db_col_blob(stmt, 1);
	uint8_t previous[EVENT_DIGEST_LEN], *copy;
	json_t **root = talloc_zero(ctx, json_t *);
	struct event *event = _row;
	enum gba_err err;

	copy = talloc_memdup(ctx, wire.p, wire.n);
	if (root == NULL || (copy == NULL && wire.n > 0))
		return GBA_E_NOMEM;
	err = event_read(BYTES(copy, wire.n), event, previous, root);
	if (err != GBA_OK)
		return err == GBA_E_NOMEM ? err : GBA_E_CORRUPT;
	talloc_set_destructor(root, root_free);
	event->seq = db_col_int(stmt, 0);
	return GBA_OK;
}

static enum gba_err page_read(TALLOC_CTX *mem_ctx, struct db_stmt *stmt, const struct event_range *range, struct event **_events,
			      size_t *_n)
{
	void *events = NULL;
	enum gba_err err;

	db_bind_int(stmt, 1, range->after);
	db_bind_int(stmt, 2, (int64_t)range->limit);
	db_bind_int(stmt, 3, range->upto);
	err = db_page(mem_ctx, stmt, sizeof(struct event), range->limit, row_read, &events, _n);
	if (err == GBA_OK)
		*_events = events;
	return err;
}

#define PAGE(classes) "SELECT seq, wire FROM event WHERE seq > ?1 AND seq <= ?3" classes " ORDER BY seq LIMIT ?2"

enum gba_err event_next(struct event_log *log, TALLOC_CTX *mem_ctx, int64_t after, size_t limit, struct event **_events,
			size_t *_n)
{
	const struct event_range range = { after, INT64_MAX, limit };
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, PAGE(""), &stmt);

	return err == GBA_OK ? page_read(mem_ctx, stmt, &range, _events, _n) : err;
}

_Static_assert(EVENT_REGISTRY == 0 && EVENT_DEVICE == 1 && EVENT_STATUS == 2 && EVENT_VULNERABILITY == 3 && EVENT_LIST == 4 &&
	       EVENT_CUSTODIAN == 5 && EVENT_BLACK == 6, "as in the texts below and in event_schema_5");

enum event_lane event_lane_of(enum event_class class)
{
	switch (class) {
	case EVENT_REGISTRY: case EVENT_LIST: case EVENT_BLACK:
		return EVENT_LANE_FIRST;
	case EVENT_STATUS: case EVENT_VULNERABILITY:
		return EVENT_LANE_TRUST;
	default:
		return EVENT_LANE_OTHER;
	}
}

enum gba_err event_next_in(struct event_log *log, TALLOC_CTX *mem_ctx, enum event_lane lane, const struct event_range *range,
			   struct event **_events, size_t *_n)
{
	static const char *const sql[EVENT_LANES] = { PAGE(" AND class IN (0, 4, 6)"), PAGE(" AND class IN (2, 3)"),
						      PAGE(" AND class IN (1, 5)") };
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql[lane], &stmt);

	return err == GBA_OK ? page_read(mem_ctx, stmt, range, _events, _n) : err;
}

enum gba_err event_last(struct event_log *log, int64_t *_seq)
{
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, "SELECT coalesce(max(seq), 0) FROM event", &stmt);

	return err == GBA_OK ? event_int(stmt, _seq) : err;
}

enum gba_err event_place(struct event_log *log, const char *origin, enum event_class class, int64_t number, int64_t *_seq)
{
	static const char sql[] = "SELECT seq FROM event WHERE origin = ?1 AND class = ?2 AND number = ?3";
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(origin));
	db_bind_int(stmt, 2, class);
	db_bind_int(stmt, 3, number + 1);
	return event_int(stmt, _seq);
}

enum gba_err event_haves(struct event_log *log, TALLOC_CTX *mem_ctx, struct event_have **_haves, size_t *_n)
{
	struct event_have *haves = talloc_array(mem_ctx, struct event_have, 0);
	struct db_stmt *stmt = NULL;
	bool row = true;
	size_t n = 0;
	enum gba_err err = event_stmt(log, "SELECT origin, class, number FROM event_stream ORDER BY origin, class", &stmt);

	while (err == GBA_OK) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		haves = talloc_realloc(mem_ctx, haves, struct event_have, n + 1);
		if (haves == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
		event_copy(haves[n].origin, sizeof(haves[n].origin), db_col_text(stmt, 0));
		haves[n].class = (enum event_class)db_col_int(stmt, 1);
		haves[n++].number = db_col_int(stmt, 2);
	}
	if (stmt != NULL)
		db_reset(stmt);
	*_haves = haves;
	*_n = n;
	return err;
}
