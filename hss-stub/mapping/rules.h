/* SPDX-License-Identifier: Apache-2.0 */
/** Rules behind the rows of mapping_kinds: checks before a record is written, what follows after, verbs. */
#ifndef GBA_HSS_MAPPING_RULES_H
#define GBA_HSS_MAPPING_RULES_H

#include "hss-stub/mapping/mapping.h"

#define BEFORE(name) \
	enum gba_err name(struct records *m, struct record_call *call, const struct record *old, struct record *now)
#define AFTER(name) \
	enum gba_err name(struct records *m, struct record_call *call, const struct record *old, const struct record *now)
#define VERB(name) enum gba_err name(struct records *m, struct record_call *call, const struct record *old, json_t *arguments)

BEFORE(verification_before);
BEFORE(authentication_before);
BEFORE(user_before);
AFTER(user_after);
VERB(user_verify);
BEFORE(user_identity_before);
BEFORE(device_before);
AFTER(device_after);
VERB(device_verify);
VERB(device_renew);
BEFORE(asp_before);
AFTER(asp_after);
BEFORE(application_before);
AFTER(application_after);
BEFORE(credential_before);
VERB(credential_revoke);
BEFORE(permission_before);
AFTER(permission_after);
BEFORE(delegation_before);
AFTER(delegation_after);
VERB(delegation_end);
BEFORE(request_before);
AFTER(request_after);
VERB(request_verify);
VERB(request_consent);
VERB(request_grant);
VERB(request_refuse);
BEFORE(realm_before);
BEFORE(provider_before);
BEFORE(server_before);

#endif
