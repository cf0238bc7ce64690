/* SPDX-License-Identifier: Apache-2.0 */
/* The user has proved itself and named an application: may it have a token for it? Before there is any (Y.3056 10.4-2d, 3a..3c).
 * UEs that name none pass by; a first leg is never refused for this, or anybody could ask who uses what. */
#include "bsf/push.h"
#include "bsf/ub_priv.h"
#include "core/clock.h"
#include "core/secret.h"
#include "core/trace.h"

/* A proof waiting for the HSS's word; below the operation. */
struct question {
	struct ub_op *op;
	struct run_outcome outcome; /* its secrets are wiped with the chunk */
	unsigned int notices;
};

static void drop_outcome(struct run_outcome *outcome)
{
	guss_kept_unref(outcome->challenge.guss);
	permit_unref(outcome->challenge.permit);
	SECRET_WIPE(outcome->secret);
}

static void tell(const struct ub_op *op, enum permit_source source, enum gba_err err)
{
	static const char *const names[] = { "asked with the vector", "asked", "security settings", "policy" };
	struct trace_step step = { .corr = op->corr, .from = "bsf", .to = "bsf", .iface = "Ub", .clause = "Y.3056 10.4-3c",
				   .message = err == GBA_OK ? "permitted" : "not permitted", .id = op->impi };
	struct log_about about = { .iface = "Ub", .corr = op->corr, .id = op->impi, .clause = "Y.3056 10.4-3c", .result = err };

	if (err != GBA_OK || log_enabled(LOG_L_DEBUG)) /* where it is permitted, ub.bootstrap is the decision's line */
		log_event(err == GBA_OK ? LOG_L_DEBUG : LOG_L_INFO, "ub.permission", &about, "%s: %s (%s)",
			  op->application->fqdn, err == GBA_OK ? "permitted" : "not permitted", names[source]);
	metric_add(op->ub->m_permissions[source][err == GBA_OK], 1);
	if (trace_on())
		trace_step(&step);
}

static void decided(struct ub_op *op, struct run_outcome *outcome, enum permit_source source, enum gba_err err)
{
	corr_from_rand(outcome->challenge.rand, op->corr);
	tell(op, source, err);
	if (err == GBA_OK) {
		ub_token_make(op, outcome);
		return;
	}
	drop_outcome(outcome);
	ub_reply_refuse(op, err, 0);
}

static void by_permit(struct ub_op *op, struct run_outcome *outcome, enum permit_source source)
{
	bool good = permit_in_force(outcome->challenge.permit, clock_now());

	decided(op, outcome, source, good ? GBA_OK : GBA_E_NOT_AUTHORIZED);
}

/* A plain HSS: what the settings say that came with the vector; the realm's policy where they cannot tell. */
static void by_settings(struct ub_op *op, struct run_outcome *outcome)
{
	const struct guss_kept *guss = outcome->challenge.guss;
	const struct bsf_conf *conf = op->ub->conf;
	const struct bsf_naf *naf = permit_naf(conf, op->application->fqdn);
	enum permit_by_uss said = PERMIT_USS_UNKNOWN;
	bool good;

	if (naf == NULL) { /* whatever its name, nobody could ask for the keys */
		decided(op, outcome, PERMIT_POLICY, GBA_E_NOT_AUTHORIZED);
		return;
	}
	if (guss->stamp != 0)
		said = permit_by_uss(naf, guss->uss);
	good = said == PERMIT_USS_UNKNOWN ? conf->permission_unknown == BSF_UNKNOWN_ALLOW : said == PERMIT_USS_SET;
	decided(op, outcome, said == PERMIT_USS_UNKNOWN ? PERMIT_POLICY : PERMIT_SETTINGS,
		good ? GBA_OK : GBA_E_NOT_AUTHORIZED);
}

static bool is_fresh(const struct ub_op *op, const struct permit *permit)
{
	return permit != NULL && strcmp(permit->application, op->application->fqdn) == 0 &&
	       permit->notices == atomic_load(&op->ub->notices);
}

/* Answers that say nothing about the permission leave it to the settings, but silence or load do not: what was taken back
 * a moment ago must not count. */
static bool says_nothing(enum gba_err err)
{
	return err == GBA_E_UNREACHABLE || err == GBA_E_PEER || err == GBA_E_NOT_FOUND;
}

static void on_said(void *arg, enum gba_err err, const struct hss_answer *answer)
{
	struct question *question = arg;
	struct run_outcome outcome = question->outcome; /* the operation, and what is below it, goes with its reply */
	unsigned int notices = question->notices;
	struct ub_op *op = question->op;

	talloc_free(question);
	metric_set(op->ub->m_asking, (int64_t)atomic_fetch_sub(&op->ub->asking, 1) - 1);
	if (err == GBA_OK && answer->permission != NULL) {
		permit_unref(outcome.challenge.permit);
		outcome.challenge.permit = permit_new(op->application->fqdn, answer->permission, notices);
		err = outcome.challenge.permit != NULL ? GBA_OK : GBA_E_NOMEM;
	} else if (err == GBA_OK) {
		err = GBA_E_NOT_FOUND;
	}
	if (err == GBA_OK)
		by_permit(op, &outcome, PERMIT_ASKED);
	else if (says_nothing(err))
		by_settings(op, &outcome);
	else
		decided(op, &outcome, PERMIT_ASKED, err);
	SECRET_WIPE(outcome.secret);
}

static enum gba_err ask(struct ub_op *op, const struct run_outcome *outcome)
{
	struct hss_question what = { .impi = op->impi, .application = bytes_of(op->application->fqdn), .permission_only = true };
	struct question *question;
	struct ub *ub = op->ub;
	enum gba_err err;

	if (atomic_load(&ub->asking) >= ub->conf->zh_in_flight)
		return GBA_E_BUSY;
	question = talloc_zero(op, struct question);
	if (question == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(question);
	question->op = op;
	question->outcome = *outcome;
	question->notices = atomic_load(&ub->notices);
	metric_set(ub->m_asking, (int64_t)atomic_fetch_add(&ub->asking, 1) + 1);
	err = ub->hss->ask(ub->hss, &what, on_said, question); /* when it succeeds, op may be gone */
	if (err != GBA_OK) {
		atomic_fetch_sub(&ub->asking, 1);
		talloc_free(question);
	}
	return err;
}

void ub_permit_check(struct ub_op *op, struct run_outcome *outcome)
{
	struct hss *hss = op->ub->hss;
	enum gba_err err;

	if (is_fresh(op, outcome->challenge.permit)) {
		by_permit(op, outcome, PERMIT_WITH_VECTOR);
		return;
	}
	if (hss->permits == NULL || !hss->permits(hss, op->impi)) {
		by_settings(op, outcome);
		return;
	}
	err = ask(op, outcome);
	if (err == GBA_OK)
		SECRET_WIPE(outcome->secret); /* the references have moved */
	else if (says_nothing(err))
		by_settings(op, outcome);
	else
		decided(op, outcome, PERMIT_ASKED, err);
}

void ub_permit_metrics(struct ub *ub)
{
	static const char *const sources[] = { "vector", "query", "settings", "policy" };
	int i, set;

	for (i = 0; i < PERMIT_SOURCES; i++) {
		for (set = 0; set < 2; set++) {
			char labels[64] = "";

			metric_label(labels, sizeof(labels), "source", sources[i]);
			metric_label(labels, sizeof(labels), "flag", set ? "set" : "cleared");
			ub->m_permissions[i][set] = metric_get("gba_bsf_permissions_total", "Permissions checked before a token",
							       METRIC_COUNTER, labels);
		}
	}
}
