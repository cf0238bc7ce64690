/* SPDX-License-Identifier: Apache-2.0 */
/** Parameters of queries and forms (application/x-www-form-urlencoded), read strictly: each at most once (RFC 6749 3.1). */
#ifndef GBA_OIDC_PARAMS_H
#define GBA_OIDC_PARAMS_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define PARAMS_MAX	 32
#define PARAMS_VALUE_MAX 8192 /* [octets] decoded: an assertion is the longest */

struct params {
	size_t n;
	struct {
		const char *name, *value;
	} v[PARAMS_MAX];
};

/** Texts below mem_ctx. @param _name  of the one that came twice; else NULL
 * @retval GBA_E_SYNTAX (encoding, control octets), GBA_E_EXISTS (twice), GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err params_read(TALLOC_CTX *mem_ctx, struct bytes text, struct params *_params, const char **_name);
/** NULL: not there, or empty (RFC 6749 3.1: the same). */
const char *params_get(const struct params *params, const char *name);
/** One value decoded. @retval as params_read() */
enum gba_err param_decode(TALLOC_CTX *mem_ctx, struct bytes text, const char **_out);
/** Encoded for a query, below mem_ctx; NULL: out of memory. */
char *param_encode(TALLOC_CTX *mem_ctx, const char *value);

#endif
