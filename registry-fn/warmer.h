/* SPDX-License-Identifier: Apache-2.0 */
/** Room: after the start the upper pages of the database are read once, in a thread that ends then. */
#ifndef GBA_REGISTRY_WARMER_H
#define GBA_REGISTRY_WARMER_H

#include "registry-fn/registry.h"

extern const struct registry_room warmer_room;

#endif
