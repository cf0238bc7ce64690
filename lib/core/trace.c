/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static int trace_fd = -1;

enum gba_err trace_open(const char *path)
{
	trace_close();
	if (path == NULL || path[0] == '\0')
		return GBA_OK;
	trace_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return trace_fd >= 0 ? GBA_OK : gba_err_from_errno(errno);
}

void trace_close(void)
{
	if (trace_fd >= 0)
		close(trace_fd);
	trace_fd = -1;
}

bool trace_on(void)
{
	return trace_fd >= 0;
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
	if (write(trace_fd, text, n + 1) < 0)
		trace_close();
	free(text);
}
