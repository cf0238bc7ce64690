/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/hss.h"

static enum gba_err fail(TALLOC_CTX *mem_ctx, enum gba_err err, const char *path, const char *why, const char **_error)
{
	const char *hint = "";

	if (strcmp(why, gba_strerror(err)) != 0)
		hint = ""; /* a token has said it */
	else if (err == GBA_E_DENIED)
		hint = " (it must be ours, and closed to group and others)";
	else if (err == GBA_E_SYNTAX)
		hint = " (64 hex digits are expected)";
	*_error = talloc_asprintf(mem_ctx, "%s: %s%s", path, why, hint);
	return err;
}

enum gba_err hss_kek_open(TALLOC_CTX *mem_ctx, struct sub_store *store, const char *path, struct kek **_kek,
			  const char **_error)
{
	const char *why = "";
	int64_t sealed = 0;
	enum gba_err err;

	err = kek_open_why(mem_ctx, path, false, _kek, &why);
	if (err == GBA_E_NOT_FOUND) {
		err = sub_store_count(store, &sealed);
		if (err == GBA_OK && sealed > 0) {
			*_error = talloc_asprintf(mem_ctx,
						  "%s: missing, but %lld subscribers are sealed with it: restore it",
						  path, (long long)sealed);
			return GBA_E_NOT_FOUND;
		}
		why = gba_strerror(err);
		if (err == GBA_OK)
			err = kek_open_why(mem_ctx, path, true, _kek, &why);
	}
	return err == GBA_OK ? GBA_OK : fail(mem_ctx, err, path, why, _error);
}

enum gba_err hss_open(TALLOC_CTX *mem_ctx, const struct hss_conf *conf, struct kek **_kek, struct auc **_auc, const char **_error)
{
	struct auc_conf auc = { .db_path = conf->database,
				.lease_min = conf->lease_min,
				.lease_max = conf->lease_max,
				.queue_max = conf->queue,
				.store_ms = conf->store_ms,
				.cache_octets = (size_t)conf->cache_mib << 20 };
	struct sub_store *store;
	enum gba_err err;

	err = sub_store_open(mem_ctx, conf->database, &store, _error);
	if (err != GBA_OK)
		return err;
	err = hss_kek_open(mem_ctx, store, conf->kek_file, &auc.kek, _error);
	talloc_free(store);
	*_kek = auc.kek;
	return err == GBA_OK ? auc_open(mem_ctx, &auc, _auc, _error) : err;
}

static bool realm_matches(struct bytes realm, const char *pattern)
{
	struct bytes p = bytes_of(pattern);

	if (bytes_eq_str(p, "*"))
		return true;
	if (p.n > 0 && p.p[0] == '.')
		return realm.n > p.n && bytes_eq_nocase(BYTES(realm.p + realm.n - p.n, p.n), p);
	return bytes_eq_nocase(realm, p);
}

enum gba_err hss_admit(const struct hss_conf *conf, struct bytes origin_host, struct bytes impi, unsigned int *_ind)
{
	const struct hss_bsf *bsf = conf->bsfs.v, *end = bsf + conf->bsfs.n;
	struct bytes realm = impi_realm(impi);
	size_t i;

	while (bsf < end && !bytes_eq_nocase(origin_host, bytes_of(bsf->identity)))
		bsf++;
	if (bsf == end)
		return GBA_E_DENIED;
	for (i = 0; i < bsf->realms.n; i++) {
		if (realm_matches(realm, bsf->realms.v[i])) {
			*_ind = bsf->ind;
			return GBA_OK;
		}
	}
	return GBA_E_DENIED;
}
