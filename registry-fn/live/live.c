/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/live/live.h"

#include "core/clock.h"
#include "core/codec.h"

#define COLUMNS                                                                                                                \
	"SELECT ref, asked_by, subject, nonce, challenge, answer, demand, proof, device, asked, expires, answered"            \
	" FROM interrogation "
#define TEXTS 8 /* of these columns */

const char *const live_state_words[] = { "waiting", "answered", "expired", "challenged", NULL };

static const char *random_text(TALLOC_CTX *ctx, size_t n)
{
	uint8_t octets[LIVE_CHALLENGE_LEN];
	char text[HEX_LEN(LIVE_CHALLENGE_LEN) + 1];

	rand_bytes(octets, n);
	hex_encode(BYTES(octets, n), text);
	return talloc_strdup(ctx, text);
}

static enum gba_err forget_old(struct records *r, time_t now)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "DELETE FROM interrogation WHERE expires < ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now - LIVE_KEEP);
	records_written(r);
	return db_run(stmt, NULL);
}

static enum gba_err room_for(struct records *r, const struct live *live)
{
	struct db_stmt *stmt;
	int64_t n = 0;
	enum gba_err err = records_stmt(r,
					"SELECT count(*) FROM interrogation WHERE asked_by = ?1 AND answered = 0 AND expires > ?2",
					&stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(live->by));
	db_bind_int(stmt, 2, live->asked);
	err = records_int(stmt, &n);
	return err == GBA_OK && n >= LIVE_OPEN_MAX ? GBA_E_BUSY : err;
}

static enum gba_err nonce_new(struct records *r, const struct live *live)
{
	struct db_stmt *stmt;
	int64_t one = 0;
	enum gba_err err = records_stmt(r, "SELECT 1 FROM interrogation WHERE asked_by = ?1 AND nonce = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(live->by));
	db_bind_text(stmt, 2, bytes_of(live->nonce));
	err = records_int(stmt, &one);
	if (err == GBA_E_NOT_FOUND)
		return GBA_OK;
	return err == GBA_OK ? GBA_E_EXISTS : err;
}

static enum gba_err insert(struct records *r, const struct live *live)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r,
					"INSERT INTO interrogation (ref, asked_by, subject, nonce, challenge, device, asked,"
					" expires, answered) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
					&stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(live->ref));
	db_bind_text(stmt, 2, bytes_of(live->by));
	db_bind_text(stmt, 3, bytes_of(live->subject));
	db_bind_text(stmt, 4, bytes_of(live->nonce));
	db_bind_text(stmt, 5, bytes_of(live->challenge));
	db_bind_int(stmt, 6, live->device);
	db_bind_int(stmt, 7, live->asked);
	db_bind_int(stmt, 8, live->expires);
	return db_run(stmt, NULL);
}

enum gba_err live_ask(struct records *r, TALLOC_CTX *mem_ctx, struct live *live)
{
	enum gba_err err = forget_old(r, live->asked);

	if (err == GBA_OK)
		err = room_for(r, live);
	if (err == GBA_OK)
		err = nonce_new(r, live);
	if (err != GBA_OK)
		return err;
	live->state = LIVE_WAITING;
	live->ref = random_text(mem_ctx, LIVE_REF_LEN);
	live->challenge = random_text(mem_ctx, LIVE_CHALLENGE_LEN);
	return live->ref != NULL && live->challenge != NULL ? insert(r, live) : GBA_E_NOMEM;
}

/* The row the statement stands on. */
static enum gba_err row_read(struct db_stmt *stmt, TALLOC_CTX *ctx, time_t now, struct live *_live)
{
	const char *text[TEXTS];
	struct bytes kept;
	enum gba_err err;
	int i;

	for (i = 0; i < TEXTS; i++) {
		err = records_keep(ctx, db_col_text(stmt, i), &kept);
		if (err != GBA_OK)
			return err;
		text[i] = (const char *)kept.p;
	}
	*_live = (struct live){ text[0], text[1], text[2], text[3], text[4], text[5], text[6], text[7], db_col_int(stmt, 8),
				db_col_int(stmt, 9), db_col_int(stmt, 10), db_col_int(stmt, 11), LIVE_WAITING };
	if (_live->answered != 0)
		_live->state = LIVE_ANSWERED;
	else if (_live->expires <= now)
		_live->state = LIVE_EXPIRED;
	else if (_live->demand != NULL && _live->proof == NULL)
		_live->state = LIVE_CHALLENGED;
	return GBA_OK;
}

