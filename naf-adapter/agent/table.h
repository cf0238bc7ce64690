/* SPDX-License-Identifier: Apache-2.0 */
/** Hash table of nodes that live in their owners' structs, each also in a list by use: what cache, refusals, flights and
 * sources have in common. One thread. Buckets are seeded at start: devices choose the names. */
#ifndef NAF_AGENT_TABLE_H
#define NAF_AGENT_TABLE_H

#include <talloc.h>

#include "core/bytes.h"

struct table_node {
	struct table_node *chain;	/* in its bucket */
	struct table_node *newer, *older; /* in the list by use */
	struct bytes key;		/* owned by the node's owner; must not change */
	uint64_t hash;
};

struct table {
	struct table_node **buckets;
	size_t mask, count;
	struct table_node *newest, *oldest;
	uint64_t seed;
};

/** @return false: out of memory. @param expected  number of nodes at most: fixes the buckets */
bool table_init(struct table *table, TALLOC_CTX *mem_ctx, size_t expected);
struct table_node *table_find(const struct table *table, struct bytes key);
/** The node becomes the newest; its key must not be in the table. */
void table_add(struct table *table, struct table_node *node, struct bytes key);
void table_remove(struct table *table, struct table_node *node);
/** The node becomes the newest. */
void table_touch(struct table *table, struct table_node *node);

/** The struct a node is embedded in. */
#define TABLE_OWNER(node, st, member) ((st *)((char *)(node)-offsetof(st, member)))

#endif
