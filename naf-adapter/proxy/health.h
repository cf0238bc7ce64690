/* SPDX-License-Identifier: Apache-2.0 */
/** Does each application answer? Asked by GET of its site's health-path every health-interval, in a thread of its own: a site whose
 * application failed twice in a row is answered 503 at once, not after a time-out, until it answers again. */
#ifndef GBA_PROXY_HEALTH_H
#define GBA_PROXY_HEALTH_H

#include "naf-adapter/proxy/conf.h"

struct health;

/** Begin. Every application counts as well until it has failed. @return NULL: out of memory, or a name cannot be resolved */
struct health *health_start(TALLOC_CTX *mem_ctx, const struct proxy_conf *conf);
void health_stop(struct health *health);
/** Is the application of this site (by its place in the configuration) known not to answer? From any thread; health may be NULL. */
bool health_down(const struct health *health, size_t site);
/** For /readyz: not one of the applications asked answers. */
bool health_ready(void *health, const char **_missing);

#endif
