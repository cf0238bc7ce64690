/* SPDX-License-Identifier: Apache-2.0 */
/** Trust in devices (Y.3059 6.1, 7-iv-d): White, Grey or Black, from what is known of a device by the rules of
 * policy.h or from what was decided by hand; each change with cause, evidence, author and time, so that the status at
 * any time can be told. A change is one transaction with what caused it, its event for the other registries, and its
 * entry in the log. */
#ifndef GBA_REGISTRY_TRUST_H
#define GBA_REGISTRY_TRUST_H

#include "registry-fn/log/entry.h"
#include "registry-fn/record/rules.h"
#include "registry-fn/trust/policy.h"

/** What a handle of records has besides (records_role()). */
struct registry_handle {
	struct registry registry; /* first: a copy; records_role() is a struct registry for those who need no more */
	struct event_log *events;
	struct entry_log *entries;
	bool many;     /* very many devices are being judged: their Blacks are statuses among others */
	int64_t swept; /* overdue devices have been looked at up to this one */
};
struct registry_handle *registry_handle_of(struct records *r);

/** Subjects of statuses. */
enum trust_kind { TRUST_DEVICE, TRUST_APPLICATION };

/** One change of status; texts below the mem_ctx it was read with. */
struct trust_change {
	int64_t id;
	enum trust_status status;
	const char *cause, *evidence, *author; /* evidence: NULL when none */
	time_t at;
};
/** The status at a time: the last change not after it; Grey and id 0 when there is none (6.1-15). */
enum gba_err trust_at(struct records *r, TALLOC_CTX *mem_ctx, enum trust_kind kind, int64_t subject, time_t at,
		      struct trust_change *_change);
/** All changes, the oldest first. @param _changes  below mem_ctx */
enum gba_err trust_history(struct records *r, TALLOC_CTX *mem_ctx, enum trust_kind kind, int64_t subject, size_t limit,
			   struct trust_change **_changes, size_t *_count);

/* In a transaction: */

/** Judge a device anew, and write what comes out when it is another status than before.
 * @param hook  called for a change of the device's record that is being written: its revision is that change's */
enum gba_err trust_judge(struct records *r, struct record_call *call, int64_t device, bool hook);
/** Say what else counts in the rules, and judge: certificate, anomalies, missed reports.
 * @retval GBA_E_RANGE  not a fact that is told (others are counted) @retval GBA_E_NOT_FOUND  no such device */
enum gba_err trust_tell(struct records *r, struct record_call *call, int64_t device, enum trust_fact fact, int64_t value,
			const char *evidence);
/** Say our status of a device again when, of all that is said, another one holds. */
enum gba_err trust_restate(struct records *r, struct record_call *call, int64_t device);
/** The same of an application, which no rules apply to: what was decided by hand, or Grey. */
enum gba_err trust_judge_application(struct records *r, struct record_call *call, int64_t application);
/** Deadlines that have passed and decisions that have ended, judged again. For the room's thread; its own transactions. */
enum gba_err trust_sweep(struct records *r, TALLOC_CTX *mem_ctx, time_t now);

/** Some of the devices that wait to be judged anew, in one short transaction: those of which another registry, or a list, has said
 * something since they were judged, and then of very many ones (mass.h). @param _left  there are more */
enum gba_err trust_due(struct records *r, TALLOC_CTX *mem_ctx, time_t now, bool *_left);

/** Ids of a column, for acting on after the statement is done: 1000 at most, 0 ends them. NULL: memory. */
int64_t *trust_ids(TALLOC_CTX *ctx, struct db_stmt *stmt);

/** Vulnerabilities: match a device against all of its make, or one against all devices. vuln.c */
/** @param fresh  it has just been added  @param _n  how many it has */
enum gba_err vuln_match_device(struct records *r, struct record_call *call, const struct record *device, bool fresh, size_t *_n);
enum gba_err vuln_facts(struct records *r, int64_t device, time_t now, struct trust_facts *facts);
enum gba_err vuln_sweep(struct records *r, TALLOC_CTX *mem_ctx, time_t now);

/** Hooks of the tables. */
enum gba_err reg_device_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
enum gba_err reg_vulnerability_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_vulnerability_after(struct records *r, struct record_call *call, const struct record *old,
				     const struct record *now);
/** Changes of records into the log of transactions. */
enum gba_err registry_before_commit(struct records *r);
/** What has been committed travels at once. */
void registry_ended(struct records *r);

#endif
