/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/ub.h"

#include "ue/ub_priv.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>

#include "core/clock.h"
#include "core/codec.h"
#include "http/digest.h"
#include "ue/url.h"
#include "ue/usim/usim_open.h"
#include "xml/bsinfo.h"

#define NONCE_OCTETS_MAX 256 /* RAND, AUTN and what a server may append (RFC 3310 3.2) */
#define BODY_MAX         BSINFO_XML_MAX
#define RESYNCS_MAX      1
#define NC_FIRST         "00000001"

/* One run; `tmp` holds everything of it that is no result. */
struct run {
	TALLOC_CTX *tmp, *mem_ctx;
	const struct ub_conf *conf;
	const struct usim *usim;
	const struct fetcher *fetcher;
	struct ub_result *result;
	struct why *why;
	struct url url;
	const char *user_agent;
	struct bytes username;
	bool gba_u, with_tmpi;
	unsigned int tries;
	uint64_t deadline;
	struct fetch_answer answer;
	struct digest_challenge challenge;
	uint8_t rand[AKA_RAND_LEN], autn[AKA_AUTN_LEN];
	char cnonce[2 * 8 + 1];
	char akav2[25];          /* password of AKAv2; wiped */
	struct usim_reply reply; /* wiped */
};

static unsigned int time_left(const struct run *run)
{
	uint64_t now = clock_mono_ms();

	return now < run->deadline ? (unsigned int)(run->deadline - now) : 0;
}

/* One GET with this Authorization; the answer is in run->answer. */
static enum gba_err exchange(struct run *run, const char *authorization)
{
	struct fetch_header headers[] = { { "User-Agent", run->user_agent },
					  { "Accept", "*/*" },
					  { "Authorization", authorization },
					  { NULL, NULL },
					  { NULL, NULL } };
	struct fetch_ask ask = { .method = "GET", .url = run->url.text, .target = run->url.target };

	if (run->conf->application.p != NULL) {
		headers[3].name = UB_APP_HEADER;
		headers[3].value =
			talloc_strndup(run->tmp, (const char *)run->conf->application.p, run->conf->application.n);
	}
	if (authorization == NULL || (headers[3].name != NULL && headers[3].value == NULL))
		return why_fail(run->why, GBA_E_NOMEM, "out of memory");
	ask.headers = headers;
	ask.connect = run->conf->connect;
	ask.ca_file = run->conf->ca_file;
	ask.max_body = BODY_MAX;
	ask.timeout_ms = time_left(run);
	if (ask.timeout_ms == 0)
		return why_fail(run->why, GBA_E_TIMEOUT, "%s: no result in time", run->url.text);
	return run->fetcher->fetch(run->fetcher->arg, run->tmp, &ask, &run->answer, run->why);
}

/* The first request: identity only (TS 24.109 A.3 step 1). */
static enum gba_err ask_challenge(struct run *run)
{
	struct digest_auth auth = { .username = run->username,
				    .realm = run->conf->bsf,
				    .nonce = bytes_of(""),
				    .uri = bytes_of(run->url.target),
				    .response = bytes_of("") };

	return exchange(run, digest_auth_build(run->tmp, &auth));
}

/* What the digests of this challenge share. */
static struct digest_calc calc_of(const struct run *run)
{
	struct digest_calc calc = { .algorithm = run->challenge.algorithm, .qop = DIGEST_QOP_AUTH_INT };

	calc.username = run->username;
	calc.realm = run->challenge.realm;
	calc.nonce = run->challenge.nonce;
	calc.cnonce = bytes_of(run->cnonce);
	calc.nc_text = bytes_of(NC_FIRST);
	calc.method = bytes_of("GET");
	calc.uri = bytes_of(run->url.target);
	calc.body = bytes_of("");
	if (run->challenge.algorithm == DIGEST_AKAV2_MD5)
		calc.password = bytes_of(run->akav2);
	else
		calc.password = BYTES(run->reply.res, run->reply.res_len);
	return calc;
}

/* The second request: response, or AUTS with the response of an empty password (RFC 3310 3.4). */
static enum gba_err send_response(struct run *run, bool resync)
{
	struct digest_calc calc = calc_of(run);
	struct digest_auth auth = { .algorithm_given = true, .qop = DIGEST_QOP_AUTH_INT, .nc = 1 };
	char response[DIGEST_HEX_MAX + 1];

