/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/agent.h"

#include "core/clock.h"
#include "core/ident.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/secret.h"
#include "naf-adapter/agent/limits.h"
#include "naf-adapter/agent/pace.h"
#include "naf-adapter/agent/pushed.h"
#include "naf-adapter/agent/realm.h"
#include "naf-adapter/agent/source.h"
#include "naf-adapter/agent/table.h"

#define ROUTE_DOWN_AFTER 3    /* time-outs in a row */
#define ROUTE_DOWN_MS	 1000 /* [ms] then nobody has to wait for this operator, but for one who tries */

/* An operator, and whether it has been silent lately. */
struct route {
	const struct realm_conf *realm;
	unsigned int timeouts; /* in a row */
	uint64_t down_until;   /* [ms] monotonic */
};

struct agent_waiter {
	struct agent_waiter *next; /* of the same flight */
	struct agent_waiter *earlier, *later; /* of all, by deadline */
	struct flight *flight;
	uint64_t deadline; /* [ms] monotonic */
	bool need_int;
	agent_reply reply;
	void *arg;
};

/* One key that is being asked for, and all who wait for it. */
struct flight {
	struct table_node by_name, by_id;
	struct agent *agent;
	uint64_t id, begun_us;
	struct key_name name;
	struct route *route;
	struct agent_waiter *waiters;
	bool sent;
	struct flight *next_queued;
	struct bytes btid, source; /* below the flight */
	uint8_t naf_id[NAF_ID_MAX];
	size_t naf_id_len;
	uint32_t gsids[GBA_NAF_GSID_MAX];
	size_t gsid_count;
	bool aware;
	bool stale;   /* its settings have changed since it was sent: not kept */
	bool revoked; /* its B-TID has ended since */
};

struct queue {
	struct flight *first, **end;
	size_t n;
};
/* Those who asked for something unknown lately wait behind all others. */
enum { QUEUE_CLEAN, QUEUE_DOUBTED, QUEUES };

struct counters {
	struct metric *hits, *joined, *refused_locally, *keys, *under_way, *queued, *seconds;
	struct metric *pushed, *pushes_refused, *pushed_hits, *revoked, *limits;
	struct metric *bir[6];
};
enum { BIR_KEY, BIR_UNKNOWN, BIR_NOT_AUTHORIZED, BIR_UNREACHABLE, BIR_TIMEOUT, BIR_OTHER };

struct agent {
	const struct agent_conf *conf;
	struct zn_port port;
	struct cache *cache;
	struct sources *sources;
	struct limits *limits;
	struct route *routes;
	struct table by_name, by_id; /* flights */
	struct queue queue[QUEUES];
	struct pace pace;
	size_t sent, queued;
	uint64_t last_id;
	struct agent_waiter *earliest, *latest;
	struct counters count;
};

/* ---- set up ---- */

static void counters_get(struct counters *c)
{
	static const char *const results[] = { "key", "unknown", "not-authorized", "unreachable", "timeout", "other" };
	char labels[64];
	size_t i;

	c->hits = metric_get("gba_naf_cache_hits_total", "Keys served from the cache.", METRIC_COUNTER, "");
	c->joined = metric_get("gba_naf_joined_total", "Requests that waited for one under way.", METRIC_COUNTER, "");
	c->refused_locally = metric_get("gba_naf_refused_total", "Requests refused without asking a BSF.", METRIC_COUNTER, "");
	c->pushed = metric_get("gba_naf_pushes_total", "Tokens pushed by BSFs.", METRIC_COUNTER, "result=\"kept\"");
	c->pushes_refused = metric_get("gba_naf_pushes_total", "Tokens pushed by BSFs.", METRIC_COUNTER, "result=\"refused\"");
	c->pushed_hits = metric_get("gba_naf_pushed_hits_total", "Keys served from a push.", METRIC_COUNTER, "");
	c->revoked = metric_get("gba_naf_revoked_total", "Keys dropped because a BSF said so.", METRIC_COUNTER, "");
	c->limits = metric_get("gba_naf_limits_total", "Tokens shortened or ended by applications.", METRIC_COUNTER, "");
	c->keys = metric_get("gba_naf_cache_keys", "Keys in the cache.", METRIC_GAUGE, "");
	c->under_way = metric_get("gba_naf_bir_under_way", "Requests to BSFs not answered yet.", METRIC_GAUGE, "");
	c->queued = metric_get("gba_naf_bir_queued", "Requests to BSFs that wait for their turn.", METRIC_GAUGE, "");
	c->seconds = metric_get("gba_naf_bir_seconds", "Time a BSF took.", METRIC_HISTOGRAM, "");
	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		labels[0] = '\0';
		metric_label(labels, sizeof(labels), "result", results[i]);
		c->bir[i] = metric_get("gba_naf_bir_total", "Requests to BSFs by what came of them.", METRIC_COUNTER, labels);
	}
}

