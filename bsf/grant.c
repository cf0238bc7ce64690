/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/grant.h"

#include <stdio.h>

#include "bsf/permit.h"
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

static enum gba_err uss_select(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, const uint32_t *gsids, size_t count,
			       const struct ctx *ctx, struct bytes *_uss)
{
	struct guss *all, chosen;
	enum gba_err err;
	char *xml;

	if (count == 0 || ctx->uss.n == 0)
		return GBA_OK;
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

static enum gba_err uss_asked(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, const struct grant_request *request,
			      const struct ctx *ctx, struct bytes *_uss)
{
	enum gba_err err;
	uint32_t *gsids;
	size_t count;

	err = gsids_allowed(mem_ctx, naf, request, &gsids, &count);
	return err == GBA_OK ? uss_select(mem_ctx, naf, gsids, count, ctx, _uss) : err;
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

static time_t expiry_of(const struct ctx *ctx, uint32_t lifetime)
{
	time_t own = ctx->created + (time_t)lifetime;

	return lifetime != 0 && own < ctx->expires ? own : ctx->expires;
}

/* May this NAF have a key of this context under this name, whatever it asks beside? */
static enum gba_err context_check(const struct bsf_naf *naf, struct bytes fqdn, const struct ctx *ctx)
{
	uint8_t owner[CTX_OWNER_LEN];

	if (ctx->type == CTX_CLAIM || ctx->type == CTX_SHOWN)
		return GBA_E_BTID_UNKNOWN;
	if (ctx->type == CTX_2G_GBA && !naf->allow_2g)
		return GBA_E_NOT_AUTHORIZED;
	if (naf->permission_required && permit_by_uss(naf, ctx->uss) != PERMIT_USS_SET)
		return GBA_E_NOT_AUTHORIZED;
	ctx_owner(fqdn, owner);
	if (!ctx_owner_none(ctx->owner) && memcmp(ctx->owner, owner, CTX_OWNER_LEN) != 0)
		return GBA_E_NOT_AUTHORIZED;
	return GBA_OK;
}

/* For the record of what a key rests on (Y.3056 8.4); what does not fit is "...". */
static void settings_text(struct bytes packed, char out[GRANT_SETTINGS_MAX])
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct guss *all = NULL;
	size_t i, n = 0;

	snprintf(out, GRANT_SETTINGS_MAX, "none");
	if (packed.n > 0 && (tmp == NULL || uss_unpack(tmp, packed, &all) != GBA_OK))
		snprintf(out, GRANT_SETTINGS_MAX, "unreadable");
	for (i = 0; all != NULL && i < all->uss_count; i++) {
		if (n + 16 > GRANT_SETTINGS_MAX) { /* a comma, ten digits, or this */
			snprintf(out + n, GRANT_SETTINGS_MAX - n, ",...");
			break;
		}
		n += (size_t)snprintf(out + n, GRANT_SETTINGS_MAX - n, "%s%u", n > 0 ? "," : "", all->uss[i].gsid);
	}
	talloc_free(tmp);
}

static enum gba_err grant_new(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, const struct naf_id *id, const struct ctx *ctx,
			      bool gba_u_aware, struct grant **_grant)
{
	struct grant *grant = talloc_zero(mem_ctx, struct grant);

	if (grant == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(grant);
	keys_derive(ctx, id, gba_u_aware, grant);
	grant->created = ctx->created;
	grant->expires = expiry_of(ctx, naf->key_lifetime);
	grant->type = ctx->type;
	grant->uicc = ctx->uicc;
	settings_text(ctx->uss, grant->settings);
	grant->owner = ctx->impi; /* ctx is below mem_ctx, as the grant is */
	grant->impi = naf->impi_allowed ? ctx->impi : BYTES_NONE;
	*_grant = grant;
	return GBA_OK;
}

static enum gba_err grant_make(TALLOC_CTX *mem_ctx, const struct bsf_naf *naf, const struct grant_request *request,
			       const struct naf_id *id, const struct ctx *ctx, struct grant **_grant)
{
	struct bytes uss = BYTES_NONE;
	enum gba_err err;

	err = context_check(naf, id->fqdn, ctx);
	if (err == GBA_OK)
		err = uss_asked(mem_ctx, naf, request, ctx, &uss);
	if (err != GBA_OK)
		return err;
	if (naf->uss_required && uss.p == NULL)
		return GBA_E_NOT_AUTHORIZED;
	err = grant_new(mem_ctx, naf, id, ctx, request->gba_u_aware, _grant);
	if (err == GBA_OK)
		(*_grant)->uss = uss;
	return err;
}

enum gba_err grant_for_push(TALLOC_CTX *mem_ctx, const struct grant_push *what, const uint8_t ua_id[UA_ID_LEN],
			    struct grant **_grant)
{
	struct naf_id id = { .fqdn = what->fqdn };
	struct grant *grant;
	enum gba_err err;

	memcpy(id.ua_id, ua_id, UA_ID_LEN);
	if (!bsf_naf_fqdn(what->naf, id.fqdn) || !bsf_naf_protocol(what->naf, ua_id))
		return GBA_E_NOT_AUTHORIZED;
	err = context_check(what->naf, id.fqdn, what->ctx);
	if (err == GBA_OK)
		err = grant_new(mem_ctx, what->naf, &id, what->ctx, true, &grant);
	if (err == GBA_OK)
		err = uss_select(grant, what->naf, what->gsids, what->gsid_n, what->ctx, &grant->uss);
	if (err != GBA_OK)
		return err;
	if (what->naf->uss_required && grant->uss.p == NULL)
		return GBA_E_NOT_AUTHORIZED;
	if (what->lifetime != 0 && what->ctx->created + (time_t)what->lifetime < grant->expires)
		grant->expires = what->ctx->created + (time_t)what->lifetime;
	grant->owner.p = talloc_memdup(grant, grant->owner.p, grant->owner.n); /* ctx goes before the push does */
	if (grant->owner.p == NULL)
		return GBA_E_NOMEM;
	if (grant->impi.p != NULL)
		grant->impi = grant->owner;
	*_grant = grant;
	return GBA_OK;
}

/* ---- one application alone ---- */

static enum gba_err claim_check(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, const struct ctx *claim, time_t now,
				bool *_stands)
{
	struct ctx *found;
	enum gba_err err;

	*_stands = false;
	err = parts->store->ops->find(parts->store, mem_ctx, claim->rand, now, &found);
	if (err != GBA_OK)
		return err == GBA_E_BTID_UNKNOWN ? GBA_OK : err;
	*_stands = true;
	return memcmp(found->owner, claim->owner, CTX_OWNER_LEN) == 0 ? GBA_OK : GBA_E_NOT_AUTHORIZED;
}

/* Somebody else's B-TID? Ours from now on, if it is to be? */
static enum gba_err owner_check(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, const struct ctx *ctx,
				const struct naf_id *id, bool single, time_t now, struct grant *grant)
{
	struct ctx *claim = talloc_zero(mem_ctx, struct ctx);
	uint8_t owner[CTX_OWNER_LEN];
	enum gba_err err;
	bool stands;

	if (claim == NULL)
		return GBA_E_NOMEM;
	ctx_owner(id->fqdn, owner);
	ctx_claim(ctx, owner, claim);
	err = claim_check(mem_ctx, parts, claim, now, &stands);
	if (err == GBA_OK && single && !stands)
		grant->claim = claim;
	return err;
}

enum gba_err grant_claimed(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, const struct grant *grant, time_t now)
{
	bool stands;

	return claim_check(mem_ctx, parts, grant->claim, now, &stands);
}

/* ---- declarations ---- */

static enum gba_err declaration_check(const struct grant_parts *parts, const struct bsf_naf *naf,
				      const struct grant_request *request, const struct naf_id *id, struct declaration *_now)
{
	if (request->words != NULL)
		(void)declared_take(parts->declared, naf, id->fqdn, request->words, _now);
	else
		declared_find(parts->declared, naf, id->fqdn, _now);
	return _now->cleared || !declaration_has_ua(_now, id->ua_id) ? GBA_E_NOT_AUTHORIZED : GBA_OK;
}

static enum gba_err decide(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, const struct grant_request *request,
			   const struct bsf_naf *naf, const struct naf_id *id, const struct ctx *ctx, struct grant **_grant)
{
	struct declaration declaration = { .single = naf->single };
	enum gba_err err = GBA_OK;

	if (naf->declarations)
		err = declaration_check(parts, naf, request, id, &declaration);
	if (err == GBA_OK)
		err = grant_make(mem_ctx, naf, request, id, ctx, _grant);
	if (err != GBA_OK)
		return err;
	(*_grant)->declared = naf->declarations && request->words != NULL;
	(*_grant)->declaration = declaration;
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
	if (err == GBA_OK)
		err = decide(mem_ctx, parts, request, naf, &id, ctx, _grant);
	if (err != GBA_OK || !parts->any_single)
		return err;
	return owner_check(mem_ctx, parts, ctx, &id, (*_grant)->declaration.single, now, *_grant);
}
