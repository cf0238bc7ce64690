/* SPDX-License-Identifier: Apache-2.0 */
/** BootstrappingInfo, the body of Ub's 200 OK (TS 24.109 Annex C). */
#ifndef GBA_XML_BSINFO_H
#define GBA_XML_BSINFO_H

#include <stdbool.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"

#define BSINFO_CONTENT_TYPE "application/vnd.3gpp.bsf+xml"
#define BSINFO_TEXT_MAX	    255	  /* [octets] of an extension's text */
#define BSINFO_XML_MAX	    16384 /* [octets] */
#define BSINFO_CERT_MAX	    8192  /* [octets] of base64 */

struct bsinfo {
	const char *btid;
	time_t lifetime; /* absolute */
	/* In the element Extension, for UEs that look there (mapping G12); NULL: not said. */
	const char *realm_profile; /* URL */
	const char *token_format;
	const char *certificate; /* base64: the device shall show this one from now on (Y.3056 10.6.2) */
	bool change_awaited;	 /* its change of operator is not final before another token */
};
/** NULL: out of memory. Needs no escaping: a B-TID is base64 and a host name, the others
 * are words without blanks, quotes or angle brackets. */
char *bsinfo_build(TALLOC_CTX *mem_ctx, const struct bsinfo *info);
/** By local name, any prefix; unknown elements ignored. @retval GBA_E_XML, GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err bsinfo_parse(TALLOC_CTX *mem_ctx, struct bytes xml, struct bsinfo *_info);

#endif