static bool routes_make(struct agent *agent)
{
	const struct conf_groups *realms = &agent->conf->realms;
	size_t i;

	agent->routes = talloc_zero_array(agent, struct route, realms->n);
	if (agent->routes == NULL)
		return false;
	for (i = 0; i < realms->n; i++)
		agent->routes[i].realm = (const struct realm_conf *)realms->v + i;
	return true;
}

struct agent *agent_new(TALLOC_CTX *mem_ctx, const struct agent_conf *conf, struct zn_port port)
{
	struct agent *agent = talloc_zero(mem_ctx, struct agent);
	bool locked = true;
	size_t i;

	if (agent == NULL)
		return NULL;
	agent->conf = conf;
	agent->port = port;
	for (i = 0; i < QUEUES; i++)
		agent->queue[i].end = &agent->queue[i].first;
	pace_init(&agent->pace, conf->zn_rate);
	agent->cache = cache_new(agent, conf->cache_entries, (size_t)conf->cache_memory << 20, conf->negative_entries, &locked);
	agent->sources = sources_new(agent, conf->unknown_burst, conf->unknown_rate);
	agent->limits = limits_new(agent, conf->negative_entries);
	if (agent->cache == NULL || agent->sources == NULL || agent->limits == NULL || !routes_make(agent) ||
	    !table_init(&agent->by_name, agent, conf->zn_window + (size_t)QUEUES * conf->zn_queue) ||
	    !table_init(&agent->by_id, agent, conf->zn_window + (size_t)QUEUES * conf->zn_queue)) {
		talloc_free(agent);
		return NULL;
	}
	counters_get(&agent->count);
	if (!locked)
		log_event(LOG_L_WARNING, "agent.memory", NULL,
			  "keys cannot be locked in memory (RLIMIT_MEMLOCK): they may be swapped");
	return agent;
}

void agent_renewed(struct agent *agent)
{
	pace_init(&agent->pace, agent->conf->zn_rate);
	sources_set(agent->sources, agent->conf->unknown_burst, agent->conf->unknown_rate);
}

/* ---- waiters ---- */

static void waiter_enter(struct agent *agent, struct agent_waiter *waiter)
{
	struct agent_waiter *earlier = agent->latest;

	while (earlier != NULL && earlier->deadline > waiter->deadline)
		earlier = earlier->earlier;
	waiter->earlier = earlier;
	waiter->later = earlier != NULL ? earlier->later : agent->earliest;
	*(waiter->earlier != NULL ? &waiter->earlier->later : &agent->earliest) = waiter;
	*(waiter->later != NULL ? &waiter->later->earlier : &agent->latest) = waiter;
}

static void waiter_leave(struct agent *agent, struct agent_waiter *waiter)
{
	*(waiter->earlier != NULL ? &waiter->earlier->later : &agent->earliest) = waiter->later;
	*(waiter->later != NULL ? &waiter->later->earlier : &agent->latest) = waiter->earlier;
}

