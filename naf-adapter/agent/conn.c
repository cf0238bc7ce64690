/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/conn.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/ident.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/secret.h"
#include "core/trace.h"
#include "naf-adapter/agent/pushed.h"

#define OUT_MAX	       (4 * 1024 * 1024) /* [octets] then the application does not read, and is cut off */
#define REQUEST_BUCKETS 256
#define NOTICE_DIGESTS 512 /* in one frame */
#define CLAUSE_KEY     "TS 33.220 4.5.3"

struct request {
	struct table_node node;
	uint32_t id;
	struct conn *conn;
	struct agent_waiter *waiter;
	char client[CLIENT_NAME_MAX + 1];
	char btid[GBA_NAF_BTID_MAX + 1], fqdn[FQDN_MAX + 1];
	uint8_t ua_id[UA_ID_LEN];
	char corr[CORR_LEN + 1];
};

/* ---- output ---- */

static void mark_dirty(struct conn *conn)
{
	if (conn->is_dirty)
		return;
	conn->is_dirty = true;
	conn->next_dirty = conn->env->dirty;
	conn->env->dirty = conn;
}

static bool out_grow(struct conn *conn, size_t need)
{
	size_t cap = conn->out_cap > 0 ? conn->out_cap : 4096;
	uint8_t *grown;

	while (cap < need)
		cap *= 2;
	if (cap == conn->out_cap)
		return true;
	grown = malloc(cap);
	if (grown == NULL)
		return false;
	if (conn->out_n > 0)
		memcpy(grown, conn->out, conn->out_n);
	secret_wipe(conn->out, conn->out_n);
	free(conn->out);
	conn->out = grown;
	conn->out_cap = cap;
	return true;
}

/* Frames go out together at the end of the event: one system call for many answers. */
static void queue_frame(struct conn *conn, const uint8_t *frame, size_t n)
{
	mark_dirty(conn);
	if (n == 0 || conn->out_n + n > OUT_MAX || !out_grow(conn, conn->out_n + n)) {
		conn->closing = true;
		return;
	}
	memcpy(conn->out + conn->out_n, frame, n);
	conn->out_n += n;
}

static void queue_fail(struct conn *conn, uint32_t id, enum gba_naf_error error, const char *text)
{
	uint8_t frame[256];

	queue_frame(conn, frame, wire_fail_encode(error, text, id, frame, sizeof(frame)));
}

static void put_uss(struct wire_out *out, const struct uss *uss)
{
	size_t opened = wire_open(out, WIRE_T_USS), i;

	wire_put_u32(out, WIRE_T_GSID, uss->gsid);
	for (i = 0; i < uss->uid_count; i++)
		wire_put_text(out, WIRE_T_UID, uss->uids[i]);
	for (i = 0; i < uss->flag_count; i++)
		wire_put_u32(out, WIRE_T_FLAG, uss->flags[i]);
	wire_close(out, opened);
}

static void queue_key(struct conn *conn, uint32_t id, const struct key_record *record, time_t limit)
{
	struct wire_key key = { record->ks_naf, record->has_int ? record->ks_int_naf : NULL, record->expires, record->created,
				record->impi, record->uss_xml, (uint32_t)record->gba_type,
				conn->watches ? record->digest : NULL, { NULL, 0 } };
	struct wire_out out = { conn->env->scratch, sizeof(conn->env->scratch), 0, false };
	size_t i;

	if (limit != 0 && limit < key.expiry)
		key.expiry = limit;
	wire_key_begin(&out, &key, id);
	for (i = 0; record->uss != NULL && i < record->uss->uss_count; i++)
		put_uss(&out, &record->uss->uss[i]);
	if (wire_end(&out) > 0)
		queue_frame(conn, out.p, out.n);
	else
		queue_fail(conn, id, GBA_NAF_E_PEER, "user security settings too long");
	secret_wipe(out.p, out.n);
}

/* Names of other applications are nobody's business. @return false: none of them is this one's */
static bool put_names(const struct conn *conn, struct wire_out *out, const struct agent_revocation *revocation)
{
	char name[FQDN_MAX + 1];
	bool any = false;
	size_t i;

	for (i = 0; i < revocation->fqdn_n; i++) {
		struct bytes fqdn = revocation->fqdns[i];

		if (fqdn.n > FQDN_MAX || client_find(conn->env->clients, &conn->peer, fqdn) == NULL)
			continue;
		memcpy(name, fqdn.p, fqdn.n);
		name[fqdn.n] = '\0';
		wire_put_text(out, WIRE_T_FQDN, name);
		any = true;
	}
	return any || revocation->fqdn_n == 0;
}

