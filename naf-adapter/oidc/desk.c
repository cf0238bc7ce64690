/* SPDX-License-Identifier: Apache-2.0 */
/* Where clients come, over HTTPS: discovery, keys, token, userinfo, revocation. */
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "http/route.h"
#include "naf-adapter/oidc/oidc.h"

#define JSON "application/json"

struct call {
	struct oidc *oidc;
	struct http_req *req;
	struct params params; /* of the form */
};

static void note(enum gba_err result, const char *event, const char *client, const char *what)
{
	struct log_about about = { .iface = "OIDC", .id = bytes_of(client), .result = result };

	log_event(LOG_L_INFO, event, &about, "%s", what);
}

/* @param json  taken over; NULL: out of memory */
static void reply(const struct call *call, unsigned int status, const char *challenge, json_t *json)
{
	const struct http_header headers[] = { { "Content-Type", JSON }, { "Cache-Control", "no-store" },
					       { "X-Content-Type-Options", "nosniff" },
					       { challenge != NULL ? "WWW-Authenticate" : NULL, challenge }, { NULL, NULL } };
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(json);
	if (text != NULL)
		http_reply(call->req, status, headers, bytes_of(text));
	else
		http_reply_error(call->req, GBA_E_NOMEM);
	if (text != NULL)
		secret_wipe(text, strlen(text));
	free(text);
}

/* RFC 6749 5.2. */
static void refuse(const struct call *call, unsigned int status, const char *error, const char *why)
{
	metric_add(call->oidc->tokens_refused, 1);
	reply(call, status, status == 401 ? "Basic realm=\"clients\", charset=\"UTF-8\"" : NULL,
	      json_pack("{s:s, s:s}", "error", error, "error_description", why));
}

/* The form, and who sends it. @return NULL: answered */
static const struct client *form_take(struct call *call)
{
	const struct client *client;
	const char *twice, *why = "not authenticated";

	if (!content_type_is(http_req_header(call->req, "Content-Type"), "application/x-www-form-urlencoded") ||
	    params_read(call->req, http_req_body(call->req), &call->params, &twice) != GBA_OK) {
		refuse(call, 400, "invalid_request", "no form, or a parameter that is malformed or comes twice");
		return NULL;
	}
	client = client_authenticate(call->oidc, call->req, &call->params, clock_now(), &why);
	if (client == NULL) {
		note(GBA_E_NOT_AUTHORIZED, "oidc.client_refused", params_get(&call->params, "client_id"), why);
		refuse(call, 401, "invalid_client", "not authenticated");
	}
	return client;
}

/* ---- token (OpenID Connect Core 3.1.3) ---- */

static void token_reply(const struct call *call, const struct grant_facts *facts, const char *access, time_t now)
{
	enum gba_err err;
	char *id_token;

	err = id_token_make(call->oidc, call->req, facts, access, now, &id_token);
	if (err != GBA_OK) {
		note(err, "oidc.token", facts->client->id, "no ID Token");
		grants_revoke(call->oidc->grants, bytes_of(access), facts->client);
		refuse(call, 500, "server_error", gba_strerror(err));
		return;
	}
	metric_add(call->oidc->tokens, 1);
	note(GBA_OK, "oidc.token", facts->client->id, "ID Token and access token given");
	reply(call, 200, NULL,
	      json_pack("{s:s, s:s, s:I, s:s, s:s}", "access_token", access, "token_type", "Bearer", "expires_in",
			(json_int_t)(facts->access_ends - now), "scope", facts->identities != NULL ? "openid identities" : "openid",
			"id_token", id_token));
}

