/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/answer.h"

#include "core/ident.h"
#include "core/secret.h"
#include "naf-adapter/agent/realm.h"

#define VENDOR_3GPP	10415
#define CLOCK_TOLERANCE 60 /* [s] a key that expired this little before it came: the device bootstraps again */

bool zn_answer_copy(TALLOC_CTX *mem_ctx, struct bytes from, struct bytes *_copy)
{
	uint8_t *copy;

	*_copy = BYTES_NONE;
	if (from.p == NULL)
		return true;
	copy = talloc_array(mem_ctx, uint8_t, from.n > 0 ? from.n : 1);
	if (copy == NULL)
		return false;
	secret_guard_chunk(copy);
	if (from.n > 0)
		memcpy(copy, from.p, from.n);
	*_copy = BYTES(copy, from.n);
	return true;
}

static const struct {
	uint32_t vendor, code;
	enum gba_naf_error error;
	const char *why;
} results[] = {
	{ VENDOR_3GPP, 5402, GBA_NAF_E_NOT_AUTHORIZED, "the BSF does not authorise this NAF (5402)" },
	{ VENDOR_3GPP, 5403, GBA_NAF_E_BTID_UNKNOWN,   "the BSF does not know the B-TID (5403)" },
	{ 0,           3002, GBA_NAF_E_UNREACHABLE,    "no way to the BSF (3002)" },
	{ 0,           3003, GBA_NAF_E_UNREACHABLE,    "realm not served (3003)" },
	{ 0,           3004, GBA_NAF_E_BUSY,           "the BSF is too busy (3004)" },
};

static enum gba_naf_error refusal_of(const struct zn_answer *answer, const char **_why)
{
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i].vendor == answer->vendor && results[i].code == answer->code) {
			*_why = results[i].why;
			return results[i].error;
		}
	}
	*_why = "the BSF failed with another result";
	return GBA_NAF_E_PEER;
}

static enum gba_naf_error no_answer(enum gba_err err, const char **_why)
{
	*_why = gba_strerror(err);
	switch (err) {
	case GBA_E_TIMEOUT: return GBA_NAF_E_TIMEOUT;
	case GBA_E_PEER: return GBA_NAF_E_PEER;
	case GBA_E_NOMEM: return GBA_NAF_E_NOMEM;
	case GBA_E_BUSY: return GBA_NAF_E_BUSY;
	default: return GBA_NAF_E_UNREACHABLE;
	}
}

/* NULL: all good; else what is wrong with a success (TS 29.109 5.2). */
static const char *fault_of(const struct zn_answer *a, const struct agent_conf *conf)
{
	if (a->me_key.n != GBA_NAF_KEY_LEN)
		return "ME-Key-Material is not 32 octets";
	if (a->uicc_key.p != NULL && a->uicc_key.n != GBA_NAF_KEY_LEN)
		return "UICC-Key-Material is not 32 octets";
	if (a->impi.p != NULL && !impi_valid(a->impi))
		return "User-Name is no IMPI";
	if (a->gba_type == 1 && !conf->accept_2g)
		return "bootstrapped with 2G GBA, which is not accepted here";
	if (a->gba_type > 2 || a->gba_type < -1)
		return "unknown GBA-Type";
	if (a->uss.n > ZN_USS_TAKEN_MAX)
		return "USS list too long";
	return NULL;
}

static bool record_texts(struct key_record *record, const struct zn_answer *a, const char **_why)
{
	struct guss *uss = NULL;

	*_why = "out of memory";
	if (a->impi.p != NULL) {
		record->impi = talloc_strndup(record, (const char *)a->impi.p, a->impi.n);
		if (record->impi == NULL)
			return false;
	}
	if (a->uss.n == 0)
		return true;
	record->uss_xml = talloc_strndup(record, (const char *)a->uss.p, a->uss.n);
	if (record->uss_xml == NULL)
		return false;
	if (strlen(record->uss_xml) != a->uss.n || guss_parse(record, a->uss, &uss) != GBA_OK) {
		*_why = "USS list malformed";
		return false;
	}
	record->uss = uss;
	return true;
}

static enum gba_naf_error times_of(const struct zn_answer *a, const struct agent_conf *conf, time_t now,
				   struct key_record *record, const char **_why)
{
	time_t local = now + (time_t)conf->key_lifetime_max;

	record->created = a->created;
	record->bsf_expires = a->expires;
	record->expires = a->expires > 0 && a->expires < local ? a->expires : local;
	if (record->expires > now)
		return GBA_NAF_OK;
	*_why = "Key-ExpiryTime is in the past: compare the clocks";
	return record->expires + CLOCK_TOLERANCE > now ? GBA_NAF_E_BTID_UNKNOWN : GBA_NAF_E_PEER;
}

static enum gba_naf_error record_make(TALLOC_CTX *mem_ctx, const struct zn_answer *a, const struct agent_conf *conf, time_t now,
				      struct key_record **_record, const char **_why)
{
	struct key_record *record = mem_ctx != NULL ? talloc_zero(mem_ctx, struct key_record) : NULL;
	enum gba_naf_error error;

	*_why = "out of memory";
	if (record == NULL)
		return GBA_NAF_E_NOMEM;
	secret_guard_chunk(record);
	error = times_of(a, conf, now, record, _why);
	if (error == GBA_NAF_OK && !record_texts(record, a, _why))
		error = GBA_NAF_E_PEER;
	if (error != GBA_NAF_OK) {
		talloc_free(record);
		return error;
	}
	memcpy(record->ks_naf, a->me_key.p, GBA_NAF_KEY_LEN);
	record->has_int = a->uicc_key.p != NULL;
	if (record->has_int)
		memcpy(record->ks_int_naf, a->uicc_key.p, GBA_NAF_KEY_LEN);
	record->gba_type = a->gba_type >= 0 ? a->gba_type : 0;
	*_why = "key";
	*_record = record;
	return GBA_NAF_OK;
}

enum gba_naf_error zn_answer_judge(TALLOC_CTX *mem_ctx, const struct zn_answer *answer, const struct realm_conf *realm,
				   const struct agent_conf *conf, time_t now, struct key_record **_record, const char **_why)
{
	const char *fault;

	if (answer->err != GBA_OK)
		return no_answer(answer->err, _why);
	/* 3xxx may come from any agent on the way; what the BSF itself says has to come from the B-TID's operator. */
	if (answer->vendor == 0 && answer->code / 1000 == 3)
		return refusal_of(answer, _why);
	if (!realm_may_answer(realm, answer->origin_realm)) {
		*_why = "Origin-Realm is not the one of the B-TID's operator";
		return GBA_NAF_E_PEER;
	}
	if (answer->vendor != 0 || answer->code / 1000 != 2)
		return refusal_of(answer, _why);
	fault = fault_of(answer, conf);
	if (fault != NULL) {
		*_why = fault;
		return GBA_NAF_E_PEER;
	}
	return record_make(mem_ctx, answer, conf, now, _record, _why);
}
