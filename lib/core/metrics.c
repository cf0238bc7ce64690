/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t bucket_us[] = { 50,    100,   250,    500,    1000,    2500,    5000,    10000,
				      25000, 50000, 100000, 250000, 1000000, 2500000, 10000000 };
#define BUCKETS (sizeof(bucket_us) / sizeof(bucket_us[0]))

struct metric {
	struct metric *next;
	char *name, *help, *labels;
	enum metric_type type;
	_Atomic int64_t value;		   /* counter, gauge; histogram: count */
	_Atomic uint64_t sum_us;	   /* histogram */
	_Atomic uint64_t bucket[BUCKETS]; /* histogram, not cumulated */
};

static struct {
	pthread_mutex_t lock;
	struct metric *first, **end;
} registry = { PTHREAD_MUTEX_INITIALIZER, NULL, &registry.first };

static struct metric *metric_new(const char *name, const char *help, enum metric_type type, const char *labels)
{
	struct metric *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->type = type;
	m->name = strdup(name);
	m->help = strdup(help);
	m->labels = strdup(labels);
	if (m->name == NULL || m->help == NULL || m->labels == NULL) {
		free(m->name);
		free(m->help);
		free(m->labels);
		free(m);
		return NULL;
	}
	*registry.end = m;
	registry.end = &m->next;
	return m;
}

struct metric *metric_get(const char *name, const char *help, enum metric_type type, const char *labels)
{
	struct metric *m, *found = NULL;
	bool clash = false;

	pthread_mutex_lock(&registry.lock);
	for (m = registry.first; m != NULL && found == NULL; m = m->next) {
		if (strcmp(m->name, name) != 0)
			continue;
		clash = clash || m->type != type;
		if (strcmp(m->labels, labels) == 0)
			found = m;
	}
	if (clash)
		found = NULL;
	else if (found == NULL)
		found = metric_new(name, help, type, labels);
	pthread_mutex_unlock(&registry.lock);
	return found;
}

void metric_label(char *labels, size_t cap, const char *key, const char *value)
{
	size_t n = strlen(labels);

	n += (size_t)snprintf(labels + n, cap - n, "%s%s=\"", n > 0 ? "," : "", key);
	for (; *value != '\0' && n + 4 < cap; value++) {
		if (*value == '"' || *value == '\\')
			labels[n++] = '\\';
		labels[n++] = *value == '\n' ? ' ' : *value;
	}
	if (n + 1 < cap) {
		labels[n++] = '"';
		labels[n] = '\0';
	}
}

void metric_add(struct metric *m, int64_t delta)
{
	if (m != NULL)
		atomic_fetch_add_explicit(&m->value, delta, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t value)
{
	if (m != NULL)
		atomic_store_explicit(&m->value, value, memory_order_relaxed);
}

int64_t metric_value(const struct metric *m)
{
	return m != NULL ? atomic_load_explicit(&m->value, memory_order_relaxed) : 0;
}

void metric_observe_us(struct metric *m, uint64_t us)
{
	size_t i = 0;

	if (m == NULL)
		return;
	while (i < BUCKETS && us > bucket_us[i])
		i++;
	if (i < BUCKETS)
		atomic_fetch_add_explicit(&m->bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->sum_us, us, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->value, 1, memory_order_relaxed);
}

static void print_histogram(FILE *out, const struct metric *m)
{
	const char *comma = m->labels[0] != '\0' ? "," : "";
	const char *open = m->labels[0] != '\0' ? "{" : "", *close = m->labels[0] != '\0' ? "}" : "";
	int64_t count = metric_value(m);
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < BUCKETS; i++) {
		sum += atomic_load_explicit(&m->bucket[i], memory_order_relaxed);
		fprintf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", m->name, m->labels, comma,
			(double)bucket_us[i] / 1e6, sum);
	}
	fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRId64 "\n", m->name, m->labels, comma, count);
	fprintf(out, "%s_sum%s%s%s %.6f\n", m->name, open, m->labels, close,
		(double)atomic_load_explicit(&m->sum_us, memory_order_relaxed) / 1e6);
	fprintf(out, "%s_count%s%s%s %" PRId64 "\n", m->name, open, m->labels, close, count);
}

static void print_one(FILE *out, const struct metric *m)
{
	if (m->type == METRIC_HISTOGRAM)
		print_histogram(out, m);
	else if (m->labels[0] != '\0')
		fprintf(out, "%s{%s} %" PRId64 "\n", m->name, m->labels, metric_value(m));
	else
		fprintf(out, "%s %" PRId64 "\n", m->name, metric_value(m));
}

static bool seen_before(const struct metric *m)
{
	const struct metric *other;

	for (other = registry.first; other != m; other = other->next) {
		if (strcmp(other->name, m->name) == 0)
			return true;
	}
	return false;
}

void metrics_print(FILE *out)
{
	static const char *const type_names[] = { "counter", "gauge", "histogram" };
	const struct metric *m, *member;

	pthread_mutex_lock(&registry.lock);
	for (m = registry.first; m != NULL; m = m->next) {
		if (seen_before(m))
			continue;
		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, type_names[m->type]);
		for (member = m; member != NULL; member = member->next) {
			if (strcmp(member->name, m->name) == 0)
				print_one(out, member);
		}
	}
	pthread_mutex_unlock(&registry.lock);
}

char *metrics_text(size_t *_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, _len);

	if (out == NULL)
		return NULL;
	metrics_print(out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
