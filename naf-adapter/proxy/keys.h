/* SPDX-License-Identifier: Apache-2.0 */
/** Keys a worker got lately, so that a device's next handshake or request does not wait for the agent. One thread. */
#ifndef GBA_PROXY_KEYS_H
#define GBA_PROXY_KEYS_H

#include <talloc.h>
#include <time.h>

#include "core/bytes.h"
#include "naf-adapter/libnaf/gba-naf.h"

struct keys;

/** @param entries  remembered at most; the least used of four neighbours makes room; 0: none
 * @param seconds  [s] each is trusted for, within its own expiry
 * @return NULL: out of memory. Freeing it wipes the keys. */
struct keys *keys_new(TALLOC_CTX *mem_ctx, size_t entries, unsigned int seconds);
/** @return the keys' own reference, valid until the next call; NULL: not known. now [s since epoch] */
struct gba_naf_result *keys_find(struct keys *keys, struct bytes btid, const char *fqdn,
				 const uint8_t ua_id[GBA_NAF_UA_ID_LEN], time_t now);
/** Forget what a notice is about. @return how many */
size_t keys_drop(struct keys *keys, const struct gba_naf_notice *notice);
/** Forget what is known for this name. */
void keys_forget(struct keys *keys, const char *fqdn);
/** Another size, another time: what is known is kept as far as there is place. Out of memory: the size stays. */
void keys_resize(struct keys *keys, size_t entries, unsigned int seconds, time_t now);
/** Remember a result; takes a reference of its own. */
void keys_put(struct keys *keys, struct gba_naf_result *result, const uint8_t ua_id[GBA_NAF_UA_ID_LEN], time_t now);

#endif
