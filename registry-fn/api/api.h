/* SPDX-License-Identifier: Apache-2.0 */
/** The registry's REST API: lib/rest over its records, and the operations of its rooms. */
#ifndef GBA_REGISTRY_API_H
#define GBA_REGISTRY_API_H

#include "registry-fn/registry.h"
#include "rest/call.h"

extern const struct registry_room api_room;

/** The registry a call is for. */
struct registry *api_registry(const struct rest_call *call);

/** Operations of a room: named in the table of api.c. */
struct api_rows {
	const struct route *rows;
	size_t count;
};
extern const struct api_rows api_own_rows, tell_api_rows, listing_api_rows;

#endif