static void waiter_finish(struct agent_waiter *waiter, enum gba_naf_error error, const struct key_record *record)
{
	waiter_leave(waiter->flight->agent, waiter);
	if (error == GBA_NAF_OK && waiter->need_int && !record->has_int)
		error = GBA_NAF_E_NO_INT_KEY;
	waiter->reply(waiter->arg, error, error == GBA_NAF_OK ? record : NULL);
	talloc_free(waiter);
}

/* ---- flights ---- */

static void flight_free(struct flight *flight)
{
	struct agent *agent = flight->agent;
	struct agent_waiter *waiter;

	while ((waiter = flight->waiters) != NULL) {
		flight->waiters = waiter->next;
		waiter_leave(agent, waiter);
		talloc_free(waiter);
	}
	table_remove(&agent->by_name, &flight->by_name);
	table_remove(&agent->by_id, &flight->by_id);
	talloc_free(flight);
}

static void flight_finish(struct flight *flight, enum gba_naf_error error, const struct key_record *record)
{
	struct agent_waiter *waiter;

	while ((waiter = flight->waiters) != NULL) {
		flight->waiters = waiter->next;
		waiter_finish(waiter, error, record);
	}
	flight_free(flight);
}

static struct flight *flight_new(struct agent *agent, const struct agent_ask *ask, const struct key_name *name,
				 struct route *route)
{
	struct flight *flight = talloc_zero(agent, struct flight);

	if (flight == NULL)
		return NULL;
	flight->agent = agent;
	flight->id = ++agent->last_id;
	flight->name = *name;
	flight->route = route;
	flight->btid = BYTES(talloc_memdup(flight, ask->btid.p, ask->btid.n), ask->btid.n);
	flight->source = BYTES(talloc_memdup(flight, ask->source.n > 0 ? ask->source.p : (const uint8_t *)"", ask->source.n),
			       ask->source.n);
	flight->naf_id_len = naf_id_build(ask->fqdn, ask->ua_id, flight->naf_id);
	flight->gsid_count = ask->gsid_count;
	if (ask->gsid_count > 0)
		memcpy(flight->gsids, ask->gsids, ask->gsid_count * sizeof(flight->gsids[0]));
	flight->aware = (ask->flags & (GBA_NAF_GBA_U_AWARE | GBA_NAF_NEED_INT_KEY)) != 0;
	if (flight->btid.p == NULL || (flight->source.p == NULL && flight->source.n > 0) || flight->naf_id_len == 0) {
		talloc_free(flight);
		return NULL;
	}
	table_add(&agent->by_name, &flight->by_name, BYTES(flight->name.octets, flight->name.n));
	table_add(&agent->by_id, &flight->by_id, BYTES(&flight->id, sizeof(flight->id)));
	return flight;
}

static void gauges_set(const struct agent *agent)
{
	metric_set(agent->count.keys, (int64_t)cache_count(agent->cache));
	metric_set(agent->count.under_way, (int64_t)agent->sent);
	metric_set(agent->count.queued, (int64_t)agent->queued);
}

/* ---- one line per decision ---- */

static void log_btid(enum log_level level, const char *event, struct bytes btid, enum gba_err result, const char *why)
{
	struct log_about about = { .iface = "Zn", .id = btid, .clause = "TS 29.109 5.2", .result = result };
	char corr[CORR_LEN + 1] = "";
	uint8_t rand[RAND_LEN];

	if (btid_parse(btid, rand, NULL) == GBA_OK)
		corr_from_rand(rand, corr);
	about.corr = corr[0] != '\0' ? corr : NULL;
	log_event(level, event, &about, "%s", why);
}

