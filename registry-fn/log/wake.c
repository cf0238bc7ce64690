/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/log/wake.h"

#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*listening)(void);

void wake_listen(void (*listener)(void))
{
	pthread_mutex_lock(&lock);
	listening = listener;
	pthread_mutex_unlock(&lock);
}

void wake(void)
{
	pthread_mutex_lock(&lock);
	if (listening != NULL)
		listening();
	pthread_mutex_unlock(&lock);
}
