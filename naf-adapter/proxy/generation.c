/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/generation.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "naf-adapter/proxy/conn.h"

static const struct tls_hooks hooks = { .choose = conn_choose_site, .source = conn_source, .ready = conn_key_ready };

static void site_set_up(struct worker *worker, struct site *site, const struct snapshot *snapshot, size_t index)
{
	const struct site_conf *conf = (const struct site_conf *)snapshot->conf.sites.v + index;
	const struct proxy_conf *all = &snapshot->conf;
	size_t i;

	site->conf = conf;
	site->index = index;
	for (i = 0; conf->fqdn[i] != '\0'; i++)
		site->fqdn[i] = (char)tolower((unsigned char)conf->fqdn[i]);
	for (i = 0; i < conf->gsids.n; i++)
		site->gsids[site->gsid_count++] = (uint32_t)strtoul(conf->gsids.v[i], NULL, 10);
	site->pool = (struct upstream_pool){ .base = worker->base, .addresses = &snapshot->upstreams[index],
					     .connect_ms = all->upstream_connect_timeout,
					     .idle_ms = all->upstream_idle_timeout, .idle_max = all->upstream_idle };
	TAILQ_INIT(&site->pool.list);
}

static int generation_destroy(struct generation *gen)
{
	size_t i;

	for (i = 0; i < gen->site_count; i++)
		upstream_pool_close(&gen->sites[i].pool);
	for (i = 0; gen->fds != NULL && i < gen->listener_count; i++) {
		if (gen->fds[i] >= 0)
			close(gen->fds[i]);
	}
	tls_set_unref(gen->tls);
	snapshot_unref(gen->snapshot);
	return 0;
}

static bool fill(struct generation *gen, struct worker *worker)
{
	const struct listener_conf *listeners = gen->conf->listeners.v;
	size_t i;

	gen->sites = talloc_zero_array(gen, struct site, gen->conf->sites.n);
	gen->listeners = talloc_zero_array(gen, struct listener, gen->conf->listeners.n);
	gen->fds = talloc_array(gen, int, gen->conf->listeners.n);
	if (gen->sites == NULL || gen->listeners == NULL || gen->fds == NULL)
		return false;
	for (; gen->site_count < gen->conf->sites.n; gen->site_count++)
		site_set_up(worker, &gen->sites[gen->site_count], gen->snapshot, gen->site_count);
	for (i = 0; i < gen->conf->listeners.n; i++) {
		gen->listeners[i].conf = &listeners[i];
		gen->listeners[i].default_site = generation_site(gen, bytes_of(listeners[i].default_site));
		gen->fds[i] = -1;
	}
	gen->listener_count = gen->conf->listeners.n;
	return true;
}

enum gba_err generation_new(struct worker *worker, struct snapshot *snapshot, struct generation **_gen, const char **_error)
{
	struct generation *gen = talloc_zero(NULL, struct generation); /* freed by another thread than what made it */
	enum gba_err err;

	*_error = "out of memory";
	if (gen == NULL)
		return GBA_E_NOMEM;
	gen->refs = 1;
	gen->snapshot = snapshot_ref(snapshot);
	gen->conf = &snapshot->conf;
	talloc_set_destructor(gen, generation_destroy);
	err = fill(gen, worker) ? tls_set_new(snapshot, worker, gen, &hooks, &gen->tls, _error) : GBA_E_NOMEM;
	if (err == GBA_OK)
		*_gen = gen;
	else
		talloc_free(gen);
	return err;
}

struct generation *generation_ref(struct generation *gen)
{
	gen->refs++;
	return gen;
}

void generation_unref(struct generation *gen)
{
	if (gen != NULL && --gen->refs == 0)
		talloc_free(gen);
}

struct site *generation_site(const struct generation *gen, struct bytes fqdn)
{
	size_t i;

	for (i = 0; i < gen->site_count; i++) {
		if (bytes_eq_nocase(fqdn, bytes_of(gen->sites[i].fqdn)))
			return &gen->sites[i];
	}
	return NULL;
}

const struct listener *generation_same_address(const struct generation *gen, const struct listener_conf *conf)
{
	size_t i;

	for (i = 0; i < gen->listener_count; i++) {
		if (strcmp(gen->listeners[i].conf->address, conf->address) == 0)
			return &gen->listeners[i];
	}
	return NULL;
}

const struct listener *generation_listener(const struct generation *gen, const struct listener_conf *conf)
{
	const struct listener *listener = generation_same_address(gen, conf);
	const struct listener_conf *now = listener != NULL ? listener->conf : NULL;

	if (now == NULL || now->tls != conf->tls || now->proxy_protocol != conf->proxy_protocol || now->asks != conf->asks ||
	    now->asks_tls != conf->asks_tls)
		return NULL;
	return listener;
}

void generation_inherit(struct generation *gen, struct generation *old)
{
	struct site *to;
	size_t i;

	for (i = 0; i < old->site_count; i++) {
		to = generation_site(gen, bytes_of(old->sites[i].fqdn));
		if (to != NULL && strcmp(to->conf->upstream, old->sites[i].conf->upstream) == 0 &&
		    upstream_same_addresses(&to->pool, &old->sites[i].pool))
			upstream_pool_move(&to->pool, &old->sites[i].pool);
		upstream_pool_close(&old->sites[i].pool);
		old->sites[i].pool.idle_max = 0;
	}
}

bool generation_same_question(const struct site *site, const struct generation *old)
{
	const struct site *was = generation_site(old, bytes_of(site->fqdn));

	return was != NULL && was->gsid_count == site->gsid_count &&
	       memcmp(was->gsids, site->gsids, site->gsid_count * sizeof(site->gsids[0])) == 0;
}
