/* SPDX-License-Identifier: Apache-2.0 */
/** How many connections each address has, for the cap per source (an IPv6 source is a /64). Shared by the workers. */
#ifndef GBA_PROXY_SOURCE_H
#define GBA_PROXY_SOURCE_H

#include <stdbool.h>
#include <sys/socket.h>
#include <talloc.h>

struct sources;

/** @param max_all, max_each  connections in all, and per source */
struct sources *sources_new(TALLOC_CTX *mem_ctx, unsigned int max_all, unsigned int max_each);
/** Other caps from now on. */
void sources_cap(struct sources *sources, unsigned int max_all, unsigned int max_each);
/** Count one more. @return false: a cap is reached, nothing counted. IPv4 and IPv6 addresses only. */
bool sources_enter(struct sources *sources, const struct sockaddr_storage *address);
void sources_leave(struct sources *sources, const struct sockaddr_storage *address);
unsigned int sources_count(struct sources *sources);

#endif
