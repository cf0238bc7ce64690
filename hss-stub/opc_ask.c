/* SPDX-License-Identifier: Apache-2.0 */
/* Asking: the new operator's part. What is to be said stands in the database; it is said again until it is answered. */
#include <stdio.h>

#include "core/clock.h"
#include "core/trace.h"
#include "hss-stub/opc_priv.h"

#define ASK_TIMEOUT_MS 5000
#define RETRY_MS       1000
#define BATCH	       64
#define DEVICE_DAYS    365 /* of a certificate issued to a device that comes */

/* One question; the callback copies the answer, since it must not touch the database. */
struct asking {
	struct hss_opc *opc;
	bool done;
	enum gba_err err;
	uint8_t wrapped[OPC_WRAPPED_MAX], counter[OPC_COUNTER_LEN], update[KEY_UPDATE_MAX], certificate[OPC_CERT_MAX];
	struct change_answer answer;
	char serial[2 * CA_SERIAL_LEN + 1]; /* of the certificate we have issued; "": none */
};

static struct bytes copy(uint8_t *out, size_t cap, struct bytes from)
{
	if (from.p == NULL || from.n > cap)
		return BYTES_NONE;
	memcpy(out, from.p, from.n);
	return BYTES(out, from.n);
}

static enum gba_err result_of(struct msg *answer)
{
	struct dia_result result;
	enum gba_err err = dia_answer_result(answer, &result);

	if (err != GBA_OK)
		return err;
	if (dia_result_ok(&result))
		return GBA_OK;
	return result.vendor == 0 && result.code < 5000 ? GBA_E_BUSY : GBA_E_NOT_AUTHORIZED;
}

static void take_answer(struct asking *asking, struct msg *msg)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct dia_failed failed;
	struct opc_oca oca;

	asking->err = tmp != NULL ? dia_decode(tmp, msg, opc_oca_fields, &oca, &failed) : GBA_E_NOMEM;
	if (asking->err == GBA_OK) {
		asking->answer.wrapped = copy(asking->wrapped, sizeof(asking->wrapped), oca.wrapped);
		asking->answer.counter = copy(asking->counter, sizeof(asking->counter), oca.counter);
		asking->answer.update = copy(asking->update, sizeof(asking->update), oca.update);
		asking->answer.certificate = copy(asking->certificate, sizeof(asking->certificate), oca.certificate);
	} else {
		asking->err = GBA_E_PEER;
	}
	talloc_free(tmp);
}

/* In a thread of freeDiameter. */
static void on_answer(void *arg, enum gba_err err, struct msg *msg)
{
	struct asking *asking = arg;
	struct hss_opc *opc = asking->opc;

	asking->err = err == GBA_OK ? result_of(msg) : err;
	if (asking->err == GBA_OK)
		take_answer(asking, msg);
	pthread_mutex_lock(&opc->lock);
	asking->done = true;
	pthread_cond_broadcast(&opc->tick);
	pthread_mutex_unlock(&opc->lock);
}

static enum gba_err send_message(struct hss_opc *opc, const struct change *change, const struct change_message *message,
				 struct asking *asking)
{
	struct opc_ocr ocr = { .step = message->step, .kind = change->kind, .user_name = bytes_of(change->impi) };
	struct msg *msg;
	enum gba_err err;

	ocr.change_id = BYTES(message->change_id, CHANGE_ID_LEN);
	ocr.signature = BYTES(message->signature, OP_SIG_LEN);
	if (message->step == OPC_KEYS) {
		ocr.operator_key = BYTES(message->operator_key, OP_PUBLIC_LEN);
		ocr.new_impi = bytes_of(change->new_impi);
		ocr.bsf = bytes_of(opc->change->bsf);
	}
	if (message->step == OPC_RELEASE)
		ocr.digest = BYTES(message->digest, OPC_DIGEST_LEN);
	err = dia_request_new(&opc_ocr_cmd, bytes_of(message->peer->realm), bytes_of(message->peer->host), &msg);
	if (err != GBA_OK)
		return err;
	err = dia_encode(msg, opc_ocr_fields, &ocr);
	if (err != GBA_OK) {
		fd_msg_free(msg);
		return err;
	}
	err = dia_request_send(&msg, ASK_TIMEOUT_MS, on_answer, asking);
	if (err != GBA_OK)
		return err;
	pthread_mutex_lock(&opc->lock);
	while (!asking->done) /* it always comes: dia_request_send's own deadline, dia_requests_stop() */
		pthread_cond_wait(&opc->tick, &opc->lock);
	pthread_mutex_unlock(&opc->lock);
	return asking->err;
}

/* 10.6.1-1 and -2 happened among people; they become arrows when they lead to something. */
static void trace_before(const struct change *change)
{
	struct bytes id = bytes_of(change->new_impi);
	bool symmetric = change->kind == KEY_UPDATE_SYMMETRIC;

	if (change->state != CHANGE_VERIFIED)
		return;
	opc_trace((uint64_t)change->created * 1000000, "user", "hss-new", "people",
		  symmetric ? "Y.3056 10.6.1-1" : "Y.3056 10.6.2-1", "wants to change operator", id);
	opc_trace(0, "hss-new", "hss-new", "people", symmetric ? "Y.3056 10.6.1-2" : "Y.3056 10.6.2-2",
		  "user verified, device authenticated", id);
}

