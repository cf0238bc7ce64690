/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/node.h"

#include <pthread.h>

#include "bsf/ctx_lmdb.h"
#include "bsf/ctx_redis.h"
#include "bsf/ub.h"
#include "bsf/ub_cert.h"
#include "core/clock.h"
#include "core/log.h"
#include "http/server.h"

#define STOP_WAIT_MS 2000
#define UB_HEAD_MAX  8192 /* [octets] beyond: 431; what UEs send is a tenth of it */
#define TICKS_PER_S  5
#define SERVER_TOKEN "gba-bsf/" PACKAGE_VERSION

struct node {
	const struct bsf_conf *conf;
	struct hss *hss;
	struct agents *agents;
	struct kek *kek;
	struct ctx_store *store;
	struct ub *ub;
	struct ub_cert **places; /* one per listener that takes certificates */
	size_t place_n;
	struct http_server **servers; /* one per listener */
	size_t server_n;
	struct http_server *metrics;
	pthread_t ticker;
	bool ticks;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
};

static bool is_ready(void *arg, const char **_missing)
{
	struct node *node = arg;

	*_missing = NULL;
	if (!node->store->ops->usable(node->store))
		*_missing = "context store";
	else if (!node->hss->ready(node->hss))
		*_missing = "HSS";
	return *_missing == NULL;
}

static void tick(struct node *node, unsigned int times)
{
	size_t i;

	for (i = 0; i < node->place_n; i++)
		ub_cert_tick(node->places[i]);
	if (times % TICKS_PER_S != 0)
		return;
	ub_tick(node->ub);
	if (node->agents != NULL)
		node->agents->tick(node->agents);
}

static void *ticker_main(void *arg)
{
	struct node *node = arg;
	unsigned int times = 0;
	struct timespec t;

	pthread_mutex_lock(&node->lock);
	while (!node->stopping) {
		t = clock_mono_after(1000 / TICKS_PER_S);
		pthread_cond_timedwait(&node->wake, &node->lock, &t);
		pthread_mutex_unlock(&node->lock);
		tick(node, ++times);
		pthread_mutex_lock(&node->lock);
	}
	pthread_mutex_unlock(&node->lock);
	return NULL;
}

static enum gba_err ticker_start(struct node *node)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&node->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&node->wake, &attr);
	pthread_condattr_destroy(&attr);
	node->ticks = pthread_create(&node->ticker, NULL, ticker_main, node) == 0;
	return node->ticks ? GBA_OK : GBA_E_INTERNAL;
}

static enum gba_err pool_start(TALLOC_CTX *mem_ctx, struct node *node, const char **_error)
{
	const struct bsf_conf *conf = node->conf;
	struct ctx_redis_conf redis = { .server = conf->store_redis, .ca = conf->redis_ca, .cert = conf->redis_cert,
					.key = conf->redis_key, .user = conf->redis_user,
					.password_file = conf->redis_password_file, .prefix = conf->redis_prefix,
					.timeout_ms = conf->redis_timeout, .sync = conf->store_sync,
					.warn_only = conf->redis_check == BSF_REDIS_WARN, .kek = node->kek };

	return ctx_redis_open(mem_ctx, &redis, &node->store, _error);
}

static enum gba_err store_start(TALLOC_CTX *mem_ctx, struct node *node, const char **_error)
{
	const struct bsf_conf *conf = node->conf;
	struct ctx_lmdb_conf lmdb = { .dir = conf->store_dir, .max_mb = conf->store_max, .sync = conf->store_sync };
	const char *why;
	enum gba_err err;

	err = kek_open_why(node, conf->kek_file, true, &node->kek, &why);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "kek-file: %s: %s", conf->kek_file, why);
		return err;
	}
	if (conf->store_redis[0] != '\0')
		return pool_start(mem_ctx, node, _error);
	lmdb.kek = node->kek;
	return ctx_lmdb_open(mem_ctx, &lmdb, &node->store, _error);
}

static void limits_set(const struct bsf_conf *conf, struct http_conf *http)
{
	http->threads = conf->ub_threads;
	http->max_connections = conf->ub_max_connections;
	http->max_per_source = conf->ub_max_per_source;
	http->head_timeout_ms = conf->ub_head_timeout;
	http->idle_timeout_ms = conf->ub_idle_timeout;
	http->max_head = UB_HEAD_MAX;
}

static enum gba_err listen_start(TALLOC_CTX *mem_ctx, struct node *node, const struct bsf_listen *at, const char **_error)
{
	const struct bsf_conf *conf = node->conf;
	struct http_conf http = HTTP_CONF_DEFAULTS;
	bool tls = at->cert[0] != '\0';
	enum gba_err err;

	limits_set(conf, &http);
	http.listen = at->listen;
	http.cert = tls ? at->cert : NULL;
	http.key = tls ? at->key : NULL;
	http.server_token = conf->tmpi ? SERVER_TOKEN " " UB_TMPI_TOKEN : SERVER_TOKEN;
	http.refused = ub_refused;
	err = http_server_start(mem_ctx, &http, ub_handle, node->ub, &node->servers[node->server_n], _error);
	if (err == GBA_OK)
		node->server_n++;
	return err;
}

