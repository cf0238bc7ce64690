/* SPDX-License-Identifier: Apache-2.0 */
/** Virtual RegDevIDs (Y.3059 3.2.6, 9.2-i-f): a stand-in for a device's RegDevID, for a time or for one use. Its 160
 * random bits say nothing of the device nor of each other; the database keeps their digest only, and that while they are
 * good. All of it within the caller's transaction. */
#ifndef GBA_REGISTRY_VIRTUAL_H
#define GBA_REGISTRY_VIRTUAL_H

#include "record/rules.h"
#include "registry-fn/id/regdevid.h"

#define VIRTUAL_SECONDS_MAX  (366 * 86400)
#define VIRTUAL_AUDIENCE_MAX 96 /* [octets] */

struct virtual_ask {
	int64_t device;
	bool single;          /* gone after the first resolution */
	int64_t seconds;      /* how long it is good, single ones too */
	const char *audience; /* "enquirer:5": nobody else resolves it; "": everybody entitled */
};
/** @param out  REGDEVID_MAX + 1 octets; the RegID is of this registry @retval GBA_E_RANGE, GBA_E_TOO_LONG */
enum gba_err virtual_issue(struct records *r, const struct virtual_ask *ask, const char *reg_id, time_t now, char *out);
/** The device it stands for, for one who has the right to resolve at all. A single one is used up by it.
 * @param who  name of the caller: "enquirer:5"
 * @retval GBA_E_NOT_FOUND  never given, expired, used, or for somebody else: the same for all */
enum gba_err virtual_resolve(struct records *r, struct bytes text, const char *who, time_t now, int64_t *_device);
/** Is there one whose time is over? Without a lock. */
enum gba_err virtual_expired(struct records *r, time_t now, bool *_some);
/** Forget those whose time is over, up to 1000: nobody shall find out later, with the database in hand, whose one was. */
enum gba_err virtual_forget(struct records *r, time_t now);

#endif
