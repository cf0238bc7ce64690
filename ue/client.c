/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/client_priv.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "ue/ub_cert.h"

#define RETRY_AFTER_LIMIT 3600                /* [s] nobody is kept from asking for longer */

struct client *client_new(TALLOC_CTX *mem_ctx, struct state *state, const struct client_conf *conf)
{
	struct client *client = talloc_zero(mem_ctx, struct client);

	if (client == NULL)
		return NULL;
	client->state = state;
	client->conf = *conf;
	if (client->conf.now == NULL)
		client->conf.now = clock_now;
	return client;
}

/* For this call the profile has another USIM. */
static enum gba_err other_usim(struct view *view, const char *name, struct why *why)
{
	struct profile *profile = &view->profiles->rows[view->profiles->active];

	if (!usim_name_valid(bytes_of(name)))
		return why_fail(why, GBA_E_SYNTAX, "--usim: a name of 1 to 31 letters, digits, '-', '_', '.', or pcsc:READER");
	snprintf(profile->usim, sizeof(profile->usim), "%s", name);
	return GBA_OK;
}

enum gba_err client_usim(struct view *view, const struct profile *profile, struct usim *_usim)
{
	return usim_open(view, view->client->state, profile->usim, &view->client->conf.pin, _usim);
}

static enum gba_err view_profile(struct client *client, struct view **_view, struct why *why)
{
	struct view *view = talloc_zero(NULL, struct view);
	enum gba_err err;

	if (view == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	view->client = client;
	view->now = client->conf.now();
	err = profiles_load(view, client->state, &view->profiles, why);
	if (err == GBA_OK) {
		view->profile = profiles_active(view->profiles);
		if (view->profile == NULL)
			err = why_fail(why, GBA_E_NOT_FOUND, "no profile: add one with gba-ue profile add");
		else if (client->conf.usim != NULL)
			err = other_usim(view, client->conf.usim, why);
	}
	if (err != GBA_OK) {
		talloc_free(view);
		return err;
	}
	*_view = view;
	return GBA_OK;
}

/* One transaction on the token store. */
enum gba_err client_with_tokens(struct view *view,
				enum gba_err (*change)(struct view *view, void *arg, bool *_changed), void *arg,
				struct why *why)
{
	enum gba_err err, saved = GBA_OK;
	bool changed = false;
	int lock;

	err = tokens_lock(view->client->state, &lock);
	if (err != GBA_OK)
		return why_fail(why, err, "token store: %s", gba_strerror(err));
	TALLOC_FREE(view->tokens);
	err = tokens_load(view, view->client->state, &view->tokens);
	if (err != GBA_OK) {
		why_fail(why, err, "token store: %s", gba_strerror(err));
	} else {
		err = change(view, arg, &changed);
		if (changed && (err == GBA_OK || err == GBA_E_NOT_FOUND)) /* what expired is gone either way */
			saved = tokens_save(view->client->state, view->tokens);
		if (saved != GBA_OK)
			err = why_fail(why, saved, "token store: %s", gba_strerror(saved));
	}
	state_unlock(lock);
	return err;
}

static void fill_run(const struct token_realm *realm, struct client_run *run)
{
	snprintf(run->profile, sizeof(run->profile), "%s", realm->profile);
	snprintf(run->btid, sizeof(run->btid), "%s", realm->btid);
	run->expires = realm->expires;
	run->in_usim = realm->in_usim;
	run->tmpi = realm->tmpi[0] != '\0';
}

/* A stored token that will do; GBA_E_NOT_FOUND: bootstrap. */
enum gba_err client_find_token(struct view *view, void *arg, bool *_changed)
{
	struct wanted *wanted = arg;
	struct token_realm *realm;

	*_changed = tokens_expire(view->tokens, view->now);
	realm = tokens_realm(view->tokens, view->profile->name);
	if (realm != NULL && wanted->card[0] != '\0' && strcmp(realm->impi, wanted->card) != 0) {
		*_changed = tokens_forget(view->tokens, view->profile->name) || *_changed; /* of another card */
		realm = NULL;
	}
	wanted->tmpi[0] = '\0';
	wanted->not_before = 0;
	if (realm != NULL) {
		memcpy(wanted->tmpi, realm->tmpi, sizeof(wanted->tmpi));
		wanted->not_before = realm->not_before;
	}
	realm = tokens_usable(view->tokens, view->profile->name, view->now);
	if (realm == NULL || (wanted->refused != NULL && strcmp(realm->btid, wanted->refused) == 0))
		return GBA_E_NOT_FOUND;
	if (wanted->naf.p != NULL && tokens_ended(view->tokens, wanted->naf, realm->btid))
		return GBA_E_NOT_FOUND; /* the application revoked it */
	fill_run(realm, wanted->run);
	if (wanted->naf.p == NULL)
		return GBA_OK;
	return tokens_bind(view->tokens, realm, wanted->naf, view->now, _changed);
}

struct outcome {
	struct token_realm realm;
	struct wanted *wanted;
};

static enum gba_err keep_token(struct view *view, void *arg, bool *_changed)
{
	struct outcome *outcome = arg;
	enum gba_err err;

