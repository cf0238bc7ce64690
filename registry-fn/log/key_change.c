/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/log/key_change.h"

#include "core/codec.h"
#include "merkle/head.h"
#include "registry-fn/log/entry.h"
#include "registry-fn/log/event.h"
#include "registry-fn/registry.h"

#define EVERY_HEAD 10000000

/* What is at hand. */
struct change {
	const struct registry_conf *conf;
	struct db *db;
	struct sign_key *key;
	uint8_t old[SIGN_PUBLIC_LEN];
	char hex[HEX_LEN(SIGN_PUBLIC_LEN) + 1]; /* of key */
};

static enum gba_err node_read(struct change *c, const char **_why)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = db_prepare(c->db, "SELECT reg_id, public_key FROM node WHERE id = 1", &stmt);

	if (err == GBA_OK)
		err = db_step(stmt, &row);
	if (err != GBA_OK)
		return err;
	*_why = "the database is another registry's, or none's yet";
	if (!row || !bytes_eq_str(db_col_text(stmt, 0), c->conf->reg_id))
		err = GBA_E_CONF;
	else if (hex_decode(db_col_text(stmt, 1), c->old, sizeof(c->old)) != GBA_OK)
		err = GBA_E_CORRUPT;
	db_reset(stmt);
	return err;
}

static enum gba_err node_write(struct change *c)
{
	struct db_stmt *stmt;
	enum gba_err err = db_prepare(c->db, "UPDATE node SET public_key = ?1 WHERE id = 1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(c->hex));
	return db_run(stmt, NULL);
}

static enum gba_err heads_sign(struct change *c, TALLOC_CTX *ctx, struct entry_log *log, int64_t *_count)
{
	struct merkle_head head;
	struct db_stmt *stmt;
	char **texts, *again;
	size_t n = 0, i;
	enum gba_err err = entry_heads(log, ctx, EVERY_HEAD, &texts, &n);

	if (err == GBA_OK)
		err = db_prepare(c->db, "UPDATE log_head SET jws = ?2 WHERE size = ?1", &stmt);
	for (i = 0; i < n && err == GBA_OK; i++) {
		err = merkle_head_read(bytes_of(texts[i]), c->old, &head);
		if (err == GBA_OK)
			err = merkle_head_sign(texts, c->key, &head, &again);
		if (err != GBA_OK)
			break;
		db_bind_int(stmt, 1, (int64_t)head.size);
		db_bind_text(stmt, 2, bytes_of(again));
		err = db_run(stmt, NULL);
		talloc_free(again);
		(*_count)++;
	}
	return err;
}

static enum gba_err sign_all(struct change *c, TALLOC_CTX *ctx, time_t now, struct key_change *_change)
{
	const struct event_self self = { c->conf->reg_id, (enum registry_type)c->conf->reg_type, c->key };
	struct entry entry = { .act = "registry.key", .by = "system", .subject = c->conf->reg_id };
	struct event_log *events;
	struct entry_log *entries;
	enum gba_err err = event_log_open(ctx, c->db, &self, &events);

	if (err == GBA_OK)
		err = entry_log_open(ctx, c->db, c->conf->reg_id, c->key, &entries);
	if (err == GBA_OK)
		err = event_sign_again(events, ctx, &_change->events);
	if (err == GBA_OK)
		err = heads_sign(c, ctx, entries, &_change->heads);
	if (err == GBA_OK) {
		json_t *detail = json_pack("{s:s}", "key", c->hex);

		entry.detail = detail;
		err = detail != NULL ? entry_append(entries, &entry, now, NULL) : GBA_E_NOMEM;
		json_decref(detail);
	}
	return err == GBA_OK ? node_write(c) : err;
}

enum gba_err registry_key_change(TALLOC_CTX *mem_ctx, const struct registry_conf *conf, time_t now, struct key_change *_change,
				 const char **_why)
{
	struct change c = { .conf = conf };
	enum gba_err err;

	*_change = (struct key_change){ 0, 0 };
	err = registry_store(mem_ctx, conf, &c.db, _why);
	if (err != GBA_OK)
		return err;
	*_why = conf->key_file;
	err = sign_key_open(mem_ctx, conf->key_file, false, &c.key);
	if (err == GBA_OK)
		err = node_read(&c, _why);
	if (err != GBA_OK)
		return err;
	*_why = "the database has this key already";
	if (memcmp(c.old, sign_key_public(c.key), SIGN_PUBLIC_LEN) == 0)
		return GBA_E_EXISTS;
	hex_encode(BYTES(sign_key_public(c.key), SIGN_PUBLIC_LEN), c.hex);
	*_why = "what the registry has said cannot be signed again";
	err = db_begin(c.db);
	if (err != GBA_OK)
		return err;
	err = sign_all(&c, mem_ctx, now, _change);
	if (err == GBA_OK)
		return db_commit(c.db);
	db_rollback(c.db);
	return err;
}
