/* SPDX-License-Identifier: Apache-2.0 */
/** Statuses decided by hand (Y.3059 6.1), of devices and of applications: the one way of all of them. Where configuration wants
 * four eyes, whatever begins or ends one is asked for by one person and approved by another; until then what was in force is. */
#ifndef GBA_REGISTRY_OVERRIDE_H
#define GBA_REGISTRY_OVERRIDE_H

#include "registry-fn/trust/trust.h"

/** What is in force; id 0: nothing. */
struct trust_order {
	int64_t id;
	enum trust_status status;
	const char *reason; /* below the call */
};
/** Of several the newest. */
enum gba_err trust_by_hand(struct records *r, struct record_call *call, enum trust_kind kind, int64_t subject,
			   struct trust_order *_order);
/** Are two callers ("role:name") one person? Then one is not the other's second pair of eyes. */
bool trust_same_person(struct bytes one, const char *other);
/** Those whose time is over end, without anybody. Its own transactions. */
enum gba_err trust_override_sweep(struct records *r, struct record_call *call);

/** Hooks of the table. */
enum gba_err reg_override_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_override_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
extern const struct record_verb reg_override_verbs[];

#endif