static enum gba_err log_result(enum gba_naf_error error)
{
	switch (error) {
	case GBA_NAF_OK: return GBA_OK;
	case GBA_NAF_E_BTID_UNKNOWN: return GBA_E_BTID_UNKNOWN;
	case GBA_NAF_E_BTID_SYNTAX: return GBA_E_BTID_SYNTAX;
	case GBA_NAF_E_NOT_AUTHORIZED: return GBA_E_NOT_AUTHORIZED;
	case GBA_NAF_E_REALM: return GBA_E_DENIED;
	case GBA_NAF_E_UNREACHABLE: return GBA_E_UNREACHABLE;
	case GBA_NAF_E_TIMEOUT: return GBA_E_TIMEOUT;
	case GBA_NAF_E_BUSY: return GBA_E_BUSY;
	case GBA_NAF_E_NOMEM: return GBA_E_NOMEM;
	default: return GBA_E_PEER;
	}
}

/* What a BSF says about a device is everyday; all else wants the operator's eye. */
static enum log_level level_of(enum gba_naf_error error)
{
	bool everyday = error == GBA_NAF_OK || error == GBA_NAF_E_BTID_UNKNOWN || error == GBA_NAF_E_NOT_AUTHORIZED;

	return everyday ? LOG_L_INFO : LOG_L_WARNING;
}

/* ---- sending ---- */

static enum gba_err flight_send(struct flight *flight, struct agent_time t)
{
	struct agent *agent = flight->agent;
	const struct realm_conf *realm = flight->route->realm;
	struct zn_ask ask = {
		.flight = flight->id,
		.dest_realm = bytes_of(realm->realm),
		.dest_host = realm->host[0] != '\0' ? bytes_of(realm->host) : BYTES_NONE,
		.btid = flight->btid,
		.naf_id = BYTES(flight->naf_id, flight->naf_id_len),
		.gsids = flight->gsids,
		.gsid_count = flight->gsid_count,
		.gba_u_aware = flight->aware,
		.timeout_ms = agent->conf->zn_timeout,
	};
	enum gba_err err;

	flight->begun_us = clock_mono_us();
	err = agent->port.send(agent->port.arg, &ask);
	if (err != GBA_OK)
		return err;
	flight->sent = true;
	agent->sent++;
	pace_take(&agent->pace, t.ms);
	sources_begin(agent->sources, flight->source, t.ms);
	return GBA_OK;
}

static struct queue *queue_for(struct agent *agent, struct bytes source, struct agent_time t)
{
	return &agent->queue[sources_clean(agent->sources, source, t.ms) ? QUEUE_CLEAN : QUEUE_DOUBTED];
}

static void flight_enqueue(struct flight *flight, struct queue *queue)
{
	flight->next_queued = NULL;
	*queue->end = flight;
	queue->end = &flight->next_queued;
	queue->n++;
	flight->agent->queued++;
}

static struct flight *flight_dequeue(struct agent *agent)
{
	struct queue *queue = &agent->queue[agent->queue[QUEUE_CLEAN].n > 0 ? QUEUE_CLEAN : QUEUE_DOUBTED];
	struct flight *flight = queue->first;

	queue->first = flight->next_queued;
	if (queue->first == NULL)
		queue->end = &queue->first;
	queue->n--;
	agent->queued--;
	return flight;
}

/* Within the window, and at the pace. */
static bool may_send(const struct agent *agent, struct agent_time t)
{
	return agent->sent < agent->conf->zn_window && pace_wait(&agent->pace, t.ms) == 0;
}

static enum gba_naf_error send_failure(enum gba_err err)
{
	return err == GBA_E_NOMEM ? GBA_NAF_E_NOMEM : err == GBA_E_BUSY ? GBA_NAF_E_BUSY : GBA_NAF_E_UNREACHABLE;
}

