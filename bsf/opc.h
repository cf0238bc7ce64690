/* SPDX-License-Identifier: Apache-2.0 */
/** Change of operator, the BSF's part (Y.3056 10.6.1-4): a device that is changing has its first token here; its HSS wants to
 * know. Such a device is known by a bit of AMF in its AUTN (doc/operator-change.md). */
#ifndef GBA_BSF_OPC_H
#define GBA_BSF_OPC_H

#include "bsf/conf.h"
#include "bsf/hss.h"

struct bsf_opc;

/** From now on hss->made() tells the HSS, until it has answered or OPC_TRIES seconds have passed. Without dict_y3056: does
 * nothing, *_opc is NULL. conf and hss outlive it. */
enum gba_err bsf_opc_start(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct hss *hss, struct bsf_opc **_opc);
/** After dia_requests_stop(): nothing is under way any more. NULL passes. */
void bsf_opc_stop(struct bsf_opc *opc);

#endif
