/* SPDX-License-Identifier: Apache-2.0 */
/** Rows of grammar that every dictionary of ours is made of. Requests have a grammar that the framework checks and answers
 * (5005, 5009) with Failed-AVP. Answers: only what every answer has (RFC 6733 6.2); freeDiameter drops a success that breaks
 * a rule without telling the one who asked, and lib/dia checks the rest. */
#ifndef GBA_DICT_RULES_H
#define GBA_DICT_RULES_H

#include "dict/dict.h"

#define VENDOR_3GPP 10415

#define REQUEST(cmd)                                                                                                   \
	{ cmd, 263, 0, RULE_FIXED_HEAD, -1, 1 }, /* Session-Id */                                                      \
	{ cmd, 260, 0, RULE_REQUIRED, -1, 1 },	 /* Vendor-Specific-Application-Id */                                  \
	{ cmd, 264, 0, RULE_REQUIRED, -1, 1 },	 /* Origin-Host */                                                     \
	{ cmd, 296, 0, RULE_REQUIRED, -1, 1 },	 /* Origin-Realm */                                                    \
	{ cmd, 283, 0, RULE_REQUIRED, -1, 1 },	 /* Destination-Realm */                                               \
	{ cmd, 293, 0, RULE_OPTIONAL, -1, 1 }	 /* Destination-Host */
#define ANSWER(cmd)                                                                                                    \
	{ cmd, 264, 0, RULE_REQUIRED, -1, 1 },                                                                         \
	{ cmd, 296, 0, RULE_REQUIRED, -1, 1 }
#define TGPP_ONE(cmd, avp)  { cmd, avp, VENDOR_3GPP, RULE_REQUIRED, -1, 1 }
#define TGPP_MAY(cmd, avp)  { cmd, avp, VENDOR_3GPP, RULE_OPTIONAL, -1, 1 }
#define TGPP_MANY(cmd, avp) { cmd, avp, VENDOR_3GPP, RULE_OPTIONAL, -1, -1 }
#define BASE_ONE(cmd, avp)  { cmd, avp, 0, RULE_REQUIRED, -1, 1 }
#define BASE_MAY(cmd, avp)  { cmd, avp, 0, RULE_OPTIONAL, -1, 1 }

#endif
