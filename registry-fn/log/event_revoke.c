/* SPDX-License-Identifier: Apache-2.0 */
/* A key of a registry that is not to be trusted any more. Who stands above the registry says up to which number of each stream
 * what was signed with it is good; what is behind goes, wherever it has come, as if it had never been said, and the streams end
 * there until their registry goes on with another key. As the digest of an event is that of its text, a registry that has changed
 * its key signs the same texts again: what was true comes back, what was forged does not. */
#include "core/codec.h"
#include "registry-fn/log/event_priv.h"

#define PAGE 500 /* events signed again between two statements */

/* ---- what is behind goes ---- */

static enum gba_err run3(struct event_log *log, const char *sql, const char *text, int64_t a, int64_t b)
{
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(text));
	db_bind_int(stmt, 2, a);
	db_bind_int(stmt, 3, b);
	return db_run(stmt, NULL);
}

static enum gba_err run1(struct event_log *log, const char *sql, const char *text)
{
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(text));
	return db_run(stmt, NULL);
}

/* One event of a stream, its octets below mem_ctx; wire.n 0: there is none. */
static enum gba_err event_of(struct event_log *log, TALLOC_CTX *mem_ctx, const struct event_have *at, struct bytes *_wire)
{
	static const char sql[] = "SELECT wire FROM event WHERE origin = ?1 AND class = ?2 AND number = ?3";
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, sql, &stmt);

	*_wire = BYTES(NULL, 0);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(at->origin));
	db_bind_int(stmt, 2, at->class);
	db_bind_int(stmt, 3, at->number);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_wire = BYTES(talloc_memdup(mem_ctx, db_col_blob(stmt, 0).p, db_col_blob(stmt, 0).n), db_col_blob(stmt, 0).n);
	db_reset(stmt);
	return err == GBA_OK && row && _wire->p == NULL ? GBA_E_NOMEM : err;
}

static bool is_of_key(struct bytes wire, const uint8_t key[SIGN_PUBLIC_LEN])
{
	return wire.n > SIGN_LEN && sign_verify(key, BYTES(wire.p + SIGN_LEN, wire.n - SIGN_LEN), wire.p) == GBA_OK;
}

/* Where the stream stands then. */
static enum gba_err stream_cut(struct event_log *log, TALLOC_CTX *tmp, const struct event_have *good)
{
	struct event event = { .class = good->class };
	uint8_t digest[EVENT_DIGEST_LEN] = { 0 }, previous[EVENT_DIGEST_LEN];
	json_t *root = NULL;
	struct bytes wire;
	enum gba_err err = event_of(log, tmp, good, &wire);

	if (err == GBA_OK && wire.n > 0) {
		err = event_read(wire, &event, previous, &root);
		event_digest(wire, digest);
		json_decref(root);
	}
	event_copy(event.origin, sizeof(event.origin), bytes_of(good->origin));
	event.number = good->number;
	return err == GBA_OK ? event_stream_write(log, &event, digest) : err;
}

/* Of what is left the statement that holds. */
static enum gba_err statuses_cut(struct event_log *log, const struct event_have *good)
{
#define BEST(what, none)                                                                                                       \
	" coalesce((SELECT e." what " FROM event_status AS e WHERE e.subject = event_subject.subject"                         \
	" ORDER BY e.lamport DESC, e.origin DESC LIMIT 1), " none ")"
	enum gba_err err;

	err = run3(log,
		   "INSERT INTO said_due (device) SELECT DISTINCT d.id FROM device AS d"
		   " JOIN event_status AS e ON e.subject = d.regdevid"
		   " WHERE e.origin = ?1 AND e.class = ?2 AND e.number > ?3 ON CONFLICT (device) DO NOTHING",
		   good->origin, good->class, good->number);
	if (err == GBA_OK)
		err = run3(log, "DELETE FROM event_status WHERE origin = ?1 AND class = ?2 AND number > ?3", good->origin,
			   good->class, good->number);
	if (err != GBA_OK)
		return err;
	return run1(log,
		    "UPDATE event_subject SET status =" BEST("status", "0") ", lamport =" BEST("lamport", "0") ", at ="
		    BEST("at", "0") ", origin =" BEST("origin", "''") " WHERE origin = ?1",
		    good->origin);
}

