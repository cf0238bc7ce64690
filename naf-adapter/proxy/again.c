/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/again.h"

#include "core/clock.h"
#include "core/log.h"

#define PAUSE_MS 1000 /* after nobody could say */

void again_doubt(struct conn *conn)
{
	conn->doubt = conn->result != NULL;
	conn->again_ms = 0;
}

static void log_ended(const struct conn *conn, enum gba_naf_error error)
{
	struct log_about about = { .iface = "Ua", .corr = conn->corr[0] != '\0' ? conn->corr : NULL,
				   .peer = bytes_of(conn->address), .clause = "Y.3056 9.4.1", .result = GBA_E_BTID_UNKNOWN };

	metric_add(conn->worker->proxy->stats.revoked, 1);
	log_event(LOG_L_INFO, "ua.revoked", &about, "while the agent was away: %s", gba_naf_strerror(error));
}

static void on_answer(void *arg, enum gba_naf_error error, struct gba_naf_result *result)
{
	void (*done)(struct conn *conn, enum gba_naf_error error);
	struct conn *conn = arg;

	conn->again = NULL;
	done = conn->again_done;
	if (error == GBA_NAF_OK) {
		conn->doubt = false;
		gba_naf_result_free(conn->result);
		conn->result = result;
		keys_put(conn->worker->keys, result, conn->ua_id, clock_now());
		if (conn->site != NULL)
			conn_identify(conn);
	} else if (gba_naf_error_http(error) >= 500) {
		conn->again_ms = clock_mono_ms() + PAUSE_MS;
		error = GBA_NAF_OK;
	} else {
		log_ended(conn, error);
	}
	done(conn, error);
}

bool again_ask(struct conn *conn, void (*done)(struct conn *conn, enum gba_naf_error error))
{
	struct gba_naf_query query = GBA_NAF_QUERY_INIT;

	if (!conn->doubt || conn->again != NULL || conn->site == NULL || clock_mono_ms() < conn->again_ms)
		return false;
	query.btid = gba_naf_result_btid(conn->result);
	query.btid_len = strlen(query.btid);
	query.fqdn = conn->site->fqdn;
	memcpy(query.ua_id, conn->ua_id, GBA_NAF_UA_ID_LEN);
	query.gsids = conn->site->gsids;
	query.gsid_count = conn->site->gsid_count;
	query.timeout_ms = conn_conf(conn)->agent_timeout;
	query.source = conn->address;
	conn->again_done = done;
	if (gba_naf_ask(conn->worker->naf, &query, on_answer, conn, &conn->again) == GBA_NAF_OK)
		return true;
	conn->again_ms = clock_mono_ms() + PAUSE_MS;
	return false;
}

void again_stop(struct conn *conn)
{
	gba_naf_cancel(conn->again);
	conn->again = NULL;
}
