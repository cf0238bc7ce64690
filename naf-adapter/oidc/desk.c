/* SPDX-License-Identifier: Apache-2.0 */
/* Where clients come, over HTTPS: discovery, keys, token, userinfo, revocation; and devices that log out. */
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "http/route.h"
#include "naf-adapter/oidc/oidc.h"

#define JSON "application/json"

struct call {
	struct oidc *oidc;
	struct roster *roster;
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
	client = client_authenticate(call->oidc, call->roster, call->req, &call->params, clock_now(), &why);
	if (client == NULL) {
		note(GBA_E_NOT_AUTHORIZED, "oidc.client_refused", params_get(&call->params, "client_id"), why);
		refuse(call, 401, "invalid_client", "not authenticated");
	}
	return client;
}

/* ---- token (OpenID Connect Core 3.1.3) ---- */

static void token_reply(const struct call *call, const struct grant_facts *facts, const struct grant_tokens *tokens, time_t now)
{
	enum gba_err err;
	char *id_token;
	json_t *json;

	err = id_token_make(call->oidc, call->req, facts, tokens->access, now, &id_token);
	if (err != GBA_OK) {
		note(err, "oidc.token", facts->client, "no ID Token");
		grants_revoke(call->oidc->grants, bytes_of(tokens->access), facts->client);
		refuse(call, 500, "server_error", gba_strerror(err));
		return;
	}
	metric_add(call->oidc->tokens, 1);
	note(GBA_OK, "oidc.token", facts->client, "ID Token and access token given");
	json = json_pack("{s:s, s:s, s:I, s:s, s:s}", "access_token", tokens->access, "token_type", "Bearer", "expires_in",
			 (json_int_t)(facts->access_ends - now), "scope",
			 facts->identities != NULL ? "openid identities" : "openid", "id_token", id_token);
	if (tokens->refresh[0] != '\0')
		json_object_set_new(json, "refresh_token", json_string(tokens->refresh));
	reply(call, 200, NULL, json);
}

static void on_code(struct call *call, const struct client *client, struct grant_claim *claim)
{
	struct grant_tokens tokens;
	struct grant_facts facts;
	time_t now = clock_now();
	enum gba_err err;

	claim->redirect_uri = params_get(&call->params, "redirect_uri");
	claim->verifier = params_get(&call->params, "code_verifier");
	err = grants_redeem(call->oidc->grants, claim, now, call->req, &facts, &tokens);
	if (err == GBA_OK) {
		token_reply(call, &facts, &tokens, now);
		SECRET_WIPE(tokens);
		return;
	}
	note(err, err == GBA_E_REPLAY ? "oidc.code_twice" : "oidc.code_refused", client->conf->id,
	     err == GBA_E_REPLAY ? "a code came a second time: its tokens have ended" : gba_strerror(err));
	refuse(call, 400, "invalid_grant", "the code is not good, or not for this client, redirect_uri and code_verifier");
}

/* RFC 6749 6, OpenID Connect Core 12: the ID Token tells the same login, without its nonce. */
static void on_refresh(struct call *call, const struct client *client, struct grant_claim *claim)
{
	struct grant_tokens tokens;
	struct grant_facts facts;
	time_t now = clock_now();
	enum gba_err err = grants_refresh(call->oidc->grants, claim, now, call->req, &facts, &tokens);

	if (err == GBA_OK) {
		facts.nonce = NULL;
		token_reply(call, &facts, &tokens, now);
		SECRET_WIPE(tokens);
		return;
	}
	note(err, err == GBA_E_REPLAY ? "oidc.refresh_twice" : "oidc.refresh_refused", client->conf->id,
	     err == GBA_E_REPLAY ? "a refresh token came a second time: the login has ended" : gba_strerror(err));
	refuse(call, 400, "invalid_grant", "the refresh token is not good, or not this client's");
}

static void on_token(struct call *call)
{
	static const struct {
		const char *type, *param, *missing;
		void (*run)(struct call *call, const struct client *client, struct grant_claim *claim);
	} types[] = { { "authorization_code", "code", "code is missing", on_code },
		      { "refresh_token", "refresh_token", "refresh_token is missing", on_refresh } };
	const struct client *client = form_take(call);
	const char *type = params_get(&call->params, "grant_type");
	struct grant_claim claim = { .access_until = clock_now() + (time_t)call->oidc->conf->access_token_lifetime };
	size_t i;

	if (client == NULL)
		return;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (type != NULL && strcmp(type, types[i].type) == 0)
			break;
	}
	if (i == sizeof(types) / sizeof(types[0])) {
		refuse(call, 400, type == NULL ? "invalid_request" : "unsupported_grant_type",
		       "grant_type is neither authorization_code nor refresh_token");
		return;
	}
	claim.code = bytes_of(params_get(&call->params, types[i].param));
	if (claim.code.p == NULL) {
		refuse(call, 400, "invalid_request", types[i].missing);
		return;
	}
	claim.client = client->conf->id;
	claim.refreshable = client->conf->refresh_tokens;
	types[i].run(call, client, &claim);
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
	grants_revoke(call->oidc->grants, bytes_of(token), client->conf->id);
	reply(call, 200, NULL, json_object()); /* also when there was none: 2.2 */
}

/* ---- logout (OpenID Connect RP-Initiated Logout 1.0) ---- */

