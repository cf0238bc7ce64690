/* SPDX-License-Identifier: Apache-2.0 */
/** Signed tree heads: what a log's keeper says about it, so that it cannot say another thing later. A compact JWS
 * (jose/jws.h) of type MERKLE_HEAD_TYP over {"log","root","size","time"}. */
#ifndef GBA_MERKLE_HEAD_H
#define GBA_MERKLE_HEAD_H

#include <talloc.h>
#include <time.h>

#include "crypto/sign.h"
#include "merkle/merkle.h"

#define MERKLE_HEAD_TYP "gba-tree-head+jws"
#define MERKLE_LOG_MAX	128 /* [octets] of a log's name */

struct merkle_head {
	char log[MERKLE_LOG_MAX + 1]; /* whose: one keeper may have several logs */
	uint64_t size;		      /* leaves */
	time_t time;		      /* [s since epoch] when it was signed */
	uint8_t root[MERKLE_LEN];
};

/** @param _text  compact JWS below mem_ctx */
enum gba_err merkle_head_sign(TALLOC_CTX *mem_ctx, const struct sign_key *key, const struct merkle_head *head, char **_text);
/** @retval GBA_E_CORRUPT  not signed with this key  @retval GBA_E_SYNTAX  not a tree head  others as jws_read() */
enum gba_err merkle_head_read(struct bytes text, const uint8_t public[SIGN_PUBLIC_LEN], struct merkle_head *_head);

#endif
