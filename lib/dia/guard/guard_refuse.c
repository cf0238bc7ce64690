/* SPDX-License-Identifier: Apache-2.0 */
/* Refused requests, and retransmissions: carried to a dispatch thread by a command and an AVP of our own. */
#include "dia/guard/guard.h"

#define CARRIER_CODE   16777215u   /* command codes 0xfffffe and 0xffffff are for experiments (RFC 6733 11.2.1) */

#define SESSION_ID	  263
#define PROXY_INFO	  284
#define DESTINATION_REALM 283

#define TOO_BUSY 3004

/* What the carrier AVP holds; the texts follow it. */
struct carried {
	uint32_t result, app, code, failed;
	uint64_t entry;
	const char *why; /* static */
	struct guard_broken broken;
	bool has_failed_value, only_head;
	uint32_t session_id_len, failed_len;
};

static struct {
	struct dict_object *command, *avp, *session_id, *origin_host, *origin_realm, *result_code, *error_message, *failed_avp,
		*destination_realm;
	struct disp_hdl *hdl;
} carrier;

static struct avp_hdr *hdr_of(struct avp *avp)
{
	struct avp_hdr *hdr = NULL;

	return fd_msg_avp_hdr(avp, &hdr) == 0 ? hdr : NULL;
}

static struct dict_object *base_avp(uint32_t code)
{
	struct dict_object *found = NULL;

	(void)fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE, &code, &found, 0);
	return found;
}

static enum gba_err add_octets(msg_or_avp *parent, enum msg_brw_dir where, struct dict_object *model, struct bytes octets)
{
	union avp_value value = { .os = { .data = (uint8_t *)(uintptr_t)octets.p, .len = octets.n } }; /* copied */
	struct avp *avp;

	if (fd_msg_avp_new(model, 0, &avp) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_avp_setvalue(avp, &value) == 0 && fd_msg_avp_add(parent, where, avp) == 0)
		return GBA_OK;
	fd_msg_free(avp);
	return GBA_E_NOMEM;
}

static enum gba_err add_group(msg_or_avp *parent, struct dict_object *model, struct avp **_group)
{
	struct avp *group;

	if (fd_msg_avp_new(model, 0, &group) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, group) != 0) {
		fd_msg_free(group);
		return GBA_E_NOMEM;
	}
	*_group = group;
	return GBA_OK;
}

struct dict_object *guard_octets_model(void)
{
	return carrier.avp;
}

bool guard_is_marker(const struct avp_hdr *hdr)
{
	return (hdr->avp_flags & AVP_FLAG_VENDOR) && hdr->avp_vendor == GUARD_VENDOR;
}

/* Diverting ----------------------------------------------------------------------------------------------------------- */

/* Proxy-Info has to come back in the answer (RFC 6733 6.2); one that cannot be read must not spoil the refusal. */
static bool is_good_proxy_info(struct avp *avp, const struct avp_hdr *hdr)
{
	struct dict_object *model;
	struct avp *child = NULL;

	if (hdr->avp_code != PROXY_INFO || (hdr->avp_flags & AVP_FLAG_VENDOR) ||
	    fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0)
		return false;
	if (fd_msg_browse(avp, MSG_BRW_FIRST_CHILD, &child, NULL) != 0)
		return false;
	for (; child != NULL; fd_msg_browse(child, MSG_BRW_NEXT, &child, NULL)) {
		if (fd_msg_model(child, &model) != 0 || model == NULL)
			return false;
	}
	return true;
}

static struct bytes session_id_of(struct msg *msg)
{
	struct avp *avp = NULL;
	struct avp_hdr *hdr;

	if (fd_msg_search_avp(msg, carrier.session_id, &avp) != 0 || avp == NULL)
		return BYTES_NONE;
	hdr = hdr_of(avp);
	return hdr->avp_value != NULL ? BYTES(hdr->avp_value->os.data, hdr->avp_value->os.len) : BYTES_NONE;
}

