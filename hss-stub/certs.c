/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/certs.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/trace.h"
#include "dia/opchange.h"
#include "hss-stub/change/change.h"
#include "hss-stub/rpb.h"
#include "hss-stub/serial.h"

#define QUERIES_MAX 1024 /* that wait */

struct hss_certs {
	struct hss_certs_parts parts;
	struct changes *changes; /* the thread's */
	struct serial *serial;
	struct metric *results[GBA_ERR_COUNT];
};

/** One query; views into its message. */
struct query {
	struct hss_certs *certs;
	struct bytes bsf;
	struct rpb_cqr cqr;
	struct rpb_cqa cqa;
	struct dia_failed failed;
	uint64_t seen_at;
};

/* A user nobody knows and a certificate that is not the user's are answered alike: nobody learns who exists. */
static enum gba_err certificate_judge(struct query *query, TALLOC_CTX *tmp)
{
	struct change_shown shown;
	enum gba_err err;

	err = change_certificate_shown(query->certs->changes, tmp, query->cqr.user_name, query->cqr.certificate, clock_now(),
				       &shown);
	if (err == GBA_E_CERTIFICATE)
		return GBA_E_IMPI_UNKNOWN;
	if (err != GBA_OK)
		return err;
	if (shown.guss.p != NULL && (query->cqr.guss_timestamp == 0 || query->cqr.guss_timestamp < shown.guss_time))
		query->cqa.guss = shown.guss;
	query->cqa.certificate = shown.instead;
	query->cqa.awaited = shown.token_awaited ? OPC_TOKEN : DIA_NO_ENUM;
	return GBA_OK;
}

/* With the certificate, so that it costs no message of its own (10.4-3a, 3b). What cannot be said now is asked for again. */
static void permission_find(struct query *query, TALLOC_CTX *tmp)
{
	struct bytes fqdn = query->cqr.application;
	struct grant *grant = NULL;
	enum gba_err err;

	if (fqdn.p == NULL || !fqdn_valid(fqdn))
		return;
	err = permissions_find(query->certs->parts.permissions, tmp, query->cqr.user_name, fqdn, &grant);
	(void)hss_rpb_permission(tmp, err, grant, &query->cqa.permission);
}

static enum gba_err answer_find(struct query *query, TALLOC_CTX *tmp, struct msg *msg)
{
	unsigned int ind;
	enum gba_err err;

	query->cqa.awaited = DIA_NO_ENUM;
	err = dia_decode(tmp, msg, rpb_cqr_fields, &query->cqr, &query->failed);
	if (err != GBA_OK)
		return err;
	if (!impi_valid(query->cqr.user_name)) {
		query->failed.avp = dia_avp_of(msg, rpb_cqr_fields, offsetof(struct rpb_cqr, user_name));
		return GBA_E_IMPI_SYNTAX;
	}
	err = hss_admit(query->certs->parts.conf, query->bsf, query->cqr.user_name, &ind);
	if (err == GBA_OK)
		err = certificate_judge(query, tmp);
	if (err == GBA_OK)
		permission_find(query, tmp);
	return err;
}

static void count(struct hss_certs *certs, enum gba_err err)
{
	char labels[64] = "";

	if (certs->results[err] == NULL) {
		metric_label(labels, sizeof(labels), "result", err == GBA_OK ? "ok" : gba_err_name(err));
		certs->results[err] = metric_get("gba_hss_certificate_queries_total", "Certificate-Queries answered.",
						 METRIC_COUNTER, labels);
	}
	metric_add(certs->results[err], 1);
}

static void trace(const struct query *query, enum gba_err err)
{
	struct trace_step asked = { .at = query->seen_at, .from = "bsf", .to = "hss-stub", .iface = "RPB",
				    .clause = "Y.3056 10.4-1b", .message = "CQR device certificate", .id = query->cqr.user_name };
	struct trace_step answered = { .from = "hss-stub", .to = "bsf", .iface = "RPB", .clause = "Y.3056 10.4-1c",
				       .message = err == GBA_OK ? "CQA it is the user's" : "CQA refused",
				       .id = query->cqr.user_name };

	if (!trace_on())
		return;
	trace_step(&asked);
	trace_step(&answered);
	if (err != GBA_OK || !query->cqa.permission.present)
		return;
	asked.clause = "Y.3056 10.4-3a";
	asked.message = "permission, asked in the CQR";
	answered.clause = "Y.3056 10.4-3b";
	answered.message = query->cqa.permission.flag == Y3056_SET ? "flag set, told in the CQA" : "flag cleared, told in the CQA";
	trace_step(&asked);
	trace_step(&answered);
}

/* On record as a vector is: from this answer a key is made. */
static enum gba_err audit(const struct query *query, enum gba_err err)
{
	struct audit_entry entry = { .act = "rpb.certificate", .role = "bsf", .who = query->bsf, .object = query->cqr.user_name,
				     .why = bytes_of("Y.3056 10.4-5"), .result = err };
	enum gba_err noted;

	if (err != GBA_OK && err != GBA_E_DENIED)
		return err; /* a flood of strangers must not fill the disk */
	noted = audit_note(query->certs->parts.audit, &entry);
	return err == GBA_OK ? noted : err;
}

static void serve(void *arg, struct msg *msg, uint64_t seen_at)
{
	struct query query = { .certs = arg, .bsf = dia_origin_host(msg), .cqr = { .user_name = BYTES_NONE },
			       .seen_at = seen_at };
	struct log_about about = { .iface = "RPB", .peer = query.bsf, .clause = "Y.3056 10.4-5" };
	TALLOC_CTX *tmp = talloc_new(NULL);
	enum gba_err err = tmp != NULL ? answer_find(&query, tmp, msg) : GBA_E_NOMEM;

	err = audit(&query, err);
	about.id = query.cqr.user_name;
	about.result = err;
	log_event(err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, "rpb.certificate", &about, "%s", gba_strerror(err));
	trace(&query, err);
	count(query.certs, err);
	dia_answer_send(&msg, err, &query.failed, rpb_cqa_fields, &query.cqa);
	talloc_free(tmp);
}

enum gba_err hss_certs_start(TALLOC_CTX *mem_ctx, const struct hss_certs_parts *parts, struct hss_certs **_certs,
			     const char **_why)
{
	struct hss_certs *certs = talloc_zero(mem_ctx, struct hss_certs);
	const struct serial_conf serial = { &rpb_cqr_cmd, rpb_cqa_fields, QUERIES_MAX, serve, certs };
	enum gba_err err;

	*_why = gba_strerror(GBA_E_NOMEM);
	if (certs == NULL)
		return GBA_E_NOMEM;
	certs->parts = *parts;
	err = changes_open(certs, parts->conf->database, parts->kek, NULL, &certs->changes, _why);
	if (err == GBA_OK) {
		*_why = "RPB cannot be served";
		err = serial_start(certs, &serial, &certs->serial);
	}
	*_certs = certs; /* whatever came of it is for hss_certs_stop() */
	return err;
}

void hss_certs_stop(struct hss_certs *certs)
{
	if (certs != NULL)
		serial_stop(certs->serial);
}