	*_changed = true;
	err = tokens_bootstrapped(view->tokens, &outcome->realm);
	if (err != GBA_OK || outcome->wanted->naf.p == NULL)
		return err;
	return tokens_bind(view->tokens, tokens_realm(view->tokens, outcome->realm.profile), outcome->wanted->naf,
			   view->now, _changed);
}

/* After a failed run: when the BSF may be asked again, and that it did not know the TMPI. */
static enum gba_err keep_failure(struct view *view, void *arg, bool *_changed)
{
	const struct outcome *outcome = arg;
	struct token_realm *realm = tokens_realm_make(view->tokens, outcome->realm.profile);

	if (realm == NULL)
		return GBA_E_NOSPACE;
	realm->not_before = outcome->realm.not_before;
	memcpy(realm->tmpi, outcome->realm.tmpi, sizeof(realm->tmpi));
	*_changed = true;
	return GBA_OK;
}

/* A person who waits, and a program that shows it, know what for. */
static void log_begin(const struct view *view)
{
	const struct log_about about = { .iface = "Ub", .peer = bytes_of(view->profile->bsf), .clause = "Y.3056 10.4-1a" };

	log_event(LOG_L_INFO, "ue.bootstrapping", &about, "a new token of realm %s is needed", view->profile->name);
}

static void log_run(const struct view *view, const struct ub_result *result, enum gba_err err, const struct why *why)
{
	struct log_about about = {
		.iface = "Ub", .peer = bytes_of(view->profile->bsf), .clause = "TS 24.109 4", .result = err
	};

	if (result->corr[0] != '\0')
		about.corr = result->corr;
	if (err == GBA_OK)
		log_event(LOG_L_INFO, "ue.bootstrap", &about, "bootstrapped in realm %s, %u resynchronisations%s",
			  view->profile->name, result->resyncs, result->tmpi_refused ? ", TMPI not taken" : "");
	else
		log_event(LOG_L_WARNING, "ue.bootstrap", &about, "no token of realm %s: %s", view->profile->name,
			  why->text);
}

static void trace_token(const struct ub_result *result)
{
	struct trace_step step = { .from = "ue",
				   .to = "usim",
				   .iface = "USIM",
				   .clause = "Y.3056 10.4-4a",
				   .message = result->in_usim   ? "Ks kept in the USIM"
					      : result->by_tls ? "Ks of the TLS connection"
							       : "Ks = CK || IK",
				   .corr = result->corr };

	trace_step(&step);
}

/* A profile without an identity has the card's: while its operator changes, the one it had when that profile was made. */
static void own_impi(const struct profile *profile, const struct usim *usim, const struct usim_identity *identity,
		     char out[IMPI_MAX + 1])
{
	struct usim_pending pending;
	const char *impi = profile->impi[0] != '\0' ? profile->impi : identity->impi;

	if (profile->impi[0] == '\0' && usim->ops->pending != NULL && usim->ops->pending(usim->card, &pending) == GBA_OK &&
	    pending.asymmetric)
		impi = pending.old_impi;
	snprintf(out, IMPI_MAX + 1, "%s", impi);
}

static enum gba_err card_identity(struct view *view, struct usim *_usim, struct usim_identity *_identity, struct why *why)
{
	enum gba_err err = client_usim(view, view->profile, _usim);

	if (err != GBA_OK)
		return why_fail(why, err, "USIM %s: %s", view->profile->usim, gba_strerror(err));
	err = _usim->ops->identity(_usim->card, _identity);
	if (err == GBA_OK || usim_name_is_card(view->profile->usim))
		return err == GBA_OK ? err : usim_why(_usim, err, why);
	return why_fail(why, err, "USIM %s: %s", view->profile->usim, gba_strerror(err));
}

/* A token serves the card that made it, and only while that is there: whom
 * does the one in the reader serve? The same holds for a USIM named for this call. */
static enum gba_err ask_card(struct view *view, struct wanted *wanted, struct why *why)
{
	struct usim_identity identity;
	struct usim usim;
	enum gba_err err;

