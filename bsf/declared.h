/* SPDX-License-Identifier: Apache-2.0 */
/** What applications have declared of themselves on RPA (Y.3056 9.6.1-3): taken only where it narrows what the operator has
 * recorded of them. In memory, since they repeat it with every question; bounded; thread-safe. */
#ifndef GBA_BSF_DECLARED_H
#define GBA_BSF_DECLARED_H

#include <talloc.h>

#include "bsf/conf.h"

#define DECLARED_UA_MAX	  16
#define DECLARED_TEXT_MAX 255 /* [octets] */

struct declaration {
	bool single;  /* its tokens serve it alone */
	bool cleared; /* it wants none at present */
	uint8_t ua_ids[DECLARED_UA_MAX][UA_ID_LEN];
	size_t ua_n; /* 0: as recorded */
	char address[DECLARED_TEXT_MAX + 1], mechanisms[DECLARED_TEXT_MAX + 1];
};

/** As received. Views; absent: not said. */
struct declared_words {
	int single, cleared;	/* -1: not said */
	struct bytes ua_ids;	/* five octets each */
	struct bytes address, mechanisms;
};

struct declared;
/** @param entries  applications remembered; beyond, new ones are not. NULL: out of memory */
struct declared *declared_new(TALLOC_CTX *mem_ctx, size_t entries);
/** Take what narrows. @param _now  what holds afterwards @return false: something was not taken */
bool declared_take(struct declared *declared, const struct bsf_naf *naf, struct bytes fqdn, const struct declared_words *words,
		   struct declaration *_now);
/** What holds for the NAF under this name; all recorded when it has declared nothing. */
void declared_find(struct declared *declared, const struct bsf_naf *naf, struct bytes fqdn, struct declaration *_now);
/** Does the declaration leave this protocol to it? */
bool declaration_has_ua(const struct declaration *declaration, const uint8_t ua_id[UA_ID_LEN]);

#endif
