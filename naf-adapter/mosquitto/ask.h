/* SPDX-License-Identifier: Apache-2.0 */
/** Keys for handshakes in a program of one thread that cannot come back to one later. What is remembered is there at once; for
 * others the caller stands still, bounded for each and in all; an answer that comes later is remembered for the device's next
 * handshake. Identities without a key are remembered too. One thread. */
#ifndef GBA_MQTT_ASK_H
#define GBA_MQTT_ASK_H

#include <talloc.h>

#include "naf-adapter/libnaf/gba-naf.h"
#include "naf-adapter/mosquitto/conf.h"

struct ask;

/** @param naf  outlives it; its waiting requests are cancelled when it is freed @return NULL: out of memory */
struct ask *ask_new(TALLOC_CTX *mem_ctx, const struct mqtt_conf *conf, struct gba_naf *naf);
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
