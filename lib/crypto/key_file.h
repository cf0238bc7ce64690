/* SPDX-License-Identifier: Apache-2.0 */
/** A file (0600) of secrets of 32 octets, one per line: a key-encryption key, the seed of a signing key. The first is the
 * one in use; those below it only open what was sealed before a rotation. For lib/crypto.
 *
 * A line is 64 hex digits, or "pkcs11:... HEX": the octets enciphered by the token's object that the URI (RFC 7512) names. */
#ifndef GBA_CRYPTO_KEY_FILE_H
#define GBA_CRYPTO_KEY_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <talloc.h>

#include "core/err.h"

#define KEY_FILE_LEN	 32   /* [octets] */
#define KEY_FILE_KEYS	 8    /* rotations nobody finished */
#define KEY_FILE_MAX	 8192 /* [octets] of text */

/** What a file says; wipe it. */
struct key_ring {
	size_t n;
	uint8_t keys[KEY_FILE_KEYS][KEY_FILE_LEN];
};

/** Read the file, making it first, with one random key, when it is missing and create. Two processes that both make it end up
 * with the same key.
 * @param _stamp  of the file read; may be NULL. See key_file_changed
 * @param _why  may be NULL; on failure what a token said, below mem_ctx, or NULL
 * @retval GBA_E_NOT_FOUND, GBA_E_DENIED (not ours, or open to others), GBA_E_SYNTAX
 * @retval GBA_E_UNREACHABLE  a token is not there  @retval GBA_E_CORRUPT  it does not open the line */
enum gba_err key_file_read_ring(TALLOC_CTX *mem_ctx, const char *path, bool create, struct key_ring *_ring, struct stat *_stamp,
				const char **_why);
/** The first key alone; the caller wipes it. */
enum gba_err key_file_read(const char *path, bool create, uint8_t key[KEY_FILE_LEN]);
/** Has another file taken the name since? */
bool key_file_changed(const char *path, const struct stat *stamp);
/** Replace the file by one whose first line is a fresh key, followed by the lines it has (none: it is made). Durable on GBA_OK.
 * @param uri  "pkcs11:...": encipher the key by this object; NULL: plain
 * @param _why  text for the operator, static or below mem_ctx, on failure
 * @retval GBA_E_BUSY  KEY_FILE_KEYS keys already: retire some first */
enum gba_err key_file_rotate(TALLOC_CTX *mem_ctx, const char *path, const char *uri, const char **_why);
/** Replace the file by its first line: nothing is sealed with the others any more. @param _dropped  how many went */
enum gba_err key_file_retire(const char *path, size_t *_dropped);

#endif
