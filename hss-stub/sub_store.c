/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/sub_store.h"

#include <unistd.h>

#include "core/clock.h"
#include "hss-stub/aside.h"
#include "hss-stub/change/schema.h"
#include "hss-stub/mapping/schema.h"
#include "store/db_duty.h"

/* id is never reused (AUTOINCREMENT): a subscriber removed and added again is another one to whoever holds a lease. */
static const struct db_migration migrations[] = {
	{ "CREATE TABLE subscriber ("
	  " id INTEGER PRIMARY KEY AUTOINCREMENT, rev INTEGER NOT NULL, impi TEXT NOT NULL UNIQUE, imsi TEXT, impus TEXT,"
	  " alg INTEGER NOT NULL, res_len INTEGER NOT NULL, tuak_iterations INTEGER NOT NULL, op_given INTEGER NOT NULL,"
	  " sealed BLOB NOT NULL, amf BLOB NOT NULL, ind_bits INTEGER NOT NULL, uicc INTEGER NOT NULL, guss BLOB,"
	  " guss_time INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT;"
	  "CREATE INDEX subscriber_imsi ON subscriber (imsi) WHERE imsi IS NOT NULL;"
	  "CREATE TABLE sqn (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT" },
	{ mapping_schema_1 },
	{ change_schema_1 },
	{ change_schema_2 },
	{ DB_DUTY_TABLE },
	{ mapping_schema_2 },
	{ mapping_schema_3 },
	{ mapping_schema_4 },
	{ mapping_schema_5 },
};

#define COLUMNS                                                                                                        \
	"id, rev, impi, imsi, impus, alg, res_len, tuak_iterations, op_given, sealed, amf, ind_bits, uicc, guss, guss_time," \
	" state, created, changed, seq"
#define JOINED "SELECT " COLUMNS " FROM subscriber JOIN sqn USING (id) "

enum sql_id {
	SQL_FIND, SQL_FIND_IMSI, SQL_REV, SQL_PAGE, SQL_COUNT, SQL_ADD, SQL_ADD_SEQ, SQL_UPDATE, SQL_REMOVE, SQL_REMOVE_SEQ,
	SQL_LEASE, SQL_SEQ, SQL_SET_SEQ, SQL_RAISE_SEQ, SQL_BUMP, SQL_RESEAL, SQL_LIFT, SQL_BUMP_ALL, SQL_ID_COUNT
};
static const char *const sql_text[] = {
	[SQL_FIND] = JOINED "WHERE impi = ?1",
	[SQL_FIND_IMSI] = JOINED "WHERE imsi = ?1 ORDER BY id LIMIT 1",
	[SQL_REV] = "SELECT rev FROM subscriber WHERE id = ?1",
	[SQL_PAGE] = JOINED "WHERE impi > ?1 ORDER BY impi LIMIT ?2",
	[SQL_COUNT] = "SELECT count(*) FROM sqn",
	[SQL_ADD] = "INSERT INTO subscriber (impi, imsi, impus, alg, res_len, tuak_iterations, op_given, sealed, amf, ind_bits,"
		    " uicc, guss, guss_time, state, changed, rev, created)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1, ?15) RETURNING id",
	[SQL_ADD_SEQ] = "INSERT INTO sqn (id, seq) VALUES (?1, ?2)",
	[SQL_UPDATE] = "UPDATE subscriber SET impi = ?1, imsi = ?2, impus = ?3, alg = ?4, res_len = ?5, tuak_iterations = ?6,"
		       " op_given = ?7, sealed = ?8, amf = ?9, ind_bits = ?10, uicc = ?11, guss = ?12, guss_time = ?13,"
		       " state = ?14, changed = ?15, rev = rev + 1 WHERE id = ?16 RETURNING rev",
	[SQL_REMOVE] = "DELETE FROM subscriber WHERE id = ?1",
	[SQL_REMOVE_SEQ] = "DELETE FROM sqn WHERE id = ?1",
	[SQL_LEASE] = "UPDATE sqn SET seq = seq + ?2 WHERE id = ?1 RETURNING seq",
	[SQL_SEQ] = "SELECT seq FROM sqn WHERE id = ?1",
	[SQL_SET_SEQ] = "UPDATE sqn SET seq = ?2 WHERE id = ?1",
	[SQL_RAISE_SEQ] = "UPDATE sqn SET seq = ?2 WHERE id = ?1 AND seq < ?2",
	[SQL_LIFT] = "UPDATE sqn SET seq = seq + ?1",
	[SQL_BUMP_ALL] = "UPDATE subscriber SET rev = rev + 1",
	[SQL_RESEAL] = "UPDATE subscriber SET sealed = ?2, rev = rev + 1 WHERE id = ?1 AND sealed = ?3",
	[SQL_BUMP] = "UPDATE subscriber SET rev = rev + 1 WHERE id = ?1",
};
_Static_assert(sizeof(sql_text) / sizeof(sql_text[0]) == SQL_ID_COUNT, "one text per statement");