	wanted->card[0] = '\0';
	if (!usim_name_is_card(view->profile->usim) && view->client->conf.usim == NULL)
		return GBA_OK;
	err = card_identity(view, &usim, &identity, why);
	if (err == GBA_OK)
		own_impi(view->profile, &usim, &identity, wanted->card);
	return err;
}

/* ub_run() with what the profile says. */
static enum gba_err run_ub(struct view *view, struct wanted *wanted, struct token_realm *realm,
			   struct ub_result *_result, struct why *why)
{
	const struct profile *profile = view->profile;
	struct ub_conf conf = { .bsf = bytes_of(profile->bsf), .url = profile->url, .connect = profile->connect };
	struct fetcher fetcher;
	struct fetch_curl *curl;
	struct usim_identity identity;
	bool certificate;
	struct usim usim;
	enum gba_err err;

	err = card_identity(view, &usim, &identity, why);
	if (err != GBA_OK)
		return err;
	certificate = profile->certificate || identity.certificate_only;
	if (profile->url[0] == '\0')
		conf.url = talloc_asprintf(view, "http%s://%s/", certificate ? "s" : "", profile->bsf);
	own_impi(profile, &usim, &identity, realm->impi);
	conf.ca_file = profile->ca_file;
	conf.impi = bytes_of(realm->impi);
	if (wanted->tmpi[0] != '\0')
		conf.tmpi = bytes_of(wanted->tmpi);
	if (profile->announce)
		conf.application = wanted->naf;
	conf.product = view->client->conf.product;
	conf.timeout_ms = view->client->conf.timeout_ms;
	conf.now = view->now;
	if (view->client->conf.fetcher != NULL) {
		fetcher = *view->client->conf.fetcher;
	} else {
		err = fetch_curl_new(view, &curl);
		if (err != GBA_OK || conf.url == NULL)
			return why_fail(why, GBA_E_NOMEM, "out of memory");
		fetcher = fetch_curl_fetcher(curl);
	}
	if (certificate)
		return ub_cert_run(view, &conf, &usim, &fetcher, _result, why);
	return ub_run(view, &conf, &usim, &fetcher, _result, why);
}

/* Issued by the realm we are in now (10.6.2-4). Should this fail, the BSF says it again with the next token. */
static enum gba_err keep_certificate(struct view *view, struct bytes der, struct why *why)
{
	struct usim usim;
	enum gba_err err = client_usim(view, view->profile, &usim);

	if (err == GBA_OK)
		err = usim.ops->certificate_set(usim.card, der);
	return err == GBA_OK ? err : why_fail(why, err, "new certificate: %s", gba_strerror(err));
}

/* The 10.4 flow, under the bootstrap lock. */
enum gba_err client_run_ub(struct view *view, struct wanted *wanted, struct why *why)
{
	struct outcome outcome = { .wanted = wanted };
	struct token_realm *realm = &outcome.realm;
	struct ub_result result = { .corr = "" };
	enum gba_err err;

	snprintf(realm->profile, sizeof(realm->profile), "%s", view->profile->name);
	log_begin(view);
	err = run_ub(view, wanted, realm, &result, why);
	log_run(view, &result, err, why);
	wanted->run->resyncs = result.resyncs;
	wanted->run->retry_after = result.retry_after;
	if (err != GBA_OK) {
		if (result.retry_after > 0)
			realm->not_before = view->now + (result.retry_after < RETRY_AFTER_LIMIT ? result.retry_after
												: RETRY_AFTER_LIMIT);
		if (!result.tmpi_refused)
			memcpy(realm->tmpi, wanted->tmpi, sizeof(realm->tmpi));
		if (result.retry_after > 0 || result.tmpi_refused)
			client_with_tokens(view, keep_failure, &outcome, NULL);
		return err;
	}
	memcpy(realm->btid, result.btid, sizeof(realm->btid));
	memcpy(realm->tmpi, result.tmpi, sizeof(realm->tmpi));
	realm->created = view->now;
	realm->expires = result.expires;
	realm->in_usim = result.in_usim;
	realm->ks = result.ks;
	err = client_with_tokens(view, keep_token, &outcome, why);
	if (err == GBA_OK && result.certificate.n > 0)
		err = keep_certificate(view, result.certificate, why);
	if (err != GBA_OK)
		return err;
	wanted->change_awaited = result.change_awaited;
	trace_token(&result);
	fill_run(realm, wanted->run);
	wanted->run->fresh = true;
	memcpy(wanted->run->realm_profile, result.realm_profile, sizeof(result.realm_profile));
	memcpy(wanted->run->token_format, result.token_format, sizeof(result.token_format));
	return GBA_OK;
}

/* Bootstrap unless somebody else did while we waited for our turn. */
static enum gba_err in_turn(struct view *view, struct wanted *wanted, bool force, struct why *why)
{
	enum gba_err err = ask_card(view, wanted, why);