/* What it has registered, or whose its devices are, from what is left of it. */
static enum gba_err devices_cut(struct event_log *log, TALLOC_CTX *tmp, const struct event_have *good)
{
	static const char devices[] = "UPDATE event_subject SET registry = '', registered = 0, removed = 1 WHERE registry = ?1";
	static const char owners[] = "DELETE FROM event_owner WHERE registry = ?1";
	struct event_have at = *good;
	uint8_t previous[EVENT_DIGEST_LEN];
	enum gba_err err;

	err = run1(log, good->class == EVENT_DEVICE ? devices : owners, good->origin);
	for (at.number = 1; at.number <= good->number && err == GBA_OK; at.number++) {
		struct event event = { .class = good->class };
		json_t *root = NULL;
		struct bytes wire;

		err = event_of(log, tmp, &at, &wire);
		if (err == GBA_OK && wire.n > 0)
			err = event_read(wire, &event, previous, &root);
		if (err == GBA_OK && root != NULL)
			err = event_view_update(log, &event);
		json_decref(root);
		talloc_free_children(tmp);
	}
	return err;
}

static enum gba_err key_forget(struct event_log *log, TALLOC_CTX *tmp, const char *parent, const json_t *body, const char *reg_id);

/* Registries that it has made known: with their keys goes what they have said. */
static enum gba_err registries_cut(struct event_log *log, TALLOC_CTX *tmp, const struct event_have *good, int64_t last)
{
	struct event_have at = *good;
	uint8_t previous[EVENT_DIGEST_LEN];
	enum gba_err err = GBA_OK;

	for (at.number = good->number + 1; at.number <= last && err == GBA_OK; at.number++) {
		struct event event = { .class = EVENT_REGISTRY };
		json_t *root = NULL;
		struct bytes wire;

		err = event_of(log, tmp, &at, &wire);
		if (err == GBA_OK && wire.n > 0)
			err = event_read(wire, &event, previous, &root);
		if (err == GBA_OK && root != NULL && strcmp(event.kind, "registry.revoked") != 0)
			err = key_forget(log, tmp, good->origin, event.body, event.subject);
		json_decref(root);
	}
	return err;
}

static enum gba_err signed_with(struct event_log *log, TALLOC_CTX *tmp, const struct event_have *stream, int64_t number,
				const uint8_t key[SIGN_PUBLIC_LEN], bool *_is)
{
	struct event_have at = *stream;
	struct bytes wire;
	enum gba_err err;

	at.number = number;
	err = event_of(log, tmp, &at, &wire);
	*_is = err == GBA_OK && is_of_key(wire, key);
	talloc_free((void *)(uintptr_t)wire.p);
	return err;
}

/* The first event behind `good` that was signed with the key; 0: none. Keys follow each other: it is the next one, or one of a run
 * that goes to the end; else all are looked at. */
static enum gba_err first_of_key(struct event_log *log, TALLOC_CTX *tmp, const struct event_have *good, int64_t last,
				 const uint8_t key[SIGN_PUBLIC_LEN], int64_t *_first)
{
	int64_t low = good->number + 1, high = last;
	bool is = false;
	enum gba_err err = GBA_OK;

	*_first = 0;
	if (low <= high)
		err = signed_with(log, tmp, good, low, key, &is);
	if (is)
		*_first = low;
	if (err != GBA_OK || low > high || is)
		return err;
	err = signed_with(log, tmp, good, high, key, &is);
	while (is && err == GBA_OK && low + 1 < high) { /* low is not, high is */
		int64_t middle = low + (high - low) / 2;
		bool of_key = false;

		err = signed_with(log, tmp, good, middle, key, &of_key);
		if (of_key)
			high = middle;
		else
			low = middle;
	}
	if (is)
		*_first = high;
	for (low++; !is && err == GBA_OK && low < last; low++) {
		err = signed_with(log, tmp, good, low, key, &is);
		if (is)
			*_first = low;
	}
	return err;
}

