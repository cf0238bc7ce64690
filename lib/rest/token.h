/* SPDX-License-Identifier: Apache-2.0 */
/** Bearer tokens of the REST API: shown once, kept as hashes. */
#ifndef GBA_REST_TOKEN_H
#define GBA_REST_TOKEN_H

#include "core/bytes.h"

#define TOKEN_ROOM	64
#define TOKEN_HASH_ROOM 65
#define TOKEN_INVITATION "invitation" /* name of a credential that is good for POST /v1/invitation, once */

/** A new token ("gba_" and 43 characters) and the SHA-256 of it as hex, both with a NUL. Wipe out. */
void token_new(char out[TOKEN_ROOM], char hash[TOKEN_HASH_ROOM]);
/** SHA-256 of octets as 64 lower-case hex digits and a NUL. */
void token_hash(struct bytes of, char hash[TOKEN_HASH_ROOM]);

#endif
