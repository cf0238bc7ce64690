/* SPDX-License-Identifier: Apache-2.0 */
/** From an AKA vector to a challenge on Ub and to Ks, for each kind of bootstrapping (TS 33.220 4.5.2, 5.3.2, Annex I). */
#ifndef GBA_BSF_BOOT_H
#define GBA_BSF_BOOT_H

#include "bsf/ctx.h"
#include "bsf/guss_cache.h"
#include "bsf/permit.h"
#include "crypto/aka.h"
#include "crypto/key_update.h"
#include "http/digest.h"

#define BOOT_NONCE_OCTETS (RAND_LEN + AKA_AUTN_LEN + GBA_2G_KS_INPUT_LEN) /* the last part with 2G GBA only */
#define BOOT_NONCE_MAX	  BASE64_LEN(BOOT_NONCE_OCTETS)

/** What the UE may see of a challenge, and what it was made for. */
struct challenge {
	uint8_t rand[RAND_LEN];
	char nonce[BOOT_NONCE_MAX + 1];
	enum digest_alg algorithm;
	enum ctx_type type;
	struct guss_kept *guss; /* the holder's reference; never NULL in a valid challenge */
	struct permit *permit;	/* the same; NULL: no application was named, or the HSS is a plain one */
};
/** What only the right UE knows, and what it opens. The holder wipes it. */
struct challenge_secret {
	uint8_t password[AKA_RES_MAX];
	uint8_t password_n;
	uint8_t ks[GBA_KS_LEN];
};

struct boot_how {
	enum ctx_type type;
	enum digest_alg algorithm; /* DIGEST_AKAV1_MD5 or DIGEST_AKAV2_MD5; 2G GBA is always AKAv1 */
};

/** @param guss      the reference moves into _challenge
 * @param ks_input  GBA_2G_KS_INPUT_LEN random octets, for 2G GBA */
void boot_challenge(const struct boot_how *how, const struct aka_vector *vector, struct guss_kept *guss,
		    const uint8_t *ks_input, struct challenge *_challenge, struct challenge_secret *_secret);

/** Does AUTN say that the subscriber is changing its operator and its first token here is awaited? */
bool boot_changing(const struct challenge *challenge);

#endif
