/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/tls.h"

#include <openssl/err.h>

#include "naf-adapter/libnaf/gba-naf-openssl.h"
#include "naf-adapter/proxy/worker.h"

#define SUITES_CERTIFICATE "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
#define SUITES_TLS13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

struct tls_site {
	SSL_CTX *ctx;
	struct gba_naf_tls *naf; /* NULL: no PSK */
	struct site *site;
};

struct tls_set {
	unsigned int refs;
	struct worker *worker;
	uint32_t agent_timeout; /* [ms] */
	struct tls_hooks hooks;
	size_t count;
	struct tls_site *site;
	SSL_CTX *first; /* for the SSL before its site is known; with PSK if any site has it */
};

static int tls_set_destroy(struct tls_set *set)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		SSL_CTX_free(set->site[i].ctx);
		gba_naf_tls_free(set->site[i].naf);
	}
	return 0;
}

/* ---- the server name, RFC 6066 3 ---- */

/* The one host_name of the extension; false: malformed. */
static bool name_parse(const unsigned char *p, size_t n, struct bytes *_name)
{
	size_t list, len;

	if (n < 5)
		return false;
	list = (size_t)p[0] << 8 | p[1];
	len = (size_t)p[3] << 8 | p[4];
	if (list != n - 2 || p[2] != TLSEXT_NAMETYPE_host_name || len != list - 3 || len == 0)
		return false;
	*_name = BYTES(p + 5, len);
	return true;
}

static struct tls_site *site_of(struct tls_set *set, const struct site *site)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		if (set->site[i].site == site)
			return &set->site[i];
	}
	return NULL;
}

/* The SSL was made from another site's context: what OpenSSL copied from there is put right. */
static bool site_apply(SSL *ssl, const struct tls_site *to)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct site_conf *conf = to->site->conf;

	if (SSL_set_SSL_CTX(ssl, to->ctx) == NULL)
		return false;
	if (to->naf == NULL) {
		SSL_set_psk_server_callback(ssl, NULL);
		SSL_set_psk_find_session_callback(ssl, NULL);
	}
	return SSL_set_min_proto_version(ssl, versions[conf->tls_min]) == 1 &&
	       SSL_set_max_proto_version(ssl, versions[conf->tls_max]) == 1;
}

static int on_client_hello(SSL *ssl, int *_alert, void *arg)
{
	struct tls_set *set = arg;
	const unsigned char *ext;
	struct bytes name = BYTES_NONE;
	struct tls_site *to;
	struct site *site;
	const char *source;
	size_t n;

	*_alert = SSL_AD_DECODE_ERROR;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &n) == 1 && !name_parse(ext, n, &name))
		return SSL_CLIENT_HELLO_ERROR;
	site = set->hooks.choose(ssl, name);
	*_alert = SSL_AD_UNRECOGNIZED_NAME;
	if (site == NULL)
		return SSL_CLIENT_HELLO_ERROR;
	to = site_of(set, site);
	*_alert = SSL_AD_INTERNAL_ERROR;
	if (to == NULL || !site_apply(ssl, to))
		return SSL_CLIENT_HELLO_ERROR;
	source = set->hooks.source(ssl);
	if (to->naf != NULL && source != NULL)
		gba_naf_tls_set_source(ssl, source);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* RFC 7301: http/1.1 for sites of HTTP; a device that offers only others is told. */
