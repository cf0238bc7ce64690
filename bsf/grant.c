/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/grant.h"

#include "bsf/uss_pack.h"
#include "core/secret.h"

#define GSID_DIGITS 9 /* GSIDs are 0..999999, operators' own ones larger */

static enum gba_err gsid_parse(struct bytes text, uint32_t *_gsid)
{
	uint32_t value = 0;
	size_t i;

	if (text.n == 0 || text.n > GSID_DIGITS)
		return GBA_E_RANGE;
	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return GBA_E_RANGE;
		value = value * 10 + (text.p[i] - '0');
	}
	*_gsid = value;
	return GBA_OK;
}

/* The requested GSIDs that this NAF may ask for; others are left out without a word (TS 29.109 5.2). */
static enum gba_err gsids_allowed(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, const struct grant_request *request,
				  uint32_t **_gsids, size_t *_count)
{
	uint32_t *gsids = talloc_array(mem_ctx, uint32_t, request->gsid_n), gsid;
	size_t i, n = 0;
	enum gba_err err;

	if (gsids == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < request->gsid_n; i++) {
		err = gsid_parse(request->gsids[i], &gsid);
		if (err != GBA_OK)
			return err;
		if (bsf_naf_gsid(naf, gsid))
			gsids[n++] = gsid;
	}
	*_gsids = gsids;
	*_count = n;
	return GBA_OK;
}

static enum gba_err uss_select(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, const struct grant_request *request,
			       const struct ctx *ctx, struct bytes *_uss)
{
	struct guss *all, chosen;
	uint32_t *gsids;
	enum gba_err err;
	size_t count;
	char *xml;

	err = gsids_allowed(mem_ctx, naf, request, &gsids, &count);
	if (err != GBA_OK || count == 0 || ctx->uss.n == 0)
		return err;
	err = uss_unpack(mem_ctx, ctx->uss, &all);
	if (err != GBA_OK)
		return err;
	err = guss_select(mem_ctx, all, gsids, count, naf->naf_group[0] != '\0' ? naf->naf_group : NULL, &chosen);
	if (err != GBA_OK || chosen.uss_count == 0)
		return err;
	xml = uss_list_build(mem_ctx, &chosen);
	if (xml == NULL)
		return GBA_E_NOMEM;
	*_uss = bytes_of(xml);
	return GBA_OK;
}

static void keys_derive(const struct ctx *ctx, const struct naf_id *id, bool gba_u_aware, struct grant *grant)
{
	uint8_t octets[NAF_ID_MAX];
	size_t n = naf_id_build(id->fqdn, id->ua_id, octets);

	gba_ks_naf(GBA_KEY_ME, ctx->ks, ctx->rand, ctx->impi, BYTES(octets, n), grant->me_key);
	grant->has_uicc_key = ctx->uicc == GUSS_UICC_GBA_U && gba_u_aware;
	if (grant->has_uicc_key)
		gba_ks_naf(GBA_KEY_UICC, ctx->ks, ctx->rand, ctx->impi, BYTES(octets, n), grant->uicc_key);
}

static enum gba_err naf_check(const struct bsf_conf *conf, const struct grant_request *request, struct naf_id *_id,
			      const struct bsf_naf **_naf)
{
	const struct bsf_naf *naf;
	enum gba_err err;

	err = naf_id_parse(request->naf_id, _id);
	if (err != GBA_OK)
		return err;
	naf = bsf_conf_naf(conf, request->naf);
	if (naf == NULL || !bsf_naf_fqdn(naf, _id->fqdn) || !bsf_naf_protocol(naf, _id->ua_id))
		return GBA_E_NOT_AUTHORIZED;
	*_naf = naf;
	return GBA_OK;
}

static enum gba_err grant_make(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, const struct grant_request *request,
			       const struct naf_id *id, const struct ctx *ctx, struct grant **_grant)
{
	struct bytes uss = BYTES_NONE;
	struct grant *grant;
	enum gba_err err;

	if (ctx->type == CTX_2G_GBA && !naf->allow_2g)
		return GBA_E_NOT_AUTHORIZED;
	err = uss_select(mem_ctx, naf, request, ctx, &uss);
	if (err != GBA_OK)
		return err;
	if (naf->uss_required && uss.p == NULL)
		return GBA_E_NOT_AUTHORIZED;
	grant = talloc_zero(mem_ctx, struct grant);
	if (grant == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(grant);
	keys_derive(ctx, id, request->gba_u_aware, grant);
	grant->created = ctx->created;
	grant->expires = ctx->expires;
	grant->type = ctx->type;
	grant->impi = naf->impi_allowed ? ctx->impi : BYTES_NONE; /* ctx is below mem_ctx, as the grant is */
	grant->uss = uss;
	*_grant = grant;
	return GBA_OK;
}

enum gba_err grant_decide(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, const struct grant_request *request, time_t now,
			  struct grant **_grant, char *_corr)
{
	struct ctx_store *store = parts->store;
	const struct bsf_naf *naf = NULL;
	uint8_t rand[RAND_LEN];
	struct bytes domain;
	struct naf_id id;
	enum gba_err err;
	struct ctx *ctx;

	_corr[0] = '\0';
	err = btid_parse(request->btid, rand, &domain);
	if (err != GBA_OK)
		return err;
	corr_from_rand(rand, _corr);
	err = naf_check(parts->conf, request, &id, &naf);
	if (err != GBA_OK)
		return err;
	if (!bytes_eq_nocase(domain, bytes_of(parts->conf->name)))
		return GBA_E_BTID_UNKNOWN;
	err = store->ops->find(store, mem_ctx, rand, now, &ctx);
	if (err != GBA_OK)
		return err;
	return grant_make(mem_ctx, naf, request, &id, ctx, _grant);
}
