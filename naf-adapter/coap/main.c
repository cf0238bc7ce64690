/* SPDX-License-Identifier: Apache-2.0 */
/* gba-naf-coap: CoAP (RFC 7252) over DTLS-PSK keyed by bootstrap tokens, in front of an HTTP application. libcoap asks
 * for a device's key while its handshake waits and cannot come back to it later: a handshake with a key that the agent
 * has to fetch from the BSF holds the others for that time, at most agent-timeout. Requests of sessions that stand hold
 * them for the application's time. */
#include <arpa/inet.h>
#include <coap3/coap.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/ident.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/secret.h"
#include "core/trace.h"
#include "http/json.h"
#include "http/server.h"
#include "naf-adapter/coap/cbor.h"
#include "naf-adapter/coap/conf.h"
#include "naf-adapter/coap/door.h"
#include "naf-adapter/libnaf/gba-naf.h"

#define LOOP_MS    500
#define TARGET_MAX 1024

static bool address_valid(struct bytes text)
{
	return text.n > 0 && http_listen_valid(text);
}

static bool socket_valid(struct bytes text)
{
	return text.n > 5 && memcmp(text.p, "unix:", 5) == 0;
}

const struct conf_item coap_conf_items[] = {
	CONF_COMMON(struct coap_conf, common),
	CONF_STR("listen", "0.0.0.0:5684", 3, 64, address_valid, struct coap_conf, listen,
		 "Where devices connect: address and UDP port"),
	CONF_STR("fqdn", NULL, 1, FQDN_MAX, fqdn_valid, struct coap_conf, fqdn,
		 "Name devices address: FQDN of the NAF_Id"),
	CONF_STR("upstream", NULL, 6, 112, socket_valid, struct coap_conf, upstream,
		 "The application: \"unix:/run/gba/registry.sock\""),
	CONF_STR("agent-socket", "", 0, 107, NULL, struct coap_conf, agent_socket,
		 "Socket of the agent; empty: the installation's"),
	CONF_STR("metrics-listen", "", 0, 64, http_listen_valid, struct coap_conf, metrics_listen,
		 "Address and port of /metrics, /livez, /readyz; empty: off"),
	CONF_U32("agent-timeout", 3000, 100, 60000, "ms", struct coap_conf, agent_timeout, "Wait for a key"),
	CONF_U32("upstream-timeout", 5000, 100, 60000, "ms", struct coap_conf, upstream_timeout,
		 "Wait for the application"),
	CONF_U32("max-sessions", 10000, 1, 1000000, "", struct coap_conf, max_sessions, "Idle DTLS sessions kept"),
	CONF_U32("idle-timeout", 300, 10, 86400, "s", struct coap_conf, idle_timeout,
		 "Sessions that are silent for so long end"),
	CONF_END
};

static struct {
	struct coap_conf conf;
	struct gba_naf *naf;
	struct door *door;
	struct metric *handshakes, *refused, *requests;
} me;
static volatile sig_atomic_t ended;

/* A device, as long as its session. */
struct device {
	struct gba_naf_result *result;
	coap_bin_const_t key;
};

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

static enum gba_naf_error ask_agent(coap_session_t *session, const coap_bin_const_t *identity,
				    struct gba_naf_result **_result)
{
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;
	struct gba_naf_identity id;
	enum gba_naf_error error = gba_naf_identity_parse((const char *)identity->s, identity->length, &id);

	if (error != GBA_NAF_OK)
		return error;
	if (id.kind != GBA_NAF_KIND_ME || !ua_id_of(session, query.ua_id))
		return GBA_NAF_E_NOT_AUTHORIZED;
	query.btid = id.btid;
	query.btid_len = id.btid_len;
	query.fqdn = me.conf.fqdn;
	query.timeout_ms = me.conf.agent_timeout;
	return gba_naf_get(me.naf, &query, _result);
}

static void forget(coap_session_t *session)
{
	struct device *device = coap_session_get_app_data(session);

	coap_session_set_app_data(session, NULL);
	if (device == NULL)
		return;
	gba_naf_result_free(device->result);
	free(device);
}

