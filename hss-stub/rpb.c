/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/rpb.h"

#include "core/log.h"
#include "core/metrics.h"
#include "core/token_entry.h"
#include "core/trace.h"
#include "hss-stub/teller.h"
#include "hss-stub/tokens.h"

#define NOTICE_TIMEOUT_MS 5000 /* a BSF walks through all its contexts */

struct hss_rpb {
	const struct hss_conf *conf;
	struct permissions *permissions;
	struct teller *teller;
	struct tokens *tokens;
	struct dia_service *service, *reports;
	struct metric *m_set, *m_cleared, *m_refused;
};

static bool loaded;

enum gba_err hss_rpb_resolve(void)
{
	enum gba_err err = rpb_resolve();

	loaded = err == GBA_OK;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* ---- what an answer says ---- */

/* "0100000002\n0100000007" as octets. */
static struct bytes ua_octets(TALLOC_CTX *mem_ctx, const char *ids)
{
	size_t max = ids != NULL ? strlen(ids) / HEX_LEN(UA_ID_LEN) : 0, n = 0;
	uint8_t *octets = max > 0 ? talloc_size(mem_ctx, max * UA_ID_LEN) : NULL;

	while (octets != NULL && n < max && (n + 1) * UA_ID_LEN <= Y3056_UA_PROTOCOLS_MAX) {
		if (hex_decode(BYTES(ids, strcspn(ids, "\n")), octets + n * UA_ID_LEN, UA_ID_LEN) != GBA_OK)
			break;
		n++;
		ids += strcspn(ids, "\n");
		ids += *ids == '\n';
	}
	return n > 0 ? BYTES(octets, n * UA_ID_LEN) : BYTES_NONE;
}

bool hss_rpb_permission(TALLOC_CTX *mem_ctx, enum gba_err err, const struct grant *grant, struct y3056_permission *_said)
{
	*_said = (struct y3056_permission){ .present = true, .flag = Y3056_CLEARED, .gsid = DIA_NO_U32, .degree = DIA_NO_U32,
					    .lifetime = DIA_NO_U32, .token_use = DIA_NO_ENUM };
	if (err == GBA_E_NOT_AUTHORIZED)
		return true;
	if (err != GBA_OK) {
		_said->present = false;
		return false;
	}
	_said->flag = Y3056_SET;
	_said->gsid = grant->gsid;
	_said->from = grant->from;
	_said->until = grant->until;
	_said->degree = grant->security_degree;
	_said->lifetime = grant->token_lifetime != 0 ? grant->token_lifetime : DIA_NO_U32;
	_said->token_use = grant->single ? Y3056_SINGLE : Y3056_MULTIPLE;
	_said->push_peer = grant->push_peer != NULL ? bytes_of(grant->push_peer) : BYTES_NONE;
	_said->ua_protocols = ua_octets(mem_ctx, grant->ua_ids);
	return true;
}

/* ---- Permission-Query ---- */

static enum gba_err answer_find(struct hss_rpb *rpb, TALLOC_CTX *tmp, struct msg *msg, struct rpb_pqr *pqr, struct rpb_pqa *_pqa,
				struct dia_failed *_failed)
{
	struct grant *grant = NULL;
	unsigned int ind;
	enum gba_err err;

