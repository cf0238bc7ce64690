/* SPDX-License-Identifier: Apache-2.0 */
/* gba_mqtt.so: mosquitto's clients come with their GBA keys (PSK-TLS, TS 33.222 5.4), are users by their allowed identities
 * and have the topics their user security settings give them. The broker has one thread, and all of this runs in it. */
#include <errno.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/secret.h"
#include "core/trace.h"
#include "http/server.h"
#include "naf-adapter/mosquitto/rights.h"
#include "naf-adapter/mosquitto/sessions.h"
#include "naf-adapter/shared/ask.h"

/* Of mosquitto.h, which is the client library's and is not installed with the plugin's headers. */
enum { ERR_SUCCESS = 0, ERR_INVAL = 3, ERR_AUTH = 11, ERR_ACL_DENIED = 12, ERR_UNKNOWN = 13, ERR_PLUGIN_DEFER = 17 };

#define GONE_MAX   100000
#define QUIET_MS   5	/* the agent's connection is looked at so often when nothing is waited for */
#define AGAIN_MAX  64	/* keys asked for again at once */
#define API	   __attribute__((visibility("default")))

static struct {
	mosquitto_plugin_id_t *id;
	TALLOC_CTX *root, *conf_ctx;
	char *conf_path;
	struct mqtt_conf conf;
	uint32_t gsids[GBA_NAF_GSID_MAX];
	struct gba_naf *naf;
	struct ask *ask;
	struct sessions *sessions;
	struct http_server *metrics_server;
	uint64_t looked_at; /* [ms] */
	time_t swept_at;    /* [s since epoch] */
	unsigned int again; /* keys asked for again */
	uint64_t notices;   /* heard */
	struct metric *accepted, *refused, *late, *connects, *turned_away, *ended, *sessions_now, *waited;
} me;

/* ---- what is told ---- */

static struct log_about about(const struct mosquitto *client, const struct conn *conn)
{
	const char *address = mosquitto_client_address(client);

	return (struct log_about){ .iface = "Ua", .corr = conn->corr[0] != '\0' ? conn->corr : NULL,
				   .peer = address != NULL ? bytes_of(address) : BYTES_NONE };
}

static void tell(const struct conn *conn, bool to_device, const char *clause, const char *message)
{
	struct trace_step step = { .corr = conn->corr, .from = "ue", .to = "mqtt-broker", .iface = "Ua", .clause = clause,
				   .message = message, .id = bytes_of(me.conf.fqdns.v[0]) };

	if (to_device) {
		step.from = "mqtt-broker";
		step.to = "ue";
	}
	if (trace_on() && conn->corr[0] != '\0')
		trace_step(&step);
}

/* Y.3056 10.5-2c: both arrows, once it is known which B-TID the handshake names. */
static void tell_handshake(const struct conn *conn, const char *outcome)
{
	char message[64];

	snprintf(message, sizeof(message), "ClientHello, psk_identity (%s)", SSL_get_version(conn->ssl));
	tell(conn, false, "Y.3056 10.5-2c", message);
	tell(conn, true, "Y.3056 10.5-2c", outcome);
}

/* ---- keys ---- */

static bool is_address(struct bytes name)
{
	size_t i;

	for (i = 0; i < name.n && (name.p[i] == '.' || (name.p[i] >= '0' && name.p[i] <= '9')); i++)
		;
	return i == name.n || memchr(name.p, ':', name.n) != NULL;
}

/* The name the device addressed. RFC 6066 allows no addresses as server names; programs send them all the same. */
static const char *fqdn_of(const struct conn *conn)
{
	struct bytes name;
	size_t i;

	if (!conn_server_name(conn, &name))
		return NULL;
	if (name.n == 0 || is_address(name))
		return me.conf.fqdns.v[0];
	for (i = 0; i < me.conf.fqdns.n; i++) {
		if (bytes_eq_nocase(name, bytes_of(me.conf.fqdns.v[i])))
			return me.conf.fqdns.v[i];
	}
	return NULL;
}

