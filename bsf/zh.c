/* SPDX-License-Identifier: Apache-2.0 */
/* Zh client (TS 29.109 4.2): Multimedia-Auth to the HSS of the IMPI's realm; where several are listed, the next one when
 * one is silent, busy or not there. */
#include "dia/zh.h"

#include <stdatomic.h>

#include "bsf/glue.h"
#include "bsf/rpb.h"
#include "core/clock.h"
#include "core/metrics.h"

#define SHUN_MS 10000 /* a host that failed is asked last for this long */

struct zh_hosts {
	atomic_uint_fast64_t *shunned_until; /* per host [ms] */
};

struct zh {
	struct hss base;
	const struct bsf_conf *conf;
	struct zh_hosts *rows; /* as conf->hss */
	struct metric *m_ok, *m_refused, *m_failed, *m_failover;
};

/** One question; a talloc root, because it ends in another thread. */
struct zh_call {
	struct zh *zh;
	const struct bsf_hss *row;
	struct zh_hosts *hosts;
	size_t host, tried;
	hss_done done;
	void *arg;
	time_t guss_timestamp;
	struct bytes impi, resync, application;
	uint8_t impi_octets[IMPI_MAX], resync_octets[ZH_RESYNC_LEN], application_octets[FQDN_MAX];
};

static void call_finish(struct zh_call *call, enum gba_err err, const struct hss_answer *answer)
{
	struct zh *zh = call->zh;

	metric_add(err == GBA_OK ? zh->m_ok : hss_try_next(err) || err == GBA_E_PEER ? zh->m_failed : zh->m_refused, 1);
	call->done(call->arg, err, answer);
	talloc_free(call);
}

static void answer_read(struct zh_call *call, struct msg *msg)
{
	struct hss_permission permission;
	struct dia_failed failed;
	struct hss_answer answer;
	struct zh_maa maa;
	enum gba_err err;

	err = dia_decode(call, msg, zh_maa_fields, &maa, &failed);
	if (err != GBA_OK || !maa.auth.present) {
		call_finish(call, GBA_E_PEER, NULL);
		return;
	}
	answer = (struct hss_answer){ .user_name = maa.user_name, .scheme = maa.auth.scheme, .authenticate = maa.auth.authenticate,
				      .authorization = maa.auth.authorization, .ck = maa.auth.ck, .ik = maa.auth.ik,
				      .guss = maa.guss };
	if (maa.permission.present && call->application.p != NULL) {
		permission = bsf_rpb_permission(&maa.permission);
		answer.permission = &permission;
	}
	call_finish(call, GBA_OK, &answer);
}

static enum gba_err call_send(struct zh_call *call);

/* Ask the next host of the row. @return false: there is none left, or it cannot be asked */
static bool call_next(struct zh_call *call)
{
	if (call->row->hosts.n == 0 || ++call->tried >= call->row->hosts.n)
		return false;
	atomic_store(&call->hosts->shunned_until[call->host], clock_mono_ms() + SHUN_MS);
	call->host = (call->host + 1) % call->row->hosts.n;
	metric_add(call->zh->m_failover, 1);
	return call_send(call) == GBA_OK;
}

static void on_maa(void *arg, enum gba_err err, struct msg *msg)
{
	struct zh_call *call = arg;
	struct dia_result result;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK)
		err = hss_result(result.vendor, result.code, call->resync.p != NULL);
	if (err == GBA_OK)
		answer_read(call, msg);
	else if (!hss_try_next(err) || !call_next(call))
		call_finish(call, err, NULL);
}

static enum gba_err call_send(struct zh_call *call)
{
	struct zh_mar mar = { .user_name = call->impi, .guss_timestamp = call->guss_timestamp,
			      .application = call->application };
	struct bytes host = call->row->hosts.n > 0 ? bytes_of(call->row->hosts.v[call->host]) : BYTES_NONE;
	struct msg *msg;
	enum gba_err err;

	if (call->resync.p != NULL) {
		mar.auth.present = true;
		mar.auth.item_number = DIA_NO_U32;
		mar.auth.scheme = bytes_of(ZH_SCHEME_AKAV1);
		mar.auth.authorization = call->resync;
	}
	err = dia_request_new(&zh_mar_cmd, bytes_of(call->row->realm), host, &msg);
	if (err != GBA_OK)
		return err;
	err = dia_encode(msg, zh_mar_fields, &mar);
	if (err != GBA_OK) {
		fd_msg_free(msg);
		return err;
	}
	return dia_request_send(&msg, call->zh->conf->zh_timeout, on_maa, call);
}

