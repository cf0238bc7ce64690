/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization endpoint (OpenID Connect Core 3.1.2): where devices come, through gba-naf-proxy and nobody else. */
#include <stdlib.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/ident.h"
#include "core/log.h"
#include "core/trace.h"
#include "http/route.h"
#include "naf-adapter/oidc/oidc.h"

#define SUBJECT_MAX 255 /* [octets] OpenID Connect Core 2 */
#define CHALLENGE_LEN 43

/* One authorization request. Everything below itself, which outlives the request's head while the agent is asked. */
struct visit {
	struct oidc *oidc;
	struct http_req *req;
	struct params params;
	struct roster *roster;
	const struct client *client; /* in it */
	const char *redirect_uri, *state;
	const char *list, *identity; /* asserted: all; the first, bare */
	const char *btid;
	bool uicc, silent;     /* silent: prompt=none */
	bool form_post;	       /* response_mode */
	long max_age;	       /* [s] -1: any */
	char corr[CORR_LEN + 1];
};

static void trace(const struct visit *v, const char *outcome)
{
	struct trace_step step = { .corr = v->corr[0] != '\0' ? v->corr : NULL, .from = "naf-proxy", .to = "naf-oidc",
				   .iface = "HTTP", .clause = "OIDC Core 3.1.2.1", .message = "authentication request" };

	trace_step(&step);
	step.from = "naf-oidc";
	step.to = "naf-proxy";
	step.clause = "OIDC Core 3.1.2.5";
	step.message = outcome;
	trace_step(&step);
}

static void note(const struct visit *v, enum log_level level, enum gba_err result, const char *event, const char *what)
{
	struct log_about about = { .iface = "Ua", .corr = v->corr[0] != '\0' ? v->corr : NULL, .result = result,
				   .id = bytes_of(v->client != NULL ? v->client->conf->id : "") };

	log_event(level, event, &about, "%s", what);
}

/* An answer for the device, not for the client: who cannot be trusted to be one is sent nowhere (RFC 6749 4.1.2.1). */
static void refuse(struct visit *v, unsigned int status, enum gba_err result, const char *why)
{
	static const struct http_header headers[] = { { "Content-Type", "text/plain; charset=utf-8" },
						      { "Cache-Control", "no-store" },
						      { "X-Content-Type-Options", "nosniff" }, { NULL, NULL } };
	char text[256];

	metric_add(v->oidc->refused, 1);
	note(v, status >= 500 ? LOG_L_ERROR : LOG_L_INFO, result, "oidc.refused", why);
	trace(v, why);
	snprintf(text, sizeof(text), "This login cannot go on: %s.\n", why);
	http_reply(v->req, status, headers, bytes_of(text));
	talloc_free(v);
}

/* The device has to bootstrap again: the proxy makes the renegotiation indication of it. */
static void renew(struct visit *v, const char *why)
{
	static const struct http_header headers[] = { { "X-GBA-Token-Control", "renew" }, { "Cache-Control", "no-store" },
						      { NULL, NULL } };
	static const char text[] = "A newer bootstrapping is needed, and token-control is off at the proxy's site.\n";

	note(v, LOG_L_INFO, GBA_OK, "oidc.renew", why);
	trace(v, "a newer token is wanted");
	http_reply(v->req, 403, headers, bytes_of(text));
	talloc_free(v);
}

/* In an attribute of HTML. */
static const char *quoted(TALLOC_CTX *mem_ctx, const char *text)
{
	char *out = talloc_strdup(mem_ctx, "");

	for (; out != NULL && *text != '\0'; text++) {
		if (strchr("&<>\"'", *text) != NULL)
			out = talloc_asprintf_append_buffer(out, "&#%d;", *text);
		else
			out = talloc_asprintf_append_buffer(out, "%c", *text);
	}
	return out != NULL ? out : "";
}

static char *put_input(struct visit *v, char *page, const char *name, const char *value)
{
	if (page == NULL || value == NULL)
		return page;
	return talloc_asprintf_append_buffer(page, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, quoted(v, value));
}

/* OAuth 2.0 Form Post Response Mode 2: the device's browser posts the answer. */
static void post_form(struct visit *v, const char *name, const char *value, const char *description)
{
	static const struct http_header headers[] = {
		{ "Content-Type", "text/html; charset=utf-8" }, { "Cache-Control", "no-store" },  { "Referrer-Policy", "no-referrer" },
		{ "X-Content-Type-Options", "nosniff" },	{ "X-Frame-Options", "DENY" }, { NULL, NULL }
	};
	static const char top[] = "<!DOCTYPE html>\n<html><head><title>Login</title></head>\n"
				  "<body onload=\"document.forms[0].submit()\">\n";
	static const char end[] = "<noscript><input type=\"submit\" value=\"Go on\"></noscript>\n</form></body></html>\n";
	char *page = talloc_asprintf(v, "%s<form method=\"post\" action=\"%s\">\n", top, quoted(v, v->redirect_uri));

	page = put_input(v, page, name, value);
	page = put_input(v, page, "iss", v->oidc->conf->issuer);
	page = put_input(v, page, "state", v->state);
	page = put_input(v, page, "error_description", description);
	if (page != NULL)
		page = talloc_strdup_append_buffer(page, end);
	if (page != NULL)
		http_reply(v->req, 200, headers, bytes_of(page));
	else
		http_reply_error(v->req, GBA_E_NOMEM);
	talloc_free(v);
}

