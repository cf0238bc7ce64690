/* SPDX-License-Identifier: Apache-2.0 */
/** What lists say of a device beside itself: registered makers and certificates of products (TEC 31188 3.1). Looked up when a
 * device registers, and whenever it is judged; what comes of it is in configuration. */
#ifndef GBA_REGISTRY_LISTING_H
#define GBA_REGISTRY_LISTING_H

#include "registry-fn/record/rules.h"

/** What becomes of a device that a list lacks (configuration). */
enum listing_policy { LISTING_ALLOW, LISTING_GREY, LISTING_REFUSE };
extern const char *const listing_policy_words[];

struct listing {
	int64_t maker;		/* registered one of its make; 0: none */
	int64_t certification;	/* enum reg_certified */
};

/** What lists say of a device's make, model and versions, at now. */
enum gba_err listing_product(struct records *r, const struct record *device, time_t now, struct listing *_listing);
/** What all lists say of a device as it stands, written into its record where that has changed.
 * @param hook  as trust_judge() @retval GBA_E_NOT_FOUND  no such device */
enum gba_err listing_read(struct records *r, struct record_call *call, int64_t device, bool hook, struct listing *_listing);
/** The worst that configuration makes of it. @param _why  which list it is; "" for LISTING_ALLOW @param _field  member at fault */
enum listing_policy listing_verdict(const struct registry_conf *conf, const struct listing *listing, const char **_why,
				    const char **_field);

/** Certificates whose time is over say so. For the room's thread; its own transactions. */
enum gba_err listing_sweep(struct records *r, TALLOC_CTX *mem_ctx, time_t now);

/** "imsi:40445", "mac:001b63", "e164:*": a scheme and what its identifiers begin with. Has the form of struct field's check. */
enum gba_err listing_network_check(struct bytes text, const char **_why);

/** Hooks of the tables. */
enum gba_err reg_maker_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
enum gba_err reg_party_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_party_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
enum gba_err reg_certification_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_certification_after(struct records *r, struct record_call *call, const struct record *old,
				     const struct record *now);
extern const struct record_verb reg_party_verbs[], reg_certification_verbs[];

/* Between the files of this room. */

/** Devices that a statement's rows name are judged again, soon. @param sql  LISTING_DUE("id FROM device WHERE custodian = ?1")
 * @param id  ?1 */
#define LISTING_DUE(rows) "INSERT INTO said_due (device) SELECT " rows " ON CONFLICT (device) DO NOTHING"
enum gba_err listing_due(struct records *r, const char *sql, int64_t id);
/** Is one of a LIST's lines this text? */
bool listing_has(struct bytes list, struct bytes text);

#endif
