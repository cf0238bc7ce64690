/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "naf-adapter/libnaf/gba-naf-openssl.h"
#include "naf-adapter/libnaf/tls.h"

/* DHE and ECDHE first: PSK alone has no forward secrecy. OpenSSL 3.0 lacks the ECDHE-PSK suites with AES-GCM (RFC 8442). */
#define SUITES_PSK                                                                                                     \
	"ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256:DHE-PSK-AES256-GCM-SHA384:"                             \
	"PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384"
#define SUITES_CERTIFICATE ":ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
/* The PSK is bound to SHA-256 (RFC 8446 4.2.11): with another hash it is passed over. So those suites come last, by our order, and
 * only where a certificate can take the PSK's place. */
#define SUITES_TLS13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_TLS13_CERTIFICATE ":TLS_AES_256_GCM_SHA384"

static int ctx_index = -1, ssl_index = -1;

static void conn_free_cb(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	struct tls_conn *conn = ptr;

	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	if (conn == NULL)
		return;
	gba_naf_cancel(conn->request);
	gba_naf_result_free(conn->result);
	free(conn);
}

static void make_indexes(void)
{
	ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, conn_free_cb);
}

static struct tls_conn *conn_of(const SSL *ssl)
{
	return ssl_index >= 0 ? SSL_get_ex_data(ssl, ssl_index) : NULL;
}

static struct tls_conn *conn_make(SSL *ssl)
{
	struct tls_conn *conn = conn_of(ssl);

	if (conn != NULL)
		return conn;
	conn = calloc(1, sizeof(*conn));
	if (conn == NULL)
		return NULL;
	conn->ssl = ssl;
	conn->tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index);
	if (conn->tls == NULL || SSL_set_ex_data(ssl, ssl_index, conn) != 1) {
		free(conn);
		return NULL;
	}
	return conn;
}

/* ---- which name, which key ---- */

static const char *name_find(const struct gba_naf_tls *tls, const char *sni, size_t len)
{
	size_t i;

	for (i = 0; tls->names[i] != NULL; i++) {
		if (strlen(tls->names[i]) == len && strncasecmp(tls->names[i], sni, len) == 0)
			return tls->names[i];
	}
	return NULL;
}

static const char *name_unnamed(const struct gba_naf_tls *tls)
{
	return (tls->flags & GBA_NAF_TLS_REQUIRE_SNI) == 0 ? tls->names[0] : NULL;
}

/* The name the device addressed (SNI); NULL: none of ours. */
static const char *name_of(const SSL *ssl, const struct gba_naf_tls *tls)
{
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	return sni != NULL ? name_find(tls, sni, strlen(sni)) : name_unnamed(tls);
}

/* OpenSSL looks for PSKs of TLS 1.3 before it reads the SNI: the extension is still raw (RFC 6066 3: list length 2, type 1,
 * name length 2, name). */
static const char *name_in_hello(SSL *ssl, const struct gba_naf_tls *tls)
{
	const unsigned char *p;
	size_t n, len;

	if (SSL_client_hello_get0_legacy_version(ssl) == 0)
		return NULL; /* no hello at hand: nothing is known of the name */
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
		return name_unnamed(tls);
	if (n < 5 || p[2] != TLSEXT_NAMETYPE_host_name)
		return NULL;
	len = (size_t)p[3] << 8 | p[4];
	return len == n - 5 ? name_find(tls, (const char *)p + 5, len) : NULL;
}

static bool same_question(const struct tls_conn *conn, const struct gba_naf_identity *id, const char *name,
			  const uint8_t *ua_id)
{
	return conn->result != NULL && strlen(conn->btid) == id->btid_len && memcmp(conn->btid, id->btid, id->btid_len) == 0 &&
	       conn->name == name && memcmp(conn->ua_id, ua_id, GBA_NAF_UA_ID_LEN) == 0;
}

/* The key of the identity in *conn, from the agent. Runs inside the handshake, on a small stack when asynchronous. */
static enum gba_naf_error fetch(struct tls_conn *conn)
{
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;
	struct gba_naf_tls *tls = conn->tls;
	char source[GBA_NAF_SOURCE_MAX + 1];