	if (err != GBA_OK)
		return err;
	err = client_with_tokens(view, client_find_token, wanted, why);
	if (err != GBA_E_NOT_FOUND && !(err == GBA_OK && force))
		return err;
	if (!force && view->now < wanted->not_before && wanted->not_before - view->now <= RETRY_AFTER_LIMIT) {
		wanted->run->retry_after = (unsigned int)(wanted->not_before - view->now);
		return why_fail(why, GBA_E_BUSY, "BSF asked to be left alone for another %u s",
			       wanted->run->retry_after);
	}
	return client_bootstrap_changing(view, wanted, why);
}

/* The profile is read under the lock: a switch of realm waits for the end of a run, and the next run sees the new one.
 */
static enum gba_err bootstrap_in_turn(struct client *client, struct wanted *wanted, bool force, struct why *why)
{
	struct view *view;
	enum gba_err err;
	int turn;

	err = state_lock(client->state, "bootstrap", CLIENT_LOCK_WAIT_MS, &turn);
	if (err != GBA_OK)
		return why_fail(why, err, "another bootstrapping does not end");
	err = view_profile(client, &view, why);
	if (err == GBA_OK) {
		err = in_turn(view, wanted, force, why);
		talloc_free(view);
	}
	state_unlock(turn);
	return err;
}

enum gba_err client_bootstrap(struct client *client, struct bytes naf, const char *refused, bool force,
			      struct client_run *_run, struct why *why)
{
	struct wanted wanted = { .naf = naf, .refused = refused, .run = _run };
	struct why unheard;
	struct view *view;
	enum gba_err err;

	if (why == NULL)
		why = &unheard;
	memset(_run, 0, sizeof(*_run));
	err = view_profile(client, &view, why);
	if (err != GBA_OK)
		return err;
	err = ask_card(view, &wanted, why);
	if (err != GBA_OK) {
		talloc_free(view);
		return err;
	}
	err = client_with_tokens(view, client_find_token, &wanted, why);
	talloc_free(view);
	if (err == GBA_E_NOT_FOUND || (err == GBA_OK && force))
		return bootstrap_in_turn(client, &wanted, force, why);
	return err;
}

/* The token manager has one that is valid, or got one from the bootstrapping function. */
static void trace_source(struct bytes naf, bool fresh)
{
	struct trace_step step = { .from = "ue", .to = "ue", .iface = "local",
				   .clause = fresh ? "Y.3056 10.5-2a" : "Y.3056 10.5-1d",
				   .message = fresh ? "token of this run" : "token kept", .id = naf };

	trace_step(&step);
}

static enum gba_err source_token(void *arg, struct bytes naf, const char *refused, struct token_ref *_token,
				 struct why *why)
{
	struct client_run run;
	enum gba_err err;

	err = client_bootstrap(arg, naf, refused, false, &run, why);
	if (err != GBA_OK)
		return err;
	trace_source(naf, run.fresh);
	memcpy(_token->btid, run.btid, sizeof(_token->btid));
	_token->expires = run.expires;
	return GBA_OK;
}

struct wanted_key {
	const char *btid;
	struct bytes naf_id;
	uint8_t *key;
};

static enum gba_err derive(struct view *view, void *arg, bool *_changed)
{
	const struct token_realm *realm = tokens_usable(view->tokens, view->profile->name, view->now);
	struct wanted_key *wanted = arg;
	uint8_t rand[RAND_LEN];
	struct usim usim;
	enum gba_err err;

	(void)_changed;
	if (realm == NULL || strcmp(realm->btid, wanted->btid) != 0)
		return GBA_E_BTID_UNKNOWN;
	if (realm->in_usim) {
		err = client_usim(view, view->profile, &usim);
		return err != GBA_OK ? err
				     : usim.ops->gba_naf(usim.card, bytes_of(realm->btid), bytes_of(realm->impi),
							 wanted->naf_id, wanted->key);
	}
	err = btid_parse(bytes_of(realm->btid), rand, NULL);
	if (err != GBA_OK)
		return err;
	gba_ks_naf(GBA_KEY_ME, realm->ks->p, rand, bytes_of(realm->impi), wanted->naf_id, wanted->key);
	return GBA_OK;
}

static enum gba_err source_key(void *arg, const struct token_ref *token, struct bytes naf_id,
			       uint8_t key[GBA_KS_NAF_LEN])
{
	struct wanted_key wanted = { token->btid, naf_id, key };
	struct view *view;
	enum gba_err err;

	err = view_profile(arg, &view, NULL);
	if (err != GBA_OK)
		return err;
	err = client_with_tokens(view, derive, &wanted, NULL);
	talloc_free(view);
	return err;
}

struct wanted_card {
	const char *btid;
	char *impi;
	char usim[USIM_NAME_MAX + 1];
};

static enum gba_err find_card(struct view *view, void *arg, bool *_changed)
{
	const struct token_realm *realm = tokens_usable(view->tokens, view->profile->name, view->now);
	struct wanted_card *wanted = arg;

