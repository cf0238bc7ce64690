/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/trust/mass.h"

#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "crypto/hash.h"
#include "registry-fn/listing/listing.h"
#include "registry-fn/trust/version.h"
#include "registry-fn/trust/vuln_priv.h"

#define PAGE 500 /* [devices] read at a time */

bool mass_slice_over(uint64_t began_ms)
{
	return clock_mono_ms() - began_ms >= MASS_SLICE_MS;
}

/* ---- orders ---- */

static enum gba_err one_int(struct records *r, const char *sql, const struct bytes texts[2], int64_t *_value)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, sql, &stmt);
	int i;

	*_value = 0;
	if (err != GBA_OK)
		return err;
	for (i = 0; texts != NULL && i < 2 && texts[i].p != NULL; i++)
		db_bind_text(stmt, i + 1, texts[i]);
	err = records_int(stmt, _value);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* One that is under way begins anew. */
static enum gba_err job_write(struct records *r, int64_t vulnerability, int64_t total, time_t now)
{
	static const char sql[] = "INSERT INTO judge_job (vulnerability, place, upto, done, total, found, began) VALUES (?1, 0,"
				  " (SELECT coalesce(max(id), 0) FROM device), 0, ?2, 0, ?3) ON CONFLICT (vulnerability) DO UPDATE"
				  " SET place = 0, upto = excluded.upto, done = 0, total = excluded.total, found = 0,"
				  " began = excluded.began";
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	records_written(r);
	db_bind_int(stmt, 1, vulnerability);
	db_bind_int(stmt, 2, total);
	db_bind_int(stmt, 3, now);
	return db_run(stmt, NULL);
}

static bool is_of_all_models(const struct record *vulnerability)
{
	return bytes_eq_str(vulnerability->v[VULNERABILITY_MODEL].t, "*");
}

enum gba_err mass_order(struct records *r, struct record_call *call, const struct record *vulnerability, bool *_order)
{
	bool all = is_of_all_models(vulnerability);
	const struct bytes texts[2] = { vulnerability->v[VULNERABILITY_MAKE].t,
					all ? BYTES_NONE : vulnerability->v[VULNERABILITY_MODEL].t };
	struct db_stmt *stmt;
	int64_t n = 0, under_way = 0;
	enum gba_err err;

	*_order = false;
	err = one_int(r,
		      all ? "SELECT count(*) FROM device WHERE make = ?1"
			  : "SELECT count(*) FROM device WHERE make = ?1 AND model = ?2",
		      texts, &n);
	if (err == GBA_OK)
		err = records_stmt(r, "SELECT count(*) FROM judge_job WHERE vulnerability = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, vulnerability->id);
	err = records_int(stmt, &under_way);
	if (err != GBA_OK || (n <= MASS_FROM && under_way == 0))
		return err;
	*_order = true;
	return job_write(r, vulnerability->id, n, call->now);
}

/* ---- the rules ---- */

static enum gba_err rules_digest(struct records *r, TALLOC_CTX *ctx, char hex[HEX_LEN(HASH_MAX) + 1])
{
	const struct registry *registry = &registry_handle_of(r)->registry;
	char **texts = trust_policy_texts(ctx, registry->policy);
	char *all = talloc_asprintf(ctx, "%u %u %u %u %u", registry->conf->unlisted_makers, registry->conf->uncertified_models,
				    registry->conf->unlisted_identifiers, registry->conf->unmapped_units,
				    registry->conf->contradictions);
	uint8_t digest[HASH_MAX];
	struct bytes piece;
	size_t i;

	for (i = 0; texts != NULL && all != NULL && texts[i] != NULL; i++)
		all = talloc_asprintf_append(all, "\n%s", texts[i]);
	if (texts == NULL || all == NULL)
		return GBA_E_NOMEM;
	piece = bytes_of(all);
	hash_pieces(HASH_SHA256, &piece, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), hex);
	return GBA_OK;
}

/* @param _same  devices have been judged by these */
static enum gba_err rules_keep(struct records *r, const char *digest, bool *_same)
{
	static const char sql[] = "INSERT INTO judge_rules (id, digest) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE"
				  " SET digest = excluded.digest WHERE judge_rules.digest <> excluded.digest";
	struct db_stmt *stmt;
	int changed = 0;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(digest));
	err = db_run(stmt, &changed);
	*_same = changed == 0;
	return err;
}

/* The first rules that are kept are those that devices were judged by so far: nothing has changed. */
static enum gba_err rules_order(struct records *r, const char *digest, time_t now)
{
	bool same = true;
	int64_t known = 0, n = 0;
	enum gba_err err = one_int(r, "SELECT count(*) FROM judge_rules", NULL, &known);

