/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/holder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

#define LOOK_S	1    /* [s] between questions whether the server is there */
#define GONE_MS 5000 /* a server sees so late that the node before has ended */
#define STEP_MS 50

static struct {
	TALLOC_CTX *root;
	struct db *db;
	_Atomic int state; /* enum gba_err of the last claim */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stopping;
} holder = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

bool holder_good(const char **_missing)
{
	int state = atomic_load(&holder.state);

	*_missing = state == GBA_E_BUSY ? "database: another node has it" : "database";
	return state == GBA_OK;
}

/* What has changed is told once. */
static void look(void)
{
	enum gba_err err = db_claim(holder.db);

	if (err == (enum gba_err)atomic_exchange(&holder.state, (int)err))
		return;
	if (err == GBA_OK)
		log_event(LOG_L_INFO, "registry.store", NULL, "the database is there again");
	else if (err == GBA_E_BUSY)
		log_event(LOG_L_ERROR, "registry.store", NULL, "another node of this registry serves from the database now");
	else
		log_event(LOG_L_WARNING, "registry.store", NULL, "the database is away: %s", db_error(holder.db));
}

static void *run(void *arg)
{
	struct timespec until;

	(void)arg;
	pthread_mutex_lock(&holder.lock);
	while (!holder.stopping) {
		pthread_mutex_unlock(&holder.lock);
		look();
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_S;
		pthread_mutex_lock(&holder.lock);
		if (!holder.stopping)
			pthread_cond_clockwait(&holder.wake, &holder.lock, CLOCK_MONOTONIC, &until);
	}
	pthread_mutex_unlock(&holder.lock);
	return NULL;
}

static void holder_stop(struct registry *registry)
{
	(void)registry;
	if (holder.running) {
		pthread_mutex_lock(&holder.lock);
		holder.stopping = true;
		pthread_cond_signal(&holder.wake);
		pthread_mutex_unlock(&holder.lock);
		pthread_join(holder.thread, NULL);
	}
	TALLOC_FREE(holder.root);
	holder.db = NULL;
	holder.running = holder.stopping = false;
}

/* A file does not go away. */
static enum gba_err watch(const struct registry *registry)
{
	if (!db_is_server(registry->conf->database))
		return GBA_OK;
	holder.running = pthread_create(&holder.thread, NULL, run, NULL) == 0;
	return holder.running ? GBA_OK : GBA_E_NOMEM;
}

/* Who is started again at once after a crash finds the session of before. */
static enum gba_err claim_first(const char *database)
{
	uint64_t until = clock_mono_ms() + (db_is_server(database) ? GONE_MS : 0);
	enum gba_err err;

	while ((err = db_claim(holder.db)) == GBA_E_BUSY && clock_mono_ms() < until)
		usleep(STEP_MS * 1000);
	return err;
}

static enum gba_err holder_start(struct registry *registry, const char **_why)
{
	enum gba_err err = GBA_E_NOMEM;

	holder.root = talloc_named_const(NULL, 0, "holder");
	if (holder.root != NULL)
		err = registry_store(holder.root, registry->conf, &holder.db, _why);
	if (err == GBA_OK) {
		err = claim_first(registry->conf->database);
		*_why = err == GBA_E_BUSY ? "database: another node of this registry serves from it" : db_error(holder.db);
	}
	atomic_store(&holder.state, (int)err);
	if (err == GBA_OK)
		err = watch(registry);
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		holder_stop(registry);
	}
	return err;
}

const struct registry_room holder_room = { "database", holder_start, holder_stop };
