/* SPDX-License-Identifier: Apache-2.0 */
/** Listening sockets of one address: one per worker, the kernel spreads connections over them. */
#ifndef GBA_PROXY_LISTEN_H
#define GBA_PROXY_LISTEN_H

#include <stdbool.h>

/** @param address  "host:port", for TCP @param keepalive  as of listen_keep_alive() @param fds  n, to be closed by the caller
 * @return false: errno says why, none is open */
bool listen_on_all(const char *address, unsigned int keepalive, int *fds, unsigned int n);

/** Connections that come to fd from now on are asked after when nothing has come from them for so long.
 * @param seconds  0: never */
void listen_keep_alive(int fd, unsigned int seconds);

#endif
