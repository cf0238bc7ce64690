/* SPDX-License-Identifier: Apache-2.0 */
/** Sealing at rest: AES-256-GCM under a key-encryption key that lives in a file of mode 0600. */
#ifndef GBA_CRYPTO_SEAL_H
#define GBA_CRYPTO_SEAL_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define SEAL_OVERHEAD (12 + 16) /* [octets] nonce before, tag after */

/** A key-encryption key in locked memory, and those before it that still open what they sealed. Usable from any thread. Follows
 * its file: after a rotation the new key seals within KEK_FOLLOW_MS, and opens at once. */
struct kek;
#define KEK_FOLLOW_MS 1000 /* [ms] */

/** Read the key file; when there is none and create, make it (32 random octets as hex, 0600, synced with its folder).
 * A line of it is 64 hex digits, or a key enciphered by a PKCS#11 token: see kek_rotate().
 * @retval GBA_E_NOT_FOUND  no file and !create
 * @retval GBA_E_DENIED     not ours (euid), or readable by group or others
 * @retval GBA_E_SYNTAX     not 64 hex digits
 * @retval GBA_E_UNREACHABLE, GBA_E_CORRUPT  the token is not there, or does not open the key */
enum gba_err kek_open(TALLOC_CTX *mem_ctx, const char *path, bool create, struct kek **_kek);
/** The same, with the reason. @param _why  on failure: text for the operator, static or below mem_ctx */
enum gba_err kek_open_why(TALLOC_CTX *mem_ctx, const char *path, bool create, struct kek **_kek, const char **_why);
/** Put a fresh key on top of the file (made when missing): from now on it seals, the others only open.
 * @param uri   "pkcs11:token=...;object=...?pin-source=FILE": an AES key of a token enciphers it in the file; NULL: plain
 * @param _why  text for the operator, static or below mem_ctx, on failure
 * @retval GBA_E_BUSY  too many keys in the file: retire some  @retval as kek_open() */
enum gba_err kek_rotate(TALLOC_CTX *mem_ctx, const char *path, const char *uri, const char **_why);
/** Leave only the top key in the file: nothing may be sealed with another any more. @param _dropped  how many went */
enum gba_err kek_retire(const char *path, size_t *_dropped);
/** Keys in the file as last read. */
size_t kek_count(struct kek *kek);

/** out gets nonce || ciphertext || tag: plain.n + SEAL_OVERHEAD octets.
 * @param about  bound to the sealed octets (record's name): a sealed value moved to another record does not open */
enum gba_err seal(struct kek *kek, struct bytes about, struct bytes plain, uint8_t *out);
/** out gets sealed.n - SEAL_OVERHEAD octets. @retval GBA_E_CORRUPT  altered, other record or other key; out wiped */
enum gba_err unseal(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out);
/** The same, and tells whether a key opened it that seals no more: seal it again. */
enum gba_err unseal_old(struct kek *kek, struct bytes about, struct bytes sealed, uint8_t *out, bool *_old);

#endif