/* To the client's redirect_uri, with state and our name (RFC 9207). @param name, value  "code" or "error" */
static void redirect(struct visit *v, const char *name, const char *value, const char *description)
{
	struct http_header headers[] = { { "Location", NULL }, { "Cache-Control", "no-store" },
					 { "Referrer-Policy", "no-referrer" }, { NULL, NULL } };
	char *url = talloc_asprintf(v, "%s%c%s=%s&iss=%s", v->redirect_uri, strchr(v->redirect_uri, '?') != NULL ? '&' : '?', name,
				    param_encode(v, value), param_encode(v, v->oidc->conf->issuer));

	if (v->form_post) {
		post_form(v, name, value, description);
		return;
	}
	if (url != NULL && v->state != NULL)
		url = talloc_asprintf_append(url, "&state=%s", param_encode(v, v->state));
	if (url != NULL && description != NULL)
		url = talloc_asprintf_append(url, "&error_description=%s", param_encode(v, description));
	headers[0].value = url;
	if (url != NULL)
		http_reply(v->req, 302, headers, BYTES("", 0));
	else
		http_reply_error(v->req, GBA_E_NOMEM);
	talloc_free(v);
}

/* The client learns why. */
static void fail(struct visit *v, const char *error, const char *why)
{
	metric_add(v->oidc->refused, 1);
	note(v, LOG_L_INFO, GBA_E_DENIED, "oidc.refused", why);
	trace(v, error);
	redirect(v, "error", error, why);
}

/* ---- the request ---- */

static bool words_have(const char *words, const char *word)
{
	size_t n = strlen(word), length;

	for (; words != NULL && *words != '\0'; words += length + (words[length] == ' ')) {
		length = strcspn(words, " ");
		if (length == n && memcmp(words, word, n) == 0)
			return true;
	}
	return false;
}

static bool challenge_valid(const char *text)
{
	return strlen(text) == CHALLENGE_LEN &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == CHALLENGE_LEN;
}

/* @return an error of OpenID Connect and why; NULL: good */
static const char *pkce_check(const struct visit *v, const char **_why)
{
	const char *challenge = params_get(&v->params, "code_challenge"), *method = params_get(&v->params, "code_challenge_method");
	const struct client *client = v->client;
	bool public = client->conf->secrets.n == 0 && client->key == NULL;

	*_why = "code_challenge of method S256 is needed";
	if (challenge == NULL)
		return method == NULL && !public && !client->conf->require_pkce ? NULL : "invalid_request";
	return method != NULL && strcmp(method, "S256") == 0 && challenge_valid(challenge) ? NULL : "invalid_request";
}

static const char *ages_read(struct visit *v, const char **_why)
{
	const char *max_age = params_get(&v->params, "max_age"), *prompt = params_get(&v->params, "prompt");

	*_why = "max_age is no number of seconds";
	v->max_age = -1;
	if (max_age != NULL && (strspn(max_age, "0123456789") != strlen(max_age) || strlen(max_age) > 9))
		return "invalid_request";
	if (max_age != NULL)
		v->max_age = atol(max_age);
	*_why = "prompt=none goes with nothing else";
	v->silent = words_have(prompt, "none");
	if (v->silent && strcmp(prompt, "none") != 0)
		return "invalid_request";
	if (words_have(prompt, "login") && (v->max_age < 0 || v->max_age > (long)v->oidc->conf->login_max_age))
		v->max_age = (long)v->oidc->conf->login_max_age;
	return NULL;
}

