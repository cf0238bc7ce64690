/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/handshake.h"

#include <openssl/err.h>

#include "core/clock.h"
#include "core/trace.h"
#include "naf-adapter/libnaf/gba-naf-openssl.h"
#include "naf-adapter/proxy/access.h"
#include "naf-adapter/proxy/session.h"

enum run handshake_start(struct conn *conn)
{
	conn->state = CONN_HANDSHAKE;
	conn->tls = tls_set_ref(conn->gen->tls);
	conn->chan.ssl = tls_server_new(conn->tls, conn->chan.fd, conn);
	return conn->chan.ssl != NULL ? RUN_AGAIN : RUN_CLOSE;
}

/* Y.3056 10.5-2c: both arrows of the handshake, once its B-TID is known. */
static void trace_handshake(const struct conn *conn, const char *outcome)
{
	char message[64];
	struct trace_step step = { .corr = conn->corr, .from = "ue", .to = "naf-proxy", .iface = "Ua",
				   .clause = "Y.3056 10.5-2c", .message = message };

	if (!trace_on() || conn->corr[0] == '\0')
		return;
	snprintf(message, sizeof(message), "ClientHello, psk_identity (%s)", SSL_get_version(conn->chan.ssl));
	if (conn->site != NULL)
		step.id = bytes_of(conn->site->fqdn);
	trace_step(&step);
	snprintf(message, sizeof(message), "%s", outcome);
	step.from = "naf-proxy";
	step.to = "ue";
	trace_step(&step);
}

static void corr_set(struct conn *conn)
{
	const char *btid = gba_naf_tls_btid(conn->chan.ssl);
	uint8_t rand[RAND_LEN];

	if (btid != NULL && btid_parse(bytes_of(btid), rand, NULL) == GBA_OK)
		corr_from_rand(rand, conn->corr);
}

/* What the agent's refusal means here. */
static enum handshake_outcome outcome_of(enum gba_naf_error error)
{
	if (gba_naf_error_renegotiate(error))
		return HANDSHAKE_UNKNOWN;
	return gba_naf_error_http(error) >= 500 ? HANDSHAKE_UNAVAILABLE : HANDSHAKE_FORBIDDEN;
}

static enum run failed(struct conn *conn, enum handshake_outcome outcome, const char *why)
{
	enum gba_naf_error error = gba_naf_tls_error(conn->chan.ssl);

	corr_set(conn);
	if (error != GBA_NAF_OK && outcome != HANDSHAKE_SLOW) {
		outcome = outcome_of(error);
		why = gba_naf_strerror(error);
		metric_add(conn->worker->proxy->stats.key_failed, 1);
	}
	access_handshake(conn, outcome, why);
	trace_handshake(conn, "alert");
	return RUN_CLOSE;
}

enum run handshake_timeout(struct conn *conn)
{
	access_timeout(conn, TIMEOUT_HANDSHAKE);
	return failed(conn, HANDSHAKE_SLOW, "too slow");
}

void handshake_abort(struct conn *conn)
{
	if (conn->chan.ssl != NULL && conn->state == CONN_HANDSHAKE)
		gba_naf_tls_abort(conn->chan.ssl);
}

void handshake_ua_id(const struct conn *conn, uint8_t ua_id[GBA_NAF_UA_ID_LEN])
{
	SSL *ssl = conn->chan.ssl;

	gba_naf_ua_id_http_digest(ua_id);
	if (ssl == NULL || (SSL_version(ssl) == TLS1_3_VERSION && conn->site->conf->tls13_ua_id == UA_ID_HTTP))
		return;
	gba_naf_ua_id_tls12(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl)), ua_id);
}

/* All suites OpenSSL has; made once. */
static SSL_CTX *all_suites;

static void all_suites_make(void)
{
	all_suites = SSL_CTX_new(TLS_method());
	if (all_suites != NULL)
		SSL_CTX_set_cipher_list(all_suites, "ALL:@SECLEVEL=0");
}

bool handshake_suite(struct bytes name, uint16_t *_number)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const STACK_OF(SSL_CIPHER) *suites;
	const SSL_CIPHER *suite;
	int i;

	pthread_once(&once, all_suites_make);
	suites = all_suites != NULL ? SSL_CTX_get_ciphers(all_suites) : NULL;
	for (i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
		suite = sk_SSL_CIPHER_value(suites, i);
		if (bytes_eq_str(name, SSL_CIPHER_get_name(suite)) || bytes_eq_str(name, SSL_CIPHER_standard_name(suite))) {
			*_number = SSL_CIPHER_get_protocol_id(suite);
			return true;
		}
	}
	return false;
}

