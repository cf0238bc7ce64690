/* SPDX-License-Identifier: Apache-2.0 */
/** Ub (TS 24.109 clause 4): a GET without credentials gets a challenge, a GET that answers it gets a B-TID. */
#ifndef GBA_BSF_UB_H
#define GBA_BSF_UB_H

#include <stdatomic.h>

#include "bsf/agents.h"
#include "bsf/conf.h"
#include "bsf/ctx_store.h"
#include "bsf/hss.h"
#include "bsf/run.h"
#include "core/metrics.h"
#include "http/server.h"

#define UB_TMPI_TOKEN "3gpp-gba-tmpi" /* product token of UE and BSF, TS 24.109 A.3 */

struct ub_parts {
	const struct bsf_conf *conf;
	struct ctx_store *store;
	struct hss *hss;
	struct agents *agents; /* NULL: none takes tokens */
};

struct ub;

/** The parts live longer. NULL: out of memory. */
struct ub *ub_new(TALLOC_CTX *mem_ctx, const struct ub_parts *parts);
/** Serve one request: an http_handler with a struct ub as arg. */
void ub_handle(struct http_req *req, void *ub);
/** Log a request that was refused before ub_handle() saw it: http_conf.refused, with a struct ub as arg. */
void ub_refused(void *ub, const char *source, unsigned int status, const char *reason);
/** From now on requests get 503; answers still awaited arrive by themselves. */
void ub_stop(struct ub *ub);
/** What the hss said of permissions before this moment may have changed. From any thread. */
void ub_noticed(struct ub *ub);
/** Settings that have come without being asked for; NULL: the user has none. */
void ub_settings(struct ub *ub, struct bytes impi, struct guss_kept *kept);
/** Challenges of this user can be answered no more. */
void ub_forget(struct ub *ub, struct bytes impi);
/** Whom tokens are told that are made from now on; NULL: nobody. It lives as long as the ub. */
struct reporter;
void ub_reporter(struct ub *ub, struct reporter *reporter);
/** Forget what is too old; call every second. */
void ub_tick(struct ub *ub);
bool ub_secrets_locked(const struct ub *ub);

#endif