static void trace_after(const struct change *change, enum change_state state)
{
	bool symmetric = change->kind == KEY_UPDATE_SYMMETRIC;
	struct bytes id = bytes_of(change->new_impi);

	if (state == CHANGE_OFFERED && change->state == CHANGE_VERIFIED)
		opc_trace(0, "hss-new", "ue", "update", symmetric ? "Y.3056 10.6.1-4" : "Y.3056 10.6.2-3", "key update made", id);
	if (state == CHANGE_RELEASED)
		opc_trace(0, "hss-new", "hss-new", "OPC", "Y.3056 10.6.2-4", "the device's public key is known here", id);
	if (state == CHANGE_DONE)
		opc_trace(0, "hss-new", "user", "people", symmetric ? "Y.3056 10.6.1-6" : "Y.3056 10.6.2-6", "operator changed",
			  id);
}

static const char *what_of(enum change_state state)
{
	if (state == CHANGE_SHOWN)
		return "change.release";
	return state == CHANGE_VERIFIED ? "change.ask" : state == CHANGE_CONFIRMED ? "change.notice" : "change.undo";
}

/* A certificate of our own CA for the key the old operator vouches for: the device leaves that operator's. */
static enum gba_err issue(struct hss_opc *opc, const struct change *change, struct asking *asking)
{
	const struct ca_order order = { .cn = change->id, .like = asking->answer.certificate, .days = DEVICE_DAYS };
	struct ca_issued *issued;
	enum gba_err err;

	if (change->state != CHANGE_SHOWN || opc->ca == NULL || asking->answer.certificate.n == 0)
		return GBA_OK;
	err = ca_issue(opc->ca, asking, &order, clock_now(), &issued);
	if (err == GBA_OK)
		memcpy(asking->serial, issued->serial, sizeof(asking->serial));
	if (err == GBA_OK)
		err = ca_certificate_read(asking, bytes_of(issued->certificate), &asking->answer.issued);
	return err == GBA_E_SYNTAX || err == GBA_E_RANGE ? GBA_E_PEER : err; /* a key we would not take from anybody */
}

/* @return GBA_OK: it moved on */
static enum gba_err advance(struct hss_opc *opc, const struct change *change)
{
	struct asking *asking = talloc_zero(NULL, struct asking);
	enum change_state state = change->state;
	struct change_message message;
	struct why why = { "" };
	enum gba_err err;

	if (asking == NULL)
		return GBA_E_NOMEM;
	asking->opc = opc;
	err = change_message(opc->asking, change, &message, &why);
	if (err == GBA_OK) {
		trace_before(change);
		err = send_message(opc, change, &message, asking);
		if (err == GBA_OK)
			err = issue(opc, change, asking);
		snprintf(why.text, sizeof(why.text), "%s", gba_strerror(err));
	}
	err = change_answered(opc->asking, change, err, &asking->answer, clock_now(), &state);
	if (asking->serial[0] != '\0' && (err != GBA_OK || state != CHANGE_RELEASED))
		(void)ca_revoke(opc->ca, asking->serial, clock_now(), NULL);
	opc_note(what_of(change->state), bytes_of(change->peer), bytes_of(change->new_impi), err,
		 err != GBA_OK ? why.text : change_state_names[state]);
	if (err == GBA_OK)
		trace_after(change, state);
	secret_wipe(asking, sizeof(*asking));
	talloc_free(asking);
	return err;
}

/* Looked at before a transaction is begun: most changes only wait. */
static bool deadline_matters(const struct change *change, time_t now)
{
	return change->deadline == 0 ? change->state == CHANGE_VERIFIED : now >= change->deadline;
}

/* Every change in this state; false: one has to wait. */
static bool all_in(struct hss_opc *opc, enum change_state state)
{
	struct change **list;
	size_t count, i;
	bool good = true;

	if (change_list(opc->asking, opc, (int)state, BATCH, &list, &count) != GBA_OK)
		return false;
	for (i = 0; i < count; i++) {
		if (deadline_matters(list[i], clock_now()) &&
		    change_expire(opc->asking, list[i], clock_now()) == GBA_OK)
			opc_note("change.deadline", bytes_of(list[i]->peer), bytes_of(list[i]->new_impi), GBA_OK,
				 list[i]->deadline == 0 ? "set" : "passed: given up");
		else if (state == CHANGE_VERIFIED || state == CHANGE_SHOWN || state == CHANGE_CONFIRMED ||
			 state == CHANGE_CANCELLING)
			good = advance(opc, list[i]) == GBA_OK && good;
	}
	talloc_free(list);
	return good;
}

void *opc_ask_main(void *arg)
{
	static const enum change_state states[] = { CHANGE_CONFIRMED, CHANGE_CANCELLING, CHANGE_SHOWN,	   CHANGE_VERIFIED,
						    CHANGE_OFFERED,   CHANGE_RELEASED,	 CHANGE_REQUESTED };
	struct hss_opc *opc = arg;
	bool good = true;
	size_t i;

	while (opc_pause(opc, good ? OPC_TICK_MS : RETRY_MS)) {
		good = true;
		for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
			good = all_in(opc, states[i]) && good;
	}
	return NULL;
}