static const coap_bin_const_t *on_identity(coap_bin_const_t *identity, coap_session_t *session, void *arg)
{
	struct gba_naf_result *result = NULL;
	struct device *device;
	enum gba_naf_error error;

	(void)arg;
	metric_add(me.handshakes, 1);
	error = ask_agent(session, identity, &result);
	device = error == GBA_NAF_OK && gba_naf_result_impi(result) != NULL ? calloc(1, sizeof(*device)) : NULL;
	if (device == NULL) {
		metric_add(me.refused, 1);
		log_event_limited(1, LOG_L_INFO, "coap.handshake", NULL, "refused: %s",
				  error == GBA_NAF_OK ? "the agent may not know the IMPI" : gba_naf_strerror(error));
		gba_naf_result_free(result);
		return NULL;
	}
	forget(session);
	tell(result, false, "Y.3056 10.5-2c", "ClientHello, psk_identity (DTLS)");
	*device = (struct device){
		result, {GBA_NAF_KEY_LEN, gba_naf_result_key(result)}
	};
	coap_session_set_app_data(session, device);
	return &device->key;
}

static int on_event(coap_session_t *session, coap_event_t event)
{
	/* A handshake that fails after its key was given ends without SESSION_DEL. */
	if (event == COAP_EVENT_SERVER_SESSION_DEL || event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR)
		forget(session);
	return 0;
}

/* ---- requests ---- */

static coap_pdu_code_t code_of(unsigned int status)
{
	static const struct {
		unsigned int status;
		coap_pdu_code_t code;
	} rows[] = {
		{200,  COAP_RESPONSE_CODE_CONTENT                   },
                { 201, COAP_RESPONSE_CODE_CREATED                   },
		{ 400, COAP_RESPONSE_CODE_BAD_REQUEST               },
                { 401, COAP_RESPONSE_CODE_UNAUTHORIZED              },
		{ 403, COAP_RESPONSE_CODE_FORBIDDEN                 },
                { 404, COAP_RESPONSE_CODE_NOT_FOUND                 },
		{ 405, COAP_RESPONSE_CODE_NOT_ALLOWED               },
                { 409, COAP_RESPONSE_CODE_CONFLICT                  },
		{ 413, COAP_RESPONSE_CODE_REQUEST_TOO_LARGE         },
                { 415, COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT},
		{ 422, COAP_RESPONSE_CODE_UNPROCESSABLE             },
                { 503, COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE       },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].status == status)
			return rows[i].code;
	}
	return status < 500 ? COAP_RESPONSE_CODE_BAD_REQUEST : COAP_RESPONSE_CODE_INTERNAL_ERROR;
}

/* One exchange on its way through. */
struct passing {
	TALLOC_CTX *ctx;
	coap_resource_t *resource;
	coap_session_t *session;
	const coap_pdu_t *request;
	const coap_string_t *query;
	coap_pdu_t *response;
	bool cbor;
};

static uint16_t format_of(const coap_pdu_t *request)
{
	coap_opt_iterator_t iterator;
	coap_opt_t *option = coap_check_option(request, COAP_OPTION_CONTENT_FORMAT, &iterator);

	return option != NULL ? (uint16_t)coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option))
			      : COAP_MEDIATYPE_APPLICATION_CBOR;
}

static const char *target_of(struct passing *p)
{
	coap_string_t *path = coap_get_uri_path(p->request);
	char *target = NULL;

	if (path != NULL && path->length + (p->query != NULL ? p->query->length : 0) < TARGET_MAX)
		target = talloc_asprintf(p->ctx, "/%.*s%s%.*s", (int)path->length, (const char *)path->s,
					 p->query != NULL ? "?" : "", p->query != NULL ? (int)p->query->length : 0,
					 p->query != NULL ? (const char *)p->query->s : "");
	coap_delete_string(path);
	return target;
}

/* The body as JSON text; absent: none. */
static enum gba_err body_of(struct passing *p, struct bytes *_body)
{
	const uint8_t *data = NULL;
	size_t n = 0, offset = 0, total = 0;
	json_t *json = NULL;
	enum gba_err err;
	char *text;

