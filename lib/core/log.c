/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/line.h"

#define LINE_MAX_OCTETS 2048

const char *const log_level_names[] = { "error", "warning", "info", "debug", NULL };
const char *const log_format_names[] = { "text", "json", NULL };
static const char *const journal_priority[] = { "<3>", "<4>", "<6>", "<7>" };

/* Level, format and journal are read without the lock while a configuration is read again: a line may be of the old one. */
static struct {
	pthread_mutex_t lock;
	char role[24];
	_Atomic enum log_level level;
	_Atomic enum log_format format;
	char path[256];
	int fd; /* -1: stderr */
	_Atomic bool journal;
} logger = { .lock = PTHREAD_MUTEX_INITIALIZER, .role = "gba", .level = LOG_L_INFO, .fd = -1 };

static bool needs_quotes(struct bytes value)
{
	size_t i;

	for (i = 0; i < value.n; i++) {
		if (value.p[i] <= ' ' || value.p[i] >= 0x7f || value.p[i] == '"' || value.p[i] == '\\' || value.p[i] == '=')
			return true;
	}
	return value.n == 0;
}

/* A line under construction, of one format from its start to its end. */
struct entry {
	char text[LINE_MAX_OCTETS];
	struct line line;
	bool json;
};

static void put_key(struct entry *entry, const char *key)
{
	line_str(&entry->line, entry->json ? (entry->line.n > 1 ? ",\"" : "\"") : " ");
	line_str(&entry->line, key);
	line_str(&entry->line, entry->json ? "\":" : "=");
}

static void put_field(struct entry *entry, const char *key, struct bytes value)
{
	bool quote = entry->json || needs_quotes(value);

	if (value.p == NULL)
		return;
	put_key(entry, key);
	if (quote)
		line_char(&entry->line, '"');
	line_escaped(&entry->line, value);
	if (quote)
		line_char(&entry->line, '"');
}

static void put_number(struct entry *entry, const char *key, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	put_key(entry, key);
	line_str(&entry->line, digits);
}

static void put_start(struct entry *entry, enum log_level level, const char *event)
{
	struct line *line = &entry->line;
	char stamp[40];
	struct timeval tv;
	struct tm tm;
	size_t n;

	gettimeofday(&tv, NULL);
	gmtime_r(&tv.tv_sec, &tm);
	n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp + n, sizeof(stamp) - n, ".%03dZ", (int)(tv.tv_usec / 1000));
	if (entry->json) {
		line_char(line, '{');
		put_field(entry, "ts", bytes_of(stamp));
		put_field(entry, "level", bytes_of(log_level_names[level]));
		put_field(entry, "role", bytes_of(logger.role));
		put_field(entry, "event", bytes_of(event));
		return;
	}
	if (logger.journal)
		line_str(line, journal_priority[level]);
	else
		line_str(line, stamp), line_char(line, ' ');
	line_str(line, log_level_names[level]);
	line_char(line, ' ');
	line_str(line, logger.role);
	line_char(line, ' ');
	line_str(line, event);
}

static void put_about(struct entry *entry, const struct log_about *about)
{
	put_field(entry, "iface", bytes_of(about->iface));
	put_field(entry, "corr", bytes_of(about->corr));
	put_field(entry, "peer", about->peer);
	put_field(entry, "id", about->id);
	put_field(entry, "btid", bytes_of(about->btid));
	if (about->result != GBA_OK)
		put_field(entry, "result", bytes_of(gba_err_name(about->result)));
	put_field(entry, "clause", bytes_of(about->clause));
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* a full disk must not stop the node; the journal or the operator's monitoring sees the gap */
		p += done;
		n -= (size_t)done;
	}
}

static void start(struct entry *entry, enum log_level level, const char *event, const struct log_about *about)
{
	entry->line = (struct line){ .text = entry->text, .cap = sizeof(entry->text) - 2 }; /* room for the end */
	entry->json = logger.format == LOG_F_JSON;
	put_start(entry, level, event);
	if (about != NULL)
		put_about(entry, about);
}

