/* SPDX-License-Identifier: Apache-2.0 */
/** What one reading of the configuration made that all workers share. It never changes once it is made, so nobody locks it: who
 * uses it counts itself in, and a reload makes another one beside it. */
#ifndef GBA_PROXY_SNAPSHOT_H
#define GBA_PROXY_SNAPSHOT_H

#include <talloc.h>

#include "conf/role.h"
#include "naf-adapter/proxy/conf.h"
#include "naf-adapter/proxy/health.h"
#include "naf-adapter/proxy/stats.h"
#include "naf-adapter/proxy/upstream.h"

struct snapshot {
	unsigned int refs; /* changed by atomic operations only */
	struct proxy_conf conf;
	struct health *health;
	struct upstream_addresses *upstreams; /* one per site */
	struct host_stats *hosts; /* one per site, and one for what is of none */
};

/** Read and check the file, resolve what it names (waits for DNS). Nothing of it is in force yet.
 * @param before  the one in force: states of applications, and items that only a restart changes, are taken over; NULL: none
 * @param _pinned  names of those items that differ, ", " between them; below the snapshot; NULL: none differ
 * @return NULL: *_error says why */
struct snapshot *snapshot_new(const struct role *role, const char *path, const struct snapshot *before, const char **_pinned,
			      struct conf_error *_error);
/** From any thread. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

#endif
