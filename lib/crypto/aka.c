/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aka.h"

#include "core/secret.h"
#include "crypto/milenage.h"
#include "crypto/sqn.h"
#include "crypto/tuak.h"

#define TUAK_ITERATIONS_MAX 255
/* Where the parts of AUTN and AUTS begin, TS 33.102 6.3.2 and 6.3.3. */
enum { AUTN_AMF = AKA_SQN_LEN, AUTN_MAC = AKA_SQN_LEN + AKA_AMF_LEN, AUTS_MAC = AKA_SQN_LEN };

static const uint8_t amf_star[AKA_AMF_LEN]; /* 0000 in MAC-S, 6.3.3 */

/* What f1..f5 give, whatever the algorithm. */
struct outputs {
	uint8_t mac_a[AKA_MAC_LEN], ak[AKA_AK_LEN];
	struct aka_vector v; /* xres, ck, ik */
};

static bool tuak_iterations_good(unsigned int n)
{
	return n >= 1 && n <= TUAK_ITERATIONS_MAX;
}

enum gba_err aka_key_check(const struct aka_key *key)
{
	bool good = false;

	if (key->alg == AKA_MILENAGE)
		good = key->k_len == 16 && key->res_len >= 4 && key->res_len <= 8;
	else if (key->alg == AKA_TUAK)
		good = (key->k_len == 16 || key->k_len == 32) && tuak_iterations_good(key->tuak_iterations) &&
		       (key->res_len == 4 || key->res_len == 8 || key->res_len == 16 || key->res_len == 32);
	return good ? GBA_OK : GBA_E_RANGE;
}

static struct tuak tuak_of(const struct aka_key *key)
{
	return (struct tuak){ .k = BYTES(key->k, key->k_len), .iterations = key->tuak_iterations,
			      .mac_len = AKA_MAC_LEN, .res_len = key->res_len,
			      .ck_len = AKA_CK_LEN, .ik_len = AKA_IK_LEN };
}

enum gba_err aka_opc_from_op(enum aka_alg alg, struct bytes k, struct bytes op, unsigned int tuak_iterations,
			     uint8_t opc[AKA_OPC_MAX])
{
	const struct tuak t = { .k = k, .iterations = tuak_iterations };

	if (alg == AKA_MILENAGE) {
		if (k.n != 16 || op.n != 16)
			return GBA_E_RANGE;
		milenage_opc(k.p, op.p, opc);
		return GBA_OK;
	}
	if (alg != AKA_TUAK || op.n != 32 || !tuak_iterations_good(tuak_iterations))
		return GBA_E_RANGE;
	return tuak_topc(&t, op.p, opc) ? GBA_OK : GBA_E_RANGE;
}

static void f2345(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], struct outputs *out)
{
	const struct tuak t = tuak_of(key);
	struct milenage_out m;

	out->v.xres_len = key->res_len;
	if (key->alg == AKA_TUAK) {
		tuak_f2345(&t, key->opc, rand, out->v.xres, out->v.ck, out->v.ik, out->ak);
		return;
	}
	milenage_f2345(key->k, key->opc, rand, &m);
	memcpy(out->v.xres, m.res, key->res_len);
	memcpy(out->v.ck, m.ck, sizeof(m.ck));
	memcpy(out->v.ik, m.ik, sizeof(m.ik));
	memcpy(out->ak, m.ak, sizeof(m.ak));
	SECRET_WIPE(m);
}

static void f1(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], const uint8_t sqn[AKA_SQN_LEN],
	       const uint8_t amf[AKA_AMF_LEN], uint8_t mac_a[AKA_MAC_LEN])
{
	const struct tuak t = tuak_of(key);
	uint8_t mac_s[AKA_MAC_LEN];

	if (key->alg == AKA_TUAK) {
		tuak_f1(&t, key->opc, rand, sqn, amf, mac_a);
		return;
	}
	milenage_f1(key->k, key->opc, rand, sqn, amf, mac_a, mac_s);
	SECRET_WIPE(mac_s);
}

static void all(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], const uint8_t sqn[AKA_SQN_LEN],
		const uint8_t amf[AKA_AMF_LEN], struct outputs *out)
{
	struct milenage_out m;

	if (key->alg == AKA_TUAK) {
		f1(key, rand, sqn, amf, out->mac_a);
		f2345(key, rand, out);
		return;
	}
	milenage_all(key->k, key->opc, rand, sqn, amf, &m);
	out->v.xres_len = key->res_len;
	memcpy(out->v.xres, m.res, key->res_len);
	memcpy(out->v.ck, m.ck, sizeof(m.ck));
	memcpy(out->v.ik, m.ik, sizeof(m.ik));
	memcpy(out->mac_a, m.mac_a, sizeof(m.mac_a));
	memcpy(out->ak, m.ak, sizeof(m.ak));
	SECRET_WIPE(m);
}

/* f1* and f5*: MAC-S over SQN_MS with AMF*, and AK* */
static void auts_mac(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], const uint8_t sqn[AKA_SQN_LEN],
		     uint8_t mac_s[AKA_MAC_LEN])
{
	const struct tuak t = tuak_of(key);
	uint8_t mac_a[AKA_MAC_LEN];

	if (key->alg == AKA_TUAK) {
		tuak_f1_star(&t, key->opc, rand, sqn, amf_star, mac_s);
		return;
	}
	milenage_f1(key->k, key->opc, rand, sqn, amf_star, mac_a, mac_s);
	SECRET_WIPE(mac_a);
}