	if (err == GBA_OK)
		err = rules_keep(r, digest, &same);
	if (err == GBA_OK && !same && known > 0)
		err = one_int(r, "SELECT count(*) FROM device", NULL, &n);
	if (err != GBA_OK || n == 0)
		return err;
	log_event(LOG_L_INFO, "registry.trust.rules", NULL, "rules of trust are others than before: %lld devices are judged anew",
		  (long long)n);
	return job_write(r, 0, n, now);
}

enum gba_err mass_rules(struct records *r, TALLOC_CTX *mem_ctx, time_t now)
{
	char digest[HEX_LEN(HASH_MAX) + 1];
	int64_t same = 0;
	enum gba_err err = rules_digest(r, mem_ctx, digest);

	if (err == GBA_OK)
		err = one_int(r, "SELECT count(*) FROM judge_rules WHERE digest = ?1",
			      (const struct bytes[2]){ bytes_of(digest), BYTES_NONE }, &same);
	if (err != GBA_OK || same > 0) /* as nearly always: nothing is written at a start */
		return err;
	err = records_begin(r);
	if (err != GBA_OK)
		return err;
	err = rules_order(r, digest, now);
	if (err == GBA_OK)
		return records_commit(r);
	records_rollback(r);
	return err;
}

/* ---- a slice ---- */

struct job {
	int64_t vulnerability, place, upto, done, total, found, began;
	struct record *about; /* the vulnerability */
};

static enum gba_err job_read(struct records *r, struct job *job)
{
	static const char sql[] = "SELECT vulnerability, place, upto, done, total, found, began FROM judge_job"
				  " ORDER BY began, vulnerability LIMIT 1";
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	err = db_step(stmt, &row);
	if (err == GBA_OK && row)
		*job = (struct job){ db_col_int(stmt, 0), db_col_int(stmt, 1), db_col_int(stmt, 2), db_col_int(stmt, 3),
				     db_col_int(stmt, 4), db_col_int(stmt, 5), db_col_int(stmt, 6), NULL };
	db_reset(stmt);
	return err == GBA_OK && !row ? GBA_E_NOT_FOUND : err;
}

static enum gba_err job_keep(struct records *r, const struct job *job)
{
	struct db_stmt *stmt;
	enum gba_err err;

	err = records_stmt(r, "UPDATE judge_job SET place = ?2, done = ?3, found = ?4 WHERE vulnerability = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, job->vulnerability);
	db_bind_int(stmt, 2, job->place);
	db_bind_int(stmt, 3, job->done);
	db_bind_int(stmt, 4, job->found);
	return db_run(stmt, NULL);
}

static enum gba_err job_end(struct records *r, const struct record_call *call, const struct job *job)
{
	enum gba_err err = records_run(r, "DELETE FROM judge_job WHERE vulnerability = ?1", job->vulnerability);

	if (err == GBA_OK && job->vulnerability != 0)
		err = vuln_count(r, job->vulnerability, job->found);
	if (err == GBA_OK)
		log_event(LOG_L_INFO, "registry.trust.judged", NULL, "%lld devices judged anew in %lld s", (long long)job->done,
			  (long long)(call->now - job->began));
	return err;
}

/* Devices behind the place, with what they run. */
struct page {
	int64_t id[PAGE];
	bool has[PAGE]; /* the vulnerability */
	size_t n;
};

static enum gba_err page_stmt(struct records *r, const struct job *job, struct db_stmt **_stmt)
{
	bool all = job->about == NULL || is_of_all_models(job->about);
	enum gba_err err;

	err = records_stmt(r,
			   all ? "SELECT id, firmware, make FROM device WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3"
			       : "SELECT id, firmware, make FROM device WHERE make = ?4 AND model = ?5 AND id > ?1 AND id <= ?2"
				 " ORDER BY id LIMIT ?3",
			   _stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(*_stmt, 1, job->place);
	db_bind_int(*_stmt, 2, job->upto);
	db_bind_int(*_stmt, 3, PAGE);
	if (!all) {
		db_bind_text(*_stmt, 4, job->about->v[VULNERABILITY_MAKE].t);
		db_bind_text(*_stmt, 5, job->about->v[VULNERABILITY_MODEL].t);
	}
	return GBA_OK;
}

static enum gba_err page_read(struct records *r, const struct job *job, struct page *page)
{
	const struct record *about = job->about;
	struct db_stmt *stmt;
	bool row = true;
	enum gba_err err = page_stmt(r, job, &stmt);

