/* SPDX-License-Identifier: Apache-2.0 */
/* A device's identities held against the lists of connectivity providers and makers. */
#include <ctype.h>

#include "registry-fn/listing/listing.h"

#define CLAIMS_MAX 64
#define SAYS_MAX   8 /* rows that are looked at of one identity */

/* What a device says that it is, and its subscription's IMSI, which it has proved. */
struct claim {
	int64_t scheme;
	const char *value;
};

struct claims {
	const struct record *device;
	struct claim v[CLAIMS_MAX];
	size_t n;
	struct listing *listing;
};

static int64_t number_of(const char *word)
{
	return scheme_by_word(bytes_of(word)) - schemes;
}

static void add(struct claims *claims, int64_t scheme, const char *value)
{
	size_t i;

	for (i = 0; i < claims->n; i++) {
		if (claims->v[i].scheme == scheme && strcmp(claims->v[i].value, value) == 0)
			return;
	}
	if (claims->n < CLAIMS_MAX)
		claims->v[claims->n++] = (struct claim){ scheme, value };
}

/* Said of one scheme; NULL: nothing. */
static const char *claimed(const struct claims *claims, int64_t scheme)
{
	size_t i;

	for (i = 0; i < claims->n; i++) {
		if (claims->v[i].scheme == scheme)
			return claims->v[i].value;
	}
	return NULL;
}

static bool claims_it(const struct claims *claims, int64_t scheme, struct bytes value)
{
	size_t i;

	for (i = 0; i < claims->n; i++) {
		if (claims->v[i].scheme == scheme && bytes_eq_str(value, claims->v[i].value))
			return true;
	}
	return false;
}

/* A list says otherwise. The reason names no identifier: it is kept as evidence, and shown. */
static void against(struct claims *claims, const char *what)
{
	claims->listing->against++;
	if (claims->listing->what == NULL)
		claims->listing->what = what;
}

/* TS 23.003 13.3: IMSI@ims.mnc..., when it is made of one. */
static const char *imsi_of(TALLOC_CTX *ctx, struct bytes impi)
{
	size_t n = 0;

	while (n < impi.n && isdigit(impi.p[n]))
		n++;
	return n >= 6 && n <= 15 && n < impi.n && impi.p[n] == '@' ? talloc_strndup(ctx, (const char *)impi.p, n) : NULL;
}

static enum gba_err claims_read(struct records *r, TALLOC_CTX *ctx, const struct record *device, struct claims *claims)
{
	const char *imsi = imsi_of(ctx, device->v[DEVICE_IMPI].t), *value;
	struct db_stmt *stmt;
	bool row = true;
	enum gba_err err;

	err = records_stmt(r, "SELECT scheme, value FROM device_identity WHERE device = ?1 ORDER BY id LIMIT 62", &stmt);
	if (err != GBA_OK)
		return err;
	add(claims, device->v[DEVICE_SCHEME].n, record_text(device, DEVICE_IDENTITY));
	if (imsi != NULL)
		add(claims, number_of("imsi"), imsi);
	db_bind_int(stmt, 1, device->id);
	while ((err = db_step(stmt, &row)) == GBA_OK && row) {
		value = talloc_strndup(ctx, (const char *)db_col_text(stmt, 1).p, db_col_text(stmt, 1).n);
		if (value == NULL)
			err = GBA_E_NOMEM;
		else
			add(claims, db_col_int(stmt, 0), value);
		if (err != GBA_OK)
			break;
	}
	db_reset(stmt);
	return err;
}

/* ---- connectivity providers ---- */

/* Identifiers that one SIM has, so that one provider has them. */
static bool of_sim(int64_t scheme)
{
	return scheme == number_of("imsi") || scheme == number_of("iccid") || scheme == number_of("e164");
}

/* One row of a list about one claim. @param provider  of the claims before, of one SIM; 0: none */
static const char *endpoint_says(const struct claims *claims, const struct claim *claim, struct db_stmt *row, int64_t first,
				 int64_t *provider)
{
	int64_t whose = db_col_int(row, 0);
	struct bytes device = db_col_text(row, 3);

	if (db_col_int(row, 1) != ENDPOINT_ACTIVE)
		return "its provider has suspended or withdrawn an identifier";
	if (device.p != NULL && !claims_it(claims, db_col_int(row, 2), device))
		return "a provider lists an identifier for another device";
	if (first != 0 && first != whose)
		return "two providers list one identifier";
	if (of_sim(claim->scheme) && *provider != 0 && *provider != whose)
		return "its identifiers are of different providers";
	if (of_sim(claim->scheme))
		*provider = whose;
	return NULL;
}

static enum gba_err endpoint_look(struct records *r, struct claims *claims, const struct claim *claim, int64_t *provider)
{
	struct db_stmt *stmt;
	const char *what = NULL;
	int64_t first = 0;
	bool row = true;
	int left = SAYS_MAX;
	enum gba_err err;

