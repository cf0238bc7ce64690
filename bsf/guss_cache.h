/* SPDX-License-Identifier: Apache-2.0 */
/** The GUSS of recent users, so that the HSS need not send it again (GUSS-Timestamp, TS 29.109 4.2). Thread-safe, bounded:
 * the user not seen for longest goes first. */
#ifndef GBA_BSF_GUSS_CACHE_H
#define GBA_BSF_GUSS_CACHE_H

#include <stdatomic.h>
#include <time.h>

#include "core/ident.h"
#include "xml/guss.h"

/** What the BSF keeps of a GUSS. Never changed once made; shared by reference. */
struct guss_kept {
	atomic_uint refs;
	time_t stamp; /* when it came from the HSS */
	enum guss_uicc uicc;
	uint32_t life_time; /* [s] 0: not given */
	struct bytes uss;   /* packed by uss_pack() */
};

/** Read a GUSS that came over Zh. @param _kept  one reference, the caller's
 * @retval GBA_E_XML, GBA_E_TOO_LONG, GBA_E_NOMEM; GBA_E_PEER: it names another user */
enum gba_err guss_kept_read(struct bytes xml, struct bytes impi, time_t now, struct guss_kept **_kept);
/** For a user without GUSS: all defaults. NULL: out of memory. */
struct guss_kept *guss_kept_none(void);
struct guss_kept *guss_kept_ref(struct guss_kept *kept); /* NULL passes */
void guss_kept_unref(struct guss_kept *kept);		  /* NULL passes */

struct guss_cache;
/** @param entries  users kept at most; 0 keeps none */
struct guss_cache *guss_cache_new(TALLOC_CTX *mem_ctx, uint32_t entries);
/** A reference, the caller's; NULL when there is none. */
struct guss_kept *guss_cache_get(struct guss_cache *cache, struct bytes impi);
/** The cache takes a reference of its own. Out of memory: forgets the user, which only costs octets on Zh. */
void guss_cache_put(struct guss_cache *cache, struct bytes impi, struct guss_kept *kept);
void guss_cache_drop(struct guss_cache *cache, struct bytes impi);

#endif