static void finish(struct entry *entry)
{
	struct line *line = &entry->line;
	int cancel;

	if (entry->json)
		line->text[line->n++] = '}';
	line->text[line->n++] = '\n';
	/* freeDiameter cancels its threads when a peer goes; one that ended in write() would keep the lock for ever. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&logger.lock);
	write_all(logger.fd >= 0 ? logger.fd : STDERR_FILENO, line->text, line->n);
	pthread_mutex_unlock(&logger.lock);
	pthread_setcancelstate(cancel, NULL);
}

void log_event(enum log_level level, const char *event, const struct log_about *about, const char *fmt, ...)
{
	char message[1024];
	struct entry entry;
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	start(&entry, level, event, about);
	if (message[0] != '\0')
		put_field(&entry, "msg", bytes_of(message));
	finish(&entry);
}

void log_fields(enum log_level level, const char *event, const struct log_about *about, const struct log_field *fields, size_t n)
{
	struct entry entry;
	size_t i;

	if (!log_enabled(level))
		return;
	start(&entry, level, event, about);
	for (i = 0; i < n; i++) {
		if (fields[i].is_number)
			put_number(&entry, fields[i].key, fields[i].number);
		else
			put_field(&entry, fields[i].key, fields[i].text);
	}
	finish(&entry);
}

bool log_enabled(enum log_level level)
{
	return level <= logger.level;
}

bool log_limit_pass(struct log_limit *limit, unsigned int seconds)
{
	uint64_t now = clock_mono_ms(), next = __atomic_load_n(&limit->next_ms, __ATOMIC_RELAXED);

	if (now < next)
		return false;
	return __atomic_compare_exchange_n(&limit->next_ms, &next, now + 1000ULL * seconds, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

/* next_ms is when all that has passed would have, at one a second: it may run ahead of the clock by the burst. */
bool log_limit_burst(struct log_limit *limit, unsigned int burst, unsigned int *_left_out)
{
	uint64_t now = clock_mono_ms(), then = __atomic_load_n(&limit->next_ms, __ATOMIC_RELAXED), next;

	do {
		next = (then > now ? then : now) + 1000;
		if (next > now + 1000ULL * burst) {
			__atomic_fetch_add(&limit->left_out, 1, __ATOMIC_RELAXED);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&limit->next_ms, &then, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	*_left_out = __atomic_exchange_n(&limit->left_out, 0, __ATOMIC_RELAXED);
	return true;
}

static int open_path(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

/* systemd names the journal's socket by device and inode of stderr. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return stream != NULL && sscanf(stream, "%lu:%lu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

enum gba_err log_init(const char *role, enum log_level level, enum log_format format, const char *path)
{
	bool to_file = path != NULL && path[0] != '\0';
	int fd = to_file ? open_path(path) : -1, why = errno;

	pthread_mutex_lock(&logger.lock);
	if (strcmp(logger.role, role) != 0)
		snprintf(logger.role, sizeof(logger.role), "%s", role);
	if (!to_file || fd >= 0) {
		if (logger.fd >= 0)
			close(logger.fd);
		logger.fd = fd;
		logger.level = level;
		logger.format = format;
		logger.journal = !to_file && stderr_is_journal();
		snprintf(logger.path, sizeof(logger.path), "%s", to_file ? path : "");
	}
	pthread_mutex_unlock(&logger.lock);
	return to_file && fd < 0 ? gba_err_from_errno(why) : GBA_OK;
}

void log_reopen(void)
{
	int fd;

	pthread_mutex_lock(&logger.lock);
	if (logger.fd >= 0) {
		fd = open_path(logger.path);
		if (fd >= 0) {
			close(logger.fd);
			logger.fd = fd;
		}
	}
	pthread_mutex_unlock(&logger.lock);
}

void log_close(void)
{
	pthread_mutex_lock(&logger.lock);
	if (logger.fd >= 0)
		close(logger.fd);
	logger.fd = -1;
	pthread_mutex_unlock(&logger.lock);
}