static int on_alpn(SSL *ssl, const unsigned char **_out, unsigned char *_len, const unsigned char *in, unsigned int n, void *arg)
{
	static const unsigned char http11[] = "\x08http/1.1";
	const struct site *site = arg;

	(void)ssl;
	if (site->conf->mode != SITE_HTTP)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_select_next_proto((unsigned char **)_out, _len, http11, sizeof(http11) - 1, in, n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- contexts ---- */

static void on_ready(SSL *ssl, void *arg)
{
	struct tls_set *set = arg;

	set->hooks.ready(ssl);
}

/* Keys got lately; the handshake then does not pause. */
static struct gba_naf_result *on_lookup(const struct gba_naf_query *query, void *arg)
{
	struct tls_set *set = arg;
	struct gba_naf_result *result;

	result = keys_find(set->worker->keys, BYTES(query->btid, query->btid_len), query->fqdn, query->ua_id, time(NULL));
	if (result != NULL && (query->flags & GBA_NAF_NEED_INT_KEY) != 0 && gba_naf_result_int_key(result) == NULL)
		result = NULL;
	metric_add(result != NULL ? set->worker->proxy->stats.key_cache : set->worker->proxy->stats.key_agent, 1);
	return result != NULL ? gba_naf_result_ref(result) : NULL;
}

static bool psk_set_up(struct tls_set *set, struct tls_site *to)
{
	struct gba_naf_tls_options options = GBA_NAF_TLS_OPTIONS_INIT;
	const struct site_conf *conf = to->site->conf;
	const char *fqdns[] = { to->site->fqdn, NULL };

	options.fqdns = fqdns;
	options.gsids = to->site->gsids;
	options.gsid_count = to->site->gsid_count;
	options.timeout_ms = set->agent_timeout;
	options.flags = (conf->certificate[0] != '\0' && conf->tls_digest ? GBA_NAF_TLS_CERTIFICATE : 0) |
			(conf->uicc_psk ? GBA_NAF_TLS_UICC : 0);
	options.naf = set->worker->naf;
	options.ready = on_ready;
	options.arg = set;
	options.lookup = on_lookup;
	return gba_naf_tls_new(to->ctx, &options, &to->naf) == GBA_NAF_OK;
}

static bool certificate_set_up(struct tls_site *to)
{
	const struct site_conf *conf = to->site->conf;

	if (to->naf == NULL) {
		SSL_CTX_set_options(to->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
						     SSL_OP_NO_COMPRESSION);
		SSL_CTX_set_session_cache_mode(to->ctx, SSL_SESS_CACHE_OFF);
		if (SSL_CTX_set_cipher_list(to->ctx, SUITES_CERTIFICATE) != 1 ||
		    SSL_CTX_set_ciphersuites(to->ctx, SUITES_TLS13) != 1 || SSL_CTX_set_num_tickets(to->ctx, 0) != 1)
			return false;
	}
	if (conf->certificate[0] == '\0' || !conf->tls_digest)
		return true;
	return SSL_CTX_use_certificate_chain_file(to->ctx, conf->certificate) == 1 &&
	       SSL_CTX_use_PrivateKey_file(to->ctx, conf->private_key, SSL_FILETYPE_PEM) == 1 &&
	       SSL_CTX_check_private_key(to->ctx) == 1;
}

static bool site_set_up(struct tls_set *set, struct tls_site *to)
{
	to->ctx = SSL_CTX_new(TLS_server_method());
	if (to->ctx == NULL || (to->site->conf->psk && !psk_set_up(set, to)) || !certificate_set_up(to))
		return false;
	SSL_CTX_set_mode(to->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ASYNC);
	SSL_CTX_set_client_hello_cb(to->ctx, on_client_hello, set);
	SSL_CTX_set_alpn_select_cb(to->ctx, on_alpn, to->site);
	return true;
}

static const char *reason(TALLOC_CTX *mem_ctx, const struct site *site)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
	char *error = talloc_asprintf(mem_ctx, "site %s: TLS: %s", site->fqdn, text != NULL ? text : "certificate, key or options");

	ERR_clear_error();
	return error;
}

enum gba_err tls_set_new(TALLOC_CTX *mem_ctx, struct worker *worker, struct generation *gen, const struct tls_hooks *hooks,
			 struct tls_set **_set, const char **_error)
{
	struct tls_set *set = talloc_zero(NULL, struct tls_set);
	size_t i;

	*_error = "out of memory";
	if (set == NULL)
		return GBA_E_NOMEM;
	*set = (struct tls_set){ .refs = 1, .worker = worker, .agent_timeout = gen->conf->agent_timeout, .hooks = *hooks };
	set->site = talloc_zero_array(set, struct tls_site, gen->site_count);
	if (set->site == NULL) {
		talloc_free(set);
		return GBA_E_NOMEM;
	}
	talloc_set_destructor(set, tls_set_destroy);
	for (i = 0; i < gen->site_count; i++) {
		set->site[i].site = &gen->sites[i];
		set->count++;
		if (!site_set_up(set, &set->site[i])) {
			*_error = reason(mem_ctx, &gen->sites[i]);
			talloc_free(set);
			return GBA_E_CONF;
		}
		if (set->first == NULL || (set->site[i].naf != NULL && gen->sites[i].conf->psk))
			set->first = set->site[i].ctx;
	}
	*_set = set;
	return GBA_OK;
}

struct tls_set *tls_set_ref(struct tls_set *set)
{
	set->refs++;
	return set;
}

void tls_set_unref(struct tls_set *set)
{
	if (set != NULL && --set->refs == 0)
		talloc_free(set);
}

SSL *tls_server_new(struct tls_set *set, int fd, void *app_data)
{
	SSL *ssl = SSL_new(set->first);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_app_data(ssl, app_data) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}