#define PATIENCE_MS 2000 /* with other writers, unless told otherwise */
#define SLICE_MS    20	 /* between two looks whether leases may go aside */
#define SETS_MS	    300	 /* on a server, for others to end */

struct sub_store {
	struct db *db;
	bool moved;  /* the transaction set an SQN: leases others gave are void */
	bool beside; /* it goes to the file of aside */
	bool raises; /* another's long one goes on: SQNs can only be raised */
	struct aside *aside;
	const char *file; /* SQLite's; NULL: a server */
	unsigned int patience_ms;
	struct db_stmt *stmt[SQL_ID_COUNT];
};

static enum gba_err prepare_all(struct sub_store *store)
{
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < SQL_ID_COUNT; i++)
		err = db_prepare(store->db, sql_text[i], &store->stmt[i]);
	return err;
}

enum gba_err sub_store_open(TALLOC_CTX *mem_ctx, const char *path, struct sub_store **_store, const char **_error)
{
	struct sub_store *store = talloc_zero(mem_ctx, struct sub_store);
	const char *why = "not a file of subscribers";
	enum gba_err err;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (store == NULL)
		return GBA_E_NOMEM;
	store->patience_ms = PATIENCE_MS;
	store->file = db_is_server(path) ? NULL : talloc_strdup(store, path);
	err = db_open(store, path, migrations, sizeof(migrations) / sizeof(migrations[0]), &store->db, &why);
	if (err == GBA_OK)
		err = prepare_all(store);
	if (err != GBA_OK) {
		*_error = talloc_strdup(mem_ctx, why);
		talloc_free(store);
		return err;
	}
	*_store = store;
	return GBA_OK;
}

static enum gba_err raise_seq(void *arg, int64_t id, uint64_t seq)
{
	struct sub_store *store = arg;

	db_bind_int(store->stmt[SQL_RAISE_SEQ], 1, id);
	db_bind_int(store->stmt[SQL_RAISE_SEQ], 2, (int64_t)seq);
	return db_run(store->stmt[SQL_RAISE_SEQ], NULL);
}

/* In a transaction: what was leased aside becomes part of the database and durable with it, and only then the file goes, while we
 * have the lock again: nobody can have added to it. At the end a transaction stands, unless it failed. */
static enum gba_err take_over(struct sub_store *store)
{
	uint64_t until = clock_mono_ms() + store->patience_ms;
	size_t octets = 0;
	enum gba_err err = GBA_OK;

	while (store->file != NULL && err == GBA_OK) {
		while ((err = aside_read(store->file, raise_seq, store, &octets)) == GBA_E_BUSY && clock_mono_ms() < until)
			usleep(500);
		if (err != GBA_OK || octets == 0)
			break;
		err = db_commit(store->db);
		if (err == GBA_OK)
			err = db_begin(store->db);
		if (err != GBA_OK)
			return err;
		if (aside_forget(store->file, octets))
			break;
	}
	if (err != GBA_OK)
		db_rollback(store->db);
	return err;
}

enum gba_err sub_store_begin(struct sub_store *store)
{
	enum gba_err err;

	store->moved = store->beside = store->raises = false;
	err = db_begin_both(store->db);
	return err == GBA_OK ? take_over(store) : err;
}

static enum gba_err begin_on_server(struct sub_store *store, bool sets)
{
	enum gba_err err = GBA_E_BUSY;

	if (sets) {
		db_lock_patience(store->db, SETS_MS);
		err = sub_store_begin(store);
		db_lock_patience(store->db, 0);
	}
	if (err != GBA_E_BUSY)
		return err;
	store->moved = store->beside = false;
	store->raises = true;
	return db_begin_beside(store->db);
}

/* A long transaction may begin while we wait for the lock, and let us go aside. */
enum gba_err sub_store_begin_leases(struct sub_store *store, bool sets)
{
	uint64_t until = clock_mono_ms() + store->patience_ms;
	enum gba_err err;

