/* SPDX-License-Identifier: Apache-2.0 */
/* Who sent a request: the device of the PSK-TLS session, or the one whose key its Digest proves (TS 24.109 5.2, 5.3). */
#include "core/clock.h"
#include "core/log.h"
#include "naf-adapter/libnaf/gba-naf-openssl.h"
#include "naf-adapter/proxy/again.h"
#include "naf-adapter/proxy/exchange.h"
#include "naf-adapter/proxy/handshake.h"
#include "naf-adapter/proxy/identity.h"
#include "naf-adapter/proxy/session.h"
#include "naf-adapter/shared/release.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void policy_of(const struct exchange *ex, struct ua_policy *policy)
{
	const struct site_conf *site = ex->site->conf;

	*policy = (struct ua_policy){
		.fqdn = bytes_of(ex->site->fqdn), .keys = site->keys, .md5 = site->md5, .sha256 = site->sha256,
		.qop_auth = site->qop_auth, .qop_auth_int = site->qop_auth_int && ex->asks == ASKS_NOT, /* no body is seen */
		.challenge_all = site->challenge == CHALLENGE_ALL, .nonces = ex->conn->worker->proxy->nonces,
	};
}

/* ---- answers ---- */

/* Bootstrapping required, or renegotiation, indication: TS 24.109 5.2.4, 5.2.5. */
static enum run challenge(struct exchange *ex, bool stale, const char *why)
{
	struct bytes agent = h1_field_find(&ex->head, "user-agent");
	struct buf lines = { 0 };
	struct ua_policy policy;
	enum run run;

	policy_of(ex, &policy);
	if (!policy.challenge_all && !ua_agent_knows_gba(agent))
		return exchange_refuse(ex, 403, "user agent does not know GBA", NULL);
	if (!ua_challenge_put(ex, &policy, agent, stale, now_ms(), &lines)) {
		buf_free(&lines);
		return RUN_CLOSE;
	}
	metric_add(ex->conn->worker->proxy->stats.challenges, 1);
	run = exchange_refuse(ex, 401, why, &lines);
	buf_free(&lines);
	return run;
}

/* What libnaf's refusal means for the device: facts of the device, or a fault of ours that must not look like one. */
static enum run no_key(struct exchange *ex, enum gba_naf_error error)
{
	struct log_about about = { .iface = "Ua", .corr = ex->corr, .peer = bytes_of(ex->address) };

	metric_add(ex->conn->worker->proxy->stats.key_failed, 1);
	if (gba_naf_error_http(error) >= 500)
		log_event_limited(1, LOG_L_ERROR, "ua.no_key", &about, "%s", gba_naf_strerror(error));
	if (gba_naf_error_renegotiate(error))
		return challenge(ex, false, gba_naf_strerror(error));
	return exchange_refuse(ex, gba_naf_error_http(error), gba_naf_strerror(error), NULL);
}

/* ---- the identity is known ---- */

/* To the web server that asked: who it is, and our proof for the device. */
static enum run allow(struct exchange *ex)
{
	const char *info = auth_info(ex, false);
	struct buf lines = { 0 };
	enum run run = RUN_CLOSE;

	if (fields_put_asserted(&lines, &ex->who) && (info == NULL || buf_printf(&lines, "Authentication-Info: %s\r\n", info)))
		run = exchange_allow(ex, &lines);
	buf_free(&lines);
	return run;
}

static struct gba_naf_result *result_of(const struct exchange *ex)
{
	return ex->result != NULL ? ex->result : ex->conn->result;
}

static const uint8_t *ua_id_of(const struct exchange *ex)
{
	return ex->result != NULL ? ex->ua_id : ex->conn->ua_id;
}

static bool is_uicc(const struct exchange *ex)
{
	if (ex->result != NULL)
		return ex->key != NULL && ex->key == gba_naf_result_int_key(ex->result);
	return gba_naf_tls_key_kind(ex->conn->chan.ssl) == GBA_NAF_KIND_UICC;
}

/* The site's conditions on tokens. @return true: it meets them; else *_run is what the step leads to */
static bool token_good(struct exchange *ex, enum run *_run)
{
	const char *why = NULL;

	switch (session_judge(ex->site->conf, result_of(ex), clock_now(), &why)) {
	case SESSION_TAKEN: return true;
	case SESSION_OLD:
		ex->close = ex->close || ex->result == NULL;
		*_run = challenge(ex, false, why);
		return false;
	default: *_run = exchange_refuse(ex, 403, why, NULL); return false;
	}
}

