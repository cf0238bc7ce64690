/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/access.h"

#include "core/clock.h"
#include "core/ident.h"
#include "core/log.h"
#include "naf-adapter/libnaf/gba-naf-openssl.h"

#define SHOWN_MAX 256 /* [octets] of a text that a device chose */

static struct bytes cut(struct bytes text)
{
	return text.n > SHOWN_MAX ? BYTES(text.p, SHOWN_MAX) : text;
}

static struct bytes text_of(const char *text)
{
	return text != NULL && text[0] != '\0' ? bytes_of(text) : BYTES_NONE;
}

const struct host_stats *access_host(const struct conn *conn, const struct site *site)
{
	return &conn->gen->snapshot->hosts[site != NULL ? site->index : conn->gen->site_count];
}

/* What the application calls the device, unless that is what no log may hold. */
static struct bytes pseudonym(const struct asserted *who, const struct gba_naf_result *result)
{
	const char *impi = result != NULL ? gba_naf_result_impi(result) : NULL;

	if (who->user.p == NULL || bytes_eq(who->user, who->btid) || (impi != NULL && bytes_eq_str(who->user, impi)))
		return BYTES_NONE;
	return cut(who->user);
}

/* @return print, or NULL */
static const char *print_of(struct bytes btid, char print[BTID_PRINT_LEN + 1])
{
	uint8_t rand[RAND_LEN];

	if (btid.p == NULL || btid_parse(btid, rand, NULL) != GBA_OK)
		return NULL;
	btid_print(btid, print);
	return print;
}

static struct bytes version_of(const struct conn *conn)
{
	return text_of(conn->chan.ssl != NULL ? SSL_get_version(conn->chan.ssl) : NULL);
}

static struct bytes suite_of(const struct conn *conn)
{
	const SSL_CIPHER *suite = conn->chan.ssl != NULL ? SSL_get_current_cipher(conn->chan.ssl) : NULL;

	return text_of(suite != NULL ? SSL_CIPHER_standard_name(suite) : NULL);
}

/* ---- requests ---- */

/* Without its query, which may hold what is nobody's business. */
static struct bytes path_of(const struct exchange *ex)
{
	struct bytes path = ex->head.octets > 0 ? ex->head.path : BYTES_NONE;
	const uint8_t *question = path.p != NULL ? memchr(path.p, '?', path.n) : NULL;

	return cut(question != NULL ? BYTES(path.p, question - path.p) : path);
}

static void count_request(const struct exchange *ex, enum request_outcome outcome)
{
	const struct stats *stats = &ex->conn->worker->proxy->stats;
	const struct host_stats *host = access_host(ex->conn, ex->site);

	stats_request(stats, ex->status);
	metric_observe_us(stats->request_time, clock_mono_us() - ex->started_us);
	metric_add(host->requests[outcome], 1);
	metric_add(host->octets_in, (int64_t)ex->request.octets);
	metric_add(host->octets_out, (int64_t)ex->response.octets);
}

/* Claimed, or proved by the handshake. */
static struct bytes btid_of(const struct exchange *ex)
{
	if (ex->digest)
		return ex->claim.auth.username;
	return ex->conn->result != NULL ? bytes_of(gba_naf_result_btid(ex->conn->result)) : BYTES_NONE;
}

static void log_request(const struct exchange *ex, enum request_outcome outcome)
{
	const struct conn *conn = ex->conn;
	const struct gba_naf_result *result = ex->result != NULL ? ex->result : conn->result;
	struct bytes btid = btid_of(ex);
	char print[BTID_PRINT_LEN + 1];
	struct log_about about = { .iface = "Ua", .corr = ex->corr[0] != '\0' ? ex->corr : NULL, .peer = bytes_of(ex->address),
				   .btid = print_of(btid, print) };
	bool asked = ex->up_asked_us != 0;
	const struct log_field fields[] = {
		LOG_TEXT("user", pseudonym(&ex->who, result)),
		LOG_TEXT("auth", text_of(ex->digest ? "digest" : conn->result != NULL ? "psk" : NULL)),
		LOG_TEXT("tls", version_of(conn)),
		LOG_TEXT("suite", suite_of(conn)),
		LOG_TEXT("host", text_of(ex->site != NULL ? ex->site->fqdn : NULL)),
		LOG_TEXT("method", ex->head.octets > 0 ? cut(ex->head.method) : BYTES_NONE),
		LOG_TEXT("path", path_of(ex)),
		LOG_NUMBER("status", ex->status),
		LOG_TEXT("outcome", bytes_of(request_outcome_names[outcome])),
		LOG_NUMBER("in", ex->request.octets),
		LOG_NUMBER("out", ex->response.octets),
		LOG_NUMBER("us", clock_mono_us() - ex->started_us),
		LOG_TEXT("upstream", asked ? text_of(ex->site->conf->upstream) : BYTES_NONE),
		LOG_TEXT("why", text_of(ex->why)),
		LOG_NUMBER("upstream_us", ex->up_said_us - ex->up_asked_us),
	};

	log_fields(LOG_L_INFO, "ua.request", &about, fields,
		   sizeof(fields) / sizeof(fields[0]) - (asked && ex->up_said_us != 0 ? 0 : 1));
}

