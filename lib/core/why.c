/* SPDX-License-Identifier: Apache-2.0 */
#include "core/why.h"

#include <stdarg.h>
#include <stdio.h>

enum gba_err why_fail(struct why *why, enum gba_err err, const char *fmt, ...)
{
	va_list args;
	char *p;

	if (why == NULL)
		return err;
	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	for (p = why->text; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	return err;
}
