/* SPDX-License-Identifier: Apache-2.0 */
/** Steps of the schema of the registry's database, of all rooms. A step is history: it is never edited, more come behind it. */
#ifndef GBA_REGISTRY_SCHEMA_H
#define GBA_REGISTRY_SCHEMA_H

#include "store/db.h"

extern const struct db_migration registry_schema[];
extern const size_t registry_schema_steps;

#endif