	err = records_stmt(r, "SELECT e.provider, e.state, e.device_scheme, e.device FROM endpoint AS e"
			      " JOIN party AS p ON p.id = e.provider"
			      " WHERE e.value = ?1 AND e.scheme = ?2 AND p.state = 1 ORDER BY e.id", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(claim->value));
	db_bind_int(stmt, 2, claim->scheme);
	while (what == NULL && left-- > 0 && (err = db_step(stmt, &row)) == GBA_OK && row) {
		claims->listing->endpoints = true;
		what = endpoint_says(claims, claim, stmt, first, provider);
		first = db_col_int(stmt, 0);
	}
	db_reset(stmt);
	if (what != NULL)
		against(claims, what);
	return err;
}

/* The provider keeps this device to subscriptions: it has to come with one of them. */
static enum gba_err subscription_look(struct records *r, struct claims *claims)
{
	int64_t imsi = number_of("imsi");
	struct db_stmt *stmt;
	bool row = true, any = false, same = false;
	enum gba_err err;

	if (claimed(claims, imsi) == NULL)
		return GBA_OK;
	err = records_stmt(r, "SELECT e.value FROM endpoint AS e JOIN party AS p ON p.id = e.provider WHERE e.device = ?1"
			      " AND e.device_scheme = ?2 AND e.scheme = ?3 AND e.state = 0 AND p.state = 1 LIMIT 64", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, claims->device->v[DEVICE_IDENTITY].t);
	db_bind_int(stmt, 2, claims->device->v[DEVICE_SCHEME].n);
	db_bind_int(stmt, 3, imsi);
	while ((err = db_step(stmt, &row)) == GBA_OK && row) {
		any = true;
		same = same || claims_it(claims, imsi, db_col_text(stmt, 0));
	}
	db_reset(stmt);
	if (any && !same)
		against(claims, "its provider lists another subscription for it");
	return err;
}

/* ---- makers ---- */

/* What a maker's mapping says of one claim. @param unit  of the claims before; 0: none */
static const char *unit_says(const struct claims *claims, struct db_stmt *row, int64_t *unit)
{
	const char *serial = claimed(claims, number_of("serial"));

	if (db_col_int(row, 1) != claims->listing->maker)
		return "another maker has made what has this identity";
	if (!bytes_eq(db_col_text(row, 3), claims->device->v[DEVICE_MODEL].t))
		return "its maker has given this identity to another model";
	if (db_col_int(row, 4) != UNIT_ACTIVE)
		return "its maker has withdrawn the unit";
	if (serial != NULL && !bytes_eq_str(db_col_text(row, 2), serial))
		return "its maker has mapped this identity to another serial number";
	if (*unit != 0 && *unit != db_col_int(row, 0))
		return "its identities are of different units";
	*unit = db_col_int(row, 0);
	return NULL;
}

static enum gba_err unit_look(struct records *r, struct claims *claims, const struct claim *claim, int64_t *unit)
{
	struct db_stmt *stmt;
	const char *what = NULL;
	bool row = true;
	int left = SAYS_MAX;
	enum gba_err err;

	err = records_stmt(r, "SELECT u.id, u.maker, u.serial, u.model, u.state FROM unit_identity AS i"
			      " JOIN unit AS u ON u.id = i.unit WHERE i.value = ?1 AND i.scheme = ?2 ORDER BY u.id", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(claim->value));
	db_bind_int(stmt, 2, claim->scheme);
	while (what == NULL && left-- > 0 && (err = db_step(stmt, &row)) == GBA_OK && row) {
		claims->listing->unit = true;
		what = unit_says(claims, stmt, unit);
	}
	db_reset(stmt);
	if (what != NULL)
		against(claims, what);
	return err;
}

/* None of its identities is mapped: then its serial number must not be another unit's. */
static enum gba_err serial_look(struct records *r, struct claims *claims)
{
	const char *serial = claimed(claims, number_of("serial"));
	struct db_stmt *stmt;
	int64_t id = 0;
	enum gba_err err;

	if (serial == NULL || claims->listing->unit || claims->listing->maker == 0)
		return GBA_OK;
	err = records_stmt(r, "SELECT id FROM unit WHERE maker = ?1 AND serial = ?2", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, claims->listing->maker);
	db_bind_text(stmt, 2, bytes_of(serial));
	err = records_int(stmt, &id);
	if (err == GBA_OK)
		against(claims, "its maker has mapped its serial number to other identities");
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

enum gba_err listing_match(struct records *r, const struct record *device, struct listing *listing)
{
	struct claims *claims = talloc_zero(NULL, struct claims);
	int64_t provider = 0, unit = 0;
	enum gba_err err = GBA_E_NOMEM;
	size_t i;

	if (claims == NULL)
		return err;
	claims->device = device;
	claims->listing = listing;
	err = claims_read(r, claims, device, claims);
	for (i = 0; err == GBA_OK && i < claims->n; i++) {
		err = endpoint_look(r, claims, &claims->v[i], &provider);
		if (err == GBA_OK)
			err = unit_look(r, claims, &claims->v[i], &unit);
	}
	if (err == GBA_OK)
		err = subscription_look(r, claims);
	if (err == GBA_OK)
		err = serial_look(r, claims);
	talloc_free(claims);
	return err;
}
