/* SPDX-License-Identifier: Apache-2.0 */
/** Rules that turn what is known of a device into its trust status (Y.3059 6.1): of the rules that apply the worst
 * counts, whatever their order. Above all rules: what is not registered is Grey, and what has no root of trust is
 * never White. Configuration (trust-rules), documented in doc/registry.md. No state, no store. */
#ifndef GBA_REGISTRY_POLICY_H
#define GBA_REGISTRY_POLICY_H

#include "conf/conf.h"
#include "registry-fn/log/event.h"

#define POLICY_CAUSE_MAX 80 /* [octets] */

enum trust_fact {
	FACT_SEVERITY,		/* enum cvss_severity of the worst open vulnerability */
	FACT_VULNERABILITIES,	/* open ones */
	FACT_FIX_OVERDUE,	/* [days] the oldest deadline of a maker has passed by */
	FACT_CERTIFICATE,	/* enum certificate_state */
	FACT_MISSED_REPORTS,	/* in a row */
	FACT_ANOMALIES,		/* told of in reports and by others, not settled */
	FACT_ELSEWHERE,		/* enum elsewhere: the latest that another registry has said */
	FACT_CERTIFICATION,	/* enum reg_certified: what certificates say of its make, model and versions */
	FACT_COUNT
};
enum certificate_state { CERTIFICATE_NONE, CERTIFICATE_GOOD, CERTIFICATE_EXPIRED, CERTIFICATE_REVOKED };
extern const char *const certificate_state_words[];
enum elsewhere { ELSEWHERE_NOTHING, ELSEWHERE_WHITE, ELSEWHERE_GREY, ELSEWHERE_BLACK };

struct trust_facts {
	bool registered; /* its registration is effective */
	bool root;	 /* a root of trust was proved */
	int64_t fact[FACT_COUNT];
	const char *lacks; /* what configuration asks for that it lacks: never White; NULL: nothing */
};

/** A row of trust-rules: { when = "severity >= high"; status = "grey"; } */
struct trust_rule_conf {
	const char *when;
	uint32_t status; /* enum trust_status */
};
extern const struct conf_item trust_rule_items[];

struct trust_policy;
/** @param rules  outlives the policy; empty: the rules of policy.c
 * @param _why    which rule is wrong, below mem_ctx or static @retval GBA_E_CONF, GBA_E_NOMEM */
enum gba_err trust_policy_new(TALLOC_CTX *mem_ctx, const struct conf_groups *rules, struct trust_policy **_policy,
			      const char **_why);
/** @param cause  which rule, or what stands above them */
enum trust_status trust_policy_judge(const struct trust_policy *policy, const struct trust_facts *facts,
				     char cause[POLICY_CAUSE_MAX + 1]);
/** The rules in force as text: "severity >= high: grey". Below mem_ctx, NULL-terminated. */
char **trust_policy_texts(TALLOC_CTX *mem_ctx, const struct trust_policy *policy);

#endif
