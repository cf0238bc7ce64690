/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to a neighbour, and its answers. */
#include "core/clock.h"
#include "core/log.h"
#include "registry-fn/peer/peering_priv.h"

/* A request of ours under way. */
struct call {
	struct peering *peering;
	struct neighbour *neighbour;
	unsigned int generation;
	int32_t step;
};

static enum gba_err list_copy(TALLOC_CTX *ctx, const struct dia_list *in, struct sync_list *_out)
{
	size_t i;

	_out->n = 0;
	_out->v = talloc_array(ctx, struct bytes, in->n);
	if (_out->v == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < in->n; i++) {
		uint8_t *copy = talloc_memdup(ctx, in->v[i].p, in->v[i].n);

		if (copy == NULL && in->v[i].n > 0)
			return GBA_E_NOMEM;
		_out->v[_out->n++] = BYTES(copy, in->v[i].n);
	}
	return GBA_OK;
}

static enum gba_err err_of(const struct dia_result *result)
{
	if (dia_result_ok(result))
		return GBA_OK;
	/* 3004: it will take it later. Anything else: it does not want it. */
	return result->vendor == 0 && result->code == 3004 ? GBA_E_BUSY : GBA_E_DENIED;
}

static enum gba_err answer_read(struct msg *answer, struct letter *letter)
{
	struct dia_failed failed;
	struct dia_result result;
	struct reg_rsa rsa;
	enum gba_err err = dia_answer_result(answer, &result);

	if (err == GBA_OK)
		err = err_of(&result);
	if (err == GBA_OK && dia_decode(letter->ctx, answer, reg_rsa_fields, &rsa, &failed) != GBA_OK)
		err = GBA_E_PEER;
	if (err == GBA_OK)
		err = list_copy(letter->ctx, &rsa.haves, &letter->haves);
	return err == GBA_OK ? list_copy(letter->ctx, &rsa.accepts, &letter->accepts) : err;
}

/* In a thread of freeDiameter. */
static void on_answer(void *arg, enum gba_err err, struct msg *answer)
{
	struct call *call = arg;
	struct letter *letter = talloc_zero(NULL, struct letter);

	if (letter == NULL)
		goto done; /* its time-out in the thread comes all the same: see peering_send() */
	*letter = (struct letter){ .neighbour = call->neighbour, .generation = call->generation, .step = call->step,
				   .ctx = letter };
	letter->err = err == GBA_OK ? answer_read(answer, letter) : err;
	if (!peering_post(call->peering, letter))
		talloc_free(letter);
done:
	talloc_free(call);
}

static enum gba_err request_send(struct peering *peering, struct neighbour *neighbour, const struct reg_rsr *rsr)
{
	struct bytes host = bytes_of(neighbour->conf->host), realm = host;
	struct call *call = talloc(NULL, struct call);
	struct msg *msg = NULL;
	enum gba_err err;

	if (call == NULL)
		return GBA_E_NOMEM;
	*call = (struct call){ peering, neighbour, neighbour->generation, rsr->step };
	dia_peer_realm(host, call, &realm);
	err = dia_request_new(&reg_rsr_cmd, realm, host, &msg);
	if (err == GBA_OK)
		err = dia_encode(msg, reg_rsr_fields, rsr);
	if (err == GBA_OK)
		err = dia_request_send(&msg, PEERING_TIMEOUT_MS, on_answer, call);
	else if (msg != NULL)
		fd_msg_free(msg);
	if (err != GBA_OK)
		talloc_free(call);
	return err;
}

static enum gba_err hello_send(struct peering *peering, struct neighbour *neighbour, TALLOC_CTX *tmp)
{
	struct reg_rsr rsr = { .regid = bytes_of(peering->registry->conf->reg_id), .step = REG_HELLO };
	struct sync_list haves, accepts;
	unsigned int classes;
	enum gba_err err;