	(void)_changed;
	if (realm == NULL || strcmp(realm->btid, wanted->btid) != 0)
		return GBA_E_BTID_UNKNOWN;
	if (!realm->in_usim)
		return GBA_E_UNSUPPORTED;
	snprintf(wanted->impi, IMPI_MAX + 1, "%s", realm->impi);
	snprintf(wanted->usim, sizeof(wanted->usim), "%s", view->profile->usim);
	return GBA_OK;
}

enum gba_err client_card_of(TALLOC_CTX *mem_ctx, struct client *client, const char *btid, struct usim *_usim,
			    char impi[IMPI_MAX + 1])
{
	struct wanted_card wanted = { .btid = btid, .impi = impi };
	struct view *view;
	enum gba_err err;

	err = view_profile(client, &view, NULL);
	if (err != GBA_OK)
		return err;
	err = client_with_tokens(view, find_card, &wanted, NULL);
	talloc_free(view);
	return err == GBA_OK ? usim_open(mem_ctx, client->state, wanted.usim, &client->conf.pin, _usim) : err;
}

struct ending {
	struct bytes naf;
	const char *btid;
};

static enum gba_err end_token(struct view *view, void *arg, bool *_changed)
{
	const struct ending *ending = arg;

	*_changed = tokens_end(view->tokens, ending->naf, ending->btid);
	return *_changed ? GBA_OK : GBA_E_BTID_UNKNOWN;
}

static enum gba_err source_end(void *arg, struct bytes naf, const struct token_ref *token)
{
	struct ending ending = { naf, token->btid };
	struct view *view;
	enum gba_err err;

	err = view_profile(arg, &view, NULL);
	if (err != GBA_OK)
		return err;
	err = client_with_tokens(view, end_token, &ending, NULL);
	talloc_free(view);
	return err;
}

/* Without the lock: both files are replaced whole. A realm's token is retired before another becomes the active one. */
static bool source_live(void *arg, struct bytes naf, const struct token_ref *token)
{
	const struct token_app *app;
	struct view *view;
	bool live = true;

	if (view_profile(arg, &view, NULL) != GBA_OK)
		return true;
	if (tokens_load(view, view->client->state, &view->tokens) == GBA_OK) {
		app = tokens_app(view->tokens, naf, token->btid);
		live = app != NULL && strcmp(app->profile, view->profile->name) == 0;
	}
	talloc_free(view);
	return live;
}

struct token_source client_source(struct client *client)
{
	return (struct token_source){ client, source_token, source_key, source_end, source_live };
}

/* Tokens first: a crash in between leaves the old realm active without a token, never two realms with one. */
enum gba_err client_switch_locked(struct state *state, const char *name, struct why *why)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct profiles *profiles;
	struct tokens *tokens;
	enum gba_err err;

	if (tmp == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	err = profiles_load(tmp, state, &profiles, why);
	if (err == GBA_OK && profiles_use(profiles, name) != GBA_OK)
		err = why_fail(why, GBA_E_NOT_FOUND, "no profile %s", name);
	if (err != GBA_OK)
		goto done;
	err = tokens_load(tmp, state, &tokens);
	if (err == GBA_OK) {
		tokens_retire_others(tokens, name);
		err = tokens_save(state, tokens);
	}
	if (err == GBA_OK)
		err = profiles_save(state, profiles);
	if (err != GBA_OK)
		why_fail(why, err, "realm not switched: %s", gba_strerror(err));
done:
	talloc_free(tmp);
	return err;
}

enum gba_err client_switch(struct state *state, const char *profile, struct why *why)
{
	enum gba_err err;
	int turn, lock;

	err = state_lock(state, "bootstrap", CLIENT_LOCK_WAIT_MS,
			 &turn); /* a run in progress would store under the old realm */
	if (err != GBA_OK)
		return why_fail(why, err, "a bootstrapping does not end");
	err = tokens_lock(state, &lock);
	if (err == GBA_OK) {
		err = client_switch_locked(state, profile, why);
		state_unlock(lock);
	}
	state_unlock(turn);
	return err;
}
