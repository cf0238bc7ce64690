/* SPDX-License-Identifier: Apache-2.0 */
/* The permission query of RPB: by client element and host name of the application (Y.3056 10.4-3; mapping.md G2-B). */
#include "hss-stub/mapping/grant.h"

#include "hss-stub/mapping/mapping_priv.h"
#include "hss-stub/mapping/uss.h"

/* Columns of an application a grant needs; then flag or state, validity, security degree, pseudonym, id. */
#define APPLICATION_COLUMNS                                                                                            \
	"a.id, a.gsid, a.gaa_type, a.naf_group, a.token_use, a.token_lifetime, a.security_degree, a.push_peer, "       \
	"a.ua_ids, a.state, s.state"

struct asked {
	int64_t application;
	bool active;
	uint32_t degree;
	struct uss_terms terms;
	struct grant *grant;
};

static enum gba_err texts_read(struct db_stmt *row, struct asked *asked)
{
	struct bytes group = BYTES_NONE, peer = BYTES_NONE, ua = BYTES_NONE;
	enum gba_err err;

	err = records_keep(asked->grant, db_col_text(row, 3), &group);
	if (err == GBA_OK)
		err = records_keep(asked->grant, db_col_text(row, 7), &peer);
	if (err == GBA_OK)
		err = records_keep(asked->grant, db_col_text(row, 8), &ua);
	asked->terms.naf_group = (const char *)group.p;
	asked->grant->push_peer = (const char *)peer.p;
	asked->grant->ua_ids = (const char *)ua.p;
	return err;
}

static enum gba_err application_take(struct db_stmt *stmt, struct asked *asked)
{
	asked->application = db_col_int(stmt, 0);
	asked->terms.gsid = asked->grant->gsid = (uint32_t)db_col_int(stmt, 1);
	asked->terms.type = (uint32_t)db_col_int(stmt, 2);
	asked->grant->single = db_col_int(stmt, 4) == TOKEN_SINGLE;
	asked->grant->token_lifetime = (uint32_t)db_col_int(stmt, 5);
	asked->degree = (uint32_t)db_col_int(stmt, 6);
	asked->active = db_col_int(stmt, 9) == APPLICATION_ACTIVE && db_col_int(stmt, 10) == ASP_ACTIVE;
	return texts_read(stmt, asked);
}

/* A host name as it stands in the table. @return false: none */
static bool fqdn_lower(struct bytes naf_fqdn, char fqdn[FQDN_MAX + 1])
{
	size_t i;

	if (naf_fqdn.n == 0 || naf_fqdn.n > FQDN_MAX)
		return false;
	for (i = 0; i < naf_fqdn.n; i++)
		fqdn[i] = (char)(naf_fqdn.p[i] >= 'A' && naf_fqdn.p[i] <= 'Z' ? naf_fqdn.p[i] - 'A' + 'a'
									      : naf_fqdn.p[i]);
	fqdn[naf_fqdn.n] = '\0';
	return true;
}

/* The common case in one read: the user's own permission, in force. Each statement has its own locks, which cost more than what
 * it reads. @return GBA_E_NOT_FOUND: it is not that simple */
static enum gba_err own_at_once(struct records *m, const char *fqdn, const char *impi, time_t now, struct asked *asked)
{
	struct grant *grant = asked->grant;
	struct bytes pseudonym = BYTES_NONE;
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = false;

	err = records_stmt(m,
			   "SELECT " APPLICATION_COLUMNS
			   ", p.id, p.valid_from, p.valid_until, p.security_degree, p.pseudonym"
			   " FROM application a JOIN asp s ON s.id = a.asp JOIN permission p ON p.application = a.id"
			   " JOIN subscriber u ON u.impi = p.impi"
			   " WHERE a.naf_fqdn = ?1 AND p.impi = ?2 AND p.in_force = 1 AND p.flag = 1 AND u.state = 0",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(fqdn));
	db_bind_text(stmt, 2, bytes_of(impi));
	err = db_step(stmt, &row);
	if (err == GBA_OK && !row)
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		err = application_take(stmt, asked);
	if (err == GBA_OK) {
		grant->permission = db_col_int(stmt, 11);
		grant->from = (time_t)db_col_int(stmt, 12);
		grant->until = (time_t)db_col_int(stmt, 13);
		grant->security_degree = (uint32_t)db_col_int(stmt, 14);
		err = records_keep(grant, db_col_text(stmt, 15), &pseudonym);
		grant->pseudonym = (const char *)pseudonym.p;
	}
	db_reset(stmt);
	if (err == GBA_OK && (!asked->active || grant->from > now || (grant->until != 0 && grant->until <= now)))
		err = GBA_E_NOT_FOUND; /* its time has come or gone, and the sweep has not */
	return err;
}

static enum gba_err application_read(struct records *m, const char *fqdn, struct asked *asked)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = false;

	err = records_stmt(
		m, "SELECT " APPLICATION_COLUMNS " FROM application a JOIN asp s ON s.id = a.asp WHERE a.naf_fqdn = ?1",
		&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(fqdn));
	err = db_step(stmt, &row);
	if (err == GBA_OK && !row)
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		err = application_take(stmt, asked);
	db_reset(stmt);
	return err;
}

static enum gba_err subscriber_active(struct records *m, const char *impi)
{
	struct db_stmt *stmt = NULL;
	int64_t state = SUBSCRIBER_BARRED;
	enum gba_err err;

