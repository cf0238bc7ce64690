/* SPDX-License-Identifier: Apache-2.0 */
/** Rooms that speak Diameter: the bonds to other registries (doc/registry-peering.md), and S13 towards the core network. */
#ifndef GBA_REGISTRY_PEERING_H
#define GBA_REGISTRY_PEERING_H

#include "registry-fn/registry.h"

/** Nothing to do without neighbours; with them dict_y3056 must be loaded. */
extern const struct registry_room peering_room;
/** Nothing to do without s13-peers. */
extern const struct registry_room s13_room;

#endif