/* Fill the window again. Those whose askers have gone are not sent any more. */
static void queue_run(struct agent *agent, struct agent_time t)
{
	while (agent->queued > 0 && may_send(agent, t)) {
		struct flight *flight = flight_dequeue(agent);
		enum gba_err err;

		if (flight->waiters == NULL) {
			flight_free(flight);
			continue;
		}
		if (!sources_allow(agent->sources, flight->source, t.ms)) {
			flight_finish(flight, GBA_NAF_E_BUSY, NULL);
			continue;
		}
		err = flight_send(flight, t);
		if (err != GBA_OK)
			flight_finish(flight, send_failure(err), NULL);
	}
}

/* ---- asking ---- */

static struct route *route_find(struct agent *agent, struct bytes domain)
{
	const struct realm_conf *realm = realm_find(&agent->conf->realms, domain);

	return realm != NULL ? &agent->routes[realm - (const struct realm_conf *)agent->conf->realms.v] : NULL;
}

/* What is known without asking anybody. @return true: *_error and *_record are the reply */
static bool look_up(struct agent *agent, time_t now, const struct agent_ask *ask, const struct key_name *name,
		    enum gba_naf_error *_error, const struct key_record **_record)
{
	bool need_int = (ask->flags & GBA_NAF_NEED_INT_KEY) != 0, expired, push_expired = false;

	*_record = cache_find(agent->cache, name, now, &expired);
	if (*_record == NULL) {
		*_record = pushed_find(agent->cache, ask, name, now, &push_expired);
		metric_add(agent->count.pushed_hits, *_record != NULL);
	}
	expired |= push_expired;
	if (*_record != NULL) {
		metric_add(agent->count.hits, 1);
		*_error = need_int && !(*_record)->has_int ? GBA_NAF_E_NO_INT_KEY : GBA_NAF_OK;
		return true;
	}
	*_error = cache_refused(agent->cache, ask->btid, now);
	if (*_error == GBA_NAF_OK)
		*_error = cache_refused(agent->cache, BYTES(name->octets, name->n), now);
	if (*_error == GBA_NAF_OK && expired)
		*_error = GBA_NAF_E_BTID_UNKNOWN; /* its BSF would say the same */
	return *_error != GBA_NAF_OK;
}

static bool route_down(struct route *route, uint64_t ms)
{
	if (route->timeouts < ROUTE_DOWN_AFTER)
		return false;
	if (ms < route->down_until)
		return true;
	route->down_until = ms + ROUTE_DOWN_MS; /* this one tries */
	return false;
}

/* A new flight, on its way or in the queue. */
static enum gba_naf_error flight_start(struct agent *agent, struct agent_time t, const struct agent_ask *ask,
				       const struct key_name *name, struct route *route, struct flight **_flight)
{
	struct flight *flight;
	struct queue *queue;
	enum gba_err err;

	if (route_down(route, t.ms))
		return GBA_NAF_E_UNREACHABLE;
	if (!sources_allow(agent->sources, ask->source, t.ms))
		return GBA_NAF_E_BUSY;
	queue = queue_for(agent, ask->source, t);
	if (!may_send(agent, t) && queue->n >= agent->conf->zn_queue)
		return GBA_NAF_E_BUSY;
	flight = flight_new(agent, ask, name, route);
	if (flight == NULL)
		return GBA_NAF_E_NOMEM;
	if (may_send(agent, t)) {
		err = flight_send(flight, t);
		if (err != GBA_OK) {
			flight_free(flight);
			return send_failure(err);
		}
	} else {
		flight_enqueue(flight, queue);
	}
	*_flight = flight;
	return GBA_NAF_OK;
}

static struct agent_waiter *wait_for(struct flight *flight, struct agent_time t, const struct agent_ask *ask,
				     agent_reply reply, void *arg)
{
	struct agent_waiter *waiter = talloc_zero(flight, struct agent_waiter);

	if (waiter == NULL)
		return NULL;
	waiter->flight = flight;
	waiter->next = flight->waiters;
	flight->waiters = waiter;
	waiter->deadline = t.ms + ask->timeout_ms;
	waiter->need_int = (ask->flags & GBA_NAF_NEED_INT_KEY) != 0;
	waiter->reply = reply;
	waiter->arg = arg;
	waiter_enter(flight->agent, waiter);
	return waiter;
}

