/* SPDX-License-Identifier: Apache-2.0 */
/** Change of operator on the wire (Y.3056 10.6): one thread asks, one answers; dispatch threads only hand over. */
#ifndef GBA_HSS_OPC_H
#define GBA_HSS_OPC_H

#include "hss-stub/change/change.h"
#include "hss-stub/conf.h"

struct hss_opc;

/** @param conf, kek, audit  outlive it  @param _error  for the operator, below mem_ctx */
enum gba_err hss_opc_start(TALLOC_CTX *mem_ctx, const struct hss_conf *conf, struct kek *kek, struct audit *audit,
			   struct hss_opc **_opc, const char **_error);
/** No new question; ends when dia_requests_stop() has been called. */
void hss_opc_stop(struct hss_opc *opc);

#endif