/* OpenID Connect Core 3.1.2.2. */
static const char *request_check(struct visit *v, const char **_why)
{
	static const char *const unsupported[][2] = { { "request", "request_not_supported" },
						      { "request_uri", "request_uri_not_supported" },
						      { "registration", "registration_not_supported" } };
	const struct params *params = &v->params;
	const char *type = params_get(params, "response_type"), *mode = params_get(params, "response_mode"), *error;
	size_t i;

	*_why = "not supported";
	for (i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++) {
		if (params_get(params, unsupported[i][0]) != NULL)
			return unsupported[i][1];
	}
	*_why = "response_type is missing";
	if (type == NULL)
		return "invalid_request";
	*_why = "response_type is not code";
	if (strcmp(type, "code") != 0)
		return "unsupported_response_type";
	*_why = "response_mode is neither query nor form_post";
	v->form_post = mode != NULL && strcmp(mode, "form_post") == 0;
	if (mode != NULL && !v->form_post && strcmp(mode, "query") != 0)
		return "invalid_request";
	*_why = "scope has not openid";
	if (!words_have(params_get(params, "scope"), "openid"))
		return "invalid_scope";
	error = pkce_check(v, _why);
	return error != NULL ? error : ages_read(v, _why);
}

/* ---- the device ---- */

static bool admitted(const struct oidc *oidc, const struct http_req *req)
{
	int64_t uid = http_req_peer_uid(req);
	size_t i;

	for (i = 0; i < oidc->n_users && uid >= 0; i++) {
		if (oidc->users[i] == (uid_t)uid)
			return true;
	}
	return false;
}

/* name="value" or name=value in X-GBA-Token. */
static const char *told(struct visit *v, struct bytes token, const char *name)
{
	char *text = talloc_strndup(v, (const char *)token.p, token.n), *word, *save = NULL;
	size_t n = strlen(name);

	for (word = text != NULL ? strtok_r(text, ", ", &save) : NULL; word != NULL; word = strtok_r(NULL, ", ", &save)) {
		if (strncmp(word, name, n) != 0 || word[n] != '=')
			continue;
		word += n + 1;
		if (word[0] == '"' && strlen(word) >= 2) {
			word[strlen(word) - 1] = '\0';
			word++;
		}
		return word;
	}
	return NULL;
}

/* What the proxy says of who asks. @return NULL, or what is missing at its site */
static const char *device_read(struct visit *v, struct question *question)
{
	struct bytes token = http_req_header(v->req, "X-GBA-Token"), list = http_req_header(v->req, "X-3GPP-Asserted-Identity");
	struct bytes rest, first;
	const char *ua, *key;
	uint8_t rand[RAND_LEN];

	if (token.p == NULL)
		return "no X-GBA-Token: token-info is off at the proxy's site";
	v->btid = told(v, token, "btid");
	ua = told(v, token, "ua");
	key = told(v, token, "key");
	if (v->btid == NULL || ua == NULL || key == NULL || hex_decode(bytes_of(ua), question->ua_id, GBA_NAF_UA_ID_LEN) != GBA_OK)
		return "X-GBA-Token is not understood";
	question->btid = v->btid;
	v->uicc = strcmp(key, "uicc") == 0;
	if (list.n < 3 || list.p[0] != '"' || !bytes_split(BYTES(list.p + 1, list.n - 1), '"', &first, &rest) || first.n == 0)
		return "no X-3GPP-Asserted-Identity";
	v->list = talloc_strndup(v, (const char *)list.p, list.n);
	v->identity = talloc_strndup(v, (const char *)first.p, first.n);
	if (btid_parse(bytes_of(v->btid), rand, NULL) == GBA_OK)
		corr_from_rand(rand, v->corr);
	return v->list != NULL && v->identity != NULL ? NULL : "out of memory";
}

/* An identity that is no name for somebody: a B-TID changes, an IMPI is the operator's secret. */
static const char *identity_refused(const struct visit *v, const struct gba_naf_result *result)
{
	const char *impi = gba_naf_result_impi(result);

	if (strcmp(v->identity, v->btid) == 0)
		return "the proxy's site asserts the B-TID: identity = \"uids\" is meant";
	if (impi != NULL && !v->oidc->conf->allow_impi && strstr(v->list, impi) != NULL)
		return "the proxy's site asserts an IMPI, and allow-impi is off";
	return NULL;
}

static void grant(struct visit *v, struct gba_naf_result *result)
{
	const struct params *params = &v->params;
	bool identities = v->client->conf->identities && words_have(params_get(params, "scope"), "identities");
	struct grant_facts facts = { .client = v->client->conf->id, .redirect_uri = v->redirect_uri,
				     .nonce = params_get(params, "nonce"),
				     .challenge = params_get(params, "code_challenge"), .identities = identities ? v->list : NULL,
				     .auth_time = gba_naf_result_created(result), .ends = gba_naf_result_expiry(result) };
	time_t now = clock_now();
	char code[GRANT_SECRET_ROOM];
	enum gba_err err;

	facts.sub = subject_of(v->oidc, v, v->client, v->identity);
	methods_of(result, v->uicc, &facts);
	if (facts.sub == NULL || strlen(facts.sub) > SUBJECT_MAX) {
		fail(v, "server_error", "no subject");
		return;
	}
	err = grants_add(v->oidc->grants, &facts, result, now, now + (time_t)v->oidc->conf->code_lifetime, code);
	if (err != GBA_OK) {
		fail(v, "temporarily_unavailable", gba_strerror(err));
		return;
	}
	metric_add(v->oidc->logins, 1);
	note(v, LOG_L_INFO, GBA_OK, "oidc.authorize", "code given");
	trace(v, "302 with a code");
	redirect(v, "code", code, NULL);
	SECRET_WIPE(code);
}