void conn_notice(struct conn *conn, const struct agent_revocation *revocation)
{
	size_t i, k;

	for (i = 0; conn->watches && i < revocation->digest_n; i = k) {
		struct wire_out out = { conn->env->scratch, sizeof(conn->env->scratch), 0, false };

		wire_begin(&out, WIRE_NOTICE, 0);
		for (k = i; k < revocation->digest_n && k < i + NOTICE_DIGESTS; k++)
			wire_put(&out, WIRE_T_DIGEST, revocation->digests[k], KEY_DIGEST_LEN);
		if (!put_names(conn, &out, revocation))
			return;
		queue_frame(conn, out.p, wire_end(&out)); /* too long: the connection ends, which raises doubt as well */
		metric_add(conn->env->notices, 1);
	}
}

/* ---- requests ---- */

static void trace_arrow(const struct request *request, bool question, const char *message)
{
	struct trace_step step = { .corr = request->corr, .iface = "local", .clause = CLAUSE_KEY, .message = message,
				   .id = bytes_of(request->fqdn) };

	if (!trace_on())
		return;
	step.from = question ? request->client : "naf-agent";
	step.to = question ? "naf-agent" : request->client;
	trace_step(&step);
}

static void request_drop(struct request *request)
{
	table_remove(&request->conn->requests, &request->node);
	talloc_free(request);
}

/* Before the key goes: what cannot be put on record does not happen. Noted with it is who asked for what is not his. */
static enum gba_err release_note(const struct conn *conn, const char *client, const struct request *request,
				 struct bytes fqdn, enum gba_err result)
{
	char why[128], ua[HEX_LEN(UA_ID_LEN) + 1] = "";
	struct audit_entry entry = { .act = "naf.key", .role = "application", .who = bytes_of(client), .subject = fqdn,
				     .result = result };

	if (conn->env->audit == NULL)
		return GBA_OK;
	if (request != NULL) {
		hex_encode(BYTES(request->ua_id, UA_ID_LEN), ua);
		entry.object = bytes_of(request->btid);
		entry.corr = request->corr[0] != '\0' ? request->corr : NULL;
	}
	snprintf(why, sizeof(why), "Ks_NAF %s over the local socket, uid %u pid %d", ua, (unsigned int)conn->peer.uid,
		 (int)conn->peer.pid);
	entry.why = bytes_of(why);
	return audit_note(conn->env->audit, &entry);
}

static void on_reply(void *arg, enum gba_naf_error error, const struct key_record *record)
{
	struct request *request = arg;
	struct log_about about = { .iface = "local", .id = bytes_of(request->fqdn), .corr = request->corr };
	const struct conn_env *env = request->conn->env;
	time_t limit = agent_limit(env->agent, bytes_of(request->btid), bytes_of(request->fqdn));

	if (error == GBA_NAF_OK && limit != 0 && limit <= env->t.now) /* said while the BSF was asked */
		error = GBA_NAF_E_BTID_UNKNOWN;
	if (error == GBA_NAF_OK)
		about.result = release_note(request->conn, request->client, request, bytes_of(request->fqdn), GBA_OK);
	if (about.result != GBA_OK) {
		log_event_limited(1, LOG_L_ERROR, "local.audit", &about, "no key goes: it cannot be put on record");
		error = GBA_NAF_E_BUSY;
	}
	trace_arrow(request, false, error == GBA_NAF_OK ? "key" : gba_naf_strerror(error));
	if (error == GBA_NAF_OK)
		queue_key(request->conn, request->id, record, limit);
	else
		queue_fail(request->conn, request->id, error, NULL);
	request_drop(request);
}

static struct request *request_find(const struct conn *conn, uint32_t id)
{
	struct table_node *node = table_find(&conn->requests, BYTES(&id, sizeof(id)));

	return node != NULL ? TABLE_OWNER(node, struct request, node) : NULL;
}

static struct request *request_new(struct conn *conn, uint32_t id, const struct wire_ask *ask)
{
	struct request *request = talloc_zero(conn, struct request);
	uint8_t rand[RAND_LEN];
	size_t i;

