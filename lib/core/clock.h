/* SPDX-License-Identifier: Apache-2.0 */
/** Time and random octets. Logic takes `now` as a parameter; only roles' outer edges call these. */
#ifndef GBA_CORE_CLOCK_H
#define GBA_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/bytes.h"
#include "core/err.h"

/** [s since epoch] wall clock: lifetimes that leave the node. */
time_t clock_now(void);
/** [ms] never steps back: deadlines inside the node. */
uint64_t clock_mono_ms(void);
/** As clock_mono_ms(), up to 10 ms behind it and ten times cheaper: for deadlines of seconds. */
uint64_t clock_mono_ms_coarse(void);
/** That far ahead on the clock of clock_mono_ms(): until when to wait, as pthread_cond_clockwait() and its relatives want it. */
struct timespec clock_mono_after(unsigned int ms);
/** [us] never steps back: durations for metrics. */
uint64_t clock_mono_us(void);

#define TIME_TEXT_LEN 20 /* "2031-01-01T12:00:00Z" */
/** xs:dateTime in UTC with trailing Z; out holds TIME_TEXT_LEN + 1. Years 0..9999; beyond, the nearest moment. */
void time_format(time_t when, char *out);
/** Parse xs:dateTime: fraction of seconds ignored, "Z" or +hh:mm / -hh:mm accepted, no zone means UTC.
 * @retval GBA_E_SYNTAX */
enum gba_err time_parse(struct bytes text, time_t *_when);
/** The same with a zone, as RFC 3339 has it. */
enum gba_err time_parse_zoned(struct bytes text, time_t *_when);

/** Fill with random octets from the kernel's generator; ends the process if there are none (nothing safe could go on). */
void rand_bytes(uint8_t *out, size_t n);

#endif