/* In the asker's thread. */
static void on_token(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct visit *v = arg;
	time_t created = result != NULL ? gba_naf_result_created(result) : 0;
	const char *why = result != NULL ? identity_refused(v, result) : NULL;

	if (gba_naf_error_renegotiate(error)) {
		renew(v, gba_naf_strerror(error));
	} else if (error != GBA_NAF_OK) {
		note(v, LOG_L_ERROR, GBA_E_PEER, "oidc.no_token", gba_naf_strerror(error));
		fail(v, gba_naf_error_http(error) == 403 ? "access_denied" : "temporarily_unavailable", gba_naf_strerror(error));
	} else if (why != NULL) {
		note(v, LOG_L_ERROR, GBA_E_CONF, "oidc.identity", why);
		fail(v, "server_error", "no identity that may be told");
	} else if (v->max_age >= 0 && created == 0) {
		fail(v, "login_required", "nobody tells when the device has bootstrapped");
	} else if (v->max_age >= 0 && clock_now() - created > v->max_age) {
		if (v->silent)
			fail(v, "login_required", "the bootstrapping is older than wanted");
		else
			renew(v, "bootstrapping is older than the client wants");
	} else {
		grant(v, result);
	}
}

/* ---- dispatch ---- */

/* @return NULL, or why the request is none that a client could have made. */
static const char *client_read(struct visit *v)
{
	const char *wanted;
	size_t i;

	v->client = roster_find(v->roster, params_get(&v->params, "client_id"));
	if (v->client == NULL)
		return "client_id is unknown";
	wanted = params_get(&v->params, "redirect_uri");
	if (wanted == NULL)
		return "redirect_uri is missing";
	for (i = 0; i < v->client->conf->redirect_uris.n; i++) { /* exactly: RFC 9700 2.1 */
		if (strcmp(v->client->conf->redirect_uris.v[i], wanted) == 0)
			v->redirect_uri = wanted;
	}
	v->state = params_get(&v->params, "state");
	return v->redirect_uri != NULL ? NULL : "redirect_uri is not one of the client's";
}

static const char *params_take(struct visit *v)
{
	struct bytes text, method = http_req_method(v->req);
	const char *twice;

	route_target_path(http_req_target(v->req), &text);
	if (bytes_eq_str(method, "POST")) {
		if (!content_type_is(http_req_header(v->req, "Content-Type"), "application/x-www-form-urlencoded"))
			return "no form";
		text = http_req_body(v->req);
	}
	if (params_read(v, text, &v->params, &twice) == GBA_OK)
		return NULL;
	return twice != NULL ? "a parameter comes twice" : "parameters are not understood";
}

static void serve(struct visit *v)
{
	struct question question;
	const char *why = params_take(v), *error;

	if (why == NULL)
		why = client_read(v);
	if (why != NULL) {
		refuse(v, 400, GBA_E_SYNTAX, why);
		return;
	}
	error = request_check(v, &why);
	if (error != NULL) {
		fail(v, error, why);
		return;
	}
	why = device_read(v, &question);
	if (why != NULL) {
		refuse(v, 500, GBA_E_CONF, why);
		return;
	}
	if (asker_ask(v->oidc->asker, &question, on_token, v) != GBA_OK)
		fail(v, "temporarily_unavailable", "out of memory");
}

static int visit_end(struct visit *v)
{
	roster_drop(v->roster);
	return 0;
}

void door_request(struct http_req *req, void *arg)
{
	struct oidc *oidc = arg;
	struct bytes query, method = http_req_method(req);
	struct visit *v = talloc_zero(NULL, struct visit);

	if (v == NULL) {
		http_reply_error(req, GBA_E_NOMEM);
		return;
	}
	v->oidc = oidc;
	v->req = req;
	v->roster = oidc_roster(oidc);
	talloc_set_destructor(v, visit_end);
	if (!admitted(oidc, req))
		refuse(v, 403, GBA_E_DENIED, "devices come through gba-naf-proxy");
	else if (!bytes_eq_str(route_target_path(http_req_target(req), &query), oidc->authorize_path))
		refuse(v, 404, GBA_E_NOT_FOUND, "there is nothing here");
	else if (!bytes_eq_str(method, "GET") && !bytes_eq_str(method, "POST"))
		refuse(v, 405, GBA_E_UNSUPPORTED, "GET or POST");
	else
		serve(v);
}
