/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec.h"
#include "crypto/hash.h"
#include "naf-adapter/oidc/oidc.h"

/* Who this is: the value that the operator lets this ASP know, or one that no two sectors can compare (OpenID Connect Core 8.1). */
char *subject_of(const struct oidc *oidc, TALLOC_CTX *mem_ctx, const struct client *client, const char *identity)
{
	struct bytes pieces[] = { bytes_of(client->sector), BYTES("", 1), bytes_of(identity) };
	char text[BASE64URL_LEN(HASH_MAX) + 1];
	uint8_t mac[HASH_MAX];

	if (client->conf->subject == SUBJECT_ASP)
		return talloc_strdup(mem_ctx, identity);
	hmac_pieces(HASH_SHA256, secret_bytes(oidc->salt), pieces, 3, mac);
	base64url_encode(BYTES(mac, sizeof(mac)), text);
	return talloc_strdup(mem_ctx, text);
}

/* amr: RFC 8176. The USIM is a smart card; Ks_int_NAF never leaves it, Ks_NAF is in the phone's software. */
void methods_of(const struct gba_naf_result *result, bool uicc, struct grant_facts *_facts)
{
	static const char *const card[] = { "sc", "hwk", NULL }, *const phone[] = { "sc", "swk", NULL };
	static const char *const digest[] = { "pwd", NULL };

	switch (gba_naf_result_type(result)) {
	case GBA_NAF_TYPE_2G:
		_facts->acr = "gba-2g";
		_facts->amr = phone;
		break;
	case GBA_NAF_TYPE_DIGEST:
		_facts->acr = "gba-digest";
		_facts->amr = digest;
		break;
	default:
		_facts->acr = uicc ? "gba-u" : "gba-me";
		_facts->amr = uicc ? card : phone;
		break;
	}
}

static bool put(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0;
}

static json_t *list_of(const char *const *words)
{
	json_t *list = json_array();

	for (; *words != NULL; words++)
		json_array_append_new(list, json_string(*words));
	return list;
}

/* The left half of the hash (OpenID Connect Core 3.1.3.6). */
static json_t *at_hash(const char *access)
{
	char text[BASE64URL_LEN(HASH_MAX / 2) + 1];
	struct bytes input = bytes_of(access);
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &input, 1, digest);
	base64url_encode(BYTES(digest, HASH_MAX / 2), text);
	return json_string(text);
}

enum gba_err id_token_make(struct oidc *oidc, TALLOC_CTX *mem_ctx, const struct grant_facts *facts, const char *access, time_t now,
			   char **_token)
{
	time_t ends = now + (time_t)oidc->conf->id_token_lifetime;
	json_t *claims = json_object();
	enum gba_err err = GBA_E_NOMEM;
	bool good;

	if (ends > facts->ends)
		ends = facts->ends;
	good = put(claims, "iss", json_string(oidc->conf->issuer)) && put(claims, "sub", json_string(facts->sub)) &&
	       put(claims, "aud", json_string(facts->client)) && put(claims, "iat", json_integer(now)) &&
	       put(claims, "exp", json_integer(ends)) && put(claims, "acr", json_string(facts->acr)) &&
	       put(claims, "amr", list_of(facts->amr)) && put(claims, "at_hash", at_hash(access)) &&
	       (facts->auth_time == 0 || put(claims, "auth_time", json_integer(facts->auth_time))) &&
	       (facts->nonce == NULL || put(claims, "nonce", json_string(facts->nonce)));
	if (good)
		err = ring_sign(oidc->ring, mem_ctx, claims, now, _token);
	json_decref(claims);
	return err;
}

/* "\"a\", \"b\"" */
static json_t *identities_list(const char *text)
{
	struct bytes rest = bytes_of(text), item;
	json_t *list = json_array();

	while (bytes_split(rest, '"', &item, &rest) && bytes_split(rest, '"', &item, &rest))
		json_array_append_new(list, json_stringn((const char *)item.p, item.n));
	return list;
}

json_t *userinfo_of(const struct grant_facts *facts)
{
	json_t *claims = json_object();

	if (!put(claims, "sub", json_string(facts->sub)) ||
	    (facts->identities != NULL && !put(claims, "identities", identities_list(facts->identities)))) {
		json_decref(claims);
		return NULL;
	}
	return claims;
}

json_t *discovery_of(const struct oidc *oidc)
{
	const struct oidc_conf *conf = oidc->conf;
	json_t *names = json_pack("{s:s, s:s, s:s+, s:s+, s:s+, s:s+, s:s+}", "issuer", conf->issuer, "authorization_endpoint",
				  conf->authorize_url, "token_endpoint", conf->issuer, "/token", "userinfo_endpoint", conf->issuer,
				  "/userinfo", "jwks_uri", conf->issuer, "/jwks", "revocation_endpoint", conf->issuer, "/revoke",
				  "end_session_endpoint", conf->issuer, "/logout");
	json_t *more = json_pack("{s:[s], s:[s,s], s:[s,s], s:[s,s], s:[s],"
				 " s:[s,s], s:[s,s,s], s:[s,s], s:[s], s:b, s:b, s:b, s:b}",
				 "response_types_supported", "code", "response_modes_supported", "query", "form_post",
				 "grant_types_supported", "authorization_code", "refresh_token",
				 "subject_types_supported", "pairwise", "public",
				 "id_token_signing_alg_values_supported", jwt_alg_names[conf->signing_alg], "scopes_supported",
				 "openid", "identities", "token_endpoint_auth_methods_supported", "client_secret_basic",
				 "private_key_jwt", "none", "token_endpoint_auth_signing_alg_values_supported", "RS256", "ES256",
				 "code_challenge_methods_supported", "S256", "authorization_response_iss_parameter_supported", 1,
				 "claims_parameter_supported", 0, "request_parameter_supported", 0,
				 "request_uri_parameter_supported", 0);
	json_t *values = json_pack("{s:[s,s,s,s], s:[s,s,s,s,s,s,s,s,s,s,s]}", "acr_values_supported", "gba-me", "gba-u", "gba-2g",
				   "gba-digest", "claims_supported", "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr",
				   "amr", "at_hash", "identities");

	if (names == NULL || more == NULL || values == NULL || json_object_update(names, more) != 0 ||
	    json_object_update(names, values) != 0) {
		json_decref(names);
		names = NULL;
	}
	json_decref(more);
	json_decref(values);
	return names;
}
