/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of changes: reading and writing, no decision. */
#include <stdio.h>

#include "core/codec.h"
#include "hss-stub/change/change_priv.h"
#include "hss-stub/change/schema.h"

/* A subscriber's change_device row goes with it; a change's row stays as long as the node: it is the record of what was
 * released to whom. */
const char change_schema_1[] =
	"CREATE TABLE operator_change (change_id TEXT PRIMARY KEY, kind INTEGER NOT NULL, state INTEGER NOT NULL,"
	" impi TEXT NOT NULL, new_impi TEXT NOT NULL, imsi TEXT NOT NULL, peer TEXT NOT NULL, bsf TEXT NOT NULL,"
	" counter INTEGER NOT NULL, message BLOB, who TEXT NOT NULL, why TEXT NOT NULL, created INTEGER NOT NULL,"
	" changed INTEGER NOT NULL, deadline INTEGER NOT NULL) STRICT;"
	"CREATE INDEX operator_change_state ON operator_change (state);"
	"CREATE INDEX operator_change_impi ON operator_change (impi);"
	"CREATE INDEX operator_change_new_impi ON operator_change (new_impi);"
	"CREATE TABLE change_device (id INTEGER PRIMARY KEY, counter INTEGER NOT NULL, sealed BLOB, certificate BLOB) STRICT";

/* former: the certificate a device may still show, until it has shown the one that takes its place. shown: SHA-256 of the one that
 * a device shows which is changing to us. */
const char change_schema_2[] = "ALTER TABLE change_device ADD COLUMN former BLOB;"
			       "ALTER TABLE operator_change ADD COLUMN shown BLOB";

#define COLUMNS                                                                                                        \
	"change_id, kind, state, impi, new_impi, imsi, peer, bsf, counter, message, who, why, created, changed, deadline,"      \
	" shown"
#define SELECT "SELECT " COLUMNS " FROM operator_change "

static const char *const sql_text[] = {
	[CHANGE_SQL_ADD] = "INSERT INTO operator_change (" COLUMNS ")"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15)",
	[CHANGE_SQL_SET] = "UPDATE operator_change SET state = ?2, counter = ?3, message = ?4, why = ?5, changed = ?6,"
			   " deadline = ?7, shown = ?8 WHERE change_id = ?1",
	[CHANGE_SQL_GET] = SELECT "WHERE change_id = ?1",
	[CHANGE_SQL_LIST] = SELECT "ORDER BY created, change_id LIMIT ?1",
	[CHANGE_SQL_LIST_STATE] = SELECT "WHERE state = ?2 ORDER BY created, change_id LIMIT ?1",
	[CHANGE_SQL_OF_NEW] = SELECT "WHERE new_impi = ?1 AND state IN (0, 1, 2, 3, 5, 11, 12) ORDER BY created LIMIT 1",
	[CHANGE_SQL_OF_OLD] = SELECT "WHERE impi = ?1 AND state = 8 ORDER BY created LIMIT 1",
	[CHANGE_SQL_KEY_GET] = "SELECT sealed, certificate, former FROM change_device WHERE id = ?1",
	[CHANGE_SQL_KEY_SET] = "INSERT INTO change_device (id, counter, sealed) VALUES (?1, 0, ?2)"
			       " ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
	[CHANGE_SQL_CERT_SET] = "INSERT INTO change_device (id, counter, certificate, former) VALUES (?1, 0, ?2, ?3)"
				" ON CONFLICT (id) DO UPDATE SET certificate = excluded.certificate, former = excluded.former",
	[CHANGE_SQL_CERT_OF] = "SELECT s.impi FROM change_device c JOIN subscriber s ON s.id = c.id"
			       " WHERE c.certificate = ?1 OR c.former = ?1 LIMIT 1",
	[CHANGE_SQL_COUNT_UP] = "UPDATE change_device SET counter = counter + 1 WHERE id = ?1 RETURNING counter",
	[CHANGE_SQL_COUNT_SET] = "UPDATE change_device SET counter = ?2 WHERE id = ?1 AND counter < ?2",
	[CHANGE_SQL_KEY_DROP] = "DELETE FROM change_device WHERE id = ?1",
	[CHANGE_SQL_KYC] = "SELECT u.id, u.level, u.verified, u.state, d.authenticated FROM device d"
			   " JOIN users u ON u.id = d.custodian WHERE d.impi = ?1",
	[CHANGE_SQL_OUTBOX] = "INSERT INTO outbox (kind, impi, created) VALUES (?1, ?2, ?3)",
	[CHANGE_SQL_NOTICE] = "INSERT INTO notice (rev, created, changed, owner_type, owner, event, about_kind, about, body,"
			      " tries) VALUES (1, ?1, ?1, ?2, ?3, ?4, 'device', 0, ?5, 0)",
	[CHANGE_SQL_ASPS] = "SELECT DISTINCT a.asp, p.pseudonym FROM permission p JOIN application a ON a.id = p.application"
			    " WHERE p.impi = ?1",
	[CHANGE_SQL_KEYS] = "SELECT c.id, s.impi, c.sealed FROM change_device c JOIN subscriber s ON s.id = c.id"
			    " WHERE c.id > ?1 AND c.sealed IS NOT NULL ORDER BY c.id LIMIT ?2",
	[CHANGE_SQL_RESEAL] = "UPDATE change_device SET sealed = ?2 WHERE id = ?1 AND sealed = ?3",
};
_Static_assert(sizeof(sql_text) / sizeof(sql_text[0]) == CHANGE_SQL_COUNT, "one text per statement");
_Static_assert(CHANGE_CANCELLING == 5 && CHANGE_HELD == 8 && CHANGE_SHOWN == 11 && CHANGE_RELEASED == 12,
	       "numbers in CHANGE_SQL_OF_NEW and _OLD");

