/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace_fd = -1; /* changed under the lock; atomic, because trace_on() does without */

/* Under the lock. */
static void use(int fd)
{
	if (trace_fd >= 0)
		close(trace_fd);
	__atomic_store_n(&trace_fd, fd, __ATOMIC_RELAXED);
}

enum gba_err trace_open(const char *path)
{
	int fd = -1;

	if (path != NULL && path[0] != '\0') {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd < 0)
			return gba_err_from_errno(errno);
	}
	pthread_mutex_lock(&lock);
	use(fd);
	pthread_mutex_unlock(&lock);
	return GBA_OK;
}

void trace_close(void)
{
	trace_open(NULL);
}

bool trace_on(void)
{
	return __atomic_load_n(&trace_fd, __ATOMIC_RELAXED) >= 0;
}

uint64_t trace_now(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
}

static void set_text(json_t *line, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(line, key, json_string(text));
}

void trace_step(const struct trace_step *step)
{
	json_t *line;
	char *text;
	int cancel;
	size_t n;

	if (!trace_on())
		return;
	line = json_object();
	json_object_set_new(line, "at", json_integer((json_int_t)(step->at != 0 ? step->at : trace_now())));
	set_text(line, "corr", step->corr);
	set_text(line, "from", step->from);
	set_text(line, "to", step->to);
	set_text(line, "iface", step->iface);
	set_text(line, "clause", step->clause);
	set_text(line, "message", step->message);
	if (step->id.p != NULL)
		json_object_set_new(line, "id", json_stringn((const char *)step->id.p, step->id.n));
	text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(line);
	if (text == NULL)
		return;
	n = strlen(text);
	text[n] = '\n'; /* the terminator's place: the line leaves in one write */
	/* freeDiameter cancels its threads when a peer goes; one that ended in write() would keep the lock for ever. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&lock);
	if (trace_fd >= 0 && write(trace_fd, text, n + 1) < 0)
		use(-1);
	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(cancel, NULL);
	free(text);
}
