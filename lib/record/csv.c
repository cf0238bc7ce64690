/* SPDX-License-Identifier: Apache-2.0 */
#include "record/csv.h"

#include "core/secret.h"

#define TOO_LONG "line is too long"

static void fault(struct csv *csv, const char *what)
{
	if (csv->fault == NULL)
		csv->fault = what;
}

static void put(struct csv *csv, size_t *_n, int c)
{
	if (*_n < csv->text_max)
		csv->text[(*_n)++] = (char)c;
	else
		fault(csv, TOO_LONG);
}

static int next(struct csv *csv)
{
	int c = getc_unlocked(csv->in);

	if (c == '\n')
		csv->line++;
	return c;
}

/* A CR that is not quoted, with the LF behind it or alone, as old spreadsheets write it, ends the line. */
static int next_unquoted(struct csv *csv)
{
	int c = next(csv), after;

	if (c != '\r')
		return c;
	after = getc_unlocked(csv->in);
	if (after != '\n' && after != EOF)
		ungetc(after, csv->in);
	csv->line++;
	return '\n';
}

static bool ends_field(const struct csv *csv, int c)
{
	return c == EOF || c == '\n' || (csv->separator != 0 ? c == csv->separator : c == ',' || c == ';');
}

/* From c to what ends the field, which is returned. */
static int plain_read(struct csv *csv, size_t *_n, int c)
{
	for (; !ends_field(csv, c); c = next_unquoted(csv)) {
		if (c == '"')
			fault(csv, "a quote in a field that does not begin with one");
		put(csv, _n, c);
	}
	return c;
}

/* Behind the opening quote, up to behind the closing one. */
static int quoted_read(struct csv *csv, size_t *_n)
{
	int c;

	for (c = next(csv); c != EOF; c = next(csv)) {
		if (c == '"') {
			c = next_unquoted(csv);
			if (c != '"')
				return c;
		}
		put(csv, _n, c);
	}
	fault(csv, "a quote begins here that does not end"); /* and it has taken in all lines behind it */
	return c;
}

/* One field into text; returns what ended it: separator, '\n' or EOF. */
static int field_read(struct csv *csv, size_t *_n)
{
	int c = next_unquoted(csv);

	if (c != '"')
		return plain_read(csv, _n, c);
	c = quoted_read(csv, _n);
	if (!ends_field(csv, c))
		fault(csv, "something follows a closing quote");
	return plain_read(csv, _n, c);
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
			fault(csv, "too many fields");
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
