/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/log/entry.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "merkle/receipt.h"
#include "registry-fn/log/entry_schema.h"

#define SALT_LEN    16 /* [octets] */
#define CHANGES_MAX 256 /* read at once */

/* Nodes from level 1 up are numbered as in a walk from left to right, (2 * index + 1) << level: one key for level and
 * index. The leaves' hashes are those of the entries' texts. log_mark: the last change of the history that has its
 * entry. */
const char entry_schema_1[] =
	"CREATE TABLE log_entry (idx INTEGER PRIMARY KEY, at INTEGER NOT NULL, leaf TEXT NOT NULL, salt BLOB) STRICT;"
	"CREATE TABLE log_node (id INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;"
	"CREATE TABLE log_head (size INTEGER PRIMARY KEY, at INTEGER NOT NULL, jws TEXT NOT NULL) STRICT;"
	"CREATE TABLE log_mark (id INTEGER PRIMARY KEY, history INTEGER NOT NULL) STRICT;";

enum {
	SQL_SIZE, SQL_LEAF, SQL_SALT, SQL_ADD, SQL_NODE, SQL_NODE_ADD, SQL_PAGE, SQL_HEADS, SQL_HEAD_ADD, SQL_MARK, SQL_MARK_SET,
	SQL_CHANGES, SQL_COUNT
};
static const char *const texts[SQL_COUNT] = {
	[SQL_SIZE] = "SELECT coalesce(max(idx) + 1, 0) FROM log_entry",
	[SQL_LEAF] = "SELECT leaf FROM log_entry WHERE idx = ?1",
	[SQL_SALT] = "SELECT leaf, salt FROM log_entry WHERE idx = ?1",
	[SQL_ADD] = "INSERT INTO log_entry (idx, at, leaf, salt) VALUES (?1, ?2, ?3, ?4)",
	[SQL_NODE] = "SELECT hash FROM log_node WHERE id = ?1",
	[SQL_NODE_ADD] = "INSERT INTO log_node (id, hash) VALUES (?1, ?2)",
	[SQL_PAGE] = "SELECT idx, leaf FROM log_entry WHERE idx >= ?1 ORDER BY idx LIMIT ?2",
	[SQL_HEADS] = "SELECT jws, size FROM log_head ORDER BY size DESC LIMIT ?1",
	[SQL_HEAD_ADD] = "INSERT INTO log_head (size, at, jws) VALUES (?1, ?2, ?3) ON CONFLICT (size) DO NOTHING",
	[SQL_MARK] = "SELECT history FROM log_mark WHERE id = 1",
	[SQL_MARK_SET] = "INSERT INTO log_mark (id, history) VALUES (1, ?1)"
			 " ON CONFLICT (id) DO UPDATE SET history = excluded.history",
	[SQL_CHANGES] = "SELECT id, kind, record, rev, who, act, change FROM history WHERE id > ?1 ORDER BY id LIMIT ?2",
};

struct entry_log {
	struct db *db;
	const struct sign_key *key;
	char reg_id[MERKLE_LOG_MAX + 1];
	struct db_stmt *stmt[SQL_COUNT];
	struct merkle_store store;
};

static enum gba_err stmt_of(struct entry_log *log, int which, struct db_stmt **_stmt)
{
	enum gba_err err = GBA_OK;

	if (log->stmt[which] == NULL)
		err = db_prepare(log->db, texts[which], &log->stmt[which]);
	*_stmt = log->stmt[which];
	return err;
}

/* Step to the one row. @retval GBA_E_NOT_FOUND */
static enum gba_err one_row(struct db_stmt *stmt)
{
	bool row;
	enum gba_err err = db_step(stmt, &row);

	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

static enum gba_err leaf_hash(struct entry_log *log, uint64_t index, uint8_t out[MERKLE_LEN])
{
	struct db_stmt *stmt;
	enum gba_err err = stmt_of(log, SQL_LEAF, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, (int64_t)index);
	err = one_row(stmt);
	if (err == GBA_OK)
		merkle_leaf(db_col_text(stmt, 0), out);
	db_reset(stmt);
	return err == GBA_E_NOT_FOUND ? GBA_E_CORRUPT : err;
}

static int64_t node_id(unsigned int level, uint64_t index)
{
	return (int64_t)((2 * index + 1) << level);
}

static enum gba_err node_get(void *arg, unsigned int level, uint64_t index, uint8_t out[MERKLE_LEN])
{
	struct entry_log *log = arg;
	struct db_stmt *stmt;
	struct bytes hash;
	enum gba_err err;