	if (!peering_classes(&neighbour->conf->accept, &classes))
		return GBA_E_INTERNAL;
	err = sync_haves(peering->log, tmp, &haves);
	if (err == GBA_OK)
		err = sync_classes(tmp, classes, &accepts);
	if (err != GBA_OK)
		return err;
	rsr.haves = (struct dia_list){ haves.v, haves.n };
	rsr.accepts = (struct dia_list){ accepts.v, accepts.n };
	return request_send(peering, neighbour, &rsr);
}

static enum gba_err events_send(struct peering *peering, struct neighbour *neighbour, TALLOC_CTX *tmp, uint64_t now_ms, bool *_sent)
{
	struct reg_rsr rsr = { .regid = bytes_of(peering->registry->conf->reg_id), .step = REG_EVENTS };
	struct sync_list events;
	enum gba_err err = sync_next(neighbour->sync, peering->log, tmp, now_ms, &events);

	*_sent = err == GBA_OK && events.n > 0;
	if (!*_sent)
		return err;
	rsr.events = (struct dia_list){ events.v, events.n };
	err = request_send(peering, neighbour, &rsr);
	if (err != GBA_OK)
		sync_failed(neighbour->sync);
	else
		metric_add(neighbour->m_sent, (int64_t)events.n);
	return err;
}

bool peering_send(struct peering *peering, struct neighbour *neighbour, uint64_t now_ms)
{
	TALLOC_CTX *tmp;
	bool sent = true;
	enum gba_err err;

	if (now_ms < neighbour->retry_ms) /* also while an answer is awaited */
		return false;
	if (!peering->look && sync_is_greeted(neighbour->sync))
		return false;
	tmp = talloc_new(NULL);
	if (tmp == NULL)
		return false;
	if (neighbour->awaits) { /* no answer, and no word of that: never left without one for ever */
		sync_failed(neighbour->sync);
		neighbour->generation++;
		neighbour->awaits = false;
	}
	err = sync_is_greeted(neighbour->sync) ? events_send(peering, neighbour, tmp, now_ms, &sent)
					       : hello_send(peering, neighbour, tmp);
	neighbour->awaits = err == GBA_OK && sent;
	neighbour->retry_ms = neighbour->awaits ? now_ms + 2 * PEERING_TIMEOUT_MS : err != GBA_OK ? now_ms + PEERING_RETRY_MS : 0;
	talloc_free(tmp);
	return neighbour->awaits;
}

static void note_failure(struct neighbour *neighbour, const struct letter *letter)
{
	neighbour->last_error = letter->err;
	neighbour->changed = true;
	log_event_limited(10, LOG_L_WARNING, "peering.answer",
			  &(struct log_about){ .iface = "registry", .peer = bytes_of(neighbour->conf->host),
					       .id = bytes_of(neighbour->conf->reg_id), .result = letter->err },
			  "%s not taken; tried again", letter->step == REG_HELLO ? "greeting" : "events");
}

void peering_heard(struct peering *peering, struct letter *letter)
{
	struct neighbour *neighbour = letter->neighbour;
	uint64_t now_ms = clock_mono_ms();

	(void)peering;
	if (letter->generation != neighbour->generation)
		return;
	neighbour->awaits = false;
	neighbour->retry_ms = 0;
	if (letter->err == GBA_OK && letter->step == REG_HELLO)
		letter->err = sync_greeted(neighbour->sync, &letter->haves, &letter->accepts);
	else if (letter->err == GBA_OK || letter->err == GBA_E_DENIED) /* refused as a whole: its streams are parked */
		sync_answered(neighbour->sync, &letter->haves, now_ms);
	else
		sync_failed(neighbour->sync);
	if (letter->err != GBA_OK) {
		neighbour->retry_ms = now_ms + (letter->err == GBA_E_DENIED && letter->step == REG_HELLO ? SYNC_PARK_MS
													: PEERING_RETRY_MS);
		note_failure(neighbour, letter);
		return;
	}
	neighbour->heard_at = clock_now();
	neighbour->last_error = GBA_OK;
	peering_state(neighbour, LINK_GREETED);
}
