/* SPDX-License-Identifier: Apache-2.0 */
/** Bootstrapping contexts for the tests of their stores. */
#ifndef GBA_TESTS_CTX_FIXTURE_H
#define GBA_TESTS_CTX_FIXTURE_H

#include "bsf/ctx_store.h"

#define CTX_IMPI "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"

/** Context number n: RAND, TMPI and Ks follow from it; octets that end a line of Redis' protocol are among them. No USS.
 * @param life  [s] */
struct ctx ctx_make(uint32_t n, const char *impi, time_t created, time_t life);
/** Put and wait for the answer. Any thread. */
enum gba_err ctx_put(struct ctx_store *store, const struct ctx *ctx);

#endif
