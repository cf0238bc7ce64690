/* SPDX-License-Identifier: Apache-2.0 */
/** Counters, gauges and histograms, printed as Prometheus text (exposition format 0.0.4). One registry per process and
 * shared library copy. Getting a metric locks; updating one is a single atomic operation. No subscriber in a label. */
#ifndef GBA_CORE_METRICS_H
#define GBA_CORE_METRICS_H

#include <stdint.h>
#include <stdio.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric;

/** Find or make a metric; lives as long as the process. Keep the pointer, do not look it up per event.
 * @param name    "gba_bsf_ub_requests_total": copied; counters end in _total, times in _seconds
 * @param labels  "code=\"200\",iface=\"ub\"" or "": copied; values escaped by the caller with metric_label()
 * @return NULL when memory is exhausted or the name exists with another type; updating NULL does nothing */
struct metric *metric_get(const char *name, const char *help, enum metric_type type, const char *labels);
/** Append key="value" with the value escaped to labels (capacity cap), a comma before it when not first. */
void metric_label(char *labels, size_t cap, const char *key, const char *value);

void metric_add(struct metric *m, int64_t delta);
void metric_set(struct metric *m, int64_t value);
int64_t metric_value(const struct metric *m);
/** Histogram of durations: fixed buckets 50 us .. 10 s. @param us [us] */
void metric_observe_us(struct metric *m, uint64_t us);

/** Print all metrics, families together, in the order they were made. */
void metrics_print(FILE *out);
/** The same as one malloc()ed text, *_len without the NUL; NULL when memory is exhausted. */
char *metrics_text(size_t *_len);

#endif
