/* SPDX-License-Identifier: Apache-2.0 */
/** Leases of SEQs while a long transaction (an import that is all or nothing, of this process or another) has SQLite's one write
 * lock: a file beside the database takes them, and whoever has the lock next takes them over before it writes an SQN
 * (sub_store_begin). Who leases aside does so while octet 0 of the file is locked, and who leases in the database waits until it is
 * not: so nobody leases the same. A line is an id and the highest SEQ claimed. Octet 0 is the long transaction's, octet 1 by
 * who writes, one at a time; locks end with their process. */
#ifndef GBA_HSS_ASIDE_H
#define GBA_HSS_ASIDE_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

struct aside;
struct aside_hold;

/** The caller's transaction has the write lock of this SQLite file: leases may go aside until aside_shut(), at once when
 * that transaction has ended, however it did, and waits for a lease under way. @param _hold  below mem_ctx
 * @retval GBA_E_IO and its relatives, GBA_E_NOMEM */
enum gba_err aside_open(TALLOC_CTX *mem_ctx, const char *database, struct aside_hold **_hold);
void aside_shut(struct aside_hold *hold); /* NULL passes */

/** Of who leases; one thread. @param database  SQLite's file. NULL: out of memory */
struct aside *aside_new(TALLOC_CTX *mem_ctx, const char *database);
/** May we lease here, until aside_leave()? Does not wait. */
bool aside_enter(struct aside *aside);
/** The highest SEQ claimed, where `stored` is what the database says. */
uint64_t aside_seq(const struct aside *aside, int64_t id, uint64_t stored);
/** Claim all up to seq, with aside_leave(). @retval GBA_E_NOMEM */
enum gba_err aside_claim(struct aside *aside, int64_t id, uint64_t seq);
/** @param keep  the claims; GBA_OK: they are on the disk. Else none of them may be used @retval GBA_E_IO and its relatives */
enum gba_err aside_leave(struct aside *aside, bool keep);

/** What a file of them holds, for who has the write lock. @param _octets  0: there is none
 * @retval GBA_E_BUSY  the long transaction has ended, but is not shut yet: in a moment
 * @retval GBA_E_CORRUPT  no file of ours, GBA_E_IO, GBA_E_NOMEM, or what each returns */
enum gba_err aside_read(const char *database, enum gba_err (*each)(void *arg, int64_t id, uint64_t seq), void *arg,
			size_t *_octets);
/** Forget it, when it still holds but these octets. @return gone? */
bool aside_forget(const char *database, size_t octets);

#endif
