/* SPDX-License-Identifier: Apache-2.0 */
/* gba_fdtune.so, preloaded into freeDiameterd by our role programs: its queues between threads hold 20 to 30 messages in
 * 1.2.1, so under load every message wakes and stops a thread on its way in and out; with room for a thousand they work
 * through batches. What protects a node from a flood is the guard's busy-local and busy-peer, not these limits. */
#include <dlfcn.h>
#include <errno.h>
#include <freeDiameter/extension.h>

#define ROOM 1000 /* [messages] */

typedef int (*fifo_new)(struct fifo **queue, int max);

/* Called when the daemon starts and when a peer connects; a queue without limit stays so. */
__attribute__((visibility("default"))) int fd_fifo_new(struct fifo **queue, int max)
{
	fifo_new real = (fifo_new)dlsym(RTLD_NEXT, "fd_fifo_new");

	if (real == NULL)
		return ENOSYS;
	return real(queue, max > 0 && max < ROOM ? ROOM : max);
}
