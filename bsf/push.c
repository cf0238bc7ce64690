/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/push.h"

#include "bsf/uss_pack.h"

#define GSIDS_MAX 32 /* of one push; with more, the agent asks for what it needs */

struct push_set {
	const char *peer;
	bool single;
	uint32_t gsids[GSIDS_MAX];
	size_t gsid_n, n;
	struct {
		uint8_t naf_id[NAF_ID_MAX];
		size_t naf_id_n;
		struct grant *grant;
	} v[PERMIT_UA_MAX];
};

/* GSIDs whose settings the NAF may see and the user has: what it could ask for. Too many: none, the agent then asks. */
static void gsids_of(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, struct bytes uss, struct push_set *set)
{
	struct guss *all;
	size_t i, k;

	if (uss.n == 0 || uss_unpack(mem_ctx, uss, &all) != GBA_OK)
		return;
	for (i = 0; i < all->uss_count; i++) {
		if (!bsf_naf_gsid(naf, all->uss[i].gsid))
			continue;
		for (k = 0; k < set->gsid_n && set->gsids[k] != all->uss[i].gsid; k++)
			;
		if (k < set->gsid_n)
			continue;
		if (set->gsid_n == GSIDS_MAX) {
			set->gsid_n = 0;
			return;
		}
		set->gsids[set->gsid_n++] = all->uss[i].gsid;
	}
}

static bool add_one(struct push_set *set, const struct grant_push *what, const uint8_t ua_id[UA_ID_LEN])
{
	size_t i = set->n;

	set->v[i].naf_id_n = naf_id_build(what->fqdn, ua_id, set->v[i].naf_id);
	if (set->v[i].naf_id_n == 0 || grant_for_push(set, what, ua_id, &set->v[i].grant) != GBA_OK)
		return false;
	set->n++;
	return true;
}

/* Where nobody says which Ua protocols, those that need no knowledge of a cipher suite. */
static void add_all(struct push_set *set, const struct grant_push *what, const struct permit *permit,
		    const struct application *application)
{
	size_t i;

	for (i = 0; i < application->ua_n; i++)
		add_one(set, what, application->ua_ids[i]);
	for (i = 0; application->ua_n == 0 && i < permit->ua_n; i++)
		add_one(set, what, permit->ua_ids[i]);
	if (application->ua_n > 0 || permit->ua_n > 0)
		return;
	add_one(set, what, UA_ID_TLS13_PSK);
	add_one(set, what, UA_ID_HTTP_DIGEST);
}

struct push_set *push_prepare(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct agents *agents,
			      const struct permit *permit, const struct application *application, const struct ctx *ctx)
{
	struct grant_push what = { .ctx = ctx, .fqdn = bytes_of(application->fqdn) };
	struct push_set *set;

	if (agents == NULL || permit == NULL || permit->push_peer[0] == '\0')
		return NULL;
	what.lifetime = permit->lifetime;
	what.naf = bsf_conf_naf(conf, bytes_of(permit->push_peer));
	if (what.naf == NULL || !agents->able(agents, bytes_of(what.naf->identity)))
		return NULL;
	set = talloc_zero(mem_ctx, struct push_set);
	if (set == NULL)
		return NULL;
	set->peer = what.naf->identity;
	set->single = permit->single;
	gsids_of(set, what.naf, ctx->uss, set);
	what.gsids = set->gsids;
	what.gsid_n = set->gsid_n;
	add_all(set, &what, permit, application);
	return set;
}

void push_send(const struct push_set *set, struct agents *agents, const char *btid, const char *corr)
{
	struct push push = { .peer = bytes_of(set->peer), .btid = bytes_of(btid), .gsids = set->gsids, .gsid_n = set->gsid_n,
			     .single = set->single, .corr = corr };
	size_t i;

	for (i = 0; i < set->n; i++) {
		push.naf_id = BYTES(set->v[i].naf_id, set->v[i].naf_id_n);
		push.grant = set->v[i].grant;
		agents->push(agents, &push);
	}
}
