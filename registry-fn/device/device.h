/* SPDX-License-Identifier: Apache-2.0 */
/** What a device may do at its registry (Y.3059 7-iv, 9.2): Register, Set, Report, ask for a virtual RegDevID. The
 * device is who its token says it is: the caller has the IMPI from the application element in front. Each call is one
 * transaction: change of record, report, event and log entry are durable together, before the answer leaves. */
#ifndef GBA_REGISTRY_DEVICE_H
#define GBA_REGISTRY_DEVICE_H

#include "registry-fn/log/entry.h"
#include "registry-fn/log/event.h"
#include "registry-fn/record/rules.h"

#define DEVICE_BODY_MAX       16384 /* [octets] of a request */
#define DEVICE_IDENTITIES_MAX 16    /* further identifiers of one device */

/** Why a report was made. */
enum report_cause { REPORT_INITIAL, REPORT_PERIODIC, REPORT_CHANGE, REPORT_CAUSES };
extern const char *const report_cause_words[];

/** A handle of the store with all a call needs; one thread, or several with a lock of theirs. */
struct device_desk {
	const struct registry *registry;
	struct records *records;
	struct event_log *events;
	struct entry_log *entries;
	bool together; /* calls are parts of one transaction: device_group_begin() */
	enum gba_err lost; /* why that cannot go on */
};
/** @param _why  below mem_ctx or static, on failure */
enum gba_err device_desk_open(TALLOC_CTX *mem_ctx, const struct registry *registry, struct device_desk **_desk,
			      const char **_why);

/** One request. why and field say on failure what is wrong, without telling what exists. */
struct device_call {
	struct device_desk *desk;
	const char *impi;
	struct record_call record; /* now, mem_ctx; field and why on failure */
	json_t *answer;            /* on success; new reference */
	bool fresh;                /* something came to be: 201 */
};
/** For the device of this IMPI. */
void device_call_init(struct device_call *call, struct device_desk *desk, TALLOC_CTX *mem_ctx, const char *impi,
		      time_t now);

/** Calls that have come together share one transaction: each is done or undone alone, and none may be answered before
 * device_group_end() has said that all are durable. When it fails nothing of any of them is kept. */
enum gba_err device_group_begin(struct device_desk *desk);
enum gba_err device_group_end(struct device_desk *desk);

/** Register: "scheme", "identity", "make", "model" and what else the device says of itself; "custodian",
 * "custodian_code"; "identities": [{"scheme", "value"}]. Acknowledged with "regdevid", "urn", "serial", "expires",
 * "state", "seq" (number of the last report). The same device gets the same answer, however often it asks, until it has
 * confirmed it or its time has passed.
 * @retval GBA_E_SYNTAX, GBA_E_RANGE, GBA_E_TOO_LONG  a member  @retval GBA_E_KYC     custodian
 * @retval GBA_E_NOT_AUTHORIZED  no root of trust  @retval GBA_E_DENIED  not with this subscription
 * @retval GBA_E_STATE  not at this registry, or retired */
enum gba_err device_register(struct device_call *call, json_t *body);
/** Set: "regdevid" and "serial" as acknowledged: from now on the registration is effective. May be repeated.
 * @retval GBA_E_NOT_FOUND  no such device of this IMPI  @retval GBA_E_STALE  another serial  @retval GBA_E_STATE  too
 * late */
enum gba_err device_set(struct device_call *call, json_t *body);
/** Report: "regdevid", "seq" (one more than the last), "cause", and the members that are to be told. Kept with its
 * time; what changed is written to the record. A repeated report changes nothing.
 * @retval GBA_E_REPLAY  an older seq  @retval GBA_E_EXISTS  another report had this one  @retval GBA_E_STATE  not
 * registered */
enum gba_err device_report(struct device_call *call, json_t *body);
/** "regdevid", "kind": "timed" with "seconds", or "single"; "audience": who may resolve it, "" everybody entitled. */
enum gba_err device_virtual(struct device_call *call, json_t *body);
/** Questions of enquirers that wait for this device: "challenges": [{"challenge", "nonce", "subject", "expires"}], and, when it has
 * challenged the enquirer, "demand", then "public_key" and "signature".
 * @retval GBA_E_NOT_FOUND  no such device of this IMPI */
enum gba_err device_challenges(struct device_call *call, const char *regdevid);
/** "regdevid", "challenge", and the device's security parameters as they are now, the members of Report: they are for
 * the enquirer, a Report alone changes the record.
 * @retval GBA_E_NOT_FOUND  no such challenge to this device  @retval GBA_E_REPLAY  answered  @retval GBA_E_STATE  too
 * late */
enum gba_err device_answer(struct device_call *call, json_t *body);
/** "regdevid", "challenge", "demand": 32 octets in hex that the enquirer has to sign (live.h) before this device answers.
 * @retval  as device_answer(); GBA_E_STATE  another demand was made, too */
enum gba_err device_challenge(struct device_call *call, json_t *body);
/** Its own record, and its reports, the newest first. */
enum gba_err device_show(struct device_call *call, struct bytes regdevid);

/** Flag those that are late by more than the grace; forget virtual RegDevIDs that are over. @param _flagged  how many now are */
enum gba_err device_sweep(struct device_desk *desk, TALLOC_CTX *mem_ctx, time_t now, size_t *_flagged);

/* Between the files of this room. */

/** Around what a call does. @param err  what came of it: anything but GBA_OK undoes it @return err, or that of the commit */
enum gba_err device_begin(struct device_call *call);
enum gba_err device_end(struct device_call *call, enum gba_err err);
/** Instead of device_end(), of a call that has written nothing. */
void device_leave(struct device_call *call);

/** The device of a RegDevID, when it is this IMPI's. @retval GBA_E_NOT_FOUND  whatever is wrong with it */
enum gba_err device_own(struct device_call *call, json_t *body, struct record **_rec);
/** Has it other members than these? names: NULL-terminated. */
enum gba_err device_members(struct device_call *call, json_t *body, const char *const *names);
/** A text member. @retval GBA_E_SYNTAX  missing, or no text */
enum gba_err device_text(struct device_call *call, json_t *body, const char *name, const char **_text);
/** A whole number member. */
enum gba_err device_number(struct device_call *call, json_t *body, const char *name, int64_t *_value);
/** What a device may say of itself at Register and Report: into the record. @param count  members taken */
enum gba_err device_take(struct device_call *call, struct record *rec, json_t *body, size_t *_count);
/** Number of its last report; 0: none. */
enum gba_err device_last_report(struct device_call *call, int64_t device, int64_t *_seq, struct bytes *_digest);
/** Keep a report. @param changed  JSON of what differs; NULL: nothing */
enum gba_err device_keep_report(struct device_call *call, int64_t device, int64_t seq, enum report_cause cause,
				json_t *body, const char *changed);
/** The text a report is compared by: members sorted, no blanks; below mem_ctx. NULL: out of memory. */
char *device_canonical(TALLOC_CTX *mem_ctx, json_t *body);
/** How many questions wait for it. */
enum gba_err device_asked(struct device_call *call, int64_t device, size_t *_n);
/** A line in the log of transactions. */
enum gba_err device_note(struct device_call *call, const char *act, const struct record *rec, json_t *detail);

#endif
