/* SPDX-License-Identifier: Apache-2.0 */
/** Composite virtual identity (TEC 31188 2.2.1): one value that stands for a device's certificate, the application, the platform
 * and the SIM together, and shows none of them. The algorithm is part of the value. */
#ifndef GBA_REGISTRY_COMPOSITE_H
#define GBA_REGISTRY_COMPOSITE_H

#include "core/bytes.h"
#include "core/err.h"

#define COMPOSITE_MAX	   80	 /* [octets] of a value */
#define COMPOSITE_PART_MAX 65535 /* [octets] of a part */

/** Each absent (p == NULL) is another value than each empty. */
struct composite_parts {
	struct bytes certificate; /* of the device, DER */
	struct bytes application, platform, sim; /* identifiers */
};

/** "sha256:" and 64 hex digits: SHA-256 over, for each part in this order, one octet 0 (absent) or 1, its length in four octets,
 * and the part: no two sets of parts run together.
 * @param algorithm  "sha256"  @param out  COMPOSITE_MAX + 1 octets
 * @retval GBA_E_UNSUPPORTED  algorithm  @retval GBA_E_TOO_LONG  a part */
enum gba_err composite_compute(const char *algorithm, const struct composite_parts *parts, char *out);
/** Is the value that of these parts? By the algorithm it names. @retval GBA_E_SYNTAX, GBA_E_UNSUPPORTED  no such value
 * @retval GBA_E_CORRUPT  of others */
enum gba_err composite_verify(struct bytes value, const struct composite_parts *parts);

#endif
