/* SPDX-License-Identifier: Apache-2.0 */
/** UMTS AKA (TS 33.102 clause 6.3) over MILENAGE (TS 35.206) or TUAK (TS 35.231): what an AuC and a USIM compute.
 * Pure functions: no allocation, no logging, no globals; callers wipe the structs (SECRET_WIPE). */
#ifndef GBA_CRYPTO_AKA_H
#define GBA_CRYPTO_AKA_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/err.h"

#define AKA_RAND_LEN 16
#define AKA_AUTN_LEN 16
#define AKA_AUTS_LEN 14
#define AKA_SQN_LEN  6
#define AKA_AMF_LEN  2
#define AKA_AK_LEN   6
#define AKA_MAC_LEN  8 /* in AUTN and AUTS; TUAK's longer MACs exist in tuak.h only */
#define AKA_K_MAX    32
#define AKA_OPC_MAX  32 /* OPc 16, TOPc 32 */
#define AKA_RES_MAX  32
#define AKA_CK_LEN   16
#define AKA_IK_LEN   16
#define AKA_SQN_MAX  ((UINT64_C(1) << 48) - 1)

enum aka_alg { AKA_MILENAGE, AKA_TUAK };

/** A subscriber's secrets and the parameters of its algorithm. */
struct aka_key {
	enum aka_alg alg;
	uint8_t k[AKA_K_MAX];
	size_t k_len;		     /* [octets] 16; TUAK also 32 */
	uint8_t opc[AKA_OPC_MAX];    /* OPc (16 octets) or TOPc (32) */
	size_t res_len;		     /* [octets] MILENAGE 4..8 (f2 cut at the end), default 8; TUAK 4, 8, 16, 32 */
	unsigned int tuak_iterations; /* of Keccak-f per call, 1..255; 1 by default */
};

struct aka_vector {
	uint8_t rand[AKA_RAND_LEN];
	uint8_t autn[AKA_AUTN_LEN];
	uint8_t xres[AKA_RES_MAX];
	size_t xres_len; /* [octets] */
	uint8_t ck[AKA_CK_LEN];
	uint8_t ik[AKA_IK_LEN];
};

/** Turn OP into OPc (TS 35.206 4.1) or TOP into TOPc (TS 35.231 6.1) for this K.
 * @param op   16 octets, TUAK 32
 * @retval GBA_E_RANGE  k_len, opc length or an iteration count that the algorithm does not have */
enum gba_err aka_opc_from_op(enum aka_alg alg, struct bytes k, struct bytes op, unsigned int tuak_iterations,
			     uint8_t opc[AKA_OPC_MAX]);
/** Are lengths and parameters such that the functions below can work? @retval GBA_E_RANGE */
enum gba_err aka_key_check(const struct aka_key *key);

/** Home side (TS 33.102 6.3.2). @param sqn  48 bits. @retval GBA_E_RANGE */
enum gba_err aka_vector_make(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], uint64_t sqn,
			     const uint8_t amf[AKA_AMF_LEN], struct aka_vector *_vector);
/** Home side of resynchronisation (6.3.5): verify MAC-S, computed with AMF* = 0000.
 * @param _sqn_ms  written on GBA_OK only
 * @retval GBA_E_AUTS  MAC-S wrong: nothing may change */
enum gba_err aka_auts_check(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN],
			    const uint8_t auts[AKA_AUTS_LEN], uint64_t *_sqn_ms);

/** USIM side (6.3.3): verify MAC, recover SQN; the caller checks SQN with sqn_accept() and only then uses the keys.
 * @param mac_mask  8 octets XORed into AUTN's MAC before it is compared (GBA_U's MAC*), or NULL
 * @retval GBA_E_AKA_MAC  not from this home network; nothing written */
enum gba_err aka_challenge_check(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN],
				 const uint8_t autn[AKA_AUTN_LEN], const uint8_t *mac_mask, struct aka_vector *_vector,
				 uint64_t *_sqn);
/** CK and IK alone, before AUTN is judged: the UICC needs IK to undo MAC* (TS 33.220 5.3.2).
 * @param key  one that aka_key_check() accepts */
void aka_ck_ik(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], uint8_t ck[AKA_CK_LEN],
	       uint8_t ik[AKA_IK_LEN]);
/** USIM side: AUTS = (SQN_MS ^ AK*) || MAC-S. */
enum gba_err aka_auts_make(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], uint64_t sqn_ms,
			   uint8_t auts[AKA_AUTS_LEN]);

/** Conversion functions of TS 33.102 6.8.1.2 / 6.8.2.3. res is zero-padded to 16 octets on the right. */
void aka_c2_sres(struct bytes res, uint8_t sres[4]);
void aka_c3_kc(const uint8_t ck[AKA_CK_LEN], const uint8_t ik[AKA_IK_LEN], uint8_t kc[8]);
void aka_c4_ck(const uint8_t kc[8], uint8_t ck[AKA_CK_LEN]);
void aka_c5_ik(const uint8_t kc[8], uint8_t ik[AKA_IK_LEN]);

#endif