/* Only from where it was signed with this key: what stands before with another one is good. */
static enum gba_err class_cut(struct event_log *log, TALLOC_CTX *ctx, const struct event_have *upto,
			      const uint8_t key[SIGN_PUBLIC_LEN])
{
	struct event_have left = *upto, *good = &left;
	struct event_stream stream;
	TALLOC_CTX *tmp = talloc_new(ctx);
	int64_t first = 0;
	enum gba_err err = tmp != NULL ? event_stream_read(log, upto->origin, upto->class, &stream) : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = first_of_key(log, tmp, upto, stream.number, key, &first);
	if (err != GBA_OK || first == 0) {
		talloc_free(tmp);
		return err;
	}
	left.number = first - 1;
	if (good->class == EVENT_REGISTRY)
		err = registries_cut(log, tmp, good, stream.number);
	if (err == GBA_OK)
		err = run3(log, "DELETE FROM event WHERE origin = ?1 AND class = ?2 AND number > ?3", good->origin, good->class,
			   good->number);
	if (err == GBA_OK)
		err = stream_cut(log, tmp, good);
	if (err == GBA_OK && (good->class == EVENT_STATUS || good->class == EVENT_LIST || good->class == EVENT_BLACK))
		err = statuses_cut(log, good);
	if (err == GBA_OK && (good->class == EVENT_DEVICE || good->class == EVENT_CUSTODIAN))
		err = devices_cut(log, tmp, good);
	talloc_free(tmp);
	return err;
}

static enum gba_err key_forget(struct event_log *log, TALLOC_CTX *tmp, const char *parent, const json_t *body, const char *reg_id)
{
	static const char sql[] = "DELETE FROM event_registry WHERE reg_id = ?1 AND public_key = ?2 AND parent IN (?3, '')";
	const char *hex = json_string_value(json_object_get(body, "key"));
	struct event_have none = { .number = 0 };
	uint8_t key[SIGN_PUBLIC_LEN];
	struct db_stmt *stmt;
	int changed = 0;
	enum gba_err err;
	int class;

	if (hex == NULL || hex_decode(bytes_of(hex), key, sizeof(key)) != GBA_OK || strcmp(reg_id, log->reg_id) == 0)
		return GBA_OK;
	err = event_stmt(log, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(reg_id));
	db_bind_text(stmt, 2, bytes_of(hex));
	db_bind_text(stmt, 3, bytes_of(parent));
	err = db_run(stmt, &changed);
	event_copy(none.origin, sizeof(none.origin), bytes_of(reg_id));
	for (class = 0; class < EVENT_CLASSES && err == GBA_OK && changed > 0; class++) {
		none.class = (enum event_class)class;
		err = class_cut(log, tmp, &none, key);
	}
	return err;
}

/* ---- the word of who is above ---- */

enum gba_err event_revocation(const json_t *body, uint8_t _key[SIGN_PUBLIC_LEN], int64_t _good[EVENT_CLASSES])
{
	const char *hex = json_string_value(json_object_get(body, "key"));
	const json_t *good = json_object_get(body, "good"), *number;
	size_t i, n = 0;

	if (hex == NULL || hex_decode(bytes_of(hex), _key, SIGN_PUBLIC_LEN) != GBA_OK || !json_is_object(good))
		return GBA_E_RANGE;
	for (i = 0; i < EVENT_CLASSES; i++) {
		number = json_object_get(good, event_class_names[i]);
		n += number != NULL;
		if (number != NULL && (!json_is_integer(number) || json_integer_value(number) < 0))
			return GBA_E_RANGE;
		_good[i] = json_integer_value(number);
	}
	return json_object_size(good) == n ? GBA_OK : GBA_E_RANGE;
}

/* Of several words about one key what all of them find good. */
static enum gba_err good_write(struct event_log *log, const char *hex, int class, int64_t good, int64_t *_good)
{
	static const char sql[] = "INSERT INTO event_revoked (public_key, class, good) VALUES (?1, ?2, ?3)"
				  " ON CONFLICT (public_key, class) DO UPDATE SET good ="
				  " CASE WHEN excluded.good < event_revoked.good THEN excluded.good ELSE event_revoked.good END"
				  " RETURNING good";
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(hex));
	db_bind_int(stmt, 2, class);
	db_bind_int(stmt, 3, good);
	return event_int(stmt, _good);
}

enum gba_err event_revoked(struct event_log *log, const char *reg_id, const json_t *body)
{
	char hex[HEX_LEN(SIGN_PUBLIC_LEN) + 1];
	struct event_have good = { .number = 0 };
	int64_t numbers[EVENT_CLASSES];
	uint8_t key[SIGN_PUBLIC_LEN];
	TALLOC_CTX *tmp;
	int class;
	enum gba_err err;

