/* SPDX-License-Identifier: Apache-2.0 */
/* The file "tokens", opened. */
#include "core/record.h"
#include "ue/token.h"

#define MAGIC  0x47555454U /* "GUTT" */
#define FORMAT 1

static void put_realm(struct record_out *out, const struct token_realm *realm)
{
	record_put_field(out, bytes_of(realm->profile));
	record_put(out, realm->state, 1);
	record_put_field(out, bytes_of(realm->btid));
	record_put_field(out, bytes_of(realm->impi));
	record_put(out, (uint64_t)realm->created, 8);
	record_put(out, (uint64_t)realm->expires, 8);
	record_put(out, realm->in_usim, 1);
	record_put_field(out, secret_bytes(realm->ks));
	record_put_field(out, bytes_of(realm->tmpi));
	record_put(out, (uint64_t)realm->not_before, 8);
}

static void put_app(struct record_out *out, const struct token_app *app)
{
	record_put_field(out, bytes_of(app->profile));
	record_put_field(out, bytes_of(app->naf));
	record_put(out, app->state, 1);
	record_put_field(out, bytes_of(app->btid));
	record_put(out, (uint64_t)app->since, 8);
	record_put(out, (uint64_t)app->expires, 8);
}

enum gba_err tokens_encode(TALLOC_CTX *mem_ctx, const struct tokens *tokens, struct bytes *_plain)
{
	struct record_out out = { .cap = 16 + tokens->realm_count * (sizeof(struct token_realm) + GBA_KS_LEN + 32) +
					 tokens->app_count * (sizeof(struct token_app) + 32) };
	size_t i;

	out.p = talloc_size(mem_ctx, out.cap);
	if (out.p == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(out.p);
	record_put(&out, MAGIC, 4);
	record_put(&out, FORMAT, 1);
	record_put(&out, tokens->realm_count, 2);
	for (i = 0; i < tokens->realm_count; i++)
		put_realm(&out, &tokens->realms[i]);
	record_put(&out, tokens->app_count, 2);
	for (i = 0; i < tokens->app_count; i++)
		put_app(&out, &tokens->apps[i]);
	if (out.bad) {
		talloc_free(out.p);
		return GBA_E_TOO_LONG;
	}
	*_plain = BYTES(out.p, out.n);
	return GBA_OK;
}

static enum token_state get_state(struct record_in *in)
{
	uint64_t state = record_get(in, 1);

	if (state >= TOKEN_STATE_COUNT)
		in->bad = true;
	return (enum token_state)state;
}

static void get_btid(struct record_in *in, char *out)
{
	uint8_t rand[RAND_LEN];

	record_get_text(in, out, BTID_MAX + 1);
	if (out[0] != '\0' && btid_parse(bytes_of(out), rand, NULL) != GBA_OK)
		in->bad = true;
}

static void get_profile(struct record_in *in, char *out)
{
	record_get_text(in, out, STATE_NAME_MAX + 1);
	if (!state_name_valid(bytes_of(out)))
		in->bad = true;
}

static enum gba_err get_realm(struct record_in *in, struct tokens *tokens)
{
	char profile[STATE_NAME_MAX + 1];
	struct token_realm *realm;
	struct bytes ks;
	uint64_t flag;

	get_profile(in, profile);
	if (in->bad || tokens_realm(tokens, profile) != NULL)
		return GBA_E_CORRUPT;
	realm = tokens_realm_make(tokens, profile);
	if (realm == NULL)
		return GBA_E_NOMEM;
	realm->state = get_state(in);
	get_btid(in, realm->btid);
	record_get_text(in, realm->impi, sizeof(realm->impi));
	realm->created = (time_t)record_get(in, 8);
	realm->expires = (time_t)record_get(in, 8);
	flag = record_get(in, 1);
	realm->in_usim = flag == 1;
	ks = record_get_field(in, GBA_KS_LEN);
	record_get_text(in, realm->tmpi, sizeof(realm->tmpi));
	realm->not_before = (time_t)record_get(in, 8);
	if (in->bad || flag > 1 || (ks.n != 0 && ks.n != GBA_KS_LEN))
		return GBA_E_CORRUPT;
	if (realm->impi[0] != '\0' && !impi_valid(bytes_of(realm->impi)))
		return GBA_E_CORRUPT;
	if (ks.n == 0)
		return GBA_OK;
	realm->ks = secret_dup(tokens, ks);
	return realm->ks != NULL ? GBA_OK : GBA_E_NOMEM;
}

static void get_app(struct record_in *in, struct token_app *app)
{
	memset(app, 0, sizeof(*app));
	get_profile(in, app->profile);
	record_get_text(in, app->naf, sizeof(app->naf));
	if (!fqdn_valid(bytes_of(app->naf)))
		in->bad = true;
	app->state = get_state(in);
	get_btid(in, app->btid);
	app->since = (time_t)record_get(in, 8);
	app->expires = (time_t)record_get(in, 8);
}

static enum gba_err get_apps(struct record_in *in, struct tokens *tokens)
{
	size_t count = (size_t)record_get(in, 2);
	size_t i;

	if (in->bad || count > TOKENS_APPS_MAX)
		return GBA_E_CORRUPT;
	tokens->apps = talloc_array(tokens, struct token_app, count);
	if (tokens->apps == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < count && !in->bad; i++)
		get_app(in, &tokens->apps[i]);
	tokens->app_count = count;
	return in->bad || in->rest.n != 0 ? GBA_E_CORRUPT : GBA_OK;
}

enum gba_err tokens_decode(TALLOC_CTX *mem_ctx, struct bytes plain, struct tokens **_tokens)
{
	struct record_in in = { .rest = plain };
	struct tokens *tokens;
	enum gba_err err = GBA_OK;
	size_t count, i;

	if (record_get(&in, 4) != MAGIC || record_get(&in, 1) != FORMAT)
		return GBA_E_CORRUPT;
	count = (size_t)record_get(&in, 2);
	if (in.bad || count > TOKENS_REALMS_MAX)
		return GBA_E_CORRUPT;
	tokens = talloc_zero(mem_ctx, struct tokens);
	if (tokens == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < count && err == GBA_OK; i++)
		err = get_realm(&in, tokens);
	if (err == GBA_OK)
		err = get_apps(&in, tokens);
	if (err != GBA_OK) {
		talloc_free(tokens);
		return err;
	}
	*_tokens = tokens;
	return GBA_OK;
}
