/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/trust/policy.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry-fn/record/kinds.h"
#include "registry-fn/trust/cvss.h"

const char *const certificate_state_words[] = { "none", "good", "expired", "revoked", NULL };

static const char *const elsewhere_words[] = { "nothing", "white", "grey", "black", NULL };

const struct conf_item trust_rule_items[] = {
	CONF_STR("when", NULL, 1, POLICY_CAUSE_MAX, NULL, struct trust_rule_conf, when,
		 "FACT >= VALUE or FACT = VALUE; facts: severity, vulnerabilities, fix-overdue, certificate, missed-reports,"
		 " anomalies, elsewhere, certification"),
	CONF_ENUM("status", NULL, trust_status_names, struct trust_rule_conf, status, "What a device of which it is true is at best"),
	CONF_END
};

static const struct {
	const char *name;
	const char *const *words; /* values; NULL: numbers */
} facts[FACT_COUNT] = {
	[FACT_SEVERITY] = { "severity", cvss_severity_words },
	[FACT_VULNERABILITIES] = { "vulnerabilities", NULL },
	[FACT_FIX_OVERDUE] = { "fix-overdue", NULL },
	[FACT_CERTIFICATE] = { "certificate", certificate_state_words },
	[FACT_MISSED_REPORTS] = { "missed-reports", NULL },
	[FACT_ANOMALIES] = { "anomalies", NULL },
	[FACT_ELSEWHERE] = { "elsewhere", elsewhere_words },
	[FACT_CERTIFICATION] = { "certification", reg_certified_words },
};

static const struct trust_rule_conf built_in[] = {
	{ "severity >= critical", TRUST_BLACK }, { "severity >= high", TRUST_GREY },	 { "certificate = revoked", TRUST_BLACK },
	{ "certificate = expired", TRUST_GREY }, { "missed-reports >= 3", TRUST_GREY },	 { "anomalies >= 5", TRUST_BLACK },
	{ "anomalies >= 1", TRUST_GREY },	 { "elsewhere = black", TRUST_BLACK }, { "certification = revoked", TRUST_GREY },
};

struct rule {
	const char *text;
	enum trust_fact fact;
	bool at_least;
	int64_t value;
	enum trust_status status;
};

struct trust_policy {
	struct rule *rules;
	size_t count;
};

static bool read_value(enum trust_fact fact, const char *text, int64_t *_value)
{
	const char *const *words = facts[fact].words;
	char *end = NULL;
	size_t i;

	for (i = 0; words != NULL && words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0) {
			*_value = (int64_t)i;
			return true;
		}
	}
	if (words != NULL || text[0] < '0' || text[0] > '9' || strlen(text) > 9)
		return false;
	*_value = strtoll(text, &end, 10);
	return *end == '\0';
}

static bool read_rule(const struct trust_rule_conf *conf, struct rule *rule)
{
	char name[32], op[3], value[32], more;
	size_t i;

	if (sscanf(conf->when, "%31s %2s %31s %c", name, op, value, &more) != 3)
		return false;
	for (i = 0; i < FACT_COUNT && strcmp(facts[i].name, name) != 0; i++)
		;
	if (i == FACT_COUNT || (strcmp(op, ">=") != 0 && strcmp(op, "=") != 0))
		return false;
	*rule = (struct rule){ .text = conf->when, .fact = (enum trust_fact)i, .at_least = op[0] == '>',
			       .status = (enum trust_status)conf->status };
	return read_value(rule->fact, value, &rule->value);
}

enum gba_err trust_policy_new(TALLOC_CTX *mem_ctx, const struct conf_groups *rules, struct trust_policy **_policy,
			      const char **_why)
{
	const struct trust_rule_conf *rows = rules->n > 0 ? rules->v : built_in;
	size_t i, n = rules->n > 0 ? rules->n : sizeof(built_in) / sizeof(built_in[0]);
	struct trust_policy *policy = talloc_zero(mem_ctx, struct trust_policy);

	*_why = gba_strerror(GBA_E_NOMEM);
	if (policy == NULL)
		return GBA_E_NOMEM;
	policy->rules = talloc_zero_array(policy, struct rule, n);
	if (policy->rules == NULL) {
		talloc_free(policy);
		return GBA_E_NOMEM;
	}
	for (i = 0; i < n; i++) {
		if (!read_rule(&rows[i], &policy->rules[i])) {
			*_why = talloc_asprintf(mem_ctx, "trust-rules: \"%s\" is no rule", rows[i].when);
			talloc_free(policy);
			return GBA_E_CONF;
		}
	}
	policy->count = n;
	*_policy = policy;
	return GBA_OK;
}

/* White is best, Black worst; the values are in another order. */
static int badness(enum trust_status status)
{
	return status == TRUST_BLACK ? 2 : status == TRUST_GREY ? 1 : 0;
}

static bool applies(const struct rule *rule, const struct trust_facts *known)
{
	return rule->at_least ? known->fact[rule->fact] >= rule->value : known->fact[rule->fact] == rule->value;
}

enum trust_status trust_policy_judge(const struct trust_policy *policy, const struct trust_facts *known,
				     char cause[POLICY_CAUSE_MAX + 1])
{
	enum trust_status status = known->registered && known->root && known->lacks == NULL ? TRUST_WHITE : TRUST_GREY;
	size_t i;

	snprintf(cause, POLICY_CAUSE_MAX + 1, "%s", !known->registered	   ? "not registered"
						    : !known->root	   ? "no root of trust"
						    : known->lacks != NULL ? known->lacks
									   : "registered, nothing against it");
	for (i = 0; i < policy->count; i++) {
		if (!applies(&policy->rules[i], known) || badness(policy->rules[i].status) <= badness(status))
			continue;
		status = policy->rules[i].status;
		snprintf(cause, POLICY_CAUSE_MAX + 1, "%s", policy->rules[i].text);
	}
	return status;
}

char **trust_policy_texts(TALLOC_CTX *mem_ctx, const struct trust_policy *policy)
{
	char **texts = talloc_zero_array(mem_ctx, char *, policy->count + 1);
	size_t i;

	for (i = 0; texts != NULL && i < policy->count; i++) {
		texts[i] = talloc_asprintf(texts, "%s: %s", policy->rules[i].text, trust_status_names[policy->rules[i].status]);
		if (texts[i] == NULL)
			TALLOC_FREE(texts);
	}
	return texts;
}
