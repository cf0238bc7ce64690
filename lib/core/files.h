/* SPDX-License-Identifier: Apache-2.0 */
/** Open files of the process. freeDiameter ends when it cannot accept a connection for want of a descriptor, so what strangers
 * open must leave some. */
#ifndef GBA_CORE_FILES_H
#define GBA_CORE_FILES_H

#include <stddef.h>

#define FILES_KEPT 512 /* or half of what is allowed, when that is less */
#define FILES_OWN  64  /* of these; or a quarter */

/** Raise the limit of open files as far as the operator lets us. @return what is allowed now */
size_t files_raise(void);
/** Descriptors from this one on are for Diameter, stores and logs: a connection of a stranger that gets one is ended. The kernel
 * gives the lowest that is free. Any thread. */
int files_share(void);
/** Descriptors from this one on are for stores, logs and connections of our own: while it is the lowest that is free, no
 * connection of a Diameter peer is accepted. Any thread. */
int files_for_peers(void);
/** The lowest descriptor that is free; INT_MAX: none. Any thread. */
int files_lowest(void);

#endif
