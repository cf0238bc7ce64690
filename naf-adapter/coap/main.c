/* SPDX-License-Identifier: Apache-2.0 */
/* gba-naf-coap: CoAP (RFC 7252) over DTLS-PSK keyed by bootstrap tokens, in front of an application that speaks HTTP or CoAP.
 * libcoap asks for a device's key while its handshake waits and cannot come back to it later: a handshake with a key that the agent
 * has to fetch from the BSF holds the others for that time, bounded by wait and wait-share. Requests of sessions that stand wait
 * for the application without holding anybody. */
#include <arpa/inet.h>
#include <coap3/coap.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "core/clock.h"
#include "core/ident.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/secret.h"
#include "core/trace.h"
#include "http/server.h"
#include "naf-adapter/coap/conf.h"
#include "naf-adapter/coap/request.h"
#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/shared/release.h"

#define LOOP_MS      500
#define LOOP_SOON_MS 20 /* while keys or answers are waited for */

/* A device, as long as its session. */
struct device {
	LIST_ENTRY(device) link;
	TALLOC_CTX *ctx;
	struct gba_naf_result *result;
	struct released who; /* below ctx */
	bool told;	     /* who is good: there is an identity the application may have */
	bool ended;	     /* the token was taken back */
	bool doubt;	     /* notices may have been lost: ask again before use */
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	coap_bin_const_t key;
};

static struct {
	struct coap_conf conf;
	uint32_t gsids[GBA_NAF_GSID_MAX];
	struct gba_naf *naf;
	struct ask *ask;
	struct request_ways ways;
	struct requests *requests;
	coap_context_t *context;
	LIST_HEAD(, device) devices;
	uint64_t notices; /* heard */
	struct metric *handshakes, *refused, *asked, *ended, *busy, *waiting, *observed;
} me;
static volatile sig_atomic_t ended;

/* One arrow between the device of this result and us. */
static void tell(const struct gba_naf_result *result, bool to_device, const char *clause, const char *message)
{
	struct trace_step step = { .from = to_device ? "naf-coap" : "ue", .to = to_device ? "ue" : "naf-coap", .iface = "Ua",
				   .clause = clause, .message = message, .id = bytes_of(me.conf.fqdn) };
	char corr[CORR_LEN + 1];
	uint8_t rand[RAND_LEN];

	if (!trace_on() || btid_parse(bytes_of(gba_naf_result_btid(result)), rand, NULL) != GBA_OK)
		return;
	corr_from_rand(rand, corr);
	step.corr = corr;
	trace_step(&step);
}

/* The NAF_Id's last octets name the suite (TS 33.220 H.3); OpenSSL has chosen it when the key is asked for. */
static bool ua_id_of(coap_session_t *session, uint8_t ua_id[GBA_NAF_UA_ID_LEN])
{
	coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
	SSL *ssl = coap_session_get_tls(session, &library);
	const SSL_CIPHER *suite =
		ssl != NULL && library == COAP_TLS_LIBRARY_OPENSSL ? SSL_get_pending_cipher(ssl) : NULL;

	if (suite == NULL)
		return false;
	gba_naf_ua_id_tls12(SSL_CIPHER_get_protocol_id(suite), ua_id);
	return true;
}

static void query_init(struct gba_naf_query *query, const char *btid, size_t btid_len)
{
	*query = (struct gba_naf_query)GBA_NAF_QUERY_INIT;
	query->btid = btid;
	query->btid_len = btid_len;
	query->fqdn = me.conf.fqdn;
	query->gsids = me.gsids;
	query->gsid_count = me.conf.gsids.n;
	query->timeout_ms = me.conf.agent_timeout;
}

static enum gba_naf_error ask_agent(coap_session_t *session, const coap_bin_const_t *identity, uint8_t ua_id[GBA_NAF_UA_ID_LEN],
				    struct gba_naf_result **_result)
{
	const coap_address_t *from = coap_session_get_addr_remote(session);
	char source[INET6_ADDRSTRLEN];
	struct gba_naf_query query;
	struct gba_naf_identity id;
	enum gba_naf_error error = gba_naf_identity_parse((const char *)identity->s, identity->length, &id);

	if (error != GBA_NAF_OK)
		return error;
	if (id.kind != GBA_NAF_KIND_ME || !ua_id_of(session, ua_id))
		return GBA_NAF_E_NOT_AUTHORIZED;
	query_init(&query, id.btid, id.btid_len);
	memcpy(query.ua_id, ua_id, GBA_NAF_UA_ID_LEN);
	query.source = inet_ntop(from->addr.sa.sa_family,
				 from->addr.sa.sa_family == AF_INET6 ? (const void *)&from->addr.sin6.sin6_addr
								     : (const void *)&from->addr.sin.sin_addr,
				 source, sizeof(source));
	return ask_key(me.ask, &query, _result);
}

