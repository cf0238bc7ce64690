/* SPDX-License-Identifier: Apache-2.0 */
/** What was wrong with each row of an import: some in memory, many in a file without a name (of $TMPDIR, or /var/tmp), which the
 * answer is read from and which is gone with it. One thread. */
#ifndef GBA_REST_REPORT_H
#define GBA_REST_REPORT_H

#include "rest/call.h"

struct report;

/** @param lines  the answer is a JSON text per line, else one. NULL: out of memory */
struct report *report_new(TALLOC_CTX *mem_ctx, bool lines);
/** @param row  a JSON object's text @retval GBA_E_IO and its relatives, GBA_E_NOMEM */
enum gba_err report_row(struct report *report, struct bytes row);
int64_t report_rows(const struct report *report);
/** Is there no room for more on the disk? */
bool report_full(const struct report *report);
/** Answer 200 with the members of summary and "rejections": an array; or with a line per row, and a last one with the summary. */
enum gba_err report_reply(struct report *report, struct rest_call *call, json_t *summary);

#endif
