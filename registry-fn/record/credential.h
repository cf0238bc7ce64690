/* SPDX-License-Identifier: Apache-2.0 */
/** Credentials of callers of the registry's API. */
#ifndef GBA_REGISTRY_CREDENTIAL_H
#define GBA_REGISTRY_CREDENTIAL_H

#include "record/records.h"

extern const struct record_verb reg_credential_verbs[];

enum gba_err reg_credential_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);

/** Whose credential is it? Compared by hash only.
 * @param hash    64 lower-case hex digits: SHA-256 of the certificate (DER) or of the token
 * @param _actor  role, id and name ("maker:3"), below call->mem_ctx; call->actor may be NULL
 * @retval GBA_E_NOT_AUTHORIZED  unknown, expired, revoked, or whose it is may not call */
enum gba_err reg_authenticate(struct records *r, struct record_call *call, int type, const char *hash, struct actor **_actor);

/** May callers with this role and record still call? @retval GBA_E_NOT_AUTHORIZED */
enum gba_err reg_owner_good(struct records *r, const struct actor *actor);

#endif
