/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/zn.h"

#include <inttypes.h>
#include <pthread.h>

#include "core/secret.h"
#include "dia/zn.h"
#include "naf-adapter/agent/rpa.h"

/* Answers come from threads of freeDiameter, also while the extension is being unloaded. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct local *mailbox;

static bool copy_views(struct zn_answer *to, const struct zn_bia *bia)
{
	return zn_answer_copy(to, bia->user_name, &to->impi) && zn_answer_copy(to, bia->me_key, &to->me_key) &&
	       zn_answer_copy(to, bia->uicc_key, &to->uicc_key) && zn_answer_copy(to, bia->uss, &to->uss);
}

static enum gba_err read_bia(struct msg *msg, struct zn_answer *to)
{
	struct dia_failed failed = { 0 };
	struct dia_result result;
	struct zn_bia bia;
	enum gba_err err = dia_answer_result(msg, &result);

	if (err != GBA_OK)
		return err;
	to->code = result.code;
	to->vendor = result.vendor;
	if (!zn_answer_copy(to, result.origin_host, &to->origin_host) ||
	    !zn_answer_copy(to, result.origin_realm, &to->origin_realm))
		return GBA_E_NOMEM;
	if (!dia_result_ok(&result))
		return GBA_OK;
	err = dia_decode(to, msg, zn_bia_fields, &bia, &failed);
	if (err != GBA_OK)
		return err == GBA_E_NOMEM ? err : GBA_E_PEER;
	to->expires = bia.expires;
	to->created = bia.created;
	to->gba_type = bia.gba_type == DIA_NO_ENUM ? -1 : bia.gba_type;
	return copy_views(to, &bia) ? GBA_OK : GBA_E_NOMEM;
}

/* In a thread of freeDiameter: copy out of the message and leave. */
static void on_bia(void *arg, enum gba_err err, struct msg *msg)
{
	struct zn_answer *answer = arg;
	bool delivered;

	answer->err = err == GBA_OK ? read_bia(msg, answer) : err;
	pthread_mutex_lock(&lock);
	delivered = mailbox != NULL;
	if (delivered)
		local_answer(mailbox, answer);
	pthread_mutex_unlock(&lock);
	if (!delivered)
		talloc_free(answer);
}

static enum gba_err gsid_texts(TALLOC_CTX *mem_ctx, const struct zn_ask *ask, struct dia_list *_gsids)
{
	size_t i;

	_gsids->n = ask->gsid_count;
	_gsids->v = talloc_zero_array(mem_ctx, struct bytes, ask->gsid_count > 0 ? ask->gsid_count : 1);
	for (i = 0; _gsids->v != NULL && i < ask->gsid_count; i++) {
		const char *text = talloc_asprintf(mem_ctx, "%" PRIu32, ask->gsids[i]);

		if (text == NULL)
			return GBA_E_NOMEM;
		_gsids->v[i] = bytes_of(text);
	}
	return _gsids->v != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* What the operator of the agent has written about this application; told only where BSFs show that they know of it. */
static struct y3056_declaration declaration_of(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, struct bytes naf_id)
{
	struct y3056_declaration said = { .token_use = DIA_NO_ENUM, .flag = DIA_NO_ENUM };
	const struct application_conf *row = conf->applications.v, *end = row + conf->applications.n;
	struct naf_id id;
	uint8_t *octets;
	size_t i;

	if (conf->applications.n == 0 || naf_id_parse(naf_id, &id) != GBA_OK || !rpa_spoken())
		return said;
	while (row < end && !bytes_eq_nocase(bytes_of(row->fqdn), id.fqdn))
		row++;
	octets = row < end ? talloc_size(mem_ctx, row->ua_protocols.n * UA_ID_LEN + 1) : NULL;
	if (octets == NULL)
		return said;
	said.present = true;
	if (row->token_use != APPLICATION_USE_UNSAID)
		said.token_use = row->token_use == APPLICATION_USE_SINGLE ? Y3056_SINGLE : Y3056_MULTIPLE;
	for (i = 0; i < row->ua_protocols.n && (i + 1) * UA_ID_LEN <= Y3056_UA_PROTOCOLS_MAX; i++)
		(void)hex_decode(bytes_of(row->ua_protocols.v[i]), octets + i * UA_ID_LEN, UA_ID_LEN);
	said.ua_protocols = i > 0 ? BYTES(octets, i * UA_ID_LEN) : BYTES_NONE;
	said.address = row->address[0] != '\0' ? bytes_of(row->address) : BYTES_NONE;
	said.mechanisms = row->mechanisms[0] != '\0' ? bytes_of(row->mechanisms) : BYTES_NONE;
	return said;
}

static enum gba_err bir_new(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, const struct zn_ask *ask, struct msg **_msg)
{
	struct zn_bir bir = { .btid = ask->btid, .naf_id = ask->naf_id, .security_features = BYTES_NONE };
	enum gba_err err;

	bir.declaration = declaration_of(mem_ctx, conf, ask->naf_id);
	bir.gba_u_aware = ask->gba_u_aware ? ZN_GBA_U_AWARE : DIA_NO_ENUM;
	err = gsid_texts(mem_ctx, ask, &bir.gsids);
	if (err != GBA_OK)
		return err;
	err = dia_request_new(&zn_bir_cmd, ask->dest_realm, ask->dest_host, _msg);
	if (err != GBA_OK)
		return err;
	err = dia_encode(*_msg, zn_bir_fields, &bir);
	if (err != GBA_OK) {
		fd_msg_free(*_msg);
		*_msg = NULL;
	}
	return err;
}

static enum gba_err send_bir(void *arg, const struct zn_ask *ask)
{
	struct zn_answer *answer = talloc_zero(NULL, struct zn_answer);
	struct msg *msg = NULL;
	enum gba_err err;

	if (answer == NULL)
		return GBA_E_NOMEM;
	answer->flight = ask->flight;
	answer->gba_type = -1;
	err = bir_new(answer, arg, ask, &msg);
	if (err == GBA_OK)
		err = dia_request_send(&msg, ask->timeout_ms, on_bia, answer);
	if (err != GBA_OK)
		talloc_free(answer);
	return err;
}

struct zn_port zn_port_get(const struct agent_conf *conf)
{
	return (struct zn_port){ send_bir, (void *)(uintptr_t)conf }; /* only read */
}

bool zn_ready(void)
{
	return dia_peer_ready(DIA_APP_ZN);
}

void zn_deliver_to(struct local *local)
{
	pthread_mutex_lock(&lock);
	mailbox = local;
	pthread_mutex_unlock(&lock);
}

void zn_stop(void)
{
	dia_requests_stop();
}
