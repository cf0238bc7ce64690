/* SPDX-License-Identifier: Apache-2.0 */
/* RPB with the hss beside Zh: Permission-Query where no vector is asked for (Y.3056 10.4-3a), and the Permission-Notices it sends
 * of its own accord. */
#include "bsf/glue.h"
#include "bsf/rpb.h"
#include "core/log.h"
#include "dia/opchange.h"

#define REPORT_TIMEOUT_MS 5000 /* an HSS commits it */

struct rpb_call {
	hss_done done;
	void *arg;
};

static bool loaded;

enum gba_err bsf_rpb_resolve(void)
{
	enum gba_err err = rpb_resolve();

	loaded = err == GBA_OK;
	if (loaded)
		dia_app_optional(rpb_pqr_cmd.app);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* The first host of the row that shows RPB; behind a relay, the first at all. */
static bool host_choose(const struct bsf_hss *row, struct bytes *_host)
{
	bool unknown = false;
	size_t i;

	*_host = BYTES_NONE;
	for (i = 0; i < row->hosts.n; i++) {
		enum dia_peer is = dia_peer_of(bytes_of(row->hosts.v[i]), rpb_pqr_cmd.app);

		if (is == DIA_PEER_ABLE) {
			*_host = bytes_of(row->hosts.v[i]);
			return true;
		}
		unknown |= is == DIA_PEER_AWAY;
	}
	return (row->hosts.n == 0 || unknown) && dia_peer_ready(rpb_pqr_cmd.app);
}

bool bsf_rpb_able(const struct bsf_hss *row)
{
	struct bytes host;

	return loaded && row != NULL && host_choose(row, &host);
}

struct hss_permission bsf_rpb_permission(const struct y3056_permission *said)
{
	return (struct hss_permission){
		.set = said->flag == Y3056_SET,
		.single = said->token_use == Y3056_SINGLE,
		.from = said->from,
		.until = said->until,
		.lifetime = said->lifetime != DIA_NO_U32 ? said->lifetime : 0,
		.push_peer = said->push_peer,
		.ua_ids = said->ua_protocols,
	};
}

static void on_pqa(void *arg, enum gba_err err, struct msg *msg)
{
	struct rpb_call *call = arg;
	struct hss_permission permission;
	struct hss_answer answer = { .permission = &permission };
	struct dia_failed failed;
	struct dia_result result;
	struct rpb_pqa pqa;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK)
		err = hss_result(result.vendor, result.code, false);
	if (err == GBA_OK)
		err = dia_decode(call, msg, rpb_pqa_fields, &pqa, &failed) == GBA_OK ? GBA_OK : GBA_E_PEER;
	if (err == GBA_OK)
		permission = bsf_rpb_permission(&pqa.permission);
	call->done(call->arg, err, err == GBA_OK ? &answer : NULL);
	talloc_free(call);
}

static void on_cqa(void *arg, enum gba_err err, struct msg *msg)
{
	struct rpb_call *call = arg;
	struct hss_permission permission;
	struct hss_answer answer = { .permission = NULL };
	struct dia_failed failed;
	struct dia_result result;
	struct rpb_cqa cqa;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK)
		err = hss_result(result.vendor, result.code, false);
	if (err == GBA_OK)
		err = dia_decode(call, msg, rpb_cqa_fields, &cqa, &failed) == GBA_OK ? GBA_OK : GBA_E_PEER;
	if (err == GBA_OK) {
		answer.guss = cqa.guss;
		answer.certificate = cqa.certificate;
		answer.awaited = cqa.awaited == OPC_TOKEN;
		permission = bsf_rpb_permission(&cqa.permission);
		if (cqa.permission.present)
			answer.permission = &permission;
	}
	call->done(call->arg, err, err == GBA_OK ? &answer : NULL);
	talloc_free(call);
}

/* One message to an HSS of the row that shows RPB. */
static enum gba_err send_to(const struct bsf_conf *conf, const struct bsf_hss *row, struct dia_cmd *cmd,
			    const struct dia_field *fields, const void *request, struct rpb_call *call)
{
	struct bytes host;
	struct msg *msg;
	enum gba_err err;

	if (!loaded || !host_choose(row, &host))
		return GBA_E_UNREACHABLE;
	err = dia_request_new(cmd, bytes_of(row->realm), host, &msg);
	if (err != GBA_OK)
		return err;
	err = dia_encode(msg, fields, request);
	if (err != GBA_OK) {
		fd_msg_free(msg);
		return err;
	}
	return dia_request_send(&msg, conf->zh_timeout, cmd == &rpb_cqr_cmd ? on_cqa : on_pqa, call);
}

static enum gba_err ask(const struct bsf_conf *conf, const struct bsf_hss *row, struct dia_cmd *cmd, const struct dia_field *fields,
			const void *request, const struct rpb_call *how)
{
	struct rpb_call *call = talloc_memdup(NULL, how, sizeof(*how));
	enum gba_err err;

	if (call == NULL)
		return GBA_E_NOMEM;
	err = send_to(conf, row, cmd, fields, request, call);
	if (err != GBA_OK)
		talloc_free(call);
	return err;
}

enum gba_err bsf_rpb_ask(const struct bsf_conf *conf, const struct bsf_hss *row, const struct hss_question *question,
			 hss_done done, void *arg)
{
	struct rpb_pqr pqr = { .user_name = question->impi, .application = question->application };
	struct rpb_call call = { done, arg };

	return ask(conf, row, &rpb_pqr_cmd, rpb_pqr_fields, &pqr, &call);
}

