/* SPDX-License-Identifier: Apache-2.0 */
/** A line of text under construction in somebody else's buffer: what does not fit is left out, never overrun, and said. */
#ifndef GBA_CORE_LINE_H
#define GBA_CORE_LINE_H

#include <stdbool.h>

#include "core/bytes.h"

struct line {
	char *text;
	size_t n, cap; /* [octets] written, room */
	bool cut;      /* something did not fit */
};

static inline void line_char(struct line *line, char c)
{
	if (line->n < line->cap)
		line->text[line->n++] = c;
	else
		line->cut = true;
}

void line_str(struct line *line, const char *s);
/** Quotes, backslashes and everything that is not printable ASCII as JSON escapes: a value cannot end its string or line. */
void line_escaped(struct line *line, struct bytes value);

#endif
