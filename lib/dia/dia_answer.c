/* SPDX-License-Identifier: Apache-2.0 */
#include "core/secret.h"
#include "dia/dia_internal.h"
#include "dia/dia_sink.h"
#include "dia/names.h"

/* Number per row of the error space: found by name, once. */
static struct {
	uint32_t code, vendor;
} results[GBA_ERR_COUNT];

static const struct {
	uint32_t code;
	const char *name;
} results_3gpp[] = {
#define RESULT_ROW(code, name) { code, name },
	DIA_RESULTS_3GPP(RESULT_ROW)
};

static uint32_t result_of_3gpp(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(results_3gpp) / sizeof(results_3gpp[0]); i++) {
		if (strcmp(results_3gpp[i].name, name) == 0)
			return results_3gpp[i].code;
	}
	return 0;
}

static uint32_t result_of_base(struct dict_object *type, const char *name)
{
	struct dict_enumval_request by_name = { .type_obj = type };
	struct dict_object *found = NULL;
	struct dict_enumval_data data;

	by_name.search.enum_name = (char *)(uintptr_t)name; /* only read */
	if (fd_dict_search(fd_g_config->cnf_dict, DICT_ENUMVAL, ENUMVAL_BY_STRUCT, &by_name, &found, ENOENT) != 0)
		return 0;
	return fd_dict_getval(found, &data) == 0 ? data.enum_value.u32 : 0;
}

enum gba_err dia_results_resolve(void)
{
	struct dict_object *type = NULL;
	const char *name;
	int err;

	if (fd_dict_search(fd_g_config->cnf_dict, DICT_TYPE, TYPE_OF_AVP, dia_base.result_code, &type, ENOENT) != 0)
		return GBA_E_NOT_FOUND;
	for (err = 0; err < GBA_ERR_COUNT; err++) {
		name = gba_err_diameter(err);
		results[err].code = result_of_3gpp(name);
		results[err].vendor = results[err].code != 0 ? DIA_VENDOR_3GPP : 0;
		if (results[err].code == 0)
			results[err].code = result_of_base(type, name);
		if (results[err].code == 0)
			return GBA_E_NOT_FOUND;
	}
	return GBA_OK;
}

uint32_t dia_result_of(enum gba_err err, uint32_t *_vendor)
{
	unsigned int row = (unsigned int)err < GBA_ERR_COUNT ? (unsigned int)err : GBA_E_INTERNAL;

	*_vendor = results[row].vendor;
	return results[row].code;
}

/* Codes are known at compile time: base AVPs of every answer, V clear, M as RFC 6733 4.5 has it. */
#define M AVP_FLAG_MANDATORY

static void write_result(struct dia_writer *w, uint32_t code, uint32_t vendor)
{
	if (vendor == 0) {
		dia_writer_u32(w, AVP_RESULT_CODE, M, code);
		return;
	}
	dia_writer_open(w, AVP_EXPERIMENTAL_RESULT, 0, M);
	dia_writer_u32(w, AVP_VENDOR_ID, M, vendor);
	dia_writer_u32(w, AVP_EXPERIMENTAL_RESULT_CODE, M, code);
	dia_writer_close(w);
}

static void write_session_id(struct dia_writer *w, struct msg *request)
{
	struct avp *session_id = dia_find(request, AVP_SESSION_ID);
	struct avp_hdr *hdr = session_id != NULL ? dia_hdr(session_id) : NULL;

	if (hdr != NULL && hdr->avp_value != NULL)
		dia_writer_avp(w, AVP_SESSION_ID, 0, M, BYTES(hdr->avp_value->os.data, hdr->avp_value->os.len));
}

static void write_common(struct dia_writer *w, uint32_t app)
{
	dia_writer_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID, 0, M);
	dia_writer_u32(w, AVP_VENDOR_ID, M, dia_vendor_of(app));
	dia_writer_u32(w, AVP_AUTH_APPLICATION_ID, M, app);
	dia_writer_close(w);
	dia_writer_u32(w, AVP_AUTH_SESSION_STATE, M, AUTH_NO_STATE_MAINTAINED);
	dia_writer_avp(w, AVP_ORIGIN_HOST, 0, M, BYTES(fd_g_config->cnf_diamid, fd_g_config->cnf_diamid_len));
	dia_writer_avp(w, AVP_ORIGIN_REALM, 0, M, BYTES(fd_g_config->cnf_diamrlm, fd_g_config->cnf_diamrlm_len));
}

/* The framework cannot write an unknown AVP without octets, and leaks what it has copied before it notices. */
static bool is_copied_by_framework(struct avp *avp)
{
	struct dict_object *model = NULL;
	struct avp_hdr *hdr = dia_hdr(avp);
	struct avp *child;

	if (hdr == NULL || fd_msg_model(avp, &model) != 0)
		return false;
	if (model == NULL)
		return hdr->avp_len > (hdr->avp_flags & AVP_FLAG_VENDOR ? 12u : 8u);
	for (child = dia_first(avp); child != NULL; child = dia_next(child)) {
		if (!is_copied_by_framework(child))
			return false;
	}
	return true;
}

/* Proxy-Infos come back, in their order (RFC 6733 6.2). Ones with unknown AVPs inside only the framework can copy. */
static enum gba_err write_foreign_proxy_infos(struct dia_writer *w, struct msg *request)
{
	struct msg *copies = request;
	uint8_t *octets = NULL;
	struct avp *avp;
	size_t n = 0;
	int rc;

