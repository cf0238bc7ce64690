/* SPDX-License-Identifier: Apache-2.0 */
/** What Ub and Ua need to know of a URL; libcurl's parser decides. */
#ifndef GBA_UE_URL_H
#define GBA_UE_URL_H

#include <stdbool.h>
#include <talloc.h>

#include "core/err.h"
#include "core/ident.h"

struct url {
	const char *text;        /* what to give to libcurl */
	char scheme[8];          /* lower case */
	char host[FQDN_MAX + 1]; /* lower case; a name, or an address (IPv6 in brackets) */
	unsigned int port;       /* 80, 443 and 5684 when not given for http, https and coaps; else 0 */
	const char *target;      /* path and query as sent; at least "/" */
};

/** Texts below mem_ctx. Refused: user information, another scheme than those of the list, control characters and
 * blanks.
 * @param schemes  NULL-terminated @retval GBA_E_SYNTAX, GBA_E_NOMEM */
enum gba_err url_parse(TALLOC_CTX *mem_ctx, const char *text, const char *const *schemes, struct url *_url);
/** "http", "https" */
extern const char *const url_schemes_http[];
/** "coaps" */
extern const char *const url_schemes_coap[];
/** All three: what Ua is spoken with. */
extern const char *const url_schemes_ua[];

#endif