static void count_done(const struct conn *conn)
{
	const struct stats *stats = &conn->worker->proxy->stats;
	bool tls13 = SSL_version(conn->chan.ssl) == TLS1_3_VERSION;

	if (conn->result != NULL)
		metric_add(tls13 ? stats->shake_psk13 : stats->shake_psk12, 1);
	else
		metric_add(tls13 ? stats->shake_cert13 : stats->shake_cert12, 1);
	metric_observe_us(stats->shake_time, clock_mono_us() - conn->accepted_us);
}

/* The device proved its key: remember it, and who the device is. */
static enum gba_err psk_done(struct conn *conn, struct gba_naf_result *result)
{
	SSL *ssl = conn->chan.ssl;

	if (SSL_version(ssl) == TLS1_3_VERSION)
		gba_naf_ua_id_tls13_psk(conn->ua_id);
	else
		gba_naf_ua_id_tls12(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl)), conn->ua_id);
	keys_put(conn->worker->keys, result, conn->ua_id, clock_now());
	conn->result = gba_naf_result_ref(result);
	return conn_identify(conn);
}

static enum run refused(struct conn *conn, const char *why)
{
	access_stream(conn, STREAM_REFUSED, why);
	return conn_end(conn);
}

static enum run done(struct conn *conn)
{
	struct gba_naf_result *result = gba_naf_tls_result(conn->chan.ssl);
	enum gba_err err = GBA_OK;
	const char *why;

	SSL_clear_mode(conn->chan.ssl, SSL_MODE_ASYNC);
	if (result != NULL)
		err = psk_done(conn, result);
	count_done(conn);
	corr_set(conn);
	trace_handshake(conn, "Finished");
	access_handshake(conn, HANDSHAKE_DONE, NULL);
	if (conn->site->conf->mode == SITE_HTTP)
		return err == GBA_E_NOMEM ? RUN_CLOSE : http_start(conn);
	if (result == NULL || err != GBA_OK)
		return refused(conn, "no identity for this stream");
	if (session_judge(conn->site->conf, result, clock_now(), &why) != SESSION_TAKEN)
		return refused(conn, why);
	return tunnel_start(conn);
}

/* The device's proof does not fit the key: of TLS 1.2 its first record, of TLS 1.3 the binder. */
static bool is_wrong_key(unsigned long code)
{
	static const int reasons[] = { SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SSL_R_DIGEST_CHECK_FAILED,
				       SSL_R_BINDER_DOES_NOT_VERIFY, SSL_R_TLSV1_ALERT_DECRYPT_ERROR,
				       SSL_R_SSLV3_ALERT_BAD_RECORD_MAC };
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (ERR_GET_REASON(code) == reasons[i])
			return true;
	}
	return false;
}

/* OpenSSL has written its alert; a reset must not overtake it. */
static enum run broken(struct conn *conn)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code != 0 ? ERR_reason_error_string(code) : "connection lost";

	failed(conn, code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? HANDSHAKE_LOST :
		     is_wrong_key(code) ? HANDSHAKE_WRONG_KEY : HANDSHAKE_FAILED,
	       why != NULL ? why : "TLS error");
	ERR_clear_error();
	if (code == 0)
		return RUN_CLOSE;
	SSL_free(conn->chan.ssl);
	conn->chan.ssl = NULL;
	return conn_end(conn);
}

enum run handshake_run(struct conn *conn)
{
	int rc, error;

	if (gba_naf_tls_waiting(conn->chan.ssl))
		return RUN_WAIT;
	conn_wait_for_key(conn, false);
	ERR_clear_error();
	rc = SSL_do_handshake(conn->chan.ssl);
	if (rc == 1)
		return done(conn);
	error = SSL_get_error(conn->chan.ssl, rc);
	switch (error) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		chan_wait_for(&conn->chan, error == SSL_ERROR_WANT_READ, error == SSL_ERROR_WANT_WRITE);
		return RUN_WAIT;
	case SSL_ERROR_WANT_ASYNC:
		chan_wait_for(&conn->chan, false, false);
		return conn_wait_for_key(conn, true) ? RUN_WAIT : failed(conn, HANDSHAKE_UNAVAILABLE, "too many wait for a key");
	default: break;
	}
	return broken(conn);
}