	if (level == 0)
		return leaf_hash(log, index, out);
	err = stmt_of(log, SQL_NODE, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, node_id(level, index));
	err = one_row(stmt);
	if (err == GBA_OK) {
		hash = db_col_blob(stmt, 0);
		if (hash.n == MERKLE_LEN)
			memcpy(out, hash.p, MERKLE_LEN);
		else
			err = GBA_E_CORRUPT;
	}
	db_reset(stmt);
	return err == GBA_E_NOT_FOUND ? GBA_E_CORRUPT : err;
}

static enum gba_err node_put(void *arg, unsigned int level, uint64_t index, const uint8_t hash[MERKLE_LEN])
{
	struct entry_log *log = arg;
	struct db_stmt *stmt;
	enum gba_err err;

	if (level == 0)
		return GBA_OK; /* the entry's text is there */
	err = stmt_of(log, SQL_NODE_ADD, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, node_id(level, index));
	db_bind_blob(stmt, 2, BYTES(hash, MERKLE_LEN));
	return db_run(stmt, NULL);
}

enum gba_err entry_log_open(TALLOC_CTX *mem_ctx, struct db *db, const char *reg_id, const struct sign_key *key,
			    struct entry_log **_log)
{
	struct entry_log *log;

	if (strlen(reg_id) > MERKLE_LOG_MAX)
		return GBA_E_TOO_LONG;
	log = talloc_zero(mem_ctx, struct entry_log);
	if (log == NULL)
		return GBA_E_NOMEM;
	log->db = db;
	log->key = key;
	strcpy(log->reg_id, reg_id);
	log->store = (struct merkle_store){ node_get, node_put, log };
	*_log = log;
	return GBA_OK;
}

enum gba_err entry_log_size(struct entry_log *log, uint64_t *_size)
{
	struct db_stmt *stmt;
	enum gba_err err = stmt_of(log, SQL_SIZE, &stmt);

	if (err == GBA_OK)
		err = one_row(stmt);
	if (err == GBA_OK)
		*_size = (uint64_t)db_col_int(stmt, 0);
	if (stmt != NULL)
		db_reset(stmt);
	return err;
}

static void evidence_digest(struct bytes salt, struct bytes evidence, char hex[HEX_LEN(HASH_MAX) + 1])
{
	const struct bytes pieces[] = { salt, evidence };
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, pieces, 2, digest);
	hex_encode(BYTES(digest, sizeof(digest)), hex);
}

