/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/milenage.h"

#include "core/secret.h"
#include "crypto/handles.h"

/* TS 35.206 4.1: r1..r5 are 64, 0, 32, 64, 96 bits; c1 is zero, c2..c5 are 1, 2, 4, 8 in the last octet. Rotation is
 * toward the most significant bit, so octet i of the result is octet i + r/8 of the input. */
enum { R1 = 8, R2 = 0, R3 = 4, R4 = 8, R5 = 12 }; /* [octets] */
enum { C2 = 1, C3 = 2, C4 = 4, C5 = 8 };
#define BLOCK 16

static void xor_block(uint8_t out[BLOCK], const uint8_t a[BLOCK], const uint8_t b[BLOCK])
{
	for (int i = 0; i < BLOCK; i++)
		out[i] = a[i] ^ b[i];
}

/* out = rot(in, r) */
static void rot(uint8_t out[BLOCK], const uint8_t in[BLOCK], int r)
{
	memcpy(out, in + r, BLOCK - r);
	memcpy(out + BLOCK - r, in, r);
}

/* TEMP = E(K, RAND ^ OPc), with K left in the handle */
static gcry_cipher_hd_t start(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], uint8_t temp[BLOCK])
{
	gcry_cipher_hd_t aes = handle_aes128(k);

	xor_block(temp, rand, opc);
	handle_aes128_encrypt(aes, temp, 1);
	return aes;
}

/* IN1 = SQN || AMF || SQN || AMF;  OUT1 = E(K, TEMP ^ rot(IN1 ^ OPc, r1) ^ c1) ^ OPc */
static void out1(gcry_cipher_hd_t aes, const uint8_t opc[16], const uint8_t temp[BLOCK], const uint8_t sqn[6],
		 const uint8_t amf[2], uint8_t out[BLOCK])
{
	uint8_t in1[BLOCK];

	memcpy(in1, sqn, 6);
	memcpy(in1 + 6, amf, 2);
	memcpy(in1 + 8, in1, 8);
	xor_block(in1, in1, opc);
	rot(out, in1, R1);
	xor_block(out, out, temp);
	handle_aes128_encrypt(aes, out, 1);
	xor_block(out, out, opc);
	SECRET_WIPE(in1); /* SQN ^ OPc */
}

/* OUTn = E(K, rot(TEMP ^ OPc, rn) ^ cn) ^ OPc for n = 2..5 */
static void out2345(gcry_cipher_hd_t aes, const uint8_t opc[16], const uint8_t temp[BLOCK], uint8_t out[4][BLOCK])
{
	static const struct {
		uint8_t r, c;
	} rows[4] = { { R2, C2 }, { R3, C3 }, { R4, C4 }, { R5, C5 } };
	uint8_t base[BLOCK];

	xor_block(base, temp, opc);
	for (int i = 0; i < 4; i++) {
		rot(out[i], base, rows[i].r);
		out[i][BLOCK - 1] ^= rows[i].c;
	}
	handle_aes128_encrypt(aes, out[0], 4);
	for (int i = 0; i < 4; i++)
		xor_block(out[i], out[i], opc);
	SECRET_WIPE(base);
}

static void take_f1(const uint8_t out1_[BLOCK], uint8_t mac_a[8], uint8_t mac_s[8])
{
	memcpy(mac_a, out1_, 8);
	memcpy(mac_s, out1_ + 8, 8);
}

static void take_f2345(uint8_t outs[4][BLOCK], struct milenage_out *out)
{
	memcpy(out->ak, outs[0], 6);
	memcpy(out->res, outs[0] + 8, 8);
	memcpy(out->ck, outs[1], 16);
	memcpy(out->ik, outs[2], 16);
	memcpy(out->ak_star, outs[3], 6);
}

/* OPc = OP ^ E(K, OP) */
void milenage_opc(const uint8_t k[16], const uint8_t op[16], uint8_t opc[16])
{
	gcry_cipher_hd_t aes = handle_aes128(k);
	uint8_t e[BLOCK];

	memcpy(e, op, sizeof(e));
	handle_aes128_encrypt(aes, e, 1);
	handle_aes128_done(aes);
	xor_block(opc, e, op);
	SECRET_WIPE(e);
}

void milenage_f1(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
		 const uint8_t amf[2], uint8_t mac_a[8], uint8_t mac_s[8])
{
	uint8_t temp[BLOCK], out[BLOCK];
	gcry_cipher_hd_t aes = start(k, opc, rand, temp);

	out1(aes, opc, temp, sqn, amf, out);
	handle_aes128_done(aes);
	take_f1(out, mac_a, mac_s);
	SECRET_WIPE(temp);
	SECRET_WIPE(out);
}

void milenage_f2345(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], struct milenage_out *out)
{
	uint8_t temp[BLOCK], outs[4][BLOCK];
	gcry_cipher_hd_t aes = start(k, opc, rand, temp);

	out2345(aes, opc, temp, outs);
	handle_aes128_done(aes);
	take_f2345(outs, out);
	SECRET_WIPE(temp);
	SECRET_WIPE(outs);
}

void milenage_all(const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
		  const uint8_t amf[2], struct milenage_out *out)
{
	uint8_t temp[BLOCK], first[BLOCK], outs[4][BLOCK];
	gcry_cipher_hd_t aes = start(k, opc, rand, temp);

	out1(aes, opc, temp, sqn, amf, first);
	out2345(aes, opc, temp, outs);
	handle_aes128_done(aes);
	take_f1(first, out->mac_a, out->mac_s);
	take_f2345(outs, out);
	SECRET_WIPE(temp);
	SECRET_WIPE(first);
	SECRET_WIPE(outs);
}
