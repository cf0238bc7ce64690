/* SPDX-License-Identifier: Apache-2.0 */
/* What a change needs of the mapping function's records, and who is told. These tables are the mapping function's; they are
 * read and written here in the change's own transaction, so that no notice goes out for a change that did not happen. */
#include <jansson.h>
#include <stdlib.h>

#include "hss-stub/change/change_priv.h"
#include "hss-stub/mapping/kinds.h"

#define ASPS_MAX 1000

struct kyc {
	int64_t user, level, verified, state, authenticated;
};

static enum gba_err kyc_read(struct changes *changes, struct bytes impi, struct kyc *_kyc)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_KYC];
	enum gba_err err;
	bool row = false;

	db_bind_text(stmt, 1, impi);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*_kyc = (struct kyc){ db_col_int(stmt, 0), db_col_int(stmt, 1), db_col_int(stmt, 2), db_col_int(stmt, 3),
				      db_col_int(stmt, 4) };
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

enum gba_err change_check_kyc(struct changes *changes, struct bytes impi, uint32_t min_level, int64_t *_user, struct why *why)
{
	struct kyc kyc = { 0, 0, 0, 0, 0 };
	enum gba_err err = kyc_read(changes, impi, &kyc);

	if (err == GBA_E_NOT_FOUND)
		return why_fail(why, GBA_E_KYC, "no device with a custodian is registered for %.*s", BYTES_FMT(impi));
	if (err != GBA_OK)
		return why_fail(why, err, "device records: %s", gba_strerror(err));
	if (kyc.state != USER_REGISTERED)
		return why_fail(why, GBA_E_KYC, "its custodian is suspended");
	if (kyc.verified == 0 || kyc.level < min_level)
		return why_fail(why, GBA_E_KYC, "its custodian is not verified to level %u", min_level);
	if (kyc.authenticated == 0)
		return why_fail(why, GBA_E_KYC, "the device is not authenticated");
	if (_user != NULL)
		*_user = kyc.user;
	return GBA_OK;
}

enum gba_err change_tell_bsfs(struct changes *changes, struct bytes impi, enum change_tell tell, time_t now)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_OUTBOX];

	db_bind_int(stmt, 1, tell);
	db_bind_text(stmt, 2, impi);
	db_bind_int(stmt, 3, now);
	return db_run(stmt, NULL);
}

static enum gba_err notice_add(struct changes *changes, int owner_type, int64_t owner, json_t *body, time_t now)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_NOTICE];
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	enum gba_err err = GBA_E_NOMEM;

	if (text != NULL) {
		db_bind_int(stmt, 1, now);
		db_bind_int(stmt, 2, owner_type);
		db_bind_int(stmt, 3, owner);
		db_bind_int(stmt, 4, EVENT_TOKEN_CHANGED);
		db_bind_text(stmt, 5, bytes_of(text));
		err = db_run(stmt, NULL);
	}
	free(text);
	json_decref(body);
	return err;
}

struct asp {
	int64_t id;
	char pseudonym[64];
};

/* Read to the end before anything is written: one statement at a time. */
static enum gba_err asps_read(struct changes *changes, struct bytes impi, struct asp *asps, size_t *_count)
{
	struct db_stmt *stmt = changes->stmt[CHANGE_SQL_ASPS];
	enum gba_err err = GBA_OK;
	bool row = true;
	size_t n = 0;

	db_bind_text(stmt, 1, impi);
	while (err == GBA_OK && row && n < ASPS_MAX) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		asps[n].id = db_col_int(stmt, 0);
		snprintf(asps[n].pseudonym, sizeof(asps[n].pseudonym), "%.*s", BYTES_FMT(db_col_text(stmt, 1)));
		n++;
	}
	db_reset(stmt);
	*_count = n;
	return err;
}

/* An ASP knows its pseudonym of the user, never the IMPI. */
static enum gba_err tell_asps(struct changes *changes, struct bytes impi, time_t now)
{
	struct asp *asps = talloc_array(NULL, struct asp, ASPS_MAX);
	enum gba_err err;
	size_t i, n = 0;

	if (asps == NULL)
		return GBA_E_NOMEM;
	err = asps_read(changes, impi, asps, &n);
	for (i = 0; err == GBA_OK && i < n; i++)
		err = notice_add(changes, OWNER_ASP, asps[i].id,
				 json_pack("{s:s,s:s}", "event", "token-changed", "pseudonym", asps[i].pseudonym), now);
	talloc_free(asps);
	return err;
}

enum gba_err change_tell_people(struct changes *changes, const struct change *change, time_t now)
{
	struct kyc kyc = { 0, 0, 0, 0, 0 };
	enum gba_err err = kyc_read(changes, bytes_of(change->new_impi), &kyc);

	if (err == GBA_OK)
		err = notice_add(changes, OWNER_USER, kyc.user,
				 json_pack("{s:s,s:s,s:s,s:s}", "event", "operator-changed", "impi", change->new_impi, "from",
					   change->peer, "change", change->id),
				 now);
	if (err != GBA_OK && err != GBA_E_NOT_FOUND) /* the user's record may have been removed meanwhile */
		return err;
	return tell_asps(changes, bytes_of(change->new_impi), now);
}