	if (request == NULL)
		return NULL;
	request->id = id;
	request->conn = conn;
	for (i = 0; ask->fqdn[i] != '\0'; i++)
		request->fqdn[i] = (char)tolower((unsigned char)ask->fqdn[i]);
	if (btid_parse(bytes_of(ask->btid), rand, NULL) == GBA_OK)
		corr_from_rand(rand, request->corr);
	snprintf(request->btid, sizeof(request->btid), "%s", ask->btid);
	memcpy(request->ua_id, ask->ua_id, UA_ID_LEN);
	table_add(&conn->requests, &request->node, BYTES(&request->id, sizeof(request->id)));
	return request;
}

static void log_peer(const struct conn *conn, const char *event, enum gba_err result, struct bytes id, const char *why)
{
	char peer[64];
	struct log_about about = { .iface = "local", .id = id, .result = result };

	snprintf(peer, sizeof(peer), "uid %u pid %d", (unsigned int)conn->peer.uid, (int)conn->peer.pid);
	about.peer = bytes_of(peer);
	log_event(LOG_L_WARNING, event, &about, "%s", why);
}

static void ask_for(struct request *request, const struct wire_ask *wire)
{
	struct conn *conn = request->conn;
	struct agent_ask ask = {
		.btid = bytes_of(wire->btid),
		.fqdn = bytes_of(request->fqdn),
		.ua_id = wire->ua_id,
		.gsids = wire->gsids,
		.gsid_count = wire->gsid_count,
		.flags = wire->flags,
		.timeout_ms = wire->timeout_ms,
		.source = bytes_of(wire->source[0] != '\0' ? wire->source : request->client),
		.until = wire->until,
	};
	char message[FQDN_MAX + 16];
	struct agent_waiter *waiter;

	snprintf(message, sizeof(message), "key for %s", request->fqdn);
	trace_arrow(request, true, message);
	waiter = agent_ask(conn->env->agent, conn->env->t, &ask, on_reply, request);
	if (waiter != NULL)
		request->waiter = waiter; /* else it has been answered, and is gone */
}

/* @return NULL: done; else why the connection is no good */
static const char *take_ask(struct conn *conn, const struct wire_frame *frame)
{
	const struct client_conf *client;
	struct request *request;
	struct wire_ask ask;
	const char *why = wire_ask_decode(frame->body, &ask);

	if (why != NULL)
		return why;
	if (frame->id == 0 || request_find(conn, frame->id) != NULL)
		return "id zero or in use";
	conn->watches |= ask.notices;
	metric_add(conn->env->asks, 1);
	if (!fqdn_valid(bytes_of(ask.fqdn))) {
		queue_fail(conn, frame->id, GBA_NAF_E_ARGUMENT, "no host name");
		return NULL;
	}
	client = client_find(conn->env->clients, &conn->peer, bytes_of(ask.fqdn));
	if (client == NULL) {
		metric_add(conn->env->denied, 1);
		log_peer(conn, "local.denied", GBA_E_DENIED, bytes_of(ask.fqdn), "asked for a name that is not its own");
		(void)release_note(conn, conn->client, NULL, bytes_of(ask.fqdn), GBA_E_DENIED); /* nothing goes anyhow */
		queue_fail(conn, frame->id, GBA_NAF_E_DENIED, NULL);
		return NULL;
	}
	request = conn->requests.count < conn->env->conf->requests_max ? request_new(conn, frame->id, &ask) : NULL;
	if (request == NULL) {
		queue_fail(conn, frame->id, GBA_NAF_E_BUSY, NULL);
		return NULL;
	}
	snprintf(request->client, sizeof(request->client), "%s", client->name);
	ask_for(request, &ask);
	return NULL;
}

static const char *take_cancel(struct conn *conn, const struct wire_frame *frame)
{
	struct request *request = request_find(conn, frame->id);

	if (frame->body.n != 0)
		return "a cancellation has no elements";
	if (request == NULL)
		return NULL; /* the answer has crossed it */
	agent_forget(request->waiter);
	request_drop(request);
	return NULL;
}

static const char *take_watch(struct conn *conn, const struct wire_frame *frame)
{
	conn->watches = true;
	return frame->id != 0 || frame->body.n != 0 ? "a wish for notices has neither id nor elements" : NULL;
}

static const char *take_frame(struct conn *conn, const struct wire_frame *frame)
{
	if (frame->version != WIRE_VERSION)
		return "protocol version not spoken here";
	switch (frame->type) {
	case WIRE_ASK: return take_ask(conn, frame);
	case WIRE_CANCEL: return take_cancel(conn, frame);
	case WIRE_WATCH: return take_watch(conn, frame);
	default: return "unknown kind of frame";
	}
}

/* ---- connection ---- */

