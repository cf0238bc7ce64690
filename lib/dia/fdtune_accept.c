/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that come in. freeDiameter accepts whoever connects, and the whole daemon ends when accept() fails once, for want
 * of a descriptor or of memory. Here a connection waits in the kernel's queue while few descriptors are left, and what failed
 * is tried again. The guard sees to it that descriptors come back. */
#include "dia/fdtune.h"

#include <dlfcn.h>
#include <stddef.h>
#include <unistd.h>

#include "core/files.h"

#define PAUSE_US 20000
#define TRIES	 500 /* a listener that accepts nothing for so long, with descriptors at hand, is broken: that is freeDiameter's */

struct cnxctx;

static struct cnxctx *(*original)(struct cnxctx *);

__attribute__((constructor)) static void find_original(void)
{
	*(void **)&original = dlsym(RTLD_NEXT, "fd_cnx_serv_accept");
}

EXPORT struct cnxctx *fd_cnx_serv_accept(struct cnxctx *listener);
EXPORT struct cnxctx *fd_cnx_serv_accept(struct cnxctx *listener)
{
	struct cnxctx *connection = NULL;
	unsigned int tries = 0;

	while (connection == NULL && tries < TRIES) {
		if (files_lowest() < files_for_peers()) {
			connection = original(listener);
			tries++;
		}
		if (connection == NULL)
			usleep(PAUSE_US); /* where the daemon's end may cancel the thread */
	}
	return connection;
}
