/* SPDX-License-Identifier: Apache-2.0 */
/** Sealing at rest: AES-256-GCM under a key-encryption key that lives in a file of mode 0600. */
#ifndef GBA_CRYPTO_SEAL_H
#define GBA_CRYPTO_SEAL_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define SEAL_OVERHEAD (12 + 16) /* [octets] nonce before, tag after */

/** A key-encryption key in locked memory. Usable from any thread. */
struct kek;

/** Read the key file; when there is none and create, make it (32 random octets as hex, 0600, synced with its folder).
 * @retval GBA_E_NOT_FOUND  no file and !create
 * @retval GBA_E_DENIED     not ours (euid), or readable by group or others
 * @retval GBA_E_SYNTAX     not 64 hex digits */
enum gba_err kek_open(TALLOC_CTX *mem_ctx, const char *path, bool create, struct kek **_kek);

/** out gets nonce || ciphertext || tag: plain.n + SEAL_OVERHEAD octets.
 * @param about  bound to the sealed octets (record's name): a sealed value moved to another record does not open */
enum gba_err seal(struct kek *kek, struct bytes about, struct bytes plain, uint8_t *out);
/** out gets sealed.n - SEAL_OVERHEAD octets. @retval GBA_E_CORRUPT  altered, other record or other key; out wiped */
enum gba_err unseal(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out);

#endif
