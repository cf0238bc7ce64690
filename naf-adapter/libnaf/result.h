/* SPDX-License-Identifier: Apache-2.0 */
/** A key as the agent sent it: one chunk that holds the frame's body and views into it, wiped as a whole. */
#ifndef NAF_LIBNAF_RESULT_H
#define NAF_LIBNAF_RESULT_H

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/libnaf/wire.h"

/** @param btid, fqdn  what was asked for; copied
 * @retval GBA_NAF_E_PROTOCOL  the body is not that of an answer @retval GBA_NAF_E_NOMEM */
enum gba_naf_error result_new(struct wire_view body, const char *btid, const char *fqdn, struct gba_naf_result **_result);
/** Did an agent make it that sends notices? */
bool result_has_digest(const struct gba_naf_result *result);

struct gba_naf_notice {
	enum gba_naf_notice_kind kind;
	struct wire_view body; /* that wire_notice_decode() has passed; none when DOUBTFUL */
};

#endif
