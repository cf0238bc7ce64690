/* SPDX-License-Identifier: Apache-2.0 */
/* libpq's own connecting, which tries one host after the other, in a thread: a server or a name server that hangs holds up
 * nobody who has requests to answer. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/secret.h"
#include "store/db_pg_priv.h"

struct pg_dial {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended_now;
	bool ended;
	PGconn *conn;
	struct timespec until; /* nobody waits longer */
	char *conninfo;
};

/* What stands before dbname can be given in the connection string, what stands after it cannot. */
static void *dial(void *arg)
{
	struct pg_dial *dial = arg;
	const char *const words[] = { "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
				      "tcp_user_timeout", "target_session_attrs", "fallback_application_name", "dbname",
				      "client_encoding", NULL };
	const char *const values[] = { "2", "5", "5", "2", "10000", "read-write", "gba-suite", dial->conninfo, "UTF8", NULL };
	PGconn *conn = PQconnectdbParams(words, values, 1);

	pthread_mutex_lock(&dial->lock);
	dial->conn = conn;
	dial->ended = true;
	pthread_cond_signal(&dial->ended_now);
	pthread_mutex_unlock(&dial->lock);
	return NULL;
}

static void dial_free(struct pg_dial *dial)
{
	pthread_cond_destroy(&dial->ended_now);
	pthread_mutex_destroy(&dial->lock);
	if (dial->conninfo != NULL)
		secret_wipe(dial->conninfo, strlen(dial->conninfo));
	free(dial->conninfo);
	free(dial);
}

struct pg_dial *pg_dial_start(const char *conninfo, unsigned int ms)
{
	struct pg_dial *d = calloc(1, sizeof(*d)); /* not talloc's: two threads have it */
	pthread_condattr_t attr;

	if (d == NULL)
		return NULL;
	d->until = clock_mono_after(ms);
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->ended_now, &attr);
	pthread_condattr_destroy(&attr);
	d->conninfo = strdup(conninfo);
	if (d->conninfo != NULL && pthread_create(&d->thread, NULL, dial, d) == 0)
		return d;
	dial_free(d);
	return NULL;
}

bool pg_dial_wait(struct pg_dial *dial)
{
	bool ended;

	pthread_mutex_lock(&dial->lock);
	while (!dial->ended && pthread_cond_timedwait(&dial->ended_now, &dial->lock, &dial->until) != ETIMEDOUT)
		;
	ended = dial->ended;
	pthread_mutex_unlock(&dial->lock);
	return ended;
}

PGconn *pg_dial_end(struct pg_dial *dial)
{
	PGconn *conn;

	pthread_join(dial->thread, NULL);
	conn = dial->conn;
	dial_free(dial);
	return conn;
}
