/* SPDX-License-Identifier: Apache-2.0 */
/* The signed end of a log: "number hash signature", of fixed length, so that it is replaced in one write. */
#include <stdio.h>

#include "audit/audit_priv.h"
#include "core/codec.h"

#define SEQ_DIGITS 20
#define SAID	   "gba-audit-end "

/* What is signed: a word of its own, so that no other signature of the key can be taken for it, and the text. */
static struct bytes said(const char text[AUDIT_HEAD_LEN], char out[sizeof(SAID) + SEQ_DIGITS + 1 + AUDIT_HASH_HEX])
{
	memcpy(out, SAID, sizeof(SAID) - 1);
	memcpy(out + sizeof(SAID) - 1, text, SEQ_DIGITS + 1 + AUDIT_HASH_HEX);
	return BYTES(out, sizeof(SAID) - 1 + SEQ_DIGITS + 1 + AUDIT_HASH_HEX);
}

enum gba_err audit_head_write(const struct sign_key *key, const struct audit_end *end, char out[AUDIT_HEAD_LEN + 1])
{
	char message[sizeof(SAID) + SEQ_DIGITS + 1 + AUDIT_HASH_HEX], *signature_text = out + SEQ_DIGITS + 1 + AUDIT_HASH_HEX + 1;
	uint8_t signature[SIGN_LEN];
	enum gba_err err;

	snprintf(out, SEQ_DIGITS + 2, "%020llu ", (unsigned long long)end->seq);
	hex_encode(BYTES(end->hash, AUDIT_HASH_LEN), out + SEQ_DIGITS + 1);
	signature_text[-1] = ' ';
	err = sign(key, said(out, message), signature);
	if (err != GBA_OK)
		return err;
	hex_encode(BYTES(signature, SIGN_LEN), signature_text);
	out[AUDIT_HEAD_LEN - 1] = '\n';
	out[AUDIT_HEAD_LEN] = '\0';
	return GBA_OK;
}

static bool read_seq(const uint8_t *digits, uint64_t *_seq)
{
	uint64_t seq = 0;
	int i;

	for (i = 0; i < SEQ_DIGITS; i++) {
		if (digits[i] < '0' || digits[i] > '9' || seq > (UINT64_MAX - 9) / 10)
			return false;
		seq = seq * 10 + (uint64_t)(digits[i] - '0');
	}
	*_seq = seq;
	return true;
}

enum gba_err audit_head_read(struct bytes text, const uint8_t public[SIGN_PUBLIC_LEN], struct audit_end *_end)
{
	char message[sizeof(SAID) + SEQ_DIGITS + 1 + AUDIT_HASH_HEX], again[2 * SIGN_LEN + 1];
	const uint8_t *hash = text.p + SEQ_DIGITS + 1, *signature_text = hash + AUDIT_HASH_HEX + 1;
	uint8_t signature[SIGN_LEN];
	struct audit_end end;

	if (text.n != AUDIT_HEAD_LEN || hash[-1] != ' ' || signature_text[-1] != ' ' || text.p[AUDIT_HEAD_LEN - 1] != '\n' ||
	    !read_seq(text.p, &end.seq) || hex_decode(BYTES(hash, AUDIT_HASH_HEX), end.hash, AUDIT_HASH_LEN) != GBA_OK ||
	    hex_decode(BYTES(signature_text, 2 * SIGN_LEN), signature, SIGN_LEN) != GBA_OK)
		return GBA_E_SYNTAX;
	hex_encode(BYTES(signature, SIGN_LEN), again); /* digits are lower case: no second text for the same signature */
	if (memcmp(again, signature_text, 2 * SIGN_LEN) != 0)
		return GBA_E_SYNTAX;
	if (sign_verify(public, said((const char *)text.p, message), signature) != GBA_OK)
		return GBA_E_CORRUPT;
	*_end = end;
	return GBA_OK;
}
