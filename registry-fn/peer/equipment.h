/* SPDX-License-Identifier: Apache-2.0 */
/** What S13 says of an equipment: IMEIs, and a cache of what is known of them. No Diameter in here. */
#ifndef GBA_REGISTRY_EQUIPMENT_H
#define GBA_REGISTRY_EQUIPMENT_H

#include "registry-fn/log/event.h"
#include "registry-fn/peer/peer_conf.h"

#define IMEI_KEY_LEN 14 /* [digits] TAC and SNR, TS 23.003 6.2.1 */

/** TAC and SNR of an IMEI of 14 or 15 digits (the last is a check digit, or 0 on the air: not looked at) or an IMEISV of 16,
 * as a number, never 0. @retval GBA_E_SYNTAX */
enum gba_err imei_key(struct bytes imei, uint64_t *_key);

/** The word for a subject, as configured. */
enum equipment equipment_of(const struct peering_conf *conf, const struct event_view *view);

/** A cache of answers; any thread. */
struct equipment_cache;
enum gba_err equipment_cache_new(TALLOC_CTX *mem_ctx, struct equipment_cache **_cache);
/** @return false: not known, or of before the last equipment_cache_forget() */
bool equipment_cache_get(struct equipment_cache *cache, uint64_t key, enum equipment *_what);
/** @param as_of  equipment_cache_age() of before the database was asked: an answer that was overtaken is not kept */
void equipment_cache_put(struct equipment_cache *cache, uint64_t key, enum equipment what, unsigned int as_of);
unsigned int equipment_cache_age(struct equipment_cache *cache);
/** The database has changed. */
void equipment_cache_forget(struct equipment_cache *cache);

#endif
