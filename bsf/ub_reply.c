/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "bsf/ub_priv.h"
#include "core/clock.h"
#include "core/trace.h"
#include "xml/bsinfo.h"

#define REFUSED_BURST 64 /* lines at once about requests that are no HTTP; then one a second */

static const unsigned int codes[UB_CODES - 1] = { 200, 400, 401, 403, 404, 405, 413, 431, 500, 502, 503 };

void ub_metrics_make(struct ub *ub)
{
	size_t i;

	for (i = 0; i < UB_CODES; i++) {
		char text[16] = "other", labels[32] = "";

		if (i < UB_CODES - 1)
			snprintf(text, sizeof(text), "%u", codes[i]);
		metric_label(labels, sizeof(labels), "code", text);
		ub->m_codes[i] = metric_get("gba_bsf_ub_requests_total", "Requests on Ub by answer", METRIC_COUNTER, labels);
	}
	ub->m_seconds = metric_get("gba_bsf_ub_seconds", "From a request on Ub to its answer", METRIC_HISTOGRAM, "");
	ub->m_runs = metric_get("gba_bsf_pending", "Runs in progress", METRIC_GAUGE, "");
	ub->m_asking = metric_get("gba_bsf_zh_in_flight", "Questions to HSSs under way", METRIC_GAUGE, "");
	ub->m_boots = metric_get("gba_bsf_bootstraps_total", "Completed bootstraps", METRIC_COUNTER, "");
	ub->m_zh_seconds = metric_get("gba_bsf_zh_seconds", "From a question to an HSS to its answer", METRIC_HISTOGRAM, "");
}

static void count_code(struct ub *ub, unsigned int status)
{
	size_t i = 0;

	while (i < UB_CODES - 1 && codes[i] != status)
		i++;
	metric_add(ub->m_codes[i], 1);
}

static void count(struct ub_op *op, unsigned int status)
{
	count_code(op->ub, status);
	metric_observe_us(op->ub->m_seconds, clock_mono_us() - op->started_us);
}

/* Both arrows at once: what the request belongs to is known only now. */
static void trace_both(struct ub_op *op, const char *asked, const char *clause, const char *answer)
{
	struct trace_step step = { .at = op->seen_at, .corr = op->corr[0] != '\0' ? op->corr : NULL, .from = "ue", .to = "bsf",
				   .iface = "Ub", .clause = asked, .id = op->impi,
				   .message = op->by_certificate ? "GET / with certificate" : "GET /" };

	if (!trace_on())
		return;
	trace_step(&step);
	step.at = 0;
	step.from = "bsf";
	step.to = "ue";
	step.clause = clause;
	step.message = answer;
	trace_step(&step);
}

static const char *asked_clause(const struct ub_op *op)
{
	return op->first || op->by_certificate ? "Y.3056 10.4-1a" : op->auth.auts.p != NULL ? "TS 33.102 6.3.5" : "Y.3056 10.4-2c";
}

static struct log_about about(const struct ub_op *op, enum gba_err result, const char *clause)
{
	return (struct log_about){ .iface = "Ub", .corr = op->corr[0] != '\0' ? op->corr : NULL, .peer = op->source,
				   .id = op->impi.p != NULL ? op->impi : op->auth.username, .clause = clause, .result = result };
}

void ub_reply_challenge(struct ub_op *op, const struct challenge *challenge, bool stale)
{
	char opaque[RUN_OPAQUE_CHARS + 1];
	struct digest_challenge fields = { .realm = bytes_of(op->ub->conf->name), .nonce = bytes_of(challenge->nonce),
					   .algorithm = challenge->algorithm, .qop_auth_int = true, .stale = stale };
	struct http_header headers[] = { { "WWW-Authenticate", NULL }, { NULL, NULL } };

	run_opaque(op->ub->runs, challenge, op->auth.username, opaque);
	fields.opaque = bytes_of(opaque);
	headers[0].value = digest_challenge_build(op, &fields);
	if (headers[0].value == NULL) {
		ub_reply_refuse(op, GBA_E_NOMEM, 1);
		return;
	}
	corr_from_rand(challenge->rand, op->corr);
	if (log_enabled(LOG_L_DEBUG)) {
		struct log_about what = about(op, GBA_OK, "TS 24.109 4.2");

		log_event(LOG_L_DEBUG, "ub.challenge", &what, "%s", stale ? "stale nonce" : "challenged");
	}
	trace_both(op, asked_clause(op), "Y.3056 10.4-2a", stale ? "401 challenge, stale" : "401 challenge");
	count(op, 401);
	http_reply(op->req, 401, headers, BYTES("", 0));
}

struct digest_calc ub_calc(const struct ub_op *op)
{
	return (struct digest_calc){ .qop = op->auth.qop, .username = op->auth.username, .realm = op->auth.realm,
				     .nonce = op->auth.nonce, .cnonce = op->auth.cnonce, .nc_text = op->auth.nc_text,
				     .method = http_req_method(op->req), .uri = op->auth.uri, .body = http_req_body(op->req) };
}