static uint32_t any_application(void)
{
	struct fd_list *li;

	for (li = fd_g_config->cnf_apps.next; li != &fd_g_config->cnf_apps; li = li->next) {
		if (((struct fd_app *)li)->appid != 0)
			return ((struct fd_app *)li)->appid;
	}
	return 0;
}

static uint8_t *pack(const struct guard_refusal *refusal, const struct msg_hdr *hdr, struct bytes session_id, size_t *_n)
{
	struct carried head = {
		.result = refusal->result,
		.app = hdr->msg_appl,
		.code = hdr->msg_code,
		.failed = refusal->failed,
		.entry = refusal->entry,
		.why = refusal->why,
		.broken = refusal->broken,
		.has_failed_value = refusal->failed_value.p != NULL,
		.only_head = refusal->only_head,
		.session_id_len = (uint32_t)session_id.n,
		.failed_len = (uint32_t)refusal->failed_value.n,
	};
	uint8_t *packed;

	*_n = sizeof(head) + session_id.n + refusal->failed_value.n;
	packed = malloc(*_n);
	if (packed == NULL)
		return NULL;
	memcpy(packed, &head, sizeof(head));
	if (session_id.n > 0)
		memcpy(packed + sizeof(head), session_id.p, session_id.n);
	if (refusal->failed_value.n > 0)
		memcpy(packed + sizeof(head) + session_id.n, refusal->failed_value.p, refusal->failed_value.n);
	return packed;
}

static void strip(struct msg *msg)
{
	struct avp *avp = NULL, *next;
	struct avp_hdr *hdr;

	(void)fd_msg_browse(msg, MSG_BRW_FIRST_CHILD, &avp, NULL);
	for (; avp != NULL; avp = next) {
		next = NULL;
		(void)fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL);
		hdr = hdr_of(avp);
		if (hdr == NULL || !is_good_proxy_info(avp, hdr))
			fd_msg_free(avp);
	}
}

bool guard_divert(struct msg *msg, const struct guard_refusal *refusal)
{
	uint32_t app = any_application();
	struct msg_hdr *hdr;
	uint8_t *packed;
	bool ok;
	size_t n;

	if (app == 0 || fd_msg_hdr(msg, &hdr) != 0)
		return false;
	packed = pack(refusal, hdr, session_id_of(msg), &n);
	if (packed == NULL)
		return false;
	strip(msg);
	hdr->msg_code = CARRIER_CODE;
	hdr->msg_appl = app;
	hdr->msg_flags &= (uint8_t)~CMD_FLAG_ERROR;
	ok = add_octets(msg, MSG_BRW_FIRST_CHILD, carrier.avp, BYTES(packed, n)) == GBA_OK &&
	     add_octets(msg, MSG_BRW_FIRST_CHILD, carrier.destination_realm,
			BYTES(fd_g_config->cnf_diamrlm, fd_g_config->cnf_diamrlm_len)) == GBA_OK;
	free(packed);
	return ok;
}

/* Answering ----------------------------------------------------------------------------------------------------------- */

static enum gba_err add_failed(struct msg *answer, uint32_t code, bool has_value, struct bytes value)
{
	static const uint8_t zero[1] = { 0 };
	struct dict_object *model = base_avp(code);
	struct avp *group;

	if (model == NULL || add_group(answer, carrier.failed_avp, &group) != GBA_OK)
		return GBA_E_NOMEM;
	if (code == PROXY_INFO) /* grouped: an empty one says which */
		return add_group(group, model, &group);
	if (has_value) /* as it came, whatever its type */
		return guard_add_raw(group, &(struct guard_avp_head){ .code = code, .flags = AVP_FLAG_MANDATORY }, value);
	return add_octets(group, MSG_BRW_LAST_CHILD, model, BYTES(zero, sizeof(zero)));
}

/* Of an AVP whose length does not fit: its head, and zeros (RFC 6733 7.1.5); of the groups around it nothing else (7.5). */
static enum gba_err add_broken(struct msg *answer, const struct guard_broken *broken)
{
	static const uint8_t zeros[8] = { 0 };
	uint8_t octets[2][12 * GUARD_GROUPS + sizeof(zeros)];
	struct bytes value = BYTES(zeros, guard_least_value(&broken->head));
	const struct guard_avp_head *head = &broken->head;
	struct avp *failed;
	size_t i;