static enum gba_naf_error key_for(struct conn *conn, const struct mosquitto_evt_psk_key *event,
				  struct gba_naf_result **_result)
{
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;
	uint8_t rand[RAND_LEN];
	struct gba_naf_identity id;
	enum gba_naf_error error = gba_naf_identity_parse(event->identity, strlen(event->identity), &id);

	if (error != GBA_NAF_OK)
		return error;
	if (btid_parse(BYTES(id.btid, id.btid_len), rand, NULL) == GBA_OK)
		corr_from_rand(rand, conn->corr);
	query.fqdn = fqdn_of(conn);
	if (query.fqdn == NULL || id.kind != GBA_NAF_KIND_ME || !conn_ua_id(conn, query.ua_id))
		return GBA_NAF_E_NOT_AUTHORIZED;
	memcpy(conn->ua_id, query.ua_id, sizeof(query.ua_id));
	query.btid = id.btid;
	query.btid_len = id.btid_len;
	query.gsids = me.gsids;
	query.gsid_count = me.conf.gsids.n;
	query.timeout_ms = me.conf.agent_timeout;
	query.source = mosquitto_client_address(event->client);
	if (query.source != NULL && strlen(query.source) > GBA_NAF_SOURCE_MAX)
		query.source = NULL;
	return ask_key(me.ask, &query, _result);
}

static int refuse(struct conn *conn, const struct mosquitto *client, enum gba_naf_error error)
{
	struct log_about where = about(client, conn);

	/* A fault of ours must not tell the device to bootstrap again: the connection ends without an alert. */
	if (gba_naf_error_http(error) == 503 || gba_naf_error_http(error) == 500) {
		metric_add(me.late, 1);
		conn_cut(conn);
		tell_handshake(conn, "end of the connection");
	} else {
		metric_add(me.refused, 1);
		tell_handshake(conn, "alert");
	}
	log_event_limited(1, LOG_L_INFO, "mqtt.handshake", &where, "refused: %s", gba_naf_strerror(error));
	return ERR_AUTH;
}

static int on_psk(int number, void *data, void *arg)
{
	struct mosquitto_evt_psk_key *event = data;
	struct conn *conn = conns_match(event->client);
	struct gba_naf_result *result = NULL;
	uint64_t start = clock_mono_us(), heard = me.notices;
	enum gba_naf_error error;

	(void)number, (void)arg;
	if (conn == NULL) {
		log_event_limited(60, LOG_L_ERROR, "mqtt.handshake", NULL,
				  "the broker's TLS is not this system's OpenSSL: no keys");
		return ERR_AUTH;
	}
	conn_no_resumption(conn);
	error = key_for(conn, event, &result);
	metric_observe_us(me.waited, clock_mono_us() - start);
	if (error == GBA_NAF_OK && event->max_key_len < 2 * GBA_NAF_KEY_LEN)
		error = GBA_NAF_E_SYSTEM;
	if (error != GBA_NAF_OK) {
		gba_naf_result_free(result);
		return refuse(conn, event->client, error);
	}
	gba_naf_result_free(conn->result); /* of a first ClientHello that had to be said again */
	conn->result = result;
	conn->doubt = me.notices != heard; /* one may have been about this key, before it was here */
	hex_encode(BYTES(gba_naf_result_key(result), GBA_NAF_KEY_LEN), event->key);
	metric_add(me.accepted, 1);
	return ERR_SUCCESS;
}

/* ---- CONNECT ---- */

/* Why this client may not come in; NULL: it may. */
static const char *objection(const struct conn *conn, const char *user, const char *client_id)
{
	const struct session *other = client_id != NULL ? sessions_find(me.sessions, client_id) : NULL;

	if (conn->turn == conns_turns())
		return "per_listener_settings is true: this broker then cannot end sessions in time";
	if (conn->end != NULL || gba_naf_result_expiry(conn->result) <= clock_now())
		return "the key has ended";
	if (user == NULL)
		return "no identity the user has allowed us";
	if (client_id == NULL || !mqtt_client_id_good(&me.conf, user, client_id))
		return "not a client identifier of this user";
	return other != NULL && other->conn != NULL && strcmp(other->user, user) != 0 ? "another user's client identifier" : NULL;
}

