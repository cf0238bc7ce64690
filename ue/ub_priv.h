/* SPDX-License-Identifier: Apache-2.0 */
/** What a run by AKA (ub.c) and one by certificate (ub_cert.c) share: the BSF's last answer. */
#ifndef GBA_UE_UB_PRIV_H
#define GBA_UE_UB_PRIV_H

#include "ue/ub.h"

/** The body of a 200 whose sender has proved itself: B-TID in the form TS 33.220 4.5.2 lays down, of this run, of this BSF; a
 * lifetime that is not over. Into _result, all but the keys. @param _info  texts below mem_ctx
 * @retval GBA_E_XML, GBA_E_BTID_SYNTAX, GBA_E_PEER, GBA_E_REALM */
enum gba_err ub_info_take(TALLOC_CTX *mem_ctx, const struct ub_conf *conf, const uint8_t rand[RAND_LEN], struct bytes body,
			  struct bsinfo *_info, struct ub_result *_result, struct why *why);
/** A status that ends the run. */
enum gba_err ub_refused(const struct ub_conf *conf, const struct fetch_answer *answer, struct ub_result *_result, struct why *why);

#endif