	page->n = 0;
	if (err != GBA_OK)
		return err;
	while (page->n < PAGE && (err = db_step(stmt, &row)) == GBA_OK && row) {
		page->has[page->n] = about != NULL && bytes_eq(db_col_text(stmt, 2), about->v[VULNERABILITY_MAKE].t) &&
				     version_in_any(db_col_text(stmt, 1), about->v[VULNERABILITY_VERSIONS].t);
		page->id[page->n++] = db_col_int(stmt, 0);
	}
	db_reset(stmt);
	return err;
}

/* Who is rid of it and who has it is judged, whoever else has nothing to do with it. */
static enum gba_err one_judge(struct records *r, struct record_call *call, struct job *job, int64_t device, bool has)
{
	struct record_call one = *call;
	bool changed = true;
	enum gba_err err = GBA_OK;

	if (job->vulnerability != 0)
		err = vuln_link(r, call, device, job->vulnerability, has, &changed);
	if (err != GBA_OK || (!has && !changed))
		return err;
	one.mem_ctx = talloc_new(call->mem_ctx);
	if (one.mem_ctx == NULL)
		return GBA_E_NOMEM;
	err = trust_judge(r, &one, device, false);
	talloc_free(one.mem_ctx);
	job->done++;
	job->found += has;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err slice(struct records *r, struct record_call *call, struct job *job, bool *_end)
{
	uint64_t began_ms = clock_mono_ms();
	struct page page;
	enum gba_err err = GBA_OK;
	size_t i;

	do {
		err = page_read(r, job, &page);
		for (i = 0; err == GBA_OK && i < page.n && (i == 0 || !mass_slice_over(began_ms)); i++) {
			err = one_judge(r, call, job, page.id[i], page.has[i]);
			job->place = page.id[i];
		}
	} while (err == GBA_OK && page.n == PAGE && !mass_slice_over(began_ms));
	*_end = err == GBA_OK && page.n < PAGE && i == page.n;
	return err;
}

static enum gba_err job_slice(struct records *r, struct record_call *call, bool *_left)
{
	struct job job;
	bool end = true;
	enum gba_err err = job_read(r, &job);

	*_left = err == GBA_OK;
	if (err != GBA_OK)
		return err == GBA_E_NOT_FOUND ? GBA_OK : err;
	if (job.vulnerability != 0)
		err = record_load(r, call->mem_ctx, REG_VULNERABILITY, job.vulnerability, &job.about);
	if (err != GBA_OK)
		return err;
	registry_handle_of(r)->many = true;
	err = slice(r, call, &job, &end);
	registry_handle_of(r)->many = false;
	talloc_free(job.about);
	if (err != GBA_OK)
		return err;
	return end ? job_end(r, call, &job) : job_keep(r, &job);
}

enum gba_err mass_step(struct records *r, struct record_call *call, bool *_left)
{
	int64_t n = 0;
	enum gba_err err = one_int(r, "SELECT count(*) FROM judge_job", NULL, &n);

	*_left = false;
	if (err != GBA_OK || n == 0) /* without a transaction */
		return err;
	err = records_begin(r);
	if (err != GBA_OK)
		return err;
	err = job_slice(r, call, _left);
	if (err == GBA_OK)
		return records_commit(r);
	records_rollback(r);
	return err;
}

/* ---- how far ---- */

const char *mass_because(const struct mass_job *job)
{
	return job->vulnerability > 0 ? "vulnerability" : job->vulnerability == 0 ? "rules" : "lists";
}

enum gba_err mass_jobs(struct records *r, TALLOC_CTX *mem_ctx, struct mass_job **_jobs, size_t *_n)
{
	static const char sql[] = "SELECT j.vulnerability, coalesce(v.reference, ''), j.done, j.total, j.began FROM judge_job AS j"
				  " LEFT JOIN vulnerability AS v ON v.id = j.vulnerability"
				  " UNION ALL SELECT -1, '', 0, (SELECT count(*) FROM said_due), 0"
				  " WHERE EXISTS (SELECT 1 FROM said_due) ORDER BY 5";
	struct mass_job *jobs = talloc_array(mem_ctx, struct mass_job, 0);
	struct db_stmt *stmt;
	bool row = true;
	size_t n = 0;
	enum gba_err err = records_stmt(r, sql, &stmt);

	if (err != GBA_OK)
		return err;
	while (err == GBA_OK && (err = db_step(stmt, &row)) == GBA_OK && row) {
		jobs = talloc_realloc(mem_ctx, jobs, struct mass_job, n + 1);
		if (jobs == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
		jobs[n] = (struct mass_job){ db_col_int(stmt, 0), talloc_strndup(jobs, (const char *)db_col_text(stmt, 1).p,
										 db_col_text(stmt, 1).n),
					     db_col_int(stmt, 2), db_col_int(stmt, 3), (time_t)db_col_int(stmt, 4) };
		n++;
	}
	db_reset(stmt);
	*_jobs = jobs;
	*_n = n;
	return err;
}