static void device_free(struct device *device)
{
	if (device == NULL)
		return;
	if (device->result != NULL)
		LIST_REMOVE(device, link);
	gba_naf_result_free(device->result);
	talloc_free(device->ctx);
	free(device);
}

/** @param result  given away */
static struct device *device_new(struct gba_naf_result *result, const uint8_t ua_id[GBA_NAF_UA_ID_LEN])
{
	struct device *device = calloc(1, sizeof(*device));

	if (device == NULL || (device->ctx = talloc_new(NULL)) == NULL) {
		free(device);
		gba_naf_result_free(result);
		return NULL;
	}
	device->result = result;
	device->key = (coap_bin_const_t){ GBA_NAF_KEY_LEN, gba_naf_result_key(result) };
	memcpy(device->ua_id, ua_id, GBA_NAF_UA_ID_LEN);
	device->told = release_of_result(device->ctx, me.conf.identity, me.conf.flags_header, result, &device->who) == GBA_OK;
	LIST_INSERT_HEAD(&me.devices, device, link);
	return device;
}

static void forget(coap_session_t *session)
{
	struct device *device = coap_session_get_app_data(session);

	coap_session_set_app_data(session, NULL);
	device_free(device);
}

/* A fault of ours must not tell the device to bootstrap again: its handshake ends without an alert, and what it sends again finds
 * nobody. It comes again, and finds the key. */
static void fall_silent(coap_session_t *session)
{
	coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
	SSL *ssl = coap_session_get_tls(session, &library);
	BIO *nowhere = ssl != NULL && library == COAP_TLS_LIBRARY_OPENSSL ? BIO_new(BIO_s_null()) : NULL;

	if (nowhere != NULL)
		SSL_set0_wbio(ssl, nowhere);
}

static const coap_bin_const_t *refuse_key(coap_session_t *session, enum gba_naf_error error)
{
	metric_add(me.refused, 1);
	log_event_limited(1, LOG_L_INFO, "coap.handshake", NULL, "refused: %s", gba_naf_strerror(error));
	if (gba_naf_error_http(error) >= 500)
		fall_silent(session);
	return NULL;
}

static const coap_bin_const_t *on_identity(coap_bin_const_t *identity, coap_session_t *session, void *arg)
{
	uint8_t ua_id[GBA_NAF_UA_ID_LEN] = { 0 };
	struct gba_naf_result *result = NULL;
	uint64_t heard = me.notices;
	struct device *device;
	enum gba_naf_error error;

	(void)arg;
	metric_add(me.handshakes, 1);
	error = ask_agent(session, identity, ua_id, &result);
	if (error != GBA_NAF_OK)
		return refuse_key(session, error);
	device = device_new(result, ua_id);
	if (device == NULL)
		return refuse_key(session, GBA_NAF_E_NOMEM);
	device->doubt = heard != me.notices; /* one may have been about this key, before it was here */
	forget(session);
	tell(result, false, "Y.3056 10.5-2c", "ClientHello, psk_identity (DTLS)");
	coap_session_set_app_data(session, device);
	return &device->key;
}

static int on_event(coap_session_t *session, coap_event_t event)
{
	/* A handshake that fails after its key was given ends without SESSION_DEL. */
	if (event == COAP_EVENT_SERVER_SESSION_DEL || event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR) {
		requests_forget(me.requests, session);
		forget(session);
	}
	return 0;
}

/* ---- the end of keys (Y.3056 9.4.1) ---- */

/* Perhaps from within a handshake: only marks. */
static void on_notice(void *arg, const struct gba_naf_notice *notice)
{
	struct device *device;

	(void)arg;
	me.notices++;
	ask_forget(me.ask, notice);
	LIST_FOREACH(device, &me.devices, link) {
		if (!gba_naf_notice_concerns(notice, device->result))
			continue;
		if (gba_naf_notice_kind(notice) == GBA_NAF_DOUBTFUL)
			device->doubt = true;
		else
			device->ended = true;
	}
}

/* When nobody can be asked a session that stands goes on. */
static void ask_again(struct device *device)
{
	const char *btid = gba_naf_result_btid(device->result);
	struct gba_naf_result *result = NULL;
	struct gba_naf_query query;
	enum gba_naf_error error;

	query_init(&query, btid, strlen(btid));
	memcpy(query.ua_id, device->ua_id, sizeof(query.ua_id));
	error = ask_key(me.ask, &query, &result);
	gba_naf_result_free(result);
	device->doubt = error != GBA_NAF_OK;
	device->ended = error != GBA_NAF_OK && gba_naf_error_http(error) < 500;
}

