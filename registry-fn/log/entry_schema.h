/* SPDX-License-Identifier: Apache-2.0 */
/** Tables of the log of transactions, for registry_schema. */
#ifndef GBA_REGISTRY_ENTRY_SCHEMA_H
#define GBA_REGISTRY_ENTRY_SCHEMA_H

extern const char entry_schema_1[];

#endif