/* The first host that has not failed lately; the first of all when all have. */
static size_t host_choose(const struct bsf_hss *row, const struct zh_hosts *hosts)
{
	uint64_t now = clock_mono_ms();
	size_t i;

	for (i = 0; i < row->hosts.n; i++) {
		if (atomic_load(&hosts->shunned_until[i]) <= now)
			return i;
	}
	return 0;
}

static enum gba_err zh_ask(struct hss *base, const struct hss_question *question, hss_done done, void *arg)
{
	struct zh *zh = (struct zh *)base;
	const struct bsf_hss *row = bsf_conf_hss(zh->conf, question->impi);
	struct zh_call *call;
	enum gba_err err;

	if (row == NULL)
		return GBA_E_IMPI_UNKNOWN; /* of no realm of ours */
	if (question->impi.n > IMPI_MAX || question->resync.n > ZH_RESYNC_LEN)
		return GBA_E_INTERNAL;
	if (question->certificate.p != NULL)
		return bsf_rpb_certificate(zh->conf, row, question, done, arg);
	if (question->permission_only)
		return bsf_rpb_ask(zh->conf, row, question, done, arg);
	call = talloc_zero(NULL, struct zh_call);
	if (call == NULL)
		return GBA_E_NOMEM;
	call->zh = zh;
	call->row = row;
	call->hosts = &zh->rows[row - (const struct bsf_hss *)zh->conf->hss.v];
	call->host = host_choose(row, call->hosts);
	call->done = done;
	call->arg = arg;
	call->guss_timestamp = question->guss_timestamp;
	memcpy(call->impi_octets, question->impi.p, question->impi.n);
	call->impi = BYTES(call->impi_octets, question->impi.n);
	/* With the vector it costs nothing more; a plain HSS is not sent what it does not know. */
	if (question->application.n > 0 && question->application.n <= FQDN_MAX && bsf_rpb_able(row)) {
		memcpy(call->application_octets, question->application.p, question->application.n);
		call->application = BYTES(call->application_octets, question->application.n);
	}
	if (question->resync.p != NULL) {
		memcpy(call->resync_octets, question->resync.p, question->resync.n);
		call->resync = BYTES(call->resync_octets, question->resync.n);
	}
	err = call_send(call);
	if (err != GBA_OK)
		talloc_free(call);
	return err;
}

static bool zh_permits(struct hss *base, struct bytes impi)
{
	return bsf_rpb_able(bsf_conf_hss(((struct zh *)base)->conf, impi));
}

static bool zh_ready(struct hss *base)
{
	(void)base;
	return dia_peer_ready(DIA_APP_ZH);
}

struct hss *bsf_zh_new(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf)
{
	static const char name[] = "gba_bsf_zh_requests_total", help[] = "Questions to HSSs by outcome";
	const struct bsf_hss *rows = conf->hss.v;
	struct zh *zh = talloc_zero(mem_ctx, struct zh);
	size_t i;

	if (zh == NULL)
		return NULL;
	zh->base = (struct hss){ .ask = zh_ask, .ready = zh_ready, .permits = zh_permits };
	zh->conf = conf;
	zh->m_ok = metric_get(name, help, METRIC_COUNTER, "outcome=\"ok\"");
	zh->m_refused = metric_get(name, help, METRIC_COUNTER, "outcome=\"refused\"");
	zh->m_failed = metric_get(name, help, METRIC_COUNTER, "outcome=\"failed\"");
	zh->m_failover = metric_get("gba_bsf_zh_failovers_total", "Questions put to another HSS", METRIC_COUNTER, "");
	zh->rows = talloc_zero_array(zh, struct zh_hosts, conf->hss.n);
	for (i = 0; i < conf->hss.n && zh->rows != NULL; i++) {
		zh->rows[i].shunned_until = talloc_zero_array(zh->rows, atomic_uint_fast64_t, rows[i].hosts.n);
		if (zh->rows[i].shunned_until == NULL)
			TALLOC_FREE(zh->rows);
	}
	if (zh->rows == NULL) {
		talloc_free(zh);
		return NULL;
	}
	return &zh->base;
}
