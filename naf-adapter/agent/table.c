/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/table.h"

#include "core/clock.h"

bool table_init(struct table *table, TALLOC_CTX *mem_ctx, size_t expected)
{
	size_t buckets = 16;

	while (buckets < expected)
		buckets *= 2;
	memset(table, 0, sizeof(*table));
	table->buckets = talloc_zero_array(mem_ctx, struct table_node *, buckets);
	table->mask = buckets - 1;
	rand_bytes((uint8_t *)&table->seed, sizeof(table->seed));
	return table->buckets != NULL;
}

/* FNV-1a with a secret start and a final mix; a collision only makes a chain longer, and the number of nodes is bounded. */
static uint64_t hash_of(const struct table *table, struct bytes key)
{
	uint64_t h = 0xcbf29ce484222325u ^ table->seed;
	size_t i;

	for (i = 0; i < key.n; i++)
		h = (h ^ key.p[i]) * 0x100000001b3u;
	h ^= table->seed >> 7;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	return h ^ h >> 33;
}

static struct table_node **slot_of(const struct table *table, const struct table_node *node)
{
	struct table_node **at = &table->buckets[node->hash & table->mask];

	while (*at != node)
		at = &(*at)->chain;
	return at;
}

struct table_node *table_find(const struct table *table, struct bytes key)
{
	uint64_t hash = hash_of(table, key);
	struct table_node *node = table->buckets[hash & table->mask];

	while (node != NULL && (node->hash != hash || !bytes_eq(node->key, key)))
		node = node->chain;
	return node;
}

static void list_add(struct table *table, struct table_node *node)
{
	node->newer = NULL;
	node->older = table->newest;
	*(table->newest != NULL ? &table->newest->newer : &table->oldest) = node;
	table->newest = node;
}

static void list_remove(struct table *table, struct table_node *node)
{
	*(node->newer != NULL ? &node->newer->older : &table->newest) = node->older;
	*(node->older != NULL ? &node->older->newer : &table->oldest) = node->newer;
}

void table_add(struct table *table, struct table_node *node, struct bytes key)
{
	struct table_node **bucket;

	node->key = key;
	node->hash = hash_of(table, key);
	bucket = &table->buckets[node->hash & table->mask];
	node->chain = *bucket;
	*bucket = node;
	list_add(table, node);
	table->count++;
}

void table_remove(struct table *table, struct table_node *node)
{
	*slot_of(table, node) = node->chain;
	list_remove(table, node);
	table->count--;
}

void table_touch(struct table *table, struct table_node *node)
{
	list_remove(table, node);
	list_add(table, node);
}
