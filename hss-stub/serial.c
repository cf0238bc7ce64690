/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/serial.h"

#include <pthread.h>
#include <sys/queue.h>

#include "core/trace.h"

struct job {
	STAILQ_ENTRY(job) queue;
	struct msg *msg;
	uint64_t seen_at;
};

struct serial {
	struct serial_conf conf;
	struct dia_service *service;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	STAILQ_HEAD(, job) jobs;
	unsigned int waiting;
	bool stopping;
};

static struct job *next_job(struct serial *serial)
{
	struct job *job;

	pthread_mutex_lock(&serial->lock);
	while (!serial->stopping && STAILQ_EMPTY(&serial->jobs))
		pthread_cond_wait(&serial->wake, &serial->lock);
	job = STAILQ_FIRST(&serial->jobs);
	if (job != NULL) {
		STAILQ_REMOVE_HEAD(&serial->jobs, queue);
		serial->waiting--;
	}
	pthread_mutex_unlock(&serial->lock);
	return job;
}

static void *serial_main(void *arg)
{
	struct serial *serial = arg;
	struct job *job;

	while ((job = next_job(serial)) != NULL) {
		serial->conf.serve(serial->conf.arg, job->msg, job->seen_at);
		talloc_free(job);
	}
	return NULL;
}

/* In a dispatch thread. */
static void on_request(struct msg *request, void *arg)
{
	struct job *job = talloc_zero(NULL, struct job);
	struct serial *serial = arg;
	bool taken = false;

	if (job != NULL) {
		job->msg = request;
		job->seen_at = trace_now();
		pthread_mutex_lock(&serial->lock);
		taken = !serial->stopping && serial->waiting < serial->conf.max;
		if (taken) {
			STAILQ_INSERT_TAIL(&serial->jobs, job, queue);
			serial->waiting++;
			pthread_cond_signal(&serial->wake);
		}
		pthread_mutex_unlock(&serial->lock);
	}
	if (taken)
		return;
	talloc_free(job);
	dia_answer_send(&request, GBA_E_BUSY, NULL, serial->conf.answer, NULL);
}

enum gba_err serial_start(TALLOC_CTX *mem_ctx, const struct serial_conf *conf, struct serial **_serial)
{
	struct serial *serial = talloc_zero(mem_ctx, struct serial);
	enum gba_err err;

	if (serial == NULL)
		return GBA_E_NOMEM;
	serial->conf = *conf;
	STAILQ_INIT(&serial->jobs);
	pthread_mutex_init(&serial->lock, NULL);
	pthread_cond_init(&serial->wake, NULL);
	serial->runs = pthread_create(&serial->thread, NULL, serial_main, serial) == 0;
	err = serial->runs ? dia_serve(serial, conf->cmd, on_request, serial, &serial->service) : GBA_E_NOMEM;
	*_serial = serial; /* whatever came of it is for serial_stop() */
	return err;
}

void serial_stop(struct serial *serial)
{
	if (serial == NULL)
		return;
	if (serial->service != NULL)
		dia_serve_stop(serial->service);
	pthread_mutex_lock(&serial->lock);
	serial->stopping = true;
	pthread_cond_signal(&serial->wake);
	pthread_mutex_unlock(&serial->lock);
	if (serial->runs)
		pthread_join(serial->thread, NULL);
}
