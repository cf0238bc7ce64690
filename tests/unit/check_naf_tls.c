/* SPDX-License-Identifier: Apache-2.0 */
/* PSK-TLS between OpenSSL's own client and a server with libgba-naf-openssl, in one thread over a pair of buffers. The key
 * depends on the NAF_Id, so a handshake only succeeds when the server asked for the suite that was negotiated. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "common/fixture.h"
#include "naf-adapter/libnaf/gba-naf-openssl.h"
#include "unit/naf_host.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
#define NAF "naf1.example.com"
#define TRIES 2000

/* OpenSSL's jobs switch stacks, which ThreadSanitizer cannot follow. */
#ifdef __SANITIZE_THREAD__
#define MODES 1
#else
#define MODES 2
#endif

static struct host *host;
static struct gba_naf *naf;
static struct gba_naf_tls *tls;
static SSL_CTX *server_ctx, *client_ctx;
static size_t ready_calls, sessions_given;
static unsigned int patience; /* [ms] of the server with the agent */

static void on_ready(SSL *ssl, void *arg)
{
	ck_assert_ptr_eq(arg, &ready_calls);
	ck_assert_int_eq(gba_naf_tls_waiting(ssl), 0);
	ready_calls++;
}

static void server_make(int async, unsigned int flags)
{
	static const char *const names[] = { NAF, "x.apps.example.com", NULL };
	struct gba_naf_tls_options o = GBA_NAF_TLS_OPTIONS_INIT;

	o.fqdns = names;
	o.flags = flags;
	o.timeout_ms = patience;
	o.socket_path = host_socket(host);
	o.naf = async ? naf : NULL;
	o.ready = on_ready;
	o.arg = &ready_calls;
	server_ctx = SSL_CTX_new(TLS_server_method());
	ck_assert_int_eq(gba_naf_tls_new(server_ctx, &o, &tls), GBA_NAF_OK);
}

static void setup(void)
{
	ready_calls = sessions_given = 0;
	patience = 30000;
	host = host_new(getuid());
	ck_assert_int_eq(gba_naf_open(host_socket(host), &naf), GBA_NAF_OK);
}

static void teardown(void)
{
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
	server_ctx = client_ctx = NULL;
	gba_naf_tls_free(tls);
	tls = NULL;
	gba_naf_close(naf);
	host_free(host);
}

/* ---- a device ---- */

struct device {
	const char *prefix, *sni, *groups;
	char btid[96];
	uint8_t ua_id[5];
	int version, internal, wrong_key;
	const char *suites;
};

static struct device device_of(char does, int version, const char *suites, uint16_t point)
{
	struct device d = { .prefix = "3GPP-bootstrapping;", .sni = NAF, .version = version, .suites = suites };

	snprintf(d.btid, sizeof(d.btid), "%s", host_btid(does, 42));
	if (version == TLS1_3_VERSION)
		gba_naf_ua_id_tls13_psk(d.ua_id);
	else
		gba_naf_ua_id_tls12(point, d.ua_id);
	return d;
}

static unsigned int device_key(SSL *ssl, const char *hint, char *identity, unsigned int max, unsigned char *psk,
			       unsigned int psk_max)
{
	const struct device *d = SSL_get_app_data(ssl);

	ck_assert_uint_ge(psk_max, 32);
	if (d->version == TLS1_2_VERSION)
		ck_assert_int_eq(strncmp(hint, "3GPP-bootstrapping", 18), 0);
	snprintf(identity, max, "%s%s", d->prefix, d->btid);
	host_key(d->btid, d->sni != NULL ? d->sni : NAF, d->ua_id, d->internal, psk);
	psk[31] ^= d->wrong_key != 0;
	return 32;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl, (void)session;
	sessions_given++;
	return 0;
}

