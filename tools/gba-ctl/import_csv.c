/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180) with a heading; separator comma or semicolon, found in the heading; unknown columns are ignored. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "record/csv.h"
#include "tools/gba-ctl/import.h"

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

/* A file whose columns are members of a row. */
struct sheet {
	struct csv csv;
	size_t column[CSV_COLUMNS_MAX]; /* offset in struct import_row */
	size_t columns;
};

static size_t heading_of(struct bytes name)
{
	size_t i;

	name = csv_name(name);
	for (i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
		if (bytes_eq_nocase(name, bytes_of(headings[i].name)))
			return headings[i].offset;
	}
	return IGNORED;
}

/* Two columns for one member: which of them is meant? */
static bool heading_twice(struct import *imp, const struct sheet *sheet, size_t i)
{
	size_t k = 0;

	while (k < i && (sheet->column[k] == IGNORED || sheet->column[k] != sheet->column[i]))
		k++;
	if (k < i)
		imp->status = why_fail(&imp->ctl->cli.why, GBA_E_SYNTAX, "%s:1: columns %zu and %zu say the same", imp->path, k + 1,
				       i + 1);
	return k < i;
}

static bool heading_read(struct import *imp, struct sheet *sheet)
{
	bool who = false, key = false;
	size_t i;

	if (csv_next(&sheet->csv)) {
		for (i = 0; i < sheet->csv.fields; i++) {
			sheet->column[i] = heading_of(sheet->csv.field[i]);
			if (heading_twice(imp, sheet, i))
				return false;
			who = who || sheet->column[i] == offsetof(struct import_row, imsi) ||
			      sheet->column[i] == offsetof(struct import_row, impi);
			key = key || sheet->column[i] == offsetof(struct import_row, k);
		}
		sheet->columns = sheet->csv.fields;
	}
	if (!who || !key)
		imp->status =
			why_fail(&imp->ctl->cli.why, GBA_E_SYNTAX,
				 "%s:1: a heading with imsi or impi, and ki or k, is needed", imp->path);
	return who && key;
}

static bool record_take(struct import *imp, struct sheet *sheet, uint64_t line)
{
	struct import_row row = { .line = line };
	size_t i;

	if (sheet->csv.fields == 1 && sheet->csv.field[0].p == NULL)
		return true; /* empty line */
	if (sheet->csv.fault != NULL || sheet->csv.fields != sheet->columns) {
		import_reject(imp, line, BYTES_NONE,
			      sheet->csv.fault != NULL ? sheet->csv.fault : "number of fields differs from the heading");
		return true;
	}
	for (i = 0; i < sheet->csv.fields; i++) {
		if (sheet->column[i] != IGNORED && sheet->csv.field[i].p != NULL)
			*(struct bytes *)((uint8_t *)&row + sheet->column[i]) = sheet->csv.field[i];
	}
	return import_row(imp, &row);
}

static bool records_read(struct import *imp, struct sheet *sheet)
{
	uint64_t line, rows = 0;

	if (!heading_read(imp, sheet))
		return false;
	for (;;) {
		line = sheet->csv.line;
		if (!csv_next(&sheet->csv))
			break;
		if (!record_take(imp, sheet, line))
			return false;
		if (++rows % 256 == 0)
			progress_show(&imp->progress, (uint64_t)ftello(sheet->csv.in), rows);
	}
	if (ferror(sheet->csv.in))
		imp->status = why_fail(&imp->ctl->cli.why, GBA_E_UNREACHABLE, "%s: cannot be read", imp->path);
	return !ferror(sheet->csv.in);
}

bool import_csv(struct import *imp)
{
	struct sheet sheet = { 0 };
	struct stat st = { 0 };
	bool good;

	if (!csv_open(&sheet.csv, imp->ctl->cli.ctx, imp->path, LINE_OCTETS)) {
		imp->status = why_fail(&imp->ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", imp->path, strerror(errno));
		return false;
	}
	if (fstat(fileno(sheet.csv.in), &st) == 0)
		progress_start(&imp->progress, (uint64_t)st.st_size);
	good = records_read(imp, &sheet);
	csv_close(&sheet.csv);
	return good;
}
