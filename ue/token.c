/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/token.h"

#include <ctype.h>
#include <stdio.h>

#define FILE_NAME    "tokens"
#define LOCK_WAIT_MS 5000

const char *const token_state_names[] = { "active", "retired", NULL };

enum gba_err tokens_lock(struct state *state, int *_fd)
{
	return state_lock(state, FILE_NAME, LOCK_WAIT_MS, _fd);
}

enum gba_err tokens_load(TALLOC_CTX *mem_ctx, struct state *state, struct tokens **_tokens)
{
	struct bytes plain;
	enum gba_err err;

	err = state_read_sealed(NULL, state, FILE_NAME, &plain);
	if (err == GBA_E_NOT_FOUND) {
		*_tokens = talloc_zero(mem_ctx, struct tokens);
		return *_tokens != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	if (err != GBA_OK)
		return err;
	err = tokens_decode(mem_ctx, plain, _tokens);
	talloc_free((void *)plain.p);
	return err;
}

enum gba_err tokens_save(struct state *state, const struct tokens *tokens)
{
	struct bytes plain;
	enum gba_err err;

	err = tokens_encode(NULL, tokens, &plain);
	if (err != GBA_OK)
		return err;
	err = state_write_sealed(state, FILE_NAME, plain);
	talloc_free((void *)plain.p);
	return err;
}

struct token_realm *tokens_realm(const struct tokens *tokens, const char *profile)
{
	size_t i;

	for (i = 0; i < tokens->realm_count; i++) {
		if (strcmp(tokens->realms[i].profile, profile) == 0)
			return &tokens->realms[i];
	}
	return NULL;
}

struct token_realm *tokens_realm_make(struct tokens *tokens, const char *profile)
{
	struct token_realm *realm = tokens_realm(tokens, profile), *rows;

	if (realm != NULL)
		return realm;
	if (tokens->realm_count >= TOKENS_REALMS_MAX)
		return NULL;
	rows = talloc_realloc(tokens, tokens->realms, struct token_realm, tokens->realm_count + 1);
	if (rows == NULL)
		return NULL;
	tokens->realms = rows;
	realm = &rows[tokens->realm_count++];
	memset(realm, 0, sizeof(*realm));
	snprintf(realm->profile, sizeof(realm->profile), "%s", profile);
	return realm;
}

struct token_realm *tokens_usable(const struct tokens *tokens, const char *profile, time_t now)
{
	struct token_realm *realm = tokens_realm(tokens, profile);

	if (realm == NULL || realm->state != TOKEN_ACTIVE || realm->btid[0] == '\0' || realm->expires <= now)
		return NULL;
	return realm->ks != NULL || realm->in_usim ? realm : NULL;
}

static void retire_realm(struct token_realm *realm)
{
	realm->state = TOKEN_RETIRED;
	TALLOC_FREE(realm->ks);
}

/* Applications of one realm; those whose token is still `keep` stay as they are. */
static void retire_apps(struct tokens *tokens, const char *profile, const char *keep)
{
	size_t i;

	for (i = 0; i < tokens->app_count; i++) {
		struct token_app *app = &tokens->apps[i];

		if (strcmp(app->profile, profile) == 0 && (keep == NULL || strcmp(app->btid, keep) != 0))
			app->state = TOKEN_RETIRED;
	}
}

enum gba_err tokens_bootstrapped(struct tokens *tokens, const struct token_realm *run)
{
	struct token_realm *realm = tokens_realm_make(tokens, run->profile);
	struct secret *ks = NULL;

	if (realm == NULL)
		return GBA_E_NOSPACE;
	if (run->ks != NULL) {
		ks = secret_dup(tokens, secret_bytes(run->ks));
		if (ks == NULL)
			return GBA_E_NOMEM;
	}
	talloc_free(realm->ks);
	*realm = *run;
	realm->ks = ks;
	realm->state = TOKEN_ACTIVE;
	retire_apps(tokens, run->profile, run->btid);
	return GBA_OK;
}

static void drop_app(struct tokens *tokens, size_t at)
{
	memmove(&tokens->apps[at], &tokens->apps[at + 1], (tokens->app_count - at - 1) * sizeof(tokens->apps[0]));
	tokens->app_count--;
}

/* Room for one more: rows are in the order they were made, so the first retired one is the oldest. */
static enum gba_err make_room(struct tokens *tokens)
{
	struct token_app *rows;
	size_t i;

