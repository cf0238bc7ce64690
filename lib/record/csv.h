/* SPDX-License-Identifier: Apache-2.0 */
/** Reading CSV (RFC 4180): separator comma or semicolon, found in the heading; lines end in CRLF, LF or CR. */
#ifndef GBA_RECORD_CSV_H
#define GBA_RECORD_CSV_H

#include <stdio.h>
#include <talloc.h>

#include "core/bytes.h"

#define CSV_COLUMNS_MAX 64

struct csv {
	FILE *in;
	char separator;
	uint64_t line; /* being read */
	char *text;    /* fields of one record, one after the other */
	size_t text_max;
	struct bytes field[CSV_COLUMNS_MAX]; /* empty values are absent */
	size_t fields;
	const char *fault; /* why this record is none, static; NULL: it is one */
};

/** @param octets  longest record; text below ctx. False: errno says why. */
bool csv_open(struct csv *csv, TALLOC_CTX *ctx, const char *path, size_t octets);
/** The same over a stream, which then is csv's. */
bool csv_from(struct csv *csv, TALLOC_CTX *ctx, FILE *in, size_t octets);
/** False at the end of the file. Views until the next record. */
bool csv_next(struct csv *csv);
/** Closes and wipes. */
void csv_close(struct csv *csv);
/** A heading's name without a byte order mark. */
struct bytes csv_name(struct bytes name);

#endif