	if (resync) {
		calc.password = bytes_of("");
		auth.auts = BYTES(run->reply.auts, AKA_AUTS_LEN);
	}
	digest_response(&calc, response);
	auth.username = calc.username;
	auth.realm = calc.realm;
	auth.nonce = calc.nonce;
	auth.uri = calc.uri;
	auth.cnonce = calc.cnonce;
	auth.nc_text = calc.nc_text;
	auth.algorithm = calc.algorithm;
	auth.opaque = run->challenge.opaque;
	auth.response = bytes_of(response);
	return exchange(run, digest_auth_build(run->tmp, &auth));
}

/* Is b a challenge we would rather answer than a? AKAv2 binds CK and IK; a card in GBA context cannot do it. */
static bool better(const struct run *run, bool have, const struct digest_challenge *a, const struct digest_challenge *b)
{
	if (!b->qop_auth_int)
		return false;
	if (b->algorithm == DIGEST_AKAV2_MD5)
		return !run->gba_u && (!have || a->algorithm != DIGEST_AKAV2_MD5);
	return b->algorithm == DIGEST_AKAV1_MD5 && !have;
}

/* The best of the answer's challenges; false: none acceptable. */
static bool pick_challenge(struct run *run)
{
	bool have = false;
	size_t i;

	for (i = 0; i < run->answer.header_count; i++) {
		const struct fetch_header *header = &run->answer.headers[i];
		struct digest_challenge challenge;

		if (strcasecmp(header->name, "WWW-Authenticate") != 0 ||
		    digest_challenge_parse(run->tmp, bytes_of(header->value), &challenge) != GBA_OK ||
		    !better(run, have, &run->challenge, &challenge))
			continue;
		run->challenge = challenge;
		have = true;
	}
	return have;
}

/* Challenge of the node we addressed (Y.3056 10.4-2b), with RAND and AUTN in it. */
static enum gba_err take_challenge(struct run *run)
{
	uint8_t nonce[NONCE_OCTETS_MAX];
	size_t n = 0;

	if (!pick_challenge(run))
		return why_fail(run->why, GBA_E_AUTH_SCHEME,
			       "401 without a challenge for AKAv1-MD5 or AKAv2-MD5 with auth-int");
	if (!bytes_eq_nocase(run->challenge.realm, run->conf->bsf))
		return why_fail(run->why, GBA_E_REALM, "challenge of %.*s, not of %.*s", BYTES_FMT(run->challenge.realm),
			       BYTES_FMT(run->conf->bsf));
	if (base64_decode(run->challenge.nonce, nonce, sizeof(nonce), &n) != GBA_OK || n < AKA_RAND_LEN + AKA_AUTN_LEN)
		return why_fail(run->why, GBA_E_PEER, "nonce is not base64 of RAND and AUTN");
	memcpy(run->rand, nonce, AKA_RAND_LEN);
	memcpy(run->autn, nonce + AKA_RAND_LEN, AKA_AUTN_LEN);
	corr_from_rand(run->rand, run->result->corr);
	return GBA_OK;
}

static void new_cnonce(struct run *run)
{
	uint8_t octets[8];

	if (run->conf->cnonce != NULL) {
		snprintf(run->cnonce, sizeof(run->cnonce), "%s", run->conf->cnonce);
		return;
	}
	rand_bytes(octets, sizeof(octets));
	hex_encode(BYTES(octets, sizeof(octets)), run->cnonce);
}

/* Let the USIM judge AUTN and compute the password. */
static enum gba_err ask_usim(struct run *run)
{
	enum gba_err err;

	new_cnonce(run);
	err = run->usim->ops->authenticate(run->usim->card, run->gba_u ? USIM_GBA : USIM_3G, run->rand, run->autn,
					   &run->reply);
	if (err == GBA_OK && run->challenge.algorithm == DIGEST_AKAV2_MD5)
		gba_akav2_password(BYTES(run->reply.res, run->reply.res_len), run->reply.ik, run->reply.ck, run->akav2);
	return err;
}

/* The network proves that it knows RES, too, and that the body is its own. */
static enum gba_err check_rspauth(struct run *run)
{
	struct digest_calc calc = calc_of(run);
	char want[DIGEST_HEX_MAX + 1], got[DIGEST_HEX_MAX + 1];
	struct bytes header = fetch_header(&run->answer, "Authentication-Info");
	struct digest_info info;
	size_t i;