	if (tokens->app_count >= TOKENS_APPS_MAX) {
		for (i = 0; i < tokens->app_count && tokens->apps[i].state != TOKEN_RETIRED; i++)
			;
		if (i == tokens->app_count)
			return GBA_E_NOSPACE;
		drop_app(tokens, i);
	}
	rows = talloc_realloc(tokens, tokens->apps, struct token_app, tokens->app_count + 1);
	if (rows == NULL)
		return GBA_E_NOMEM;
	tokens->apps = rows;
	return GBA_OK;
}

/* Retire what the application uses; true: it uses this very token already. */
static bool already_bound(struct tokens *tokens, const struct token_realm *realm, const char *naf)
{
	bool found = false;
	size_t i;

	for (i = 0; i < tokens->app_count; i++) {
		struct token_app *app = &tokens->apps[i];

		if (strcmp(app->naf, naf) != 0 || app->state != TOKEN_ACTIVE)
			continue;
		if (strcmp(app->profile, realm->profile) == 0 && strcmp(app->btid, realm->btid) == 0)
			found = true;
		else
			app->state = TOKEN_RETIRED;
	}
	return found;
}

static struct token_app *app_row(const struct tokens *tokens, struct bytes naf, const char *btid, enum token_state state)
{
	size_t i;

	for (i = 0; i < tokens->app_count; i++) {
		struct token_app *app = &tokens->apps[i];

		if (app->state == state && bytes_eq_nocase(bytes_of(app->naf), naf) && strcmp(app->btid, btid) == 0)
			return app;
	}
	return NULL;
}

struct token_app *tokens_app(const struct tokens *tokens, struct bytes naf, const char *btid)
{
	return app_row(tokens, naf, btid, TOKEN_ACTIVE);
}

bool tokens_end(struct tokens *tokens, struct bytes naf, const char *btid)
{
	struct token_app *app = tokens_app(tokens, naf, btid);

	if (app == NULL)
		return false;
	app->state = TOKEN_RETIRED;
	return true;
}

bool tokens_ended(const struct tokens *tokens, struct bytes naf, const char *btid)
{
	return app_row(tokens, naf, btid, TOKEN_RETIRED) != NULL;
}

enum gba_err tokens_bind(struct tokens *tokens, const struct token_realm *realm, struct bytes naf, time_t now,
			 bool *_changed)
{
	struct token_app app = { .state = TOKEN_ACTIVE, .since = now, .expires = realm->expires };
	enum gba_err err;
	size_t i;

	if (!fqdn_valid(naf))
		return GBA_E_NAF_ID_SYNTAX;
	for (i = 0; i < naf.n; i++)
		app.naf[i] = (char)tolower(naf.p[i]);
	if (already_bound(tokens, realm, app.naf))
		return GBA_OK;
	*_changed = true;
	err = make_room(tokens);
	if (err != GBA_OK)
		return err;
	memcpy(app.profile, realm->profile, sizeof(app.profile));
	memcpy(app.btid, realm->btid, sizeof(app.btid));
	tokens->apps[tokens->app_count++] = app;
	return GBA_OK;
}

void tokens_retire(struct tokens *tokens, const char *profile)
{
	struct token_realm *realm = tokens_realm(tokens, profile);

	if (realm != NULL)
		retire_realm(realm);
	retire_apps(tokens, profile, NULL);
}

void tokens_retire_others(struct tokens *tokens, const char *profile)
{
	size_t i;

	for (i = 0; i < tokens->realm_count; i++) {
		if (strcmp(tokens->realms[i].profile, profile) != 0)
			tokens_retire(tokens, tokens->realms[i].profile);
	}
}

bool tokens_expire(struct tokens *tokens, time_t now)
{
	bool changed = false;
	size_t i;

	for (i = 0; i < tokens->realm_count; i++) {
		struct token_realm *realm = &tokens->realms[i];

		if (realm->btid[0] == '\0' || realm->expires > now)
			continue;
		TALLOC_FREE(realm->ks);
		realm->btid[0] = '\0';
		realm->in_usim = false;
		changed = true;
	}
	for (i = tokens->app_count; i-- > 0;) {
		if (tokens->apps[i].expires <= now) {
			drop_app(tokens, i);
			changed = true;
		}
	}
	return changed;
}

bool tokens_forget(struct tokens *tokens, const char *profile)
{
	bool changed = false;
	size_t i;

	for (i = tokens->app_count; i-- > 0;) {
		if (profile == NULL || strcmp(tokens->apps[i].profile, profile) == 0) {
			drop_app(tokens, i);
			changed = true;
		}
	}
	for (i = tokens->realm_count; i-- > 0;) {
		struct token_realm *realm = &tokens->realms[i];

		if (profile != NULL && strcmp(realm->profile, profile) != 0)
			continue;
		talloc_free(realm->ks);
		memmove(realm, realm + 1, (tokens->realm_count - i - 1) * sizeof(*realm));
		tokens->realm_count--;
		changed = true;
	}
	return changed;
}