/* The entry's text, to be free()d; NULL: memory. */
static char *entry_text(const struct entry_log *log, const struct entry *entry, uint64_t index, time_t now, const char *evidence)
{
	json_t *leaf = json_pack("{s:s, s:I, s:s, s:I, s:s, s:s*, s:O*, s:s*}", "act", entry->act, "at", (json_int_t)now, "by",
				 entry->by, "index", (json_int_t)index, "log", log->reg_id, "subject", entry->subject, "detail",
				 entry->detail, "evidence", evidence);
	char *text = NULL;

	if (leaf != NULL && json_object_set_new(leaf, "result", json_string(gba_err_name(entry->result))) == 0)
		text = json_dumps(leaf, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(leaf);
	return text;
}

static enum gba_err entry_insert(struct entry_log *log, uint64_t index, time_t now, const char *text, struct bytes salt)
{
	uint8_t hash[MERKLE_LEN];
	struct db_stmt *stmt;
	enum gba_err err;

	if (strlen(text) > ENTRY_MAX)
		return GBA_E_TOO_LONG;
	err = stmt_of(log, SQL_ADD, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, (int64_t)index);
	db_bind_int(stmt, 2, now);
	db_bind_text(stmt, 3, bytes_of(text));
	db_bind_blob(stmt, 4, salt);
	err = db_run(stmt, NULL);
	if (err != GBA_OK)
		return err;
	merkle_leaf(bytes_of(text), hash);
	return merkle_append(&log->store, index, hash);
}

/* @param index  the log's size so far */
static enum gba_err append_at(struct entry_log *log, const struct entry *entry, time_t now, uint64_t index)
{
	char digest[HEX_LEN(HASH_MAX) + 1], *text;
	uint8_t salt[SALT_LEN];
	bool bound = entry->evidence.p != NULL;
	enum gba_err err;

	if (bound) {
		rand_bytes(salt, sizeof(salt));
		evidence_digest(BYTES(salt, sizeof(salt)), entry->evidence, digest);
	}
	text = entry_text(log, entry, index, now, bound ? digest : NULL);
	err = text != NULL ? entry_insert(log, index, now, text, bound ? BYTES(salt, sizeof(salt)) : BYTES_NONE) : GBA_E_NOMEM;
	free(text);
	return err;
}

enum gba_err entry_append(struct entry_log *log, const struct entry *entry, time_t now, uint64_t *_index)
{
	uint64_t size = 0;
	enum gba_err err = entry_log_size(log, &size);

	if (err == GBA_OK)
		err = append_at(log, entry, now, size);
	if (err == GBA_OK && _index != NULL)
		*_index = size;
	return err;
}

/* ---- changes of records ---- */

static enum gba_err mark_read(struct entry_log *log, int64_t *_mark)
{
	struct db_stmt *stmt;
	enum gba_err err = stmt_of(log, SQL_MARK, &stmt);

	if (err == GBA_OK)
		err = one_row(stmt);
	*_mark = err == GBA_OK ? db_col_int(stmt, 0) : 0;
	if (stmt != NULL)
		db_reset(stmt);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err mark_write(struct entry_log *log, int64_t mark)
{
	struct db_stmt *stmt;
	enum gba_err err = stmt_of(log, SQL_MARK_SET, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, mark);
	return db_run(stmt, NULL);
}

/* A row of the history, copied out of the statement: what is read and what is written must not be under way together. */
struct change {
	int64_t id, kind, record, rev;
	char *who, *act, *text;
};

static char *keep(TALLOC_CTX *ctx, struct bytes view)
{
	return talloc_strndup(ctx, view.p != NULL ? (const char *)view.p : "", view.n);
}

/* The next ones, CHANGES_MAX at most. */
static enum gba_err changes_read(struct entry_log *log, TALLOC_CTX *ctx, int64_t after, struct change *changes, size_t *_n)
{
	struct db_stmt *stmt;
	struct change *c;
	bool row = false;
	enum gba_err err = stmt_of(log, SQL_CHANGES, &stmt);

	*_n = 0;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, after);
	db_bind_int(stmt, 2, CHANGES_MAX);
	while (*_n < CHANGES_MAX && (err = db_step(stmt, &row)) == GBA_OK && row) {
		c = &changes[(*_n)++];
		*c = (struct change){ db_col_int(stmt, 0), db_col_int(stmt, 1), db_col_int(stmt, 2), db_col_int(stmt, 3),
				      keep(ctx, db_col_text(stmt, 4)), keep(ctx, db_col_text(stmt, 5)),
				      keep(ctx, db_col_text(stmt, 6)) };
		if (c->who == NULL || c->act == NULL || c->text == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
	}
	db_reset(stmt);
	return err;
}

/* Values may be personal: the names of the members stand in the entry, the text of the change is bound. */
static json_t *change_detail(const struct change *c)
{
	json_t *change = json_loads(c->text, 0, NULL), *names = json_array();
	const char *name;
	json_t *value;

	json_object_foreach(change, name, value)
		json_array_append_new(names, json_string(name));
	json_decref(change);
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "history", (json_int_t)c->id, "kind", (json_int_t)c->kind, "record",
			 (json_int_t)c->record, "rev", (json_int_t)c->rev, "members", names);
}

static enum gba_err change_append(struct entry_log *log, const struct change *c, time_t now, uint64_t index)
{
	json_t *detail = change_detail(c);
	struct entry entry = { .by = c->who, .result = GBA_OK, .detail = detail, .evidence = bytes_of(c->text) };
	char act[96];
	enum gba_err err;

	snprintf(act, sizeof(act), "record.%s", c->act);
	entry.act = act;
	err = detail != NULL ? append_at(log, &entry, now, index) : GBA_E_NOMEM;
	json_decref(detail);
	return err;
}

/* @param _mark  the last change that has its entry: moves on @param _n  how many had none */
static enum gba_err changes_append(struct entry_log *log, time_t now, int64_t *_mark, uint64_t *_size, size_t *_n)
{
	TALLOC_CTX *ctx = talloc_new(log);
	struct change *changes = talloc_array(ctx, struct change, CHANGES_MAX);
	enum gba_err err = changes != NULL ? changes_read(log, ctx, *_mark, changes, _n) : GBA_E_NOMEM;
	size_t i;

	for (i = 0; err == GBA_OK && i < *_n; i++) {
		err = change_append(log, &changes[i], now, (*_size)++);
		*_mark = changes[i].id;
	}
	talloc_free(ctx);
	return err;
}

enum gba_err entry_append_changes(struct entry_log *log, time_t now)
{
	int64_t mark = 0, before;
	uint64_t size = 0;
	size_t n = 0;
	enum gba_err err;

	err = mark_read(log, &mark);
	before = mark;
	if (err == GBA_OK)
		err = entry_log_size(log, &size);
	do {
		if (err == GBA_OK)
			err = changes_append(log, now, &mark, &size, &n);
	} while (err == GBA_OK && n == CHANGES_MAX);
	return err == GBA_OK && mark != before ? mark_write(log, mark) : err;
}

/* ---- heads ---- */

enum gba_err entry_head(struct entry_log *log, TALLOC_CTX *mem_ctx, time_t now, char **_text)
{
	struct merkle_head head = { .time = now };
	enum gba_err err;

	if (log->key == NULL)
		return GBA_E_UNSUPPORTED;
	strcpy(head.log, log->reg_id);
	err = entry_log_size(log, &head.size);
	if (err == GBA_OK)
		err = merkle_root(&log->store, head.size, head.root);
	return err == GBA_OK ? merkle_head_sign(mem_ctx, log->key, &head, _text) : err;
}

static enum gba_err last_kept(struct entry_log *log, uint64_t *_size)
{
	struct db_stmt *stmt;
	enum gba_err err = stmt_of(log, SQL_HEADS, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, 1);
	err = one_row(stmt);
	*_size = err == GBA_OK ? (uint64_t)db_col_int(stmt, 1) : 0;
	db_reset(stmt);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err head_keep(struct entry_log *log, time_t now, bool *_new)
{
	uint64_t kept = 0, size = 0;
	struct db_stmt *stmt;
	char *text = NULL;
	enum gba_err err;

	err = last_kept(log, &kept);
	if (err == GBA_OK)
		err = entry_log_size(log, &size);
	if (err != GBA_OK || size == kept)
		return err;
	err = entry_head(log, log, now, &text);
	if (err == GBA_OK)
		err = stmt_of(log, SQL_HEAD_ADD, &stmt);
	if (err == GBA_OK) {
		db_bind_int(stmt, 1, (int64_t)size);
		db_bind_int(stmt, 2, now);
		db_bind_text(stmt, 3, bytes_of(text));
		err = db_run(stmt, NULL);
	}
	talloc_free(text);
	*_new = err == GBA_OK;
	return err;
}

enum gba_err entry_head_keep(struct entry_log *log, time_t now, bool *_new)
{
	bool made = false;
	enum gba_err err;

	err = db_begin(log->db);
	if (err != GBA_OK)
		return err;
	err = head_keep(log, now, &made);
	if (err == GBA_OK)
		err = db_commit(log->db);
	else
		db_rollback(log->db);
	if (_new != NULL)
		*_new = err == GBA_OK && made;
	return err;
}

enum gba_err entry_heads(struct entry_log *log, TALLOC_CTX *mem_ctx, size_t limit, char ***_texts, size_t *_count)
{
	char **heads = talloc_zero_array(mem_ctx, char *, limit + 1);
	struct db_stmt *stmt;
	enum gba_err err = stmt_of(log, SQL_HEADS, &stmt);
	bool row = true;
	size_t n = 0;

	if (err != GBA_OK || heads == NULL)
		return err != GBA_OK ? err : GBA_E_NOMEM;
	db_bind_int(stmt, 1, (int64_t)limit);
	while (n < limit && (err = db_step(stmt, &row)) == GBA_OK && row) {
		heads[n] = keep(heads, db_col_text(stmt, 0));
		if (heads[n++] == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
	}
	db_reset(stmt);
	*_texts = heads;
	*_count = n;
	return err;
}

/* ---- reading and proving ---- */

enum gba_err entry_read(struct entry_log *log, TALLOC_CTX *mem_ctx, uint64_t index, size_t limit, struct entry_row **_rows,
			size_t *_count)
{
	struct entry_row *rows = talloc_zero_array(mem_ctx, struct entry_row, limit + 1);
	struct db_stmt *stmt;
	enum gba_err err = stmt_of(log, SQL_PAGE, &stmt);
	bool row = true;
	size_t n = 0;

	if (err != GBA_OK || rows == NULL || limit > ENTRY_PAGE_MAX || index > MERKLE_SIZE_MAX)
		return err != GBA_OK ? err : rows == NULL ? GBA_E_NOMEM : GBA_E_RANGE;
	db_bind_int(stmt, 1, (int64_t)index);
	db_bind_int(stmt, 2, (int64_t)limit);
	while (n < limit && (err = db_step(stmt, &row)) == GBA_OK && row) {
		rows[n] = (struct entry_row){ (uint64_t)db_col_int(stmt, 0), keep(rows, db_col_text(stmt, 1)) };
		if (rows[n++].text == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
	}
	db_reset(stmt);
	*_rows = rows;
	*_count = n;
	return err;
}

static enum gba_err size_good(struct entry_log *log, uint64_t size)
{
	uint64_t now;
	enum gba_err err = entry_log_size(log, &now);

	return err == GBA_OK && size > now ? GBA_E_RANGE : err;
}

enum gba_err entry_prove(struct entry_log *log, uint64_t index, uint64_t size, struct merkle_proof *_proof)
{
	enum gba_err err = size_good(log, size);

	return err == GBA_OK ? merkle_prove_inclusion(&log->store, index, size, _proof) : err;
}

enum gba_err entry_prove_consistency(struct entry_log *log, uint64_t old, uint64_t size, struct merkle_proof *_proof)
{
	enum gba_err err = size_good(log, size);

	return err == GBA_OK ? merkle_prove_consistency(&log->store, old, size, _proof) : err;
}

enum gba_err entry_evidence(struct entry_log *log, uint64_t index, struct bytes evidence)
{
	char digest[HEX_LEN(HASH_MAX) + 1];
	struct db_stmt *stmt;
	const char *bound;
	json_t *leaf = NULL;
	struct bytes salt;
	enum gba_err err = stmt_of(log, SQL_SALT, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, (int64_t)index);
	err = one_row(stmt);
	if (err == GBA_OK) {
		leaf = json_loadb((const char *)db_col_text(stmt, 0).p, db_col_text(stmt, 0).n, 0, NULL);
		salt = db_col_blob(stmt, 1);
		bound = json_string_value(json_object_get(leaf, "evidence"));
		evidence_digest(salt, evidence, digest);
		err = bound != NULL && salt.n == SALT_LEN && strcmp(bound, digest) == 0 ? GBA_OK : GBA_E_CORRUPT;
	}
	db_reset(stmt);
	json_decref(leaf);
	return err;
}

enum gba_err entry_receipt(struct entry_log *log, uint64_t index, time_t now, json_t **_receipt)
{
	TALLOC_CTX *ctx = talloc_new(log);
	struct merkle_proof path;
	struct entry_row *rows;
	uint64_t size = 0;
	char *head = NULL;
	enum gba_err err;
	size_t n = 0;

	err = ctx != NULL ? entry_log_size(log, &size) : GBA_E_NOMEM;
	if (err == GBA_OK && index >= size)
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		err = entry_read(log, ctx, index, 1, &rows, &n);
	if (err == GBA_OK && (n == 0 || rows[0].index != index))
		err = GBA_E_CORRUPT;
	if (err == GBA_OK)
		err = merkle_prove_inclusion(&log->store, index, size, &path);
	if (err == GBA_OK)
		err = entry_head(log, ctx, now, &head);
	if (err == GBA_OK) {
		*_receipt = merkle_receipt(rows[0].text, index, head, &path);
		err = *_receipt != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	talloc_free(ctx);
	return err;
}

enum gba_err entry_receipt_growth(struct entry_log *log, const char *first, time_t now, json_t **_receipt)
{
	struct merkle_proof proof;
	struct merkle_head old;
	char *head = NULL;
	uint64_t size = 0;
	enum gba_err err;

	if (log->key == NULL)
		return GBA_E_UNSUPPORTED;
	err = merkle_head_read(bytes_of(first), sign_key_public(log->key), &old);
	if (err == GBA_OK)
		err = entry_log_size(log, &size);
	if (err == GBA_OK && (strcmp(old.log, log->reg_id) != 0 || old.size > size))
		err = GBA_E_CORRUPT;
	if (err == GBA_OK)
		err = merkle_prove_consistency(&log->store, old.size, size, &proof);
	if (err == GBA_OK)
		err = entry_head(log, log, now, &head);
	if (err == GBA_OK) {
		*_receipt = merkle_receipt_growth(first, head, &proof);
		err = *_receipt != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	talloc_free(head);
	return err;
}