static SSL *client_new(struct device *d)
{
	SSL *ssl;

	if (client_ctx == NULL) {
		client_ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_psk_client_callback(client_ctx, device_key);
		SSL_CTX_set_session_cache_mode(client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(client_ctx, on_session);
	}
	ssl = SSL_new(client_ctx);
	SSL_set_min_proto_version(ssl, d->version);
	SSL_set_max_proto_version(ssl, d->version);
	SSL_set_app_data(ssl, d);
	if (d->version == TLS1_3_VERSION)
		ck_assert_int_eq(SSL_set_ciphersuites(ssl, d->suites), 1);
	else
		ck_assert_int_eq(SSL_set_cipher_list(ssl, d->suites), 1);
	if (d->groups != NULL)
		ck_assert_int_eq(SSL_set1_groups_list(ssl, d->groups), 1);
	if (d->sni != NULL)
		SSL_set_tlsext_host_name(ssl, d->sni);
	SSL_set_connect_state(ssl);
	return ssl;
}

static SSL *server_new(SSL *client)
{
	SSL *ssl = SSL_new(server_ctx);
	BIO *a, *b;

	ck_assert_int_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(ssl, b, b);
	SSL_set_accept_state(ssl);
	return ssl;
}

static int wants(const SSL *ssl, int rc)
{
	int error = SSL_get_error(ssl, rc);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_ASYNC;
}

static void wait_for_agent(void)
{
	struct pollfd pfd = { .fd = gba_naf_fd(naf), .events = POLLIN };

	if (poll(&pfd, 1, 1000) > 0)
		gba_naf_process(naf);
}

/* @return 1: both sides have finished */
static int shake(SSL *client, SSL *server)
{
	int c = 0, s = 0, i;

	for (i = 0; i < TRIES && (c != 1 || s != 1); i++) {
		ERR_clear_error();
		if (c != 1)
			c = SSL_do_handshake(client);
		if (c != 1 && !wants(client, c))
			c = -2;
		if (s != 1)
			s = SSL_do_handshake(server);
		if (s != 1 && SSL_get_error(server, s) == SSL_ERROR_WANT_ASYNC)
			wait_for_agent();
		else if (s != 1 && !wants(server, s))
			return 0;
		if (c == -2)
			return 0;
	}
	return c == 1 && s == 1;
}

/* ---- suites ---- */

static const struct {
	const char *suite;
	int version;
	uint16_t point; /* IANA's */
} suite_rows[] = {
	{ "PSK-AES128-GCM-SHA256", TLS1_2_VERSION, 0x00a8 },
	{ "PSK-AES256-GCM-SHA384", TLS1_2_VERSION, 0x00a9 },
	{ "DHE-PSK-AES128-GCM-SHA256", TLS1_2_VERSION, 0x00aa },
	{ "DHE-PSK-AES256-GCM-SHA384", TLS1_2_VERSION, 0x00ab },
	{ "ECDHE-PSK-CHACHA20-POLY1305", TLS1_2_VERSION, 0xccac },
	{ "PSK-AES128-GCM-SHA256:DHE-PSK-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305", TLS1_2_VERSION, 0xccac },
	{ "TLS_AES_128_GCM_SHA256", TLS1_3_VERSION, 0x1301 },
	{ "TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION, 0x1303 },
	{ "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", TLS1_3_VERSION, 0x1301 },
};

START_TEST(key_fits_the_suite_that_was_negotiated)
{
	struct device d = device_of(DOES_ANSWER, suite_rows[_i / 2].version, suite_rows[_i / 2].suite, suite_rows[_i / 2].point);
	SSL *client = client_new(&d), *server;
	struct gba_naf_result *who;

	if (_i % 2 >= MODES) {
		SSL_free(client);
		return;
	}
	server_make(_i % 2, 0);
	server = server_new(client);
	ck_assert_msg(shake(client, server), "%s: %s", d.suites, gba_naf_error_name(gba_naf_tls_error(server)));
	ck_assert_uint_eq(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(client)), suite_rows[_i / 2].point);
	who = gba_naf_tls_result(server);
	ck_assert_ptr_nonnull(who);
	ck_assert_str_eq(gba_naf_result_btid(who), d.btid);
	ck_assert_str_eq(gba_naf_result_impi(who), HOST_IMPI);
	ck_assert_str_eq(gba_naf_tls_fqdn(server), NAF);
	ck_assert_int_eq(gba_naf_tls_key_kind(server), GBA_NAF_KIND_ME);
	ck_assert_uint_eq(ready_calls, _i % 2);
	ck_assert_uint_eq(host_asked(host), 1);
	SSL_free(server);
	SSL_free(client);
	ck_assert_uint_eq(sessions_given, d.version == TLS1_3_VERSION ? 0 : sessions_given);
}
END_TEST

/* ---- refusals ---- */

static const struct {
	const char *name, *prefix, *sni;
	char does;
	int wrong_key;
	unsigned int flags;
	enum gba_naf_error error; /* of the look-up */
	int accepted;
} refusal_rows[] = {
	{ "wrong key", "3GPP-bootstrapping;", NAF, DOES_ANSWER, 1, 0, GBA_NAF_OK, 0 },
	{ "unknown", "3GPP-bootstrapping;", NAF, DOES_UNKNOWN, 0, 0, GBA_NAF_E_BTID_UNKNOWN, 0 },
	{ "not authorised", "3GPP-bootstrapping;", NAF, DOES_REFUSE, 0, 0, GBA_NAF_E_NOT_AUTHORIZED, 0 },
	{ "no answer", "3GPP-bootstrapping;", NAF, DOES_NOTHING, 0, 0, GBA_NAF_E_TIMEOUT, 0 },
	{ "no prefix", "", NAF, DOES_ANSWER, 0, 0, GBA_NAF_E_BTID_SYNTAX, 0 },
	{ "other prefix", "3GPP-AKMA;", NAF, DOES_ANSWER, 0, 0, GBA_NAF_E_BTID_SYNTAX, 0 },
	{ "foreign name", "3GPP-bootstrapping;", "naf2.example.com", DOES_ANSWER, 0, 0, GBA_NAF_E_DENIED, 0 },
	{ "second name", "3GPP-bootstrapping;", "x.apps.example.com", DOES_ANSWER, 0, 0, GBA_NAF_OK, 1 },
	{ "no name", "3GPP-bootstrapping;", NULL, DOES_ANSWER, 0, 0, GBA_NAF_OK, 1 },
	{ "no name, required", "3GPP-bootstrapping;", NULL, DOES_ANSWER, 0, GBA_NAF_TLS_REQUIRE_SNI, GBA_NAF_E_DENIED, 0 },
	{ "other separator", "3GPP-bootstrapping.", NAF, DOES_ANSWER, 0, 0, GBA_NAF_OK, 1 },
	{ "UICC key not offered", "3GPP-bootstrapping-uicc;", NAF, DOES_INT, 0, 0, GBA_NAF_E_NO_INT_KEY, 0 },
	{ "UICC key", "3GPP-bootstrapping-uicc;", NAF, DOES_INT, 0, GBA_NAF_TLS_UICC, GBA_NAF_OK, 1 },
	{ "UICC key not there", "3GPP-bootstrapping-uicc;", NAF, DOES_ANSWER, 0, GBA_NAF_TLS_UICC, GBA_NAF_E_NO_INT_KEY, 0 },
	{ "digest", "3GPP-bootstrapping-digest;", NAF, DOES_ANSWER, 0, GBA_NAF_TLS_UICC, GBA_NAF_E_NO_INT_KEY, 0 },
};

/* Each row with TLS 1.2 and 1.3, waiting and not. */
START_TEST(only_the_right_device_gets_in)
{
	int row = _i / 4, version = _i % 4 / 2 ? TLS1_3_VERSION : TLS1_2_VERSION, async = _i % 2;
	struct device d = device_of(refusal_rows[row].does, version,
				    version == TLS1_3_VERSION ? "TLS_AES_128_GCM_SHA256" : "PSK-AES128-GCM-SHA256", 0x00a8);
	SSL *client, *server;

	if (async >= MODES)
		return;
	d.prefix = refusal_rows[row].prefix;
	d.sni = refusal_rows[row].sni;
	d.wrong_key = refusal_rows[row].wrong_key;
	d.internal = refusal_rows[row].does == DOES_INT;
	if (refusal_rows[row].does == DOES_NOTHING)
		patience = 500;
	server_make(async, refusal_rows[row].flags);
	client = client_new(&d);
	server = server_new(client);
	ck_assert_msg(shake(client, server) == refusal_rows[row].accepted, "%s", refusal_rows[row].name);
	ck_assert_msg(gba_naf_tls_error(server) == refusal_rows[row].error, "%s: %s", refusal_rows[row].name,
		      gba_naf_error_name(gba_naf_tls_error(server)));
	ck_assert_int_eq(gba_naf_tls_result(server) != NULL, refusal_rows[row].accepted);
	if (refusal_rows[row].accepted)
		ck_assert_str_eq(gba_naf_tls_fqdn(server), d.sni != NULL ? d.sni : NAF);
	SSL_free(server);
	SSL_free(client);
}
END_TEST

/* The second ClientHello names the same PSK again: one question. */
START_TEST(retried_hello_asks_once)
{
	struct device d = device_of(DOES_ANSWER, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", 0);
	SSL *client, *server;

	if (_i >= MODES)
		return;
	server_make(_i, 0);
	ck_assert_int_eq(SSL_CTX_set1_groups_list(server_ctx, "X25519"), 1);
	d.groups = "P-521:X25519";
	client = client_new(&d);
	server = server_new(client);
	ck_assert(shake(client, server));
	ck_assert_ptr_nonnull(gba_naf_tls_result(server));
	ck_assert_uint_eq(host_asked(host), 1);
	SSL_free(server);
	SSL_free(client);
}
END_TEST

/* ---- one thread, many handshakes ---- */

enum { MANY = 1000 };

START_TEST(one_thread_holds_many_that_wait)
{
	static struct device devices[MANY];
	static SSL *clients[MANY], *servers[MANY];
	size_t i, open = 0;
	int c;

	if (MODES < 2)
		return;
	server_make(1, 0);
	for (i = 0; i < MANY; i++) {
		devices[i] = device_of(DOES_LATE, i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION,
				       i % 2 ? "TLS_AES_128_GCM_SHA256" : "PSK-AES128-GCM-SHA256", 0x00a8);
		snprintf(devices[i].btid, sizeof(devices[i].btid), "%s", host_btid(DOES_LATE, (unsigned int)i));
		clients[i] = client_new(&devices[i]);
		servers[i] = server_new(clients[i]);
		do {
			c = SSL_do_handshake(clients[i]);
			c = SSL_do_handshake(servers[i]);
		} while (SSL_get_error(servers[i], c) == SSL_ERROR_WANT_READ);
		ck_assert_int_eq(SSL_get_error(servers[i], c), SSL_ERROR_WANT_ASYNC);
		ck_assert_int_eq(gba_naf_tls_waiting(servers[i]), 1);
	}
	for (i = 0; i < MANY; i++) {
		open += (size_t)shake(clients[i], servers[i]);
		SSL_free(clients[i]);
		SSL_free(servers[i]);
	}
	ck_assert_uint_eq(open, MANY);
	ck_assert_uint_eq(ready_calls, MANY);
}
END_TEST

START_TEST(waiting_handshake_can_be_given_up)
{
	struct device d = device_of(DOES_NOTHING, _i ? TLS1_3_VERSION : TLS1_2_VERSION,
				    _i ? "TLS_AES_128_GCM_SHA256" : "PSK-AES128-GCM-SHA256", 0x00a8);
	SSL *client, *server;
	int c;

	if (MODES < 2)
		return;
	server_make(1, 0);
	client = client_new(&d);
	server = server_new(client);
	do {
		SSL_do_handshake(client);
		c = SSL_do_handshake(server);
	} while (SSL_get_error(server, c) == SSL_ERROR_WANT_READ);
	ck_assert_int_eq(SSL_get_error(server, c), SSL_ERROR_WANT_ASYNC);
	gba_naf_tls_abort(server);
	ck_assert_int_eq(gba_naf_tls_waiting(server), 0);
	ck_assert_ptr_null(gba_naf_tls_result(server));
	gba_naf_tls_abort(server); /* nothing to do */
	SSL_free(server);
	SSL_free(client);
	ck_assert_uint_eq(ready_calls, 0);
}
END_TEST

START_TEST(options_are_checked)
{
	static const char *const none[] = { NULL }, *const bad[] = { "not a name", NULL }, *const good[] = { NAF, NULL };
	struct gba_naf_tls_options o = GBA_NAF_TLS_OPTIONS_INIT;
	struct gba_naf_tls *made = NULL;

	server_ctx = SSL_CTX_new(TLS_server_method());
	ck_assert_int_eq(gba_naf_tls_new(server_ctx, &o, &made), GBA_NAF_E_ARGUMENT);
	o.fqdns = none;
	ck_assert_int_eq(gba_naf_tls_new(server_ctx, &o, &made), GBA_NAF_E_ARGUMENT);
	o.fqdns = bad;
	ck_assert_int_eq(gba_naf_tls_new(server_ctx, &o, &made), GBA_NAF_E_ARGUMENT);
	o.fqdns = good;
	o.naf = naf; /* without ready */
	ck_assert_int_eq(gba_naf_tls_new(server_ctx, &o, &made), GBA_NAF_E_ARGUMENT);
	ck_assert_ptr_null(made);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("naf tls");
	TCase *tc = tcase_create("tls");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, key_fits_the_suite_that_was_negotiated, 0, 2 * ROWS(suite_rows));
	tcase_add_loop_test(tc, only_the_right_device_gets_in, 0, 4 * ROWS(refusal_rows));
	tcase_add_loop_test(tc, retried_hello_asks_once, 0, 2);
	tcase_add_test(tc, one_thread_holds_many_that_wait);
	tcase_add_loop_test(tc, waiting_handshake_can_be_given_up, 0, 2);
	tcase_add_test(tc, options_are_checked);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