const char *const change_state_names[] = { "requested", "verified", "offered",	"confirmed", "done",	 "cancelling", "cancelled",
					   "refused",	"held",	    "left",	"returned",  "shown",	 "released",   NULL };
const char *const change_kind_names[] = { "", "symmetric", "asymmetric", NULL };

enum gba_err changes_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, const struct change_conf *conf,
			  struct changes **_changes, const char **_error)
{
	struct changes *changes = talloc_zero(mem_ctx, struct changes);
	enum gba_err err;
	size_t i;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (changes == NULL)
		return GBA_E_NOMEM;
	changes->kek = kek;
	changes->conf = conf;
	err = sub_store_open(mem_ctx, database, &changes->subscribers, _error);
	if (err != GBA_OK) {
		talloc_free(changes);
		return err;
	}
	talloc_steal(changes, changes->subscribers);
	changes->db = sub_store_db(changes->subscribers);
	for (i = 0; err == GBA_OK && i < CHANGE_SQL_COUNT; i++)
		err = db_prepare(changes->db, sql_text[i], &changes->stmt[i]);
	if (err != GBA_OK) {
		*_error = gba_strerror(err);
		talloc_free(changes);
		return err;
	}
	*_changes = changes;
	return GBA_OK;
}

struct sub_store *changes_subscribers(struct changes *changes)
{
	return changes->subscribers;
}

int64_t changes_version(struct changes *changes)
{
	return db_data_version(changes->db);
}

enum gba_err change_store_add(struct changes *changes, const struct change *change, time_t now)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_ADD];

	db_bind_text(stmt, 1, bytes_of(change->id));
	db_bind_int(stmt, 2, change->kind);
	db_bind_int(stmt, 3, change->state);
	db_bind_text(stmt, 4, bytes_of(change->impi));
	db_bind_text(stmt, 5, bytes_of(change->new_impi));
	db_bind_text(stmt, 6, bytes_of(change->imsi));
	db_bind_text(stmt, 7, bytes_of(change->peer));
	db_bind_text(stmt, 8, bytes_of(change->bsf));
	db_bind_int(stmt, 9, (int64_t)change->counter);
	db_bind_blob(stmt, 10, change->update);
	db_bind_text(stmt, 11, bytes_of(change->who));
	db_bind_text(stmt, 12, bytes_of(change->why));
	db_bind_int(stmt, 13, now);
	db_bind_int(stmt, 14, change->deadline);
	db_bind_blob(stmt, 15, change->shown);
	return db_run(stmt, NULL);
}

