/* SPDX-License-Identifier: Apache-2.0 */
/** A duty that one of several nodes with the same database has at a time, as sending out what all have put there. Whoever has
 * it renews it; when it stands unrenewed for the lease, by the own clock of whoever looks, another one takes it: nodes' clocks
 * need not agree. A holder that is held up for longer than the lease in the middle of something may find that another one has
 * begun the same: what is done so must bear being done twice.
 *
 * The database has, by the caller's migrations, DB_DUTY_TABLE. One thread, which has no transaction open. */
#ifndef GBA_STORE_DB_DUTY_H
#define GBA_STORE_DB_DUTY_H

#include "store/db.h"

#define DB_DUTY_TABLE "CREATE TABLE duty (name TEXT PRIMARY KEY, holder TEXT NOT NULL, beat INTEGER NOT NULL) STRICT"
#define DB_DUTY_BEATS 6 /* renewals in a lease */

struct db_duty;

/** @param holder    name of this node, unlike all others': after a restart it goes on where it was
 * @param lease_ms  [ms] of the holder; all nodes have the same */
enum gba_err db_duty_new(TALLOC_CTX *mem_ctx, struct db *db, const char *name, const char *holder, unsigned int lease_ms,
			 struct db_duty **_duty);
/** Is it ours? Renews or takes it when it is time; to be asked before each act. False also when the database does not answer.
 * @param now_ms  [ms, monotonic] */
bool db_duty_mine(struct db_duty *duty, uint64_t now_ms);
/** Leave it to whoever asks next. */
void db_duty_leave(struct db_duty *duty);

#endif
