/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and where devices bootstrap, as BSFs report it: the repository of Y.OBF 8.5.2 and 9.2.1. Nobody else writes these
 * rows, they have no history, and are gone with what they tell of. */
#include "core/token_entry.h"
#include "hss-stub/mapping/mapping_priv.h"

/* A run is known by its token and when it was; one that came after the network had asked is the network's. */
#define ANSWERS "bootstrapping.asked > 0 AND excluded.last_run >= bootstrapping.asked"
static const char run_sql[] =
	"INSERT INTO bootstrapping (rev, created, changed, impi, bsf, server, first_run, last_run, runs, started_by, network_runs,"
	" asked, last_token)"
	" VALUES (1, ?4, ?4, ?1, ?2, COALESCE((SELECT id FROM server WHERE identity = ?2), 0), ?3, ?3, 1, 0, 0, 0, ?5)"
	" ON CONFLICT (impi, bsf) DO UPDATE SET rev = bootstrapping.rev + 1, changed = excluded.changed, server = excluded.server,"
	" last_run = excluded.last_run, last_token = excluded.last_token, runs = bootstrapping.runs + 1,"
	" started_by = CASE WHEN " ANSWERS " THEN 1 ELSE 0 END,"
	" network_runs = bootstrapping.network_runs + CASE WHEN " ANSWERS " THEN 1 ELSE 0 END,"
	" asked = CASE WHEN " ANSWERS " THEN 0 ELSE bootstrapping.asked END"
	" WHERE excluded.last_run > bootstrapping.last_run"
	" OR (excluded.last_run = bootstrapping.last_run AND excluded.last_token <> bootstrapping.last_token)";

static const char token_sql[] =
	"INSERT INTO token (rev, created, changed, digest, naf_fqdn, application, impi, bsf, made, expires)"
	" VALUES (1, ?7, ?7, ?1, ?2, COALESCE((SELECT id FROM application WHERE naf_fqdn = ?2), 0), ?3, ?4, ?5, ?6)"
	" ON CONFLICT (digest, naf_fqdn) DO UPDATE SET rev = token.rev + 1, changed = excluded.changed, expires = excluded.expires"
	" WHERE excluded.expires > token.expires";

static enum gba_err run_note(struct records *m, struct bytes bsf, const struct token_entry *entry, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, run_sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, entry->user);
	db_bind_text(stmt, 2, bsf);
	db_bind_int(stmt, 3, entry->made);
	db_bind_int(stmt, 4, now);
	db_bind_text(stmt, 5, bytes_of(entry->digest));
	return db_run(stmt, NULL);
}

enum gba_err token_note(struct records *m, struct bytes bsf, const struct token_entry *entry, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = run_note(m, bsf, entry, now);
	if (err != GBA_OK || entry->application.n == 0 || entry->expires <= now)
		return err;
	err = records_stmt(m, token_sql, &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(entry->digest));
	db_bind_text(stmt, 2, entry->application);
	db_bind_text(stmt, 3, entry->user);
	db_bind_text(stmt, 4, bsf);
	db_bind_int(stmt, 5, entry->made);
	db_bind_int(stmt, 6, entry->expires);
	db_bind_int(stmt, 7, now);
	return db_run(stmt, NULL);
}

enum gba_err token_sweep(struct records *m, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, "DELETE FROM token WHERE expires <= ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now);
	return db_run(stmt, NULL);
}

enum gba_err token_end(struct records *m, struct bytes impi, const char *naf_fqdn)
{
	const char *sql = naf_fqdn == NULL ? "DELETE FROM token WHERE impi = ?1"
					   : "DELETE FROM token WHERE impi = ?1 AND naf_fqdn = ?2";
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(m, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, impi);
	if (naf_fqdn != NULL)
		db_bind_text(stmt, 2, bytes_of(naf_fqdn));
	return db_run(stmt, NULL);
}

/* What has asked stays on record until a run follows; the BSFs are told as of any end of tokens. */
static enum gba_err asked(struct records *m, struct bytes impi, time_t now)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	err = records_stmt(m, "UPDATE bootstrapping SET asked = ?2, changed = ?2, rev = rev + 1 WHERE impi = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	records_written(m);
	db_bind_text(stmt, 1, impi);
	db_bind_int(stmt, 2, now);
	return db_run(stmt, NULL);
}

VERB(device_renew)
{
	struct record *now = record_copy(call->mem_ctx, old);
	enum gba_err err = now != NULL ? asked(m, old->v[DEVICE_IMPI].t, call->now) : GBA_E_NOMEM;

	(void)arguments;
	if (err == GBA_OK)
		err = outbox_add(m, OUTBOX_RENEWAL, old->v[DEVICE_IMPI].t, NULL, call->now);
	return err == GBA_OK ? record_update(m, call, old, now, "renew") : err;
}
