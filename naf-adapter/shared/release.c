/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/shared/release.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const release_policy_names[] = { "uids", "uids-btid", "uids-impi", "uids-impi-btid", "btid", "impi", NULL };

static const struct { bool uids, impi, btid; } policies[] = {
	[RELEASE_UIDS]           = { true,  false, false },
	[RELEASE_UIDS_BTID]      = { true,  false, true },
	[RELEASE_UIDS_IMPI]      = { true,  true,  false },
	[RELEASE_UIDS_IMPI_BTID] = { true,  true,  true },
	[RELEASE_BTID]           = { false, false, true },
	[RELEASE_IMPI]           = { false, true,  false },
};

static bool identity_valid(struct bytes identity)
{
	size_t i;

	for (i = 0; i < identity.n; i++) {
		if (identity.p[i] <= 0x20 || identity.p[i] >= 0x7f || identity.p[i] == '"' || identity.p[i] == '\\')
			return false;
	}
	return identity.n > 0;
}

bool release_among(struct bytes wanted, struct bytes list)
{
	struct bytes rest = list, item;

	if (wanted.n >= 2 && wanted.p[0] == '"' && wanted.p[wanted.n - 1] == '"')
		wanted = BYTES(wanted.p + 1, wanted.n - 2);
	if (!identity_valid(wanted))
		return false;
	while (bytes_split(rest, '"', &item, &rest) && bytes_split(rest, '"', &item, &rest)) {
		if (bytes_eq(item, wanted))
			return true;
	}
	return false;
}

enum gba_err release_put(char **list, const char *identity)
{
	size_t n = strlen(*list);

	if (!identity_valid(bytes_of(identity)) || n + strlen(identity) + 4 > RELEASE_LIST_MAX ||
	    release_among(bytes_of(identity), bytes_of(*list)))
		return GBA_OK;
	*list = talloc_asprintf_append_buffer(*list, "%s\"%s\"", n > 0 ? ", " : "", identity);
	return *list != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* The uids of every service asked for, in the BSF's order. */
static enum gba_err put_uids(char **list, const struct gba_naf_result *result)
{
	enum gba_err err = GBA_OK;
	const char *uid;
	size_t uss, i;

	for (uss = 0; uss < gba_naf_result_uss_count(result); uss++) {
		uint32_t gsid = gba_naf_result_uss_gsid(result, uss);

		for (i = 0; err == GBA_OK && (uid = gba_naf_result_uid(result, gsid, i)) != NULL; i++)
			err = release_put(list, uid);
	}
	return err;
}

static enum gba_err put_flags(char **list, const struct gba_naf_result *result)
{
	enum gba_err err = GBA_OK;
	uint32_t gsid, flag;
	char text[16];
	size_t uss, i;

	for (uss = 0; uss < gba_naf_result_uss_count(result); uss++) {
		gsid = gba_naf_result_uss_gsid(result, uss);
		for (i = 0; err == GBA_OK && gba_naf_result_flag_at(result, gsid, i, &flag); i++) {
			snprintf(text, sizeof(text), "%" PRIu32, flag);
			err = release_put(list, text);
		}
	}
	return err;
}

static enum gba_err put_by_policy(char **list, enum release_policy policy, const struct gba_naf_result *result)
{
	const char *impi = gba_naf_result_impi(result);
	enum gba_err err = GBA_OK;

	if (policies[policy].uids)
		err = put_uids(list, result);
	if (err == GBA_OK && **list == '\0' && policies[policy].impi && impi != NULL)
		err = release_put(list, impi);
	if (err == GBA_OK && **list == '\0' && policies[policy].btid)
		err = release_put(list, gba_naf_result_btid(result));
	return err;
}

enum gba_err release_of_result(TALLOC_CTX *mem_ctx, enum release_policy policy, bool flags, const struct gba_naf_result *result,
			       struct released *_told)
{
	char *list = talloc_strdup(mem_ctx, ""), *set = talloc_strdup(mem_ctx, ""), *user;
	enum gba_err err;

	if (list == NULL || set == NULL)
		return GBA_E_NOMEM;
	err = put_by_policy(&list, policy, result);
	if (err == GBA_OK && flags)
		err = put_flags(&set, result);
	if (err != GBA_OK)
		return err;
	if (*list == '\0')
		return GBA_E_NOT_AUTHORIZED;
	user = talloc_strndup(mem_ctx, list + 1, strcspn(list + 1, "\""));
	if (user == NULL)
		return GBA_E_NOMEM;
	*_told = (struct released){ list, user, *set != '\0' ? set : NULL };
	return GBA_OK;
}
