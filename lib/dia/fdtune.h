/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of gba_fdtune.so. Any thread may call them. */
#ifndef GBA_DIA_FDTUNE_H
#define GBA_DIA_FDTUNE_H

#include <stdbool.h>

#define EXPORT __attribute__((visibility("default")))

struct fifo;

/** As fd_fifo_post(), but never by a shorter way. */
int fdtune_queue(struct fifo *queue, void **_item);
/** Does this thread have more in hand, which it comes to without waiting? Then those it passes things on to may be woken later. */
void fdtune_has_more(bool more);
/** This thread is about to wait: those it has passed things on to are woken. */
void fdtune_waits(void);
/** Is this the thread of a peer's state machine? */
bool fdtune_is_psm(void);

/** A message posted where it waits to be routed: where there is nothing to decide, it goes straight to where it would get.
 * @return false: nothing was done, it goes the long way */
bool fdtune_shorten(struct fifo *queue, void **_item);

#endif
