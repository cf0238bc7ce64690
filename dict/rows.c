/* SPDX-License-Identifier: Apache-2.0 */
/* TS 29.109 and what it takes from TS 29.229, RFC 5090 and RFC 6733; S13 of TS 29.272; as rows. */
#include "dict/dict_gba.h"

#include "dia/names.h"
#include "dict/rules.h"

static const struct dict_app_row apps[] = {
	{ 16777220, "3GPP Zn" },
	{ 16777221, "3GPP Zh" },
	{ 16777252, "3GPP S13" },
	{ 16777268, "3GPP Zpn" },
	{ 0, NULL }
};

static const struct dict_avp_row avps[] = {
#define AVP_ROW(code, vendor, name, base, m, type) { code, vendor, name, AVP_TYPE_##base, M_##m, type },
	DIA_AVPS(AVP_ROW)
	{ 0, 0, NULL, AVP_TYPE_GROUPED, M_MUST, NULL }
};

static const struct dict_value_row values[] = {
#define VALUE_ROW(avp, value, name) { avp, value, name },
	DIA_ENUM_VALUES(VALUE_ROW)
	{ NULL, 0, NULL }
};

static const struct dict_result_row results[] = {
#define RESULT_ROW(code, name) { code, name },
	DIA_RESULTS_3GPP(RESULT_ROW)
	{ 0, NULL }
};

/* RFC 4740 has a command of the same name and another code, and names are unique. */
#define MAR "3GPP-Multimedia-Auth-Request"
#define MAA "3GPP-Multimedia-Auth-Answer"
#define BIR "Bootstrapping-Info-Request"
#define BIA "Bootstrapping-Info-Answer"
#define GPR "GBAPush-Info-Request"
#define GPA "GBAPush-Info-Answer"
#define ECR "ME-Identity-Check-Request"
#define ECA "ME-Identity-Check-Answer"

static const struct dict_cmd_row cmds[] = {
	{ 303, 16777221, MAR, MAA },
	{ 310, 16777220, BIR, BIA },
	{ 312, 16777268, GPR, GPA },
	{ 324, 16777252, ECR, ECA },
	{ 0, 0, NULL, NULL }
};

/* The grammar of TS 29.109 and TS 29.272. */
#define VENDOR		VENDOR_3GPP
#define ONE(cmd, avp)	TGPP_ONE(cmd, avp)
#define MAY(cmd, avp)	TGPP_MAY(cmd, avp)
#define MANY(cmd, avp)	TGPP_MANY(cmd, avp)

static const struct dict_rule_row rules[] = {
	/* TS 29.109 4.2 */
	REQUEST(MAR), BASE_ONE(MAR, 277), BASE_MAY(MAR, 1), MAY(MAR, 601), MAY(MAR, 612), MAY(MAR, 409),
	ANSWER(MAA),
	/* TS 29.109 5.2 */
	REQUEST(BIR), BASE_MAY(BIR, 277), MANY(BIR, 403), ONE(BIR, 401), ONE(BIR, 402), MAY(BIR, 407), MAY(BIR, 419),
	ANSWER(BIA),
	/* TS 29.109 5.4 */
	REQUEST(GPR), BASE_MAY(GPR, 277), ONE(GPR, 411), ONE(GPR, 412), ONE(GPR, 413), ONE(GPR, 402), ONE(GPR, 418),
	ONE(GPR, 414), ONE(GPR, 415), MAY(GPR, 416), MAY(GPR, 407), MANY(GPR, 403), MAY(GPR, 419), MAY(GPR, 612),
	ANSWER(GPA),
	/* TS 29.272 7.2.19: Vendor-Specific-Application-Id may be left out */
	{ ECR, 263, 0, RULE_FIXED_HEAD, -1, 1 }, BASE_MAY(ECR, 260), BASE_ONE(ECR, 277), BASE_ONE(ECR, 264), BASE_ONE(ECR, 296),
	BASE_ONE(ECR, 283), BASE_MAY(ECR, 293), ONE(ECR, 1401), BASE_MAY(ECR, 1),
	ANSWER(ECA),
	/* TS 29.272 7.3.3 */
	MAY("Terminal-Information", 1402), MAY("Terminal-Information", 1471), MAY("Terminal-Information", 1403),
	/* TS 29.229 6.3.13 */
	MAY("SIP-Auth-Data-Item", 613), MAY("SIP-Auth-Data-Item", 608), MAY("SIP-Auth-Data-Item", 609),
	MAY("SIP-Auth-Data-Item", 610), MAY("SIP-Auth-Data-Item", 611), MAY("SIP-Auth-Data-Item", 625),
	MAY("SIP-Auth-Data-Item", 626), MAY("SIP-Auth-Data-Item", 635),
	/* TS 29.229 6.3.36 */
	BASE_ONE("SIP-Digest-Authenticate", 104), BASE_MAY("SIP-Digest-Authenticate", 111),
	BASE_ONE("SIP-Digest-Authenticate", 110), BASE_ONE("SIP-Digest-Authenticate", 121),
	{ NULL, 0, 0, RULE_OPTIONAL, 0, 0 }
};

static const struct dict_tables tables = { "dict_gba", VENDOR, "3GPP", apps, avps, values, results, cmds, rules };

int dict_gba_load(struct dictionary *dict)
{
	return dict_tables_load(dict, &tables);
}
