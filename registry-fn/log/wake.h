/* SPDX-License-Identifier: Apache-2.0 */
/** Who wants to know at once that something has been committed in this process; what others commit, it finds by looking. */
#ifndef GBA_REGISTRY_WAKE_H
#define GBA_REGISTRY_WAKE_H

/** Call it after each transaction, in the thread that had it: it only wakes. NULL: nobody; none is under way after that. */
void wake_listen(void (*listener)(void));
void wake(void);

#endif
