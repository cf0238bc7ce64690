/* SPDX-License-Identifier: Apache-2.0 */
/* Operators and IoT service providers with their resource and authentication servers (Y.OBF 9.2.2). */
#include <ctype.h>

#include "hss-stub/mapping/mapping_priv.h"

BEFORE(provider_before)
{
	id_rule rule = now != NULL && old == NULL ? id_rule_asp(now->v[PROVIDER_TYPE].n) : NULL;
	const char *why = "";
	enum gba_err err;

	(void)m;
	if (rule == NULL || now->v[PROVIDER_IDENTITY].t.p == NULL)
		return GBA_OK;
	err = rule(now->v[PROVIDER_IDENTITY].t, &why);
	return err == GBA_OK ? GBA_OK : record_refuse(call, err, "identity", "%s", why);
}

static enum gba_err provider_active(struct records *m, struct record_call *call, int64_t provider)
{
	struct db_stmt *stmt = NULL;
	int64_t state = PROVIDER_SUSPENDED;
	enum gba_err err;

	err = records_stmt(m, "SELECT state FROM provider WHERE id = ?1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, provider);
	err = records_int(stmt, &state);
	if (err == GBA_OK && state != PROVIDER_ACTIVE)
		return record_refuse(call, GBA_E_STATE, "provider", "the provider is not active");
	return err;
}

/* The same letters, whoever writes them: lists are compared as text. */
static enum gba_err realms_lower(struct record *now)
{
	struct bytes realms = now->v[SERVER_IMPI_REALMS].t;
	uint8_t *text;
	size_t i;

	text = talloc_size(now, realms.n + 1);
	if (text == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < realms.n; i++)
		text[i] = (uint8_t)tolower(realms.p[i]);
	text[realms.n] = '\0';
	now->v[SERVER_IMPI_REALMS].t = BYTES(text, realms.n);
	return GBA_OK;
}

/* Keys of a realm's users are with one provider, or nobody could tell whom to ask. */
static enum gba_err realm_free(struct records *m, struct record_call *call, const struct record *now, struct bytes realm)
{
	char *like = talloc_asprintf(call->mem_ctx, "%%\n%.*s\n%%", BYTES_FMT(realm));
	struct db_stmt *stmt = NULL;
	int64_t id = 0;
	enum gba_err err;

	err = like == NULL ? GBA_E_NOMEM : records_stmt(m,
			   "SELECT id FROM server WHERE provider <> ?1 AND impi_realms IS NOT NULL"
			   " AND (?2 || impi_realms || ?2) LIKE ?3 ORDER BY id LIMIT 1", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now->v[SERVER_PROVIDER].n);
	db_bind_text(stmt, 2, bytes_of("\n"));
	db_bind_text(stmt, 3, bytes_of(like));
	err = records_int(stmt, &id);
	if (err == GBA_OK)
		return record_refuse(call, GBA_E_STATE, "impi_realms", "%.*s: another provider has the keys of this realm",
				     BYTES_FMT(realm));
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

BEFORE(server_before)
{
	struct bytes left, realm;
	enum gba_err err = GBA_OK;

	if (now == NULL || now->v[SERVER_PROVIDER].n == 0)
		return GBA_OK;
	if (old == NULL)
		err = provider_active(m, call, now->v[SERVER_PROVIDER].n);
	left = now->v[SERVER_IMPI_REALMS].t;
	if (err != GBA_OK || left.p == NULL)
		return err;
	if (now->v[SERVER_FUNCTION].n != SERVER_RESOURCE)
		return record_refuse(call, GBA_E_STATE, "impi_realms", "only a resource server has keys");
	err = realms_lower(now);
	for (left = now->v[SERVER_IMPI_REALMS].t; err == GBA_OK && left.n > 0;) {
		struct bytes all = left;

		if (!bytes_split(all, '\n', &realm, &left)) {
			realm = all;
			left = BYTES("", 0);
		}
		err = realm_free(m, call, now, realm);
	}
	return err;
}