/* A page of text, or a redirection, for a device's browser. @param location  NULL: stay here */
static void show(const struct call *call, unsigned int status, const char *location, const char *text)
{
	const struct http_header headers[] = { { "Content-Type", "text/plain; charset=utf-8" }, { "Cache-Control", "no-store" },
					       { "X-Content-Type-Options", "nosniff" }, { "Referrer-Policy", "no-referrer" },
					       { location != NULL ? "Location" : NULL, location }, { NULL, NULL } };

	http_reply(call->req, status, headers, bytes_of(text));
}

/* Whose ID Token it is. @param _sub  below the request @return NULL: none of ours */
static const struct client *hint_read(const struct call *call, const char **_sub)
{
	const char *hint = params_get(&call->params, "id_token_hint"), *id = params_get(&call->params, "client_id"), *sub, *iss;
	const struct client *client = NULL;
	json_t *claims;

	if (hint == NULL || ring_open_token(call->oidc->ring, bytes_of(hint), &claims) != GBA_OK)
		return NULL;
	iss = json_string_value(json_object_get(claims, "iss"));
	sub = json_string_value(json_object_get(claims, "sub"));
	if (iss != NULL && sub != NULL && strcmp(iss, call->oidc->conf->issuer) == 0)
		client = roster_find(call->roster, json_string_value(json_object_get(claims, "aud")));
	if (client != NULL && id != NULL && strcmp(id, client->conf->id) != 0)
		client = NULL;
	*_sub = client != NULL ? talloc_strdup(call->req, sub) : NULL;
	json_decref(claims);
	return *_sub != NULL ? client : NULL;
}

static bool may_go_to(const struct client *client, const char *uri)
{
	size_t i;

	for (i = 0; i < client->conf->post_logout_uris.n; i++) {
		if (strcmp(client->conf->post_logout_uris.v[i], uri) == 0)
			return true;
	}
	return false;
}

/* What was granted to the client for this user ends. There is no session of ours to end: the device's key is its login. */
static void log_out(const struct call *call)
{
	const char *uri = params_get(&call->params, "post_logout_redirect_uri"), *state = params_get(&call->params, "state"), *sub;
	const struct client *client = hint_read(call, &sub);
	char *location = NULL;

	if (client == NULL || (uri != NULL && !may_go_to(client, uri))) {
		note(GBA_E_DENIED, "oidc.logout", client != NULL ? client->conf->id : "", "refused");
		show(call, 400, NULL,
		     client == NULL ? "This logout cannot go on: id_token_hint is missing, or not ours.\n"
				    : "This logout cannot go on: post_logout_redirect_uri is not one of the client's.\n");
		return;
	}
	metric_add(call->oidc->ended, (int64_t)grants_log_out(call->oidc->grants, client->conf->id, sub));
	note(GBA_OK, "oidc.logout", client->conf->id, "logged out");
	if (uri != NULL)
		location = state == NULL ? talloc_strdup(call->req, uri)
					 : talloc_asprintf(call->req, "%s%cstate=%s", uri, strchr(uri, '?') != NULL ? '&' : '?',
							   param_encode(call->req, state));
	show(call, location != NULL ? 302 : 200, location, location != NULL ? "" : "Logged out.\n");
}

static void on_logout(struct call *call)
{
	struct bytes text;
	const char *twice;

	route_target_path(http_req_target(call->req), &text);
	if (bytes_eq_str(http_req_method(call->req), "POST"))
		text = content_type_is(http_req_header(call->req, "Content-Type"), "application/x-www-form-urlencoded")
			       ? http_req_body(call->req) : BYTES_NONE;
	if (params_read(call->req, text, &call->params, &twice) != GBA_OK) {
		show(call, 400, NULL, "This logout cannot go on: a parameter is malformed or comes twice.\n");
		return;
	}
	log_out(call);
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
	{ "/logout", GET | POST, "GET, POST", on_logout },
};

static void run(struct call *call, size_t row, unsigned int method)
{
	struct http_header headers[] = { { "Allow", rows[row].allow }, { NULL, NULL } };

	if ((rows[row].methods & method) != 0)
		rows[row].run(call);
	else
		http_reply(call->req, 405, headers, BYTES("", 0));
}

/* @return the row; sizeof(rows) / sizeof(rows[0]): none */
static size_t row_of(const struct oidc *oidc, struct bytes path)
{
	size_t base = strlen(oidc->base_path), i = sizeof(rows) / sizeof(rows[0]);

	if (path.n > base && memcmp(path.p, oidc->base_path, base) == 0) {
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (bytes_eq_str(BYTES(path.p + base, path.n - base), rows[i].path))
				break;
		}
	}
	return i;
}

void desk_request(struct http_req *req, void *arg)
{
	struct call call = { .oidc = arg, .req = req };
	struct bytes query, path = route_target_path(http_req_target(req), &query), method = http_req_method(req);
	size_t row = row_of(call.oidc, path);

	if (row == sizeof(rows) / sizeof(rows[0])) {
		http_reply_error(req, GBA_E_NOT_FOUND);
		return;
	}
	call.roster = oidc_roster(call.oidc);
	run(&call, row, bytes_eq_str(method, "GET") ? GET : bytes_eq_str(method, "POST") ? POST : 0);
	roster_drop(call.roster);
}