static struct agent_waiter *refuse(struct agent *agent, const struct agent_ask *ask, enum gba_naf_error error,
				   agent_reply reply, void *arg)
{
	metric_add(agent->count.refused_locally, 1);
	log_btid(level_of(error), "zn.refused", ask->btid, log_result(error), gba_naf_strerror(error));
	reply(arg, error, NULL);
	return NULL;
}

/* The application's word on its own name (Y.3056 9.5): it can only take away from what the BSF gave. */
static bool limited(struct agent *agent, time_t now, const struct agent_ask *ask)
{
	time_t limit;

	if (ask->until != 0) {
		metric_add(agent->count.limits, 1);
		if (!limits_set(agent->limits, ask->btid, ask->fqdn, ask->until))
			return true; /* out of memory: rather no key than one too long */
	}
	limit = limits_find(agent->limits, ask->btid, ask->fqdn);
	return limit != 0 && limit <= now;
}

struct agent_waiter *agent_ask(struct agent *agent, struct agent_time t, const struct agent_ask *ask, agent_reply reply,
			       void *arg)
{
	bool aware = (ask->flags & (GBA_NAF_GBA_U_AWARE | GBA_NAF_NEED_INT_KEY)) != 0;
	enum gba_naf_error error = GBA_NAF_OK;
	const struct key_record *record;
	struct agent_waiter *waiter;
	struct flight *flight;
	struct table_node *node;
	uint8_t rand[RAND_LEN];
	struct key_name name;
	struct bytes domain;
	struct route *route;

	/* The cheap checks first: what nobody could serve causes no request (amplification). */
	if (btid_parse(ask->btid, rand, &domain) != GBA_OK)
		return refuse(agent, ask, GBA_NAF_E_BTID_SYNTAX, reply, arg);
	route = route_find(agent, domain);
	if (route == NULL)
		return refuse(agent, ask, GBA_NAF_E_REALM, reply, arg);
	if (limited(agent, t.now, ask))
		return refuse(agent, ask, GBA_NAF_E_BTID_UNKNOWN, reply, arg);
	key_name_build(ask->btid, ask->fqdn, ask->ua_id, ask->gsids, ask->gsid_count, aware, &name);
	if ((ask->flags & GBA_NAF_NO_CACHE) == 0 && look_up(agent, t.now, ask, &name, &error, &record)) {
		if (error != GBA_NAF_OK)
			return refuse(agent, ask, error, reply, arg);
		reply(arg, GBA_NAF_OK, record);
		return NULL;
	}
	node = table_find(&agent->by_name, BYTES(name.octets, name.n));
	flight = node != NULL ? TABLE_OWNER(node, struct flight, by_name) : NULL;
	if (flight != NULL)
		metric_add(agent->count.joined, 1);
	else
		error = flight_start(agent, t, ask, &name, route, &flight);
	if (error != GBA_NAF_OK)
		return refuse(agent, ask, error, reply, arg);
	gauges_set(agent);
	waiter = wait_for(flight, t, ask, reply, arg);
	return waiter != NULL ? waiter : refuse(agent, ask, GBA_NAF_E_NOMEM, reply, arg);
}

void agent_forget(struct agent_waiter *waiter)
{
	struct agent_waiter **at;

	if (waiter == NULL)
		return;
	for (at = &waiter->flight->waiters; *at != waiter; at = &(*at)->next)
		;
	*at = waiter->next;
	waiter_leave(waiter->flight->agent, waiter);
	talloc_free(waiter);
}

/* ---- answers ---- */

static void route_heard(struct route *route, enum gba_naf_error error, uint64_t ms)
{
	if (error != GBA_NAF_E_TIMEOUT) {
		route->timeouts = 0;
		return;
	}
	if (++route->timeouts == ROUTE_DOWN_AFTER)
		route->down_until = ms + ROUTE_DOWN_MS;
}