	query.btid = conn->btid;
	query.btid_len = strlen(conn->btid);
	query.fqdn = conn->name;
	memcpy(query.ua_id, conn->ua_id, GBA_NAF_UA_ID_LEN);
	query.gsids = tls->gsids;
	query.gsid_count = tls->gsid_count;
	query.timeout_ms = tls->timeout_ms;
	query.flags = conn->kind == GBA_NAF_KIND_UICC ? GBA_NAF_NEED_INT_KEY : 0;
	conn->result = tls->lookup != NULL ? tls->lookup(&query, tls->arg) : NULL;
	if (conn->result != NULL)
		return GBA_NAF_OK;
	query.source = conn->source[0] != '\0' ? conn->source : tls_source(conn->ssl, source, sizeof(source));
	return tls->naf != NULL ? tls_fetch_async(conn, &query) : tls_fetch_sync(conn, &query);
}

/* name: of ours, as the device addressed us; NULL: it meant somebody else. */
static const uint8_t *key_for(struct tls_conn *conn, const char *identity, size_t len, const char *name, const uint8_t *ua_id)
{
	struct gba_naf_identity id;

	conn->error = gba_naf_identity_parse(identity, len, &id);
	if (conn->error != GBA_NAF_OK)
		return NULL;
	/* GBA_Digest has no key of its own on Zn that we could tell apart; a UICC key only where the application said so. */
	if (id.kind == GBA_NAF_KIND_DIGEST || (id.kind == GBA_NAF_KIND_UICC && (conn->tls->flags & GBA_NAF_TLS_UICC) == 0)) {
		conn->error = GBA_NAF_E_NO_INT_KEY;
		return NULL;
	}
	if (!same_question(conn, &id, name, ua_id) || conn->kind != id.kind) {
		gba_naf_result_free(conn->result);
		conn->result = NULL;
		memcpy(conn->btid, id.btid, id.btid_len);
		conn->btid[id.btid_len] = '\0';
		memcpy(conn->ua_id, ua_id, GBA_NAF_UA_ID_LEN);
		conn->name = name;
		conn->kind = id.kind;
		conn->error = name != NULL && conn->questions++ < TLS_QUESTIONS_MAX ? fetch(conn) : GBA_NAF_E_DENIED;
	}
	if (conn->error != GBA_NAF_OK)
		return NULL;
	return conn->kind == GBA_NAF_KIND_UICC ? gba_naf_result_int_key(conn->result) : gba_naf_result_key(conn->result);
}

/* ---- OpenSSL's callbacks ---- */

/* The device is told internal_error then: a fault of ours is no reason to bootstrap again, which unknown_psk_identity would be. */
static bool at_fault(const struct tls_conn *conn)
{
	return conn->error != GBA_NAF_OK && gba_naf_error_http(conn->error) >= 500;
}

/* TLS 1.2, RFC 4279: called for the ClientKeyExchange, when the suite is chosen. OpenSSL also tries it for TLS 1.3. */
static unsigned int on_psk_tls12(SSL *ssl, const char *identity, unsigned char *psk, unsigned int max)
{
	const SSL_CIPHER *suite = SSL_get_pending_cipher(ssl);
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	struct tls_conn *conn;
	const uint8_t *key;

	if (SSL_version(ssl) == TLS1_3_VERSION || identity == NULL || suite == NULL || max < GBA_NAF_KEY_LEN)
		return 0;
	conn = conn_make(ssl);
	if (conn == NULL)
		return 0;
	gba_naf_ua_id_tls12(SSL_CIPHER_get_protocol_id(suite), ua_id);
	key = key_for(conn, identity, strlen(identity), name_of(ssl, conn->tls), ua_id);
	if (key == NULL)
		return at_fault(conn) ? PSK_MAX_PSK_LEN + 1 : 0; /* a length that cannot be is OpenSSL's internal_error */
	memcpy(psk, key, GBA_NAF_KEY_LEN);
	return GBA_NAF_KEY_LEN;
}

/* An external PSK as OpenSSL wants it: a session with the key as master secret and a suite that names the hash. */
static SSL_SESSION *session_of_key(SSL *ssl, const uint8_t *key)
{
	static const unsigned char aes128_gcm_sha256[] = { 0x13, 0x01 };
	SSL_SESSION *sess = SSL_SESSION_new();

	if (sess == NULL)
		return NULL;
	if (SSL_SESSION_set1_master_key(sess, key, GBA_NAF_KEY_LEN) == 1 &&
	    SSL_SESSION_set_cipher(sess, SSL_CIPHER_find(ssl, aes128_gcm_sha256)) == 1 &&
	    SSL_SESSION_set_protocol_version(sess, TLS1_3_VERSION) == 1)
		return sess;
	SSL_SESSION_free(sess);
	return NULL;
}

