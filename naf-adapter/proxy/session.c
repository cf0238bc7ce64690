/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/session.h"

#include <stdlib.h>

#include "core/codec.h"

enum session_verdict session_judge(const struct site_conf *site, const struct gba_naf_result *result, time_t now, const char **_why)
{
	time_t created = gba_naf_result_created(result);

	if (!site->token_2g && gba_naf_result_type(result) == GBA_NAF_TYPE_2G) {
		*_why = "token of a 2G bootstrapping";
		return SESSION_REFUSED;
	}
	if (site->token_max_age == 0)
		return SESSION_TAKEN;
	*_why = "age of the token is not told";
	if (created == 0)
		return SESSION_REFUSED;
	*_why = "token is too old for this site";
	return now - created < (time_t)site->token_max_age ? SESSION_TAKEN : SESSION_OLD;
}

struct bytes session_describe(TALLOC_CTX *mem_ctx, const struct gba_naf_result *result, const uint8_t ua_id[GBA_NAF_UA_ID_LEN],
			      bool uicc)
{
	static const char *const types[] = { "3g", "2g", "digest" };
	char ua[HEX_LEN(GBA_NAF_UA_ID_LEN) + 1];
	unsigned int type = gba_naf_result_type(result);

	hex_encode(BYTES(ua_id, GBA_NAF_UA_ID_LEN), ua);
	return bytes_of(talloc_asprintf(mem_ctx, "btid=\"%s\", ua=\"%s\", key=%s, type=%s, bootstrapped=%lld, expires=%lld",
					gba_naf_result_btid(result), ua, uicc ? "uicc" : "me",
					type < sizeof(types) / sizeof(types[0]) ? types[type] : "other",
					(long long)gba_naf_result_created(result), (long long)gba_naf_result_expiry(result)));
}

/* "lifetime=" and at most nine digits. */
static bool lifetime_read(struct bytes word, time_t *_seconds)
{
	static const char name[] = "lifetime=";
	size_t n = sizeof(name) - 1, i;

	if (word.n <= n || word.n > n + 9 || memcmp(word.p, name, n) != 0)
		return false;
	for (*_seconds = 0, i = n; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
		*_seconds = *_seconds * 10 + (word.p[i] - '0');
	}
	return true;
}

enum session_word session_word_read(const struct h1_head *head, time_t now, time_t *_until)
{
	struct bytes word = h1_field_find(head, "x-gba-token-control");
	time_t seconds;

	if (word.p == NULL)
		return SESSION_SAYS_NOTHING;
	if (h1_field_count(head, "x-gba-token-control") != 1)
		return SESSION_NONSENSE;
	seconds = 0;
	if (!bytes_eq_str(word, "renew") && !bytes_eq_str(word, "revoke") && !lifetime_read(word, &seconds))
		return SESSION_NONSENSE;
	*_until = now + seconds;
	if (bytes_eq_str(word, "renew"))
		return SESSION_RENEW;
	if (bytes_eq_str(word, "revoke"))
		return SESSION_REVOKE;
	return SESSION_SHORTEN;
}
