/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/registry_nodes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fixture.h"
#include "common/pg_server.h"
#include "registry-fn/record/schema.h"

bool nodes_on_server;

/* A schema of its own; names come round again after a while. */
static const char *schema_new(void)
{
	static unsigned int number;
	char name[32];

	snprintf(name, sizeof(name), "registry%u", number++ % 16);
	return pg_server_schema(name);
}

void node_new(struct node *node, const char *reg_id, enum registry_type type)
{
	memset(node, 0, sizeof(*node));
	/* What is committed is what counts here, not that it survives loss of power. */
	snprintf(node->dir, sizeof(node->dir), "%s/gba-registry-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(node->dir));
	snprintf(node->database, sizeof(node->database), "%s/db", node->dir);
	if (nodes_on_server)
		snprintf(node->database, sizeof(node->database), "%s", schema_new());
	node->reg_id = reg_id;
	node->type = type;
	node_open(node);
}

void node_open(struct node *node)
{
	struct event_self self = { node->reg_id, node->type, NULL };
	const char *why = "";
	char path[128];

	node->ctx = talloc_new(test_ctx);
	snprintf(path, sizeof(path), "%s/key", node->dir);
	ck_assert_err(sign_key_open(node->ctx, path, true, &node->key), GBA_OK);
	ck_assert_err(db_open(node->ctx, node->database, registry_schema, registry_schema_steps, &node->db, &why), GBA_OK);
	self.key = node->key;
	ck_assert_err(event_log_open(node->ctx, node->db, &self, &node->log), GBA_OK);
}

void node_kill(struct node *node)
{
	talloc_free(node->ctx);
	node->ctx = NULL;
}

void node_remove(struct node *node)
{
	node_kill(node);
	fixture_folder_remove(node->dir);
}

struct event_registry node_as(const struct node *node, const char *parent)
{
	struct event_registry out = { .type = node->type };

	snprintf(out.reg_id, sizeof(out.reg_id), "%s", node->reg_id);
	snprintf(out.parent, sizeof(out.parent), "%s", parent);
	memcpy(out.key, sign_key_public(node->key), SIGN_PUBLIC_LEN);
	return out;
}

static enum gba_err end(struct node *node, enum gba_err err)
{
	if (err == GBA_OK)
		return db_commit(node->db);
	db_rollback(node->db);
	return err;
}

enum gba_err node_say(struct node *node, const char *kind, const char *subject, const char *body, time_t now)
{
	json_t *json = json_loads(body, 0, NULL);
	enum gba_err err;

	ck_assert_msg(json != NULL, "%s", body);
	ck_assert_err(db_begin(node->db), GBA_OK);
	err = end(node, event_append(node->log, kind, subject, json, now, NULL));
	json_decref(json);
	return err;
}

enum gba_err node_take(struct node *node, struct bytes wire, unsigned int classes, time_t now, bool *_new)
{
	ck_assert_err(db_begin(node->db), GBA_OK);
	return end(node, event_take(node->log, wire, classes, now, _new));
}

void node_trust(struct node *node, const struct node *other)
{
	struct event_registry as = node_as(other, "");

	ck_assert_err(db_begin(node->db), GBA_OK);
	ck_assert_err(end(node, event_registry_trust(node->log, &as)), GBA_OK);
}

char *node_dump(struct node *node, TALLOC_CTX *ctx, const char *sql, int columns)
{
	char *out = talloc_strdup(ctx, "");
	struct db_stmt *stmt;
	bool row;

	ck_assert_err(db_prepare(node->db, sql, &stmt), GBA_OK);
	for (;;) {
		ck_assert_err(db_step(stmt, &row), GBA_OK);
		if (!row)
			break;
		for (int i = 0; i < columns; i++)
			out = talloc_asprintf_append(out, "%.*s ", BYTES_FMT(db_col_text(stmt, i)));
		out = talloc_strdup_append(out, "\n");
	}
	return out;
}

struct bytes node_last(struct node *node, TALLOC_CTX *ctx)
{
	struct event *events = NULL;
	int64_t last = 0;
	size_t n = 0;

	ck_assert_err(event_last(node->log, &last), GBA_OK);
	ck_assert_err(event_next(node->log, ctx, last - 1, 1, &events, &n), GBA_OK);
	ck_assert_uint_eq(n, 1);
	return events[0].wire;
}
