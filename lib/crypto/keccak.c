/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>

#include "core/secret.h"
#include "crypto/tuak.h"

/* FIPS 202 clause 3: lane A[x, y] is a[x + 5 * y], 64 bits, little-endian in the octet string. */
#define LANES  25
#define ROUNDS 24

static const uint64_t round_constants[ROUNDS] = { /* 3.2.5, RC[i] for w = 64 */
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
	0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
	0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
	0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static const uint8_t offsets[LANES] = { /* table 2, modulo 64, by lane */
	0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
};

static uint64_t rotl(uint64_t v, unsigned int n)
{
	return v << n | v >> (-n & 63);
}

/* 3.2.1 */
static void theta(uint64_t a[LANES])
{
	uint64_t c[5], d;

	for (int x = 0; x < 5; x++)
		c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
	for (int x = 0; x < 5; x++) {
		d = c[(x + 4) % 5] ^ rotl(c[(x + 1) % 5], 1);
		for (int y = 0; y < LANES; y += 5)
			a[x + y] ^= d;
	}
}

/* 3.2.2 and 3.2.3: rotate each lane, and move A[x, y] to B[y, 2x + 3y] */
static void rho_pi(uint64_t b[LANES], const uint64_t a[LANES])
{
	for (int x = 0; x < 5; x++) {
		for (int y = 0; y < 5; y++)
			b[y + 5 * ((2 * x + 3 * y) % 5)] = rotl(a[x + 5 * y], offsets[x + 5 * y]);
	}
}

/* 3.2.4 */
static void chi(uint64_t a[LANES], const uint64_t b[LANES])
{
	for (int y = 0; y < LANES; y += 5) {
		for (int x = 0; x < 5; x++)
			a[x + y] = b[x + y] ^ (~b[(x + 1) % 5 + y] & b[(x + 2) % 5 + y]);
	}
}

void keccak_f1600(uint8_t state[8 * LANES])
{
	uint64_t a[LANES], b[LANES];

	for (int i = 0; i < LANES; i++) {
		memcpy(&a[i], state + 8 * i, 8);
		a[i] = le64toh(a[i]);
	}
	for (int round = 0; round < ROUNDS; round++) {
		theta(a);
		rho_pi(b, a);
		chi(a, b);
		a[0] ^= round_constants[round];
	}
	for (int i = 0; i < LANES; i++) {
		a[i] = htole64(a[i]);
		memcpy(state + 8 * i, &a[i], 8);
	}
	SECRET_WIPE(a);
	SECRET_WIPE(b);
}
