/* SPDX-License-Identifier: Apache-2.0 */
/** Listening sockets of one address: one per worker, the kernel spreads connections over them. */
#ifndef GBA_PROXY_LISTEN_H
#define GBA_PROXY_LISTEN_H

#include <stdbool.h>

/** @param address  "host:port", for TCP @param fds  n of them, to be closed by the caller
 * @return false: errno says why, none is open */
bool listen_on_all(const char *address, int *fds, unsigned int n);

#endif
