/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/agent/hangup.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "core/log.h"
#include "naf-adapter/agent/rpa.h"

static struct {
	sem_t rung;
	pthread_t thread;
	bool running;
	volatile sig_atomic_t stop;
	const char *path;
	struct agent_conf in_force; /* its clients: views, good while the file is read again */
	struct agent_news *news;
	struct local *local;
} me;

/* In whichever thread the signal finds. */
static void on_signal(int number)
{
	int kept = errno;

	(void)number;
	sem_post(&me.rung);
	errno = kept;
}

static void on_good_conf(const void *fresh_)
{
	const struct agent_conf *fresh = fresh_;

	agent_conf_renew(&me.in_force, fresh);
	me.in_force.clients = fresh->clients;
	me.news = talloc_zero(NULL, struct agent_news);
	if (me.news == NULL)
		return;
	agent_conf_renew(&me.news->conf, fresh);
	if (!clients_copy(me.news, &fresh->clients, &me.news->clients)) {
		talloc_free(me.news);
		me.news = NULL;
	}
}

static bool renew(void)
{
	if (me.news == NULL)
		return false;
	if (!rpa_renew(&me.news->clients)) {
		talloc_free(me.news);
		return false;
	}
	return local_renew(me.local, me.news);
}

static void read_again(void)
{
	struct log_about about = { 0 };
	struct role role = agent_role;
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct conf_error error;
	const char *differs;

	log_reopen();
	role.live = on_good_conf;
	me.news = NULL;
	about.result = conf_reread(tmp, &role, me.path, &me.in_force, &differs, &error);
	if (about.result != GBA_OK)
		talloc_free(me.news);
	else if (!renew())
		about.result = GBA_E_NOMEM;
	if (about.result != GBA_OK)
		log_event(LOG_L_ERROR, "naf.reload", &about, "refused, all stays as it was: %s",
			  about.result == GBA_E_NOMEM ? "out of memory" : error.text);
	else
		log_event(LOG_L_INFO, "naf.reload", NULL, "log reopened, clients and limits in force%s%s",
			  differs[0] != '\0' ? "; as they were until a restart: " : "", differs);
	talloc_free(tmp);
}

static void *run(void *arg)
{
	(void)arg;
	for (;;) {
		while (sem_wait(&me.rung) != 0)
			;
		if (me.stop)
			return NULL;
		read_again();
	}
}

enum gba_err hangup_start(const char *path, const struct agent_conf *conf, struct local *local)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t hangup, before;
	int rc;

	me.path = path;
	me.in_force = *conf;
	me.local = local;
	me.stop = 0;
	if (sem_init(&me.rung, 0, 0) != 0)
		return gba_err_from_errno(errno);
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &hangup, &before);
	rc = pthread_create(&me.thread, NULL, run, NULL);
	/* Threads made from here on leave the signal to ours: not all of freeDiameter's waits go on after one. */
	pthread_sigmask(SIG_BLOCK, &hangup, NULL);
	if (rc != 0) {
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		return gba_err_from_errno(rc);
	}
	me.running = true;
	sigemptyset(&action.sa_mask);
	sigaction(SIGHUP, &action, NULL);
	return GBA_OK;
}

void hangup_stop(void)
{
	if (!me.running)
		return;
	signal(SIGHUP, SIG_IGN); /* this code is about to go */
	me.stop = 1;
	sem_post(&me.rung);
	pthread_join(me.thread, NULL);
	sem_destroy(&me.rung);
	me.running = false;
}
