/* SPDX-License-Identifier: Apache-2.0 */
/** The node: what every room stands on. Y.3059 9.1. */
#ifndef GBA_REGISTRY_REGISTRY_H
#define GBA_REGISTRY_REGISTRY_H

#include "crypto/seal.h"
#include "crypto/sign.h"
#include "registry-fn/conf.h"
#include "store/db.h"

struct trust_policy;

/** Made before any room starts, freed after the last has stopped; what is not a room's does not change meanwhile. */
struct registry {
	const struct registry_conf *conf;
	struct kek *kek;      /* seals personal data and the registry's own secrets */
	struct sign_key *key; /* events, answers and tree heads of this registry */
	struct trust_policy *policy;
};

/** Open keys and store. The database remembers whose it is: another RegID, type or key is refused.
 * @param conf  outlives the registry
 * @param _why  on failure: text for the operator, below mem_ctx or static
 * @retval GBA_E_CONF  the database is another registry's  @retval others as db_open, kek_open, sign_key_open */
enum gba_err registry_open(TALLOC_CTX *mem_ctx, const struct registry_conf *conf, struct registry **_registry, const char **_why);
/** A handle of the store for one thread, or for several with a lock of theirs. @retval as db_open */
enum gba_err registry_store(TALLOC_CTX *mem_ctx, const struct registry_conf *conf, struct db **_db, const char **_why);

/** A room of the node: ext.c starts the rooms in the order of its table and stops them in reverse. */
struct registry_room {
	const char *name;
	/** @param _why  static, or below registry. On failure nothing of the room is left running. */
	enum gba_err (*start)(struct registry *registry, const char **_why);
	void (*stop)(struct registry *registry);
};

#endif