	if (header.p == NULL || digest_info_parse(run->tmp, header, &info) != GBA_OK || info.rspauth.p == NULL)
		return why_fail(run->why, GBA_E_DIGEST_MISMATCH, "200 without rspauth: the BSF did not prove itself");
	if ((info.cnonce.p != NULL && !bytes_eq(info.cnonce, calc.cnonce)) ||
	    (info.nc_text.p != NULL && !bytes_eq(info.nc_text, calc.nc_text)) || info.qop == DIGEST_QOP_AUTH ||
	    info.rspauth.n > DIGEST_HEX_MAX)
		return why_fail(run->why, GBA_E_DIGEST_MISMATCH, "Authentication-Info belongs to another request");
	calc.body = run->answer.body;
	digest_rspauth(&calc, want);
	for (i = 0; i < info.rspauth.n; i++)
		got[i] = (char)tolower(info.rspauth.p[i]);
	if (!bytes_eq_secret(BYTES(got, info.rspauth.n), bytes_of(want)))
		return why_fail(run->why, GBA_E_DIGEST_MISMATCH,
			       "rspauth is wrong: not from the BSF, or altered on the way");
	return GBA_OK;
}

/* The name for the next run, TS 33.220 B.4; a card with GBA_U derives it as it does a NAF key. */
static enum gba_err make_tmpi(struct run *run, const uint8_t *ks)
{
	uint8_t naf_id[NAF_ID_MAX], key[GBA_KS_NAF_LEN];
	struct ub_result *result = run->result;
	char temp[BASE64_LEN(24) + 1];
	enum gba_err err;
	size_t n;

	result->tmpi[0] = '\0';
	if (!fetch_has_token(&run->answer, "Server", UB_TMPI_TOKEN))
		return GBA_OK;
	if (ks != NULL) {
		gba_tmpi(ks, run->rand, run->conf->impi, run->conf->bsf, result->tmpi);
		return GBA_OK;
	}
	n = naf_id_build(run->conf->bsf, UA_ID_TMPI, naf_id);
	err = run->usim->ops->gba_naf(run->usim->card, bytes_of(result->btid), run->conf->impi, BYTES(naf_id, n), key);
	if (err != GBA_OK)
		return err;
	base64_encode(BYTES(key, 24), temp);
	snprintf(result->tmpi, sizeof(result->tmpi), "%s@" TMPI_DOMAIN, temp);
	SECRET_WIPE(key);
	return GBA_OK;
}

static enum gba_err keep_ks(struct run *run)
{
	struct ub_result *result = run->result;
	uint8_t ks[GBA_KS_LEN];
	enum gba_err err;

	result->in_usim = run->gba_u;
	if (run->gba_u) {
		err = run->usim->ops->gba_bind(run->usim->card, bytes_of(result->btid), result->expires);
		return err == GBA_OK ? make_tmpi(run, NULL) : err;
	}
	gba_ks(run->reply.ck, run->reply.ik, ks);
	result->ks = secret_dup(run->mem_ctx, BYTES(ks, sizeof(ks)));
	err = result->ks != NULL ? make_tmpi(run, ks) : GBA_E_NOMEM;
	SECRET_WIPE(ks);
	return err;
}

/* 200 OK: nothing of it is believed before rspauth was verified. */
static enum gba_err finish(struct run *run)
{
	struct bsinfo info;
	enum gba_err err;

	err = check_rspauth(run);
	if (err == GBA_OK)
		err = ub_info_take(run->tmp, run->conf, run->rand, run->answer.body, &info, run->result, run->why);
	if (err != GBA_OK)
		return err;
	err = keep_ks(run);
	if (err != GBA_OK && run->gba_u)
		return usim_why(run->usim, err, run->why);
	return err == GBA_OK ? GBA_OK : why_fail(run->why, err, "keys: %s", gba_strerror(err));
}

/* Begin, or begin again, with the IMPI when the TMPI was not taken (400, 401 without challenge, 403, 404). */
static enum gba_err begin(struct run *run)
{
	enum gba_err err;

	run->tries++;
	err = ask_challenge(run);
	if (err != GBA_OK)
		return err;
	if (run->with_tmpi && run->answer.status >= 400 && run->answer.status < 500 &&
	    (run->answer.status != 401 || !pick_challenge(run))) {
		run->with_tmpi = false;
		run->result->tmpi_refused = true;
		run->username = run->conf->impi;
		err = ask_challenge(run);
		if (err != GBA_OK)
			return err;
	}
	return run->answer.status == 401 ? GBA_OK : ub_refused(run->conf, &run->answer, run->result, run->why);
}