enum gba_err change_store_set(struct changes *changes, const struct change *change, time_t now)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_SET];
	enum gba_err err;
	int changed = 0;

	db_bind_text(stmt, 1, bytes_of(change->id));
	db_bind_int(stmt, 2, change->state);
	db_bind_int(stmt, 3, (int64_t)change->counter);
	db_bind_blob(stmt, 4, change->update);
	db_bind_text(stmt, 5, bytes_of(change->why));
	db_bind_int(stmt, 6, now);
	db_bind_int(stmt, 7, change->deadline);
	db_bind_blob(stmt, 8, change->shown);
	err = db_run(stmt, &changed);
	return err == GBA_OK && changed == 0 ? GBA_E_NOT_FOUND : err;
}

static const char *text_of(TALLOC_CTX *ctx, struct db_stmt *row, int column)
{
	struct bytes text = db_col_text(row, column);

	return talloc_strndup(ctx, text.p != NULL ? (const char *)text.p : "", text.n);
}

static struct bytes copy_blob(TALLOC_CTX *mem_ctx, struct db_stmt *row, int column)
{
	struct bytes blob = db_col_blob(row, column);

	return blob.p != NULL ? BYTES(talloc_memdup(mem_ctx, blob.p, blob.n), blob.n) : blob;
}

static enum gba_err row_read(TALLOC_CTX *mem_ctx, struct db_stmt *row, struct change **_change)
{
	struct change *change = talloc_zero(mem_ctx, struct change);
	struct bytes id = db_col_text(row, 0);

	if (change == NULL)
		return GBA_E_NOMEM;
	snprintf(change->id, sizeof(change->id), "%.*s", BYTES_FMT(id));
	change->kind = (enum key_update_kind)db_col_int(row, 1);
	change->state = (enum change_state)db_col_int(row, 2);
	change->impi = text_of(change, row, 3);
	change->new_impi = text_of(change, row, 4);
	change->imsi = text_of(change, row, 5);
	change->peer = text_of(change, row, 6);
	change->bsf = text_of(change, row, 7);
	change->counter = (uint64_t)db_col_int(row, 8);
	change->update = copy_blob(change, row, 9);
	change->who = text_of(change, row, 10);
	change->why = text_of(change, row, 11);
	change->created = (time_t)db_col_int(row, 12);
	change->changed = (time_t)db_col_int(row, 13);
	change->deadline = (time_t)db_col_int(row, 14);
	change->shown = copy_blob(change, row, 15);
	if ((unsigned int)change->state >= CHANGE_STATE_COUNT ||
	    (change->kind != KEY_UPDATE_SYMMETRIC && change->kind != KEY_UPDATE_ASYMMETRIC)) {
		talloc_free(change);
		return GBA_E_CORRUPT;
	}
	*_change = change;
	return GBA_OK;
}

static enum gba_err find_one(struct db_stmt *stmt, TALLOC_CTX *mem_ctx, struct bytes key, struct change **_change)
{
	enum gba_err err;
	bool row = false;

	db_bind_text(stmt, 1, key);
	err = db_step(stmt, &row);
	if (err == GBA_OK)
		err = row ? row_read(mem_ctx, stmt, _change) : GBA_E_NOT_FOUND;
	db_reset(stmt);
	return err;
}

enum gba_err change_get(struct changes *changes, TALLOC_CTX *mem_ctx, const char *id, struct change **_change)
{
	return find_one(changes->stmt[CHANGE_SQL_GET], mem_ctx, bytes_of(id), _change);
}

enum gba_err change_store_of_new(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes new_impi, struct change **_change)
{
	return find_one(changes->stmt[CHANGE_SQL_OF_NEW], mem_ctx, new_impi, _change);
}

enum gba_err change_store_of_old(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes impi, struct change **_change)
{
	return find_one(changes->stmt[CHANGE_SQL_OF_OLD], mem_ctx, impi, _change);
}

enum gba_err change_list(struct changes *changes, TALLOC_CTX *mem_ctx, int state, size_t limit, struct change ***_list,
			 size_t *_count)
{
	struct db_stmt *stmt = changes->stmt[state < 0 ? CHANGE_SQL_LIST : CHANGE_SQL_LIST_STATE];
	struct change **list = talloc_array(mem_ctx, struct change *, limit);
	enum gba_err err = GBA_OK;
	bool row = true;
	size_t n = 0;

	if (list == NULL)
		return GBA_E_NOMEM;
	db_bind_int(stmt, 1, (int64_t)limit);
	if (state >= 0)
		db_bind_int(stmt, 2, state);
	while (err == GBA_OK && row && n < limit) {
		err = db_step(stmt, &row);
		if (err == GBA_OK && row)
			err = row_read(list, stmt, &list[n]);
		n += err == GBA_OK && row;
	}
	db_reset(stmt);
	if (err != GBA_OK) {
		talloc_free(list);
		return err;
	}
	*_list = list;
	*_count = n;
	return GBA_OK;
}