	if (store->file == NULL)
		return begin_on_server(store, sets);
	if (store->aside == NULL)
		return sub_store_begin(store);
	db_patience(store->db, SLICE_MS);
	do {
		err = GBA_OK;
		store->moved = false;
		store->beside = store->raises = aside_enter(store->aside);
		if (!store->beside)
			err = sub_store_begin(store);
	} while (err == GBA_E_BUSY && clock_mono_ms() < until);
	db_patience(store->db, store->patience_ms);
	return err;
}

enum gba_err sub_store_go_aside(struct sub_store *store)
{
	if (store->file == NULL)
		return GBA_OK;
	store->aside = aside_new(store, store->file);
	return store->aside != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err sub_store_long_begin(struct sub_store *store, struct aside_hold **_hold)
{
	*_hold = NULL;
	return store->file != NULL ? aside_open(store, store->file, _hold) : GBA_OK;
}

void sub_store_long_end(struct aside_hold *hold)
{
	aside_shut(hold);
}

enum gba_err sub_store_commit(struct sub_store *store)
{
	return db_commit(store->db);
}

enum gba_err sub_store_commit_leases(struct sub_store *store)
{
	if (store->beside)
		return aside_leave(store->aside, true);
	return store->moved ? db_commit(store->db) : db_commit_quiet(store->db);
}

void sub_store_rollback(struct sub_store *store)
{
	if (store->beside)
		(void)aside_leave(store->aside, false);
	else
		db_rollback(store->db);
}

enum gba_err sub_store_end(struct sub_store *store, enum gba_err err)
{
	if (err == GBA_OK)
		return sub_store_commit(store);
	sub_store_rollback(store);
	return err;
}

/* A view's copy below ctx; false when memory is exhausted. */
static bool keep(TALLOC_CTX *ctx, struct bytes *view)
{
	uint8_t *copy;

	if (view->p == NULL)
		return true;
	copy = talloc_size(ctx, view->n + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, view->p, view->n);
	copy[view->n] = '\0';
	view->p = copy;
	return true;
}

static bool numbers_read(struct db_stmt *row, struct subscriber *sub)
{
	struct bytes amf = db_col_blob(row, 10);

	sub->id = db_col_int(row, 0);
	sub->rev = db_col_int(row, 1);
	sub->alg = (enum aka_alg)db_col_int(row, 5);
	sub->res_len = (uint32_t)db_col_int(row, 6);
	sub->tuak_iterations = (uint32_t)db_col_int(row, 7);
	sub->op_given = db_col_int(row, 8) != 0;
	sub->ind_bits = (unsigned int)db_col_int(row, 11);
	sub->uicc = (enum guss_uicc)db_col_int(row, 12);
	sub->guss_time = (time_t)db_col_int(row, 14);
	sub->state = (enum subscriber_state)db_col_int(row, 15);
	sub->created = (time_t)db_col_int(row, 16);
	sub->changed = (time_t)db_col_int(row, 17);
	sub->seq = (uint64_t)db_col_int(row, 18);
	if (amf.n != AKA_AMF_LEN || sub->ind_bits > SQN_IND_BITS_MAX || (unsigned int)sub->alg > AKA_TUAK ||
	    (unsigned int)sub->uicc > GUSS_UICC_GBA_U)
		return false;
	memcpy(sub->amf, amf.p, AKA_AMF_LEN);
	return true;
}

static enum gba_err row_read(TALLOC_CTX *mem_ctx, struct db_stmt *row, struct subscriber **_sub)
{
	struct subscriber *sub = talloc_zero(mem_ctx, struct subscriber);

	if (sub == NULL)
		return GBA_E_NOMEM;
	if (!numbers_read(row, sub)) {
		talloc_free(sub);
		return GBA_E_CORRUPT;
	}
	sub->impi = db_col_text(row, 2);
	sub->imsi = db_col_text(row, 3);
	sub->impus = db_col_text(row, 4);
	sub->sealed = db_col_blob(row, 9);
	sub->guss = db_col_blob(row, 13);
	if (!keep(sub, &sub->impi) || !keep(sub, &sub->imsi) || !keep(sub, &sub->impus) || !keep(sub, &sub->sealed) ||
	    !keep(sub, &sub->guss)) {
		talloc_free(sub);
		return GBA_E_NOMEM;
	}
	*_sub = sub;
	return GBA_OK;
}

static enum gba_err find_one(struct db_stmt *stmt, TALLOC_CTX *mem_ctx, struct bytes key, struct subscriber **_sub)
{
	enum gba_err err;
	bool row = false;