enum gba_err live_read(struct records *r, TALLOC_CTX *mem_ctx, const char *ref, const char *by, time_t now, struct live *_live)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, COLUMNS "WHERE ref = ?1 AND asked_by = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(ref));
	db_bind_text(stmt, 2, bytes_of(by));
	err = db_step(stmt, &row);
	if (err == GBA_OK)
		err = row ? row_read(stmt, mem_ctx, now, _live) : GBA_E_NOT_FOUND;
	db_reset(stmt);
	return err;
}

enum gba_err live_waiting(struct records *r, TALLOC_CTX *mem_ctx, int64_t device, time_t now, struct live *list, size_t *_n)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err;

	*_n = 0;
	err = records_stmt(r, COLUMNS "WHERE device = ?1 AND answered = 0 AND expires > ?2 ORDER BY id LIMIT ?3", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, device);
	db_bind_int(stmt, 2, now);
	db_bind_int(stmt, 3, LIVE_OPEN_MAX);
	while ((err = db_step(stmt, &row)) == GBA_OK && row) {
		err = row_read(stmt, mem_ctx, now, &list[*_n]);
		if (err != GBA_OK)
			break;
		(*_n)++;
	}
	db_reset(stmt);
	return err;
}

/* Why an answer is not taken. */
static enum gba_err why_not(struct records *r, int64_t device, const char *challenge)
{
	struct db_stmt *stmt;
	int64_t answered = 0;
	enum gba_err err = records_stmt(r, "SELECT answered FROM interrogation WHERE challenge = ?1 AND device = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(challenge));
	db_bind_int(stmt, 2, device);
	err = records_int(stmt, &answered);
	if (err != GBA_OK)
		return err;
	return answered != 0 ? GBA_E_REPLAY : GBA_E_STATE;
}

/* sql changes the one open interrogation of that challenge: ?1 said, ?2 now, ?3 challenge, ?4 device. */
static enum gba_err device_says(struct records *r, const char *sql, int64_t device, const char *challenge, const char *said,
				time_t now)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(said));
	db_bind_int(stmt, 2, now);
	db_bind_text(stmt, 3, bytes_of(challenge));
	db_bind_int(stmt, 4, device);
	records_written(r);
	err = db_step(stmt, &row);
	db_reset(stmt);
	return err != GBA_OK || row ? err : why_not(r, device, challenge);
}

enum gba_err live_answer(struct records *r, int64_t device, const char *challenge, const char *text, time_t now)
{
	return device_says(r,
			   "UPDATE interrogation SET answer = ?1, answered = ?2 WHERE challenge = ?3 AND device = ?4"
			   " AND answered = 0 AND expires > ?2 RETURNING id",
			   device, challenge, text, now);
}

enum gba_err live_demand(struct records *r, int64_t device, const char *challenge, const char *demand, time_t now)
{
	return device_says(r,
			   "UPDATE interrogation SET demand = ?1 WHERE challenge = ?3 AND device = ?4 AND answered = 0"
			   " AND expires > ?2 AND (demand IS NULL OR demand = ?1) RETURNING id",
			   device, challenge, demand, now);
}

enum gba_err live_prove(struct records *r, const char *ref, const char *by, const char *proof, time_t now)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r,
					"UPDATE interrogation SET proof = ?1 WHERE ref = ?2 AND asked_by = ?3 AND answered = 0"
					" AND expires > ?4 AND demand IS NOT NULL AND proof IS NULL RETURNING id",
					&stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(proof));
	db_bind_text(stmt, 2, bytes_of(ref));
	db_bind_text(stmt, 3, bytes_of(by));
	db_bind_int(stmt, 4, now);
	records_written(r);
	err = db_step(stmt, &row);
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_STATE : err;
}
