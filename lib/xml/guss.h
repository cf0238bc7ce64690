/* SPDX-License-Identifier: Apache-2.0 */
/** GUSS and USS documents (TS 29.109 Annex A) on libxml2: no entities, no network, bounded size and depth. */
#ifndef GBA_XML_GUSS_H
#define GBA_XML_GUSS_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"

#define GUSS_XML_MAX 65536 /* [octets] */
#define GUSS_USS_MAX 256   /* USSs in one document */

/** UICC type (bsfInfo/uiccType). */
enum guss_uicc { GUSS_UICC_GBA, GUSS_UICC_GBA_U };

struct uss {
	uint32_t gsid;	       /* "id" */
	uint32_t type;	       /* GAA service type code, Annex B */
	const char *naf_group; /* NULL: for every NAF */
	const char **uids;
	size_t uid_count;
	uint32_t *flags;
	size_t flag_count;
	const char *key_choice; /* NULL, or as received */
};

struct guss {
	const char *impi; /* "id"; NULL in a ussList */
	enum guss_uicc uicc;
	uint32_t life_time; /* [s] 0: not given */
	struct uss *uss;
	size_t uss_count;
};

/** Root guss (Zh) or ussList (Zn); any namespace; unknown elements and attributes ignored. Refused: DTDs, depth beyond 32,
 * a missing id or type, numbers beyond 32 bits, a uiccType that is neither GBA nor GBA_U, texts beyond 2048 octets.
 * @retval GBA_E_XML, GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err guss_parse(TALLOC_CTX *mem_ctx, struct bytes xml, struct guss **_guss);
/** Document with root guss, without namespace as deployed HSSs send it. NULL: out of memory, no IMPI, or a text that XML
 * cannot carry. */
char *guss_build(TALLOC_CTX *mem_ctx, const struct guss *guss);
/** Document with root ussList. */
char *uss_list_build(TALLOC_CTX *mem_ctx, const struct guss *guss);
/** What a NAF may see (TS 29.109 5.2): USSs of the requested GSIDs; where one of them exists for the NAF's group, only that.
 * @param gsids      requested; count 0 selects none
 * @param naf_group  NULL: the NAF is in no group
 * @param _selected  shallow: shares texts with guss, array below mem_ctx */
enum gba_err guss_select(TALLOC_CTX *mem_ctx, const struct guss *guss, const uint32_t *gsids, size_t count,
			 const char *naf_group, struct guss *_selected);
const struct uss *guss_find(const struct guss *guss, uint32_t gsid);

#endif
