/* SPDX-License-Identifier: Apache-2.0 */
/** What lists say of a device beside itself: registered makers, certificates of products, identifiers of connectivity providers,
 * makers' serial numbers (TEC 31188 3.1, Annex II vi). Looked up when a
 * device registers, and whenever it is judged; what comes of it is in configuration. */
#ifndef GBA_REGISTRY_LISTING_H
#define GBA_REGISTRY_LISTING_H

#include "registry-fn/record/rules.h"

/** What becomes of a device that a list lacks (configuration). */
enum listing_policy { LISTING_ALLOW, LISTING_GREY, LISTING_REFUSE };
extern const char *const listing_policy_words[];
/** What becomes of a device of whose identities lists say otherwise: an anomaly of the rules of trust, or it is not registered. */
enum contradiction_policy { CONTRADICTION_ANOMALY, CONTRADICTION_REFUSE };
extern const char *const contradiction_policy_words[];

struct listing {
	int64_t maker;		/* registered one of its make; 0: none */
	int64_t certification;	/* enum reg_certified */
	bool endpoints;		/* a connectivity provider lists one of its identifiers */
	bool unit;		/* a maker has mapped one of its identities to a serial number */
	int64_t against;	/* how many of its identities lists say otherwise of */
	const char *what;	/* of the first; static, without identifiers; NULL: none */
};

/** What lists say of a device's make, model and versions, at now. */
enum gba_err listing_product(struct records *r, const struct record *device, time_t now, struct listing *_listing);
/** What all lists say of a device as it stands, written into its record where that has changed.
 * @param hook  as trust_judge() @retval GBA_E_NOT_FOUND  no such device */
enum gba_err listing_read(struct records *r, struct record_call *call, int64_t device, bool hook, struct listing *_listing);
/** The part of it that is about identities: a device, as it stands with its further identifiers, against the lists of providers and
 * makers. @param listing  maker is known @retval GBA_E_NOMEM, the store's */
enum gba_err listing_match(struct records *r, const struct record *device, struct listing *listing);
/** The worst that configuration makes of it. @param _why  which list it is; "" for LISTING_ALLOW @param _field  member at fault */
enum listing_policy listing_verdict(const struct registry_conf *conf, const struct listing *listing, const char **_why,
				    const char **_field);

/** Certificates whose time is over say so. For the room's thread; its own transactions. */
enum gba_err listing_sweep(struct records *r, TALLOC_CTX *mem_ctx, time_t now);

/** "imsi:40445", "mac:001b63", "e164:*": a scheme and what its identifiers begin with. Has the form of struct field's check. */
enum gba_err listing_network_check(struct bytes text, const char **_why);

/** "imei:490154203237518": a scheme that units send with, and an identity. The same form. */
enum gba_err listing_unit_check(struct bytes text, const char **_why);

/** Hooks of the tables. */
enum gba_err reg_maker_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
enum gba_err reg_party_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_party_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
enum gba_err reg_certification_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_certification_after(struct records *r, struct record_call *call, const struct record *old,
				     const struct record *now);
enum gba_err reg_endpoint_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_endpoint_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
enum gba_err reg_unit_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_unit_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now);
enum gba_err reg_device_identity_after(struct records *r, struct record_call *call, const struct record *old,
				       const struct record *now);
extern const struct record_verb reg_party_verbs[], reg_certification_verbs[];

/* Between the files of this room. */

/** Statement: devices that its rows name are judged again, soon. LISTING_DUE("id FROM device WHERE maker = ?1") */
#define LISTING_DUE(rows) "INSERT INTO said_due (device) SELECT " rows " ON CONFLICT (device) DO NOTHING"
/** The devices that an end point, all of a provider, or a unit is about are judged again. */
enum gba_err listing_due_endpoint(struct records *r, int64_t endpoint);
enum gba_err listing_due_provider(struct records *r, int64_t party);
enum gba_err listing_due_unit(struct records *r, int64_t unit);
/** Is one of a LIST's lines this text? */
bool listing_has(struct bytes list, struct bytes text);

#endif
