/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "ue/cli/ue.h"
#include "ue/client.h"

#define FINGERPRINT_OCTETS 8 /* of SHA-256 of the key: tells keys apart, gives none away */

struct key_args {
	const char *ua_id;
	bool reveal;
};

static const struct cli_opt key_opts[] = {
	CLI_OPT_TEXT("--ua-id", "HEX", struct key_args, ua_id,
		     "Ua security protocol, ten digits; 0100000002 (HTTP Digest) otherwise"),
	CLI_OPT_FLAG("--reveal", struct key_args, reveal, "Print the key, too: for other programs of a lab"),
	CLI_OPT_END,
};

struct forget_args {
	const char *profile;
};

static const struct cli_opt forget_opts[] = {
	CLI_OPT_TEXT("--profile", "NAME", struct forget_args, profile, "Only this realm's"),
	CLI_OPT_END,
};

static enum gba_err load(struct cli *cli, struct state *state, struct tokens **_tokens)
{
	enum gba_err err = tokens_load(cli->ctx, state, _tokens);

	return err == GBA_OK ? GBA_OK : why_fail(&cli->why, err, "token store: %s", gba_strerror(err));
}

static const char *state_text(enum token_state state, time_t expires, time_t now)
{
	return expires <= now ? "expired" : token_state_names[state];
}

static json_t *realm_json(const struct token_realm *realm, time_t now)
{
	json_t *row = json_object();

	json_object_set_new(row, "profile", json_string(realm->profile));
	json_object_set_new(row, "state", json_string(state_text(realm->state, realm->expires, now)));
	json_object_set_new(row, "btid", json_string(realm->btid));
	json_object_set_new(row, "created", cli_time(realm->created));
	json_object_set_new(row, "expires", cli_time(realm->expires));
	json_object_set_new(row, "gba-u", json_boolean(realm->in_usim));
	json_object_set_new(row, "tmpi", json_boolean(realm->tmpi[0] != '\0'));
	return row;
}

static json_t *app_json(const struct token_app *app, time_t now)
{
	json_t *row = json_object();

	json_object_set_new(row, "naf", json_string(app->naf));
	json_object_set_new(row, "profile", json_string(app->profile));
	json_object_set_new(row, "state", json_string(state_text(app->state, app->expires, now)));
	json_object_set_new(row, "btid", json_string(app->btid));
	json_object_set_new(row, "since", cli_time(app->since));
	json_object_set_new(row, "expires", cli_time(app->expires));
	return row;
}

static enum gba_err cmd_list(struct cli *cli, void *args)
{
	json_t *realms, *apps;
	time_t now = clock_now();
	struct tokens *tokens;
	struct state *state;
	enum gba_err err;
	size_t i;

	(void)args;
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = load(cli, state, &tokens);
	if (err != GBA_OK)
		return err;
	realms = json_array();
	apps = json_array();
	for (i = 0; i < tokens->realm_count; i++) {
		if (tokens->realms[i].btid[0] != '\0')
			json_array_append_new(realms, realm_json(&tokens->realms[i], now));
	}
	for (i = 0; i < tokens->app_count; i++)
		json_array_append_new(apps, app_json(&tokens->apps[i], now));
	cli_put(cli, "realms", realms);
	cli_put(cli, "applications", apps);
	return GBA_OK;
}

/* The active realm's, with the name for the next run. */
static enum gba_err cmd_show(struct cli *cli, void *args)
{
	const struct token_realm *realm;
	struct profiles *profiles;
	struct tokens *tokens;
	struct state *state;
	enum gba_err err;

	(void)args;
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = profiles_load(cli->ctx, state, &profiles, &cli->why);
	if (err == GBA_OK)
		err = load(cli, state, &tokens);
	if (err != GBA_OK)
		return err;
	if (profiles->count == 0)
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "no profile");
	realm = tokens_realm(tokens, profiles_active(profiles)->name);
	if (realm == NULL || realm->btid[0] == '\0')
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "no token of realm %s", profiles_active(profiles)->name);
	cli->result = realm_json(realm, clock_now());
	cli_put(cli, "impi", json_string(realm->impi));
	if (realm->tmpi[0] != '\0')
		cli_put(cli, "next-username", json_string(realm->tmpi));
	return GBA_OK;
}