static void on_token(struct call *call)
{
	const struct client *client = form_take(call);
	const char *type = params_get(&call->params, "grant_type"), *code = params_get(&call->params, "code");
	struct grant_claim claim = { .code = bytes_of(code) };
	char access[GRANT_SECRET_ROOM];
	struct grant_facts facts;
	time_t now = clock_now();
	enum gba_err err;

	if (client == NULL)
		return;
	if (type == NULL || strcmp(type, "authorization_code") != 0) {
		refuse(call, 400, type == NULL ? "invalid_request" : "unsupported_grant_type",
		       "grant_type is not authorization_code");
		return;
	}
	if (code == NULL) {
		refuse(call, 400, "invalid_request", "code is missing");
		return;
	}
	claim.client = client->conf;
	claim.redirect_uri = params_get(&call->params, "redirect_uri");
	claim.verifier = params_get(&call->params, "code_verifier");
	claim.access_until = now + (time_t)call->oidc->conf->access_token_lifetime;
	err = grants_redeem(call->oidc->grants, &claim, now, call->req, &facts, access);
	if (err == GBA_OK) {
		token_reply(call, &facts, access, now);
		SECRET_WIPE(access);
		return;
	}
	note(err, err == GBA_E_REPLAY ? "oidc.code_twice" : "oidc.code_refused", client->conf->id,
	     err == GBA_E_REPLAY ? "a code came a second time: its access token has ended" : gba_strerror(err));
	refuse(call, 400, "invalid_grant", "the code is not good, or not for this client, redirect_uri and code_verifier");
}

/* ---- userinfo (5.3), revocation (RFC 7009) ---- */

static void on_userinfo(struct call *call)
{
	struct bytes header = http_req_header(call->req, "Authorization"), scheme, token;
	struct grant_facts facts;

	if (header.p == NULL || !bytes_split(header, ' ', &scheme, &token) || !bytes_eq_nocase(scheme, bytes_of("Bearer"))) {
		reply(call, 401, "Bearer", json_pack("{s:s}", "error", "invalid_request"));
		return;
	}
	if (grants_find(call->oidc->grants, token, clock_now(), call->req, &facts) != GBA_OK) {
		reply(call, 401, "Bearer error=\"invalid_token\"", json_pack("{s:s}", "error", "invalid_token"));
		return;
	}
	reply(call, 200, NULL, userinfo_of(&facts));
}

static void on_revoke(struct call *call)
{
	const struct client *client = form_take(call);
	const char *token = params_get(&call->params, "token");

	if (client == NULL)
		return;
	if (token == NULL) {
		refuse(call, 400, "invalid_request", "token is missing");
		return;
	}
	grants_revoke(call->oidc->grants, bytes_of(token), client->conf);
	reply(call, 200, NULL, json_object()); /* also when there was none: 2.2 */
}

static void on_discovery(struct call *call)
{
	reply(call, 200, NULL, discovery_of(call->oidc));
}

static void on_jwks(struct call *call)
{
	reply(call, 200, NULL, ring_jwks(call->oidc->ring));
}

/* ---- dispatch ---- */

enum { GET = 1, POST = 2 };
static const struct {
	const char *path;
	unsigned int methods;
	const char *allow;
	void (*run)(struct call *call);
} rows[] = {
	{ "/.well-known/openid-configuration", GET, "GET", on_discovery },
	{ "/jwks", GET, "GET", on_jwks },
	{ "/token", POST, "POST", on_token },
	{ "/userinfo", GET | POST, "GET, POST", on_userinfo },
	{ "/revoke", POST, "POST", on_revoke },
};

static void run(struct call *call, size_t row, unsigned int method)
{
	struct http_header headers[] = { { "Allow", rows[row].allow }, { NULL, NULL } };

	if ((rows[row].methods & method) != 0)
		rows[row].run(call);
	else
		http_reply(call->req, 405, headers, BYTES("", 0));
}

void desk_request(struct http_req *req, void *arg)
{
	struct call call = { .oidc = arg, .req = req };
	struct bytes query, path = target_path(http_req_target(req), &query), method = http_req_method(req);
	size_t base = strlen(call.oidc->base_path), i;

	if (path.n > base && memcmp(path.p, call.oidc->base_path, base) == 0) {
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (!bytes_eq_str(BYTES(path.p + base, path.n - base), rows[i].path))
				continue;
			run(&call, i, bytes_eq_str(method, "GET") ? GET : bytes_eq_str(method, "POST") ? POST : 0);
			return;
		}
	}
	http_reply_error(req, GBA_E_NOT_FOUND);
}
