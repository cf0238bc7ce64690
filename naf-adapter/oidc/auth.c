/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>

#include "core/codec.h"
#include "crypto/hash.h"
#include "naf-adapter/oidc/oidc.h"

#define ASSERTIONS_MAX	   4096
#define ASSERTION_LIFE_MAX 300 /* [s] */
#define ASSERTION_TYPE	   "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define SECRET_MAX	   512 /* [octets] of credentials, decoded */

static const struct client *refuse(const char **_why, const char *why)
{
	*_why = why;
	return NULL;
}

/* ---- client_secret_basic (RFC 6749 2.3.1) ---- */

static bool secret_fits(const struct client *client, struct bytes secret)
{
	uint8_t digest[HASH_MAX], want[HASH_MAX];
	bool fits = false;
	size_t i;

	hash_pieces(HASH_SHA256, &secret, 1, digest);
	for (i = 0; i < client->conf->secrets.n; i++) {
		if (hex_decode(bytes_of(client->conf->secrets.v[i]), want, HASH_MAX) == GBA_OK)
			fits |= bytes_eq_secret(BYTES(digest, HASH_MAX), BYTES(want, HASH_MAX));
	}
	return fits;
}

static const struct client *basic(const struct roster *roster, TALLOC_CTX *mem_ctx, struct bytes header, const char **_why)
{
	uint8_t octets[SECRET_MAX];
	struct bytes scheme, text, id, secret;
	const struct client *client;
	const char *name, *plain = NULL;
	bool good;
	size_t n;

	if (!bytes_split(header, ' ', &scheme, &text) || !bytes_eq_nocase(scheme, bytes_of("Basic")) ||
	    base64_decode(text, octets, sizeof(octets), &n) != GBA_OK || !bytes_split(BYTES(octets, n), ':', &id, &secret) ||
	    param_decode(mem_ctx, id, &name) != GBA_OK || param_decode(mem_ctx, secret, &plain) != GBA_OK)
		return refuse(_why, "Authorization is no credential of a client");
	client = roster_find(roster, name);
	good = client != NULL && client->conf->secrets.n > 0 && secret_fits(client, bytes_of(plain));
	secret_wipe((char *)(uintptr_t)plain, strlen(plain));
	SECRET_WIPE(octets);
	return good ? client : refuse(_why, "unknown client, or wrong secret");
}

/* ---- private_key_jwt (RFC 7523 3) ---- */

struct assertions {
	pthread_mutex_t lock;
	struct {
		uint8_t hash[HASH_MAX];
		time_t until;
	} used[ASSERTIONS_MAX];
};

static int assertions_destroy(struct assertions *assertions)
{
	pthread_mutex_destroy(&assertions->lock);
	return 0;
}

struct assertions *assertions_new(TALLOC_CTX *mem_ctx)
{
	struct assertions *assertions = talloc_zero(mem_ctx, struct assertions);

	if (assertions == NULL)
		return NULL;
	pthread_mutex_init(&assertions->lock, NULL);
	talloc_set_destructor(assertions, assertions_destroy);
	return assertions;
}

/* @return false: used before, or there is no place to note it */
static bool use_once(struct assertions *assertions, const char *client, const char *jti, time_t until, time_t now)
{
	struct bytes pieces[] = { bytes_of(client), BYTES("", 1), bytes_of(jti) };
	size_t i, place = ASSERTIONS_MAX;
	uint8_t hash[HASH_MAX];
	bool fresh = true;

	hash_pieces(HASH_SHA256, pieces, 3, hash);
	pthread_mutex_lock(&assertions->lock);
	for (i = 0; i < ASSERTIONS_MAX && fresh; i++) {
		if (assertions->used[i].until <= now)
			place = i;
		else
			fresh = memcmp(assertions->used[i].hash, hash, HASH_MAX) != 0;
	}
	fresh = fresh && place < ASSERTIONS_MAX;
	if (fresh) {
		memcpy(assertions->used[place].hash, hash, HASH_MAX);
		assertions->used[place].until = until;
	}
	pthread_mutex_unlock(&assertions->lock);
	return fresh;
}

