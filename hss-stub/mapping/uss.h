/* SPDX-License-Identifier: Apache-2.0 */
/** USSs of permissions in a subscriber's GUSS. */
#ifndef GBA_HSS_MAPPING_USS_H
#define GBA_HSS_MAPPING_USS_H

#include "hss-stub/mapping/mapping.h"

/** What a permission in force says in the GUSS. */
struct uss_terms {
	uint32_t gsid, type;
	const char *naf_group; /* NULL: none */
	const char *pseudonym; /* the uid: never the IMPI */
};

void uss_fill(TALLOC_CTX *ctx, const struct uss_terms *terms, struct uss *_uss);
/** The subscriber's GUSS becomes base and these. Within a transaction. @retval GBA_E_RANGE  more USSs than a GUSS holds */
enum gba_err uss_write(struct records *m, struct bytes impi, const struct uss_terms *terms, size_t count, time_t now);

#endif
