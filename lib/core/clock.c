/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

time_t clock_now(void)
{
	return time(NULL);
}

uint64_t clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

uint64_t clock_mono_ms_coarse(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void time_format(time_t when, char *out)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL || strftime(out, TIME_TEXT_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		memcpy(out, "9999-12-31T23:59:59Z", TIME_TEXT_LEN + 1);
}

/* Offset of the zone at `text`, east positive; false when it is no zone. */
static bool zone_parse(const char *text, long *_seconds)
{
	int hours, minutes, used = 0;

	*_seconds = 0;
	if (text[0] == '\0' || strcmp(text, "Z") == 0)
		return true;
	if ((text[0] != '+' && text[0] != '-') || strlen(text) != 6)
		return false;
	if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5 || hours > 14 || minutes > 59)
		return false;
	*_seconds = (text[0] == '-' ? -1L : 1L) * (hours * 3600L + minutes * 60L);
	return true;
}

enum gba_err time_parse(struct bytes text, time_t *_when)
{
	char buf[48];
	struct tm tm = { 0 };
	const char *rest;
	long zone;

	if (text.n == 0 || text.n >= sizeof(buf) || memchr(text.p, '\0', text.n) != NULL)
		return GBA_E_SYNTAX;
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
	rest = strptime(buf, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL)
		return GBA_E_SYNTAX;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (!zone_parse(rest, &zone))
		return GBA_E_SYNTAX;
	*_when = timegm(&tm) - zone;
	return GBA_OK;
}

void rand_bytes(uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		out += got;
		n -= (size_t)got;
	}
}