static bool has_ended(struct device *device)
{
	if (device->doubt && !device->ended)
		ask_again(device);
	return device->ended || gba_naf_result_expiry(device->result) <= clock_now();
}

/* ---- requests ---- */

static enum gba_err serve_request(const struct request *request, struct device *device)
{
	if (device == NULL || has_ended(device)) {
		metric_add(me.ended, 1);
		coap_pdu_set_code(request->response, COAP_RESPONSE_CODE_UNAUTHORIZED); /* bootstrap again (TS 24.109 5.2.5) */
		return GBA_E_BTID_UNKNOWN;
	}
	return request_pass(me.requests, request, device->told ? &device->who : NULL);
}

static void tell_answered(coap_session_t *session, coap_pdu_code_t code)
{
	const struct device *device = coap_session_get_app_data(session);

	if (device != NULL && code != COAP_EMPTY_CODE)
		tell(device->result, true, "Y.3056 10.5-3", code < COAP_RESPONSE_CODE_BAD_REQUEST ? "2.xx" : "refused");
}

/* An answer that comes later, a change of what is observed: the token may have ended meanwhile. */
static bool session_stands(coap_session_t *session)
{
	struct device *device = coap_session_get_app_data(session);

	return device != NULL && !has_ended(device);
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason, const coap_mid_t mid)
{
	(void)reason;
	requests_rejected(me.requests, session, sent, mid);
}

static void on_request(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *pdu, const coap_string_t *query,
		       coap_pdu_t *response)
{
	struct device *device = coap_session_get_app_data(session);
	struct request request = { resource, session, pdu, query, response };
	enum gba_err err;

	metric_add(me.asked, 1);
	if (device != NULL)
		tell(device->result, false, "Y.3056 10.5-3", request_method(pdu) != NULL ? request_method(pdu) : "request");
	err = serve_request(&request, device);
	if (err != GBA_OK)
		log_event_limited(1, LOG_L_INFO, "coap.refused", NULL, "%s",
				  err == GBA_E_NOT_AUTHORIZED ? "no identity for this application" : gba_strerror(err));
	if (err == GBA_E_BUSY)
		metric_add(me.busy, 1);
	tell_answered(session, coap_pdu_get_code(response));
}

/* ---- start ---- */

static int complain(const char *what)
{
	fprintf(stderr, "gba-naf-coap: %s\n", what);
	return EXIT_FAILURE;
}

static coap_address_t address_of(const char *text)
{
	coap_address_t address;
	const char *colon = strrchr(text, ':');
	char host[64];

	coap_address_init(&address);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (host[0] == '[') {
		host[strlen(host) - 1] = '\0';
		address.addr.sin6.sin6_family = AF_INET6;
		inet_pton(AF_INET6, host + 1, &address.addr.sin6.sin6_addr);
		address.addr.sin6.sin6_port = htons((uint16_t)atoi(colon + 1));
		address.size = sizeof(address.addr.sin6);
	} else {
		address.addr.sin.sin_family = AF_INET;
		inet_pton(AF_INET, host, &address.addr.sin.sin_addr);
		address.addr.sin.sin_port = htons((uint16_t)atoi(colon + 1));
		address.size = sizeof(address.addr.sin);
	}
	return address;
}

static void set_limits(coap_context_t *context)
{
	coap_context_set_max_idle_sessions(context, me.conf.max_sessions);
	coap_context_set_session_timeout(context, me.conf.idle_timeout);
}