enum gba_err bsf_rpb_certificate(const struct bsf_conf *conf, const struct bsf_hss *row, const struct hss_question *question,
				 hss_done done, void *arg)
{
	struct rpb_cqr cqr = { .user_name = question->impi, .certificate = question->certificate,
			       .application = question->application, .guss_timestamp = question->guss_timestamp };
	struct rpb_call call = { done, arg };

	return ask(conf, row, &rpb_cqr_cmd, rpb_cqr_fields, &cqr, &call);
}

/* ---- reports ---- */

struct report_call {
	report_done done;
	void *arg;
};

static void on_tra(void *arg, enum gba_err err, struct msg *msg)
{
	struct report_call *call = arg;
	struct dia_result result;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK && !dia_result_ok(&result))
		err = result.vendor == 0 && result.code < 5000 ? GBA_E_BUSY : GBA_E_PEER;
	call->done(call->arg, err);
	talloc_free(call);
}

_Static_assert(REPORT_ENTRIES <= Y3056_ENTRIES_MAX, "a message takes as many");

enum gba_err bsf_rpb_report(void *conf, const struct bsf_hss *row, struct bytes *entries, size_t n, report_done done, void *arg)
{
	const struct rpb_trr report = { { entries, n } };
	struct report_call *call;
	struct msg *msg = NULL;
	struct bytes host;
	enum gba_err err;

	(void)conf;
	if (!loaded || !host_choose(row, &host))
		return GBA_E_UNREACHABLE;
	call = talloc(NULL, struct report_call);
	if (call == NULL)
		return GBA_E_NOMEM;
	*call = (struct report_call){ done, arg };
	err = dia_request_new(&rpb_trr_cmd, bytes_of(row->realm), host, &msg);
	if (err == GBA_OK)
		err = dia_encode(msg, rpb_trr_fields, &report);
	if (err == GBA_OK)
		err = dia_request_send(&msg, REPORT_TIMEOUT_MS, on_tra, call);
	else if (msg != NULL)
		fd_msg_free(msg);
	if (err != GBA_OK)
		talloc_free(call);
	return err;
}

/* ---- notices ---- */

struct bsf_rpb {
	const struct bsf_conf *conf;
	struct revoker *revoker;
	struct dia_service *service;
};

static void on_done(void *arg, enum gba_err err)
{
	struct msg *msg = arg;

	dia_answer_send(&msg, err, NULL, y3056_no_fields, &err);
}

/* Only who answers for the user's vectors may take back what rests on them. */
static bool may_tell(const struct bsf_conf *conf, struct msg *msg, struct bytes impi)
{
	const struct bsf_hss *row = bsf_conf_hss(conf, impi);
	size_t i;

	if (row == NULL)
		return false;
	for (i = 0; i < row->hosts.n; i++) {
		if (bytes_eq_nocase(dia_origin_host(msg), bytes_of(row->hosts.v[i])))
			return true;
	}
	return row->hosts.n == 0 && bytes_eq_nocase(dia_origin_realm(msg), bytes_of(row->realm));
}

static enum gba_err take(struct bsf_rpb *rpb, TALLOC_CTX *tmp, struct msg *msg, struct dia_failed *_failed)
{
	struct notice notice = { .done = on_done, .arg = msg };
	struct rpb_pnr pnr;
	enum gba_err err;

	err = dia_decode(tmp, msg, rpb_pnr_fields, &pnr, _failed);
	if (err != GBA_OK)
		return err;
	if (pnr.kind < 0 || pnr.kind >= (int32_t)NOTICE_CERTIFICATE) {
		_failed->avp = dia_avp_of(msg, rpb_pnr_fields, offsetof(struct rpb_pnr, kind));
		return GBA_E_AVP_VALUE;
	}
	if (!may_tell(rpb->conf, msg, pnr.user_name))
		return GBA_E_NOT_AUTHORIZED;
	notice.impi = pnr.user_name;
	notice.kind = (enum notice_kind)pnr.kind;
	notice.application = pnr.application;
	notice.guss = pnr.guss;
	return revoker_add(rpb->revoker, &notice);
}

static void on_pnr(struct msg *msg, void *arg)
{
	struct log_about about = { .iface = "RPB", .peer = dia_origin_host(msg), .clause = "Y.3056 9.4.1" };
	struct dia_failed failed = { NULL, NULL, NULL };
	TALLOC_CTX *tmp = talloc_new(NULL);

	about.result = tmp != NULL ? take(arg, tmp, msg, &failed) : GBA_E_NOMEM; /* taken: it may be answered already */
	talloc_free(tmp);
	if (about.result == GBA_OK)
		return;
	log_event(LOG_L_WARNING, "rpb.notice", &about, "not taken");
	dia_answer_send(&msg, about.result, &failed, NULL, NULL);
}

enum gba_err bsf_rpb_start(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct revoker *revoker, struct bsf_rpb **_rpb)
{
	struct bsf_rpb *rpb;
	enum gba_err err;

	*_rpb = NULL;
	if (!loaded)
		return GBA_OK;
	rpb = talloc_zero(mem_ctx, struct bsf_rpb);
	if (rpb == NULL)
		return GBA_E_NOMEM;
	rpb->conf = conf;
	rpb->revoker = revoker;
	err = dia_serve(rpb, &rpb_pnr_cmd, on_pnr, rpb, &rpb->service);
	if (err == GBA_OK)
		*_rpb = rpb;
	else
		talloc_free(rpb);
	return err;
}

void bsf_rpb_stop(struct bsf_rpb *rpb)
{
	if (rpb == NULL)
		return;
	dia_serve_stop(rpb->service);
	talloc_free(rpb);
}
