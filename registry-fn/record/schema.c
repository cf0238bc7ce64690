/* SPDX-License-Identifier: Apache-2.0 */
/* One row per step; a room that keeps tables of its own has its text in its own schema file and its row here. */
#include "registry-fn/record/schema.h"

#include "registry-fn/log/schema.h"
#include "registry-fn/log/entry_schema.h"

/* Who this database belongs to: a registry started with another's database would give out the other's identities. */
static const char node_schema_1[] = "CREATE TABLE node (id INTEGER PRIMARY KEY, reg_id TEXT NOT NULL, reg_type INTEGER NOT NULL,"
				    " public_key TEXT NOT NULL) STRICT";

const struct db_migration registry_schema[] = {
	{ node_schema_1 },
	{ event_schema_1 },
	{ entry_schema_1 },
};
const size_t registry_schema_steps = sizeof(registry_schema) / sizeof(registry_schema[0]);
