/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/warmer.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "core/log.h"

static struct {
	TALLOC_CTX *root;
	struct db *db;
	uint64_t limit; /* [octets] */
	pthread_t thread;
	bool running;
	_Atomic bool stopping;
} warmer;

static void *run(void *arg)
{
	uint64_t began = clock_mono_ms(), octets = 0;
	enum gba_err err = db_warm(warmer.db, warmer.limit, &warmer.stopping, &octets);

	(void)arg;
	log_event(err == GBA_OK ? LOG_L_INFO : LOG_L_WARNING, "registry.store.warm", NULL,
		  "upper pages of the database read: %llu KiB in %llu ms%s%s", (unsigned long long)octets >> 10,
		  (unsigned long long)(clock_mono_ms() - began), err == GBA_OK ? "" : ": ", err == GBA_OK ? "" : gba_strerror(err));
	return NULL;
}

static enum gba_err warmer_start(struct registry *registry, const char **_why)
{
	enum gba_err err;

	if (registry->conf->store_warm == 0 || db_is_server(registry->conf->database))
		return GBA_OK;
	warmer.root = talloc_named_const(NULL, 0, "warmer");
	if (warmer.root == NULL)
		return GBA_E_NOMEM;
	warmer.limit = (uint64_t)registry->conf->store_warm << 20;
	atomic_store(&warmer.stopping, false);
	err = registry_store(warmer.root, registry->conf, &warmer.db, _why);
	if (err == GBA_OK && pthread_create(&warmer.thread, NULL, run, NULL) != 0)
		err = GBA_E_NOMEM;
	warmer.running = err == GBA_OK;
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		TALLOC_FREE(warmer.root);
	}
	return err;
}

static void warmer_stop(struct registry *registry)
{
	(void)registry;
	if (!warmer.running)
		return;
	atomic_store(&warmer.stopping, true);
	pthread_join(warmer.thread, NULL);
	warmer.running = false;
	TALLOC_FREE(warmer.root);
}

const struct registry_room warmer_room = { "warmer", warmer_start, warmer_stop };
