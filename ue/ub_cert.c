/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/ub_cert.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/codec.h"
#include "ue/ub_priv.h"
#include "ue/url.h"

#define BODY_MAX  (16 * 1024) /* [octets] */
#define RUN_TRIES 5	      /* a BSF that asks for patience may be waiting for another operator's word */

struct cert_run {
	TALLOC_CTX *tmp;
	const struct ub_conf *conf;
	const struct usim *usim;
	const struct fetcher *fetcher;
	struct ub_result *result;
	struct why *why;
	struct url url;
	char *impi, *application, *user_agent;
	uint64_t deadline; /* [ms] */
	struct fetch_answer answer;
	/* of the connection under way; wiped */
	enum gba_err card_err;
	bool have;
	uint8_t material[UB_CERT_OCTETS];
};

/* ---- the TLS connection ---- */

/* Names and addresses are matched differently (RFC 9110 4.3.4). */
static bool expect_host(SSL_CTX *ctx, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	char address[FQDN_MAX + 1];
	uint8_t scratch[16];
	size_t n;

	snprintf(address, sizeof(address), "%s", host + (host[0] == '['));
	n = strlen(address);
	if (host[0] == '[' && n > 0)
		address[n - 1] = '\0';
	if (inet_pton(AF_INET, address, scratch) == 1 || inet_pton(AF_INET6, address, scratch) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, address) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

static int refuse_all(int good, X509_STORE_CTX *store)
{
	(void)good, (void)store;
	return 0;
}

static void on_tls_setup(void *ssl_ctx, void *arg)
{
	struct cert_run *run = arg;
	const char *ca = run->conf->ca_file;
	bool good;

	good = ca != NULL && ca[0] != '\0' ? SSL_CTX_load_verify_locations(ssl_ctx, ca, NULL) == 1
					   : SSL_CTX_set_default_verify_paths(ssl_ctx) == 1;
	good = good && expect_host(ssl_ctx, run->url.host);
	run->card_err = run->usim->ops->tls_client(run->usim->card, run->conf->impi, ssl_ctx);
	SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, good && run->card_err == GBA_OK ? NULL : refuse_all);
	ERR_clear_error();
}

/* The first octet of the answer is here: the handshake is complete on both sides. */
static void on_tls_done(void *ssl, void *arg)
{
	struct cert_run *run = arg;

	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return;
	run->have = SSL_export_keying_material(ssl, run->material, sizeof(run->material), UB_CERT_LABEL, strlen(UB_CERT_LABEL),
					       NULL, 0, 0) == 1;
}

/* ---- request and answer ---- */

static enum gba_err exchange(struct cert_run *run)
{
	struct fetch_header headers[] = { { "User-Agent", run->user_agent },
					  { "Accept", "*/*" },
					  { UB_CERT_USER, run->impi },
					  { run->application != NULL ? UB_APP_HEADER : NULL, run->application },
					  { NULL, NULL } };
	uint64_t now = clock_mono_ms();
	struct fetch_ask ask = { .method = "GET",
				 .url = run->url.text,
				 .target = run->url.target,
				 .connect = run->conf->connect,
				 .ca_file = run->conf->ca_file,
				 .headers = headers,
				 .max_body = BODY_MAX,
				 .tls_setup = on_tls_setup,
				 .tls_done = on_tls_done,
				 .tls_arg = run };
	enum gba_err err;

	if (now >= run->deadline)
		return why_fail(run->why, GBA_E_TIMEOUT, "%s: no result in time", run->url.text);
	ask.timeout_ms = (unsigned int)(run->deadline - now);
	run->have = false;
	run->card_err = GBA_OK;
	err = run->fetcher->fetch(run->fetcher->arg, run->tmp, &ask, &run->answer, run->why);
	if (run->card_err == GBA_E_UNSUPPORTED)
		return why_fail(run->why, run->card_err, "the card has no certificate: gba-ue certificate");
	if (run->card_err != GBA_OK)
		return why_fail(run->why, run->card_err, "USIM: %s", gba_strerror(run->card_err));
	return err;
}

static enum gba_err take_certificate(struct cert_run *run, TALLOC_CTX *mem_ctx, const char *text)
{
	size_t cap = strlen(text), n = 0;
	uint8_t *der = talloc_size(mem_ctx, cap);

