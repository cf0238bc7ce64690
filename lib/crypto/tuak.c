/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/tuak.h"

#include "core/secret.h"

/* TS 35.231 clause 6: one input layout, one permutation, one output layout; all fields octet-reversed in the state. */
enum {
	AT_TOPC = 0,
	AT_INSTANCE = 32,
	AT_NAME = 33,
	AT_RAND = 40,
	AT_AMF = 56,
	AT_SQN = 58,
	AT_KEY = 64,
	AT_PAD = 96,
	AT_PAD_END = 135,
};
/* Where the outputs begin; f1, f1* and TOPc begin at 0 as f2 does. */
enum { OUT_RES = 0, OUT_CK = 32, OUT_IK = 64, OUT_AK = 96 };
/* INSTANCE, 6.2: what is computed, and how long its results are. */
enum {
	INST_F1_STAR = 0x80,
	INST_F2345 = 0x40,
	INST_F5_STAR = 0xc0,
	INST_CK256 = 0x04,
	INST_IK256 = 0x02,
	INST_K256 = 0x01,
};

#define STATE 200

struct variable { /* the input that is not the same in every call */
	uint8_t instance;
	const uint8_t *top; /* TOP or TOPc */
	const uint8_t *rand, *sqn, *amf; /* NULL: zero */
};

static void reversed(uint8_t *out, const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = in[n - 1 - i];
}

static bool k_good(const struct tuak *t)
{
	return (t->k.n == 16 || t->k.n == 32) && t->iterations >= 1;
}

static bool mac_good(const struct tuak *t)
{
	return t->mac_len == 8 || t->mac_len == 16 || t->mac_len == 32;
}

static bool keys_good(const struct tuak *t)
{
	return (t->ck_len == 16 || t->ck_len == 32) && (t->ik_len == 16 || t->ik_len == 32) &&
	       (t->res_len == 4 || t->res_len == 8 || t->res_len == 16 || t->res_len == 32);
}

static uint8_t inst_k(const struct tuak *t)
{
	return t->k.n == 32 ? INST_K256 : 0;
}

static void permuted(const struct tuak *t, const struct variable *in, uint8_t state[STATE])
{
	memset(state, 0, STATE);
	reversed(state + AT_TOPC, in->top, 32);
	state[AT_INSTANCE] = in->instance | inst_k(t);
	reversed(state + AT_NAME, (const uint8_t *)"TUAK1.0", 7);
	if (in->rand != NULL)
		reversed(state + AT_RAND, in->rand, 16);
	if (in->amf != NULL)
		reversed(state + AT_AMF, in->amf, 2);
	if (in->sqn != NULL)
		reversed(state + AT_SQN, in->sqn, 6);
	reversed(state + AT_KEY, t->k.p, t->k.n);
	state[AT_PAD] = 0x1f;
	state[AT_PAD_END] = 0x80;
	for (unsigned int i = 0; i < t->iterations; i++)
		keccak_f1600(state);
}

bool tuak_topc(const struct tuak *t, const uint8_t top[32], uint8_t topc[32])
{
	const struct variable in = { .instance = 0, .top = top };
	uint8_t state[STATE];

	if (!k_good(t))
		return false;
	permuted(t, &in, state);
	reversed(topc, state, 32);
	SECRET_WIPE(state);
	return true;
}

static bool mac(const struct tuak *t, const struct variable *in, uint8_t *out)
{
	uint8_t state[STATE];

	if (!k_good(t) || !mac_good(t))
		return false;
	permuted(t, in, state);
	reversed(out, state, t->mac_len);
	SECRET_WIPE(state);
	return true;
}

/* MAClen in INSTANCE is the length in octets: 8, 16 or 32; so is RESlen, but 4 is written as 0. */
bool tuak_f1(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], const uint8_t sqn[6],
	     const uint8_t amf[2], uint8_t *mac_a)
{
	const struct variable in = { (uint8_t)t->mac_len, topc, rand, sqn, amf };

	return mac(t, &in, mac_a);
}

bool tuak_f1_star(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], const uint8_t sqn[6],
		  const uint8_t amf[2], uint8_t *mac_s)
{
	const struct variable in = { INST_F1_STAR | (uint8_t)t->mac_len, topc, rand, sqn, amf };

	return mac(t, &in, mac_s);
}

static uint8_t inst_f2345(const struct tuak *t)
{
	return INST_F2345 | (t->res_len == 4 ? 0 : (uint8_t)t->res_len) | (t->ck_len == 32 ? INST_CK256 : 0) |
	       (t->ik_len == 32 ? INST_IK256 : 0);
}

bool tuak_f2345(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], uint8_t *res, uint8_t *ck,
		uint8_t *ik, uint8_t ak[6])
{
	const struct variable in = { inst_f2345(t), topc, rand, NULL, NULL };
	uint8_t state[STATE];

	if (!k_good(t) || !keys_good(t))
		return false;
	permuted(t, &in, state);
	reversed(res, state + OUT_RES, t->res_len);
	reversed(ck, state + OUT_CK, t->ck_len);
	reversed(ik, state + OUT_IK, t->ik_len);
	reversed(ak, state + OUT_AK, 6);
	SECRET_WIPE(state);
	return true;
}

bool tuak_f5_star(const struct tuak *t, const uint8_t topc[32], const uint8_t rand[16], uint8_t ak_star[6])
{
	const struct variable in = { INST_F5_STAR, topc, rand, NULL, NULL };
	uint8_t state[STATE];

	if (!k_good(t))
		return false;
	permuted(t, &in, state);
	reversed(ak_star, state + OUT_AK, 6);
	SECRET_WIPE(state);
	return true;
}