	db_bind_text(stmt, 1, key);
	err = db_step(stmt, &row);
	if (err == GBA_OK)
		err = row ? row_read(mem_ctx, stmt, _sub) : GBA_E_IMPI_UNKNOWN;
	db_reset(stmt);
	return err;
}

enum gba_err sub_store_find(struct sub_store *store, TALLOC_CTX *mem_ctx, struct bytes impi, struct subscriber **_sub)
{
	char key[IMPI_MAX + 1];
	enum gba_err err = subscriber_impi(impi, key);

	return err == GBA_OK ? find_one(store->stmt[SQL_FIND], mem_ctx, bytes_of(key), _sub) : err;
}

enum gba_err sub_store_find_imsi(struct sub_store *store, TALLOC_CTX *mem_ctx, struct bytes imsi, struct subscriber **_sub)
{
	return find_one(store->stmt[SQL_FIND_IMSI], mem_ctx, imsi, _sub);
}

/* One integer from a statement whose parameters are bound. */
static enum gba_err int_of(struct db_stmt *stmt, int64_t *_value)
{
	enum gba_err err;
	bool row = false;

	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_value = db_col_int(stmt, 0);
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_IMPI_UNKNOWN : err;
}

enum gba_err sub_store_rev(struct sub_store *store, int64_t id, int64_t *_rev)
{
	db_bind_int(store->stmt[SQL_REV], 1, id);
	return int_of(store->stmt[SQL_REV], _rev);
}

enum gba_err sub_store_count(struct sub_store *store, int64_t *_count)
{
	return int_of(store->stmt[SQL_COUNT], _count);
}

enum gba_err sub_store_page(struct sub_store *store, TALLOC_CTX *mem_ctx, struct bytes after, size_t limit,
			    struct subscriber ***_page, size_t *_count)
{
	struct subscriber **page = talloc_array(mem_ctx, struct subscriber *, limit);
	struct db_stmt *stmt = store->stmt[SQL_PAGE];
	enum gba_err err = GBA_OK;
	bool row = true;
	size_t n = 0;

	if (page == NULL)
		return GBA_E_NOMEM;
	db_bind_text(stmt, 1, after.p != NULL ? after : bytes_of(""));
	db_bind_int(stmt, 2, (int64_t)limit);
	while (err == GBA_OK && row && n < limit) {
		err = db_step(stmt, &row);
		if (err == GBA_OK && row)
			err = row_read(page, stmt, &page[n]);
		n += err == GBA_OK && row;
	}
	db_reset(stmt);
	if (err != GBA_OK) {
		talloc_free(page);
		return err;
	}
	*_page = page;
	*_count = n;
	return GBA_OK;
}

static void record_bind(struct db_stmt *stmt, const struct subscriber *sub, time_t now)
{
	db_bind_text(stmt, 1, sub->impi);
	db_bind_text(stmt, 2, sub->imsi);
	db_bind_text(stmt, 3, sub->impus);
	db_bind_int(stmt, 4, sub->alg);
	db_bind_int(stmt, 5, sub->res_len);
	db_bind_int(stmt, 6, sub->tuak_iterations);
	db_bind_int(stmt, 7, sub->op_given);
	db_bind_blob(stmt, 8, sub->sealed);
	db_bind_blob(stmt, 9, BYTES(sub->amf, AKA_AMF_LEN));
	db_bind_int(stmt, 10, sub->ind_bits);
	db_bind_int(stmt, 11, sub->uicc);
	db_bind_blob(stmt, 12, sub->guss);
	db_bind_int(stmt, 13, sub->guss_time);
	db_bind_int(stmt, 14, sub->state);
	db_bind_int(stmt, 15, now);
}

enum gba_err sub_store_add(struct sub_store *store, struct subscriber *sub, time_t now)
{
	struct db_stmt *seq = store->stmt[SQL_ADD_SEQ];
	enum gba_err err;
	int64_t id = 0;

	record_bind(store->stmt[SQL_ADD], sub, now);
	err = int_of(store->stmt[SQL_ADD], &id);
	if (err != GBA_OK)
		return err;
	db_bind_int(seq, 1, id);
	db_bind_int(seq, 2, (int64_t)sub->seq);
	err = db_run(seq, NULL);
	if (err != GBA_OK)
		return err;
	sub->id = id;
	sub->rev = 1;
	sub->created = sub->changed = now;
	return GBA_OK;
}

enum gba_err sub_store_update(struct sub_store *store, struct subscriber *sub, time_t now)
{
	struct db_stmt *stmt = store->stmt[SQL_UPDATE];
	enum gba_err err;

