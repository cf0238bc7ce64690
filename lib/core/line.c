/* SPDX-License-Identifier: Apache-2.0 */
#include "core/line.h"

#include <stdio.h>

void line_str(struct line *line, const char *s)
{
	while (*s != '\0')
		line_char(line, *s++);
}

void line_escaped(struct line *line, struct bytes value)
{
	size_t i;

	for (i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];
		char esc[8];

		if (c == '"' || c == '\\') {
			line_char(line, '\\');
			line_char(line, (char)c);
		} else if (c < 0x20 || c >= 0x7f) {
			snprintf(esc, sizeof(esc), "\\u%04x", c);
			line_str(line, esc);
		} else {
			line_char(line, (char)c);
		}
	}
}