static size_t result_index(enum gba_naf_error error)
{
	switch (error) {
	case GBA_NAF_OK: return BIR_KEY;
	case GBA_NAF_E_BTID_UNKNOWN: return BIR_UNKNOWN;
	case GBA_NAF_E_NOT_AUTHORIZED: return BIR_NOT_AUTHORIZED;
	case GBA_NAF_E_UNREACHABLE: return BIR_UNREACHABLE;
	case GBA_NAF_E_TIMEOUT: return BIR_TIMEOUT;
	default: return BIR_OTHER;
	}
}

/* A BSF's word is kept for a moment: an unknown B-TID for all names, a refused name for this name only. */
static void remember_refusal(struct agent *agent, const struct flight *flight, enum gba_naf_error error, time_t now)
{
	time_t until = now + (time_t)agent->conf->negative_ttl;

	if (error == GBA_NAF_E_BTID_UNKNOWN)
		cache_refuse(agent->cache, flight->btid, error, until);
	else if (error == GBA_NAF_E_NOT_AUTHORIZED)
		cache_refuse(agent->cache, BYTES(flight->name.octets, flight->name.n), error, until);
}

static void note(struct agent *agent, const struct flight *flight, enum gba_naf_error error, const char *why)
{
	metric_add(agent->count.bir[result_index(error)], 1);
	metric_observe_us(agent->count.seconds, clock_mono_us() - flight->begun_us);
	log_btid(level_of(error), "zn.bir", flight->btid, log_result(error), why);
}

static const struct key_record *keep(struct agent *agent, const struct flight *flight, struct key_record *record)
{
	if (!flight->stale)
		return cache_keep(agent->cache, &flight->name, record);
	key_digest(flight->btid, record->digest);
	return record;
}

void agent_answer(struct agent *agent, struct agent_time t, const struct zn_answer *answer)
{
	struct table_node *node = table_find(&agent->by_id, BYTES(&answer->flight, sizeof(answer->flight)));
	struct flight *flight = node != NULL ? TABLE_OWNER(node, struct flight, by_id) : NULL;
	const struct key_record *kept = NULL;
	struct key_record *record = NULL;
	enum gba_naf_error error;
	TALLOC_CTX *tmp;
	const char *why;

	if (flight == NULL || !flight->sent)
		return;
	tmp = talloc_new(agent); /* NULL is out of memory for what is made below it */
	error = zn_answer_judge(tmp, answer, flight->route->realm, agent->conf, t.now, &record, &why);
	agent->sent--;
	route_heard(flight->route, error, t.ms);
	sources_done(agent->sources, flight->source, error == GBA_NAF_E_BTID_UNKNOWN, t.ms);
	note(agent, flight, error, why);
	if (error == GBA_NAF_OK && flight->revoked)
		error = GBA_NAF_E_BTID_UNKNOWN;
	if (error == GBA_NAF_OK)
		kept = keep(agent, flight, record);
	else
		remember_refusal(agent, flight, error, t.now);
	flight_finish(flight, error, kept);
	talloc_free(tmp);
	queue_run(agent, t);
	gauges_set(agent);
}

void agent_tick(struct agent *agent, struct agent_time t)
{
	struct agent_waiter *waiter;

	while ((waiter = agent->earliest) != NULL && waiter->deadline <= t.ms) {
		agent_reply reply = waiter->reply;
		void *arg = waiter->arg;

		agent_forget(waiter);
		reply(arg, GBA_NAF_E_TIMEOUT, NULL);
	}
	if (agent->queued == 0)
		return;
	queue_run(agent, t);
	gauges_set(agent);
}

static int ms_to_limit(const struct agent *agent, time_t now)
{
	time_t next = limits_next(agent->limits);

	if (next == 0)
		return -1;
	return next <= now ? 0 : next - now > 3600 ? 3600 * 1000 : (int)(next - now) * 1000;
}

