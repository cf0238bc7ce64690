/* SPDX-License-Identifier: Apache-2.0 */
/** Keys for handshakes in a program of one thread that cannot come back to one later. What is remembered is there at once; for
 * others the caller stands still, bounded for each and in all; an answer that comes later is remembered for the device's next
 * handshake. Identities without a key are remembered too. One thread. */
#ifndef GBA_SHARED_ASK_H
#define GBA_SHARED_ASK_H

#include <talloc.h>

#include "conf/conf.h"
#include "naf-adapter/libnaf/gba-naf.h"

struct ask;

/** Items of a program's configuration. */
struct ask_conf {
	uint32_t wait, wait_share;  /* [ms], [%] */
	uint32_t max_waiting;	    /* keys asked for at once */
	uint32_t keys, key_life;    /* remembered, for so long [s] */
	uint32_t refused_life;	    /* [s] */
};
#define ASK_CONF_ITEMS(st, m) \
	CONF_U32("wait", 200, 0, 5000, "ms", st, m.wait, \
		 "All stand still for keys at most so long at once; a device whose key comes later connects again"), \
	CONF_U32("wait-share", 20, 0, 100, "%", st, m.wait_share, "And in the long run at most this share of the time"), \
	CONF_U32("max-waiting", 256, 1, 65536, "", st, m.max_waiting, "Keys asked for at once; others are refused"), \
	CONF_U32("keys", 10000, 0, 1000000, "", st, m.keys, "Keys remembered"), \
	CONF_U32("key-life", 300, 0, 86400, "s", st, m.key_life, "Each is trusted so long, within its own expiry"), \
	CONF_U32("refused-life", 5, 0, 3600, "s", st, m.refused_life, "An identity without a key is not asked for again")

/** @param naf  outlives it; its waiting requests are cancelled when it is freed @return NULL: out of memory */
struct ask *ask_new(TALLOC_CTX *mem_ctx, const struct ask_conf *conf, struct gba_naf *naf);
/** @param query    with its btid, fqdn, ua_id and source
 * @param _result   written on GBA_NAF_OK: the caller's reference
 * @retval GBA_NAF_E_TIMEOUT  not in time; it may be there when asked again
 * @retval GBA_NAF_E_BUSY  too many are waited for
 * @return else as gba_naf_get() */
enum gba_naf_error ask_key(struct ask *ask, const struct gba_naf_query *query, struct gba_naf_result **_result);
/** Keys asked for and not answered yet. */
size_t ask_waiting(const struct ask *ask);
/** Forget the keys a notice is about. */
void ask_forget(struct ask *ask, const struct gba_naf_notice *notice);
/** Time that handshakes may still be waited for now [ms]. */
unsigned int ask_allowance(struct ask *ask);

#endif