	record_bind(stmt, sub, now);
	db_bind_int(stmt, 16, sub->id);
	err = int_of(stmt, &sub->rev);
	if (err == GBA_OK)
		sub->changed = now;
	return err;
}

/* Run a statement that must change one row: ?1 is the id. */
static enum gba_err run_on(struct db_stmt *stmt, int64_t id)
{
	enum gba_err err;
	int changed = 0;

	db_bind_int(stmt, 1, id);
	err = db_run(stmt, &changed);
	return err == GBA_OK && changed == 0 ? GBA_E_IMPI_UNKNOWN : err;
}

enum gba_err sub_store_remove(struct sub_store *store, int64_t id)
{
	enum gba_err err = run_on(store->stmt[SQL_REMOVE], id);

	return err == GBA_OK ? run_on(store->stmt[SQL_REMOVE_SEQ], id) : err;
}

static enum gba_err lease_aside(struct sub_store *store, int64_t id, uint32_t count, uint64_t *_first)
{
	uint64_t seq = 0;
	enum gba_err err = sub_store_seq(store, id, &seq);

	if (err == GBA_OK)
		err = aside_claim(store->aside, id, seq + count);
	if (err == GBA_OK)
		*_first = seq + 1;
	return err;
}

enum gba_err sub_store_lease(struct sub_store *store, int64_t id, uint32_t count, uint64_t *_first)
{
	struct db_stmt *stmt = store->stmt[SQL_LEASE];
	int64_t last = 0;
	enum gba_err err;

	if (store->beside)
		return lease_aside(store, id, count, _first);
	db_bind_int(stmt, 1, id);
	db_bind_int(stmt, 2, count);
	err = int_of(stmt, &last);
	if (err == GBA_OK)
		*_first = (uint64_t)last - count + 1;
	return err;
}

enum gba_err sub_store_seq(struct sub_store *store, int64_t id, uint64_t *_seq)
{
	int64_t seq = 0;
	enum gba_err err;

	db_bind_int(store->stmt[SQL_SEQ], 1, id);
	err = int_of(store->stmt[SQL_SEQ], &seq);
	if (err == GBA_OK)
		*_seq = store->beside ? aside_seq(store->aside, id, (uint64_t)seq) : (uint64_t)seq;
	return err;
}

enum gba_err sub_store_set_seq(struct sub_store *store, int64_t id, uint64_t seq)
{
	struct db_stmt *stmt = store->stmt[SQL_SET_SEQ];
	uint64_t now = 0;
	enum gba_err err;

	if (store->raises) {
		err = sub_store_seq(store, id, &now);
		if (err == GBA_OK && seq < now)
			err = GBA_E_BUSY;
		if (err != GBA_OK)
			return err;
	}
	if (store->beside)
		return aside_claim(store->aside, id, seq);
	db_bind_int(stmt, 2, (int64_t)seq);
	err = run_on(stmt, id);
	if (store->raises)
		return err;
	store->moved = true;
	return err == GBA_OK ? run_on(store->stmt[SQL_BUMP], id) : err;
}

enum gba_err sub_store_reseal(struct sub_store *store, int64_t id, struct bytes old, struct bytes sealed)
{
	enum gba_err err;

	db_bind_blob(store->stmt[SQL_RESEAL], 2, sealed);
	db_bind_blob(store->stmt[SQL_RESEAL], 3, old);
	err = run_on(store->stmt[SQL_RESEAL], id);
	return err == GBA_E_IMPI_UNKNOWN ? GBA_E_BUSY : err;
}

enum gba_err sub_store_lift(struct sub_store *store, uint32_t count)
{
	enum gba_err err = sub_store_begin(store);

	if (err != GBA_OK)
		return err;
	db_bind_int(store->stmt[SQL_LIFT], 1, count);
	err = db_run(store->stmt[SQL_LIFT], NULL);
	if (err == GBA_OK)
		err = db_run(store->stmt[SQL_BUMP_ALL], NULL);
	return sub_store_end(store, err);
}

struct db *sub_store_db(struct sub_store *store)
{
	return store->db;
}

int64_t sub_store_version(struct sub_store *store)
{
	return db_data_version(store->db);
}

void sub_store_patience(struct sub_store *store, unsigned int ms)
{
	store->patience_ms = ms;
	db_patience(store->db, ms);
}

const char *sub_store_error(struct sub_store *store)
{
	return db_error(store->db);
}
