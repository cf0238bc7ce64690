/* SPDX-License-Identifier: Apache-2.0 */
/** The database of subscribers, a file or a schema on a server. One handle per thread; several processes (hss-stubs,
 * gba-ctl) may have it open: what one commits the others see. SQN stands in a narrow table of its own, since it alone is
 * written all the time. */
#ifndef GBA_HSS_SUB_STORE_H
#define GBA_HSS_SUB_STORE_H

#include "hss-stub/subscriber.h"

struct aside_hold;
struct db;
struct sub_store;

/** Open or create (a file 0600).
 * @param path    as for db_open
 * @param _error  on failure: text for the operator, below mem_ctx; errors as db_open */
enum gba_err sub_store_open(TALLOC_CTX *mem_ctx, const char *path, struct sub_store **_store, const char **_error);

/** Changes are made between begin and commit and are one; commit is durable on GBA_OK, else nothing stands. Whoever writes SQNs
 * begins so: what was leased aside (aside.h) is taken over first. */
enum gba_err sub_store_begin(struct sub_store *store);
/** For a transaction that only leases: not kept waiting by other writers' long ones, which it goes on beside, on a server by a lock
 * of its own, with SQLite by a file (aside.h).
 * @param sets  it sets SEQs, too: on a server the others are waited for a moment */
enum gba_err sub_store_begin_leases(struct sub_store *store, bool sets);
/** From now on sub_store_begin_leases() goes that way. @retval GBA_E_NOMEM */
enum gba_err sub_store_go_aside(struct sub_store *store);
/** A transaction that will be long has begun; sub_store_long_end() comes at once when it has ended. _hold: NULL on a server, which
 * needs none. */
enum gba_err sub_store_long_begin(struct sub_store *store, struct aside_hold **_hold);
void sub_store_long_end(struct aside_hold *hold);
enum gba_err sub_store_commit(struct sub_store *store);
/** The same for a transaction that did nothing but lease and set SEQs: leases are nobody else's business, so other handles'
 * sub_store_version need not move. */
enum gba_err sub_store_commit_leases(struct sub_store *store);
void sub_store_rollback(struct sub_store *store);
/** Commit when err is GBA_OK, else roll back and return err. */
enum gba_err sub_store_end(struct sub_store *store, enum gba_err err);

/** @param impi  any case of realm  @retval GBA_E_IMPI_UNKNOWN  @retval GBA_E_IMPI_SYNTAX */
enum gba_err sub_store_find(struct sub_store *store, TALLOC_CTX *mem_ctx, struct bytes impi, struct subscriber **_sub);
/** First subscriber with this IMSI. @retval GBA_E_IMPI_UNKNOWN */
enum gba_err sub_store_find_imsi(struct sub_store *store, TALLOC_CTX *mem_ctx, struct bytes imsi,
				 struct subscriber **_sub);
/** Does the record still stand, and with which revision? @retval GBA_E_IMPI_UNKNOWN  removed */
enum gba_err sub_store_rev(struct sub_store *store, int64_t id, int64_t *_rev);
/** The next up to `limit` records in order of IMPI after `after` (absent: from the first). */
enum gba_err sub_store_page(struct sub_store *store, TALLOC_CTX *mem_ctx, struct bytes after, size_t limit,
			    struct subscriber ***_page, size_t *_count);
enum gba_err sub_store_count(struct sub_store *store, int64_t *_count);

/** Insert; impi already in the form of subscriber_impi(). Sets id, rev, created, changed. @retval GBA_E_EXISTS */
enum gba_err sub_store_add(struct sub_store *store, struct subscriber *sub, time_t now);
/** Write all members but SEQ back to the record sub->id; rev and changed move on. @retval GBA_E_IMPI_UNKNOWN */
enum gba_err sub_store_update(struct sub_store *store, struct subscriber *sub, time_t now);
/** @retval GBA_E_IMPI_UNKNOWN */
enum gba_err sub_store_remove(struct sub_store *store, int64_t id);

/** Put sealed in the place of old, which must still be the record's; rev moves on. @retval GBA_E_BUSY  it is not any more */
enum gba_err sub_store_reseal(struct sub_store *store, int64_t id, struct bytes old, struct bytes sealed);

/** Raise the highest used SEQ of every subscriber, in a transaction of its own: after a restore, for those used since. Leases
 * given before are void. */
enum gba_err sub_store_lift(struct sub_store *store, uint32_t count);

/** Claim the `count` SEQs above the highest used. They may be used once the transaction is committed.
 * @param _first  lowest claimed  @retval GBA_E_IMPI_UNKNOWN */
enum gba_err sub_store_lease(struct sub_store *store, int64_t id, uint32_t count, uint64_t *_first);
/** The highest SEQ that may have left. */
enum gba_err sub_store_seq(struct sub_store *store, int64_t id, uint64_t *_seq);
/** Set the highest used SEQ; the record's revision moves on, so that leases given before are void. Beside a long transaction it
 * can only be raised (who holds leases below it finds out by himself). @retval GBA_E_BUSY  it would not be */
enum gba_err sub_store_set_seq(struct sub_store *store, int64_t id, uint64_t seq);

/** Changes when another handle has committed (any number of commits: one change; leases need not count). */
int64_t sub_store_version(struct sub_store *store);
/** The database below, for tables that stand beside and share transactions. */
struct db *sub_store_db(struct sub_store *store);
/** db_patience() and db_error() of the database below; the patience also is that of sub_store_begin_leases(). */
void sub_store_patience(struct sub_store *store, unsigned int ms);
const char *sub_store_error(struct sub_store *store);

#endif
