/* SPDX-License-Identifier: Apache-2.0 */
/** Memory of sealed datagrams in the state folder: a file "sealed-<kid>" for each pair of keys, and a sealed list of the pairs that
 * were ever used, so that a file that is gone is not taken for keys that are fresh. */
#ifndef GBA_UE_SEALED_STATE_H
#define GBA_UE_SEALED_STATE_H

#include "sealed/link.h"
#include "ue/state.h"

#define SEALED_STATE_WAIT_MS 2000 /* for another process with the same keys */

/** Files of tokens that are no more are removed on the way, the oldest first.
 * @retval GBA_E_NOT_FOUND  what was sent under these keys is forgotten: bootstrap anew
 * @retval GBA_E_BUSY       another process has them  @return and all of sealed_link_open() */
enum gba_err sealed_state_open(TALLOC_CTX *mem_ctx, struct state *state, const struct sealed_keys *keys,
			       struct sealed_link **_link);

#endif