static bool peer_of(struct conn *conn)
{
	socklen_t len = sizeof(struct ucred), groups_len = 64 * sizeof(gid_t);
	struct ucred cred;

	if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	conn->peer.uid = cred.uid;
	conn->peer.gid = cred.gid;
	conn->peer.pid = cred.pid;
	conn->peer.groups = talloc_size(conn, groups_len);
	if (conn->peer.groups == NULL)
		return false;
	if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERGROUPS, conn->peer.groups, &groups_len) == 0)
		conn->peer.group_count = groups_len / sizeof(gid_t);
	return true;
}

void conn_refuse(int fd, enum gba_naf_error error, const char *why)
{
	uint8_t frame[256];
	size_t n = wire_fail_encode(error, why, 0, frame, sizeof(frame));

	send(fd, frame, n, MSG_NOSIGNAL | MSG_DONTWAIT); /* what is lost, the end of the connection tells */
	close(fd);
}

struct conn *conn_new(TALLOC_CTX *mem_ctx, struct conn_env *env, int fd)
{
	struct conn *conn = talloc_zero(mem_ctx, struct conn);
	const struct client_conf *client;

	if (conn == NULL || !table_init(&conn->requests, conn, REQUEST_BUCKETS)) {
		talloc_free(conn);
		conn_refuse(fd, GBA_NAF_E_NOMEM, NULL);
		return NULL;
	}
	conn->env = env;
	conn->fd = fd;
	client = peer_of(conn) ? client_any(env->clients, &conn->peer) : NULL;
	if (client == NULL) {
		metric_add(env->denied, 1);
		log_peer(conn, "local.refused", GBA_E_DENIED, BYTES_NONE, "no client of ours");
		conn_refuse(fd, GBA_NAF_E_DENIED, "no client of this agent");
		talloc_free(conn);
		return NULL;
	}
	snprintf(conn->client, sizeof(conn->client), "%s", client->name);
	return conn;
}

static void undirty(struct conn *conn)
{
	struct conn **at = &conn->env->dirty;

	if (!conn->is_dirty)
		return;
	while (*at != conn)
		at = &(*at)->next_dirty;
	*at = conn->next_dirty;
	conn->is_dirty = false;
}

void conn_free(struct conn *conn)
{
	while (conn->requests.newest != NULL) {
		struct request *request = TABLE_OWNER(conn->requests.newest, struct request, node);

		agent_forget(request->waiter);
		request_drop(request);
	}
	undirty(conn);
	close(conn->fd);
	secret_wipe(conn->out, conn->out_n);
	free(conn->out);
	talloc_free(conn);
}

static void fail_all(struct conn *conn, const char *why)
{
	metric_add(conn->env->malformed, 1);
	log_peer(conn, "local.malformed", GBA_E_SYNTAX, BYTES_NONE, why);
	queue_fail(conn, 0, GBA_NAF_E_PROTOCOL, why);
	conn->closing = true;
}

static void take_frames(struct conn *conn)
{
	struct wire_view rest = { conn->in, conn->in_n };
	const char *why = NULL;
	struct wire_frame frame;
	enum wire_state state;

	while ((state = wire_frame(rest, WIRE_ASK_MAX, &frame, &why)) == WIRE_WHOLE && !conn->closing) {
		why = take_frame(conn, &frame);
		if (why != NULL)
			break;
		rest.p += frame.octets;
		rest.n -= frame.octets;
	}
	if (why != NULL && !conn->closing)
		fail_all(conn, why);
	memmove(conn->in, rest.p, rest.n);
	conn->in_n = rest.n;
}

bool conn_read(struct conn *conn)
{
	ssize_t got = recv(conn->fd, conn->in + conn->in_n, sizeof(conn->in) - conn->in_n, 0);

	if (got == 0)
		return false;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	conn->in_n += (size_t)got;
	if (!conn->closing)
		take_frames(conn);
	else
		conn->in_n = 0;
	return true;
}

bool conn_write(struct conn *conn)
{
	ssize_t sent;

	undirty(conn);
	if (conn->out_n == 0)
		return !conn->closing;
	sent = send(conn->fd, conn->out, conn->out_n, MSG_NOSIGNAL);
	if (sent < 0)
		return (errno == EAGAIN || errno == EINTR) && conn->out_n < OUT_MAX;
	conn->out_n -= (size_t)sent;
	memmove(conn->out, conn->out + sent, conn->out_n);
	secret_wipe(conn->out + conn->out_n, (size_t)sent);
	return conn->out_n > 0 || !conn->closing;
}