static int ms_to_deadline(const struct agent *agent, struct agent_time t)
{
	if (agent->earliest == NULL)
		return -1;
	return agent->earliest->deadline > t.ms ? (int)(agent->earliest->deadline - t.ms) : 0;
}

/* A full window is emptied by answers. */
static int ms_to_send(const struct agent *agent, struct agent_time t)
{
	return agent->queued > 0 && agent->sent < agent->conf->zn_window ? (int)pace_wait(&agent->pace, t.ms) : -1;
}

/* -1: never */
static int earlier_of(int a, int b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

int agent_next(const struct agent *agent, struct agent_time t)
{
	return earlier_of(earlier_of(ms_to_limit(agent, t.now), ms_to_send(agent, t)), ms_to_deadline(agent, t));
}

/* ---- what BSFs say unasked ---- */

void agent_pushed(struct agent *agent, struct agent_time t, const struct agent_push *push)
{
	const char *why;
	bool kept = pushed_keep(agent->cache, agent->conf, t.now, push, &why);

	metric_add(kept ? agent->count.pushed : agent->count.pushes_refused, 1);
	log_btid(kept ? LOG_L_INFO : LOG_L_WARNING, "rpa.push", push->btid, kept ? GBA_OK : GBA_E_PEER,
		 kept ? "token kept" : why);
	gauges_set(agent);
}

static void flights_mark(struct agent *agent, const struct cache_revocation *what)
{
	struct table_node *node;

	for (node = agent->by_name.newest; node != NULL; node = node->older) {
		struct flight *flight = TABLE_OWNER(node, struct flight, by_name);
		struct naf_id id;

		if (naf_id_parse(BYTES(flight->naf_id, flight->naf_id_len), &id) != GBA_OK ||
		    !cache_revokes(what, flight->btid, id.fqdn))
			continue;
		if (what->fqdn_n == 0)
			flight->revoked = true;
		else
			flight->stale = true;
	}
}

void agent_revoked(struct agent *agent, struct agent_time t, const struct agent_revocation *revocation)
{
	struct cache_revocation what = { .digests = (const uint8_t (*)[KEY_DIGEST_LEN])revocation->digests,
					 .digest_n = revocation->digest_n, .fqdns = revocation->fqdns,
					 .fqdn_n = revocation->fqdn_n, .until = t.now + (time_t)agent->conf->negative_ttl };
	struct log_about about = { .iface = "RPA", .peer = revocation->origin_host, .clause = "Y.3056 9.4.1" };
	size_t dropped = cache_revoke(agent->cache, &what);

	flights_mark(agent, &what);
	metric_add(agent->count.revoked, (int64_t)dropped);
	log_event(LOG_L_INFO, "rpa.revocation", &about, "%zu tokens, %zu keys dropped", revocation->digest_n, dropped);
	gauges_set(agent);
}

/* ---- what applications say ---- */

time_t agent_limit(const struct agent *agent, struct bytes btid, struct bytes fqdn)
{
	return limits_find(agent->limits, btid, fqdn);
}

bool agent_limit_reached(struct agent *agent, struct agent_time t, uint8_t digest[KEY_DIGEST_LEN], struct bytes *_fqdn)
{
	struct cache_revocation what = { .digests = (const uint8_t (*)[KEY_DIGEST_LEN])digest, .digest_n = 1, .fqdns = _fqdn,
					 .fqdn_n = 1 };
	struct log_about about = { .iface = "local", .clause = "Y.3056 9.5" };
	size_t dropped;

	if (!limits_reached(agent->limits, t.now, digest, _fqdn))
		return false;
	dropped = cache_revoke(agent->cache, &what);
	about.id = *_fqdn;
	log_event(LOG_L_INFO, "local.limit", &about, "the application takes a token no longer, %zu keys dropped", dropped);
	gauges_set(agent);
	return true;
}
