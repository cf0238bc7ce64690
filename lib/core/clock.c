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

struct timespec clock_mono_after(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

uint64_t clock_mono_ms_coarse(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Four digits of the year, whichever: strftime() leaves zeros out. */
void time_format(time_t when, char *out)
{
	struct tm tm;
	int i, year;

	if (gmtime_r(&when, &tm) == NULL || tm.tm_year > 9999 - 1900) {
		memcpy(out, "9999-12-31T23:59:59Z", TIME_TEXT_LEN + 1);
	} else if (tm.tm_year < -1900) {
		memcpy(out, "0000-01-01T00:00:00Z", TIME_TEXT_LEN + 1);
	} else {
		for (i = 3, year = tm.tm_year + 1900; i >= 0; i--, year /= 10)
			out[i] = (char)('0' + year % 10);
		strftime(out + 4, TIME_TEXT_LEN + 1 - 4, "-%m-%dT%H:%M:%SZ", &tm);
	}
}

/* strptime() and sscanf() take fewer digits, blanks and signs, too. */
static bool shaped(const char *text, const char *shape)
{
	for (; *shape != '\0'; text++, shape++) {
		if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
			return false;
	}
	return true;
}

/* Offset of the zone at `text`, east positive; false when it is no zone. */
static bool zone_parse(const char *text, long *_seconds)
{
	int hours, minutes;

	*_seconds = 0;
	if (text[0] == '\0' || strcmp(text, "Z") == 0)
		return true;
	if ((text[0] != '+' && text[0] != '-') || strlen(text) != 6 || !shaped(text + 1, "00:00"))
		return false;
	if (sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2 || hours > 14 || minutes > 59)
		return false;
	*_seconds = (text[0] == '-' ? -1L : 1L) * (hours * 3600L + minutes * 60L);
	return true;
}

enum gba_err time_parse(struct bytes text, time_t *_when)
{
	char buf[48];
	struct tm tm = { 0 }, again;
	const char *rest;
	time_t when;
	long zone;

	if (text.n == 0 || text.n >= sizeof(buf) || memchr(text.p, '\0', text.n) != NULL)
		return GBA_E_SYNTAX;
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
	rest = shaped(buf, "0000-00-00T00:00:00") ? strptime(buf, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (rest == NULL)
		return GBA_E_SYNTAX;
	if (*rest == '.' && shaped(rest + 1, "0"))
		rest += 1 + strspn(rest + 1, "0123456789");
	if (!zone_parse(rest, &zone))
		return GBA_E_SYNTAX;
	again = tm;
	when = timegm(&again) - zone;
	if (tm.tm_sec < 60 ? again.tm_mday != tm.tm_mday : tm.tm_sec > 60 || when % 86400 != 0)
		return GBA_E_SYNTAX; /* a day that month has not; a leap second that ends no day in UTC */
	*_when = when;
	return GBA_OK;
}

enum gba_err time_parse_zoned(struct bytes text, time_t *_when)
{
	bool zone = text.n > 6 && (text.p[text.n - 1] == 'Z' || text.p[text.n - 6] == '+' || text.p[text.n - 6] == '-');

	return zone ? time_parse(text, _when) : GBA_E_SYNTAX;
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
