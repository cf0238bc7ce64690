/* SPDX-License-Identifier: Apache-2.0 */
/** Requests in flight: who waits for which answer, and until when. The framework holds a number, never a pointer, so that
 * an answer that comes late, twice or never does no harm. Thread-safe. */
#ifndef GBA_DIA_PENDING_H
#define GBA_DIA_PENDING_H

#include <stdint.h>

#include "dia/dia.h"

#define DIA_PENDING_MAX 16384 /* requests in flight per extension */

/** Enter a request. @param _id  never 0; names this request and no later one
 * @retval GBA_E_BUSY  DIA_PENDING_MAX are in flight
 * @retval GBA_E_NOMEM */
enum gba_err dia_pending_add(unsigned int timeout_ms, dia_done done, void *arg, uint64_t *_id);
/** Take it out. False: over already (deadline, stop), and done has been called. */
bool dia_pending_take(uint64_t id, dia_done *_done, void **_arg);
/** Stop the deadline thread; whatever is in flight is done with err. */
void dia_pending_stop(enum gba_err err);

#endif
