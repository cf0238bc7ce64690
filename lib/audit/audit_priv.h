/* SPDX-License-Identifier: Apache-2.0 */
/** Lines and signed ends of an audit log, for lib/audit alone. */
#ifndef GBA_AUDIT_AUDIT_PRIV_H
#define GBA_AUDIT_AUDIT_PRIV_H

#include <limits.h>

#include "audit/audit.h"
#include "crypto/sign.h"

#define AUDIT_HASH_HEX (2 * AUDIT_HASH_LEN)
#define AUDIT_LINE_MAX 12288 /* [octets] seven values, each octet six characters long at worst, and what is around them */

/** Where a log stands: the number and hash of its newest line; 0 and zeros before the first. */
struct audit_end {
	uint64_t seq;
	uint8_t hash[AUDIT_HASH_LEN];
};

/** Write the line that follows *end, with its newline; *end moves on to it. @return octets */
size_t audit_line_write(const struct audit_entry *entry, const char *node, struct audit_end *end, char out[AUDIT_LINE_MAX]);
/** Read number and hash of a line (without newline), unchecked. @retval GBA_E_SYNTAX */
enum gba_err audit_line_read(struct bytes line, struct audit_end *_end, struct bytes *_body);
/** Does the line follow *end? Moves *end on. A log's first file begins with line 1; a rotated one's says what it follows.
 * @retval GBA_E_SYNTAX  not one of our lines  @retval GBA_E_RANGE  its number is not the next
 * @retval GBA_E_CORRUPT  its hash does not fit */
enum gba_err audit_line_check(struct bytes line, struct audit_end *end);
/** For the first line of a file whose forerunner is not there: what it says it follows. @retval GBA_E_SYNTAX */
enum gba_err audit_line_before(struct bytes line, struct audit_end *_before);

/** Was it written so long ago that a writer which lived on has signed it? */
bool audit_line_old(struct bytes line);
#define AUDIT_UNSIGNED_S 10 /* [s] a line is signed within one, or its writer has ended */

#define AUDIT_CONTINUES "audit.continues" /* first line of a file after rotation; subject: hash of the line before */

#define AUDIT_HEAD_LEN (20 + 1 + AUDIT_HASH_HEX + 1 + 2 * SIGN_LEN + 1)
/** The signed end as text: number, hash, signature, newline. */
enum gba_err audit_head_write(const struct sign_key *key, const struct audit_end *end, char out[AUDIT_HEAD_LEN + 1]);
/** @retval GBA_E_SYNTAX, GBA_E_CORRUPT (signature) */
enum gba_err audit_head_read(struct bytes text, const uint8_t public[SIGN_PUBLIC_LEN], struct audit_end *_end);

/** Paths of the log's files, oldest first, the current one last. @retval GBA_E_NOT_FOUND  none */
enum gba_err audit_files(TALLOC_CTX *mem_ctx, const char *path, char ***_files, size_t *_count);

#endif