enum run auth_renew(struct exchange *ex)
{
	ex->close = true;
	return challenge(ex, false, "the application wants a newer token");
}

static void on_limit(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	(void)arg;
	if (error == GBA_NAF_OK)
		gba_naf_result_free(result);
	else if (error != GBA_NAF_E_BTID_UNKNOWN) /* that is what an ended token gets */
		log_event_limited(1, LOG_L_ERROR, "ua.limit", NULL, "token not limited: %s", gba_naf_strerror(error));
}

void auth_limit(struct exchange *ex)
{
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;
	struct log_about about = { .iface = "Ua", .corr = ex->corr, .clause = "Y.3056 9.5" };
	enum gba_naf_error error;

	query.btid = gba_naf_result_btid(result_of(ex));
	query.btid_len = strlen(query.btid);
	query.fqdn = ex->site->fqdn;
	memcpy(query.ua_id, ua_id_of(ex), GBA_NAF_UA_ID_LEN);
	query.gsids = ex->site->gsids;
	query.gsid_count = ex->site->gsid_count;
	query.timeout_ms = conn_conf(ex->conn)->agent_timeout;
	query.until = ex->until;
	error = gba_naf_ask(ex->conn->worker->naf, &query, on_limit, NULL, NULL);
	if (error != GBA_NAF_OK)
		on_limit(NULL, error, NULL);
	else
		log_event(LOG_L_INFO, "ua.limit", &about, "the application takes the token for %lld s more",
			  (long long)(ex->until - clock_now()));
}

/* X-3GPP-Intended-Identity, TS 24.109 7: one that is not the user's does not reach the application. */
static enum run go_on(struct exchange *ex)
{
	struct bytes intended = h1_field_find(&ex->head, "x-3gpp-intended-identity");

	if (intended.p != NULL && ex->site->conf->intended == INTENDED_REFUSE && !release_among(intended, ex->who.list))
		return exchange_refuse(ex, 403, "intended identity is not the user's", NULL);
	if (ex->site->conf->token_info) {
		ex->who.token = session_describe(ex, result_of(ex), ua_id_of(ex), is_uicc(ex));
		if (ex->who.token.p == NULL)
			return RUN_CLOSE;
	}
	return ex->asks != ASKS_NOT ? allow(ex) : relay_start(ex);
}

static void corr_set(struct exchange *ex, struct bytes btid)
{
	uint8_t rand[RAND_LEN];

	if (btid_parse(btid, rand, NULL) == GBA_OK)
		corr_from_rand(rand, ex->corr);
}

static enum run psk_start(struct exchange *ex);

/* The agent was away, and is asked about the session's token before this request goes on. */
static void on_again(struct conn *conn, enum gba_naf_error error)
{
	struct exchange *ex = conn->ex;
	enum run run;

	ex->close = ex->close || error != GBA_NAF_OK;
	run = error == GBA_NAF_OK ? psk_start(ex) : no_key(ex, error);
	if (run == RUN_CLOSE)
		conn_free(conn);
	else
		conn_run(conn);
}

static enum run psk_start(struct exchange *ex)
{
	struct conn *conn = ex->conn;
	enum run run;

	if (again_ask(conn, on_again)) {
		ex->state = EX_KEY;
		conn_deadline(conn, 0);
		return RUN_AGAIN;
	}

	corr_set(ex, bytes_of(gba_naf_result_btid(conn->result)));
	if (gba_naf_result_expiry(conn->result) <= clock_now()) {
		ex->close = true; /* the session's key must not outlive its time, TS 33.220 4.5.3 */
		return challenge(ex, false, "key of the session has expired");
	}
	if (!token_good(ex, &run))
		return run;
	if (conn->who.list.p == NULL)
		return exchange_refuse(ex, 403, "no identity for this site", NULL);
	ex->who = conn->who;
	return go_on(ex);
}

/* ---- Digest ---- */