/* RFC 9110 5.6.7, without the locale's names. */
static void http_date(time_t when, char out[32])
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&when, &tm) != NULL)
		snprintf(out, 32, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
			 (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static enum gba_err prepare_body(struct ub_op *op, time_t expires)
{
	struct bsinfo body = { .btid = op->btid, .lifetime = expires };
	const struct bsf_conf *conf = op->ub->conf;
	char *certificate = NULL;

	if (op->application != NULL && conf->realm_profile[0] != '\0')
		body.realm_profile = conf->realm_profile;
	if (op->application != NULL && conf->token_format[0] != '\0')
		body.token_format = conf->token_format;
	if (op->certificate.n > 0) {
		certificate = talloc_size(op, BASE64_LEN(op->certificate.n) + 1);
		if (certificate == NULL)
			return GBA_E_NOMEM;
		base64_encode(op->certificate, certificate);
		body.certificate = certificate;
	}
	body.change_awaited = op->by_certificate && op->changing;
	op->body = bsinfo_build(op, &body);
	talloc_free(certificate);
	return op->body != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err ub_reply_prepare(struct ub_op *op, const struct challenge_secret *secret, time_t expires)
{
	struct digest_calc calc = ub_calc(op);
	char rspauth[DIGEST_HEX_MAX + 1];
	struct digest_info info = { .cnonce = op->auth.cnonce, .nc_text = op->auth.nc_text, .qop = DIGEST_QOP_AUTH_INT };
	enum gba_err err = prepare_body(op, expires);

	http_date(expires, op->expires);
	if (err != GBA_OK || op->by_certificate) /* TLS has proved who we are, and protects the body */
		return err;
	calc.algorithm = op->ub->how_3g.algorithm;
	calc.password = BYTES(secret->password, secret->password_n);
	calc.body = bytes_of(op->body);
	digest_rspauth(&calc, rspauth);
	info.rspauth = bytes_of(rspauth);
	op->info = digest_info_build(op, &info);
	return op->info != NULL ? GBA_OK : GBA_E_NOMEM;
}

void ub_reply_done(struct ub_op *op)
{
	struct http_header headers[] = { { "Content-Type", BSINFO_CONTENT_TYPE }, { "Authentication-Info", op->info },
					 { "Expires", op->expires }, { NULL, NULL } };
	struct log_about what = about(op, GBA_OK, op->by_certificate ? "Y.3056 10.4-5" : "TS 24.109 4.2");

	if (op->by_certificate)
		headers[1] = (struct http_header){ "Connection", "close" };
	log_event(LOG_L_INFO, "ub.bootstrap", &what, "bootstrapped%s, expires %s", op->by_certificate ? " by certificate" : "",
		  op->expires);
	trace_both(op, asked_clause(op), "Y.3056 10.4-4b", "200 OK");
	metric_add(op->ub->m_boots, 1);
	count(op, 200);
	http_reply(op->req, 200, headers, bytes_of(op->body));
}

/* What the far end is told: the row's status, but what a client can take for final must be final, and any failure of
 * ours or of the HSS is 503. */
static unsigned int status_of(enum gba_err err)
{
	switch (err) {
	case GBA_E_DIGEST_MISMATCH:
		return 403;
	case GBA_E_PEER:
	case GBA_E_INTERNAL:
	case GBA_E_CORRUPT:
	case GBA_E_EXISTS:
		return 503;
	case GBA_E_AUTH_SCHEME: /* a directive with a value we did not offer, RFC 7616 3.4 */
		return 400;
	default:
		return gba_err_http(err);
	}
}

void ub_reply_refuse(struct ub_op *op, enum gba_err err, unsigned int retry_s)
{
	unsigned int status = status_of(err);
	struct http_header headers[] = { { "Content-Type", "text/plain" }, { NULL, NULL }, { NULL, NULL }, { NULL, NULL } };
	struct log_about what = about(op, err, op->by_certificate ? "Y.3056 10.4-5" : "TS 24.109 4.3");
	char seconds[16], message[48], text[96];
	size_t n = 1;

	if (status == 503 && retry_s == 0)
		retry_s = 2;
	if (retry_s > 0) {
		snprintf(seconds, sizeof(seconds), "%u", retry_s);
		headers[n++] = (struct http_header){ "Retry-After", seconds };
	}
	if (op->by_certificate)
		headers[n++] = (struct http_header){ "Connection", "close" };
	if (status == 503)
		log_event_limited(1, LOG_L_WARNING, "ub.refused", &what, "%u, retry after %u s", status, retry_s);
	else
		log_event(LOG_L_INFO, "ub.refused", &what, "%u", status);
	snprintf(message, sizeof(message), "%u", status);
	trace_both(op, asked_clause(op), "TS 24.109 4.3", message);
	count(op, status);
	snprintf(text, sizeof(text), "%u\n", status);
	http_reply(op->req, status, headers, bytes_of(text));
}

void ub_reply_method(struct ub_op *op)
{
	static const struct http_header headers[] = { { "Allow", "GET" }, { NULL, NULL } };
	struct log_about what = about(op, GBA_E_UNSUPPORTED, "RFC 9110 15.5.6");

	log_event(LOG_L_INFO, "ub.refused", &what, "405");
	count(op, 405);
	http_reply(op->req, 405, headers, BYTES("", 0));
}

/* Whoever sends nonsense is not asked for anything first: a line each, but not as many as he likes. */
void ub_refused(void *arg, const char *source, unsigned int status, const char *reason)
{
	struct log_about what = { .iface = "Ub", .peer = source != NULL ? ub_address(source) : BYTES_NONE, .clause = "RFC 9112",
				  .result = status == 503 ? GBA_E_BUSY : GBA_E_SYNTAX };
	static struct log_limit limit;
	unsigned int left_out;

	count_code(arg, status);
	if (!log_limit_burst(&limit, REFUSED_BURST, &left_out))
		return;
	if (left_out > 0)
		log_event(LOG_L_INFO, "ub.refused", &what, "%u, %s; %u more before this one", status, reason, left_out);
	else
		log_event(LOG_L_INFO, "ub.refused", &what, "%u, %s", status, reason);
}
