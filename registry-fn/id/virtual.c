/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/id/virtual.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"

#define DIGEST_CHARS HEX_LEN(HASH_MAX)
#define FORGET_MAX   1000 /* at a time: others wait for the database meanwhile */

static void digest_of(const uint8_t token[REGDEVID_TOKEN_LEN], char out[DIGEST_CHARS + 1])
{
	struct bytes octets = BYTES(token, REGDEVID_TOKEN_LEN);
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &octets, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), out);
}

enum gba_err virtual_issue(struct records *r, const struct virtual_ask *ask, const char *reg_id, time_t now, char *out)
{
	struct regdevid id = { .kind = REGDEVID_VIRTUAL };
	char digest[DIGEST_CHARS + 1];
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	if (ask->seconds <= 0 || ask->seconds > VIRTUAL_SECONDS_MAX)
		return GBA_E_RANGE;
	if (strlen(ask->audience) > VIRTUAL_AUDIENCE_MAX)
		return GBA_E_TOO_LONG;
	err = records_stmt(r,
			   "INSERT INTO virtual_id (digest, device, single, audience, issued, expires, used)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
			   &stmt);
	if (err != GBA_OK)
		return err;
	rand_bytes(id.token, sizeof(id.token));
	digest_of(id.token, digest);
	db_bind_text(stmt, 1, bytes_of(digest));
	db_bind_int(stmt, 2, ask->device);
	db_bind_int(stmt, 3, ask->single);
	db_bind_text(stmt, 4, bytes_of(ask->audience));
	db_bind_int(stmt, 5, now);
	db_bind_int(stmt, 6, now + ask->seconds);
	records_written(r);
	err = db_run(stmt, NULL);
	snprintf(id.reg_id, sizeof(id.reg_id), "%s", reg_id);
	if (err == GBA_OK)
		regdevid_format(&id, out);
	return err;
}

/* What stands of it, as far as the caller may use it. */
static enum gba_err find(struct records *r, const char *digest, const char *who, time_t now, int64_t *_device,
			 bool *_single)
{
	struct db_stmt *stmt = NULL;
	bool row = false, good;
	enum gba_err err;

	err = records_stmt(r, "SELECT device, single, audience, expires, used FROM virtual_id WHERE digest = ?1",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(digest));
	err = db_step(stmt, &row);
	if (err != GBA_OK || !row)
		return err != GBA_OK ? err : GBA_E_NOT_FOUND;
	*_device = db_col_int(stmt, 0);
	*_single = db_col_int(stmt, 1) != 0;
	good = db_col_int(stmt, 3) > now && (!*_single || db_col_int(stmt, 4) == 0) &&
	       (db_col_text(stmt, 2).n == 0 || bytes_eq_str(db_col_text(stmt, 2), who));
	db_reset(stmt);
	return good ? GBA_OK : GBA_E_NOT_FOUND;
}

enum gba_err virtual_resolve(struct records *r, struct bytes text, const char *who, time_t now, int64_t *_device)
{
	char digest[DIGEST_CHARS + 1];
	struct db_stmt *stmt = NULL;
	struct regdevid id;
	bool single = false;
	const char *why;
	enum gba_err err;

	if (regdevid_parse(text, &id, &why) != GBA_OK || id.kind != REGDEVID_VIRTUAL)
		return GBA_E_NOT_FOUND;
	digest_of(id.token, digest);
	err = find(r, digest, who, now, _device, &single);
	if (err != GBA_OK || !single)
		return err;
	err = records_stmt(r, "DELETE FROM virtual_id WHERE digest = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(digest));
	records_written(r);
	return db_run(stmt, NULL);
}

enum gba_err virtual_expired(struct records *r, time_t now, bool *_some)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(r, "SELECT 1 FROM virtual_id WHERE expires <= ?1 LIMIT 1", &stmt);

	*_some = false;
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now);
	err = db_step(stmt, _some);
	db_reset(stmt);
	return err;
}

enum gba_err virtual_forget(struct records *r, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(r, "DELETE FROM virtual_id WHERE digest IN"
			      " (SELECT digest FROM virtual_id WHERE expires <= ?1 ORDER BY expires LIMIT ?2)", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now);
	db_bind_int(stmt, 2, FORGET_MAX);
	return db_run(stmt, NULL);
}
