/* SPDX-License-Identifier: Apache-2.0 */
/* What neighbours ask of us. */
#include "core/clock.h"
#include "core/log.h"
#include "core/trace.h"
#include "registry-fn/peer/peering_priv.h"

void peering_on_request(struct msg *msg, void *arg)
{
	struct letter *letter = talloc_zero(NULL, struct letter);

	if (letter != NULL)
		letter->request = msg;
	if (letter != NULL && peering_post(arg, letter))
		return;
	talloc_free(letter);
	dia_answer_send(&msg, GBA_E_BUSY, NULL, NULL, NULL);
}

static struct neighbour *neighbour_of(struct peering *peering, struct bytes host)
{
	size_t i;

	for (i = 0; i < peering->n; i++) {
		if (bytes_eq_nocase(host, bytes_of(peering->neighbours[i].conf->host)))
			return &peering->neighbours[i];
	}
	return NULL;
}

/* Who is it, and is it who it says? */
static enum gba_err admit(struct peering *peering, struct msg *msg, const struct reg_rsr *rsr, struct neighbour **_neighbour,
			  struct dia_failed *_failed)
{
	*_neighbour = neighbour_of(peering, dia_origin_host(msg));
	if (*_neighbour == NULL || !peering_secured(peering, *_neighbour))
		return GBA_E_NOT_AUTHORIZED;
	if (bytes_eq_str(rsr->regid, (*_neighbour)->conf->reg_id))
		return GBA_OK;
	_failed->avp = dia_avp_of(msg, reg_rsr_fields, offsetof(struct reg_rsr, regid));
	return GBA_E_NOT_AUTHORIZED;
}

static enum gba_err hello_take(struct peering *peering, struct neighbour *neighbour, TALLOC_CTX *tmp, const struct reg_rsr *rsr,
			       struct reg_rsa *_rsa)
{
	struct sync_list haves = { rsr->haves.v, rsr->haves.n }, accepts = { rsr->accepts.v, rsr->accepts.n }, ours, words;
	unsigned int classes;
	enum gba_err err;

	if (!peering_classes(&neighbour->conf->accept, &classes))
		return GBA_E_INTERNAL;
	err = sync_haves(peering->log, tmp, &ours);
	if (err == GBA_OK)
		err = sync_classes(tmp, classes, &words);
	if (err == GBA_OK)
		err = sync_greeted(neighbour->sync, &haves, &accepts);
	if (err != GBA_OK)
		return err;
	neighbour->generation++; /* what is under way was for its former self */
	neighbour->awaits = false;
	neighbour->retry_ms = 0;
	_rsa->haves = (struct dia_list){ ours.v, ours.n };
	_rsa->accepts = (struct dia_list){ words.v, words.n };
	peering_state(neighbour, LINK_GREETED);
	return GBA_OK;
}

static void note_refused(struct neighbour *neighbour, const struct sync_taken *taken)
{
	metric_add(neighbour->m_refused, (int64_t)taken->refused);
	log_event(LOG_L_WARNING, "peering.refused",
		  &(struct log_about){ .iface = "registry", .peer = bytes_of(neighbour->conf->host),
				       .id = bytes_of(neighbour->conf->reg_id), .result = taken->first, .clause = "Y.3059 7-iv-d" },
		  "%zu events refused, %zu taken", taken->refused, taken->new);
}

static enum gba_err events_take(struct peering *peering, struct neighbour *neighbour, TALLOC_CTX *tmp, const struct reg_rsr *rsr,
				struct reg_rsa *_rsa)
{
	struct sync_list events = { rsr->events.v, rsr->events.n };
	struct sync_taken taken;
	enum gba_err err = sync_take(neighbour->sync, peering->log, peering->db, tmp, &events, clock_now(), &taken);

	if (err != GBA_OK)
		return err;
	metric_add(neighbour->m_received, (int64_t)taken.new);
	if (taken.refused > 0)
		note_refused(neighbour, &taken);
	if (taken.refused > 0 && taken.new + taken.known == 0)
		return taken.first;
	_rsa->haves = (struct dia_list){ taken.haves.v, taken.haves.n };
	return GBA_OK;
}

static enum gba_err serve(struct peering *peering, struct msg *msg, TALLOC_CTX *tmp, struct reg_rsr *rsr, struct reg_rsa *_rsa,
			  struct dia_failed *_failed)
{
	struct neighbour *neighbour = NULL;
	enum gba_err err = dia_decode(tmp, msg, reg_rsr_fields, rsr, _failed);

	if (err == GBA_OK)
		err = admit(peering, msg, rsr, &neighbour, _failed);
	if (err != GBA_OK)
		return err;
	_rsa->regid = bytes_of(peering->registry->conf->reg_id);
	switch (rsr->step) {
	case REG_HELLO:
		return hello_take(peering, neighbour, tmp, rsr, _rsa);
	case REG_EVENTS:
		return events_take(peering, neighbour, tmp, rsr, _rsa);
	default:
		_failed->avp = dia_avp_of(msg, reg_rsr_fields, offsetof(struct reg_rsr, step));
		return GBA_E_AVP_VALUE;
	}
}

static void note(struct msg *msg, const struct reg_rsr *rsr, enum gba_err err)
{
	struct log_about about = { .iface = "registry", .peer = dia_origin_host(msg), .id = rsr->regid, .result = err,
				   .clause = "Y.3059 7-iv-d" };
	char from[REGID_MAX + 1];
	struct trace_step step = { .from = from, .to = "registry-fn", .iface = "registry", .clause = "Y.3059 7-iv-d",
				   .message = rsr->step == REG_HELLO ? "RSR hello" : "RSR events", .id = rsr->regid };

	if (err != GBA_OK || rsr->step == REG_HELLO)
		log_event(err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, "peering.request", &about, "%s of %zu: %s",
			  rsr->step == REG_HELLO ? "greeting" : "events", rsr->step == REG_HELLO ? rsr->haves.n : rsr->events.n,
			  gba_strerror(err));
	if (!trace_on())
		return;
	snprintf(from, sizeof(from), "%.*s", BYTES_FMT(rsr->regid));
	trace_step(&step);
	step.from = "registry-fn";
	step.to = from;
	step.message = err == GBA_OK ? "RSA" : "RSA refused";
	trace_step(&step);
}

void peering_serve(struct peering *peering, struct letter *letter)
{
	struct reg_rsr rsr = { .regid = BYTES("", 0), .step = 0 };
	struct dia_failed failed = { NULL, NULL, NULL };
	struct reg_rsa rsa = { .regid = BYTES_NONE };
	TALLOC_CTX *tmp = talloc_new(NULL);
	enum gba_err err = GBA_E_NOMEM;

	if (tmp != NULL)
		err = serve(peering, letter->request, tmp, &rsr, &rsa, &failed);
	note(letter->request, &rsr, err); /* before: the views end with the request */
	dia_answer_send(&letter->request, err, &failed, reg_rsa_fields, &rsa);
	talloc_free(tmp);
}
