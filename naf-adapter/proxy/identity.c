/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/identity.h"

#include <inttypes.h>

#define IDENTITIES_MAX 8192 /* [octets] of one header: what servers behind take */

/* The uids of every service asked for, in the BSF's order. */
static void put_uids(struct buf *list, const struct gba_naf_result *result)
{
	size_t uss, i;
	const char *uid;

	for (uss = 0; uss < gba_naf_result_uss_count(result); uss++) {
		uint32_t gsid = gba_naf_result_uss_gsid(result, uss);

		for (i = 0; (uid = gba_naf_result_uid(result, gsid, i)) != NULL; i++) {
			if (list->n + strlen(uid) + 4 <= IDENTITIES_MAX && !identity_among(bytes_of(uid), buf_bytes(list)))
				identity_put(list, bytes_of(uid));
		}
	}
}

static void put_flags(struct buf *flags, const struct gba_naf_result *result)
{
	uint32_t gsid, flag;
	char text[16];
	size_t uss, i;

	for (uss = 0; uss < gba_naf_result_uss_count(result); uss++) {
		gsid = gba_naf_result_uss_gsid(result, uss);
		for (i = 0; gba_naf_result_flag_at(result, gsid, i, &flag) && flags->n < IDENTITIES_MAX; i++) {
			snprintf(text, sizeof(text), "%" PRIu32, flag);
			if (!identity_among(bytes_of(text), buf_bytes(flags)))
				identity_put(flags, bytes_of(text));
		}
	}
}

static void put_by_policy(struct buf *list, uint32_t policy, const struct gba_naf_result *result)
{
	const char *impi = gba_naf_result_impi(result);

	if (policy != IDENTITY_BTID && policy != IDENTITY_IMPI)
		put_uids(list, result);
	if (list->n == 0 && impi != NULL && policy != IDENTITY_UIDS && policy != IDENTITY_BTID)
		identity_put(list, bytes_of(impi));
	if (list->n == 0 && (policy == IDENTITY_UIDS_IMPI_BTID || policy == IDENTITY_BTID))
		identity_put(list, bytes_of(gba_naf_result_btid(result)));
}

static struct bytes keep(TALLOC_CTX *mem_ctx, struct buf *text, bool *_good)
{
	uint8_t *copy = NULL;
	size_t n = text->n;

	if (n > 0)
		copy = talloc_memdup(mem_ctx, text->p + text->head, n);
	*_good = *_good && (n == 0 || copy != NULL);
	buf_free(text);
	return copy != NULL ? BYTES(copy, n) : BYTES_NONE;
}

enum gba_err identity_of_result(TALLOC_CTX *mem_ctx, const struct site_conf *site, const struct gba_naf_result *result,
				struct asserted *_who)
{
	struct buf list = { 0 }, flags = { 0 };
	const char *btid = talloc_strdup(mem_ctx, gba_naf_result_btid(result));
	struct asserted who = { .btid = bytes_of(btid) };
	struct bytes rest;
	bool good = btid != NULL;

	put_by_policy(&list, site->identity, result);
	if (site->flags_header)
		put_flags(&flags, result);
	who.list = keep(mem_ctx, &list, &good);
	who.flags = keep(mem_ctx, &flags, &good);
	if (!good)
		return GBA_E_NOMEM;
	if (who.list.p == NULL)
		return GBA_E_NOT_AUTHORIZED;
	rest = BYTES(who.list.p + 1, who.list.n - 1);
	bytes_split(rest, '"', &who.user, &rest);
	*_who = who;
	return GBA_OK;
}
