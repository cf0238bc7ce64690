/* SPDX-License-Identifier: Apache-2.0 */
/** What went wrong, in words for the person at the keyboard; the error row alone says what kind of thing. No secret in
 * it. */
#ifndef GBA_WHY_H
#define GBA_WHY_H

#include "core/err.h"

struct why {
	char text[256];
};

/** Write the text (cut when too long; control characters, which a peer may have sent, become '?') and return err, so
 * that a refusal is one statement. why may be NULL. */
enum gba_err why_fail(struct why *why, enum gba_err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
