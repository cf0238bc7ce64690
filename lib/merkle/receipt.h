/* SPDX-License-Identifier: Apache-2.0 */
/** Proofs as documents, to be kept and checked later by anybody who has the public key:
 *	inclusion    {"entry": text, "head": JWS, "index": number, "path": [hex, ...]}
 *	consistency  {"consistency": [hex, ...], "first": JWS, "head": JWS} */
#ifndef GBA_MERKLE_RECEIPT_H
#define GBA_MERKLE_RECEIPT_H

#include <jansson.h>

#include "merkle/head.h"

/** @param entry  the leaf's octets, as text @return new reference; NULL: memory */
json_t *merkle_receipt(const char *entry, uint64_t index, const char *head, const struct merkle_proof *path);
json_t *merkle_receipt_growth(const char *first, const char *head, const struct merkle_proof *proof);

/** What a receipt proves: the entry stands at its index, or the tree of first is the beginning of that of head.
 * @param _head  of the log that is proved to have it; written on GBA_OK
 * @retval GBA_E_SYNTAX   no receipt  @retval GBA_E_CORRUPT  a head not signed with the key, or the proof does not lead to it */
enum gba_err merkle_receipt_verify(const json_t *receipt, const uint8_t public[SIGN_PUBLIC_LEN], struct merkle_head *_head);

#endif