static bool text_is(const json_t *claims, const char *name, const char *want)
{
	const char *text = json_string_value(json_object_get(claims, name));

	return text != NULL && strcmp(text, want) == 0;
}

/* A text, or a list with one that we are known by: no assertion that was made for somebody else. */
static bool is_audience(const struct oidc *oidc, const json_t *aud)
{
	const char *text = json_string_value(aud);
	size_t i;

	if (text != NULL)
		return strcmp(text, oidc->conf->issuer) == 0 || strcmp(text, oidc->token_url) == 0;
	for (i = 0; i < json_array_size(aud); i++) {
		if (json_is_string(json_array_get(aud, i)) && is_audience(oidc, json_array_get(aud, i)))
			return true;
	}
	return false;
}

static const char *assertion_judge(struct oidc *oidc, const struct client *client, const json_t *claims, time_t now)
{
	const char *jti = json_string_value(json_object_get(claims, "jti"));
	json_int_t exp = json_integer_value(json_object_get(claims, "exp"));
	json_int_t nbf = json_integer_value(json_object_get(claims, "nbf"));

	if (!text_is(claims, "iss", client->conf->id) || !text_is(claims, "sub", client->conf->id))
		return "assertion: iss and sub are not the client";
	if (!is_audience(oidc, json_object_get(claims, "aud")))
		return "assertion: made for somebody else";
	if (exp <= now || exp > now + ASSERTION_LIFE_MAX || nbf > now)
		return "assertion: expired, not valid yet, or for too long";
	if (jti == NULL || !use_once(oidc->assertions, client->conf->id, jti, exp, now))
		return "assertion: without jti, or used before";
	return NULL;
}

/* The client's name without believing anything: its key has to open the token then. */
static const struct client *assertion(struct oidc *oidc, const struct roster *roster, const struct params *params, time_t now,
				      const char **_why)
{
	const char *type = params_get(params, "client_assertion_type"), *id = params_get(params, "client_id");
	const char *text = params_get(params, "client_assertion");
	const struct client *client;
	json_t *claims = NULL;
	size_t i;

	if (type == NULL || strcmp(type, ASSERTION_TYPE) != 0)
		return refuse(_why, "client_assertion_type is not jwt-bearer");
	for (i = 0; (client = roster_at(roster, i)) != NULL; i++) {
		if (client->key != NULL && jwt_open(bytes_of(text), client->key, &claims) == GBA_OK)
			break;
	}
	if (client == NULL)
		return refuse(_why, "assertion: signed by no client's key");
	*_why = assertion_judge(oidc, client, claims, now);
	json_decref(claims);
	if (*_why == NULL && id != NULL && strcmp(id, client->conf->id) != 0)
		*_why = "client_id is not the assertion's";
	return *_why == NULL ? client : NULL;
}

const struct client *client_authenticate(struct oidc *oidc, const struct roster *roster, struct http_req *req,
					 const struct params *params, time_t now, const char **_why)
{
	struct bytes header = http_req_header(req, "Authorization");
	bool has_assertion = params_get(params, "client_assertion") != NULL;
	const char *id = params_get(params, "client_id");
	const struct client *client;

	if (params_get(params, "client_secret") != NULL)
		return refuse(_why, "client_secret_post is not taken: the secret belongs into Authorization");
	if (header.p != NULL && has_assertion)
		return refuse(_why, "two ways of authentication at once");
	if (has_assertion)
		return assertion(oidc, roster, params, now, _why);
	if (header.p != NULL) {
		client = basic(roster, req, header, _why);
		if (client != NULL && id != NULL && strcmp(id, client->conf->id) != 0)
			return refuse(_why, "client_id is another one than Authorization's");
		return client;
	}
	client = roster_find(roster, id);
	if (client == NULL || client->conf->secrets.n > 0 || client->key != NULL)
		return refuse(_why, "unknown client, or one that has to authenticate");
	return client;
}
