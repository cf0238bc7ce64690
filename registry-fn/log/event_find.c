/* SPDX-License-Identifier: Apache-2.0 */
/* Devices by what their registrations say of them: the question a layer above answers, where no device registers (Y.3059 8). */
#include "registry-fn/log/event_priv.h"

#define LOOK_MAX 20000 /* subjects looked at for one page */

/* A text, below the mem_ctx. */
static char *text_of(TALLOC_CTX *ctx, struct db_stmt *stmt, int column)
{
	struct bytes text = db_col_text(stmt, column);

	return talloc_strndup(ctx, text.p != NULL ? (const char *)text.p : "", text.n);
}

#define COLUMNS "s.subject, s.registry, s.make, s.model, s.kind, s.root_of_trust, s.capabilities, s.status, s.removed"

static enum gba_err traits_read(TALLOC_CTX *ctx, struct db_stmt *stmt, struct event_traits *_traits)
{
	*_traits = (struct event_traits){ .subject = text_of(ctx, stmt, 0), .registry = text_of(ctx, stmt, 1),
					  .make = text_of(ctx, stmt, 2), .model = text_of(ctx, stmt, 3),
					  .kind = text_of(ctx, stmt, 4),
					  .root_of_trust = text_of(ctx, stmt, 5), .capabilities = text_of(ctx, stmt, 6),
					  .status = (enum trust_status)db_col_int(stmt, 7), .removed = db_col_int(stmt, 8) != 0 };
	return _traits->subject != NULL && _traits->registry != NULL && _traits->make != NULL && _traits->model != NULL &&
			       _traits->kind != NULL && _traits->root_of_trust != NULL && _traits->capabilities != NULL
		       ? GBA_OK
		       : GBA_E_NOMEM;
}

enum gba_err event_traits(struct event_log *log, TALLOC_CTX *mem_ctx, const char *subject, struct event_traits *_traits)
{
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err = event_stmt(log, "SELECT " COLUMNS " FROM event_subject AS s WHERE s.subject = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(subject));
	err = db_step(stmt, &row);
	if (err == GBA_OK)
		err = row ? traits_read(mem_ctx, stmt, _traits) : GBA_E_NOT_FOUND;
	db_reset(stmt);
	return err;
}

static bool same(const char *wanted, const char *has)
{
	return wanted == NULL || strcmp(wanted, has) == 0;
}

/* A whole line of the list, whatever its letters. */
static bool has_line(const char *lines, const char *wanted)
{
	size_t n = strlen(wanted);
	const char *at;

	for (at = strchr(lines, '\n'); at != NULL && at[1] != '\0'; at = strchr(at + 1, '\n')) {
		if (strcspn(at + 1, "\n") == n && strncasecmp(at + 1, wanted, n) == 0)
			return true;
	}
	return false;
}

static bool fits(const struct event_search *search, const struct event_traits *traits)
{
	if (traits->removed || (search->status >= 0 && (int)traits->status != search->status))
		return false;
	if (search->registry != NULL && strncmp(traits->registry, search->registry, strlen(search->registry)) != 0)
		return false;
	return same(search->make, traits->make) && same(search->model, traits->model) && same(search->kind, traits->kind) &&
	       same(search->root_of_trust, traits->root_of_trust) &&
	       (search->capability == NULL || has_line(traits->capabilities, search->capability));
}

#define ORDER " ORDER BY s.subject LIMIT ?2"

/* The way with the fewest subjects on it. */
static enum gba_err way(struct event_log *log, const struct event_search *search, struct db_stmt **_stmt)
{
	static const char of_owner[] = "SELECT " COLUMNS " FROM event_owner AS o JOIN event_subject AS s ON s.subject = o.subject"
				       " WHERE o.registry = ?4 AND o.account = ?3 AND o.account <> '' AND s.subject > ?1" ORDER;
	static const char of_make[] = "SELECT " COLUMNS " FROM event_subject AS s WHERE s.make = ?3 AND s.make <> ''"
				      " AND s.subject > ?1" ORDER;
	static const char black[] = "SELECT " COLUMNS " FROM event_subject AS s WHERE s.status = 2 AND s.subject > ?1" ORDER;
	static const char all[] = "SELECT " COLUMNS " FROM event_subject AS s WHERE s.subject > ?1" ORDER;
	const char *by = search->owner != NULL ? search->owner : search->make;
	const char *sql = search->owner != NULL ? of_owner
			  : by != NULL          ? of_make
			  : search->status == TRUST_BLACK ? black
							  : all;
	enum gba_err err = event_stmt(log, sql, _stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(*_stmt, 1, bytes_of(search->after));
	db_bind_int(*_stmt, 2, LOOK_MAX);
	if (by != NULL)
		db_bind_text(*_stmt, 3, bytes_of(by));
	if (search->owner != NULL)
		db_bind_text(*_stmt, 4, bytes_of(search->registry));
	return GBA_OK;
}

enum gba_err event_find(struct event_log *log, TALLOC_CTX *mem_ctx, const struct event_search *search, struct event_subjects *_list)
{
	char **subjects = talloc_zero_array(mem_ctx, char *, search->limit + 1), *last = NULL;
	struct event_traits traits;
	struct db_stmt *stmt;
	bool row = true;
	size_t n = 0, looked = 0;
	enum gba_err err = subjects != NULL ? way(log, search, &stmt) : GBA_E_NOMEM;

	if (err != GBA_OK)
		return err;
	for (; n < search->limit && (err = db_step(stmt, &row)) == GBA_OK && row; looked++) {
		TALLOC_CTX *one = talloc_new(subjects);

		err = traits_read(one, stmt, &traits);
		if (err != GBA_OK)
			break;
		talloc_free(last);
		last = talloc_steal(subjects, (char *)(uintptr_t)traits.subject);
		if (fits(search, &traits))
			subjects[n++] = talloc_strdup(subjects, last);
		talloc_free(one);
		if (n > 0 && subjects[n - 1] == NULL) {
			err = GBA_E_NOMEM;
			break;
		}
	}
	db_reset(stmt);
	*_list = (struct event_subjects){ subjects, n, n == search->limit || looked == LOOK_MAX ? last : NULL };
	return err;
}
