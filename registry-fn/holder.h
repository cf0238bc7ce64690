/* SPDX-License-Identifier: Apache-2.0 */
/** That one node serves from the database, and whether it can be reached. A second node of the same registry would tell
 * neighbours and subscribers everything a second time: it does not start, or waits until the first has ended. */
#ifndef GBA_REGISTRY_HOLDER_H
#define GBA_REGISTRY_HOLDER_H

#include "registry-fn/registry.h"

/** May the node serve? Any thread. @param _missing  static text when not */
bool holder_good(const char **_missing);

extern const struct registry_room holder_room;

#endif