static void put_key(struct cli *cli, const uint8_t key[GBA_KS_NAF_LEN], bool reveal)
{
	char hex[HEX_LEN(GBA_KS_NAF_LEN) + 1], base64[BASE64_LEN(GBA_KS_NAF_LEN) + 1];
	struct bytes piece = BYTES(key, GBA_KS_NAF_LEN);
	uint8_t hash[HASH_MAX];

	hash_pieces(HASH_SHA256, &piece, 1, hash);
	hex_encode(BYTES(hash, FINGERPRINT_OCTETS), hex);
	cli_put(cli, "fingerprint", json_string(hex));
	if (!reveal)
		return;
	hex_encode(piece, hex);
	base64_encode(piece, base64);
	cli_put(cli, "key", json_string(hex));
	cli_put(cli, "digest-password", json_string(base64));
	SECRET_WIPE(hex);
	SECRET_WIPE(base64);
}

static enum gba_err usable_btid(struct cli *cli, struct state *state, struct token_ref *_ref)
{
	const struct token_realm *realm = NULL;
	struct profiles *profiles;
	struct tokens *tokens;
	enum gba_err err;

	err = profiles_load(cli->ctx, state, &profiles, &cli->why);
	if (err == GBA_OK)
		err = load(cli, state, &tokens);
	if (err != GBA_OK)
		return err;
	if (profiles->count > 0)
		realm = tokens_usable(tokens, profiles_active(profiles)->name, clock_now());
	if (realm == NULL)
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "no valid token of the active realm: bootstrap first");
	memcpy(_ref->btid, realm->btid, sizeof(_ref->btid));
	_ref->expires = realm->expires;
	return GBA_OK;
}

static enum gba_err cmd_key(struct cli *cli, void *args)
{
	const struct client_conf conf = { .product = UE_PRODUCT, .usim = cli_usim(cli, NULL), .pin = cli_pin(cli) };
	const struct key_args *key_args = args;
	uint8_t ua_id[UA_ID_LEN], naf_id[NAF_ID_MAX], key[GBA_KS_NAF_LEN];
	char naf_id_hex[HEX_LEN(NAF_ID_MAX) + 1];
	struct token_source source;
	struct token_ref ref;
	struct client *client;
	struct state *state;
	enum gba_err err;
	size_t n;

	memcpy(ua_id, UA_ID_HTTP_DIGEST, UA_ID_LEN);
	if (key_args->ua_id != NULL && hex_decode(bytes_of(key_args->ua_id), ua_id, UA_ID_LEN) != GBA_OK)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--ua-id: ten hex digits");
	n = naf_id_build(bytes_of(cli->operands[0]), ua_id, naf_id);
	if (n == 0)
		return why_fail(&cli->why, GBA_E_NAF_ID_SYNTAX, "%s: not a host name", cli->operands[0]);
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = usable_btid(cli, state, &ref);
	if (err != GBA_OK)
		return err;
	client = client_new(cli->ctx, state, &conf);
	if (client == NULL)
		return GBA_E_NOMEM;
	source = client_source(client);
	err = source.key(source.arg, &ref, BYTES(naf_id, n), key);
	if (err != GBA_OK)
		return err;
	hex_encode(BYTES(naf_id, n), naf_id_hex);
	cli_put(cli, "btid", json_string(ref.btid));
	cli_put(cli, "expires", cli_time(ref.expires));
	cli_put(cli, "naf-id", json_string(naf_id_hex));
	put_key(cli, key, key_args->reveal);
	SECRET_WIPE(key);
	return GBA_OK;
}

static enum gba_err cmd_forget(struct cli *cli, void *args)
{
	const struct forget_args *forget_args = args;
	struct tokens *tokens;
	struct state *state;
	bool changed = false;
	enum gba_err err;
	int lock;

	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = tokens_lock(state, &lock);
	if (err != GBA_OK)
		return err;
	err = load(cli, state, &tokens);
	if (err == GBA_OK) {
		changed = tokens_forget(tokens, forget_args->profile);
		if (changed)
			err = tokens_save(state, tokens);
	}
	state_unlock(lock);
	if (err == GBA_OK)
		cli_put(cli, "forgotten", json_boolean(changed));
	return err;
}

const struct cli_cmd cmd_token_commands[] = {
	{ "token list", "", 0, 0, NULL, 0, NULL, cmd_list, "List tokens of realms and of applications, never keys" },
	{ "token show", "", 0, 0, NULL, 0, NULL, cmd_show, "Show the active realm's token" },
	{ "token key", "NAF", 1, 1, key_opts, sizeof(struct key_args), NULL, cmd_key,
	  "Fingerprint of an application's key" },
	{ "token forget", "", 0, 0, forget_opts, sizeof(struct forget_args), NULL, cmd_forget, "Forget tokens" },
	CLI_CMD_END,
};