	for (i = broken->depth; i > 0; i--) {
		value = BYTES(octets[i % 2], guard_raw_write(head, value, octets[i % 2]));
		head = &broken->groups[i - 1];
	}
	return add_group(answer, carrier.failed_avp, &failed) == GBA_OK ? guard_add_raw(failed, head, value) : GBA_E_NOMEM;
}

static enum gba_err add_result(struct msg *answer, uint32_t result, const char *why)
{
	union avp_value value = { .u32 = result };
	struct avp *avp;

	if (add_octets(answer, MSG_BRW_LAST_CHILD, carrier.origin_host,
		       BYTES(fd_g_config->cnf_diamid, fd_g_config->cnf_diamid_len)) != GBA_OK ||
	    add_octets(answer, MSG_BRW_LAST_CHILD, carrier.origin_realm,
		       BYTES(fd_g_config->cnf_diamrlm, fd_g_config->cnf_diamrlm_len)) != GBA_OK)
		return GBA_E_NOMEM;
	if (fd_msg_avp_new(carrier.result_code, 0, &avp) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_avp_setvalue(avp, &value) != 0 || fd_msg_avp_add(answer, MSG_BRW_LAST_CHILD, avp) != 0) {
		fd_msg_free(avp);
		return GBA_E_NOMEM;
	}
	return why != NULL ? add_octets(answer, MSG_BRW_LAST_CHILD, carrier.error_message, bytes_of(why)) : GBA_OK;
}

/* The carrier turns into the answer to the request it was. */
static struct msg *refusal_answer(struct msg *request, const struct carried *head, const uint8_t *texts)
{
	struct bytes session_id = BYTES(texts, head->session_id_len);
	struct bytes failed = BYTES(texts + head->session_id_len, head->failed_len);
	uint8_t e_bit = head->result / 1000 == 3 ? CMD_FLAG_ERROR : 0; /* RFC 6733 7.1.3 */
	struct msg_hdr *request_hdr, *hdr;
	struct msg *answer = request;

	if (fd_msg_hdr(request, &request_hdr) != 0)
		return NULL;
	request_hdr->msg_code = head->code;
	request_hdr->msg_appl = head->app;
	if (fd_msg_new_answer_from_req(fd_g_config->cnf_dict, &answer, MSGFL_ANSW_ERROR | MSGFL_ANSW_NOSID) != 0)
		return NULL;
	if (fd_msg_hdr(answer, &hdr) == 0)
		hdr->msg_flags = (request_hdr->msg_flags & CMD_FLAG_PROXIABLE) | e_bit;
	(void)add_result(answer, head->result, head->why);
	if (head->session_id_len > 0)
		(void)add_octets(answer, MSG_BRW_FIRST_CHILD, carrier.session_id, session_id);
	if (head->only_head)
		(void)add_broken(answer, &head->broken);
	else if (head->failed != 0)
		(void)add_failed(answer, head->failed, head->has_failed_value, failed);
	return answer;
}

struct msg *guard_busy_answer(struct msg *request)
{
	struct carried head = { .result = TOO_BUSY, .why = "the first transmission has not been answered" };
	struct msg_hdr *hdr;

	if (fd_msg_hdr(request, &hdr) != 0)
		return NULL;
	head.app = hdr->msg_appl;
	head.code = hdr->msg_code;
	return refusal_answer(request, &head, NULL);
}

/* A retransmission: the answer again, or hold it until there is one. */
static void answer_again(struct msg **msg, const struct carried *head, enum disp_action *action)
{
	struct msg_hdr *hdr;
	struct msg *answer;

	if (fd_msg_hdr(*msg, &hdr) == 0) {
		hdr->msg_code = head->code;
		hdr->msg_appl = head->app;
	}
	answer = guard_dup_answer(head->entry, *msg);
	if (answer == NULL && guard_dup_join(head->entry, *msg)) {
		*msg = NULL;
		*action = DISP_ACT_CONT;
		return;
	}
	if (answer == NULL)
		answer = guard_busy_answer(*msg);
	*action = answer != NULL ? DISP_ACT_SEND : DISP_ACT_ERROR;
	if (answer != NULL)
		*msg = answer;
}

