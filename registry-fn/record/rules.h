/* SPDX-License-Identifier: Apache-2.0 */
/** The registry's records over lib/record, and the rules of their tables. */
#ifndef GBA_REGISTRY_RULES_H
#define GBA_REGISTRY_RULES_H

#include "record/rules.h"
#include "registry-fn/record/kinds.h"
#include "registry-fn/registry.h"

/** A handle of records with its own of the store, for one thread: below mem_ctx. records_role() gives the registry.
 * @param _why  below mem_ctx or static, on failure @retval as registry_store, records_open */
enum gba_err registry_records(TALLOC_CTX *mem_ctx, const struct registry *registry, struct records **_r, const char **_why);

/** Hooks of the tables. */
enum gba_err reg_custodian_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_model_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_device_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_device_identity_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
enum gba_err reg_application_before(struct records *r, struct record_call *call, const struct record *old, struct record *now);
extern const struct record_verb reg_device_verbs[];

/** Of an identity that is another device's: told to devices in these words, whoever has it. */
#define REG_IDENTITY_TAKEN "this identity cannot be registered by this device"

/** The device of a RegDevID, or of an inherent identity in canonical form. @param _id  0: none */
enum gba_err reg_device_by_regdevid(struct records *r, struct bytes regdevid, int64_t *_id);
enum gba_err reg_device_by_identity(struct records *r, const struct scheme *scheme, const char *identity, int64_t *_id);

#endif
