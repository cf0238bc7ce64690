/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/libnaf/result.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct gba_naf_result {
	atomic_uint owners;
	size_t octets; /* of the whole chunk */
	char btid[WIRE_BTID_MAX + 1], fqdn[WIRE_FQDN_MAX + 1];
	struct wire_key key; /* views into body */
	uint8_t body[];
};

enum gba_naf_error result_new(struct wire_view body, const char *btid, const char *fqdn, struct gba_naf_result **_result)
{
	struct gba_naf_result *result = calloc(1, sizeof(*result) + body.n);

	if (result == NULL)
		return GBA_NAF_E_NOMEM;
	atomic_init(&result->owners, 1);
	result->octets = sizeof(*result) + body.n;
	memcpy(result->body, body.p, body.n);
	strncpy(result->btid, btid, WIRE_BTID_MAX);
	strncpy(result->fqdn, fqdn, WIRE_FQDN_MAX);
	if (wire_key_decode((struct wire_view){ result->body, body.n }, &result->key) != NULL) {
		gba_naf_result_free(result);
		return GBA_NAF_E_PROTOCOL;
	}
	*_result = result;
	return GBA_NAF_OK;
}

struct gba_naf_result *gba_naf_result_ref(struct gba_naf_result *result)
{
	if (result != NULL)
		atomic_fetch_add(&result->owners, 1);
	return result;
}

void gba_naf_result_free(struct gba_naf_result *result)
{
	if (result == NULL || atomic_fetch_sub(&result->owners, 1) != 1)
		return;
	explicit_bzero(result, result->octets);
	free(result);
}

enum gba_naf_notice_kind gba_naf_notice_kind(const struct gba_naf_notice *notice)
{
	return notice->kind;
}

int gba_naf_notice_concerns(const struct gba_naf_notice *notice, const struct gba_naf_result *result)
{
	if (notice->kind == GBA_NAF_DOUBTFUL)
		return 1;
	return result->key.digest != NULL && wire_notice_names(notice->body, result->key.digest, result->fqdn);
}

bool result_has_digest(const struct gba_naf_result *result)
{
	return result->key.digest != NULL;
}

const uint8_t *gba_naf_result_key(const struct gba_naf_result *result)
{
	return result->key.ks_naf;
}

const uint8_t *gba_naf_result_int_key(const struct gba_naf_result *result)
{
	return result->key.ks_int_naf;
}

time_t gba_naf_result_expiry(const struct gba_naf_result *result)
{
	return (time_t)result->key.expiry;
}

time_t gba_naf_result_created(const struct gba_naf_result *result)
{
	return (time_t)result->key.created;
}

enum gba_naf_type gba_naf_result_type(const struct gba_naf_result *result)
{
	return (enum gba_naf_type)result->key.gba_type;
}

const char *gba_naf_result_btid(const struct gba_naf_result *result)
{
	return result->btid;
}

const char *gba_naf_result_fqdn(const struct gba_naf_result *result)
{
	return result->fqdn;
}

const char *gba_naf_result_impi(const struct gba_naf_result *result)
{
	return result->key.impi;
}

const char *gba_naf_result_uss_xml(const struct gba_naf_result *result)
{
	return result->key.uss_xml;
}

size_t gba_naf_result_uss_count(const struct gba_naf_result *result)
{
	struct wire_view uss;
	size_t n = 0;

	while (wire_element_at(result->key.uss, WIRE_T_USS, n, &uss))
		n++;
	return n;
}

uint32_t gba_naf_result_uss_gsid(const struct gba_naf_result *result, size_t index)
{
	struct wire_view uss, gsid;

	if (!wire_element_at(result->key.uss, WIRE_T_USS, index, &uss) || !wire_element_at(uss, WIRE_T_GSID, 0, &gsid))
		return 0;
	return wire_u32(gsid);
}

const char *gba_naf_result_uid(const struct gba_naf_result *result, uint32_t gsid, size_t index)
{
	struct wire_view uss, uid;

	if (!wire_uss_find(result->key.uss, gsid, &uss) || !wire_element_at(uss, WIRE_T_UID, index, &uid))
		return NULL;
	return (const char *)uid.p;
}

int gba_naf_result_flag_at(const struct gba_naf_result *result, uint32_t gsid, size_t index, uint32_t *_flag)
{
	struct wire_view uss, flag;

	if (!wire_uss_find(result->key.uss, gsid, &uss) || !wire_element_at(uss, WIRE_T_FLAG, index, &flag))
		return 0;
	*_flag = wire_u32(flag);
	return 1;
}

int gba_naf_result_flag(const struct gba_naf_result *result, uint32_t gsid, uint32_t flag)
{
	uint32_t set;
	size_t i;

	for (i = 0; gba_naf_result_flag_at(result, gsid, i, &set); i++) {
		if (set == flag)
			return 1;
	}
	return 0;
}
