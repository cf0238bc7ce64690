/* SPDX-License-Identifier: Apache-2.0 */
/** Registries for tests: each with a database and a key of its own, in a folder that is made and removed. */
#ifndef GBA_TESTS_REGISTRY_NODES_H
#define GBA_TESTS_REGISTRY_NODES_H

#include "registry-fn/log/event.h"

#define NODE_T0 ((time_t)1750000000)

struct node {
	char dir[64], database[300];
	const char *reg_id;
	enum registry_type type;
	TALLOC_CTX *ctx; /* of what a kill takes away */
	struct db *db;
	struct sign_key *key;
	struct event_log *log;
};

/** Databases on the test's PostgreSQL server, a schema each, instead of files. */
extern bool nodes_on_server;
/** Make the node and its folder. */
void node_new(struct node *node, const char *reg_id, enum registry_type type);
/** As after a start of the process. */
void node_open(struct node *node);
/** As a kill leaves it: whatever was not committed is gone. */
void node_kill(struct node *node);
void node_remove(struct node *node);
/** What others are told of it. */
struct event_registry node_as(const struct node *node, const char *parent);
/** In a transaction of its own. */
enum gba_err node_say(struct node *node, const char *kind, const char *subject, const char *body, time_t now);
enum gba_err node_take(struct node *node, struct bytes wire, unsigned int classes, time_t now, bool *_new);
void node_trust(struct node *node, const struct node *other);
/** All rows of a query as text, below ctx: to compare databases. */
char *node_dump(struct node *node, TALLOC_CTX *ctx, const char *sql, int columns);
/** The last event's octets, below ctx. */
struct bytes node_last(struct node *node, TALLOC_CTX *ctx);

#endif