	err = dia_decode(tmp, msg, rpb_pqr_fields, pqr, _failed);
	if (err != GBA_OK)
		return err;
	if (!impi_valid(pqr->user_name) || !fqdn_valid(pqr->application)) {
		_failed->avp = dia_avp_of(msg, rpb_pqr_fields, impi_valid(pqr->user_name) ? offsetof(struct rpb_pqr, application)
											  : offsetof(struct rpb_pqr, user_name));
		return GBA_E_AVP_VALUE;
	}
	err = hss_admit(rpb->conf, dia_origin_host(msg), pqr->user_name, &ind);
	if (err != GBA_OK)
		return err;
	err = permissions_find(rpb->permissions, tmp, pqr->user_name, pqr->application, &grant);
	_pqa->user_name = pqr->user_name;
	return hss_rpb_permission(tmp, err, grant, &_pqa->permission) ? GBA_OK : err;
}

static void note(struct hss_rpb *rpb, struct msg *msg, const struct rpb_pqr *pqr, const struct rpb_pqa *pqa, enum gba_err err)
{
	bool set = err == GBA_OK && pqa->permission.flag == Y3056_SET;
	struct log_about about = { .iface = "RPB", .peer = dia_origin_host(msg), .id = pqr->user_name, .result = err,
				   .clause = "Y.3056 10.4-3b" };
	struct trace_step step = { .from = "bsf", .to = "hss-stub", .iface = "RPB", .clause = "Y.3056 10.4-3a", .message = "PQR",
				   .id = pqr->user_name };

	metric_add(err != GBA_OK ? rpb->m_refused : set ? rpb->m_set : rpb->m_cleared, 1);
	log_event(LOG_L_INFO, "rpb.query", &about, "%.*s: %s", BYTES_FMT(pqr->application),
		  err != GBA_OK ? gba_strerror(err) : set ? "set" : "cleared");
	if (!trace_on())
		return;
	trace_step(&step);
	step.from = "hss-stub";
	step.to = "bsf";
	step.clause = "Y.3056 10.4-3b";
	step.message = err != GBA_OK ? "PQA refused" : set ? "PQA flag set" : "PQA flag cleared";
	trace_step(&step);
}

static void on_pqr(struct msg *msg, void *arg)
{
	struct rpb_pqr pqr = { .user_name = BYTES_NONE, .application = BYTES("", 0) };
	struct dia_failed failed = { NULL, NULL, NULL };
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct hss_rpb *rpb = arg;
	struct rpb_pqa pqa = { .user_name = BYTES_NONE };
	enum gba_err err = GBA_E_NOMEM;

	if (tmp != NULL)
		err = answer_find(rpb, tmp, msg, &pqr, &pqa, &failed);
	note(rpb, msg, &pqr, &pqa, err); /* before: the views end with the request */
	dia_answer_send(&msg, err, &failed, rpb_pqa_fields, &pqa);
	talloc_free(tmp);
}

/* ---- Token-Report ---- */

static void on_kept(void *arg, enum gba_err err)
{
	struct msg *msg = arg;

	dia_answer_send(&msg, err, NULL, y3056_no_fields, &err);
}

/* A BSF reports users it may ask vectors for, and nobody else. */
static enum gba_err report_take(struct hss_rpb *rpb, TALLOC_CTX *tmp, struct msg *msg, struct dia_failed *_failed)
{
	struct token_entry entry;
	struct rpb_trr report;
	unsigned int ind;
	enum gba_err err;
	size_t i;

	err = dia_decode(tmp, msg, rpb_trr_fields, &report, _failed);
	for (i = 0; err == GBA_OK && i < report.entries.n; i++) {
		err = token_entry_parse(report.entries.v[i], &entry);
		if (err != GBA_OK) {
			_failed->avp = dia_avp_of(msg, rpb_trr_fields, offsetof(struct rpb_trr, entries));
			return GBA_E_AVP_VALUE;
		}
		err = hss_admit(rpb->conf, dia_origin_host(msg), entry.user, &ind);
	}
	if (err != GBA_OK)
		return err;
	return tokens_add(rpb->tokens, dia_origin_host(msg), report.entries.v, report.entries.n, on_kept, msg);
}

static void on_trr(struct msg *msg, void *arg)
{
	struct log_about about = { .iface = "RPB", .peer = dia_origin_host(msg), .clause = "Y.OBF 8.5.2" };
	struct dia_failed failed = { NULL, NULL, NULL };
	TALLOC_CTX *tmp = talloc_new(NULL);

	about.result = tmp != NULL ? report_take(arg, tmp, msg, &failed) : GBA_E_NOMEM; /* taken: it may be answered already */
	talloc_free(tmp);
	if (about.result == GBA_OK)
		return;
	log_event(LOG_L_WARNING, "rpb.report", &about, "not taken");
	dia_answer_send(&msg, about.result, &failed, NULL, NULL);
}

/* ---- Permission-Notice ---- */

struct telling {
	struct teller *teller;
	size_t line, place;
};

static void on_pna(void *arg, enum gba_err err, struct msg *msg)
{
	struct telling *telling = arg;
	struct dia_result result;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK && !dia_result_ok(&result))
		err = GBA_E_PEER;
	if (err != GBA_OK)
		log_event_limited(10, LOG_L_WARNING, "rpb.notice", &(struct log_about){ .iface = "RPB", .result = err },
				  "a BSF has not taken a notice; it is told again");
	teller_heard(telling->teller, telling->line, telling->place, err);
	talloc_free(telling);
}

