/* SPDX-License-Identifier: Apache-2.0 */
/** What other registries say of a subject, and what holds of all that is said. */
#ifndef GBA_REGISTRY_SAID_H
#define GBA_REGISTRY_SAID_H

#include "registry-fn/trust/trust.h"

/** What is held of a subject at a time: of all statements, ours among them, the one that holds (event_status_at()).
 * @param subject  RegDevID; NULL: that of the device  @param device  of this registry; 0: none
 * @param _change  author "registry:RegID" when another registry has said it; as trust_at() otherwise */
enum gba_err trust_held_at(struct records *r, TALLOC_CTX *mem_ctx, const char *subject, int64_t device, time_t at,
			   struct trust_change *_change);
/** The fact FACT_ELSEWHERE of a device. @param _evidence  who says so, and why; as it was when nobody does */
enum gba_err trust_elsewhere(struct records *r, TALLOC_CTX *mem_ctx, int64_t device, int64_t *_value, const char **_evidence);

#endif