	*_body = BYTES_NONE;
	if (coap_get_data_large(p->request, &n, &data, &offset, &total) == 0 || n == 0)
		return GBA_OK;
	if (offset != 0 || n != total || n > CBOR_BODY_MAX)
		return GBA_E_TOO_LONG;
	if (!p->cbor) {
		*_body = BYTES(data, n);
		return GBA_OK;
	}
	err = cbor_to_json(BYTES(data, n), &json);
	if (err != GBA_OK)
		return err;
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	*_body = text != NULL ? bytes_of(talloc_strdup(p->ctx, text)) : BYTES_NONE;
	free(text);
	return _body->p != NULL ? GBA_OK : GBA_E_NOMEM;
}

static void give_up(coap_session_t *session, void *body)
{
	(void)session;
	free(body);
}

/* The application's body in the format the device spoke; refusals keep their reason, too. */
static void answer(struct passing *p, const struct door_answer *from)
{
	struct bytes body = BYTES_NONE;
	json_t *json = NULL;
	uint8_t *copy;

	coap_pdu_set_code(p->response, code_of(from->status));
	if (from->body.n == 0)
		return;
	if (p->cbor && json_read(from->body, &json, NULL) == GBA_OK)
		cbor_from_json(json, &body);
	json_decref(json);
	if (!p->cbor) {
		copy = malloc(from->body.n);
		if (copy != NULL)
			body = BYTES(memcpy(copy, from->body.p, from->body.n), from->body.n);
	}
	if (body.p != NULL)
		coap_add_data_large_response(p->resource, p->session, p->request, p->response, p->query,
					     p->cbor ? COAP_MEDIATYPE_APPLICATION_CBOR
						     : COAP_MEDIATYPE_APPLICATION_JSON,
					     -1, 0, body.n, body.p, give_up, (void *)(uintptr_t)body.p);
}

static const char *method_of(const coap_pdu_t *request)
{
	switch (coap_pdu_get_code(request)) {
	case COAP_REQUEST_CODE_GET: return "GET";
	case COAP_REQUEST_CODE_PUT: return "PUT";
	case COAP_REQUEST_CODE_POST: return "POST";
	default: return NULL;
	}
}

static void refuse(struct passing *p, enum gba_err err)
{
	coap_pdu_set_code(p->response,
			  err == GBA_E_TOO_LONG ? COAP_RESPONSE_CODE_REQUEST_TOO_LARGE : code_of(gba_err_http(err)));
	log_event_limited(1, LOG_L_INFO, "coap.refused", NULL, "%s", gba_strerror(err));
}

static void pass(struct passing *p, const struct device *device)
{
	uint16_t format = format_of(p->request);
	const char *method = method_of(p->request), *target = target_of(p);
	struct door_answer from = { 0, BYTES_NONE };
	struct bytes body;
	enum gba_err err;

	p->cbor = format == COAP_MEDIATYPE_APPLICATION_CBOR;
	if (method == NULL || target == NULL) {
		refuse(p, method == NULL ? GBA_E_UNSUPPORTED : GBA_E_TOO_LONG);
		return;
	}
	if (!p->cbor && format != COAP_MEDIATYPE_APPLICATION_JSON) {
		coap_pdu_set_code(p->response, COAP_RESPONSE_CODE_UNSUPPORTED_CONTENT_FORMAT);
		return;
	}
	err = body_of(p, &body);
	if (err == GBA_OK)
		err = door_ask(me.door, p->ctx, method, target, gba_naf_result_impi(device->result), body, &from);
	if (err == GBA_OK)
		answer(p, &from);
	else
		refuse(p, err);
}

