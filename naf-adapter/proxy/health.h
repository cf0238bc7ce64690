/* SPDX-License-Identifier: Apache-2.0 */
/** Does each application answer? Asked by GET of its site's health-path every health-interval, in a thread of its own: a site whose
 * application failed twice in a row is answered 503 at once, not after a time-out, until it answers again. */
#ifndef GBA_PROXY_HEALTH_H
#define GBA_PROXY_HEALTH_H

#include <talloc.h>

#include "naf-adapter/proxy/conf.h"
#include "naf-adapter/proxy/upstream.h"

struct health;

/** Nobody is asked yet. Every application counts as well until it has failed, but one known from before.
 * @param conf, upstreams  stay with the caller, for as long as it does; an address per site
 * @param before  NULL: none @return NULL: out of memory */
struct health *health_new(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf, const struct upstream_addresses *upstreams,
			  const struct health *before);
/** Begin. @return false: no thread to be had */
bool health_start(struct health *health);
/** Ask no more; what is known stays readable. Before it is freed, once it was started. NULL: nothing */
void health_stop(struct health *health);
/** Is the application of this site (by its place in the configuration) known not to answer? From any thread; health may be NULL. */
bool health_down(const struct health *health, size_t site);
/** For /readyz: not one of the applications asked answers. */
bool health_ready(void *health, const char **_missing);

#endif