/* TLS 1.3, RFC 8446 4.2.11: once per identity offered. No session and 1: not a PSK we know, go on without, to a certificate and
 * the 401 behind it. 0: internal_error. */
static int on_psk_tls13(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **_sess)
{
	struct tls_conn *conn = conn_make(ssl);
	uint8_t ua_id[GBA_NAF_UA_ID_LEN];
	const uint8_t *key;

	*_sess = NULL;
	if (conn == NULL)
		return 0;
	gba_naf_ua_id_tls13_psk(ua_id);
	key = key_for(conn, (const char *)identity, len, name_in_hello(ssl, conn->tls), ua_id);
	if (key != NULL)
		*_sess = session_of_key(ssl, key);
	return key != NULL || !at_fault(conn);
}

/* ---- set up ---- */

static enum gba_naf_error copy_names(struct gba_naf_tls *tls, const char *const *fqdns)
{
	size_t n = 0, i, at;

	while (fqdns != NULL && fqdns[n] != NULL)
		n++;
	if (n == 0)
		return GBA_NAF_E_ARGUMENT;
	tls->names = calloc(n + 1, sizeof(*tls->names));
	if (tls->names == NULL)
		return GBA_NAF_E_NOMEM;
	for (i = 0; i < n; i++) {
		if (!tls_name_valid(fqdns[i]))
			return GBA_NAF_E_ARGUMENT;
		tls->names[i] = strdup(fqdns[i]);
		if (tls->names[i] == NULL)
			return GBA_NAF_E_NOMEM;
		for (at = 0; tls->names[i][at] != '\0'; at++)
			tls->names[i][at] = (char)tolower((unsigned char)tls->names[i][at]);
	}
	return GBA_NAF_OK;
}

static enum gba_naf_error copy_options(struct gba_naf_tls *tls, const struct gba_naf_tls_options *o)
{
	if (o->gsid_count > GBA_NAF_GSID_MAX || (o->gsid_count > 0 && o->gsids == NULL) || (o->naf != NULL && o->ready == NULL))
		return GBA_NAF_E_ARGUMENT;
	tls->gsid_count = o->gsid_count;
	if (o->gsid_count > 0)
		memcpy(tls->gsids, o->gsids, o->gsid_count * sizeof(tls->gsids[0]));
	tls->timeout_ms = o->timeout_ms;
	tls->flags = o->flags;
	tls->naf = o->naf;
	tls->ready = o->ready;
	tls->arg = o->arg;
	tls->lookup = o->lookup;
	if (o->socket_path != NULL) {
		tls->socket_path = strdup(o->socket_path);
		if (tls->socket_path == NULL)
			return GBA_NAF_E_NOMEM;
	}
	return copy_names(tls, o->fqdns);
}

static bool set_up(SSL_CTX *ctx, struct gba_naf_tls *tls)
{
	bool certificate = (tls->flags & GBA_NAF_TLS_CERTIFICATE) != 0, uicc = (tls->flags & GBA_NAF_TLS_UICC) != 0;

	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, certificate ? SUITES_PSK SUITES_CERTIFICATE : SUITES_PSK) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, certificate ? SUITES_TLS13 SUITES_TLS13_CERTIFICATE : SUITES_TLS13) != 1 ||
	    SSL_CTX_set_dh_auto(ctx, 1) != 1 ||
	    /* TS 24.109 F.3: the hint lists the forms of identity */
	    SSL_CTX_use_psk_identity_hint(ctx, uicc ? GBA_NAF_PSK_HINT ";" GBA_NAF_PSK_HINT "-uicc" : GBA_NAF_PSK_HINT) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
	    SSL_CTX_set_recv_max_early_data(ctx, 0) != 1 || SSL_CTX_set_ex_data(ctx, ctx_index, tls) != 1)
		return false;
	/* Keys expire: nothing may outlive them, so there is no resumption (and a ticket would name no B-TID). */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_psk_server_callback(ctx, on_psk_tls12);
	SSL_CTX_set_psk_find_session_callback(ctx, on_psk_tls13);
	if (tls->naf != NULL)
		SSL_CTX_set_mode(ctx, SSL_MODE_ASYNC);
	return true;
}

