/* SPDX-License-Identifier: Apache-2.0 */
/** One application on the local socket: octets in and out, its requests, and whether it may ask. Owned by local.c. */
#ifndef NAF_AGENT_CONN_H
#define NAF_AGENT_CONN_H

#include "naf-adapter/agent/agent.h"
#include "naf-adapter/agent/realm.h"
#include "naf-adapter/agent/table.h"
#include "naf-adapter/libnaf/wire.h"

/** What all connections share. */
struct conn_env {
	const struct agent_conf *conf;
	const struct conf_groups *clients; /* who may ask */
	struct agent *agent;
	struct audit *audit; /* NULL: none is kept */
	struct agent_time t; /* of the event that is being handled */
	uint8_t scratch[WIRE_ANSWER_MAX];
	struct conn *dirty; /* those that have something to send, or are to be closed */
	struct metric *asks, *denied, *malformed, *notices;
};

struct conn {
	struct conn *prev, *next;	/* in local.c's list */
	struct conn *next_dirty;
	bool watches;			/* wants notices */
	bool is_dirty, closing;		/* closing: what is queued is sent, then the end */
	struct conn_env *env;
	bool waits_to_write; /* as the event loop knows it */
	int fd;
	struct client_peer peer;
	char client[CLIENT_NAME_MAX + 1]; /* name of the first row that fitted the peer */
	struct table requests;
	size_t in_n;
	uint8_t in[WIRE_ASK_MAX];
	uint8_t *out;
	size_t out_n, out_cap;
};

/** Greets a new peer; fd becomes the connection's. @return NULL: refused (logged, told and closed) */
struct conn *conn_new(TALLOC_CTX *mem_ctx, struct conn_env *env, int fd);
/** Its requests are forgotten, its buffers wiped, its descriptor closed. */
void conn_free(struct conn *conn);
/** Tell the application, if it wants to know, that these tokens are no more. Sent as answers are. */
void conn_notice(struct conn *conn, const struct agent_revocation *revocation);
/** Read what is there and do it. @return false: to be freed */
bool conn_read(struct conn *conn);
/** Send what is queued. @return false: to be freed */
bool conn_write(struct conn *conn);
/** Tell a peer why it is not served, and close. */
void conn_refuse(int fd, enum gba_naf_error error, const char *why);

#endif