	if (der == NULL)
		return GBA_E_NOMEM;
	if (base64_decode(bytes_of(text), der, cap, &n) != GBA_OK)
		return why_fail(run->why, GBA_E_PEER, "BSF gave a certificate that is not base64");
	run->result->certificate = BYTES(der, n);
	return GBA_OK;
}

static enum gba_err finish(struct cert_run *run, TALLOC_CTX *mem_ctx)
{
	struct ub_result *result = run->result;
	struct bsinfo info;
	enum gba_err err;

	if (!run->have)
		return why_fail(run->why, GBA_E_UNSUPPORTED, "TLS 1.2 without extended master secret binds no keys");
	corr_from_rand(run->material, result->corr);
	err = ub_info_take(run->tmp, run->conf, run->material, run->answer.body, &info, result, run->why);
	if (err != GBA_OK)
		return err;
	result->by_tls = true;
	result->change_awaited = info.change_awaited;
	if (info.certificate != NULL)
		err = take_certificate(run, mem_ctx, info.certificate);
	if (err != GBA_OK)
		return err;
	result->ks = secret_dup(mem_ctx, BYTES(run->material + RAND_LEN, GBA_KS_LEN));
	return result->ks != NULL ? GBA_OK : why_fail(run->why, GBA_E_NOMEM, "out of memory");
}

/* Asked for patience: wait if that fits into this run. */
static bool wait_for_turn(const struct cert_run *run)
{
	uint64_t wait_ms = (uint64_t)run->result->retry_after * 1000;

	if (wait_ms == 0 || run->result->retry_after > UB_RETRY_AFTER_MAX || clock_mono_ms() + wait_ms >= run->deadline)
		return false;
	poll(NULL, 0, (int)wait_ms);
	return true;
}

static enum gba_err run_tries(struct cert_run *run, TALLOC_CTX *mem_ctx)
{
	enum gba_err err;
	int tries = 0;

	do {
		run->result->retry_after = 0;
		err = exchange(run);
		if (err == GBA_OK)
			err = run->answer.status == 200 ? finish(run, mem_ctx)
							: ub_refused(run->conf, &run->answer, run->result, run->why);
	} while (err == GBA_E_BUSY && ++tries < RUN_TRIES && wait_for_turn(run));
	return err;
}

static enum gba_err prepare(struct cert_run *run)
{
	const struct ub_conf *conf = run->conf;
	enum gba_err err = url_parse(run->tmp, conf->url, url_schemes_http, &run->url);

	if (err != GBA_OK || strcmp(run->url.scheme, "https") != 0)
		return why_fail(run->why, GBA_E_SYNTAX, "%s: not an https URL", conf->url);
	if (run->usim->ops->tls_client == NULL)
		return why_fail(run->why, GBA_E_UNSUPPORTED, "the card knows no certificates");
	run->impi = talloc_strndup(run->tmp, (const char *)conf->impi.p, conf->impi.n);
	run->user_agent = talloc_asprintf(run->tmp, "%s 3gpp-gba", conf->product);
	if (conf->application.p != NULL)
		run->application = talloc_strndup(run->tmp, (const char *)conf->application.p, conf->application.n);
	if (run->impi == NULL || run->user_agent == NULL || (conf->application.p != NULL && run->application == NULL))
		return why_fail(run->why, GBA_E_NOMEM, "out of memory");
	run->deadline = clock_mono_ms() + (conf->timeout_ms > 0 ? conf->timeout_ms : UB_TIMEOUT_MS);
	return GBA_OK;
}

enum gba_err ub_cert_run(TALLOC_CTX *mem_ctx, const struct ub_conf *conf, const struct usim *usim, const struct fetcher *fetcher,
			 struct ub_result *_result, struct why *why)
{
	struct cert_run run = { .conf = conf, .usim = usim, .fetcher = fetcher, .result = _result, .why = why };
	enum gba_err err;

	memset(_result, 0, sizeof(*_result));
	run.tmp = talloc_new(mem_ctx);
	if (run.tmp == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	err = prepare(&run);
	if (err == GBA_OK)
		err = run_tries(&run, mem_ctx);
	if (err != GBA_OK)
		TALLOC_FREE(_result->ks);
	talloc_free(run.tmp);
	SECRET_WIPE(run.material);
	return err;
}