void access_request(const struct exchange *ex, enum request_outcome outcome)
{
	count_request(ex, outcome);
	if (log_enabled(LOG_L_INFO))
		log_request(ex, outcome);
}

/* ---- handshakes ---- */

static void log_handshake(const struct conn *conn, enum handshake_outcome outcome, const char *why)
{
	const char *btid = conn->chan.ssl != NULL ? gba_naf_tls_btid(conn->chan.ssl) : NULL;
	char print[BTID_PRINT_LEN + 1];
	struct log_about about = { .iface = "Ua", .corr = conn->corr[0] != '\0' ? conn->corr : NULL,
				   .peer = bytes_of(conn->address), .btid = print_of(bytes_of(btid), print) };
	bool good = outcome == HANDSHAKE_DONE;
	const struct log_field fields[] = {
		LOG_TEXT("tls", version_of(conn)),
		LOG_TEXT("suite", suite_of(conn)),
		LOG_TEXT("host", text_of(conn->site != NULL ? conn->site->fqdn : NULL)),
		LOG_TEXT("outcome", bytes_of(handshake_outcome_names[outcome])),
		LOG_NUMBER("us", clock_mono_us() - conn->accepted_us),
		LOG_TEXT("why", text_of(why)),
	};

	if (!good) {
		about.clause = "TS 33.222 5.4";
		about.result = GBA_E_DENIED;
	}
	log_fields(good ? LOG_L_DEBUG : LOG_L_INFO, good ? "ua.handshake" : "ua.handshake_failed", &about, fields,
		   sizeof(fields) / sizeof(fields[0]));
}

void access_handshake(const struct conn *conn, enum handshake_outcome outcome, const char *why)
{
	bool good = outcome == HANDSHAKE_DONE;

	metric_add(access_host(conn, conn->site)->handshakes[outcome], 1);
	if (!good)
		metric_add(conn->worker->proxy->stats.shake_failed, 1);
	if (log_enabled(good ? LOG_L_DEBUG : LOG_L_INFO))
		log_handshake(conn, outcome, why);
}

/* ---- streams ---- */

void access_stream(const struct conn *conn, enum stream_outcome outcome, const char *why)
{
	struct bytes btid = conn->result != NULL ? bytes_of(gba_naf_result_btid(conn->result)) : BYTES_NONE;
	char print[BTID_PRINT_LEN + 1];
	struct log_about about = { .iface = "Ua", .corr = conn->corr[0] != '\0' ? conn->corr : NULL,
				   .peer = bytes_of(conn->address), .btid = print_of(btid, print) };
	const struct host_stats *host = access_host(conn, conn->site);
	const struct log_field fields[] = {
		LOG_TEXT("user", pseudonym(&conn->who, conn->result)),
		LOG_TEXT("tls", version_of(conn)),
		LOG_TEXT("suite", suite_of(conn)),
		LOG_TEXT("host", text_of(conn->site != NULL ? conn->site->fqdn : NULL)),
		LOG_TEXT("outcome", bytes_of(stream_outcome_names[outcome])),
		LOG_NUMBER("in", conn->tunnel_in),
		LOG_NUMBER("out", conn->tunnel_out),
		LOG_NUMBER("us", clock_mono_us() - conn->accepted_us),
		LOG_TEXT("upstream", text_of(conn->site != NULL ? conn->site->conf->upstream : NULL)),
		LOG_TEXT("why", text_of(why)),
	};

	metric_add(host->streams[outcome], 1);
	if (outcome == STREAM_ENDED) {
		metric_add(host->octets_in, (int64_t)conn->tunnel_in);
		metric_add(host->octets_out, (int64_t)conn->tunnel_out);
	}
	log_fields(outcome == STREAM_UNAVAILABLE ? LOG_L_ERROR : LOG_L_INFO, "ua.stream", &about, fields,
		   sizeof(fields) / sizeof(fields[0]));
}

void access_timeout(const struct conn *conn, enum timeout_kind kind)
{
	metric_add(conn->worker->proxy->stats.timeouts[kind], 1);
}
