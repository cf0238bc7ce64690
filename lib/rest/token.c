/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/token.h"

#include "core/clock.h"
#include "core/codec.h"
#include "core/secret.h"
#include "crypto/hash.h"

#define TOKEN_PREFIX "gba_"
#define TOKEN_OCTETS 32

void token_hash(struct bytes of, char hash[TOKEN_HASH_ROOM])
{
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &of, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), hash);
}

/* 256 random bits: no guess, so a plain hash is enough to store (no salt, no stretching). */
void token_new(char out[TOKEN_ROOM], char hash[TOKEN_HASH_ROOM])
{
	uint8_t random[TOKEN_OCTETS];
	char text[BASE64_LEN(TOKEN_OCTETS) + 1];
	size_t i, n = sizeof(TOKEN_PREFIX) - 1;

	rand_bytes(random, sizeof(random));
	base64_encode(BYTES(random, sizeof(random)), text);
	memcpy(out, TOKEN_PREFIX, n);
	for (i = 0; text[i] != '\0' && text[i] != '='; i++) /* base64url (RFC 4648 5) */
		out[n++] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
	out[n] = '\0';
	token_hash(BYTES(out, n), hash);
	SECRET_WIPE(random);
	SECRET_WIPE(text);
}
