/* SPDX-License-Identifier: Apache-2.0 */
/** The BSF's end of RPB beside Zh. */
#ifndef GBA_BSF_RPB_H
#define GBA_BSF_RPB_H

#include "bsf/conf.h"
#include "bsf/hss.h"
#include "bsf/reporter.h"
#include "bsf/revoker.h"
#include "dia/y3056.h"

/** Once, at load. Without dict_y3056: GBA_OK, and nothing is able. */
enum gba_err bsf_rpb_resolve(void);
/** Does an HSS of this row show RPB? */
bool bsf_rpb_able(const struct bsf_hss *row);
/** Permission-Query; as ask() of struct hss. */
enum gba_err bsf_rpb_ask(const struct bsf_conf *conf, const struct bsf_hss *row, const struct hss_question *question,
			 hss_done done, void *arg);
/** Certificate-Query; as ask() of struct hss. */
enum gba_err bsf_rpb_certificate(const struct bsf_conf *conf, const struct bsf_hss *row, const struct hss_question *question,
				 hss_done done, void *arg);
/** Token-Report: as send() of struct report_port. */
enum gba_err bsf_rpb_report(void *conf, const struct bsf_hss *row, struct bytes *entries, size_t n, report_done done, void *arg);
struct bsf_rpb;
/** Take Permission-Notices from the HSSs of conf from now on. *_rpb NULL: dict_y3056 is not loaded. */
enum gba_err bsf_rpb_start(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct revoker *revoker, struct bsf_rpb **_rpb);
void bsf_rpb_stop(struct bsf_rpb *rpb); /* NULL passes */
/** What a Permission AVP says; views it. */
struct hss_permission bsf_rpb_permission(const struct y3056_permission *said);

#endif
