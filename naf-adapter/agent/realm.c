/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/realm.h"

#include "core/ident.h"

const struct realm_conf *realm_find(const struct conf_groups *realms, struct bytes btid_domain)
{
	const struct realm_conf *rows = realms->v, *found = NULL;
	size_t i;

	for (i = 0; i < realms->n; i++) {
		if (!fqdn_within(btid_domain, bytes_of(rows[i].domain)))
			continue;
		if (found == NULL || strlen(rows[i].domain) > strlen(found->domain))
			found = &rows[i];
	}
	return found;
}

bool realm_may_answer(const struct realm_conf *realm, struct bytes origin_realm)
{
	return bytes_eq_nocase(origin_realm, bytes_of(realm->realm));
}

static bool in_group(const struct client_peer *peer, int64_t gid)
{
	bool found = (int64_t)peer->gid == gid;
	size_t i;

	for (i = 0; i < peer->group_count && !found; i++)
		found = (int64_t)peer->groups[i] == gid;
	return found;
}

static bool is_client(const struct client_conf *row, const struct client_peer *peer)
{
	return (row->uid < 0 || (int64_t)peer->uid == row->uid) && (row->gid < 0 || in_group(peer, row->gid));
}

bool name_matches(const char *pattern, struct bytes fqdn)
{
	struct bytes domain;

	if (pattern[0] != '*')
		return bytes_eq_nocase(bytes_of(pattern), fqdn);
	domain = bytes_of(pattern + 2);
	return fqdn.n > domain.n && fqdn_within(fqdn, domain);
}

const struct client_conf *client_find(const struct conf_groups *clients, const struct client_peer *peer, struct bytes fqdn)
{
	const struct client_conf *rows = clients->v;
	size_t i, k;

	for (i = 0; i < clients->n; i++) {
		if (!is_client(&rows[i], peer))
			continue;
		for (k = 0; k < rows[i].fqdns.n; k++) {
			if (name_matches(rows[i].fqdns.v[k], fqdn))
				return &rows[i];
		}
	}
	return NULL;
}

const struct client_conf *client_any(const struct conf_groups *clients, const struct client_peer *peer)
{
	const struct client_conf *rows = clients->v;
	size_t i;

	for (i = 0; i < clients->n; i++) {
		if (is_client(&rows[i], peer))
			return &rows[i];
	}
	return NULL;
}
