/* SPDX-License-Identifier: Apache-2.0 */
/* End-point identifiers that resist tampering, as connectivity providers list them (TEC 31188 3.1): a provider lists what begins
 * as its networks do, and nobody but it and the privacy role sees those of persons. */
#include "registry-fn/listing/listing.h"

static bool begins(struct bytes text, struct bytes prefix)
{
	return bytes_eq_str(prefix, "*") || (text.n >= prefix.n && memcmp(text.p, prefix.p, prefix.n) == 0);
}

/* "imsi:40445" for 404450000000001; separators of the canonical form do not count: mac:001b63. */
static bool in_networks(struct bytes networks, const struct scheme *scheme, const char *value)
{
	char plain[IDENTIFIER_MAX + 1];
	struct bytes line, word, prefix;
	size_t n = 0;

	for (; *value != '\0'; value++) {
		if (*value != ':')
			plain[n++] = *value;
	}
	while (networks.p != NULL) {
		if (!bytes_split(networks, '\n', &line, &networks)) {
			line = networks;
			networks = BYTES_NONE;
		}
		if (bytes_split(line, ':', &word, &prefix) && bytes_eq_str(word, scheme->word) && begins(BYTES(plain, n), prefix))
			return true;
	}
	return false;
}

static enum gba_err provider_check(struct records *r, struct record_call *call, const struct record *now,
				   const struct scheme *scheme)
{
	struct record *provider = NULL;
	enum gba_err err = record_load(r, call->mem_ctx, REG_PARTY, now->v[ENDPOINT_PROVIDER].n, &provider);

	if (err != GBA_OK)
		return err;
	if (provider->v[PARTY_KIND].n != PARTY_CONNECTIVITY_PROVIDER || provider->v[PARTY_STATE].n != PARTY_REGISTERED)
		err = record_refuse(call, GBA_E_RANGE, "provider", "no registered connectivity provider");
	else if (!in_networks(provider->v[PARTY_NETWORKS].t, scheme, (const char *)now->v[ENDPOINT_VALUE].t.p))
		err = record_refuse(call, GBA_E_RANGE, "value", "not of this provider's networks");
	talloc_free(provider);
	return err;
}

static enum gba_err value_canonical(struct record_call *call, struct record *now, const struct scheme *scheme)
{
	char out[IDENTIFIER_MAX + 1];
	const char *why = "";
	enum gba_err err = scheme_canonical(scheme, now->v[ENDPOINT_VALUE].t, out, &why);

	if (err != GBA_OK)
		return record_refuse(call, err, "value", "%s", why);
	now->v[ENDPOINT_TYPE].n = scheme->is;
	now->v[ENDPOINT_NAMES].n = scheme->names;
	now->v[ENDPOINT_PERSONAL].n = scheme->personal;
	return records_keep(now, bytes_of(out), &now->v[ENDPOINT_VALUE].t);
}

/* The device it is kept to. */
static enum gba_err device_canonical(struct record_call *call, struct record *now)
{
	const struct scheme *scheme = &schemes[now->v[ENDPOINT_DEVICE_SCHEME].n];
	char out[IDENTIFIER_MAX + 1];
	const char *why = "";
	enum gba_err err;

	if (now->v[ENDPOINT_DEVICE].t.p == NULL)
		return GBA_OK;
	err = scheme_inherent(scheme, now->v[ENDPOINT_DEVICE].t, &scheme, out, &why);
	if (err != GBA_OK)
		return record_refuse(call, err, err == GBA_E_UNSUPPORTED ? "device_scheme" : "device", "%s", why);
	now->v[ENDPOINT_DEVICE_SCHEME].n = scheme - schemes;
	return records_keep(now, bytes_of(out), &now->v[ENDPOINT_DEVICE].t);
}

enum gba_err reg_endpoint_before(struct records *r, struct record_call *call, const struct record *old, struct record *now)
{
	const struct scheme *scheme = now != NULL ? &schemes[now->v[ENDPOINT_SCHEME].n] : NULL;
	enum gba_err err;

	if (now == NULL)
		return listing_due_endpoint(r, old->id);
	if (scheme->names == NAMES_APPLICATION)
		return record_refuse(call, GBA_E_RANGE, "scheme", "identifiers of this scheme are no end points");
	if (scheme->personal && ((FOR_PRIVACY | FOR_PROVIDER) & 1U << call->actor->role) == 0)
		return record_refuse(call, GBA_E_DENIED, "scheme",
				     "identifiers of persons are entered by their provider or the privacy role");
	err = value_canonical(call, now, scheme);
	if (err == GBA_OK)
		err = device_canonical(call, now);
	if (err != GBA_OK)
		return err;
	/* What it was about is judged again, too. Written last: what is refused has written nothing. */
	return old == NULL ? provider_check(r, call, now, scheme) : listing_due_endpoint(r, old->id);
}

enum gba_err reg_endpoint_after(struct records *r, struct record_call *call, const struct record *old, const struct record *now)
{
	(void)call, (void)old;
	return now != NULL ? listing_due_endpoint(r, now->id) : GBA_OK;
}

/* ---- devices that are judged again ---- */

#define INHERENT "d.id FROM endpoint AS e JOIN device AS d ON d.identity = e.value AND d.scheme = e.scheme WHERE "
#define FURTHER	 "i.device FROM endpoint AS e JOIN device_identity AS i ON i.value = e.value AND i.scheme = e.scheme WHERE "
#define BOUND	 "d.id FROM endpoint AS e JOIN device AS d ON d.identity = e.device AND d.scheme = e.device_scheme WHERE "
/* "<IMSI>@...": 'A' is what follows '@'. */
#define SUBSCRIBED \
	"d.id FROM endpoint AS e JOIN device AS d ON d.impi > e.value || '@' AND d.impi < e.value || 'A' WHERE e.personal <> 0 AND "
#define ALL_OF(which) \
	{ LISTING_DUE(INHERENT which), LISTING_DUE(FURTHER which), LISTING_DUE(BOUND which), LISTING_DUE(SUBSCRIBED which) }

static enum gba_err due_all(struct records *r, const char *const *sql, size_t n, int64_t id)
{
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; err == GBA_OK && i < n; i++)
		err = records_run(r, sql[i], id);
	return err;
}

enum gba_err listing_due_endpoint(struct records *r, int64_t endpoint)
{
	static const char *const sql[] = ALL_OF("e.id = ?1");

	return due_all(r, sql, sizeof(sql) / sizeof(sql[0]), endpoint);
}

enum gba_err listing_due_provider(struct records *r, int64_t party)
{
	static const char *const sql[] = ALL_OF("e.provider = ?1");

	return due_all(r, sql, sizeof(sql) / sizeof(sql[0]), party);
}
