/* SPDX-License-Identifier: Apache-2.0 */
/** Steps of the database's schema that belong to the mapping function, for sub_store's list of migrations. */
#ifndef GBA_HSS_MAPPING_SCHEMA_H
#define GBA_HSS_MAPPING_SCHEMA_H

extern const char mapping_schema_1[], mapping_schema_2[], mapping_schema_3[], mapping_schema_4[], mapping_schema_5[];

#endif