static int on_carrier(struct msg **msg, struct avp *avp, struct session *sess, void *opaque, enum disp_action *action)
{
	struct avp_hdr *hdr = hdr_of(avp);
	struct carried head;
	struct msg *answer;

	(void)sess, (void)opaque;
	if (hdr == NULL || hdr->avp_value == NULL || hdr->avp_value->os.len < sizeof(head)) {
		*action = DISP_ACT_ERROR;
		return 0;
	}
	memcpy(&head, hdr->avp_value->os.data, sizeof(head));
	if (head.result == 0) {
		answer_again(msg, &head, action);
		return 0;
	}
	answer = refusal_answer(*msg, &head, hdr->avp_value->os.data + sizeof(head));
	*action = answer != NULL ? DISP_ACT_SEND : DISP_ACT_ERROR;
	if (answer != NULL)
		*msg = answer;
	return 0;
}

/* Start --------------------------------------------------------------------------------------------------------------- */

static int define_carrier(void)
{
	struct dictionary *dict = fd_g_config->cnf_dict;
	char vendor_name[] = "gba guard", avp_name[] = "Gba-Guard-Carrier", note_name[] = "Gba-Guard-Note";
	char cmd_name[] = "Gba-Guard-Carrier-Request", answer_name[] = "Gba-Guard-Carrier-Answer";
	struct dict_vendor_data vendor = { GUARD_VENDOR, vendor_name };
	struct dict_avp_data avp = { GUARD_CARRIER_AVP, GUARD_VENDOR,	 avp_name,
				     AVP_FLAG_VENDOR,	AVP_FLAG_VENDOR, AVP_TYPE_OCTETSTRING };
	struct dict_avp_data note = { GUARD_NOTE_AVP,  GUARD_VENDOR,	note_name,
				      AVP_FLAG_VENDOR, AVP_FLAG_VENDOR, AVP_TYPE_OCTETSTRING };
	struct dict_cmd_data command = { CARRIER_CODE, cmd_name, CMD_FLAG_REQUEST, CMD_FLAG_REQUEST };
	struct dict_cmd_data answer = { CARRIER_CODE, answer_name, CMD_FLAG_REQUEST, 0 };
	int rc;

	rc = fd_dict_new(dict, DICT_VENDOR, &vendor, NULL, NULL);
	if (rc == 0)
		rc = fd_dict_new(dict, DICT_AVP, &avp, NULL, &carrier.avp);
	if (rc == 0)
		rc = fd_dict_new(dict, DICT_AVP, &note, NULL, NULL);
	if (rc == 0)
		rc = fd_dict_new(dict, DICT_COMMAND, &command, NULL, &carrier.command);
	if (rc == 0)
		rc = fd_dict_new(dict, DICT_COMMAND, &answer, NULL, NULL);
	return rc;
}

enum gba_err guard_refuse_start(void)
{
	struct disp_when when = { 0 };

	carrier.session_id = base_avp(SESSION_ID);
	carrier.origin_host = base_avp(264);
	carrier.origin_realm = base_avp(296);
	carrier.result_code = base_avp(268);
	carrier.error_message = base_avp(281);
	carrier.failed_avp = base_avp(279);
	carrier.destination_realm = base_avp(DESTINATION_REALM);
	if (define_carrier() != 0)
		return GBA_E_NOMEM;
	when.avp = carrier.avp;
	return fd_disp_register(on_carrier, DISP_HOW_AVP, &when, NULL, &carrier.hdl) == 0 ? GBA_OK : GBA_E_NOMEM;
}

void guard_refuse_stop(void)
{
	if (carrier.hdl != NULL)
		(void)fd_disp_unregister(&carrier.hdl, NULL);
	carrier.hdl = NULL;
}
