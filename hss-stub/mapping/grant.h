/* SPDX-License-Identifier: Apache-2.0 */
/** What the network side asks of the mapping function: may this client element use this application, which notices are
 * due, what falls due by time (Y.3056 10.4-3, 9.2.2-10; mapping.md G2, G6). */
#ifndef GBA_HSS_MAPPING_GRANT_H
#define GBA_HSS_MAPPING_GRANT_H

#include "hss-stub/mapping/mapping.h"

/** An application as the bsf needs to know it, and the permission in force. Texts below itself. */
struct grant {
	int64_t permission;	/* id; of the owner's when delegated */
	bool delegated;
	uint32_t gsid;
	time_t from, until;	/* [s since epoch] until 0: no end */
	uint32_t security_degree; /* the higher of permission's and application's */
	uint32_t token_lifetime;  /* [s] 0: the bsf's own */
	bool single;		  /* a token for this application alone (G5) */
	const char *push_peer;	  /* Diameter identity of the application's agent; NULL: pull only (G3) */
	const char *pseudonym;
	const char *ua_ids;	  /* ten hex digits each, one per line */
	const char *uss_list;	  /* XML document, root ussList, of this application alone */
};

/** By IMPI (any case of realm) and NAF FQDN (no case): one indexed read, no write.
 * @retval GBA_E_NOT_FOUND       no application has this FQDN: the realm's policy decides
 * @retval GBA_E_IMPI_UNKNOWN    no such subscriber  @retval GBA_E_IMPI_BARRED
 * @retval GBA_E_NOT_AUTHORIZED  flag cleared or missing, not yet, no longer, device not registered, ASP suspended;
 *                               _grant is then not written */
enum gba_err grant_find(struct records *m, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes naf_fqdn, time_t now,
			struct grant **_grant);

/** Durable notices for the BSFs of the realm. */
#define OUTBOX_KINDS(X) \
	X(OUTBOX_PERMISSION_CHANGED, "permission-changed") /* granted, or its terms changed */ \
	X(OUTBOX_PERMISSION_CLEARED, "permission-cleared") \
	X(OUTBOX_DEVICE_REMOVED,     "device-removed")	   /* naf_fqdn none: all contexts go */ \
	X(OUTBOX_SUBSCRIBER_BARRED,  "subscriber-barred")  \
	X(OUTBOX_OPERATOR_CHANGED,   "operator-changed")   \
	X(OUTBOX_RENEWAL,            "renewal")
#define OUTBOX_ID(id, name) id,
enum outbox_kind { OUTBOX_KINDS(OUTBOX_ID) OUTBOX_KIND_COUNT };
#undef OUTBOX_ID
extern const char *const outbox_kind_names[]; /* by value, NULL-terminated */

struct outbox_row {
	int64_t id; /* grows */
	enum outbox_kind kind;
	const char *impi;
	const char *naf_fqdn;  /* NULL: all applications */
	struct bytes guss;     /* of the subscriber as it stands now; absent: none, or subscriber gone */
	time_t created;
};
/** The oldest rows after `after`, at most limit, below mem_ctx as one array. */
enum gba_err outbox_next(struct records *m, TALLOC_CTX *mem_ctx, int64_t after, size_t limit, struct outbox_row **_rows,
			 size_t *_count);
/** All have answered: the row goes. Gone already: GBA_OK. */
enum gba_err outbox_done(struct records *m, int64_t id);
/** Add a row: for what no record's change stands behind (operator change). Joins a transaction. naf_fqdn may be NULL. */
enum gba_err outbox_add(struct records *m, enum outbox_kind kind, struct bytes impi, const char *naf_fqdn, time_t now);

/** What a BSF reports of a token: its row, and where the device bootstraps (hss-stub/mapping/tokens.c). Joins a transaction.
 * @param bsf  its Origin-Host */
struct token_entry;
enum gba_err token_note(struct records *m, struct bytes bsf, const struct token_entry *entry, time_t now);
/** Tokens that are over are forgotten. */
enum gba_err token_sweep(struct records *m, time_t now);
/** Those a notice ends: of the application; NULL: all of the user. */
enum gba_err token_end(struct records *m, struct bytes impi, const char *naf_fqdn);

/** Validity that has begun or ended by `now`: GUSS and outbox move, as many as fit in one short transaction. Cheap when
 * nothing is due (one indexed read, no lock). Call it every 200 ms, from any one process. @param _more  call again at once */
enum gba_err grant_sweep(struct records *m, time_t now, bool *_more);

/** A subscriber was changed by its own commands: an operator-given GUSS becomes the base the USSs are added to; barred or
 * removed goes to the outbox. Within the caller's transaction on mapping_subscribers().
 * @param after  NULL: removed */
enum gba_err grant_subscriber_changed(struct records *m, const struct subscriber *before, const struct subscriber *after,
				      time_t now);

#endif