/* The key that fits: the one the realm names, or either when both realms were given back in one. */
static const uint8_t *proving_key(const struct exchange *ex)
{
	const uint8_t *me = gba_naf_result_key(ex->result), *uicc = gba_naf_result_int_key(ex->result);
	struct bytes body = buf_bytes(&ex->held);

	if ((ex->claim.uicc || ex->claim.joined) && uicc != NULL && ua_claim_proved(&ex->claim, ex->head.method, body, uicc))
		return uicc;
	if (!ex->claim.uicc && ua_claim_proved(&ex->claim, ex->head.method, body, me))
		return me;
	return NULL;
}

static enum run verify(struct exchange *ex)
{
	struct nonces *nonces = ex->conn->worker->proxy->nonces;
	const struct digest_auth *auth = &ex->claim.auth;
	struct log_about about = { .iface = "Ua", .corr = ex->corr, .peer = bytes_of(ex->address),
				   .clause = "TS 24.109 5.2", .result = GBA_E_DIGEST_MISMATCH };
	enum run run;

	ex->key = proving_key(ex);
	if (ex->key == NULL) {
		log_event(LOG_L_WARNING, "ua.digest_wrong", &about, "response does not prove the key");
		return challenge(ex, false, "Digest response wrong");
	}
	if (gba_naf_result_expiry(ex->result) <= clock_now()) /* while a body was collected */
		return challenge(ex, false, "key has expired");
	if (ex->claim.old_nonce || !nonce_use(nonces, auth->nonce, auth->nc, now_ms()))
		return challenge(ex, true, ex->claim.old_nonce ? "nonce past its time" : "nonce count used before");
	if (!token_good(ex, &run))
		return run;
	if (identity_of_result(ex, ex->site->conf, ex->result, &ex->who) != GBA_OK)
		return exchange_refuse(ex, 403, "no identity for this site", NULL);
	return go_on(ex);
}

/* auth-int covers the body: nothing of it goes on before it is verified as a whole, so it is held, within bounds. */
enum run auth_hold(struct exchange *ex)
{
	size_t max = (size_t)ex->site->conf->auth_int_kib << 10;
	struct body_limits limits = { .high = max + 1, .max = max };
	struct chan *chan = &ex->conn->chan;
	bool too_large;

	for (;;) {
		if (body_move(&ex->request, &chan->in, &ex->held, &limits, &too_large) == H1_BAD)
			return too_large ? exchange_refuse_close(ex, 413, "body too large for auth-int") :
					   exchange_refuse_close(ex, 400, "malformed body");
		if (ex->request.done)
			return verify(ex);
		if (chan->eof || chan->failed)
			return RUN_CLOSE;
		if (!chan_fill(chan, CHAN_READ_OCTETS))
			break;
		exchange_pace(ex, true, true, conn_conf(ex->conn)->body_timeout);
	}
	chan_flush(chan);
	if (chan->write_failed)
		return RUN_CLOSE;
	chan_wait(chan, true);
	return RUN_WAIT;
}

static enum run key_known(struct exchange *ex)
{
	size_t max = (size_t)ex->site->conf->auth_int_kib << 10;

	if (ex->claim.auth.qop != DIGEST_QOP_AUTH_INT)
		return verify(ex);
	if (ex->head.framing == H1_BODY_LENGTH && ex->head.length > max)
		return exchange_refuse(ex, 413, "body too large for auth-int", NULL);
	if (!exchange_continue(ex))
		return RUN_CLOSE;
	ex->state = EX_HOLD;
	conn_deadline(ex->conn, conn_conf(ex->conn)->body_timeout);
	exchange_pace(ex, true, true, conn_conf(ex->conn)->body_timeout);
	return RUN_AGAIN;
}

static void on_key(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct exchange *ex = arg;
	struct conn *conn = ex->conn;
	enum run run;

	ex->asked = NULL;
	ex->result = result;
	conn_wait_for_key(conn, false);
	if (error == GBA_NAF_OK)
		keys_put(conn->worker->keys, result, ex->ua_id, clock_now());
	run = error == GBA_NAF_OK ? key_known(ex) : no_key(ex, error);
	if (run == RUN_CLOSE)
		conn_free(conn);
	else
		conn_run(conn);
}

static enum run key_ask(struct exchange *ex)
{
	struct conn *conn = ex->conn;
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;
	enum gba_naf_error error;

