/* SPDX-License-Identifier: Apache-2.0 */
/* What a client element may do at a moment, from permissions and delegations: in_force and due of each, the GUSS,
 * notices for what has changed. Done once per client element before a commit, and by the sweep for what falls due. */
#include <stdlib.h>

#include "hss-stub/mapping/mapping_priv.h"
#include "hss-stub/mapping/uss.h"

#define SWEEP_MAX 200 /* client elements in one transaction of the sweep */

/* A permission or delegation with its application's terms. */
struct claim {
	int64_t id;
	bool delegated, was, is; /* in force before and now */
	int64_t was_due, due;
	const char *naf_fqdn;
	struct uss_terms terms;
};

#define TERMS "a.gsid, a.gaa_type, a.naf_group, a.naf_fqdn, a.state, s.state"
static const char permissions_sql[] =
	"SELECT p.id, p.flag, p.valid_from, p.valid_until, p.in_force, p.due, p.pseudonym, 1, " TERMS
	" FROM permission p"
	" JOIN application a ON a.id = p.application JOIN asp s ON s.id = a.asp WHERE p.impi = ?1 ORDER BY a.gsid";
static const char delegations_sql[] =
	"SELECT d.id, 1 - d.state, d.valid_from, d.valid_until, d.in_force, d.due, d.pseudonym, p.in_force, " TERMS
	" FROM delegation d JOIN permission p ON p.id = d.permission JOIN application a ON a.id = p.application"
	" JOIN asp s ON s.id = a.asp WHERE d.to_impi = ?1 ORDER BY a.gsid";

/* In force at `now`, and when that changes by itself (0: never). */
static void judge(struct claim *claim, int64_t from, int64_t until, bool may, time_t now)
{
	bool begun = from <= now, over = until != 0 && until <= now;

	claim->is = may && begun && !over;
	claim->due = over ? 0 : !begun ? from : until;
}

static enum gba_err claim_read(TALLOC_CTX *ctx, struct db_stmt *row, bool delegated, bool registered, time_t now,
			       struct claim *claim)
{
	bool good = db_col_int(row, 1) != 0 && db_col_int(row, 7) != 0 && db_col_int(row, 12) == APPLICATION_ACTIVE &&
		    db_col_int(row, 13) == ASP_ACTIVE;
	struct bytes pseudonym = BYTES_NONE, group = BYTES_NONE, fqdn = BYTES_NONE;
	enum gba_err err;

	claim->id = db_col_int(row, 0);
	claim->delegated = delegated;
	claim->was = db_col_int(row, 4) != 0;
	claim->was_due = db_col_int(row, 5);
	claim->terms.gsid = (uint32_t)db_col_int(row, 8);
	claim->terms.type = (uint32_t)db_col_int(row, 9);
	judge(claim, db_col_int(row, 2), db_col_int(row, 3), good && registered, now);
	err = records_keep(ctx, db_col_text(row, 6), &pseudonym);
	if (err == GBA_OK)
		err = records_keep(ctx, db_col_text(row, 10), &group);
	if (err == GBA_OK)
		err = records_keep(ctx, db_col_text(row, 11), &fqdn);
	claim->terms.pseudonym = (const char *)pseudonym.p;
	claim->terms.naf_group = (const char *)group.p;
	claim->naf_fqdn = (const char *)fqdn.p;
	return err;
}

struct claims {
	struct claim *v;
	size_t n;
};

static enum gba_err claims_read(struct records *m, TALLOC_CTX *ctx, const char *sql, struct bytes impi, bool registered,
				time_t now, struct claims *claims)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = true;

	err = records_stmt(m, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, impi);
	while (err == GBA_OK) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		if (claims->n % 16 == 0)
			claims->v = talloc_realloc(ctx, claims->v, struct claim, claims->n + 16);
		if (claims->v == NULL)
			err = GBA_E_NOMEM;
		if (err == GBA_OK)
			err = claim_read(ctx, stmt, sql == delegations_sql, registered, now, &claims->v[claims->n++]);
	}
	db_reset(stmt);
	return err;
}

/* Those the permission is lent to follow it. */
static enum gba_err delegates_dirty(struct records *m, TALLOC_CTX *ctx, int64_t permission, time_t now)
{
	struct db_stmt *stmt = NULL;
	struct bytes to[64];
	enum gba_err err;
	bool row = true;
	int64_t after = 0;
	size_t n, i;

	err = records_stmt(
		m, "SELECT id, to_impi FROM delegation WHERE permission = ?1 AND id > ?2 ORDER BY id LIMIT 64", &stmt);
	do {
		db_bind_int(stmt, 1, permission);
		db_bind_int(stmt, 2, after);
		for (n = 0; err == GBA_OK && n < 64; n++) {
			err = db_step(stmt, &row);
			if (err != GBA_OK || !row)
				break;
			after = db_col_int(stmt, 0);
			err = records_keep(ctx, db_col_text(stmt, 1), &to[n]);
		}
		db_reset(stmt);
		for (i = 0; err == GBA_OK && i < n; i++)
			err = mapping_dirty(m, to[i], now);
	} while (err == GBA_OK && n == 64);
	return err;
}