static enum teller_reach notice_reach(void *arg, const char *bsf)
{
	(void)arg;
	switch (dia_peer_of(bytes_of(bsf), rpb_pnr_cmd.app)) {
	case DIA_PEER_ABLE: return TELLER_HEARS;
	case DIA_PEER_PLAIN: return TELLER_DEAF;
	default: return TELLER_AWAY;
	}
}

static enum gba_err notice_send(void *arg, const char *bsf, const struct outbox_row *row, struct teller *teller, size_t line,
				size_t place)
{
	struct rpb_pnr pnr = { .user_name = bytes_of(row->impi), .kind = (int32_t)row->kind, .guss = row->guss,
			       .application = row->naf_fqdn != NULL ? bytes_of(row->naf_fqdn) : BYTES_NONE };
	struct telling *telling = talloc(NULL, struct telling);
	struct bytes realm = bytes_of(bsf);
	struct msg *msg = NULL;
	enum gba_err err;

	(void)arg;
	if (telling == NULL)
		return GBA_E_NOMEM;
	*telling = (struct telling){ teller, line, place };
	dia_peer_realm(bytes_of(bsf), telling, &realm);
	err = dia_request_new(&rpb_pnr_cmd, realm, bytes_of(bsf), &msg);
	if (err == GBA_OK)
		err = dia_encode(msg, rpb_pnr_fields, &pnr);
	if (err == GBA_OK)
		err = dia_request_send(&msg, NOTICE_TIMEOUT_MS, on_pna, telling);
	else if (msg != NULL)
		fd_msg_free(msg);
	if (err != GBA_OK)
		talloc_free(telling);
	return err;
}

_Static_assert((int)OUTBOX_PERMISSION_CHANGED == (int)Y3056_PERMISSION_CHANGED && (int)OUTBOX_KIND_COUNT == (int)Y3056_KIND_COUNT,
	       "a kind of notice is the same number in the outbox and on the wire");

/* ---- start and stop ---- */

enum gba_err hss_rpb_start(TALLOC_CTX *mem_ctx, const struct hss_conf *conf, struct kek *kek, struct permissions *permissions,
			   struct hss_rpb **_rpb, const char **_why)
{
	static const char name[] = "gba_hss_permission_queries_total", help[] = "Permission-Queries answered";
	struct teller_conf teller = { conf, kek, { notice_reach, notice_send, NULL } };
	struct hss_rpb *rpb;
	enum gba_err err;

	*_rpb = NULL;
	*_why = "RPB cannot be served";
	if (!loaded)
		return GBA_OK;
	rpb = talloc_zero(mem_ctx, struct hss_rpb);
	if (rpb == NULL)
		return GBA_E_NOMEM;
	rpb->conf = conf;
	rpb->permissions = permissions;
	rpb->m_set = metric_get(name, help, METRIC_COUNTER, "flag=\"set\"");
	rpb->m_cleared = metric_get(name, help, METRIC_COUNTER, "flag=\"cleared\"");
	rpb->m_refused = metric_get(name, help, METRIC_COUNTER, "flag=\"refused\"");
	err = dia_serve(rpb, &rpb_pqr_cmd, on_pqr, rpb, &rpb->service);
	*_rpb = rpb;
	if (err == GBA_OK)
		err = tokens_start(rpb, conf->database, kek, &rpb->tokens, _why);
	if (err == GBA_OK)
		err = dia_serve(rpb, &rpb_trr_cmd, on_trr, rpb, &rpb->reports);
	if (err == GBA_OK)
		err = teller_start(rpb, &teller, &rpb->teller, _why);
	*_rpb = rpb;
	return err;
}

void hss_rpb_stop(struct hss_rpb *rpb)
{
	if (rpb == NULL)
		return;
	teller_stop(rpb->teller);
	if (rpb->reports != NULL)
		dia_serve_stop(rpb->reports);
	tokens_stop(rpb->tokens);
	if (rpb->service != NULL)
		dia_serve_stop(rpb->service);
	dia_requests_stop();
	teller_free(rpb->teller);
	talloc_free(rpb);
}