	query.btid = (const char *)ex->claim.auth.username.p;
	query.btid_len = ex->claim.auth.username.n;
	query.fqdn = ex->site->fqdn;
	memcpy(query.ua_id, ex->ua_id, GBA_NAF_UA_ID_LEN);
	query.gsids = ex->site->gsids;
	query.gsid_count = ex->site->gsid_count;
	query.timeout_ms = conn_conf(conn)->agent_timeout;
	query.flags = ex->claim.uicc ? GBA_NAF_NEED_INT_KEY : ex->claim.joined ? GBA_NAF_GBA_U_AWARE : 0;
	query.source = ex->address;
	if (!conn_wait_for_key(conn, true))
		return no_key(ex, GBA_NAF_E_BUSY);
	error = gba_naf_ask(conn->worker->naf, &query, on_key, ex, &ex->asked);
	if (error != GBA_NAF_OK) {
		conn_wait_for_key(conn, false);
		return no_key(ex, error);
	}
	metric_add(conn->worker->proxy->stats.key_agent, 1);
	ex->state = EX_KEY;
	conn_deadline(conn, 0);
	return RUN_AGAIN;
}

/* Of the connection, or of the web server's that asks. */
static bool ua_id_set(struct exchange *ex)
{
	uint16_t suite;

	if (ex->asks == ASKS_NOT) {
		handshake_ua_id(ex->conn, ex->ua_id);
		return true;
	}
	gba_naf_ua_id_http_digest(ex->ua_id);
	if (ex->conn->listener->conf->asks_tls != ASKS_TLS_SUITE)
		return true;
	if (!handshake_suite(ex->described.suite, &suite))
		return false;
	gba_naf_ua_id_tls12(suite, ex->ua_id);
	return true;
}

static enum run digest_start(struct exchange *ex)
{
	struct conn *conn = ex->conn;
	struct gba_naf_result *known;
	struct ua_policy policy;
	enum gba_err err;

	policy_of(ex, &policy);
	switch (ua_claim_read(ex, &policy, &ex->head, now_ms(), &ex->claim, &err)) {
	case UA_GO_ON: break;
	case UA_CHALLENGE: return challenge(ex, false, err != GBA_OK ? gba_strerror(err) : "no Authorization");
	default: return exchange_refuse(ex, 400, gba_strerror(err), NULL);
	}
	ex->digest = true;
	corr_set(ex, ex->claim.auth.username);
	if (!ua_id_set(ex))
		return exchange_refuse(ex, 500, "unknown TLS suite", NULL);
	known = keys_find(conn->worker->keys, ex->claim.auth.username, ex->site->fqdn, ex->ua_id, clock_now());
	if (known == NULL || (ex->claim.uicc && gba_naf_result_int_key(known) == NULL))
		return key_ask(ex);
	metric_add(conn->worker->proxy->stats.key_cache, 1);
	ex->result = gba_naf_result_ref(known);
	return key_known(ex);
}

enum run auth_start(struct exchange *ex)
{
	const struct site_conf *site = ex->site->conf;
	bool tls = ex->asks == ASKS_NOT ? conn_is_tls(ex->conn) : ex->conn->listener->conf->asks_tls != ASKS_TLS_NONE;

	if (ex->conn->result != NULL)
		return psk_start(ex);
	if (ex->asks != ASKS_NOT && !site->qop_auth)
		return exchange_refuse(ex, 403, "site takes qop auth-int only, which no web server can ask about", NULL);
	if (tls ? !site->tls_digest : !site->http_digest)
		return exchange_refuse(ex, 403, "this site takes no Digest here", NULL);
	return digest_start(ex);
}

void auth_free(struct exchange *ex)
{
	gba_naf_cancel(ex->asked);
	gba_naf_result_free(ex->result);
	buf_free(&ex->held);
}

char *auth_info(struct exchange *ex, bool empty_body)
{
	const struct nonces *nonces = ex->conn->worker->proxy->nonces;
	uint64_t lifetime = (uint64_t)conn_conf(ex->conn)->nonce_lifetime * 1000, now = now_ms();
	char next[NONCE_CHARS + 1];
	bool renew;

	if (!ex->digest || ex->key == NULL || !ex->site->conf->authentication_info)
		return NULL;
	renew = nonce_age_ms(ex->claim.auth.nonce, now) > lifetime / 2;
	if (renew)
		nonce_make(nonces, bytes_of(ex->site->fqdn), now, next);
	return ua_info_build(ex, &ex->claim, empty_body, renew ? next : NULL, ex->key);
}