static enum gba_err claim_write(struct records *m, TALLOC_CTX *ctx, struct bytes impi, const struct claim *claim,
				time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	if (claim->is == claim->was && claim->due == claim->was_due)
		return GBA_OK;
	err = records_stmt(m,
			   claim->delegated ? "UPDATE delegation SET in_force = ?2, due = ?3 WHERE id = ?1"
					    : "UPDATE permission SET in_force = ?2, due = ?3 WHERE id = ?1",
			   &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, claim->id);
	db_bind_int(stmt, 2, claim->is);
	db_bind_int(stmt, 3, claim->due);
	err = db_run(stmt, NULL);
	if (err != GBA_OK || claim->is == claim->was)
		return err;
	err = outbox_add(m, claim->is ? OUTBOX_PERMISSION_CHANGED : OUTBOX_PERMISSION_CLEARED, impi, claim->naf_fqdn,
			 now);
	return err == GBA_OK && !claim->delegated ? delegates_dirty(m, ctx, claim->id, now) : err;
}

/* One USS per GSID: a permission of one's own wins over one lent. */
static size_t terms_collect(const struct claims *claims, struct uss_terms *terms)
{
	size_t i, j, n = 0;

	for (i = 0; i < claims->n; i++) {
		if (!claims->v[i].is)
			continue;
		for (j = 0; j < n && terms[j].gsid != claims->v[i].terms.gsid; j++)
			;
		if (j == n)
			terms[n++] = claims->v[i].terms;
	}
	return n;
}

static enum gba_err refresh(struct records *m, struct bytes impi, time_t now)
{
	TALLOC_CTX *tmp = talloc_new(m);
	struct claims claims = { 0 };
	struct uss_terms *terms;
	int64_t custodian = 0;
	bool registered = false;
	enum gba_err err;
	size_t i;

	err = device_registered(m, impi, &registered, &custodian);
	if (err == GBA_OK)
		err = claims_read(m, tmp, permissions_sql, impi, registered, now, &claims);
	if (err == GBA_OK)
		err = claims_read(m, tmp, delegations_sql, impi, registered, now, &claims);
	for (i = 0; err == GBA_OK && i < claims.n; i++)
		err = claim_write(m, tmp, impi, &claims.v[i], now);
	terms = talloc_array(tmp, struct uss_terms, claims.n + 1);
	if (err == GBA_OK)
		err = terms != NULL ? uss_write(m, impi, terms, terms_collect(&claims, terms), now) : GBA_E_NOMEM;
	talloc_free(tmp);
	return err;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum gba_err mapping_flush(struct records *m)
{
	struct mapping *own = mapping_of(m);
	enum gba_err err = GBA_OK;
	char **impis;
	size_t i, n;

	while (err == GBA_OK && own->dirty_count > 0) { /* delegates may be added on the way */
		impis = own->dirty;
		n = own->dirty_count;
		own->dirty = NULL;
		own->dirty_count = 0;
		qsort(impis, n, sizeof(*impis), by_text);
		for (i = 0; err == GBA_OK && i < n; i++) {
			if (i == 0 || strcmp(impis[i], impis[i - 1]) != 0)
				err = refresh(m, bytes_of(impis[i]), own->dirty_now);
		}
		talloc_free(impis);
	}
	return err;
}

/* Client elements of what is due by ?1; a delegation's is the one it is lent to. */
static enum gba_err due_read(struct records *m, TALLOC_CTX *ctx, const char *sql, time_t now, size_t limit,
			     struct bytes *impis, size_t *_n)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;
	bool row = true;

	err = records_stmt(m, sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now);
	db_bind_int(stmt, 2, (int64_t)limit);
	while (err == GBA_OK && *_n < SWEEP_MAX) {
		err = db_step(stmt, &row);
		if (err != GBA_OK || !row)
			break;
		err = records_keep(ctx, db_col_text(stmt, 0), &impis[*_n]);
		*_n += err == GBA_OK;
	}
	db_reset(stmt);
	return err;
}

static enum gba_err due_all(struct records *m, TALLOC_CTX *ctx, time_t now, struct bytes *impis, size_t *_n)
{
	enum gba_err err;

	*_n = 0;
	err = due_read(m, ctx, "SELECT impi FROM permission WHERE due > 0 AND due <= ?1 ORDER BY due LIMIT ?2", now,
		       SWEEP_MAX, impis, _n);
	if (err == GBA_OK && *_n < SWEEP_MAX)
		err = due_read(m, ctx,
			       "SELECT to_impi FROM delegation WHERE due > 0 AND due <= ?1 ORDER BY due LIMIT ?2", now,
			       SWEEP_MAX - *_n, impis, _n);
	return err;
}

/* Delegations whose end has come are ended for good. */
static enum gba_err delegations_end(struct records *m, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(
		m, "UPDATE delegation SET state = 1 WHERE state = 0 AND in_force = 0 AND valid_until <= ?1 AND due = 0",
		&stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now);
	return db_run(stmt, NULL);
}

enum gba_err grant_sweep(struct records *m, time_t now, bool *_more)
{
	TALLOC_CTX *tmp = talloc_new(m);
	struct bytes impis[SWEEP_MAX];
	enum gba_err err;
	size_t n = 0, i;

	*_more = false;
	err = due_all(m, tmp, now, impis, &n);
	if (err != GBA_OK || n == 0) {
		talloc_free(tmp);
		return err;
	}
	err = records_begin(m);
	if (err == GBA_OK) {
		err = due_all(m, tmp, now, impis, &n); /* again, under the write lock */
		for (i = 0; err == GBA_OK && i < n; i++)
			err = mapping_dirty(m, impis[i], now);
		if (err == GBA_OK)
			err = mapping_flush(m);
		if (err == GBA_OK)
			err = delegations_end(m, now);
		if (err == GBA_OK)
			err = records_commit(m);
		else
			records_rollback(m);
	}
	*_more = err == GBA_OK && n == SWEEP_MAX;
	talloc_free(tmp);
	return err;
}