/* Answer one challenge. GBA_OK and status 401: there is a new one. */
static enum gba_err answer_challenge(struct run *run)
{
	enum gba_err err;

	err = take_challenge(run);
	if (err != GBA_OK)
		return err;
	err = ask_usim(run);
	if (err == GBA_E_AKA_SYNC && run->result->resyncs < RESYNCS_MAX) {
		run->result->resyncs++;
		err = send_response(run, true);
		if (err == GBA_OK && run->answer.status != 401)
			err = ub_refused(run->conf, &run->answer, run->result, run->why);
		return err;
	}
	if (err != GBA_OK)
		return usim_why(run->usim, err, run->why);
	err = send_response(run, false);
	if (err != GBA_OK)
		return err;
	if (run->answer.status == 200)
		return finish(run);
	if (run->answer.status != 401)
		return ub_refused(run->conf, &run->answer, run->result, run->why);
	if (++run->tries > UB_TRIES)
		return why_fail(run->why, GBA_E_DIGEST_MISMATCH, "BSF refuses our response");
	return GBA_OK;
}

/* From the first request to a result or a reason. */
static enum gba_err run_once(struct run *run)
{
	enum gba_err err = begin(run);

	while (err == GBA_OK && run->answer.status == 401)
		err = answer_challenge(run);
	return err;
}

/* Is this failure one that a second run may heal? Prepare that run. */
static bool try_again(struct run *run, enum gba_err err)
{
	unsigned int wait_s = run->result->retry_after;

	/* The BSF may know somebody else by our TMPI, or nobody any more: its contexts can end between the two legs. */
	if (run->with_tmpi && (err == GBA_E_AKA_MAC || run->answer.status == 404)) {
		run->with_tmpi = false;
		run->result->tmpi_refused = true;
		run->username = run->conf->impi;
		return true;
	}
	if (err != GBA_E_BUSY || run->tries >= UB_TRIES || wait_s == 0 || wait_s > UB_RETRY_AFTER_MAX ||
	    wait_s * 1000 >= time_left(run))
		return false;
	poll(NULL, 0, (int)wait_s * 1000);
	return true;
}

static enum gba_err prepare(struct run *run)
{
	struct usim_identity identity;
	enum gba_err err;

	err = url_parse(run->tmp, run->conf->url, url_schemes_http, &run->url);
	if (err != GBA_OK)
		return why_fail(run->why, err, "%s: not an http or https URL", run->conf->url);
	run->user_agent = talloc_asprintf(run->tmp, "%s 3gpp-gba " UB_TMPI_TOKEN, run->conf->product);
	if (run->user_agent == NULL)
		return why_fail(run->why, GBA_E_NOMEM, "out of memory");
	err = run->usim->ops->identity(run->usim->card, &identity);
	if (err != GBA_OK)
		return usim_why(run->usim, err, run->why);
	run->gba_u = identity.gba_u;
	run->with_tmpi = run->conf->tmpi.n > 0;
	run->username = run->with_tmpi ? run->conf->tmpi : run->conf->impi;
	run->deadline = clock_mono_ms() + (run->conf->timeout_ms > 0 ? run->conf->timeout_ms : UB_TIMEOUT_MS);
	return GBA_OK;
}

enum gba_err ub_run(TALLOC_CTX *mem_ctx, const struct ub_conf *conf, const struct usim *usim,
		    const struct fetcher *fetcher, struct ub_result *_result, struct why *why)
{
	struct run run = {
		.mem_ctx = mem_ctx, .conf = conf, .usim = usim, .fetcher = fetcher, .result = _result, .why = why
	};
	enum gba_err err;

	memset(_result, 0, sizeof(*_result));
	run.tmp = talloc_new(mem_ctx);
	if (run.tmp == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	err = prepare(&run);
	if (err == GBA_OK)
		err = run_once(&run);
	if (err != GBA_OK && try_again(&run, err))
		err = run_once(&run);
	if (err != GBA_OK)
		TALLOC_FREE(_result->ks);
	talloc_free(run.tmp);
	SECRET_WIPE(run.akav2);
	SECRET_WIPE(run.reply);
	return err;
}
