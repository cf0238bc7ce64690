/* SPDX-License-Identifier: Apache-2.0 */
/** Tables of the log of events, for registry_schema. */
#ifndef GBA_REGISTRY_LOG_SCHEMA_H
#define GBA_REGISTRY_LOG_SCHEMA_H

extern const char event_schema_1[], event_schema_2[], event_schema_3[], event_schema_4[], event_schema_5[], event_schema_6[];

#endif
