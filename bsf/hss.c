/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/hss.h"

#define VENDOR_3GPP 10415
#define AKA_SCHEME  "Digest-AKAv1-MD5" /* TS 29.229 6.3.9 */

/* Results that are not 2xxx; what has no row is an answer we cannot use. */
static const struct {
	uint32_t vendor, code;
	enum gba_err err;
} results[] = {
	{ VENDOR_3GPP, 5401, GBA_E_IMPI_UNKNOWN },   /* DIAMETER_ERROR_IDENTITY_UNKNOWN, TS 29.109 6.2 */
	{ VENDOR_3GPP, 5001, GBA_E_IMPI_UNKNOWN },   /* DIAMETER_ERROR_USER_UNKNOWN: an HSS that answers Zh with codes of Cx */
	{ VENDOR_3GPP, 5402, GBA_E_NOT_AUTHORIZED }, /* DIAMETER_ERROR_NOT_AUTHORIZED */
	{ 0, 3002, GBA_E_UNREACHABLE },		     /* UNABLE_TO_DELIVER */
	{ 0, 3003, GBA_E_UNREACHABLE },		     /* REALM_NOT_SERVED */
	{ 0, 3004, GBA_E_BUSY },		     /* TOO_BUSY */
};

enum gba_err hss_result(uint32_t vendor, uint32_t code, bool resync)
{
	size_t i;

	if (vendor == 0 && code >= 2000 && code < 3000)
		return GBA_OK;
	if (vendor == 0 && code == 5012 && resync)
		return GBA_E_AUTS;
	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i].vendor == vendor && results[i].code == code)
			return results[i].err;
	}
	return GBA_E_PEER;
}

bool hss_try_next(enum gba_err err)
{
	return err == GBA_E_UNREACHABLE || err == GBA_E_TIMEOUT || err == GBA_E_BUSY;
}

enum gba_err hss_answer_vector(const struct hss_answer *answer, struct bytes impi, struct aka_vector *_vector)
{
	if (answer->user_name.p != NULL && !bytes_eq(answer->user_name, impi))
		return GBA_E_PEER; /* a vector for somebody else must not authenticate this one */
	if (answer->scheme.p != NULL && !bytes_eq_nocase(answer->scheme, bytes_of(AKA_SCHEME)))
		return GBA_E_PEER;
	if (answer->authenticate.n != AKA_RAND_LEN + AKA_AUTN_LEN || answer->ck.n != AKA_CK_LEN || answer->ik.n != AKA_IK_LEN)
		return GBA_E_PEER;
	if (answer->authorization.n < 4 || answer->authorization.n > AKA_RES_MAX) /* TS 33.102 6.3.7; TUAK up to 256 bits */
		return GBA_E_PEER;
	memcpy(_vector->rand, answer->authenticate.p, AKA_RAND_LEN);
	memcpy(_vector->autn, answer->authenticate.p + AKA_RAND_LEN, AKA_AUTN_LEN);
	memcpy(_vector->xres, answer->authorization.p, answer->authorization.n);
	_vector->xres_len = answer->authorization.n;
	memcpy(_vector->ck, answer->ck.p, AKA_CK_LEN);
	memcpy(_vector->ik, answer->ik.p, AKA_IK_LEN);
	return GBA_OK;
}
