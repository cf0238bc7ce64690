/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/pushed.h"

#include <ctype.h>

#include "core/secret.h"
#include "naf-adapter/agent/realm.h"

/* ---- who may ---- */

static bool is_bsf_of(const struct realm_conf *realm, struct bytes host, struct bytes origin_realm)
{
	size_t i;

	if (!realm_may_answer(realm, origin_realm))
		return false;
	for (i = 0; i < realm->push_from.n; i++) {
		if (bytes_eq_nocase(host, bytes_of(realm->push_from.v[i])))
			return true;
	}
	return realm->push_from.n == 0 && realm->host[0] != '\0' && bytes_eq_nocase(host, bytes_of(realm->host));
}

/* Keys of names that nobody here may use are not wanted. */
static bool is_served(const struct agent_conf *conf, struct bytes fqdn)
{
	const struct client_conf *rows = conf->clients.v;
	size_t i, k;

	for (i = 0; i < conf->clients.n; i++) {
		for (k = 0; k < rows[i].fqdns.n; k++) {
			if (name_matches(rows[i].fqdns.v[k], fqdn))
				return true;
		}
	}
	return false;
}

enum gba_err push_check(const struct agent_conf *conf, const struct agent_push *push)
{
	const struct zn_answer *answer = push->answer;
	const struct realm_conf *realm;
	uint8_t rand[RAND_LEN];
	struct bytes domain;
	struct naf_id id;
	enum gba_err err;

	err = btid_parse(push->btid, rand, &domain);
	if (err == GBA_OK)
		err = naf_id_parse(push->naf_id, &id);
	if (err != GBA_OK)
		return err;
	realm = realm_find(&conf->realms, domain);
	if (realm == NULL || !is_bsf_of(realm, answer->origin_host, answer->origin_realm) || !is_served(conf, id.fqdn))
		return GBA_E_NOT_AUTHORIZED;
	if (answer->me_key.n != GBA_NAF_KEY_LEN || (answer->uicc_key.p != NULL && answer->uicc_key.n != GBA_NAF_KEY_LEN))
		return GBA_E_RANGE;
	return GBA_OK;
}

enum gba_err revocation_check(const struct agent_conf *conf, const struct agent_revocation *revocation)
{
	const struct realm_conf *rows = conf->realms.v;
	size_t i;

	for (i = 0; i < conf->realms.n; i++) {
		if (is_bsf_of(&rows[i], revocation->origin_host, revocation->origin_realm))
			return GBA_OK;
	}
	return GBA_E_NOT_AUTHORIZED;
}

/* ---- keeping ---- */

static void lower(struct bytes name, char out[FQDN_MAX + 1])
{
	size_t i;

	for (i = 0; i < name.n; i++)
		out[i] = (char)tolower(name.p[i]);
	out[name.n] = '\0';
}

bool pushed_keep(struct cache *cache, const struct agent_conf *conf, time_t now, const struct agent_push *push,
		 const char **_why)
{
	struct key_record *record = NULL;
	const struct realm_conf *realm;
	char fqdn[FQDN_MAX + 1];
	uint8_t rand[RAND_LEN];
	struct key_name name;
	struct bytes domain;
	struct naf_id id;
	TALLOC_CTX *tmp;

	*_why = "malformed";
	if (btid_parse(push->btid, rand, &domain) != GBA_OK || naf_id_parse(push->naf_id, &id) != GBA_OK)
		return false;
	realm = realm_find(&conf->realms, domain);
	tmp = talloc_new(cache);
	if (realm == NULL || zn_answer_judge(tmp, push->answer, realm, conf, now, &record, _why) != GBA_NAF_OK) {
		talloc_free(tmp);
		return false;
	}
	lower(id.fqdn, fqdn);
	key_name_pushed(push->btid, bytes_of(fqdn), id.ua_id, &name);
	memcpy(record->gsids, push->gsids, sizeof(record->gsids));
	record->gsid_count = push->gsid_count;
	(void)cache_keep(cache, &name, record);
	talloc_free(tmp);
	return true;
}

/* ---- serving ---- */

static bool covers(const struct key_record *pushed, const struct agent_ask *ask)
{
	size_t i, k;

	for (i = 0; i < ask->gsid_count; i++) {
		for (k = 0; k < pushed->gsid_count && pushed->gsids[k] != ask->gsids[i]; k++)
			;
		if (k == pushed->gsid_count)
			return false;
	}
	return true;
}

/* Of the settings only those asked for, as the BSF would have done it; it has chosen by NAF group already. */
static bool settings_of(struct key_record *record, const struct guss *all, const struct agent_ask *ask)
{
	struct guss chosen, *own;
	char *xml;

	if (all == NULL || ask->gsid_count == 0)
		return true;
	if (guss_select(record, all, ask->gsids, ask->gsid_count, NULL, &chosen) != GBA_OK)
		return false;
	if (chosen.uss_count == 0)
		return true;
	xml = uss_list_build(record, &chosen);
	if (xml == NULL || guss_parse(record, bytes_of(xml), &own) != GBA_OK)
		return false;
	record->uss_xml = xml;
	record->uss = own;
	return true;
}

/* A record of its own: what it is made from may leave the cache to make room for it. */
static struct key_record *record_of(TALLOC_CTX *mem_ctx, const struct key_record *pushed, const struct agent_ask *ask, bool aware)
{
	struct key_record *record = talloc_zero(mem_ctx, struct key_record);

	if (record == NULL)
		return NULL;
	secret_guard_chunk(record);
	memcpy(record->ks_naf, pushed->ks_naf, GBA_NAF_KEY_LEN);
	record->has_int = aware && pushed->has_int;
	if (record->has_int)
		memcpy(record->ks_int_naf, pushed->ks_int_naf, GBA_NAF_KEY_LEN);
	record->expires = pushed->expires;
	record->bsf_expires = pushed->bsf_expires;
	record->created = pushed->created;
	record->gba_type = pushed->gba_type;
	if (pushed->impi != NULL) {
		record->impi = talloc_strdup(record, pushed->impi);
		if (record->impi == NULL)
			return NULL;
	}
	return settings_of(record, pushed->uss, ask) ? record : NULL;
}

const struct key_record *pushed_find(struct cache *cache, const struct agent_ask *ask, const struct key_name *name, time_t now,
				     bool *_expired)
{
	bool aware = (ask->flags & (GBA_NAF_GBA_U_AWARE | GBA_NAF_NEED_INT_KEY)) != 0;
	const struct key_record *pushed, *kept = NULL;
	struct key_record *record;
	struct key_name own;
	TALLOC_CTX *tmp;

	key_name_pushed(ask->btid, ask->fqdn, ask->ua_id, &own);
	pushed = cache_find(cache, &own, now, _expired);
	if (pushed == NULL || !covers(pushed, ask))
		return NULL;
	tmp = talloc_new(cache); /* NULL is out of memory for what is made below it */
	record = tmp != NULL ? record_of(tmp, pushed, ask, aware) : NULL;
	if (record != NULL)
		kept = cache_keep(cache, name, record);
	if (kept == record) /* no room: it lives below tmp only */
		kept = NULL;
	talloc_free(tmp);
	return kept;
}