static int turn_away(struct conn *conn, struct mosquitto *client, const char *why)
{
	struct log_about where = about(client, conn);

	metric_add(me.turned_away, 1);
	log_event_limited(1, LOG_L_WARNING, "mqtt.connect", &where, "refused: %s", why);
	tell(conn, false, "Y.3056 10.5-1b", "CONNECT");
	tell(conn, true, "Y.3056 10.5-1b", "CONNACK, refused");
	return ERR_AUTH;
}

static int let_in(struct conn *conn, struct mosquitto *client, const char *user)
{
	struct log_about where = about(client, conn);

	if (mosquitto_set_username(client, user) != ERR_SUCCESS ||
	    sessions_enter(me.sessions, mosquitto_client_id(client), user, mqtt_rights_of(&me.conf, conn->result), conn) == NULL)
		return turn_away(conn, client, "out of memory");
	metric_add(me.connects, 1);
	metric_set(me.sessions_now, (int64_t)sessions_live(me.sessions));
	where.id = bytes_of(user);
	log_event(LOG_L_INFO, "mqtt.connect", &where, "%s, %s", SSL_get_version(conn->ssl), SSL_get_cipher(conn->ssl));
	tell_handshake(conn, "Finished");
	tell(conn, false, "Y.3056 10.5-3", "CONNECT");
	tell(conn, true, "Y.3056 10.5-3", "CONNACK, accepted");
	return ERR_SUCCESS;
}

/* What the device says in CONNECT about its name does not count: the key does. */
static int on_connect(int number, void *data, void *arg)
{
	struct mosquitto_evt_basic_auth *event = data;
	struct conn *conn = conns_find(event->client);
	const char *client_id = mosquitto_client_id(event->client), *user, *why;
	TALLOC_CTX *ctx;
	int status;

	(void)number, (void)arg;
	if (conn == NULL) /* another listener's */
		return ERR_PLUGIN_DEFER;
	if (conn->result == NULL)
		return ERR_AUTH;
	ctx = talloc_new(me.root);
	user = mqtt_user_of(ctx, &me.conf, conn->result);
	why = objection(conn, user, client_id);
	status = why != NULL ? turn_away(conn, event->client, why) : let_in(conn, event->client, user);
	talloc_free(ctx);
	return status;
}

static int on_disconnect(int number, void *data, void *arg)
{
	const struct mosquitto_evt_disconnect *event = data;
	struct conn *conn = conns_find(event->client);

	(void)number, (void)arg;
	if (conn != NULL && conn->session != NULL) {
		sessions_gone(me.sessions, conn->session);
		metric_set(me.sessions_now, (int64_t)sessions_live(me.sessions));
	}
	return ERR_SUCCESS;
}

static void on_conn_ended(struct conn *conn)
{
	if (conn->session != NULL)
		sessions_gone(me.sessions, conn->session);
	if (conn->again != NULL)
		me.again--;
}

/* ---- topics ---- */

static bool same_user(const struct session *session, const struct mosquitto *client)
{
	const char *user = mosquitto_client_username(client);

	return session->client == client && user != NULL && strcmp(user, session->user) == 0;
}

static int on_topic(int number, void *data, void *arg)
{
	const struct mosquitto_evt_acl_check *event = data;
	const char *client_id = mosquitto_client_id(event->client);
	const struct session *session = client_id != NULL ? sessions_find(me.sessions, client_id) : NULL;
	const struct conn *conn = conns_find(event->client);

	(void)number, (void)arg;
	if (conn != NULL && (conn->session == NULL || conn->session != session || conn->end != NULL))
		return ERR_ACL_DENIED;
	if (session == NULL || !same_user(session, event->client) || me.conf.rights.n == 0)
		return ERR_PLUGIN_DEFER;
	if (event->access == MOSQ_ACL_UNSUBSCRIBE)
		return ERR_SUCCESS;
	return mqtt_rights_allow(&me.conf, session->rights, session->user, event->access == MOSQ_ACL_WRITE ? MQTT_WRITE : MQTT_READ,
				 event->topic) ? ERR_SUCCESS : ERR_PLUGIN_DEFER;
}

