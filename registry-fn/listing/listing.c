/* SPDX-License-Identifier: Apache-2.0 */
/* What lists say of a device, and what configuration makes of it. */
#include "registry-fn/listing/listing.h"
#include "registry-fn/record/announce.h"

#include "registry-fn/trust/version.h"

const char *const listing_policy_words[] = { "allow", "grey", "refuse", NULL };
const char *const contradiction_policy_words[] = { "anomaly", "refuse", NULL };

bool listing_has(struct bytes list, struct bytes text)
{
	struct bytes line;

	while (list.p != NULL) {
		if (!bytes_split(list, '\n', &line, &list)) {
			line = list;
			list = BYTES_NONE;
		}
		if (bytes_eq(line, text))
			return true;
	}
	return false;
}

static enum gba_err maker_find(struct records *r, struct bytes make, int64_t *_id)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, "SELECT id FROM maker WHERE name = ?1 AND state = 0", &stmt);

	*_id = 0;
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, make);
	err = records_int(stmt, _id);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* One certificate: what it says, as of now. */
static enum reg_certified says(int64_t state, int64_t from, int64_t until, time_t now)
{
	if (state == CERTIFICATION_REVOKED)
		return CERTIFIED_REVOKED;
	if (state == CERTIFICATION_SUSPENDED)
		return CERTIFIED_SUSPENDED;
	if (state == CERTIFICATION_EXPIRED || (until != 0 && until <= now))
		return CERTIFIED_EXPIRED;
	return from <= now ? CERTIFIED_GOOD : CERTIFIED_NOT;
}

/* Of several the one that counts: a good one whatever the others are, else the worst. */
static enum reg_certified outweighs(enum reg_certified a, enum reg_certified b)
{
	if (a == CERTIFIED_GOOD || b == CERTIFIED_GOOD)
		return CERTIFIED_GOOD;
	return a > b ? a : b;
}

static enum gba_err certification_find(struct records *r, const struct record *device, time_t now, struct listing *listing)
{
	struct db_stmt *stmt;
	enum gba_err err;
	bool row = true;

	err = records_stmt(r, "SELECT state, valid_from, valid_until, firmware, software FROM certification"
			      " WHERE maker = ?1 AND model IN (?2, '*')", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, listing->maker);
	db_bind_text(stmt, 2, device->v[DEVICE_MODEL].t);
	while ((err = db_step(stmt, &row)) == GBA_OK && row) {
		if (version_in_any(device->v[DEVICE_FIRMWARE].t, db_col_text(stmt, 3)) &&
		    version_in_any(device->v[DEVICE_SOFTWARE].t, db_col_text(stmt, 4)))
			listing->certification = outweighs((enum reg_certified)listing->certification,
							   says(db_col_int(stmt, 0), db_col_int(stmt, 1),
								db_col_int(stmt, 2), now));
	}
	db_reset(stmt);
	return err;
}

enum gba_err listing_product(struct records *r, const struct record *device, time_t now, struct listing *_listing)
{
	enum gba_err err = maker_find(r, device->v[DEVICE_MAKE].t, &_listing->maker);

	_listing->certification = CERTIFIED_NOT;
	return err == GBA_OK && _listing->maker != 0 ? certification_find(r, device, now, _listing) : err;
}

static enum gba_err product_keep(struct records *r, struct record_call *call, int64_t device, bool hook,
				 const struct listing *listing)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, hook ? "UPDATE device SET maker = ?1, certification = ?2, changed = ?4 WHERE id = ?3"
						: "UPDATE device SET maker = ?1, certification = ?2, changed = ?4,"
						  " rev = rev + 1 WHERE id = ?3",
					&stmt);

	if (err != GBA_OK)
		return err;
	records_written(r);
	db_bind_int(stmt, 1, listing->maker);
	db_bind_int(stmt, 2, listing->certification);
	db_bind_int(stmt, 3, device);
	db_bind_int(stmt, 4, call->now);
	return db_run(stmt, NULL);
}

enum gba_err listing_read(struct records *r, struct record_call *call, int64_t device, bool hook, struct listing *_listing)
{
	struct record *rec = NULL;
	enum gba_err err = record_load(r, call->mem_ctx, REG_DEVICE, device, &rec);

	if (err != GBA_OK)
		return err;
	*_listing = (struct listing){ 0 };
	err = listing_product(r, rec, call->now, _listing);
	if (err == GBA_OK)
		err = listing_match(r, rec, _listing);
	if (err == GBA_OK &&
	    (rec->v[DEVICE_MAKER].n != _listing->maker || rec->v[DEVICE_CERTIFICATION].n != _listing->certification))
		err = product_keep(r, call, device, hook, _listing);
	talloc_free(rec);
	return err;
}

enum listing_policy listing_verdict(const struct registry_conf *conf, const struct listing *listing, const char **_why,
				    const char **_field)
{
	const struct {
		bool against;
		uint32_t policy;
		const char *why, *field;
	} lists[] = {
		{ listing->maker == 0, conf->unlisted_makers, "its maker is not registered", "make" },
		{ listing->certification != CERTIFIED_GOOD, conf->uncertified_models,
		  "no certificate covers its model and versions", "model" },
		{ !listing->endpoints, conf->unlisted_identifiers, "no connectivity provider lists its identifiers", "identities" },
		{ !listing->unit, conf->unmapped_units, "no maker has mapped its identity to a serial number", "identity" },
		{ listing->against > 0 && conf->contradictions == CONTRADICTION_REFUSE, LISTING_REFUSE,
		  "lists say otherwise of its identities", "identity" },
	};
	enum listing_policy worst = LISTING_ALLOW;
	size_t i;

	*_why = *_field = "";
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (!lists[i].against || lists[i].policy <= worst)
			continue;
		worst = (enum listing_policy)lists[i].policy;
		*_why = lists[i].why;
		*_field = lists[i].field;
	}
	return worst;
}

/* It is judged by what it is called now; at Register that follows with Set. */
enum gba_err reg_device_identity_after(struct records *r, struct record_call *call, const struct record *old,
				       const struct record *now)
{
	const struct record *identity = now != NULL ? now : old;
	enum gba_err err;

	err = records_run(r, LISTING_DUE("id FROM device WHERE id = ?1 AND state = 2"), identity->v[DEVICE_IDENTITY_DEVICE].n);
	return err == GBA_OK && (now == NULL || old == NULL) ? announce_identity(r, call, identity) : err;
}

enum gba_err reg_maker_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now)
{
	(void)call;
	if (now == NULL)
		return records_run(r, LISTING_DUE("id FROM device WHERE maker = ?1"), old->id);
	if (old != NULL && old->v[MAKER_STATE].n == now->v[MAKER_STATE].n)
		return GBA_OK;
	return records_run(r, LISTING_DUE("d.id FROM maker AS m JOIN device AS d ON d.make = m.name WHERE m.id = ?1"),
			   now->id);
}