	if (event_revocation(body, key, numbers) != GBA_OK)
		return GBA_OK;
	tmp = talloc_new(NULL);
	err = tmp != NULL ? GBA_OK : GBA_E_NOMEM;
	hex_encode(BYTES(key, sizeof(key)), hex);
	event_copy(good.origin, sizeof(good.origin), bytes_of(reg_id));
	for (class = 0; class < EVENT_CLASSES && err == GBA_OK; class++) {
		good.class = (enum event_class)class;
		err = good_write(log, hex, class, numbers[class], &good.number);
		if (err == GBA_OK && strcmp(reg_id, log->reg_id) != 0) /* our own is ours: we sign it again */
			err = class_cut(log, tmp, &good, key);
	}
	talloc_free(tmp);
	return err;
}

enum gba_err event_key_good(struct event_log *log, struct bytes key_hex, const struct event *event, bool *_good)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, "SELECT good FROM event_revoked WHERE public_key = ?1 AND class = ?2", &stmt);

	*_good = false;
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, key_hex);
	db_bind_int(stmt, 2, event->class);
	err = db_step(stmt, &row);
	*_good = err == GBA_OK && (!row || event->number <= db_col_int(stmt, 0));
	db_reset(stmt);
	return err;
}

/* ---- saying it ---- */

static json_t *revocation_body(struct event_log *log, const char *reg_id, const uint8_t key[SIGN_PUBLIC_LEN], bool keep)
{
	char hex[HEX_LEN(SIGN_PUBLIC_LEN) + 1];
	json_t *good = json_object();
	struct event_stream stream;
	int class;

	hex_encode(BYTES(key, SIGN_PUBLIC_LEN), hex);
	for (class = 0; keep && class < EVENT_CLASSES; class++) {
		if (event_stream_read(log, reg_id, (enum event_class)class, &stream) == GBA_OK && stream.number > 0)
			json_object_set_new(good, event_class_names[class], json_integer(stream.number));
	}
	return json_pack("{s:o, s:s}", "good", good, "key", hex);
}

enum gba_err event_registry_revoke(struct event_log *log, const char *reg_id, const uint8_t key[SIGN_PUBLIC_LEN], bool keep,
				   time_t now)
{
	json_t *body = revocation_body(log, reg_id, key, keep);
	bool below = strlen(reg_id) > strlen(log->reg_id) && strncmp(reg_id, log->reg_id, strlen(log->reg_id)) == 0;
	enum gba_err err = GBA_E_NOMEM;

	if (body != NULL && below)
		err = event_append(log, "registry.revoked", reg_id, body, now, NULL);
	else if (body != NULL)
		err = event_revoked(log, reg_id, body);
	json_decref(body);
	return err;
}

enum gba_err event_revocations(struct event_log *log, int64_t *_count)
{
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(log, "SELECT coalesce(sum(good + 1), 0) + count(*) FROM event_revoked", &stmt);

	return err == GBA_OK ? event_int(stmt, _count) : err;
}

/* ---- another key of our own ---- */

static enum gba_err sign_one(struct event_log *log, int64_t seq, struct bytes text)
{
	uint8_t *wire = talloc_size(log, SIGN_LEN + text.n);
	struct db_stmt *stmt;
	enum gba_err err = wire != NULL ? sign(log->self.key, text, wire) : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = event_stmt(log, "UPDATE event SET wire = ?2 WHERE seq = ?1", &stmt);
	if (err == GBA_OK) {
		memcpy(wire + SIGN_LEN, text.p, text.n);
		db_bind_int(stmt, 1, seq);
		db_bind_blob(stmt, 2, BYTES(wire, SIGN_LEN + text.n));
		err = db_run(stmt, NULL);
	}
	talloc_free(wire);
	return err;
}

enum gba_err event_sign_again(struct event_log *log, TALLOC_CTX *mem_ctx, int64_t *_count)
{
	struct event *events = NULL;
	int64_t after = 0;
	size_t n = PAGE, i;
	enum gba_err err = GBA_OK;

	*_count = 0;
	while (err == GBA_OK && n == PAGE) {
		err = event_next(log, mem_ctx, after, PAGE, &events, &n);
		for (i = 0; i < n && err == GBA_OK; i++) {
			after = events[i].seq;
			if (strcmp(events[i].origin, log->reg_id) != 0)
				continue;
			err = sign_one(log, after, BYTES(events[i].wire.p + SIGN_LEN, events[i].wire.n - SIGN_LEN));
			(*_count)++;
		}
		talloc_free(events);
		events = NULL;
	}
	return err;
}
