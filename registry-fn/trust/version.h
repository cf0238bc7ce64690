/* SPDX-License-Identifier: Apache-2.0 */
/** Versions of firmware and software, and ranges of them. Makers write versions as they like; the order taken here is:
 *  - a version is runs of digits and runs of letters, everything else only keeps them apart; a leading "v" says nothing
 *  - runs are compared one by one, and the end with what the other goes on with: alpha, beta, dev, pre, preview, rc and
 *    snapshot before the end, 0 the same as the end, other letters after it, numbers after these; letters by alphabet
 *    without case, numbers by value: 1.0-rc1 < 1.0 = 1.0.0 < 1.0a < 1.0.1 */
#ifndef GBA_REGISTRY_VERSION_H
#define GBA_REGISTRY_VERSION_H

#include "core/bytes.h"
#include "core/err.h"

#define VERSION_MAX	  64  /* [octets] */
#define VERSION_RANGE_MAX 200 /* [octets] */

/** @return below, equal to or above 0 */
int version_compare(struct bytes a, struct bytes b);
/** Is the version in the range: "*" for all, or conditions apart by blanks that all must hold: ">=1.2 <2.0.5", "=3.1".
 * An empty version is in "*" alone. Nothing is in what is no range. */
bool version_in(struct bytes version, struct bytes range);
/** Is it in any of these ranges, one per line? None, or absent: it is. */
bool version_in_any(struct bytes version, struct bytes ranges);
/** As a check of a field. */
enum gba_err version_range_check(struct bytes range, const char **_why);

#endif
