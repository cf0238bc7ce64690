/* SPDX-License-Identifier: Apache-2.0 */
/** The records of the mapping and registration function (Y.3056 9.2.2): lib/record over the database of subscribers. A change
 * and all that follows from it (history, GUSS of the subscriber, outbox, notices) are one transaction; GUSSs of subscribers
 * touched are written at commit, once each. */
#ifndef GBA_HSS_MAPPING_H
#define GBA_HSS_MAPPING_H

#include "hss-stub/mapping/kinds.h"
#include "hss-stub/sub_store.h"
#include "record/records.h"

/** Open, migrating when needed; makes the realm's secret of pseudonyms at the first time.
 * @param database  as of hss.conf  @param kek  outlives the handle (hss_kek_open)
 * @param _error  on failure: text for the operator, below mem_ctx; errors as db_open, kek_open */
enum gba_err mapping_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct records **_m,
			  const char **_error);
/** Over an open store of subscribers, without key: for grant_subscriber_changed() and outbox_*() alone. */
struct records *mapping_attach(TALLOC_CTX *mem_ctx, struct sub_store *store);
/** Subscribers through the same handle: what is done to them between begin and commit is part of the transaction. */
struct sub_store *mapping_subscribers(struct records *m);

/** Whose credential is it? Compared by hash only. @param hash  64 lower-case hex digits: SHA-256 of the certificate (DER)
 * or of the token  @param _actor  role, id and name ("asp:3"), below call->mem_ctx; call->actor may be NULL
 * @retval GBA_E_NOT_AUTHORIZED  unknown, expired, revoked, or its owner is suspended */
enum gba_err mapping_authenticate(struct records *m, struct record_call *call, int credential_type, const char *hash,
				  struct actor **_actor);

/** An entry of an ASP's names (id_rule): a host name, or "KIND:IDENTITY" with '*' for any at its end. */
enum gba_err asp_name_check(struct bytes entry, const char **_why);

/** Stable name of a client element for one ASP: 32 hex digits of HMAC-SHA-256 under the realm's secret of
 * { decimal id of the ASP record, NUL, IMPI }; two ASPs cannot join theirs (mapping.md G14). out: 33 octets. */
#define PSEUDONYM_LEN 32
void mapping_pseudonym(struct records *m, int64_t asp, struct bytes impi, char *out);

#endif
