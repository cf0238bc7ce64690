/* SPDX-License-Identifier: Apache-2.0 */
/* The local socket protocol from both ends, and PSK identities. The first octet chooses: an application's octets into a real
 * connection of an agent whose BSF never answers, and a notice to it; an agent's answer into the library's decoder; an identity; a
 * notice. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/secret.h"
#include "naf-adapter/agent/conn.h"
#include "naf-adapter/agent/pushed.h"
#include "naf-adapter/libnaf/gba-naf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum gba_err never(void *arg, const struct zn_ask *ask)
{
	size_t *asked = arg;

	if (ask->naf_id.n < 6 || ask->gsid_count > GBA_NAF_GSID_MAX)
		abort();
	(*asked)++;
	return GBA_OK;
}

static void application(const uint8_t *data, size_t size)
{
	static const char *fqdns[] = { "naf1.example.com" };
	static struct realm_conf realm = { .domain = "example", .realm = "epc.example", .host = "" };
	static struct client_conf client = { "fuzz", "*", "", { fqdns, 1 }, -1, -1 };
	static const struct agent_conf conf = {
		.connections_max = 1, .requests_max = 4, .realms = { &realm, 1 }, .clients = { &client, 1 }, .cache_entries = 4,
		.cache_memory = 1, .negative_entries = 4, .key_lifetime_max = 60, .negative_ttl = 5, .zn_timeout = 100,
		.zn_window = 2, .zn_queue = 2, .unknown_burst = 8, .unknown_rate = 1,
	};
	TALLOC_CTX *ctx = talloc_named_const(NULL, 0, "fuzz");
	struct conn_env *env = talloc_zero(ctx, struct conn_env);
	static uint8_t digests[2][KEY_DIGEST_LEN];
	static const struct agent_revocation revocation = { .digests = digests, .digest_n = 2 };
	size_t asked = 0;
	uint8_t sink[8192];
	struct conn *conn;
	int fds[2];

	env->conf = &conf;
	env->clients = &conf.clients;
	env->t = (struct agent_time){ 1900000000, 1000 };
	env->agent = agent_new(ctx, &conf, (struct zn_port){ never, &asked });
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	conn = conn_new(ctx, env, fds[0]);
	if (conn == NULL)
		abort();
	while (size > 0) {
		ssize_t sent = send(fds[1], data, size < 700 ? size : 700, MSG_NOSIGNAL);
		bool alive = sent > 0 && conn_read(conn) && conn_write(conn);

		while (recv(fds[1], sink, sizeof(sink), 0) > 0)
			;
		if (!alive)
			break;
		data += sent;
		size -= (size_t)sent;
	}
	conn_notice(conn, &revocation);
	if (conn->watches && conn->out_n == 0 && !conn->closing)
		abort();
	env->t.ms += 60001;
	agent_tick(env->agent, env->t);
	if (asked > 2 || conn->requests.count != 0)
		abort();
	conn_free(conn);
	close(fds[1]);
	talloc_free(ctx);
}

static void agent_answer_frame(const uint8_t *data, size_t size)
{
	struct wire_view in = { data, size }, uss, value;
	struct wire_frame frame;
	struct wire_key key;
	const char *why;
	uint32_t error;
	size_t i, k;

	if (wire_frame(in, WIRE_ANSWER_MAX, &frame, &why) != WIRE_WHOLE)
		return;
	wire_fail_decode(frame.body, &error);
	if (wire_key_decode(frame.body, &key) != NULL)
		return;
	if (key.ks_naf < data || key.ks_naf + WIRE_KEY_LEN > data + size)
		abort();
	for (i = 0; wire_element_at(key.uss, WIRE_T_USS, i, &uss) && i < 8; i++) {
		for (k = 0; wire_element_at(uss, WIRE_T_UID, k, &value) && k < 8; k++) {
			if (strlen((const char *)value.p) + 1 != value.n)
				abort();
		}
	}
}

static void notice(const uint8_t *data, size_t size)
{
	static const uint8_t digest[WIRE_DIGEST_LEN];
	struct wire_view body = { data, size };

	if (wire_notice_decode(body) == NULL)
		(void)wire_notice_names(body, digest, "naf1.example.com");
}

static void identity(const uint8_t *data, size_t size)
{
	struct gba_naf_identity id;

	if (gba_naf_identity_parse((const char *)data, size, &id) != GBA_NAF_OK)
		return;
	if (id.btid_len > GBA_NAF_BTID_MAX || id.btid + id.btid_len != (const char *)data + size ||
	    !gba_naf_btid_valid(id.btid, id.btid_len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready) {
		secret_init();
		log_init("fuzz", LOG_L_ERROR, LOG_F_TEXT, NULL);
		ready = true;
	}
	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0: application(data + 1, size - 1); break;
	case 1: agent_answer_frame(data + 1, size - 1); break;
	case 2: identity(data + 1, size - 1); break;
	default: notice(data + 1, size - 1); break;
	}
	return 0;
}