static void on_request(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
		       const coap_string_t *query, coap_pdu_t *response)
{
	const struct device *device = coap_session_get_app_data(session);
	struct passing p = { talloc_new(NULL), resource, session, request, query, response, true };

	metric_add(me.requests, 1);
	if (device != NULL)
		tell(device->result, false, "Y.3056 10.5-3", method_of(request) != NULL ? method_of(request) : "request");
	if (device == NULL || gba_naf_result_expiry(device->result) <= clock_now())
		coap_pdu_set_code(response, COAP_RESPONSE_CODE_UNAUTHORIZED); /* bootstrap again (TS 24.109 5.2.5) */
	else
		pass(&p, device);
	if (device != NULL)
		tell(device->result, true, "Y.3056 10.5-3",
		     coap_pdu_get_code(response) < COAP_RESPONSE_CODE_BAD_REQUEST ? "2.xx" : "refused");
	talloc_free(p.ctx);
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

static coap_context_t *context_start(void)
{
	static const uint8_t hint[] = GBA_NAF_PSK_HINT;
	coap_dtls_spsk_t psk = { .version = COAP_DTLS_SPSK_SETUP_VERSION, .validate_id_call_back = on_identity };
	coap_address_t address = address_of(me.conf.listen);
	coap_context_t *context = coap_new_context(NULL);
	coap_resource_t *all;

	if (context == NULL)
		return NULL;
	psk.psk_info.hint = (coap_bin_const_t){ sizeof(hint) - 1, hint };
	psk.psk_info.key = psk.psk_info.hint; /* libcoap wants one; no identity is answered with it */
	coap_context_set_block_mode(context, COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
	coap_context_set_max_idle_sessions(context, me.conf.max_sessions);
	coap_context_set_session_timeout(context, me.conf.idle_timeout);
	coap_register_event_handler(context, on_event);
	all = coap_resource_unknown_init(on_request);
	if (all != NULL) {
		coap_register_request_handler(all, COAP_REQUEST_GET, on_request);
		coap_register_request_handler(all, COAP_REQUEST_POST, on_request);
		coap_add_resource(context, all);
	}
	if (all == NULL || coap_context_set_psk2(context, &psk) == 0 ||
	    coap_new_endpoint(context, &address, COAP_PROTO_DTLS) == NULL) {
		coap_free_context(context);
		return NULL;
	}
	return context;
}

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void serve(coap_context_t *context)
{
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	log_event(LOG_L_INFO, "coap.start", NULL, "%s, for %s", me.conf.listen, me.conf.fqdn);
	while (!ended && coap_io_process(context, LOOP_MS) >= 0)
		gba_naf_process(me.naf);
	log_event(LOG_L_INFO, "coap.stop", NULL, "stopped");
}

static bool ready(void *arg, const char **_missing)
{
	(void)arg, (void)_missing;
	return true;
}

static int start(TALLOC_CTX *root)
{
	struct http_server *metrics = NULL;
	const char *why = "";
	coap_context_t *context;

	me.handshakes = metric_get("gba_coap_handshakes_total", "DTLS handshakes that named a key", METRIC_COUNTER, "");
	me.refused = metric_get("gba_coap_handshakes_refused_total", "Those without a key", METRIC_COUNTER, "");
	me.requests = metric_get("gba_coap_requests_total", "Requests of devices", METRIC_COUNTER, "");
	me.door = door_new(root, me.conf.upstream + 5, me.conf.upstream_timeout);
	if (me.door == NULL ||
	    gba_naf_open(me.conf.agent_socket[0] != '\0' ? me.conf.agent_socket : NULL, &me.naf) != GBA_NAF_OK)
		return complain("out of memory");
	context = context_start();
	if (context == NULL)
		return complain("listen: cannot be served");
	if (me.conf.metrics_listen[0] != '\0' &&
	    http_metrics_start(root, me.conf.metrics_listen, ready, NULL, &metrics, &why) != GBA_OK)
		return complain(why);
	serve(context);
	coap_free_context(context);
	gba_naf_close(me.naf);
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
	status = start(root);
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
		.what = "CoAP over DTLS-PSK keyed by bootstrap tokens, in front of an HTTP application.",
		.daemon_conf = GBA_SYSCONFDIR "/naf-coap.conf",
		.items = coap_conf_items,
		.conf_size = sizeof(struct coap_conf),
		.run = run,
	};

	return role_main(&role, argc, argv);
}