static void auts_ak(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], uint8_t ak_star[AKA_AK_LEN])
{
	const struct tuak t = tuak_of(key);
	struct milenage_out m;

	if (key->alg == AKA_TUAK) {
		tuak_f5_star(&t, key->opc, rand, ak_star);
		return;
	}
	milenage_f2345(key->k, key->opc, rand, &m);
	memcpy(ak_star, m.ak_star, sizeof(m.ak_star));
	SECRET_WIPE(m);
}

static void xor_into(uint8_t *out, const uint8_t *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] ^= with[i];
}

/* AUTN = (SQN ^ AK) || AMF || MAC, 6.3.2 */
enum gba_err aka_vector_make(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], uint64_t sqn,
			     const uint8_t amf[AKA_AMF_LEN], struct aka_vector *_vector)
{
	uint8_t sqn_octets[AKA_SQN_LEN];
	struct outputs out;
	enum gba_err err = aka_key_check(key);

	if (err != GBA_OK)
		return err;
	if (sqn > AKA_SQN_MAX)
		return GBA_E_RANGE;
	sqn_to_octets(sqn, sqn_octets);
	all(key, rand, sqn_octets, amf, &out);
	memcpy(out.v.rand, rand, AKA_RAND_LEN);
	memcpy(out.v.autn, sqn_octets, AKA_SQN_LEN);
	xor_into(out.v.autn, out.ak, AKA_AK_LEN);
	memcpy(out.v.autn + AUTN_AMF, amf, AKA_AMF_LEN);
	memcpy(out.v.autn + AUTN_MAC, out.mac_a, AKA_MAC_LEN);
	*_vector = out.v;
	SECRET_WIPE(out);
	SECRET_WIPE(sqn_octets);
	return GBA_OK;
}

enum gba_err aka_auts_check(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN],
			    const uint8_t auts[AKA_AUTS_LEN], uint64_t *_sqn_ms)
{
	uint8_t sqn[AKA_SQN_LEN], mac_s[AKA_MAC_LEN];
	enum gba_err err = aka_key_check(key);

	if (err != GBA_OK)
		return err;
	auts_ak(key, rand, sqn);
	xor_into(sqn, auts, AKA_SQN_LEN);
	auts_mac(key, rand, sqn, mac_s);
	if (!bytes_eq_secret(BYTES(auts + AUTS_MAC, AKA_MAC_LEN), BYTES(mac_s, sizeof(mac_s))))
		err = GBA_E_AUTS;
	if (err == GBA_OK)
		*_sqn_ms = sqn_from_octets(sqn);
	SECRET_WIPE(sqn);
	SECRET_WIPE(mac_s);
	return err;
}

enum gba_err aka_challenge_check(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN],
				 const uint8_t autn[AKA_AUTN_LEN], const uint8_t *mac_mask, struct aka_vector *_vector,
				 uint64_t *_sqn)
{
	uint8_t sqn[AKA_SQN_LEN];
	struct outputs out;
	enum gba_err err = aka_key_check(key);

	if (err != GBA_OK)
		return err;
	f2345(key, rand, &out);
	memcpy(sqn, autn, AKA_SQN_LEN);
	xor_into(sqn, out.ak, AKA_AK_LEN);
	f1(key, rand, sqn, autn + AUTN_AMF, out.mac_a);
	if (mac_mask != NULL)
		xor_into(out.mac_a, mac_mask, AKA_MAC_LEN);
	if (!bytes_eq_secret(BYTES(autn + AUTN_MAC, AKA_MAC_LEN), BYTES(out.mac_a, AKA_MAC_LEN)))
		err = GBA_E_AKA_MAC;
	if (err == GBA_OK) {
		memcpy(out.v.rand, rand, AKA_RAND_LEN);
		memcpy(out.v.autn, autn, AKA_AUTN_LEN);
		*_vector = out.v;
		*_sqn = sqn_from_octets(sqn);
	}
	SECRET_WIPE(out);
	SECRET_WIPE(sqn);
	return err;
}

void aka_ck_ik(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], uint8_t ck[AKA_CK_LEN],
	       uint8_t ik[AKA_IK_LEN])
{
	struct outputs out = { 0 };

	if (aka_key_check(key) == GBA_OK)
		f2345(key, rand, &out);
	memcpy(ck, out.v.ck, AKA_CK_LEN);
	memcpy(ik, out.v.ik, AKA_IK_LEN);
	SECRET_WIPE(out);
}

enum gba_err aka_auts_make(const struct aka_key *key, const uint8_t rand[AKA_RAND_LEN], uint64_t sqn_ms,
			   uint8_t auts[AKA_AUTS_LEN])
{
	uint8_t sqn[AKA_SQN_LEN], ak_star[AKA_AK_LEN];
	enum gba_err err = aka_key_check(key);

	if (err != GBA_OK)
		return err;
	if (sqn_ms > AKA_SQN_MAX)
		return GBA_E_RANGE;
	sqn_to_octets(sqn_ms, sqn);
	auts_mac(key, rand, sqn, auts + AUTS_MAC);
	auts_ak(key, rand, ak_star);
	memcpy(auts, sqn, AKA_SQN_LEN);
	xor_into(auts, ak_star, AKA_AK_LEN);
	SECRET_WIPE(sqn);
	SECRET_WIPE(ak_star);
	return GBA_OK;
}
