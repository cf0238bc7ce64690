/* SPDX-License-Identifier: Apache-2.0 */
/** Steps of the database's schema that belong to the change of operator, for sub_store's list of migrations. */
#ifndef GBA_HSS_CHANGE_SCHEMA_H
#define GBA_HSS_CHANGE_SCHEMA_H

extern const char change_schema_1[], change_schema_2[];

#endif