/* ---- the end of keys ---- */

/* Called by gba_naf_process(), perhaps from within a handshake: only marks. */
static void on_notice(void *arg, const struct gba_naf_notice *notice)
{
	enum gba_naf_notice_kind kind = gba_naf_notice_kind(notice);
	struct conn *conn, *next;

	(void)arg;
	me.notices++;
	ask_forget(me.ask, notice);
	for (conn = conns_first(); conn != NULL; conn = next) {
		next = conn->next;
		if (conn->result == NULL || !gba_naf_notice_concerns(notice, conn->result))
			continue;
		if (kind == GBA_NAF_DOUBTFUL)
			conn->doubt = true;
		else
			conn_end(conn, kind == GBA_NAF_REVOKED ? "the token was revoked"
							       : "the user's right or settings have changed");
	}
}

/* Would the session be the same, were it begun now? */
static bool same_session(const struct session *session, const struct gba_naf_result *result)
{
	TALLOC_CTX *ctx = talloc_new(me.root);
	const char *user = mqtt_user_of(ctx, &me.conf, result);
	bool same = user != NULL && strcmp(user, session->user) == 0 && mqtt_rights_of(&me.conf, result) == session->rights;

	talloc_free(ctx);
	return same;
}

static void on_again(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	struct conn *conn = arg;

	conn->again = NULL;
	me.again--;
	if (error != GBA_NAF_OK && gba_naf_error_http(error) < 500)
		conn_end(conn, "the token is no more");
	if (error != GBA_NAF_OK)
		return;
	conn->doubt = false;
	gba_naf_result_free(conn->result);
	conn->result = result;
	if (conn->session != NULL && !same_session(conn->session, result))
		conn_end(conn, "the user's right or settings have changed");
}

/* Notices may have been lost: is the key of this connection still good? When nobody can be asked it is left alone. */
static void ask_again(struct conn *conn)
{
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;

	query.btid = gba_naf_result_btid(conn->result);
	query.btid_len = strlen(query.btid);
	query.fqdn = gba_naf_result_fqdn(conn->result);
	memcpy(query.ua_id, conn->ua_id, sizeof(query.ua_id));
	query.gsids = me.gsids;
	query.gsid_count = me.conf.gsids.n;
	query.timeout_ms = me.conf.agent_timeout;
	if (gba_naf_ask(me.naf, &query, on_again, conn, &conn->again) == GBA_NAF_OK)
		me.again++;
}

static void sweep(time_t now)
{
	struct conn *conn, *next;

	for (conn = conns_first(); conn != NULL; conn = next) {
		next = conn->next;
		if (conn->result == NULL)
			continue;
		if (gba_naf_result_expiry(conn->result) <= now)
			conn_end(conn, "the key has expired");
		else if (conn->doubt && conn->again == NULL && me.again < AGAIN_MAX)
			ask_again(conn);
	}
}

static void end_sessions(void)
{
	struct conn *conn;

	while ((conn = conns_ending()) != NULL) {
		const struct session *session = conn->session;
		struct log_about where = about(conn->client, conn);
		char *client_id = session != NULL ? strdup(session->client_id) : NULL; /* goes with the session */

		if (session != NULL)
			where.id = bytes_of(session->user);
		metric_add(me.ended, 1);
		log_event(LOG_L_INFO, "mqtt.ended", &where, "%s", conn->end);
		tell(conn, true, "Y.3056 9.4.1", "DISCONNECT");
		/* the last will is told: who waits for the device learns that it has gone */
		if (client_id == NULL || mosquitto_kick_client_by_clientid(client_id, true) != ERR_SUCCESS)
			conn_cut(conn);
		free(client_id);
	}
}