enum gba_naf_error gba_naf_tls_new(SSL_CTX *ctx, const struct gba_naf_tls_options *options, struct gba_naf_tls **_tls)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct gba_naf_tls_options known = { 0 };
	struct gba_naf_tls *tls;
	enum gba_naf_error error;

	if (ctx == NULL || options == NULL || options->size < offsetof(struct gba_naf_tls_options, lookup))
		return GBA_NAF_E_ARGUMENT;
	/* Members that an application compiled against an older header does not have are left at zero. */
	memcpy(&known, options, options->size < sizeof(known) ? options->size : sizeof(known));
	pthread_once(&once, make_indexes);
	if (ctx_index < 0 || ssl_index < 0)
		return GBA_NAF_E_SYSTEM;
	tls = calloc(1, sizeof(*tls));
	if (tls == NULL)
		return GBA_NAF_E_NOMEM;
	pthread_mutex_init(&tls->lock, NULL);
	error = copy_options(tls, &known);
	if (error == GBA_NAF_OK && !set_up(ctx, tls))
		error = GBA_NAF_E_SYSTEM;
	if (error != GBA_NAF_OK) {
		gba_naf_tls_free(tls);
		return error;
	}
	*_tls = tls;
	return GBA_NAF_OK;
}

void gba_naf_tls_free(struct gba_naf_tls *tls)
{
	size_t i;

	if (tls == NULL)
		return;
	tls_pool_close(tls);
	for (i = 0; tls->names != NULL && tls->names[i] != NULL; i++)
		free(tls->names[i]);
	free(tls->names);
	free(tls->socket_path);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

/* ---- what an application asks ---- */

/* A key that was looked up is not yet one the device has proved to hold, nor one this handshake used. */
static bool psk_was_used(const SSL *ssl)
{
	const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
	int kx = suite != NULL ? SSL_CIPHER_get_kx_nid(suite) : NID_undef;

	if (!SSL_is_init_finished(ssl))
		return false;
	if (SSL_version(ssl) == TLS1_3_VERSION)
		return SSL_session_reused(ssl) == 1;
	return kx == NID_kx_psk || kx == NID_kx_dhe_psk || kx == NID_kx_ecdhe_psk;
}

struct gba_naf_result *gba_naf_tls_result(const SSL *ssl)
{
	struct tls_conn *conn = conn_of(ssl);

	return conn != NULL && psk_was_used(ssl) ? conn->result : NULL;
}

enum gba_naf_key_kind gba_naf_tls_key_kind(const SSL *ssl)
{
	struct tls_conn *conn = conn_of(ssl);

	return conn != NULL ? conn->kind : GBA_NAF_KIND_ME;
}

enum gba_naf_error gba_naf_tls_error(const SSL *ssl)
{
	struct tls_conn *conn = conn_of(ssl);

	return conn != NULL ? conn->error : GBA_NAF_OK;
}

const char *gba_naf_tls_btid(const SSL *ssl)
{
	struct tls_conn *conn = conn_of(ssl);

	return conn != NULL && conn->btid[0] != '\0' ? conn->btid : NULL;
}

const char *gba_naf_tls_fqdn(const SSL *ssl)
{
	struct gba_naf_tls *tls = ctx_index >= 0 ? SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index) : NULL;

	return tls != NULL ? name_of(ssl, tls) : NULL;
}

void gba_naf_tls_set_source(SSL *ssl, const char *address)
{
	struct tls_conn *conn = conn_make(ssl);

	if (conn != NULL && strlen(address) <= GBA_NAF_SOURCE_MAX)
		strcpy(conn->source, address);
}

int gba_naf_tls_ua_id(const SSL *ssl, uint8_t out[GBA_NAF_UA_ID_LEN])
{
	const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);

	if (suite == NULL)
		return 0;
	gba_naf_ua_id_tls12(SSL_CIPHER_get_protocol_id(suite), out);
	return 1;
}

int gba_naf_tls_waiting(const SSL *ssl)
{
	struct tls_conn *conn = conn_of(ssl);

	return conn != NULL && conn->request != NULL;
}

int gba_naf_tls_concerned(const SSL *ssl, const struct gba_naf_notice *notice)
{
	struct tls_conn *conn = conn_of(ssl);

	return conn != NULL && conn->result != NULL && gba_naf_notice_concerns(notice, conn->result);
}

void gba_naf_tls_abort(SSL *ssl)
{
	struct tls_conn *conn = conn_of(ssl);

	if (conn == NULL || conn->request == NULL)
		return;
	tls_fetch_stop(conn);
	/* The job has to run to its end, or its stack is never given back; what it writes goes nowhere. */
	SSL_set0_wbio(ssl, BIO_new(BIO_s_null()));
	SSL_do_handshake(ssl);
}
