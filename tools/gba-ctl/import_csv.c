/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180) with a heading; separator comma or semicolon, found in the heading; unknown columns are ignored. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/gba-ctl/import.h"

#define COLUMNS_MAX 64
#define LINE_OCTETS (2 * GUSS_XML_MAX)

static const struct {
	const char *name;
	size_t offset;
} headings[] = {
#define HEADING(name, member) { name, offsetof(struct import_row, member) }
	HEADING("impi", impi),
	HEADING("imsi", imsi),
	HEADING("public_identities", impus),
	HEADING("impu", impus),
	HEADING("msisdn", msisdn),
	HEADING("k", k),
	HEADING("ki", k),
	HEADING("op", op),
	HEADING("opc", opc),
	HEADING("provisioned", provisioned),
	HEADING("amf", amf),
	HEADING("sqn", sqn),
	HEADING("ind_bits", ind_bits),
	HEADING("algorithm", algorithm),
	HEADING("algo", algorithm),
	HEADING("res_len", res_len),
	HEADING("tuak_iterations", iterations),
	HEADING("state", state),
	HEADING("guss", guss),
};
#define IGNORED SIZE_MAX

struct csv {
	FILE *in;
	char separator;
	uint64_t line;              /* being read */
	size_t column[COLUMNS_MAX]; /* offset in struct import_row */
	size_t columns;
	char *text; /* fields of one record, one after the other */
	struct bytes field[COLUMNS_MAX];
	size_t fields;
	bool too_long;
};

static void put(struct csv *csv, size_t *_n, int c)
{
	if (*_n < LINE_OCTETS)
		csv->text[(*_n)++] = (char)c;
	else
		csv->too_long = true;
}

static int newline(struct csv *csv, int c)
{
	if (c == '\n')
		csv->line++;
	return c;
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
		}
		if (c != '\r' || quoted)
			put(csv, _n, c);
		c = newline(csv, getc_unlocked(csv->in));
	}
	return c;
}

/* False at the end of the file. Empty values are absent. */
static bool record_read(struct csv *csv)
{
	size_t n = 0, start;
	int end;

	csv->fields = 0;
	csv->too_long = false;
	do {
		start = n;
		end = field_read(csv, &n);
		if (csv->separator == 0 && (end == ',' || end == ';'))
			csv->separator = (char)end; /* the heading's first decides */
		if (end == EOF && csv->fields == 0 && n == 0)
			return false;
		if (csv->fields == COLUMNS_MAX)
			csv->too_long = true;
		else
			csv->field[csv->fields++] = n > start ? BYTES(csv->text + start, n - start) : BYTES_NONE;
	} while (end != '\n' && end != EOF);
	return true;
}

static size_t heading_of(struct bytes name)
{
	size_t i;

	if (name.n >= 3 && memcmp(name.p, "\xef\xbb\xbf", 3) == 0)
		name = BYTES(name.p + 3, name.n - 3); /* a byte order mark */
	for (i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
		if (bytes_eq_nocase(name, bytes_of(headings[i].name)))
			return headings[i].offset;
	}
	return IGNORED;
}

static bool heading_read(struct import *imp, struct csv *csv)
{
	bool who = false, key = false;
	size_t i;

	if (record_read(csv)) {
		for (i = 0; i < csv->fields; i++) {
			csv->column[i] = heading_of(csv->field[i]);
			who = who || csv->column[i] == offsetof(struct import_row, imsi) ||
			      csv->column[i] == offsetof(struct import_row, impi);
			key = key || csv->column[i] == offsetof(struct import_row, k);
		}
		csv->columns = csv->fields;
	}
	if (!who || !key)
		imp->status =
			why_fail(&imp->ctl->cli.why, GBA_E_SYNTAX,
				 "%s:1: a heading with imsi or impi, and ki or k, is needed", imp->path);
	return who && key;
}

static bool record_take(struct import *imp, struct csv *csv, uint64_t line)
{
	struct import_row row = { .line = line };
	size_t i;

	if (csv->fields == 1 && csv->field[0].p == NULL)
		return true; /* empty line */
	if (csv->too_long || csv->fields != csv->columns) {
		import_reject(imp, line, BYTES_NONE,
			      csv->too_long ? "line is too long" : "number of fields differs from the heading");
		return true;
	}
	for (i = 0; i < csv->fields; i++) {
		if (csv->column[i] != IGNORED && csv->field[i].p != NULL)
			*(struct bytes *)((uint8_t *)&row + csv->column[i]) = csv->field[i];
	}
	return import_row(imp, &row);
}

static bool records_read(struct import *imp, struct csv *csv)
{
	uint64_t line, rows = 0;

	if (!heading_read(imp, csv))
		return false;
	for (;;) {
		line = csv->line;
		if (!record_read(csv))
			break;
		if (!record_take(imp, csv, line))
			return false;
		if (++rows % 256 == 0)
			progress_show(&imp->progress, (uint64_t)ftello(csv->in), rows);
	}
	if (ferror(csv->in))
		imp->status = why_fail(&imp->ctl->cli.why, GBA_E_UNREACHABLE, "%s: cannot be read", imp->path);
	return !ferror(csv->in);
}

bool import_csv(struct import *imp)
{
	struct csv csv = { .line = 1 };
	struct stat st = { 0 };
	bool good;

	csv.in = fopen(imp->path, "rb");
	csv.text = talloc_size(imp->ctl->cli.ctx, LINE_OCTETS);
	if (csv.in == NULL || csv.text == NULL) {
		imp->status = why_fail(&imp->ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", imp->path, strerror(errno));
		return false;
	}
	if (fstat(fileno(csv.in), &st) == 0)
		progress_start(&imp->progress, (uint64_t)st.st_size);
	good = records_read(imp, &csv);
	fclose(csv.in);
	secret_wipe(csv.text, LINE_OCTETS);
	return good;
}
