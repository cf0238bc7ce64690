/* SPDX-License-Identifier: Apache-2.0 */
/** Things to do that a restart must not forget: lines of text in a file, until each is said to be done. Any thread. */
#ifndef GBA_BSF_JOURNAL_H
#define GBA_BSF_JOURNAL_H

#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define JOURNAL_LINE_MAX 65536 /* [octets] of a text */

struct journal;

/** What was not done when the file was last written, oldest first. @param id  for journal_done()
 * @return false: of no use any more, it is forgotten */
typedef bool (*journal_each)(void *arg, uint64_t id, struct bytes text);
/** Open or create (0600), hand out what is in it, and write it anew without what is done. The last line is dropped when a crash has
 * cut it. @retval GBA_E_IO and its relatives, GBA_E_NOMEM; GBA_E_CORRUPT: no file of ours */
enum gba_err journal_open(TALLOC_CTX *mem_ctx, const char *path, journal_each each, void *arg, struct journal **_journal);
/** @param text  printable, at most JOURNAL_LINE_MAX octets @return its id; 0: not on record. NULL journal: 0 */
uint64_t journal_add(struct journal *journal, struct bytes text);
/** It need not be remembered. 0 passes. */
void journal_done(struct journal *journal, uint64_t id);
/** What was added survives loss of power, not only the process. */
enum gba_err journal_sync(struct journal *journal);

#endif
