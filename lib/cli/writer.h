/* SPDX-License-Identifier: Apache-2.0 */
/** What a command answers: records of named values, written as text, as one JSON object per line, or as CSV (RFC 4180).
 */
#ifndef GBA_CLI_WRITER_H
#define GBA_CLI_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <talloc.h>

#include "core/bytes.h"

enum writer_format { WRITER_TEXT, WRITER_TABLE, WRITER_JSON, WRITER_CSV };

struct writer;

/** TEXT: "name: value" lines, records apart by an empty line. TABLE: one line per record under a heading. */
struct writer *writer_new(TALLOC_CTX *ctx, enum writer_format format, FILE *out);
/** TEXT becomes TABLE and back; JSON and CSV stay what they are. */
void writer_prefer(struct writer *w, enum writer_format format);
/** Values of the record being written; names are static. Absent text is null. */
void writer_text(struct writer *w, const char *name, struct bytes value);
void writer_int(struct writer *w, const char *name, int64_t value);
void writer_bool(struct writer *w, const char *name, bool value);
void writer_hex(struct writer *w, const char *name, struct bytes octets);
/** Lines of a text as a list. */
void writer_list(struct writer *w, const char *name, struct bytes lines);
/** xs:dateTime; 0: null. */
void writer_time(struct writer *w, const char *name, int64_t when);
/** The record is complete. */
void writer_end(struct writer *w);
/** False when something could not be written (full disk, closed pipe). */
bool writer_flush(struct writer *w);

#endif