static int on_tick(int number, void *data, void *arg)
{
	uint64_t now = clock_mono_ms_coarse();
	time_t second = clock_now();

	(void)number, (void)data, (void)arg;
	conns_turn();
	if (ask_waiting(me.ask) > 0 || me.again > 0 || now >= me.looked_at + QUIET_MS) {
		me.looked_at = now;
		gba_naf_process(me.naf);
	}
	if (second != me.swept_at) {
		me.swept_at = second;
		sweep(second);
	}
	end_sessions();
	return ERR_SUCCESS;
}

/* ---- start, new configuration, end ---- */

static void complain(const char *what)
{
	mosquitto_log_printf(1 << 3 /* MOSQ_LOG_ERR */, "gba_mqtt: %s", what);
}

static bool conf_read(TALLOC_CTX *ctx, struct mqtt_conf *_conf)
{
	struct conf_error error = { "out of memory" };

	if (conf_load(ctx, "naf_mqtt", me.conf_path, mqtt_conf_items, _conf, &error) == GBA_OK &&
	    mqtt_conf_check(_conf, &error) == GBA_OK)
		return true;
	complain(error.text);
	return false;
}

static void new_rights(struct session *session, void *arg)
{
	(void)arg;
	session->rights = mqtt_rights_of(&me.conf, session->conn != NULL ? session->conn->result : NULL);
}

/* Topics, identities and times are taken over; names, services and the agent's socket need a new start. */
static int on_reload(int number, void *data, void *arg)
{
	TALLOC_CTX *ctx = talloc_new(me.root);
	struct mqtt_conf conf;

	(void)number, (void)data, (void)arg;
	log_reopen();
	if (ctx == NULL || !conf_read(ctx, &conf)) {
		log_event(LOG_L_ERROR, "mqtt.reload", NULL, "the configuration is wrong: the old one stays");
		talloc_free(ctx);
		return ERR_PLUGIN_DEFER; /* anything else keeps the plugins behind us from reloading */
	}
	conf.fqdns = me.conf.fqdns;
	conf.gsids = me.conf.gsids;
	conf.ask.max_waiting = me.conf.ask.max_waiting;
	talloc_free(me.conf_ctx == me.root ? NULL : me.conf_ctx);
	me.conf_ctx = ctx;
	me.conf = conf;
	sessions_each(me.sessions, new_rights, NULL);
	log_event(LOG_L_INFO, "mqtt.reload", NULL, "%zu rules", me.conf.rights.n);
	return ERR_PLUGIN_DEFER;
}

