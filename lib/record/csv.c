/* SPDX-License-Identifier: Apache-2.0 */
#include "record/csv.h"

#include "core/secret.h"

#define TOO_LONG "line is too long"

static void put(struct csv *csv, size_t *_n, int c)
{
	if (*_n < csv->text_max)
		csv->text[(*_n)++] = (char)c;
	else
		csv->fault = TOO_LONG;
}

static int newline(struct csv *csv, int c)
{
	if (c == '\n')
		csv->line++;
	return c;
}

/* After a CR that is not quoted: with the LF behind it, or alone, as old spreadsheets write it, it ends the line. */
static int line_end(struct csv *csv)
{
	int c = getc_unlocked(csv->in);

	if (c != '\n' && c != EOF)
		ungetc(c, csv->in);
	return newline(csv, '\n');
}

/* One field into text; returns what ended it: separator, '\n' or EOF. */
static int field_read(struct csv *csv, size_t *_n)
{
	int c = newline(csv, getc_unlocked(csv->in));
	bool quoted = c == '"';

	if (quoted)
		c = newline(csv, getc_unlocked(csv->in));
	while (c != EOF) {
		if (quoted && c == '"') {
			c = newline(csv, getc_unlocked(csv->in));
			if (c != '"') {
				quoted = false;
				continue;
			}
		} else if (!quoted && (c == csv->separator || c == '\n' || (c == ',' && csv->separator == 0) ||
				       (c == ';' && csv->separator == 0))) {
			break;
		} else if (!quoted && c == '\r') {
			return line_end(csv);
		}
		put(csv, _n, c);
		c = newline(csv, getc_unlocked(csv->in));
	}
	if (quoted) /* and it has taken in all lines behind it */
		csv->fault = "a quote begins here that does not end";
	return c;
}

bool csv_next(struct csv *csv)
{
	size_t n = 0, start;
	int end;

	csv->fields = 0;
	csv->fault = NULL;
	do {
		start = n;
		end = field_read(csv, &n);
		if (csv->separator == 0 && (end == ',' || end == ';'))
			csv->separator = (char)end; /* the heading's first decides */
		if (end == EOF && csv->fields == 0 && n == 0)
			return false;
		if (csv->fields == CSV_COLUMNS_MAX)
			csv->fault = TOO_LONG;
		else
			csv->field[csv->fields++] = n > start ? BYTES(csv->text + start, n - start) : BYTES_NONE;
	} while (end != '\n' && end != EOF);
	return true;
}

struct bytes csv_name(struct bytes name)
{
	return name.n >= 3 && memcmp(name.p, "\xef\xbb\xbf", 3) == 0 ? BYTES(name.p + 3, name.n - 3) : name;
}

bool csv_from(struct csv *csv, TALLOC_CTX *ctx, FILE *in, size_t octets)
{
	*csv = (struct csv){ .line = 1, .text_max = octets, .in = in };
	csv->text = talloc_size(ctx, octets);
	return csv->text != NULL;
}

bool csv_open(struct csv *csv, TALLOC_CTX *ctx, const char *path, size_t octets)
{
	*csv = (struct csv){ .line = 1, .text_max = octets };
	csv->text = talloc_size(ctx, octets);
	csv->in = csv->text != NULL ? fopen(path, "rb") : NULL;
	return csv->in != NULL;
}

void csv_close(struct csv *csv)
{
	fclose(csv->in);
	secret_wipe(csv->text, csv->text_max);
}
