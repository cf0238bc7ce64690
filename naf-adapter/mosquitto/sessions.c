/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/mosquitto/sessions.h"

#define EXPECTED 65536

struct sessions {
	struct table live, gone;
	size_t gone_max;
};

struct sessions *sessions_new(TALLOC_CTX *mem_ctx, size_t gone_max)
{
	struct sessions *sessions = talloc_zero(mem_ctx, struct sessions);

	if (sessions == NULL)
		return NULL;
	sessions->gone_max = gone_max;
	if (!table_init(&sessions->live, sessions, EXPECTED) || !table_init(&sessions->gone, sessions, gone_max)) {
		talloc_free(sessions);
		return NULL;
	}
	return sessions;
}

static struct session *find_in(const struct table *table, const char *client_id)
{
	struct table_node *node = table_find(table, bytes_of(client_id));

	return node != NULL ? TABLE_OWNER(node, struct session, node) : NULL;
}

struct session *sessions_find(struct sessions *sessions, const char *client_id)
{
	struct session *session = find_in(&sessions->live, client_id);

	return session != NULL ? session : find_in(&sessions->gone, client_id);
}

static void session_free(struct table *table, struct session *session)
{
	if (session->conn != NULL)
		session->conn->session = NULL;
	table_remove(table, &session->node);
	talloc_free(session);
}

/* Whoever had this identifier before has it no more. */
static void drop(struct sessions *sessions, const char *client_id)
{
	struct session *session = find_in(&sessions->live, client_id);

	if (session != NULL)
		session_free(&sessions->live, session);
	session = find_in(&sessions->gone, client_id);
	if (session != NULL)
		session_free(&sessions->gone, session);
}

struct session *sessions_enter(struct sessions *sessions, const char *client_id, const char *user, uint64_t rights,
			       struct conn *conn)
{
	struct session *session = talloc_zero(sessions, struct session);

	if (session == NULL)
		return NULL;
	session->client_id = talloc_strdup(session, client_id);
	session->user = talloc_strdup(session, user);
	if (session->client_id == NULL || session->user == NULL) {
		talloc_free(session);
		return NULL;
	}
	drop(sessions, client_id);
	session->rights = rights;
	session->conn = conn;
	session->client = conn->client;
	conn->session = session;
	table_add(&sessions->live, &session->node, bytes_of(session->client_id));
	return session;
}

void sessions_gone(struct sessions *sessions, struct session *session)
{
	if (session->conn == NULL)
		return;
	session->conn->session = NULL;
	session->conn = NULL;
	table_remove(&sessions->live, &session->node);
	if (sessions->gone.count >= sessions->gone_max)
		session_free(&sessions->gone, TABLE_OWNER(sessions->gone.oldest, struct session, node));
	table_add(&sessions->gone, &session->node, bytes_of(session->client_id));
}

static void each_of(struct table *table, void (*see)(struct session *session, void *arg), void *arg)
{
	struct table_node *node, *older;

	for (node = table->newest; node != NULL; node = older) {
		older = node->older;
		see(TABLE_OWNER(node, struct session, node), arg);
	}
}

void sessions_each(struct sessions *sessions, void (*see)(struct session *session, void *arg), void *arg)
{
	each_of(&sessions->live, see, arg);
	each_of(&sessions->gone, see, arg);
}

size_t sessions_live(const struct sessions *sessions)
{
	return sessions->live.count;
}