static const struct {
	int number;
	int (*take)(int number, void *data, void *arg);
} events[] = {
	{ MOSQ_EVT_PSK_KEY, on_psk },	      { MOSQ_EVT_BASIC_AUTH, on_connect }, { MOSQ_EVT_ACL_CHECK, on_topic },
	{ MOSQ_EVT_DISCONNECT, on_disconnect }, { MOSQ_EVT_TICK, on_tick },	   { MOSQ_EVT_RELOAD, on_reload },
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

static void make_metrics(void)
{
	static const char handshakes[] = "gba_naf_mqtt_handshakes_total", told[] = "Handshakes that named a B-TID";
	static const char connects[] = "gba_naf_mqtt_connects_total", came[] = "CONNECTs over a GBA key";

	me.accepted = metric_get(handshakes, told, METRIC_COUNTER, "outcome=\"key\"");
	me.refused = metric_get(handshakes, told, METRIC_COUNTER, "outcome=\"refused\"");
	me.late = metric_get(handshakes, told, METRIC_COUNTER, "outcome=\"late\"");
	me.connects = metric_get(connects, came, METRIC_COUNTER, "outcome=\"accepted\"");
	me.turned_away = metric_get(connects, came, METRIC_COUNTER, "outcome=\"refused\"");
	me.ended = metric_get("gba_naf_mqtt_ended_total", "Sessions ended with their key", METRIC_COUNTER, "");
	me.sessions_now = metric_get("gba_naf_mqtt_sessions", "Sessions of devices", METRIC_GAUGE, "");
	me.waited = metric_get("gba_naf_mqtt_wait_seconds", "The broker stood still for a key", METRIC_HISTOGRAM, "");
}

static bool ready(void *arg, const char **_missing)
{
	(void)arg, (void)_missing;
	return true;
}

/* NULL: started. */
static const char *start(void)
{
	const char *why = "metrics-listen";
	size_t i;

	for (i = 0; i < me.conf.gsids.n; i++)
		me.gsids[i] = (uint32_t)strtoul(me.conf.gsids.v[i], NULL, 10);
	make_metrics();
	if (gba_naf_open(me.conf.agent_socket[0] != '\0' ? me.conf.agent_socket : NULL, &me.naf) != GBA_NAF_OK)
		return "agent-socket cannot be used";
	gba_naf_watch(me.naf, on_notice, NULL);
	me.ask = ask_new(me.root, &me.conf.ask, me.naf);
	me.sessions = sessions_new(me.root, GONE_MAX);
	if (me.ask == NULL || me.sessions == NULL || !conns_init(me.root, on_conn_ended))
		return "out of memory";
	if (me.conf.metrics_listen[0] != '\0' &&
	    http_metrics_start(me.root, me.conf.metrics_listen, ready, NULL, &me.metrics_server, &why) != GBA_OK)
		return why;
	for (i = 0; i < EVENTS; i++) {
		if (mosquitto_callback_register(me.id, events[i].number, events[i].take, NULL, NULL) != ERR_SUCCESS)
			return "the broker does not take our callbacks";
	}
	return NULL;
}

API int mosquitto_plugin_version(int count, const int *versions)
{
	int i;

	for (i = 0; i < count; i++) {
		if (versions[i] == 5)
			return 5;
	}
	return -1;
}

static const char *conf_option(const struct mosquitto_opt *options, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (strcmp(options[i].key, "conf") == 0)
			return options[i].value;
	}
	return GBA_SYSCONFDIR "/naf-mqtt.conf";
}

API int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **data, struct mosquitto_opt *options, int count)
{
	struct conf_error error = { "out of memory" };
	const char *why;

	(void)data;
	if (me.root != NULL) {
		complain("already loaded: one plugin serves the whole broker");
		return ERR_INVAL;
	}
	secret_init();
	me.id = id;
	me.root = me.conf_ctx = talloc_named_const(NULL, 0, "gba_mqtt");
	me.conf_path = me.root != NULL ? talloc_strdup(me.root, conf_option(options, count)) : NULL;
	if (me.conf_path == NULL || !conf_read(me.root, &me.conf))
		return ERR_INVAL;
	if (conf_common_apply("naf-mqtt", &me.conf.common, &error) != GBA_OK) {
		complain(error.text);
		return ERR_INVAL;
	}
	why = start();
	if (why != NULL) {
		complain(why);
		return ERR_INVAL;
	}
	log_event(LOG_L_INFO, "mqtt.start", NULL, "for %s, %zu rules", me.conf.fqdns.v[0], me.conf.rights.n);
	return ERR_SUCCESS;
}

API int mosquitto_plugin_cleanup(void *data, struct mosquitto_opt *options, int count)
{
	size_t i;

	(void)data, (void)options, (void)count;
	for (i = 0; i < EVENTS; i++)
		mosquitto_callback_unregister(me.id, events[i].number, events[i].take, NULL);
	conns_close();
	if (me.metrics_server != NULL)
		http_server_stop(me.metrics_server, 1000);
	talloc_free(me.ask);
	gba_naf_close(me.naf);
	talloc_free(me.root);
	memset(&me, 0, sizeof(me));
	trace_close();
	log_close();
	return ERR_SUCCESS;
}