/* A transfer key sealed for one subscriber does not open for another. */
void change_key_about(const struct subscriber *sub, char *out)
{
	snprintf(out, CHANGE_ABOUT_MAX, "transfer-key %.*s", BYTES_FMT(sub->impi));
}

enum gba_err change_key_get(struct changes *changes, const struct subscriber *sub, uint8_t transfer_key[TRANSFER_KEY_LEN])
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_KEY_GET];
	char about[CHANGE_ABOUT_MAX];
	struct bytes sealed;
	enum gba_err err;
	bool row = false;

	change_key_about(sub, about);
	db_bind_int(stmt, 1, sub->id);
	err = db_step(stmt, &row);
	sealed = err == GBA_OK && row ? db_col_blob(stmt, 0) : BYTES_NONE;
	if (err == GBA_OK && sealed.p == NULL)
		err = GBA_E_UNSUPPORTED;
	if (err == GBA_OK)
		err = sealed.n == TRANSFER_KEY_LEN + SEAL_OVERHEAD
			      ? unseal(changes->kek, bytes_of(about), sealed, transfer_key)
			      : GBA_E_CORRUPT;
	db_reset(stmt);
	return err;
}

enum gba_err change_key_set(struct changes *changes, const struct subscriber *sub, const uint8_t transfer_key[TRANSFER_KEY_LEN])
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_KEY_SET];
	uint8_t sealed[TRANSFER_KEY_LEN + SEAL_OVERHEAD];
	char about[CHANGE_ABOUT_MAX];
	enum gba_err err;

	change_key_about(sub, about);
	err = seal(changes->kek, bytes_of(about), BYTES(transfer_key, TRANSFER_KEY_LEN), sealed);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, sub->id);
	db_bind_blob(stmt, 2, BYTES(sealed, sizeof(sealed)));
	return db_run(stmt, NULL);
}

enum gba_err change_cert_set(struct changes *changes, const struct subscriber *sub, struct bytes der, struct bytes former)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_CERT_SET];

	db_bind_int(stmt, 1, sub->id);
	db_bind_blob(stmt, 2, der);
	db_bind_blob(stmt, 3, former);
	return db_run(stmt, NULL);
}

enum gba_err change_cert_get(struct changes *changes, TALLOC_CTX *mem_ctx, const struct subscriber *sub,
			     struct change_certs *_certs)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_KEY_GET];
	enum gba_err err;
	bool row = false;

	*_certs = (struct change_certs){ BYTES_NONE, BYTES_NONE };
	db_bind_int(stmt, 1, sub->id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_certs = (struct change_certs){ copy_blob(mem_ctx, stmt, 1), copy_blob(mem_ctx, stmt, 2) };
	db_reset(stmt);
	return err;
}

enum gba_err change_cert_of(struct changes *changes, struct bytes der, char impi[IMPI_MAX + 1])
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_CERT_OF];
	enum gba_err err;
	bool row = false;

	db_bind_blob(stmt, 1, der);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		snprintf(impi, IMPI_MAX + 1, "%.*s", BYTES_FMT(db_col_text(stmt, 0)));
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

enum gba_err change_count_up(struct changes *changes, const struct subscriber *sub, uint64_t *_counter)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_COUNT_UP];
	enum gba_err err;
	bool row = false;

	db_bind_int(stmt, 1, sub->id);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_counter = (uint64_t)db_col_int(stmt, 0);
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_UNSUPPORTED : err;
}

enum gba_err change_count_from(struct changes *changes, const struct subscriber *sub, uint64_t counter)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_COUNT_SET];

	db_bind_int(stmt, 1, sub->id);
	db_bind_int(stmt, 2, (int64_t)counter);
	return db_run(stmt, NULL);
}

enum gba_err change_key_drop(struct changes *changes, const struct subscriber *sub)
{
	db_bind_int(changes->stmt[CHANGE_SQL_KEY_DROP], 1, sub->id);
	return db_run(changes->stmt[CHANGE_SQL_KEY_DROP], NULL);
}
