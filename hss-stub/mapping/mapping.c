/* SPDX-License-Identifier: Apache-2.0 */
/* The handle: records over the database of subscribers, pseudonyms, and which GUSSs a transaction has to make again. */
#include "hss-stub/mapping/mapping.h"

#include "crypto/hash.h"
#include "hss-stub/mapping/mapping_priv.h"

enum gba_err mapping_open(TALLOC_CTX *mem_ctx, const char *database, struct kek *kek, struct records **_m,
			  const char **_error)
{
	struct mapping *own = talloc_zero(mem_ctx, struct mapping);
	const char *why = "";
	enum gba_err err;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (own == NULL)
		return GBA_E_NOMEM;
	err = sub_store_open(own, database, &own->subs, &why);
	if (err == GBA_OK) {
		err = records_open(mem_ctx, &mapping_set, sub_store_db(own->subs), kek, own, _m, &why);
		why = talloc_asprintf(own, "%s: %s", database, why);
	}
	if (err != GBA_OK) {
		*_error = talloc_strdup(mem_ctx, why);
		talloc_free(own);
		return err;
	}
	talloc_steal(*_m, own);
	return GBA_OK;
}

struct records *mapping_attach(TALLOC_CTX *mem_ctx, struct sub_store *store)
{
	struct mapping *own = talloc_zero(mem_ctx, struct mapping);
	struct records *m = NULL;
	const char *why;

	if (own == NULL)
		return NULL;
	own->subs = store;
	if (records_open(mem_ctx, &mapping_set, sub_store_db(store), NULL, own, &m, &why) != GBA_OK) {
		talloc_free(own);
		return NULL;
	}
	talloc_steal(m, own);
	return m;
}

struct sub_store *mapping_subscribers(struct records *m)
{
	return mapping_of(m)->subs;
}

void mapping_pseudonym(struct records *m, int64_t asp, struct bytes impi, char *out)
{
	char id[24];
	struct bytes pieces[] = { BYTES(id, (size_t)snprintf(id, sizeof(id), "%lld", (long long)asp) + 1), impi };
	uint8_t mac[HASH_MAX];

	hmac_pieces(HASH_SHA256, secret_bytes(records_secret(m, REALM_SECRET_PSEUDONYM)), pieces, 2, mac);
	hex_encode(BYTES(mac, PSEUDONYM_LEN / 2), out);
}

void mapping_forget(struct records *m)
{
	struct mapping *own = mapping_of(m);

	talloc_free(own->dirty);
	own->dirty = NULL;
	own->dirty_count = 0;
}

enum gba_err mapping_dirty(struct records *m, struct bytes impi, time_t now)
{
	struct mapping *own = mapping_of(m);
	size_t n = own->dirty_count;

	own->dirty_now = now;
	if (n > 0 && bytes_eq_str(impi, own->dirty[n - 1]))
		return GBA_OK;
	if (n % 64 == 0) {
		char **more = talloc_realloc(own, own->dirty, char *, n + 64);

		if (more == NULL)
			return GBA_E_NOMEM;
		own->dirty = more;
	}
	own->dirty[n] = talloc_strndup(own->dirty, (const char *)impi.p, impi.n);
	if (own->dirty[n] == NULL)
		return GBA_E_NOMEM;
	own->dirty_count++;
	return GBA_OK;
}