/* Whoever shows no certificate, or none of ours, is told so by an answer: a TLS alert says little, and no log line. */
static enum gba_err asym_start(TALLOC_CTX *mem_ctx, struct node *node, const struct bsf_asym *at, const char **_error)
{
	struct http_conf http = HTTP_CONF_DEFAULTS;
	struct ub_cert *place;
	enum gba_err err;

	err = ub_cert_new(node, node->ub, at, &place, _error);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "asymmetric: %s: %s", at->listen, *_error);
		return err;
	}
	pthread_mutex_lock(&node->lock); /* the ticker runs */
	node->places[node->place_n++] = place;
	pthread_mutex_unlock(&node->lock);
	limits_set(node->conf, &http);
	http.listen = at->listen;
	http.cert = at->cert;
	http.key = at->key;
	http.client_ca = at->device_ca;
	http.client_optional = true;
	http.server_token = SERVER_TOKEN;
	http.refused = ub_cert_refused;
	err = http_server_start(mem_ctx, &http, ub_cert_handle, place, &node->servers[node->server_n], _error);
	if (err == GBA_OK)
		node->server_n++;
	return err;
}

static enum gba_err listeners_start(TALLOC_CTX *mem_ctx, struct node *node, const char **_error)
{
	const struct bsf_listen *at = node->conf->ub.v;
	const struct bsf_asym *asym = node->conf->asymmetric.v;
	enum gba_err err = GBA_OK;
	size_t i;

	node->servers = talloc_array(node, struct http_server *, node->conf->ub.n + node->conf->asymmetric.n);
	node->places = talloc_array(node, struct ub_cert *, node->conf->asymmetric.n);
	if (node->servers == NULL || node->places == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < node->conf->ub.n && err == GBA_OK; i++)
		err = listen_start(mem_ctx, node, &at[i], _error);
	for (i = 0; i < node->conf->asymmetric.n && err == GBA_OK; i++)
		err = asym_start(mem_ctx, node, &asym[i], _error);
	if (err == GBA_OK && node->conf->metrics_listen[0] != '\0')
		err = http_metrics_start(mem_ctx, node->conf->metrics_listen, is_ready, node, &node->metrics, _error);
	return err;
}

static enum gba_err parts_start(TALLOC_CTX *mem_ctx, struct node *node, const char **_error)
{
	struct ub_parts parts = { .conf = node->conf, .hss = node->hss, .agents = node->agents };
	enum gba_err err;

	err = store_start(mem_ctx, node, _error);
	if (err != GBA_OK)
		return err;
	parts.store = node->store;
	node->ub = ub_new(node, &parts);
	if (node->ub == NULL)
		return GBA_E_NOMEM;
	if (!ub_secrets_locked(node->ub))
		log_event(LOG_L_WARNING, "bsf.memory", NULL,
			  "challenges are not in locked memory: raise LimitMEMLOCK or lower pending-max");
	err = ticker_start(node);
	return err == GBA_OK ? listeners_start(mem_ctx, node, _error) : err;
}

enum gba_err node_start(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct hss *hss,
			struct agents *agents, struct node **_node, const char **_error)
{
	struct node *node = talloc_zero(mem_ctx, struct node);
	enum gba_err err;

	*_error = "out of memory";
	if (node == NULL)
		return GBA_E_NOMEM;
	node->conf = conf;
	node->hss = hss;
	node->agents = agents;
	err = parts_start(mem_ctx, node, _error);
	if (err != GBA_OK) {
		node_stop(node);
		return err;
	}
	*_node = node;
	return GBA_OK;
}

void node_revoker(struct node *node, struct revoker *revoker)
{
	size_t i;

	for (i = 0; i < node->place_n; i++)
		ub_cert_revoker(node->places[i], revoker);
}

struct ctx_store *node_store(struct node *node)
{
	return node->store;
}

struct ub *node_ub(struct node *node)
{
	return node->ub;
}

void node_drain(struct node *node)
{
	if (node->ub != NULL)
		ub_stop(node->ub);
}

void node_stop(struct node *node)
{
	size_t i;

	node_drain(node);
	if (node->metrics != NULL)
		http_server_stop(node->metrics, 0);
	if (node->store != NULL) /* commits what waits: its requests get their answers before the listeners go */
		node->store->ops->close(node->store);
	for (i = 0; i < node->server_n; i++)
		http_server_stop(node->servers[i], STOP_WAIT_MS);
	if (node->ticks) {
		pthread_mutex_lock(&node->lock);
		node->stopping = true;
		pthread_cond_signal(&node->wake);
		pthread_mutex_unlock(&node->lock);
		pthread_join(node->ticker, NULL);
	}
	talloc_free(node);
}