	for (avp = dia_first(request); avp != NULL; avp = dia_next(avp)) {
		if (dia_is(dia_hdr(avp), AVP_PROXY_INFO) && !is_copied_by_framework(avp))
			return GBA_OK; /* no agent writes such; whoever did gets none back */
	}
	if (fd_msg_new_answer_from_req(fd_g_config->cnf_dict, &copies, MSGFL_ANSW_NOSID) != 0)
		return GBA_E_NOMEM;
	rc = fd_msg_bufferize(copies, &octets, &n);
	if (rc == 0)
		dia_writer_raw(w, BYTES(octets + DIA_HEADER_LEN, n - DIA_HEADER_LEN));
	free(octets);
	(void)fd_msg_answ_detach(copies); /* the request lives on */
	fd_msg_free(copies);
	return rc == 0 ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err write_proxy_infos(struct dia_writer *w, struct msg *request)
{
	size_t before = w->n;
	struct avp_hdr *hdr;
	struct avp *avp;

	for (avp = dia_first(request); avp != NULL; avp = dia_next(avp)) {
		hdr = dia_hdr(avp);
		if (hdr == NULL || !dia_is(hdr, AVP_PROXY_INFO) || dia_writer_copy(w, avp))
			continue;
		w->n = before;
		w->depth = 0;
		return write_foreign_proxy_infos(w, request);
	}
	return GBA_OK;
}

static enum gba_err write_answer(struct dia_writer *w, struct msg *request, uint32_t app, const struct dia_outcome *outcome)
{
	uint32_t vendor, code = dia_result_of(outcome->err, &vendor);
	enum gba_err err = GBA_OK;

	write_session_id(w, request);
	write_common(w, app);
	write_result(w, code, vendor);
	if (outcome->err != GBA_OK) {
		dia_writer_avp(w, AVP_ERROR_MESSAGE, 0, 0, bytes_of(gba_strerror(outcome->err)));
		if (outcome->failed != NULL)
			dia_write_failed(w, outcome->failed);
	} else if (outcome->fields != NULL) {
		err = dia_rows_write(&w->sink, outcome->fields, outcome->in);
	}
	return err == GBA_OK ? write_proxy_infos(w, request) : err;
}

static bool is_protocol_error(enum gba_err err)
{
	uint32_t vendor, code = dia_result_of(err, &vendor);

	return vendor == 0 && code >= 3000 && code < 4000;
}

static enum gba_err finish(struct dia_writer *w, const struct msg_hdr *request_hdr, enum gba_err outcome, struct msg **_answer)
{
	struct msg_hdr hdr = *request_hdr;

	/* P as in the request; E for protocol errors alone (RFC 6733 6.2, 7.1.3) */
	hdr.msg_flags = (hdr.msg_flags & CMD_FLAG_PROXIABLE) | (is_protocol_error(outcome) ? CMD_FLAG_ERROR : 0);
	return dia_writer_finish(w, &hdr, _answer);
}

enum gba_err dia_answer_build(struct msg **msg, const struct dia_outcome *outcome)
{
	static const struct dia_outcome internal = { GBA_E_INTERNAL, NULL, NULL, NULL };
	struct msg *request = *msg, *answer;
	struct msg_hdr *request_hdr;
	struct dia_writer w;
	enum gba_err err;

	if (fd_msg_hdr(request, &request_hdr) != 0)
		return GBA_E_INTERNAL;
	dia_writer_start(&w);
	err = write_answer(&w, request, request_hdr->msg_appl, outcome);
	if (err != GBA_OK && !w.failed) { /* what the role wants to say cannot be said */
		outcome = &internal;
		dia_writer_reset(&w);
		(void)write_answer(&w, request, request_hdr->msg_appl, outcome);
	}
	err = finish(&w, request_hdr, outcome->err, &answer);
	dia_writer_free(&w);
	if (err != GBA_OK)
		return err;
	if (fd_msg_answ_associate(answer, request) != 0) {
		fd_msg_free(answer);
		return GBA_E_INTERNAL;
	}
	*msg = answer;
	return GBA_OK;
}

/* No memory for an answer: the framework's own least one is tried, on the request itself. */
static enum gba_err build_least(struct msg **msg)
{
	char result[] = "DIAMETER_UNABLE_TO_COMPLY";
	int flags = MSGFL_ANSW_NOSID | MSGFL_ANSW_NOPROXYINFO;

	if (fd_msg_new_answer_from_req(fd_g_config->cnf_dict, msg, flags) != 0)
		return GBA_E_NOMEM;
	return fd_msg_rescode_set(*msg, result, NULL, NULL, 1) == 0 ? GBA_OK : GBA_E_NOMEM;
}

void dia_answer_send(struct msg **msg, enum gba_err err, const struct dia_failed *failed, const struct dia_field *fields,
		     const void *in)
{
	struct dia_outcome outcome = { err, failed, fields, in };
	struct msg *answer = *msg;

	*msg = NULL;
	if (dia_answer_build(&answer, &outcome) != GBA_OK && build_least(&answer) != GBA_OK) {
		fd_msg_free(answer); /* the peer's own timer has to do */
		return;
	}
	if (fd_msg_send(&answer, NULL, NULL) != 0)
		fd_msg_free(answer);
}