static coap_context_t *context_start(void)
{
	static const coap_request_t methods[] = { COAP_REQUEST_GET, COAP_REQUEST_POST, COAP_REQUEST_DELETE, COAP_REQUEST_FETCH,
						  COAP_REQUEST_PATCH, COAP_REQUEST_IPATCH };
	static const uint8_t hint[] = GBA_NAF_PSK_HINT;
	coap_dtls_spsk_t psk = { .version = COAP_DTLS_SPSK_SETUP_VERSION, .validate_id_call_back = on_identity };
	coap_address_t address = address_of(me.conf.listen);
	coap_context_t *context = coap_new_context(NULL);
	coap_resource_t *all;
	size_t i;

	if (context == NULL)
		return NULL;
	psk.psk_info.hint = (coap_bin_const_t){ sizeof(hint) - 1, hint };
	psk.psk_info.key = psk.psk_info.hint; /* libcoap wants one; no identity is answered with it */
	coap_context_set_block_mode(context, COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
	set_limits(context);
	coap_register_event_handler(context, on_event);
	coap_register_nack_handler(context, on_nack);
	all = coap_resource_init(coap_make_str_const(".well-known/core"), 0); /* libcoap would answer with what it knows: nothing */
	if (all != NULL) {
		coap_register_request_handler(all, COAP_REQUEST_GET, on_request);
		coap_add_resource(context, all);
	}
	all = coap_resource_unknown_init(on_request);
	if (all != NULL) {
		for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
			coap_register_request_handler(all, methods[i], on_request);
		coap_add_resource(context, all);
	}
	if (all == NULL || coap_context_set_psk2(context, &psk) == 0 ||
	    coap_new_endpoint(context, &address, COAP_PROTO_DTLS) == NULL) {
		coap_free_context(context);
		return NULL;
	}
	return context;
}

static volatile sig_atomic_t hung_up;

static void on_signal(int number)
{
	if (number == SIGHUP)
		hung_up = 1;
	else
		ended = 1;
}

/* What sessions that stand are told as from now on. */
static void name_again(struct device *device)
{
	talloc_free_children(device->ctx);
	device->told = release_of_result(device->ctx, me.conf.identity, me.conf.flags_header, device->result,
					 &device->who) == GBA_OK;
}

/* No session ends. What keys were asked for with (gsids), and sockets, are as they were. */
static void on_good_conf(const void *arg)
{
	const struct coap_conf *fresh = arg;
	struct device *device;

	me.conf.identity = fresh->identity;
	me.conf.flags_header = fresh->flags_header;
	me.conf.agent_timeout = fresh->agent_timeout;
	me.conf.upstream_timeout = fresh->upstream_timeout;
	me.conf.max_requests = me.ways.most = fresh->max_requests;
	me.conf.max_observations = me.ways.most_observed = fresh->max_observations;
	me.conf.max_sessions = fresh->max_sessions;
	me.conf.idle_timeout = fresh->idle_timeout;
	me.conf.ask.wait = fresh->ask.wait;
	me.conf.ask.wait_share = fresh->ask.wait_share;
	me.conf.ask.refused_life = fresh->ask.refused_life;
	set_limits(me.context);
	if (me.ways.door != NULL)
		door_set_timeout(me.ways.door, me.conf.upstream_timeout);
	else
		inner_set_timeout(me.ways.inner, me.conf.upstream_timeout);
	LIST_FOREACH(device, &me.devices, link)
		name_again(device);
}

static void read_again(const struct role *role, const char *path)
{
	struct log_about about = { .result = GBA_E_CONF };
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct conf_error error;
	const char *differs;

	hung_up = 0;
	log_reopen();
	if (conf_reread(tmp, role, path, &me.conf, &differs, &error) != GBA_OK)
		log_event(LOG_L_ERROR, "coap.reload", &about, "refused, all stays as it was: %s", error.text);
	else
		log_event(LOG_L_INFO, "coap.reload", NULL, "log reopened, configuration in force%s%s",
			  differs[0] != '\0' ? "; as they were until a restart: " : "", differs);
	talloc_free(tmp);
}

/* libcoap's timers are in its descriptor once it has been asked. */
static void wait_for_all(coap_context_t *context)
{
	int fds[] = { coap_context_get_coap_fd(context), gba_naf_fd(me.naf) };
	unsigned int timeout = ask_waiting(me.ask) > 0 || requests_waiting(me.requests) > 0 ? LOOP_SOON_MS : LOOP_MS;
	coap_tick_t now;

	coap_ticks(&now);
	coap_io_prepare_epoll(context, now);
	requests_wait(me.requests, fds, fds[1] >= 0 ? 2 : 1, timeout);
	metric_set(me.waiting, (int64_t)requests_waiting(me.requests));
	metric_set(me.observed, (int64_t)requests_observed(me.requests));
}

static void serve(coap_context_t *context, const struct role *role, const char *path)
{
	int rc = 0;

	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	signal(SIGPIPE, SIG_IGN);
	log_event(LOG_L_INFO, "coap.start", NULL, "%s, for %s", me.conf.listen, me.conf.fqdn);
	while (!ended && (rc >= 0 || hung_up)) { /* a signal ends the wait */
		if (hung_up)
			read_again(role, path);
		wait_for_all(context);
		rc = coap_io_process(context, COAP_IO_NO_WAIT);
		gba_naf_process(me.naf);
	}
	log_event(LOG_L_INFO, "coap.stop", NULL, "stopped");
}

static bool ready(void *arg, const char **_missing)
{
	(void)arg, (void)_missing;
	return true;
}

/* NULL: done. */
static const char *open_application(TALLOC_CTX *root)
{
	struct door_place place;

	me.ways = (struct request_ways){ .fqdn = me.conf.fqdn, .most = me.conf.max_requests,
					 .most_observed = me.conf.max_observations, .stands = session_stands,
					 .answered = tell_answered };
	if (!door_place_read(me.conf.upstream, &place))
		return "upstream: no address";
	if (place.kind == DOOR_COAP)
		me.ways.inner = inner_new(root, &place, me.conf.upstream_timeout);
	else
		me.ways.door = door_new(root, &place, me.conf.upstream_timeout);
	me.requests = requests_new(root, &me.ways);
	return (me.ways.inner != NULL || me.ways.door != NULL) && me.requests != NULL ? NULL : "upstream: cannot be used";
}

static const char *open_agent(TALLOC_CTX *root)
{
	size_t i;

	if (me.conf.gsids.n > GBA_NAF_GSID_MAX)
		return "gsids: too many";
	for (i = 0; i < me.conf.gsids.n; i++)
		me.gsids[i] = (uint32_t)strtoul(me.conf.gsids.v[i], NULL, 10);
	if (gba_naf_open(me.conf.agent_socket[0] != '\0' ? me.conf.agent_socket : NULL, &me.naf) != GBA_NAF_OK)
		return "agent-socket cannot be used";
	me.ask = ask_new(root, &me.conf.ask, me.naf);
	if (me.ask == NULL)
		return "out of memory";
	gba_naf_watch(me.naf, on_notice, NULL);
	return NULL;
}

static void make_metrics(void)
{
	me.handshakes = metric_get("gba_coap_handshakes_total", "DTLS handshakes that named a key", METRIC_COUNTER, "");
	me.refused = metric_get("gba_coap_handshakes_refused_total", "Those without a key", METRIC_COUNTER, "");
	me.asked = metric_get("gba_coap_requests_total", "Requests of devices", METRIC_COUNTER, "");
	me.busy = metric_get("gba_coap_requests_busy_total", "Those refused as too many waited", METRIC_COUNTER, "");
	me.waiting = metric_get("gba_coap_requests_waiting", "Those the application has not answered yet", METRIC_GAUGE, "");
	me.observed = metric_get("gba_coap_observations", "Resources observed by devices", METRIC_GAUGE, "");
	me.ended = metric_get("gba_coap_requests_ended_total", "Those on a key that has ended", METRIC_COUNTER, "");
}

static int start(TALLOC_CTX *root, const struct role *role, const char *path)
{
	struct http_server *metrics = NULL;
	const char *why;
	coap_context_t *context;

	make_metrics();
	why = open_agent(root);
	if (why == NULL)
		why = open_application(root);
	if (why != NULL)
		return complain(why);
	context = context_start();
	if (context == NULL)
		return complain("listen: cannot be served");
	if (me.conf.metrics_listen[0] != '\0' &&
	    http_metrics_start(root, me.conf.metrics_listen, ready, NULL, &metrics, &why) != GBA_OK)
		return complain(why);
	me.context = context;
	serve(context, role, path);
	requests_forget(me.requests, NULL);
	coap_free_context(context);
	talloc_free(me.ask);
	gba_naf_close(me.naf);
	talloc_free(me.requests);
	talloc_free(me.ways.inner); /* before the end of their libraries */
	talloc_free(me.ways.door);
	if (metrics != NULL)
		http_server_stop(metrics, 1000);
	return EXIT_SUCCESS;
}

static int run(const struct role *role, const char *path)
{
	TALLOC_CTX *root = talloc_named_const(NULL, 0, "coap");
	struct conf_error error = { "out of memory" };
	int status;

	secret_init();
	if (conf_load(root, role->name, path, role->items, &me.conf, &error) != GBA_OK ||
	    conf_common_apply("naf-coap", &me.conf.common, &error) != GBA_OK)
		return complain(error.text);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	coap_startup();
	coap_set_log_level(LOG_EMERG);
	coap_dtls_set_log_level(LOG_EMERG);
	status = start(root, role, path);
	coap_cleanup();
	curl_global_cleanup();
	talloc_free(root);
	trace_close();
	log_close();
	return status;
}

int main(int argc, char **argv)
{
	static const struct role role = {
		.name = "naf_coap",
		.program = "gba-naf-coap",
		.what = "CoAP over DTLS-PSK keyed by bootstrap tokens, in front of an application.",
		.daemon_conf = GBA_SYSCONFDIR "/naf-coap.conf",
		.items = coap_conf_items,
		.conf_size = sizeof(struct coap_conf),
		.run = run,
		.live = on_good_conf,
	};

	return role_main(&role, argc, argv);
}
