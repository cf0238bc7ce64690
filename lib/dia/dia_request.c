/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/clock.h"
#include "dia/dia_internal.h"

#define SESSION_ID_MAX 320 /* [octets] identity of 255, two numbers, our part */

/* "<identity>;<start>;<counter>;<process>" (RFC 6733 8.8): the last part tells extensions of one process apart, each of
 * which has its own copy of this counter. */
static size_t session_id_new(char out[SESSION_ID_MAX])
{
	static _Atomic uint32_t counter;
	static _Atomic uint64_t started; /* [s since epoch] << 32 | random */
	uint64_t start = atomic_load_explicit(&started, memory_order_relaxed), fresh;
	uint32_t salt;
	int n;

	if (start == 0) {
		rand_bytes((uint8_t *)&salt, sizeof(salt));
		fresh = (uint64_t)clock_now() << 32 | salt;
		if (atomic_compare_exchange_strong(&started, &start, fresh))
			start = fresh;
	}
	n = snprintf(out, SESSION_ID_MAX, "%.*s;%" PRIu32 ";%" PRIu32 ";%08" PRIx32, (int)fd_g_config->cnf_diamid_len,
		     fd_g_config->cnf_diamid, (uint32_t)(start >> 32),
		     atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed), (uint32_t)start);
	return n > 0 && n < SESSION_ID_MAX ? (size_t)n : 0;
}

static enum gba_err add_header_avps(struct msg *msg, uint32_t app, struct bytes dest_realm, struct bytes dest_host)
{
	char session_id[SESSION_ID_MAX];
	enum gba_err err;

	err = dia_add_octets(msg, dia_base.session_id, BYTES(session_id, session_id_new(session_id)));
	if (err == GBA_OK)
		err = dia_add_common(msg, app);
	if (err == GBA_OK)
		err = dia_add_octets(msg, dia_base.destination_realm, dest_realm);
	if (err == GBA_OK && dest_host.p != NULL)
		err = dia_add_octets(msg, dia_base.destination_host, dest_host);
	return err;
}

enum gba_err dia_request_new(const struct dia_cmd *cmd, struct bytes dest_realm, struct bytes dest_host, struct msg **_msg)
{
	struct msg_hdr *hdr;
	struct msg *msg;
	enum gba_err err;

	if (fd_msg_new(cmd->model, MSGFL_ALLOC_ETEID, &msg) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_hdr(msg, &hdr) != 0) {
		fd_msg_free(msg);
		return GBA_E_INTERNAL;
	}
	hdr->msg_flags = CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE;
	hdr->msg_appl = cmd->app;
	err = add_header_avps(msg, cmd->app, dest_realm, dest_host);
	if (err != GBA_OK) {
		fd_msg_free(msg);
		return err;
	}
	*_msg = msg;
	return GBA_OK;
}

static struct bytes octets_of(const struct avp_hdr *hdr)
{
	return hdr->avp_value != NULL ? BYTES(hdr->avp_value->os.data, hdr->avp_value->os.len) : BYTES_NONE;
}

static void read_experimental(struct avp *group, struct dia_result *result)
{
	struct avp *code = dia_find(group, AVP_EXPERIMENTAL_RESULT_CODE), *vendor = dia_find(group, AVP_VENDOR_ID);
	struct avp_hdr *hdr;

	hdr = code != NULL ? dia_hdr(code) : NULL;
	result->code = hdr != NULL && hdr->avp_value != NULL ? hdr->avp_value->u32 : 0;
	hdr = vendor != NULL ? dia_hdr(vendor) : NULL;
	result->vendor = hdr != NULL && hdr->avp_value != NULL ? hdr->avp_value->u32 : 0;
}

enum gba_err dia_answer_result(struct msg *answer, struct dia_result *_result)
{
	struct dia_result result = { 0, 0, BYTES_NONE, BYTES_NONE };
	unsigned int results = 0;
	struct avp_hdr *hdr;
	struct avp *avp;

	for (avp = dia_first(answer); avp != NULL; avp = dia_next(avp)) {
		hdr = dia_hdr(avp);
		if (hdr == NULL || (hdr->avp_flags & AVP_FLAG_VENDOR))
			continue;
		switch (hdr->avp_code) {
		case AVP_ORIGIN_HOST: result.origin_host = octets_of(hdr); break;
		case AVP_ORIGIN_REALM: result.origin_realm = octets_of(hdr); break;
		case AVP_RESULT_CODE:
			result.code = hdr->avp_value != NULL ? hdr->avp_value->u32 : 0;
			results++;
			break;
		case AVP_EXPERIMENTAL_RESULT:
			read_experimental(avp, &result);
			results += result.vendor != 0 ? 1 : 2; /* vendor 0 would read as a Result-Code */
			break;
		default: break;
		}
	}
	*_result = result;
	return results == 1 && result.code != 0 ? GBA_OK : GBA_E_PEER;
}
