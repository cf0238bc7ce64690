/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs, compact JWS and tree heads from strangers: 8 octets each of index (old size) and size, 32 each of leaf (old head) and head,
 * then the hashes; or, beginning with anything, a text. */
#include <stdlib.h>

#include "jose/jws.h"
#include "merkle/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void proofs(const uint8_t *data, size_t size)
{
	struct merkle_proof proof = { .count = 0 };
	uint64_t index, leaves;

	if (size < 16 + 2 * MERKLE_LEN)
		return;
	memcpy(&index, data, 8);
	memcpy(&leaves, data + 8, 8);
	proof.count = (size - 16 - 2 * MERKLE_LEN) / MERKLE_LEN;
	if (proof.count <= MERKLE_PATH_MAX)
		memcpy(proof.hash, data + 16 + 2 * MERKLE_LEN, proof.count * MERKLE_LEN);
	if (merkle_verify_inclusion(data + 16, index, leaves, &proof, data + 16 + MERKLE_LEN) == GBA_OK &&
	    (index >= leaves || (leaves == 1) != (proof.count == 0)))
		abort();
	if (merkle_verify_consistency(index, data + 16, leaves, data + 16 + MERKLE_LEN, &proof) == GBA_OK &&
	    (index > leaves || (index != 0 && index != leaves && proof.count == 0)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* RFC 8032 7.1, TEST 1 */
	static const uint8_t public[SIGN_PUBLIC_LEN] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
							 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
							 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a };
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct merkle_head head;
	struct jws jws;

	proofs(data, size);
	if (jws_read(ctx, BYTES(data, size), &jws) == GBA_OK && jws.input.n + 1 + 86 != size)
		abort(); /* a second text for the same signature */
	if (merkle_head_read(BYTES(data, size), public, &head) == GBA_OK)
		abort(); /* nobody has signed anything with this key */
	talloc_free(ctx);
	return 0;
}