	err = records_stmt(m, "SELECT state FROM subscriber WHERE impi = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(impi));
	err = records_int(stmt, &state);
	if (err == GBA_E_NOT_FOUND)
		return GBA_E_IMPI_UNKNOWN;
	return err == GBA_OK && state != SUBSCRIBER_ACTIVE ? GBA_E_IMPI_BARRED : err;
}

static const char own_sql[] = "SELECT id, flag, valid_from, valid_until, security_degree, pseudonym FROM permission"
			      " WHERE impi = ?1 AND application = ?2";
static const char lent_sql[] = "SELECT p.id, CASE WHEN d.state = 0 THEN p.flag ELSE 0 END, CASE WHEN d.valid_from > "
			       "p.valid_from THEN d.valid_from ELSE p.valid_from END,"
			       " CASE WHEN p.valid_until > 0 AND p.valid_until < d.valid_until THEN p.valid_until ELSE "
			       "d.valid_until END, p.security_degree,"
			       " d.pseudonym, p.impi FROM delegation d JOIN permission p ON p.id = d.permission WHERE "
			       "d.to_impi = ?1 AND p.application = ?2"
			       " ORDER BY d.id";

/* The first row in force at `now`. The lender's own registration counts, too. */
static enum gba_err permission_read(struct records *m, const char *sql, const char *impi, time_t now,
				    struct asked *asked, struct bytes *_lender)
{
	struct grant *grant = asked->grant;
	struct bytes pseudonym = BYTES_NONE;
	struct db_stmt *stmt = NULL;
	bool row = false, good = false;
	enum gba_err err;

	err = records_stmt(m, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(impi));
	db_bind_int(stmt, 2, asked->application);
	while (err == GBA_OK && !good) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		grant->permission = db_col_int(stmt, 0);
		grant->from = (time_t)db_col_int(stmt, 2);
		grant->until = (time_t)db_col_int(stmt, 3);
		grant->security_degree = (uint32_t)db_col_int(stmt, 4);
		good = db_col_int(stmt, 1) == FLAG_SET && grant->from <= now &&
		       (grant->until == 0 || now < grant->until);
		if (good)
			err = records_keep(grant, db_col_text(stmt, 5), &pseudonym);
		if (good && err == GBA_OK && sql == lent_sql)
			err = records_keep(grant, db_col_text(stmt, 6), _lender);
	}
	db_reset(stmt);
	grant->pseudonym = (const char *)pseudonym.p;
	grant->delegated = sql == lent_sql;
	return err == GBA_OK && !good ? GBA_E_NOT_AUTHORIZED : err;
}

static enum gba_err registered(struct records *m, struct bytes impi)
{
	int64_t custodian = 0;
	bool yes = false;
	enum gba_err err = device_registered(m, impi, &yes, &custodian);

	return err == GBA_OK && !yes ? GBA_E_NOT_AUTHORIZED : err;
}

static enum gba_err finish(struct asked *asked)
{
	struct grant *grant = asked->grant;
	struct guss guss = { 0 };
	struct uss uss;

	if (asked->degree > grant->security_degree)
		grant->security_degree = asked->degree;
	asked->terms.pseudonym = grant->pseudonym;
	uss_fill(grant, &asked->terms, &uss);
	guss.uss = &uss;
	guss.uss_count = 1;
	grant->uss_list = uss_list_build(grant, &guss);
	return grant->uss_list != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err decide(struct records *m, const char *impi, time_t now, struct asked *asked)
{
	struct bytes lender = BYTES_NONE;
	enum gba_err err;

	err = subscriber_active(m, impi);
	if (err == GBA_OK && !asked->active)
		err = GBA_E_NOT_AUTHORIZED;
	if (err == GBA_OK)
		err = registered(m, bytes_of(impi));
	if (err != GBA_OK)
		return err;
	err = permission_read(m, own_sql, impi, now, asked, &lender);
	if (err == GBA_E_NOT_AUTHORIZED)
		err = permission_read(m, lent_sql, impi, now, asked, &lender);
	if (err == GBA_OK && lender.p != NULL)
		err = registered(m, lender);
	return err == GBA_OK ? finish(asked) : err;
}

static enum gba_err find(struct records *m, const char *fqdn, const char *impi, time_t now, struct asked *asked)
{
	enum gba_err err = own_at_once(m, fqdn, impi, now, asked);

	if (err == GBA_OK)
		return finish(asked);
	if (err == GBA_E_NOT_FOUND)
		err = application_read(m, fqdn, asked);
	return err == GBA_OK ? decide(m, impi, now, asked) : err;
}

enum gba_err grant_find(struct records *m, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes naf_fqdn, time_t now,
			struct grant **_grant)
{
	struct asked asked = { .grant = talloc_zero(mem_ctx, struct grant) };
	char canonical[IMPI_MAX + 1], fqdn[FQDN_MAX + 1];
	enum gba_err err;

	if (asked.grant == NULL)
		return GBA_E_NOMEM;
	err = subscriber_impi(impi, canonical);
	if (err == GBA_E_IMPI_SYNTAX)
		err = GBA_E_IMPI_UNKNOWN;
	if (err == GBA_OK && !fqdn_lower(naf_fqdn, fqdn))
		err = GBA_E_NOT_FOUND;
	else if (err == GBA_OK)
		err = find(m, fqdn, canonical, now, &asked);
	if (err != GBA_OK) {
		talloc_free(asked.grant);
		return err;
	}
	*_grant = asked.grant;
	return GBA_OK;
}
