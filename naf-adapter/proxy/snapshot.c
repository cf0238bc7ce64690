/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/snapshot.h"

#include <string.h>

/* Items that hold for as long as the process: threads and their connections to the agent, and what tells a nonce used before from
 * a new one. A new file may say otherwise; what is in force says what is so. */
static const char *const pinned_keys[] = { "workers", "agent-socket", "nonce-lifetime", "nonce-entries", "nonce-secret-file" };

static const struct conf_item *item_of(const char *key)
{
	const struct conf_item *item = proxy_conf_items;

	while (strcmp(item->key, key) != 0)
		item++;
	return item;
}

/* @return false: out of memory */
static bool pin(struct snapshot *snapshot, const struct snapshot *before, const struct conf_item *item, char **_names)
{
	void *now = (char *)&snapshot->conf + item->offset;
	const void *then = (const char *)&before->conf + item->offset;

	if (item->type == CONF_T_STR ? strcmp(*(const char **)now, *(const char *const *)then) == 0 :
				       *(uint32_t *)now == *(const uint32_t *)then)
		return true;
	if (item->type == CONF_T_STR)
		*(const char **)now = talloc_strdup(snapshot, *(const char *const *)then);
	else
		*(uint32_t *)now = *(const uint32_t *)then;
	*_names = talloc_asprintf_append(*_names, "%s%s", (*_names)[0] != '\0' ? ", " : "", item->key);
	return *_names != NULL && (item->type != CONF_T_STR || *(const char **)now != NULL);
}

static enum gba_err pin_all(struct snapshot *snapshot, const struct snapshot *before, const char **_pinned)
{
	char *names = talloc_strdup(snapshot, "");
	size_t i;

	*_pinned = NULL;
	for (i = 0; before != NULL && names != NULL && i < sizeof(pinned_keys) / sizeof(pinned_keys[0]); i++) {
		if (!pin(snapshot, before, item_of(pinned_keys[i]), &names))
			return GBA_E_NOMEM;
	}
	if (names == NULL)
		return GBA_E_NOMEM;
	*_pinned = names[0] != '\0' ? names : NULL;
	return GBA_OK;
}

static enum gba_err resolve_all(struct snapshot *snapshot, struct conf_error *_error)
{
	const struct site_conf *sites = snapshot->conf.sites.v;
	size_t i, n = snapshot->conf.sites.n;

	snapshot->upstreams = talloc_zero_array(snapshot, struct upstream_addresses, n);
	if (snapshot->upstreams == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < n; i++) {
		if (sites[i].upstream[0] == '\0' || upstream_resolve(&snapshot->upstreams[i], sites[i].upstream) == GBA_OK)
			continue;
		snprintf(_error->text, sizeof(_error->text), "site %s: upstream %s cannot be resolved", sites[i].fqdn,
			 sites[i].upstream);
		return GBA_E_CONF;
	}
	return GBA_OK;
}

static enum gba_err hosts_make(struct snapshot *snapshot)
{
	const struct site_conf *sites = snapshot->conf.sites.v;
	size_t i, n = snapshot->conf.sites.n;

	snapshot->hosts = talloc_zero_array(snapshot, struct host_stats, n + 1);
	if (snapshot->hosts == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < n; i++)
		host_stats_make(&snapshot->hosts[i], sites[i].fqdn);
	host_stats_make(&snapshot->hosts[n], "-");
	return GBA_OK;
}

struct snapshot *snapshot_new(const struct role *role, const char *path, const struct snapshot *before, const char **_pinned,
			      struct conf_error *_error)
{
	struct snapshot *snapshot = talloc_zero(NULL, struct snapshot);
	enum gba_err err = snapshot != NULL ? GBA_OK : GBA_E_NOMEM;

	snprintf(_error->text, sizeof(_error->text), "%s: out of memory", path);
	if (err == GBA_OK)
		err = conf_load(snapshot, role->name, path, role->items, &snapshot->conf, _error);
	if (err == GBA_OK)
		err = role->check(&snapshot->conf, _error);
	if (err == GBA_OK)
		err = pin_all(snapshot, before, _pinned);
	if (err == GBA_OK)
		err = resolve_all(snapshot, _error);
	if (err == GBA_OK)
		err = hosts_make(snapshot);
	if (err == GBA_OK) {
		snapshot->refs = 1;
		snapshot->health = health_new(snapshot, &snapshot->conf, snapshot->upstreams,
					      before != NULL ? before->health : NULL);
		if (snapshot->health != NULL)
			return snapshot;
	}
	talloc_free(snapshot);
	return NULL;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	__atomic_add_fetch(&snapshot->refs, 1, __ATOMIC_RELAXED);
	return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
	if (snapshot != NULL && __atomic_sub_fetch(&snapshot->refs, 1, __ATOMIC_ACQ_REL) == 0)
		talloc_free(snapshot);
}
