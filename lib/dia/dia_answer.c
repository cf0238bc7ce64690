/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia_internal.h"
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

static enum gba_err add_result(struct msg *answer, uint32_t code, uint32_t vendor)
{
	struct avp *group;
	enum gba_err err;

	if (vendor == 0)
		return dia_add_u32(answer, dia_base.result_code, code);
	err = dia_add_group(answer, dia_base.experimental_result, &group);
	if (err == GBA_OK)
		err = dia_add_u32(group, dia_base.vendor_id, vendor);
	if (err == GBA_OK)
		err = dia_add_u32(group, dia_base.experimental_result_code, code);
	return err;
}

static enum gba_err add_session_id(struct msg *answer, struct msg *request)
{
	struct avp *session_id = dia_find(request, AVP_SESSION_ID), *copy;
	struct avp_hdr *hdr = session_id != NULL ? dia_hdr(session_id) : NULL;

	if (hdr == NULL || hdr->avp_value == NULL)
		return GBA_OK;
	if (fd_msg_avp_new(dia_base.session_id, 0, &copy) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_avp_setvalue(copy, hdr->avp_value) != 0 || fd_msg_avp_add(answer, MSG_BRW_FIRST_CHILD, copy) != 0) {
		fd_msg_free(copy);
		return GBA_E_NOMEM;
	}
	return GBA_OK;
}

static enum gba_err fill(struct msg *answer, struct msg *request, uint32_t app, const struct dia_outcome *outcome)
{
	uint32_t vendor, code = dia_result_of(outcome->err, &vendor);
	enum gba_err err;

	err = add_session_id(answer, request);
	if (err == GBA_OK)
		err = dia_add_common(answer, app);
	if (err == GBA_OK)
		err = add_result(answer, code, vendor);
	if (err != GBA_OK)
		return err;
	if (outcome->err == GBA_OK)
		return outcome->fields != NULL ? dia_encode(answer, outcome->fields, outcome->in) : GBA_OK;
	err = dia_add_octets(answer, dia_base.error_message, bytes_of(gba_strerror(outcome->err)));
	if (err == GBA_OK && outcome->failed != NULL)
		err = dia_add_failed(answer, outcome->failed);
	return err;
}

/* What a first attempt has added, except the Proxy-Infos that the framework copied (RFC 6733 6.2). */
static void empty(struct msg *answer)
{
	struct avp *avp, *next;
	struct avp_hdr *hdr;

	for (avp = dia_first(answer); avp != NULL; avp = next) {
		next = dia_next(avp);
		hdr = dia_hdr(avp);
		if (hdr == NULL || !dia_is(hdr, AVP_PROXY_INFO))
			fd_msg_free(avp);
	}
}

static bool is_protocol_error(uint32_t code, uint32_t vendor)
{
	return vendor == 0 && code >= 3000 && code < 4000;
}

/* Without a session object: Zh and Zn keep no state, and we copy the Session-Id ourselves. */
static int answer_from(struct msg **msg, bool protocol_error)
{
	int flags = MSGFL_ANSW_NOSID | (protocol_error ? MSGFL_ANSW_ERROR : 0);
	int rc = fd_msg_new_answer_from_req(fd_g_config->cnf_dict, msg, flags);

	if (rc == 0)
		return 0;
	return fd_msg_new_answer_from_req(fd_g_config->cnf_dict, msg, flags | MSGFL_ANSW_NOPROXYINFO);
}

static bool is_e_bit(enum gba_err err)
{
	uint32_t vendor, code = dia_result_of(err, &vendor);

	return is_protocol_error(code, vendor);
}

enum gba_err dia_answer_build(struct msg **msg, const struct dia_outcome *outcome)
{
	static const struct dia_outcome internal = { GBA_E_NOMEM, NULL, NULL, NULL };
	struct msg_hdr *request_hdr, *hdr;
	struct msg *request = *msg;
	bool e_bit = is_e_bit(outcome->err);

	if (fd_msg_hdr(request, &request_hdr) != 0 || answer_from(msg, e_bit) != 0 || fd_msg_hdr(*msg, &hdr) != 0)
		return GBA_E_NOMEM;
	hdr->msg_flags = (request_hdr->msg_flags & CMD_FLAG_PROXIABLE) | (e_bit ? CMD_FLAG_ERROR : 0);
	if (fill(*msg, request, request_hdr->msg_appl, outcome) == GBA_OK)
		return GBA_OK;
	empty(*msg);
	hdr->msg_flags &= ~CMD_FLAG_ERROR;
	return fill(*msg, request, request_hdr->msg_appl, &internal);
}

void dia_answer_send(struct msg **msg, enum gba_err err, const struct dia_failed *failed, const struct dia_field *fields,
		     const void *in)
{
	struct dia_outcome outcome = { err, failed, fields, in };
	struct msg *answer = *msg;

	*msg = NULL;
	/* Not even room for an empty answer: the peer's own timer has to do. */
	if (dia_answer_build(&answer, &outcome) != GBA_OK || fd_msg_send(&answer, NULL, NULL) != 0)
		fd_msg_free(answer);
}
